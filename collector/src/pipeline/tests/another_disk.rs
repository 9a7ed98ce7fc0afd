//! An edge's pod comes back on another disk: what its exporters taught is known to the aggregator.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crds::config::{AggregatorConfig, EdgeConfig};
use serde_json::Value;

use super::{Exporter, Spoken, config, profile};
use crate::export::ExportOptions;
use crate::pipeline::{Central, CentralOptions, Edge};
use crate::serve::Access;
use crate::ship::HttpUpstream;
use crate::telemetry::{Health, Metrics};

const PATIENCE: Duration = Duration::from_secs(20);

async fn ask(central: &Central, path: &str) -> Value {
    crate::cryptography::provide();
    let answer = reqwest::get(format!("http://{}/api/v1/{path}", central.api)).await.unwrap();
    answer.json().await.unwrap()
}

async fn counted(central: &Central, since: u64) -> u64 {
    let answer = ask(central, &format!("profiles/live/series?from={since}&step=1000&value=sum")).await;
    let series = answer["series"].as_array().unwrap().iter();
    let values = series.flat_map(|line| line["values"].as_array().unwrap()).filter_map(Value::as_f64);
    values.map(|value| value as u64).sum()
}

/// Waits until so many flows are counted.
async fn counts(central: &Central, since: u64, flows: u64) {
    let begun = Instant::now();
    while counted(central, since).await != flows {
        let exporters = ask(central, "exporters").await;
        assert!(begun.elapsed() < PATIENCE, "not {flows}: {exporters:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn start(central: &Central, fixed: &EdgeConfig, disk: &Path) -> Edge {
    let upstream = HttpUpstream::new(&format!("http://{}", central.ingest.unwrap())).unwrap();
    let options = ExportOptions::default();
    Edge::start_asking(fixed.clone(), disk, "node-a", Arc::new(upstream), options, PATIENCE).await.unwrap()
}

fn fixed() -> EdgeConfig {
    EdgeConfig { slot_ms: 1_000, ..config(profile("all", &[""])) }
}

async fn central(folder: &Path, ingest: SocketAddr) -> Central {
    let fixed = fixed();
    let options = CentralOptions {
        folder: folder.join("store"),
        api: ([127, 0, 0, 1], 0).into(),
        ingest: Some(ingest),
        access: Access::Open,
        metrics: Metrics::default(),
        health: Health::default(),
        tls: None,
    };
    let config = AggregatorConfig {
        version: fixed.version,
        collector: fixed.collector,
        slot_ms: fixed.slot_ms,
        retention: Vec::new(),
        storage_path: None,
        sources: Vec::new(),
        profiles: fixed.profiles,
    };
    Central::start(&config, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_ends_ships_for_as_long_as_it_is_given_and_keeps_the_rest() {
    let data = tempfile::tempdir().unwrap();
    // Nobody listens here until the aggregator does.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ingest = free.local_addr().unwrap();
    drop(free);
    let since = super::unix_ms() - 60_000;
    let start = || {
        let upstream = Arc::new(HttpUpstream::new(&format!("http://{ingest}")).unwrap());
        Edge::start(fixed(), &data.path().join("spool"), "node-a", upstream).unwrap()
    };
    let mut exporter = Exporter::new(Spoken::Netflow5, 3);
    let edge = start();
    exporter.send(edge.listeners().next().unwrap().2.port());
    edge.stop_within(Duration::from_millis(100)).await;
    let edge = start();
    exporter.send(edge.listeners().next().unwrap().2.port());
    let ((), central) = tokio::join!(edge.stop_within(PATIENCE), central(data.path(), ingest));
    assert_eq!(counted(&central, since).await, exporter.sent, "both are there before the edge has ended");
    central.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_on_another_disk_reads_on_without_a_template_and_nothing_counts_twice() {
    let data = tempfile::tempdir().unwrap();
    let fixed = fixed();
    let central = central(data.path(), ([127, 0, 0, 1], 0).into()).await;
    let since = super::unix_ms() - 60_000;
    let mut exporters = [Exporter::new(Spoken::Netflow9, 1), Exporter::new(Spoken::Ipfix, 2)];
    let mut sent = 0;
    for disk in ["first", "second", "third"] {
        let edge = start(&central, &fixed, &data.path().join(disk)).await;
        let port = edge.listeners().next().unwrap().2.port();
        for exporter in &mut exporters {
            // The first datagram of all alone announces templates.
            exporter.send(port);
            exporter.send(port);
        }
        sent += 4 * 5;
        counts(&central, since, sent).await;
        edge.stop_within(PATIENCE).await;
    }
    let exporters = ask(&central, "exporters").await;
    assert_eq!(exporters["edges"].as_array().unwrap().len(), 3, "each disk has a spool of its own");
    for exporter in exporters["exporters"].as_array().unwrap() {
        assert_eq!(exporter["unknownTemplateSets"].as_u64(), Some(0), "{exporter}");
    }
    central.stop().await;
}
