//! From a changed profile to the stream that says that it is in force: an edge and an aggregator over real sockets.

use std::path::Path;
use std::time::{Duration, Instant};

use crds::config::hot::{Hot, HotProfile, join, profile_hash, split};
use crds::config::{AggregatorConfig, EdgeConfig, ProfileConfig};
use crds::fleet::{EdgeReport, FLEET_PATH, FleetEvent};

use super::{Exporter, Spoken, config, profile};
use crate::hot::{Fitting, Sources};
use crate::pipeline::{Central, CentralOptions, Edge, Wanted, check};
use crate::serve::Access;
use crate::ship::HttpUpstream;
use crate::telemetry::{Health, Metrics};

const PATIENCE: Duration = Duration::from_secs(20);

fn hot(generation: i64, profile: ProfileConfig) -> Hot {
    let profile = HotProfile { uid: profile.name.clone(), generation, profile };
    Hot {
        collector: "default/test".into(),
        sources: Vec::new(),
        profiles: vec![profile],
        targets: Vec::new(),
    }
}

/// As the operator and a kubelet would: files of each shard in a folder of its own. Returns the hash.
fn write(folder: &Path, hot: &Hot) -> String {
    let shards = split(hot).unwrap();
    for (number, shard) in shards.iter().enumerate() {
        let folder = folder.join(number.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        for (key, text) in &shard.data {
            let (new, key) = (folder.join(format!("..{key}")), folder.join(key));
            std::fs::write(&new, text).unwrap();
            std::fs::rename(new, key).unwrap();
        }
    }
    join(&shards).unwrap().1
}

/// The operator's ear: lines of the fleet's stream.
struct Ear {
    answer: reqwest::Response,
    held: Vec<u8>,
}

impl Ear {
    async fn open(central: &Central) -> Self {
        crate::cryptography::provide();
        let url = format!("http://{}{FLEET_PATH}", central.ingest.unwrap());
        Self { answer: reqwest::get(url).await.unwrap(), held: Vec::new() }
    }

    async fn line(&mut self) -> FleetEvent {
        loop {
            if let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.held.drain(..=end).collect();
                return serde_json::from_slice(&line).unwrap();
            }
            let more = tokio::time::timeout(PATIENCE, self.answer.chunk()).await.unwrap().unwrap();
            self.held.extend_from_slice(&more.expect("the stream goes on"));
        }
    }

    /// The first report of which something holds.
    async fn report(&mut self, holds: impl Fn(&EdgeReport) -> bool) -> EdgeReport {
        loop {
            let edges = match self.line().await {
                FleetEvent::Fleet { edges, .. } => edges,
                FleetEvent::Edge { edge } => vec![edge],
                _ => continue,
            };
            if let Some(report) = edges.into_iter().find(&holds) {
                return report;
            }
        }
    }
}

struct Rig {
    central: Central,
    edge: Edge,
    ear: Ear,
    mounted: tempfile::TempDir,
    following: tokio::task::JoinHandle<()>,
    _data: tempfile::TempDir,
}

impl Rig {
    async fn start() -> Self {
        let (data, mounted) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let fixed = EdgeConfig { slot_ms: 1_000, profiles: Vec::new(), ..config(profile("none", &[])) };
        let options = CentralOptions {
            folder: data.path().join("store"),
            api: ([127, 0, 0, 1], 0).into(),
            ingest: Some(([127, 0, 0, 1], 0).into()),
            access: Access::Open,
            metrics: Metrics::default(),
            health: Health::default(),
            tls: None,
        };
        let central = Central::start(&aggregator(&fixed), options).await.unwrap();
        let upstream = HttpUpstream::new(&format!("http://{}", central.ingest.unwrap())).unwrap();
        let edge = Edge::start(fixed.clone(), &data.path().join("spool"), "node-a", upstream.into()).unwrap();
        let ear = Ear::open(&central).await;
        let following = follow(fixed, mounted.path(), &edge);
        Self { central, edge, ear, mounted, following, _data: data }
    }

    async fn stop(self) {
        self.following.abort();
        // The stream would keep its connection.
        drop(self.ear);
        self.edge.stop().await;
        self.central.stop().await;
    }
}

fn aggregator(fixed: &EdgeConfig) -> AggregatorConfig {
    AggregatorConfig {
        version: fixed.version.clone(),
        collector: fixed.collector.clone(),
        slot_ms: fixed.slot_ms,
        retention: Vec::new(),
        storage_path: None,
        sources: Vec::new(),
        profiles: Vec::new(),
    }
}

/// What `weir edge --hot` does.
fn follow(fixed: EdgeConfig, mounted: &Path, edge: &Edge) -> tokio::task::JoinHandle<()> {
    let mut sources = Sources::open(&fixed.collector, Some(mounted), None, None);
    let orders = edge.orders();
    tokio::spawn(async move {
        let mut fitting = Fitting::default();
        loop {
            let news = sources.next().await;
            let Some(taken) = news.taken else { continue };
            let fitted = fitting.fit(&taken, &fixed, |c| check(c).map_err(|e| e.to_string()));
            let mut wanted = Wanted::hot(&fixed, &fitted);
            wanted.error = news.trouble.or(wanted.error);
            orders.send_replace(std::sync::Arc::new(wanted));
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_profile_is_acknowledged_once_it_counts_and_a_bad_one_with_its_reason() {
    let mut rig = Rig::start().await;
    let begun = rig.ear.report(|report| report.node == "node-a").await;
    assert!(begun.profiles.is_empty() && begun.running.hot.is_empty());
    let mut exporter = Exporter::new(Spoken::Netflow5, 9);
    let port = rig.edge.listeners().next().unwrap().2.port();
    let mut taken = Vec::new();
    for generation in 1..=20 {
        let wanted = profile("p", &[&format!("dst port {generation}"), ""]);
        let written = Instant::now();
        let hash = write(rig.mounted.path(), &hot(generation, wanted.clone()));
        exporter.send(port);
        let report = rig.ear.report(|report| report.running.hot == hash).await;
        taken.push(written.elapsed());
        let said = &report.profiles[0];
        assert_eq!((said.generation, &said.hash), (generation, &profile_hash(&wanted)));
        assert_eq!((said.error.as_deref(), report.running.error), (None, None));
    }
    taken.sort_unstable();
    println!(
        "from a changed folder to its acknowledgement: p50 {:?}, p99 {:?}",
        taken[taken.len() / 2],
        taken[taken.len() * 99 / 100]
    );
    assert!(taken[taken.len() * 99 / 100] < PATIENCE);
    let mut bad = hot(21, profile("p", &["dst port http or frobnicate 3"]));
    let other = hot(1, profile("q", &["proto udp"]));
    bad.profiles.extend(other.profiles);
    let hash = write(rig.mounted.path(), &bad);
    let report = rig.ear.report(|report| report.running.hot == hash).await;
    assert_eq!(report.profiles[0].generation, 20, "the last good one goes on");
    assert!(report.profiles[0].error.as_ref().unwrap().starts_with("generation 21 cannot run"));
    assert_eq!((report.profiles[1].name.as_str(), &report.profiles[1].error), ("default/q", &None));
    let fleet = reqwest::get(format!("http://{}/api/v1/fleet", rig.central.api)).await.unwrap();
    let fleet: serde_json::Value = fleet.json().await.unwrap();
    assert_eq!(fleet["edges"][0]["running"]["hot"], hash.as_str());
    rig.stop().await;
}
