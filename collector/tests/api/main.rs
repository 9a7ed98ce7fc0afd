//! The HTTP API as its clients see it: a real server on a port of its own, over a real aggregator that was fed
//! with blocks.

mod access;
mod answers;
mod commands;
mod document;
mod live;
mod metrics;
mod problems;
mod server;
