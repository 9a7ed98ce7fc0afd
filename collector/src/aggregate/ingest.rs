//! Blocks over HTTP: what `weir aggregator` listens for.
//!
//! `POST /v1/blocks` takes blocks of one spool, oldest first, each after its length (u32 little endian), and
//! answers with the [`Ack`](crate::slot::Ack) in postcard once they are durable; `POST /v1/provisional` takes
//! one provisional value, `POST /v1/report` what an edge says of itself ([`crds::fleet`]). These must state their
//! length. `GET /v1/fleet` tells who runs what, for as long as the listener stays.

mod answer;
mod fleet;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::answer::Desk;
use super::Aggregator;

/// Connections at a time; an edge needs one.
const CONNECTIONS: usize = 4_096;
/// For a request's head or body to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves until `until` is ready; requests that are open then are not answered, and edges send them again.
pub async fn run(listener: TcpListener, aggregator: Arc<Aggregator>, until: impl Future<Output = ()>) {
    tokio::select! {
        () = accept(listener, aggregator) => {}
        () = until => {}
    }
}

async fn accept(listener: TcpListener, aggregator: Arc<Aggregator>) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let desk = Arc::new(Desk::new(aggregator));
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
    let service = hyper::service::service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(desk.answer(request).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http2().timer(hyper_util::rt::TokioTimer::new()).max_concurrent_streams(16);
    builder.http2().keep_alive_interval(Some(PATIENCE));
    builder.http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(Some(PATIENCE));
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "an ingest connection ended early");
    }
}
