//! The order of the stages: the only file that knows it.
//!
//! Two roles are wired from the same stages. An [`Edge`] is one or several receiving threads (socket >
//! decode > enrich > filter > account, and export beside them), their cuts and the spool that carries them; a [`Central`] is the aggregator and the server in
//! front of it. `weir edge` and `weir aggregator` run one each and speak HTTP/2; `weir standalone` runs both in
//! one process, where the spool hands its blocks over by a call.

mod addresses;
mod central;
mod cutter;
mod edge;
mod stages;
mod wanted;
mod worker;

pub use central::{Central, CentralOptions, LocalUpstream};
pub use edge::Edge;
pub use stages::{PlanError, check};
pub use wanted::Wanted;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use crate::aggregate::OpenError;
use crate::serve::ServeError;
use crate::ship::SpoolError;
use crate::socket::BindError;

/// Why a role did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's port.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The spool's folder.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The aggregator's folder.
    #[error(transparent)]
    Aggregator(#[from] OpenError),
    /// The configuration.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The API.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A TCP address.
    #[error("cannot listen on {address}: {source}; stop what holds it, or give another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A receiving thread.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}
