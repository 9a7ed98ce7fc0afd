//! Between an operator and the API server: falls silent after some writes, throttles, or is away.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use serde_json::json;
use tokio::net::TcpListener;

use crate::fixture::Place;

/// How the API server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It answers.
    Well = 0,
    /// It answers each request that writes with 429.
    Throttles = 1,
    /// It breaks every connection.
    Away = 2,
}

/// Stands before the API server.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    client: Client,
    writes: AtomicUsize,
    allowed: usize,
    mood: AtomicU8,
    refused: AtomicUsize,
}

impl Proxy {
    /// Forwards so many writes and then nothing more.
    pub(crate) async fn start(client: Client, allowed: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            client,
            writes: AtomicUsize::new(0),
            allowed,
            mood: AtomicU8::new(0),
            refused: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let service = service_fn(move |request| forward(Arc::clone(&state), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, state }
    }

    pub(crate) fn kubeconfig(&self, place: &Place) -> String {
        let path = place.folder().join("proxy.kubeconfig");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        });
        std::fs::write(&path, config.to_string()).expect("the test's folder is writable");
        path.display().to_string()
    }

    /// Behaves otherwise from now on.
    pub(crate) fn set(&self, mood: Mood) {
        self.state.refused.store(0, Ordering::SeqCst);
        self.state.mood.store(mood as u8, Ordering::SeqCst);
    }

    /// How many requests were refused in this mood.
    pub(crate) fn refused(&self) -> usize {
        self.state.refused.load(Ordering::SeqCst)
    }

    pub(crate) fn written(&self) -> usize {
        self.state.writes.load(Ordering::SeqCst)
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.written() > self.state.allowed
    }
}

/// The connection breaks.
#[derive(Debug)]
struct CutOff;

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut off")
    }
}

impl std::error::Error for CutOff {}

async fn forward(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Body>, CutOff> {
    let path = request.uri().path();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let aside = ["/leases", "/events", "reviews"].iter().any(|part| path.contains(part));
    if !reads && !aside {
        state.writes.fetch_add(1, Ordering::SeqCst);
    }
    let mood = state.mood.load(Ordering::SeqCst);
    if state.writes.load(Ordering::SeqCst) > state.allowed || mood == Mood::Away as u8 {
        state.refused.fetch_add(1, Ordering::SeqCst);
        return Err(CutOff);
    }
    if mood == Mood::Throttles as u8 && !reads {
        state.refused.fetch_add(1, Ordering::SeqCst);
        return Ok(too_many());
    }
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| CutOff)?.to_bytes();
    state.client.send(Request::from_parts(head, Body::from(body.to_vec()))).await.map_err(|_| CutOff)
}

/// As the API server's priority and fairness answers.
fn too_many() -> Response<Body> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 429, "reason": "TooManyRequests",
        "message": "too many requests, please try again later",
    });
    let mut response = Response::new(Body::from(status.to_string().into_bytes()));
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response.headers_mut().insert("retry-after", 1.into());
    response
}
