//! Weir's contract: the kinds that an administrator writes, the filter language, and the configuration that
//! both programs read. Pure: no I/O, no cluster.

pub mod config;
