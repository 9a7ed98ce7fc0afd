//! Weir's contract: the kinds that an administrator writes, the filter language, and the configuration that
//! both programs read. Pure: no I/O, no cluster.

pub mod collector;
pub mod config;
pub mod enroll;
pub mod filter;
pub mod fleet;
mod generate;
pub mod identity;
pub mod limits;
pub mod profile;
mod schema;
pub mod sources;
pub mod status;
pub mod target;

pub use generate::{definitions, manifests};
