//! From datagrams to the API's coverage: an edge and an aggregator, of which one exporter of two falls silent.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use crds::config::{AggregatorConfig, EdgeConfig};
use serde_json::Value;

use super::{Exporter, config, services};
use crate::pipeline::{Central, CentralOptions, Edge};
use crate::serve::Access;
use crate::telemetry::{Health, Metrics};

const SLOT: u64 = 1_000;
const DAY: u64 = 86_400_000;

async fn ask(central: &Central, from: u64, step: u64) -> Value {
    let (from, to) = (from - from % step, super::unix_ms());
    let path = format!("api/v1/profiles/live/series?from={from}&to={to}&step={step}");
    crate::cryptography::provide();
    let answer = reqwest::get(format!("http://{}/{path}", central.api)).await.unwrap();
    let text = answer.text().await.unwrap();
    serde_json::from_str(&text).unwrap()
}

fn numbers(coverage: &Value, name: &str) -> Vec<u64> {
    coverage["coverage"][name].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
}

async fn start(folder: &Path) -> (Central, Edge) {
    let edge_config = EdgeConfig { slot_ms: SLOT as u32, ..config(services()) };
    let central_config = AggregatorConfig {
        version: edge_config.version.clone(),
        collector: edge_config.collector.clone(),
        slot_ms: SLOT as u32,
        retention: Vec::new(),
        storage_path: None,
        sources: Vec::new(),
        profiles: edge_config.profiles.clone(),
    };
    let options = CentralOptions {
        folder: folder.join("store"),
        api: ([127, 0, 0, 1], 0).into(),
        ingest: None,
        access: Access::Open,
        metrics: Metrics::default(),
        health: Health::default(),
        tls: None,
    };
    let central = Central::start(&central_config, options).await.unwrap();
    let edge = Edge::start(edge_config, &folder.join("spool"), "edge", central.upstream()).unwrap();
    (central, edge)
}

/// (slot start, expected, present) of each slot since `begin`.
async fn slots(central: &Central, begin: u64) -> Vec<(u64, u64, u64)> {
    let told = ask(central, begin, SLOT).await;
    let both = numbers(&told, "expected").into_iter().zip(numbers(&told, "present"));
    let first = begin - begin % SLOT;
    both.zip(0..).map(|((expected, present), at)| (first + at * SLOT, expected, present)).collect()
}

/// Two exporters of NetFlow v9, whose sequence counts datagrams: of the first one's every fourth gets lost.
struct Senders {
    exporters: [Exporter; 2],
    port: u16,
    /// Datagrams of the first one, lost ones among them.
    made: u32,
    lost: u32,
    /// Slots in which datagrams were sent, not close to their ends, by exporter.
    sent: [BTreeSet<u64>; 2],
}

impl Senders {
    fn send(&mut self, which: usize) {
        self.made += u32::from(which == 0);
        if which == 0 && self.made % 4 == 2 {
            self.lost += 1;
            self.exporters[which].datagram(5);
            return;
        }
        self.exporters[which].send(self.port);
        let now = super::unix_ms();
        if (200..800).contains(&(now % SLOT)) {
            self.sent[which].insert(now - now % SLOT);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_exporter_and_what_did_not_arrive_are_told_slot_by_slot() {
    let folder = tempfile::tempdir().unwrap();
    let (central, edge) = start(folder.path()).await;
    let exporters = [1, 2].map(|number| Exporter::new(super::SPOKEN[1], number));
    let port = edge.listeners().next().unwrap().2.port();
    let mut senders = Senders { exporters, port, made: 0, lost: 0, sent: Default::default() };

    let (begin, started) = (super::unix_ms(), Instant::now());
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    while started.elapsed() < Duration::from_secs(5) {
        tick.tick().await;
        senders.send(0);
        senders.send(1);
    }
    let silent = super::unix_ms() + SLOT;
    let missed =
        |(start, expected, present): &(u64, u64, u64)| *start > silent && (*expected, *present) == (2, 1);
    while !slots(&central, begin).await.iter().any(missed) {
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", slots(&central, begin).await);
        tick.tick().await;
        senders.send(0);
    }
    // What is lost after the last one cannot be known.
    senders.made += u32::from(senders.made % 4 == 1);
    senders.send(0);
    edge.stop().await;

    for (start, expected, present) in slots(&central, begin).await {
        let sent = senders.sent.iter().filter(|sent| sent.contains(&start)).count() as u64;
        assert!(
            present >= sent && present <= expected && expected <= 2,
            "{start}: {expected} {present} {sent}"
        );
        assert!(start <= silent || present <= 1, "{start}: {present} were heard, and one is silent");
    }
    let day = ask(&central, begin, DAY).await;
    let (lost, arrived) = (f64::from(senders.lost), super::sent(&senders.exporters) as f64 / 5.0);
    let missing = day["coverage"]["missing"][0].as_f64().unwrap();
    assert!((missing - lost / (lost + arrived)).abs() < 1e-12, "{missing}: {lost} lost, {arrived} arrived");
    central.stop().await;
}
