//! What the end-to-end tests are made of: programs, network namespaces, real exporters, known traffic, deadlines.
//!
//! Everything started here ends with the value that stands for it, also when a test panics. What a killed run
//! left behind is swept by the next one.

pub mod chart;
pub mod cluster;
pub mod deadline;
pub mod exporter;
pub mod kafka;
pub mod namespace;
pub mod nfdump;
pub mod program;
pub mod relay;
pub mod tap;
pub mod traffic;
pub mod weir;
