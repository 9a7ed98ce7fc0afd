//! The spool: numbered blocks on disk until the aggregator has them.
//!
//! Promise: a block is never applied twice; it is never lost within the spool's bounds, and what a full spool
//! costs is counted. A block is durable (fdatasync) before it is sent, and it is deleted only after the
//! aggregator has said that it is durable there.

mod http;
mod merge;
mod report;
mod send;
mod spool;
mod watermarks;

pub use http::HttpUpstream;
pub use merge::{merged, without_counts};
pub use report::run as report;
pub use send::run;
pub use spool::{Limits, Spool, SpoolError};

use std::future::Future;

use crds::fleet::EdgeReport;

use crate::slot::{Ack, Block, Provisional};

/// What account's cuts hand to the spool.
#[derive(Debug)]
pub enum Handover {
    /// A cut, to be numbered and kept.
    Cut(Box<Block>),
    /// What the open slots hold now: sent as it is, kept nowhere.
    Provisional(Box<Provisional>),
}

/// Why the aggregator does not have the blocks. All are tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Nobody answered.
    #[error("the aggregator cannot be reached: {0}")]
    Unreachable(String),
    /// It answered that it does not take them.
    #[error("the aggregator refused the blocks: {0}")]
    Refused(String),
}

/// Where blocks go: over the network, or into the aggregator of the same process.
pub trait Upstream: Send + Sync + 'static {
    /// Sends encoded blocks of one spool, oldest first, and waits until they are durable there.
    fn send(&self, blocks: Vec<Vec<u8>>) -> impl Future<Output = Result<Ack, SendError>> + Send;

    /// Sends an encoded provisional value; one that is lost is replaced by the next.
    fn provisional(&self, value: Vec<u8>) -> impl Future<Output = Result<(), SendError>> + Send;

    /// Asks where the streams of the edge `node` stood and what they taught, as an encoded block.
    fn known(&self, node: &str) -> impl Future<Output = Result<Vec<u8>, SendError>> + Send;

    /// Tells what the edge runs.
    fn report(&self, report: &EdgeReport) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// How the spool stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Blocks that the aggregator does not have yet.
    pub blocks: u64,
    /// Their bytes on disk.
    pub bytes: u64,
    /// The last block that the aggregator acknowledged.
    pub acknowledged: u64,
    /// Blocks whose counts were given up since the start.
    pub dropped: u64,
    /// What keeps blocks from being written or sent, in words.
    pub trouble: Option<String>,
}
