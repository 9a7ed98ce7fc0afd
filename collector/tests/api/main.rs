//! The HTTP API as its clients see it: a real server on a port of its own, over a real aggregator that was fed
//! with blocks.
#![allow(clippy::unwrap_used, reason = "a test may unwrap: its panic is the report")]

mod access;
mod answers;
mod commands;
mod document;
mod facts;
mod live;
mod metrics;
mod problems;
mod server;
