//! A place between an edge and its aggregator that keeps a copy of every block, and loses answers.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use collector::slot::{self, Block};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::namespace::Namespace;

/// Every so many answers one is lost after the aggregator gave it: the edge must send again, and nothing may
/// count twice.
const LOSE_EVERY: usize = 4;

/// A running tap. Dropping it ends it.
#[derive(Debug)]
pub struct Tap {
    seen: Arc<Mutex<Seen>>,
    _runtime: Runtime,
}

#[derive(Debug, Default)]
struct Seen {
    blocks: BTreeMap<u64, Vec<u8>>,
    /// Numbers that came with two contents.
    changed: Vec<u64>,
    answers: usize,
}

impl Tap {
    /// Listens in the namespace and passes on to the aggregator.
    ///
    /// # Panics
    /// When the port is taken.
    #[must_use]
    pub fn start(namespace: &Namespace, listen: SocketAddr, aggregator: SocketAddr) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        // Threads live where their maker lives: all of the runtime's are in the namespace.
        let runtime = namespace.run(|| {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            let runtime = builder.worker_threads(1).enable_all().build().expect("a runtime starts");
            let listener = runtime.block_on(TcpListener::bind(listen)).expect("the tap's port is free");
            runtime.spawn(accept(listener, aggregator, shared));
            runtime
        });
        Self { seen, _runtime: runtime }
    }

    /// Every block that the edge sent, by number.
    ///
    /// # Panics
    /// When a number was sent with two contents, or bytes are no block.
    #[must_use]
    pub fn blocks(&self) -> BTreeMap<u64, Block> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(seen.changed.is_empty(), "blocks {:?} were sent with two contents", seen.changed);
        let decoded = |bytes: &Vec<u8>| slot::decode(bytes).expect("the edge sends blocks");
        seen.blocks.iter().map(|(number, bytes)| (*number, decoded(bytes))).collect()
    }
}

async fn accept(listener: TcpListener, aggregator: SocketAddr, seen: Arc<Mutex<Seen>>) {
    collector::cryptography::provide();
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().expect("a client");
    while let Ok((stream, _)) = listener.accept().await {
        let (client, seen) = (client.clone(), Arc::clone(&seen));
        let service = hyper::service::service_fn(move |request| {
            let (client, seen) = (client.clone(), Arc::clone(&seen));
            async move { Ok::<_, Infallible>(pass_on(request, &client, aggregator, &seen).await) }
        });
        tokio::spawn(async move {
            // A killed edge ends its connection in the middle.
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn pass_on(
    request: Request<Incoming>,
    client: &reqwest::Client,
    aggregator: SocketAddr,
    seen: &Mutex<Seen>,
) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let Ok(body) = request.into_body().collect().await else { return answer(502, Bytes::new()) };
    let body = body.to_bytes();
    let blocks = path == "/v1/blocks";
    if blocks {
        keep(&body, seen);
    }
    let sent = client.post(format!("http://{aggregator}{path}")).body(body).send().await;
    let Ok(sent) = sent else { return answer(502, Bytes::from_static(b"the aggregator is not there")) };
    let status = sent.status().as_u16();
    let Ok(text) = sent.bytes().await else { return answer(502, Bytes::new()) };
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.answers += usize::from(blocks);
    if blocks && seen.answers.is_multiple_of(LOSE_EVERY) {
        return answer(504, Bytes::from_static(b"the answer was lost on purpose"));
    }
    answer(status, text)
}

/// Keeps the blocks of a body, each after its length.
fn keep(mut body: &[u8], seen: &Mutex<Seen>) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some((length, rest)) = body.split_first_chunk::<4>() {
        let (block, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        let number = slot::decode(block).expect("the edge sends blocks").number;
        if seen.blocks.insert(number, block.to_vec()).is_some_and(|before| before != block) {
            seen.changed.push(number);
        }
        body = rest;
    }
}

fn answer(status: u16, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response
}
