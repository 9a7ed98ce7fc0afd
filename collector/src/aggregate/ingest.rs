//! Blocks over HTTP: what `weir aggregator` listens for.
//!
//! `POST /v1/blocks` takes blocks of one spool, oldest first, each after its length (u32 little endian), and
//! answers with the [`Ack`](crate::slot::Ack) in postcard once they are durable; `POST /v1/provisional` takes
//! one provisional value. Requests must state their length.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Aggregator, ApplyError};
use crate::slot::MAX_BLOCK_BYTES;

/// Connections at a time; an edge needs one.
const CONNECTIONS: usize = 4_096;
/// KiB of all bodies that are being read or applied.
const BODIES_KIB: usize = 256 << 10;
/// For a whole body to come.
const BODY: Duration = Duration::from_secs(30);

/// Serves until `until` is ready; requests that are open then are not answered, and edges send them again.
pub async fn run(listener: TcpListener, aggregator: Arc<Aggregator>, until: impl Future<Output = ()>) {
    tokio::select! {
        () = accept(listener, aggregator) => {}
        () = until => {}
    }
}

async fn accept(listener: TcpListener, aggregator: Arc<Aggregator>) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let bodies = Arc::new(Semaphore::new(BODIES_KIB));
    let mut running = tokio::task::JoinSet::new();
    loop {
        while running.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (aggregator, bodies) = (Arc::clone(&aggregator), Arc::clone(&bodies));
                running.spawn(connection(stream, aggregator, bodies, permit));
            }
            // Out of file descriptors, or the peer has gone: neither is a reason to stop.
            Err(error) => {
                tracing::warn!(%error, "ingest could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    aggregator: Arc<Aggregator>,
    bodies: Arc<Semaphore>,
    _permit: OwnedSemaphorePermit,
) {
    drop(stream.set_nodelay(true));
    let service = hyper::service::service_fn(move |request| {
        let (aggregator, bodies) = (Arc::clone(&aggregator), Arc::clone(&bodies));
        async move { Ok::<_, Infallible>(answer(request, &aggregator, bodies).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http2().timer(hyper_util::rt::TokioTimer::new()).max_concurrent_streams(16);
    builder.http2().keep_alive_interval(Some(BODY));
    builder.http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(Some(BODY));
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "an ingest connection ended early");
    }
}

async fn answer(
    request: Request<Incoming>,
    aggregator: &Aggregator,
    bodies: Arc<Semaphore>,
) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    if !matches!(path.as_str(), "/v1/blocks" | "/v1/provisional") {
        return text(StatusCode::NOT_FOUND, "this is the ingest port: /v1/blocks and /v1/provisional");
    }
    if request.method() != Method::POST {
        return text(StatusCode::METHOD_NOT_ALLOWED, "use POST");
    }
    let (body, _permit) = match read_body(request, bodies).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    if path == "/v1/provisional" {
        return match aggregator.provisional(&body) {
            Ok(()) => text(StatusCode::NO_CONTENT, ""),
            Err(error) => refuse(&error),
        };
    }
    let Some(blocks) = split(&body) else {
        return text(StatusCode::BAD_REQUEST, "the lengths of the blocks do not fit the body");
    };
    match aggregator.apply_all(blocks).await.map(|ack| postcard::to_stdvec(&ack)) {
        Ok(Ok(ack)) => Response::new(Full::new(ack.into())),
        Ok(Err(error)) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        Err(error) => refuse(&error),
    }
}

/// The blocks of a body, each after its length; none when the lengths lie, or there is no block.
fn split(mut body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut blocks = Vec::new();
    loop {
        let (length, rest) = body.split_first_chunk::<4>()?;
        let (block, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        blocks.push(block.to_vec());
        if rest.is_empty() {
            return Some(blocks);
        }
        body = rest;
    }
}

/// The body, and the hold on memory that it needs.
async fn read_body(
    request: Request<Incoming>,
    bodies: Arc<Semaphore>,
) -> Result<(Bytes, OwnedSemaphorePermit), Response<Full<Bytes>>> {
    let Some(length) = request.body().size_hint().exact() else {
        return Err(text(StatusCode::LENGTH_REQUIRED, "state the Content-Length"));
    };
    if length > MAX_BLOCK_BYTES as u64 {
        let limit =
            format!("{length} bytes; at most {MAX_BLOCK_BYTES} are taken: send fewer blocks at a time");
        return Err(text(StatusCode::PAYLOAD_TOO_LARGE, &limit));
    }
    let late = |_| text(StatusCode::REQUEST_TIMEOUT, "the body did not come within 30 s");
    let read = async {
        let permit = bodies.acquire_many_owned((length as u32).div_ceil(1_024).max(1)).await;
        (request.into_body().collect().await, permit)
    };
    match tokio::time::timeout(BODY, read).await.map_err(late)? {
        (Ok(body), Ok(permit)) => Ok((body.to_bytes(), permit)),
        _ => Err(text(StatusCode::BAD_REQUEST, "the body ended early")),
    }
}

fn refuse(error: &ApplyError) -> Response<Full<Bytes>> {
    let status = match error {
        ApplyError::Refused(_) => StatusCode::BAD_REQUEST,
        ApplyError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    text(status, &error.to_string())
}

fn text(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = status;
    response
}
