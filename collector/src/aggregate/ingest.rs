//! Blocks over HTTP: what `weir aggregator` listens for.
//!
//! `POST /v1/blocks` takes blocks of one spool, oldest first, each after its length (u32 little endian), and
//! answers with the [`Ack`](crate::slot::Ack) in postcard once they are durable; `POST /v1/provisional` takes
//! one provisional value, `POST /v1/report` what an edge says of itself ([`crds::fleet`]). These must state their
//! length. `GET /v1/known` tells an edge on another disk where its streams stood and what they taught, as an encoded
//! block; `GET /v1/fleet` tells who runs what, for as long as the listener stays.
//!
//! Over TLS every peer shows a certificate: an edge delivers for its own node and collector, the operator asks for the
//! fleet, nobody else gets anything. A connection lives at most an hour, and no longer than its peer's certificate.

mod admit;
mod answer;
mod fleet;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

use self::answer::Desk;
use super::Aggregator;
use crate::telemetry::{Metric, Metrics};
use crate::tls::Door;

/// Connections at a time; an edge needs one.
const CONNECTIONS: usize = 4_096;
/// For so long a connection lives at most.
const CONNECTION_AGE: Duration = Duration::from_secs(3_600);
/// For a request's head or body to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the port is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// How connections are taken.
    pub door: Door,
    /// For so long a connection lives at most: what was allowed when it began may have been taken back.
    pub connection_age: Duration,
    /// Where refusals are counted.
    pub metrics: Metrics,
}

impl Default for Options {
    fn default() -> Self {
        Self { door: Door::Plain, connection_age: CONNECTION_AGE, metrics: Metrics::default() }
    }
}

/// Serves until `until` is ready; requests that are open then are not answered, and edges send them again.
pub async fn run(
    listener: TcpListener,
    aggregator: Arc<Aggregator>,
    options: Options,
    until: impl Future<Output = ()>,
) {
    tokio::select! {
        () = accept(listener, aggregator, options) => {}
        () = until => {}
    }
}

async fn accept(listener: TcpListener, aggregator: Arc<Aggregator>, options: Options) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let desk = Arc::new(Desk::new(aggregator, options));
    let mut running = tokio::task::JoinSet::new();
    loop {
        while running.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                running.spawn(connection(stream, Arc::clone(&desk), permit));
            }
            // Out of file descriptors, or the peer has gone: neither is a reason to stop.
            Err(error) => {
                tracing::warn!(%error, "ingest could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, desk: Arc<Desk>, _permit: OwnedSemaphorePermit) {
    drop(stream.set_nodelay(true));
    let Options { door, connection_age, metrics } = &desk.options;
    let (stream, peer) = match door.open(stream).await {
        Ok(opened) => opened,
        Err(error) => {
            metrics.lock().add(Metric::IngestRefused, &["handshake"], 1);
            return tracing::debug!(%error, "a handshake at the ingest port failed");
        }
    };
    let left = peer.as_ref().map(|peer| peer.expires.duration_since(SystemTime::now()).unwrap_or_default());
    let ends = Instant::now() + left.unwrap_or(*connection_age).min(*connection_age);
    let peer = peer.map(|peer| Arc::new(peer.identity));
    let service = hyper::service::service_fn(move |request| {
        let (desk, peer) = (Arc::clone(&desk), peer.clone());
        async move { Ok::<_, Infallible>(desk.answer(request, peer.as_deref(), ends).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http2().timer(hyper_util::rt::TokioTimer::new()).max_concurrent_streams(16);
    builder.http2().keep_alive_interval(Some(PATIENCE));
    builder.http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(Some(PATIENCE));
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = sleep_until(ends) => {
            // What is under way is answered; the peer comes back with what it has then.
            connection.as_mut().graceful_shutdown();
            timeout(PATIENCE, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an ingest connection ended early");
    }
}
