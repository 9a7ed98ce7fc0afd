//! The operator cut off from the API server after its n-th write, and killed, for every n: the next one converges.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpListener;

use crate::fixture::{LIMIT, Place, eventually, snapshot};

/// Runs at once.
const TOGETHER: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_the_operator_is_cut_off_the_next_one_makes_it_whole() {
    let whole = reference().await;
    let (mut cuts, mut next) = (0, 1);
    loop {
        let batch = (next..next + TOGETHER).map(|writes| cut_after(writes, &whole));
        let ended = join_all(batch).await;
        cuts += ended.iter().filter(|&&cut| cut).count();
        if ended.contains(&false) {
            break;
        }
        next += TOGETHER;
    }
    assert!(cuts >= whole.len(), "{cuts} cuts for {} objects", whole.len());
}

async fn give_work(place: &Place) {
    place.create("FlowCollector", "zone1", json!({"exposure": {"type": "NodePort"}})).await;
    place.create("FlowProfile", "web", json!({"channels": [{"name": "web", "filter": "port 443"}]})).await;
}

/// What is there when nobody is cut off.
async fn reference() -> Vec<String> {
    let place = Place::new("whole").await;
    let _operator = place.operator("a");
    give_work(&place).await;
    place.made("zone1").await;
    place.condition("FlowProfile", "web", "Accepted", "True").await;
    names(&place).await
}

/// Says whether the operator wrote so much that it was cut off.
async fn cut_after(writes: usize, whole: &[String]) -> bool {
    let place = Place::new(&format!("cut{writes}")).await;
    give_work(&place).await;
    let proxy = Proxy::start(place.client.clone(), writes).await;
    let operator = place.operator_at("a", &proxy.kubeconfig(&place));
    let cut = eventually("the cut, or all is made", LIMIT, async || {
        if proxy.is_cut() {
            return Ok(true);
        }
        let object = place.profiles().get("web").await.map_err(|error| error.to_string())?;
        let accepted = crate::fixture::conditions(&object)
            .iter()
            .any(|one| one["type"] == "Accepted" && one["status"] == "True");
        let done = accepted && names(&place).await == whole && told(&place).await;
        done.then_some(false).ok_or_else(|| format!("{} writes", proxy.written()))
    })
    .await;
    operator.signal(Signal::KILL);
    drop(operator);
    let _next = place.operator("b");
    eventually(&format!("everything, though cut off after {writes} writes"), LIMIT, async || {
        let now = names(&place).await;
        (now == whole).then_some(()).ok_or_else(|| format!("{now:?}"))
    })
    .await;
    place.made("zone1").await;
    place.condition("FlowProfile", "web", "Accepted", "True").await;
    cut
}

/// Whether the collector has its status.
async fn told(place: &Place) -> bool {
    let object = place.collectors().get("zone1").await;
    object.is_ok_and(|object| {
        object.data["status"]["observedGeneration"].as_i64() == object.metadata.generation
    })
}

/// What is there; revisions have the UIDs of their objects in their names.
async fn names(place: &Place) -> Vec<String> {
    let mut names: Vec<String> = snapshot(place)
        .await
        .into_iter()
        .map(|(name, _)| match name.split_once(' ') {
            Some((kind @ ("ControllerRevision" | "ClusterRoleBinding"), _)) => kind.to_owned(),
            _ => name,
        })
        .collect();
    names.sort();
    names
}

/// Stands before the API server and falls silent after some writes.
struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    client: Client,
    writes: AtomicUsize,
    allowed: usize,
}

impl Proxy {
    async fn start(client: Client, allowed: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State { client, writes: AtomicUsize::new(0), allowed });
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

    fn kubeconfig(&self, place: &Place) -> String {
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

    fn written(&self) -> usize {
        self.state.writes.load(Ordering::SeqCst)
    }

    fn is_cut(&self) -> bool {
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
    if state.writes.load(Ordering::SeqCst) > state.allowed {
        return Err(CutOff);
    }
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| CutOff)?.to_bytes();
    state.client.send(Request::from_parts(head, Body::from(body.to_vec()))).await.map_err(|_| CutOff)
}
