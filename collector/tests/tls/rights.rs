//! Who gets what at the ingest port, by certificate.

use std::sync::Arc;
use std::time::Duration;

use collector::aggregate::Aggregator;
use collector::aggregate::ingest::{self, Options};
use collector::ship::{HttpUpstream, SendError, Upstream};
use collector::slot::{Block, Provisional, encode, encode_provisional};
use collector::telemetry::{Health, Metrics};
use collector::tls::{Credentials, Door, Expected, Issued};
use crds::config::{AggregatorConfig, CONFIG_VERSION};
use crds::fleet::{EdgeReport, FLEET_PATH, FleetEvent};
use crds::identity::Identity;
use tokio::net::TcpListener;

use crate::operator::{COLLECTOR, Operator};

const HOUR: Duration = Duration::from_secs(3_600);

struct Central {
    url: String,
    aggregator: Arc<Aggregator>,
    metrics: Metrics,
    _folder: tempfile::TempDir,
}

async fn central(operator: &Operator, connection_age: Duration) -> Central {
    let folder = tempfile::tempdir().unwrap();
    let config = AggregatorConfig {
        version: CONFIG_VERSION.into(),
        collector: COLLECTOR.into(),
        slot_ms: 10_000,
        retention: vec![],
        storage_path: None,
        sources: vec![],
        profiles: vec![],
    };
    let aggregator = Aggregator::open(&config, folder.path()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let metrics = Metrics::default();
    let door = Door::Ingest(operator.aggregator().await);
    let options = Options { door, connection_age, metrics: metrics.clone() };
    tokio::spawn(ingest::run(listener, Arc::clone(&aggregator), options, std::future::pending()));
    Central { url, aggregator, metrics, _folder: folder }
}

fn block(edge: &str, spool: u128, number: u64) -> Vec<u8> {
    let block =
        Block { spool, number, first: number, edge: edge.into(), slot_ms: 10_000, ..Block::default() };
    encode(&block)
}

fn forbidden(answer: Result<impl std::fmt::Debug, SendError>) -> String {
    match answer {
        Err(SendError::Refused(why)) if why.starts_with("403") => why,
        other => panic!("not forbidden: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_delivers_for_its_own_node_and_collector_alone() {
    let operator = Operator::start(HOUR).await;
    let central = central(&operator, HOUR).await;
    let own = HttpUpstream::secured(&central.url, operator.edge(COLLECTOR, "node-a").await).unwrap();
    assert_eq!(own.send(vec![block("node-a", 7, 1)]).await.unwrap().last, 1);
    let report = |node: &str| EdgeReport { node: node.into(), ..EdgeReport::default() };
    own.report(&report("node-a")).await.unwrap();
    assert_eq!(central.aggregator.fleet().view().edges[0].report.running.pod, "pod-e");
    let why = forbidden(own.send(vec![block("node-b", 8, 1)]).await);
    assert!(why.contains("of node-a") && why.contains("of node-b"), "{why}");
    forbidden(own.report(&report("node-b")).await);
    let neighbour = HttpUpstream::secured(&central.url, operator.edge(COLLECTOR, "node-b").await).unwrap();
    forbidden(neighbour.send(vec![block("node-b", 7, 2)]).await);
    let value = Provisional { spool: 7, after: 1, slot_ms: 10_000, ..Provisional::default() };
    forbidden(neighbour.provisional(encode_provisional(&value)).await);
    let foreign = HttpUpstream::secured(&central.url, operator.edge("net/zone2", "node-a").await).unwrap();
    let why = forbidden(foreign.send(vec![block("node-a", 9, 1)]).await);
    assert!(why.contains("the aggregator of net/zone1"), "{why}");
    let counted = central.metrics.values().render().unwrap();
    for line in [
        "weir_ingest_refused_total{reason=\"other_node\"} 4",
        "weir_ingest_refused_total{reason=\"other_collector\"} 1",
    ] {
        assert!(counted.lines().any(|found| found == line), "{line} is missing from\n{counted}");
    }
    assert_eq!(central.aggregator.reader().edges().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_certificate_of_the_trusted_root_nobody_gets_anything() {
    let (operator, stranger) = (Operator::start(HOUR).await, Operator::start(HOUR).await);
    let central = central(&operator, HOUR).await;
    let other_root = stranger.edge(COLLECTOR, "node-a").await;
    let upstream = HttpUpstream::secured(&central.url, other_root).unwrap();
    assert!(matches!(upstream.send(vec![block("node-a", 7, 1)]).await, Err(SendError::Unreachable(_))));
    let root = reqwest::Certificate::from_pem(operator.root().as_bytes()).unwrap();
    let bare = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
    bare.get(format!("{}{FLEET_PATH}", central.url)).send().await.unwrap_err();
    assert!(central.aggregator.reader().edges().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_alone_hears_the_fleet_and_comes_back_when_the_connection_is_old() {
    let operator = Operator::start(HOUR).await;
    let central = central(&operator, Duration::from_secs(2)).await;
    let client = |identity: &Identity| {
        let (chain, key) = operator.certificate(identity);
        let issued = Issued { chain, key, root: String::new() };
        let credentials = Credentials::new(&issued, &operator.root()).unwrap();
        reqwest::Client::builder().tls_backend_preconfigured(credentials.client()).build().unwrap()
    };
    let url = format!("{}{FLEET_PATH}", central.url);
    let edge = Identity::Edge { collector: COLLECTOR.into(), node: "node-a".into(), pod: "p".into() };
    assert_eq!(client(&edge).get(&url).send().await.unwrap().status().as_u16(), 403);
    let own = client(&Identity::Operator);
    for _ in 0..2 {
        let told = own.get(&url).send().await.unwrap().text();
        let told = tokio::time::timeout(Duration::from_secs(20), told).await.expect("it ends").unwrap();
        let first: FleetEvent = serde_json::from_str(told.lines().next().unwrap()).unwrap();
        assert!(matches!(first, FleetEvent::Fleet { .. }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_somebody_else_is_not_taken_and_health_says_why() {
    let operator = Operator::start(HOUR).await;
    let identity = Identity::Edge { collector: COLLECTOR.into(), node: "node-a".into(), pod: "pod-e".into() };
    let expected = Expected::Edge { collector: COLLECTOR.into(), node: "node-b".into() };
    let health = Health::default();
    let current = operator.enrollment(&identity, expected).follow(health.clone());
    let said = async {
        loop {
            let report = health.report();
            if let Some(check) = report.checks.iter().find(|check| !check.reason.is_empty()) {
                return check.reason.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let why = tokio::time::timeout(Duration::from_secs(20), said).await.expect("health says why");
    assert!(why.contains("edge/node-a/pod-e") && why.contains("on node-b"), "{why}");
    assert!(current.borrow().is_none());
}
