//! The server around the routes: connections, limits, access, methods, headers, and the end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use warp::Reply;
use warp::http::header::{ALLOW, CACHE_CONTROL, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use warp::http::{HeaderValue, Method, Request, StatusCode};
use warp::reply::Response;

use super::access::{self, Access, Refusal};
use super::problem::Problem;
use crate::telemetry::{Metric, Metrics};
use crate::tls::{Door, Duplex};

/// What one server does at once, and how long it waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at once; further ones wait in the kernel's queue.
    connections: usize,
    /// Requests at once that were not answered yet; further ones are told to come again.
    requests: usize,
    /// A request's head has to be there by then; so long may a connection idle.
    head_within: Duration,
    /// A request is answered by then, with its answer or with a problem.
    answer_within: Duration,
    /// A client that takes nothing of its answer for so long is let go.
    read_within: Duration,
    /// What is open when the server stops is given this time.
    drain_within: Duration,
}

impl Limits {
    pub(super) const USUAL: Self = Self {
        connections: 256,
        requests: 64,
        head_within: Duration::from_secs(15),
        answer_within: Duration::from_secs(20),
        read_within: Duration::from_secs(60),
        drain_within: Duration::from_secs(5),
    };
}

/// A request's head is no longer.
const HEAD_BYTES: usize = 64 << 10;

/// The path that takes POST.
pub(super) const POSTED: &str = "/api/v1/filters/check";

/// What stands between a connection and the routes.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    access: Access,
    door: Door,
    metrics: Metrics,
    limits: Limits,
    requests: Arc<Semaphore>,
}

impl Gate {
    pub(super) fn new(access: Access, door: Door, metrics: Metrics, limits: Limits) -> Self {
        Self { access, door, metrics, limits, requests: Arc::new(Semaphore::new(limits.requests)) }
    }
}

/// Accepts and answers until `shutdown`; open requests may then end, and are cut off when they take too long.
pub(super) async fn accept<S>(
    listener: TcpListener,
    gate: Gate,
    routes: S,
    shutdown: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let connections = Arc::new(Semaphore::new(gate.limits.connections));
    let graceful = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let (accepted, permit) = tokio::select! {
            () = &mut shutdown => break,
            next = next(&listener, &connections) => next,
        };
        while tasks.try_join_next().is_some() {}
        match accepted.and_then(|stream| tune(stream, gate.limits.read_within)) {
            Ok((stream, local)) => {
                let served = serve(stream, local, gate.clone(), routes.clone(), graceful.watcher());
                tasks.spawn(until_its_end(served, permit));
            }
            // Out of descriptors, or gone already: the next one may do better.
            Err(e) => {
                tracing::debug!(error = %e, "connection not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(gate.limits.drain_within, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            open = tasks.len(),
            "requests are cut off: they took longer than the time for a drain"
        );
    }
    tasks.shutdown().await;
}

type Permit = Result<OwnedSemaphorePermit, AcquireError>;

async fn next(listener: &TcpListener, connections: &Arc<Semaphore>) -> (std::io::Result<TcpStream>, Permit) {
    let permit = Arc::clone(connections).acquire_owned().await;
    (listener.accept().await.map(|(stream, _)| stream), permit)
}

/// Small events leave at once, and a peer that takes nothing is noticed (tcp(7): TCP_USER_TIMEOUT).
fn tune(stream: TcpStream, read_within: Duration) -> std::io::Result<(TcpStream, SocketAddr)> {
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_user_timeout(Some(read_within))?;
    let local = stream.local_addr()?;
    Ok((stream, local))
}

async fn until_its_end(served: impl Future<Output = ()>, _permit: Permit) {
    served.await;
}

async fn serve<S>(stream: TcpStream, local: SocketAddr, gate: Gate, routes: S, watcher: Watcher)
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    match gate.door.open(stream).await {
        Ok((stream, _)) => {
            if let Err(e) = watcher.watch(connection(stream, local, gate, routes)).await {
                tracing::debug!(error = %e, "connection ended early");
            }
        }
        Err(e) => {
            gate.metrics.lock().add(Metric::RequestsRefused, &["handshake"], 1);
            tracing::debug!(error = %e, "a handshake failed");
        }
    }
}

fn connection<S>(
    stream: Box<dyn Duplex>,
    local: SocketAddr,
    gate: Gate,
    routes: S,
) -> http1::Connection<
    TokioIo<Box<dyn Duplex>>,
    impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>,
>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let head_within = gate.limits.head_within;
    let answer = move |request| answer(gate.clone(), local, routes.clone(), request);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_within)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), hyper::service::service_fn(answer))
}

async fn answer<S>(
    gate: Gate,
    local: SocketAddr,
    routes: S,
    mut request: Request<Incoming>,
) -> Result<Response, Infallible>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible>,
{
    let begun = Instant::now();
    let route = route(request.uri().path());
    let mut response = match admit(&gate, local, &mut request).await {
        Ok(Some(settled)) => settled,
        Ok(None) => within_limits(&gate, routes, request).await,
        Err(Refusal { reason, problem }) => {
            gate.metrics.lock().add(Metric::RequestsRefused, &[reason], 1);
            problem.into_response()
        }
    };
    secure(&mut response);
    let mut values = gate.metrics.lock();
    values.add(Metric::Requests, &[route, class(response.status())], 1);
    values.observe(Metric::RequestSeconds, &[route], begun.elapsed().as_secs_f64());
    Ok(response)
}

/// Access and methods: a refusal with its reason, an answer that needs no route, or nothing to object.
async fn admit(
    gate: &Gate,
    local: SocketAddr,
    request: &mut Request<Incoming>,
) -> Result<Option<Response>, Refusal> {
    let viewer = access::check(&gate.access, local, request.uri(), request.headers()).await?;
    if let Some(viewer) = viewer {
        request.extensions_mut().insert(viewer);
    }
    let allowed = if request.uri().path() == POSTED { "POST, OPTIONS" } else { "GET, HEAD, OPTIONS" };
    let fits = match *request.method() {
        Method::GET | Method::HEAD => request.uri().path() != POSTED,
        Method::POST => request.uri().path() == POSTED,
        Method::OPTIONS => return Ok(Some(with_allow(StatusCode::NO_CONTENT.into_response(), allowed))),
        _ => false,
    };
    Ok((!fits).then(|| with_allow(Problem::method(allowed).into_response(), allowed)))
}

fn with_allow(mut response: Response, allowed: &'static str) -> Response {
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

async fn within_limits<S>(gate: &Gate, routes: S, mut request: Request<Incoming>) -> Response
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible>,
{
    let Ok(_permit) = gate.requests.try_acquire() else {
        gate.metrics.lock().add(Metric::RequestsRefused, &["busy"], 1);
        return Problem::busy("too many requests at once; ask again in a second").into_response();
    };
    // The routes know GET; hyper leaves the body of an answer to HEAD out.
    if request.method() == Method::HEAD {
        *request.method_mut() = Method::GET;
    }
    match tokio::time::timeout(gate.limits.answer_within, routes.call(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => {
            gate.metrics.lock().add(Metric::RequestsRefused, &["timeout"], 1);
            Problem::busy("the answer took too long; ask for less, or again later").into_response()
        }
    }
}

/// Headers for answers that do not set their own.
fn secure(response: &mut Response) {
    let defaults = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("content-security-policy"), "default-src 'none'; frame-ancestors 'none'"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in defaults {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// A path as one of a few labels: whatever clients ask for, the metrics stay bounded.
fn route(path: &str) -> &'static str {
    let Some(below) = path.strip_prefix("/api/v1/") else {
        return match path {
            "/metrics" => "/metrics",
            "/openapi.json" => "/openapi.json",
            "/healthz" => "/healthz",
            "/readyz" => "/readyz",
            "/" | "/favicon.svg" => "page",
            _ if path.starts_with("/assets/") => "page",
            _ => "other",
        };
    };
    match below.split('/').collect::<Vec<_>>().as_slice() {
        ["profiles"] => "/api/v1/profiles",
        ["exporters"] => "/api/v1/exporters",
        ["fleet"] => "/api/v1/fleet",
        ["live"] => "/api/v1/live",
        ["filters", "check"] => POSTED,
        ["profiles", "live", "series"] | ["profiles", _, _, "series"] => "/api/v1/profiles/{profile}/series",
        ["profiles", "live", "top"] | ["profiles", _, _, "top"] => "/api/v1/profiles/{profile}/top",
        ["profiles", "live"] | ["profiles", _, _] => "/api/v1/profiles/{profile}",
        _ => "other",
    }
}

#[cfg(test)]
mod tests;
