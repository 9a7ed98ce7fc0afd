//! Certificates of seconds, and roots that are replaced, while flows come: nothing is lost.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use collector::pipeline::{Central, CentralOptions, Edge};
use collector::serve::Access;
use collector::ship::HttpUpstream;
use collector::telemetry::{Health, Metrics};
use crds::config::{
    AggregatorConfig, CONFIG_VERSION, EdgeConfig, ListenerConfig, Protocol, ReceiveConfig, Transport,
};
use flow_generator::arguments::{Limit, Plan, Protocol as Spoken, Traffic, Transport as Over};
use flow_generator::encode::{Encoder, Identity as Speaker, encoder};
use flow_generator::traffic::Model;
use serde_json::Value;

use crate::operator::{Authority, COLLECTOR, Operator};

const SLOT_MS: u32 = 1_000;
const PATIENCE: Duration = Duration::from_secs(60);

fn edge_config() -> EdgeConfig {
    EdgeConfig {
        version: CONFIG_VERSION.into(),
        collector: COLLECTOR.into(),
        slot_ms: SLOT_MS,
        receive: ReceiveConfig { buffer: 4 << 20, ..ReceiveConfig::default() },
        listeners: vec![ListenerConfig {
            name: "any".into(),
            protocol: Protocol::Auto,
            transport: Transport::Udp,
            port: 0,
        }],
        sources: vec![],
        profiles: vec![],
        targets: vec![],
    }
}

struct Exporter {
    socket: UdpSocket,
    encoder: Box<dyn Encoder + Send>,
    model: Model,
    port: u16,
    sent: u64,
}

impl Exporter {
    fn new(port: u16) -> Self {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let plan = Plan {
            target: (address, port).into(),
            protocol: Spoken::Ipfix,
            transport: Over::Udp,
            rate: 1,
            limit: Limit::Never,
            exporters: vec![address],
            traffic: Traffic::Uniform,
            seed: 1,
            active_timeout_ms: 8_000,
        };
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let speaker = Speaker { address, domain: 1, start_ms: since.as_millis() as u64 };
        let socket = UdpSocket::bind((address, 0)).unwrap();
        Self { socket, encoder: encoder(Spoken::Ipfix, speaker), model: Model::new(&plan), port, sent: 0 }
    }

    fn send(&mut self) {
        let flows: Vec<_> = (0..10).map(|_| self.model.next_flow()).collect();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
        let datagram = self.encoder.datagram(&flows, now);
        self.socket.send_to(&datagram, ("127.0.0.1", self.port)).unwrap();
        self.sent += 10;
    }
}

struct Rig {
    operator: Arc<Operator>,
    central: Central,
    edge: Edge,
    exporter: Exporter,
    began: u64,
    _data: tempfile::TempDir,
}

impl Rig {
    async fn start(lifetime: Duration) -> Self {
        let operator = Operator::start(lifetime).await;
        let data = tempfile::tempdir().unwrap();
        let config = AggregatorConfig {
            version: CONFIG_VERSION.into(),
            collector: COLLECTOR.into(),
            slot_ms: SLOT_MS,
            retention: vec![],
            storage_path: None,
            sources: vec![],
            profiles: vec![],
        };
        let options = CentralOptions {
            folder: data.path().join("store"),
            api: ([127, 0, 0, 1], 0).into(),
            ingest: Some(([127, 0, 0, 1], 0).into()),
            access: Access::Open,
            metrics: Metrics::default(),
            health: Health::default(),
            tls: Some(operator.aggregator().await),
        };
        let central = Central::start(&config, options).await.unwrap();
        let url = format!("https://localhost:{}", central.ingest.unwrap().port());
        let current = operator.edge(COLLECTOR, "node-a").await;
        let upstream = Arc::new(HttpUpstream::secured(&url, current.clone()).unwrap());
        let edge = Edge::start(edge_config(), &data.path().join("spool"), "node-a", upstream).unwrap();
        edge.follow(current);
        let exporter = Exporter::new(edge.listeners().next().unwrap().2.port());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
        Self { operator, central, edge, exporter, began: now - 60_000, _data: data }
    }

    /// What the API says, over TLS, as one who trusts the root that signs now.
    async fn ask(&self, path: &str) -> Option<Value> {
        let root = reqwest::Certificate::from_pem(self.operator.root().as_bytes()).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
        let url = format!("https://localhost:{}/api/v1/{path}", self.central.api.port());
        client.get(url).send().await.ok()?.json().await.ok()
    }

    async fn counted(&self) -> u64 {
        let path = format!("profiles/live/series?from={}&step=1000&value=sum", self.began);
        let Some(answer) = self.ask(&path).await else { return 0 };
        let series = answer["series"].as_array().unwrap().iter();
        let values = series.flat_map(|line| line["values"].as_array().unwrap()).filter_map(Value::as_f64);
        values.map(|value| value as u64).sum()
    }

    /// Sends until something holds.
    async fn until(&mut self, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self).await {
            assert!(begun.elapsed() < PATIENCE, "never: {what}; {:?}", self.edge.status());
            for _ in 0..5 {
                self.exporter.send();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    async fn everything_counts(self) {
        let begun = Instant::now();
        loop {
            let counted = self.counted().await;
            if counted == self.exporter.sent {
                break;
            }
            assert!(counted < self.exporter.sent, "counted twice");
            let status = self.edge.status();
            assert!(begun.elapsed() < PATIENCE, "{counted} of {}; {status:?}", self.exporter.sent);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(self.edge.status().dropped, 0);
        self.edge.stop().await;
        self.central.stop().await;
    }

    /// What the fleet says that edge and aggregator trust and show.
    async fn running(&self) -> Vec<(String, String)> {
        let Some(fleet) = self.ask("fleet").await else { return Vec::new() };
        let edges = fleet["edges"].as_array().unwrap().iter().map(|edge| &edge["running"]);
        let all = edges.chain([&fleet["aggregator"]]);
        all.map(|of| (of["bundle"].as_str().unwrap().into(), of["root"].as_str().unwrap().into())).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_seconds_are_renewed_under_traffic_and_no_flow_is_lost() {
    let mut rig = Rig::start(Duration::from_secs(6)).await;
    let begun = Instant::now();
    rig.until("three lifetimes", async |rig: &Rig| {
        begun.elapsed() > Duration::from_secs(18) && rig.operator.issued.load(Ordering::SeqCst) >= 12
    })
    .await;
    rig.everything_counts().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_root_is_replaced_by_way_of_both_without_a_gap() {
    let mut rig = Rig::start(Duration::from_secs(9)).await;
    let old = rig.operator.root();
    let next = Authority::new();
    let new = next.pem.clone();
    let both = rig.operator.publish(&[&old, &new]);
    let trusted = async |rig: &Rig, bundle: &str| {
        let running = rig.running().await;
        running.len() == 2 && running.iter().all(|(of, _)| of == bundle)
    };
    rig.until("both roots are trusted", async |rig: &Rig| trusted(rig, &both).await).await;
    rig.operator.sign_with(next);
    let root = crds::enroll::hash(&new);
    rig.until("all certificates are of the new root", async |rig: &Rig| {
        let running = rig.running().await;
        running.len() == 2 && running.iter().all(|(_, of)| *of == root)
    })
    .await;
    let alone = rig.operator.publish(&[&new]);
    rig.until("the new root alone is trusted", async |rig: &Rig| trusted(rig, &alone).await).await;
    rig.everything_counts().await;
}
