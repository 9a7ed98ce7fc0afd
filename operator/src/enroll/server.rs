//! The enrolment port: TLS, bounded connections, one request each.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::desk::Desk;

/// Connections at once; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 256;
/// A handshake is over by then.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A request's head is there by then.
const HEAD: Duration = Duration::from_secs(10);
/// Everything is over by then, for each connection.
const CONNECTION: Duration = Duration::from_secs(30);
/// What is open at the end is given this time.
const DRAIN: Duration = Duration::from_secs(5);
/// A request's head is no longer.
const HEAD_BYTES: usize = 32 << 10;

/// Answers on `listener` until `shutdown`.
pub async fn serve(listener: TcpListener, desk: Desk, shutdown: impl Future<Output = ()>) {
    let desk = Arc::new(desk);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = next(&listener, &places) => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer, place)) => {
                let served = connection(stream, peer, Arc::clone(&desk), graceful.watcher());
                connections.spawn(async move {
                    if timeout(CONNECTION, served).await.is_err() {
                        tracing::debug!(%peer, "connection cut off: it took too long");
                    }
                    drop(place);
                });
            }
            // Out of descriptors, or gone already: the next one may do better.
            Err(error) => {
                tracing::debug!(%error, "connection not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    if timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!(open = connections.len(), "requests for certificates are cut off");
    }
    connections.shutdown().await;
}

type Accepted = std::io::Result<(TcpStream, SocketAddr, Option<OwnedSemaphorePermit>)>;

async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> Accepted {
    let place = Arc::clone(places).acquire_owned().await.ok();
    listener.accept().await.map(|(stream, peer)| (stream, peer, place))
}

async fn connection(stream: TcpStream, peer: SocketAddr, desk: Arc<Desk>, end: Watcher) {
    let acceptor = TlsAcceptor::from(desk.server_config());
    let stream = match timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "TLS handshake failed"),
        Err(_) => return tracing::debug!(%peer, "TLS handshake took too long"),
    };
    let address = peer.ip();
    let service = service_fn(move |request| respond(Arc::clone(&desk), address, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = end.watch(connection).await {
        tracing::debug!(%peer, %error, "connection ended early");
    }
}

async fn respond(
    desk: Arc<Desk>,
    peer: IpAddr,
    request: Request<Incoming>,
) -> Result<super::desk::Answer, Infallible> {
    Ok(desk.answer(peer, request).await)
}

#[cfg(test)]
mod tests;
