//! Sends NetFlow v5, NetFlow v9, IPFIX or sFlow to a collector and says exactly what it sent.
//!
//! ```text
//! arguments > traffic > encode > sender > summary
//! ```
//!
//! `traffic` invents flows from a seed, `encode` writes them as an exporter would, `sender` paces them over one
//! socket an exporter, and `summary` counts what left.

pub mod arguments;
pub mod encode;
pub mod sender;
pub mod summary;
pub mod traffic;
