//! A server with known content.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use collector::aggregate::Aggregator;
use collector::serve::{self, ServeError, State, Token};
use collector::slot::{
    self, Addition, Block, ChannelKey, Counters, Epoch, InterfaceReport, ListenerReport, Octets, Row,
    SequenceUnit, StreamCounts, StreamKey, StreamReport, Tally, TopEntry, TopWindow, Waiting,
};
use collector::telemetry::{Health, Metrics};
use collector::tls::Door;
use crds::config::AggregatorConfig;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Length of a slot.
pub(crate) const SLOT: u64 = 10_000;
const MINUTE: u64 = 60_000;

/// A running server. Dropping it stops it and removes its data.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) health: Health,
    /// Start of the slot in which the first block counted: the start of a minute that is over.
    pub(crate) slot: u64,
    aggregator: Arc<Aggregator>,
    http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<Result<(), ServeError>>>,
    _folder: TempDir,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Server {
    /// On loopback, without a token, with one block applied.
    pub(crate) async fn start() -> Self {
        let server = Self::start_with("127.0.0.1:0", None).await.unwrap();
        server.apply(&server.block(1)).await;
        server
    }

    pub(crate) async fn start_with(address: &str, token: Option<Token>) -> Result<Self, ServeError> {
        let folder = tempfile::tempdir().unwrap();
        let aggregator = Aggregator::open(&config(), folder.path()).unwrap();
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (health, metrics) = (Health::default(), Metrics::default());
        let state = State {
            reader: aggregator.reader(),
            metrics,
            health: health.clone(),
            access: token.into(),
            door: Door::Plain,
        };
        collector::cryptography::provide();
        let (stop, stopped) = oneshot::channel::<()>();
        let mut running = tokio::spawn(serve::run(listener, state, async move {
            let _ = stopped.await;
        }));
        if let Ok(ended) = tokio::time::timeout(Duration::from_millis(50), &mut running).await {
            return Err(ended.unwrap().unwrap_err());
        }
        Ok(Self {
            address,
            health,
            slot: (now() - 2 * MINUTE) / MINUTE * MINUTE,
            aggregator,
            http: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap(),
            stop: Some(stop),
            running: Some(running),
            _folder: folder,
        })
    }

    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::read(self.request(reqwest::Method::GET, path).send().await.unwrap()).await
    }

    /// The problem that a path is answered with: status and detail.
    pub(crate) async fn problem(&self, path: &str) -> (u16, Value) {
        let answer = self.get(path).await;
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}: {}", answer.body);
        let problem = answer.json();
        assert_eq!(problem["status"], answer.status, "{path}");
        (answer.status, problem)
    }

    pub(crate) async fn apply(&self, block: &Block) {
        let ack = self.aggregator.apply(slot::encode(block)).await.unwrap();
        assert_eq!(ack.last, block.number);
    }

    /// Stops accepting and waits for the end.
    pub(crate) async fn stop(&mut self) -> Result<(), ServeError> {
        drop(self.stop.take());
        self.running.take().unwrap().await.unwrap()
    }

    /// Block `number`: in the slot after `number - 1` slots, 30 flows of http (20 of TCP, 10 of UDP) and
    /// nothing for dns, from netflow-global.
    pub(crate) fn block(&self, number: u64) -> Block {
        let start = self.slot + (number - 1) * SLOT;
        let tally = |n: u64| Tally { flows: n, packets: 10 * n, bytes: 1_000 * n };
        let counters = Counters { tcp: tally(20), udp: tally(10), ..Counters::default() };
        let row = |channel| Row { channel, source: 0, counters };
        let key =
            |profile: &str, channel: &str| ChannelKey { profile: profile.into(), channel: channel.into() };
        Block {
            spool: 42,
            number,
            first: number,
            edge: "node-a".into(),
            generation: 1,
            made_ms: start + SLOT,
            slot_ms: u32::try_from(SLOT).unwrap(),
            channels: vec![
                key("default/zone1", "http"),
                key("default/zone1", "dns"),
                key("live", "netflow-global"),
            ],
            sources: vec!["netflow-global".into()],
            additions: vec![Addition {
                slot_start_ms: start,
                covered_ms: u32::try_from(SLOT).unwrap(),
                rows: vec![row(0), row(2)],
            }],
            tops: vec![top(start / MINUTE * MINUTE)],
            streams: vec![stream(start)],
            listeners: vec![listener()],
            ..Block::default()
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.aggregator.close();
    }
}

pub(crate) fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn top(start_ms: u64) -> TopWindow {
    let entry = |key: &str, lower, upper| TopEntry { key: key.into(), lower, upper };
    TopWindow {
        channel: 0,
        element: "srcip".into(),
        order: "bytes".into(),
        start_ms,
        length_ms: 60_000,
        absent: 0,
        total: 30_000,
        entries: vec![entry("192.0.2.1", 20_000, 20_000), entry("192.0.2.2", 10_000, 10_000)],
    }
}

fn stream(seen_ms: u64) -> StreamReport {
    StreamReport {
        key: StreamKey {
            listener: "netflow".into(),
            exporter: IpAddr::from([192, 0, 2, 9]),
            port: 40_000,
            protocol: "netflow9".into(),
            domain: 7,
            agent: None,
        },
        source: "netflow-global".into(),
        unit: SequenceUnit::Packets,
        nonstandard: None,
        first_seen_ms: seen_ms,
        last_seen_ms: seen_ms,
        sampling_rate: Some(100.0),
        rate_unknown: false,
        interfaces: vec![interface(seen_ms)],
        clock_skew_ms: None,
        next_sequence: 13,
        epoch: Epoch { since_ms: seen_ms, first: 0, received: 12, duplicates: 1, missing: 4 },
        waiting: Waiting { records: 5, sets: 1, bytes: 200 },
        counts: StreamCounts {
            datagrams: 12,
            bytes: 12_000,
            records: 30,
            templates: 5,
            template_changes: 2,
            template_conflicts: 1,
            records_received: 37,
            undecodable: vec![("truncated".into(), 2)],
            faults: vec![("truncated".into(), 1)],
            received: 12,
            duplicates: 1,
            missing: 4,
            ..StreamCounts::default()
        },
    }
}

/// One that states half the rate at which it samples.
fn interface(last_seen_ms: u64) -> InterfaceReport {
    let octets = Octets { since_ms: 1, until_ms: 2, counted: [900, 800], sampled: [450, 0] };
    InterfaceReport {
        class: 0,
        index: 3,
        name: Some("swp3".into()),
        speed: Some(10_000_000_000),
        up: Some([true, false]),
        last_seen_ms,
        stated_rate: 512,
        samples: 1000,
        pool: 1_024_000,
        octets: Some(octets),
    }
}

fn listener() -> ListenerReport {
    ListenerReport {
        listener: "netflow".into(),
        datagrams: 13,
        kernel_drops: vec![1, 0, 2],
        rejected: vec![("wrong_protocol".into(), 1)],
        ..ListenerReport::default()
    }
}

fn config() -> AggregatorConfig {
    let channel = |name: &str, filter: &str, color: &str, order: u32| json!({"name": name, "filter": filter, "color": color, "order": order});
    serde_json::from_value(json!({
        "version": crds::config::CONFIG_VERSION,
        "collector": "default/edge",
        "slotMs": SLOT,
        "retention": [
            {"stepMs": SLOT, "keepMs": 172_800_000},
            {"stepMs": 60_000, "keepMs": 1_209_600_000},
            {"stepMs": 300_000, "keepMs": 34_560_000_000_u64},
            {"stepMs": 3_600_000, "keepMs": 94_608_000_000_u64},
            {"stepMs": 86_400_000, "keepMs": 315_360_000_000_u64},
        ],
        "sources": [
            {"name": "netflow-global", "color": "#3B82C4"},
            {"name": "peer1", "prefixes": ["127.0.0.11/32"]},
        ],
        "profiles": [{
            "name": "default/zone1",
            "displayName": "zone1_profile",
            "group": "zones",
            "channels": [
                channel("http", "port 80", "#AEFF20", 1),
                channel("dns", "port 53", "#305FFF", 2),
            ],
            "top": [{"element": "srcip", "orders": ["bytes"], "size": 10}],
        }],
    }))
    .unwrap()
}
