//! The HTTP API, the metrics and the page: everything under one TCP address.
//!
//! Answers come from [`aggregate::Reader`](crate::aggregate::Reader). Each
//! endpoint is a module that holds its JSON shapes (counterparts of the inner types, so that those can change)
//! and the way from a question to an answer; `routes` lists them all; `server` stands in front of them.

mod access;
mod exporters;
mod facts;
mod filters;
mod fleet;
mod interfaces;
mod live;
mod openapi;
mod operations;
mod parameters;
mod problem;
mod profiles;
mod rights;
mod routes;
mod scrape;
mod series;
mod server;
mod sources;
mod top;
mod ui;

pub use access::{Access, Token, TokenError};
pub use exporters::{Edge, Exporter, ExporterList, Listener};
pub use facts::{Facts, FactsList, Named, NamedInterface, Rate, Template};
pub use filters::{FaultSpan, FilterFault, FilterText, FilterVerdict};
pub use fleet::{FleetStatus, Node, Program, RunningProfile, RunningTarget};
pub use interfaces::{Interface, OctetsBeside};
pub use live::SlotEvent;
pub use problem::Problem;
pub use profiles::{Channel, ChannelUsage, LIVE, Profile, ProfileDetail, ProfileList, Top, Usage};
pub use rights::{AUDIENCE, Reviewer};
pub use sources::SourcePace;

pub use series::{Coverage, Line, Marker, SeriesAnswer};
pub use top::{Row, TopAnswer};

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::aggregate::Reader;
use crate::telemetry::{Health, Metrics};
use crate::tls::Door;

/// What the server answers from.
#[derive(Clone, Debug)]
pub struct State {
    /// What the aggregator holds.
    pub reader: Reader,
    /// What this process counts; scrapes add what the reader knows.
    pub metrics: Metrics,
    /// What `/readyz` tells.
    pub health: Health,
    /// Who may ask.
    pub access: Access,
    /// How connections are taken.
    pub door: Door,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Others could connect and nothing would stop them.
    #[error(
        "{0} can be reached from other machines: give --token-file FILE, or an address such as 127.0.0.1:8470"
    )]
    Open(SocketAddr),
    /// The socket does not know its own address.
    #[error("the API's socket failed: {0}")]
    Socket(#[from] std::io::Error),
}

/// Whether an address may be served: one that others can reach needs a token.
///
/// # Errors
/// When the address is not a loopback one and anybody may ask.
pub fn check(address: SocketAddr, access: &Access) -> Result<(), ServeError> {
    if matches!(access, Access::Open) && !address.ip().to_canonical().is_loopback() {
        return Err(ServeError::Open(address));
    }
    Ok(())
}

/// Answers on `listener` until `shutdown`; open requests then have five seconds to end.
///
/// # Errors
/// When the address is not a loopback one and anybody may ask.
pub async fn run(
    listener: TcpListener,
    state: State,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    check(listener.local_addr()?, &state.access)?;
    let (closing, closed) = watch::channel(false);
    let gate = server::Gate::new(
        state.access.clone(),
        state.door.clone(),
        state.metrics.clone(),
        server::Limits::USUAL,
    );
    let service = hyper_util::service::TowerToHyperService::new(warp::service(routes::all(state, closed)));
    let shutdown = async {
        shutdown.await;
        // Streams that would never end by themselves do so now.
        closing.send_replace(true);
    };
    server::accept(listener, gate, service, shutdown).await;
    Ok(())
}
