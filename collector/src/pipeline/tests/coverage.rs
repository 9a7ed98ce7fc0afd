//! From datagrams to the API's coverage: an edge and an aggregator, of which one exporter of two falls silent.

use std::time::{Duration, Instant};

use crds::config::{AggregatorConfig, EdgeConfig};
use serde_json::Value;

use super::{Exporter, config, services};
use crate::pipeline::{Central, CentralOptions, Edge};
use crate::telemetry::Health;

const SLOT: u64 = 1_000;
const DAY: u64 = 86_400_000;

async fn ask(central: &Central, from: u64, step: u64) -> Value {
    let (from, to) = (from - from % step, super::unix_ms());
    let path = format!("api/v1/profiles/live/series?from={from}&to={to}&step={step}");
    let answer = reqwest::get(format!("http://{}/{path}", central.api)).await.unwrap();
    let text = answer.text().await.unwrap();
    serde_json::from_str(&text).unwrap()
}

fn numbers(coverage: &Value, name: &str) -> Vec<u64> {
    coverage["coverage"][name].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_exporter_and_what_did_not_arrive_are_told_slot_by_slot() {
    let folder = tempfile::tempdir().unwrap();
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
        folder: folder.path().join("store"),
        api: ([127, 0, 0, 1], 0).into(),
        ingest: None,
        token: None,
        health: Health::default(),
    };
    let central = Central::start(&central_config, options).await.unwrap();
    let edge = Edge::start(edge_config, &folder.path().join("spool"), "edge", central.upstream()).unwrap();
    let port = edge.listeners()[0].1.port();

    // Each sends twenty datagrams of NetFlow v9 a second, whose sequence counts them; of the first one's, every fourth gets lost on the way.
    let (mut first, mut second) = (Exporter::new(super::SPOKEN[1], 1), Exporter::new(super::SPOKEN[1], 2));
    let (begin, mut sent, mut lost) = (super::unix_ms(), 0_u32, 0_u32);
    let (mut tick, started) = (tokio::time::interval(Duration::from_millis(50)), Instant::now());
    let (mut silent_from, mut seen) = (None, false);
    while !seen {
        tick.tick().await;
        sent += 1;
        if sent % 4 == 2 {
            first.datagram(5);
            lost += 1;
        } else {
            first.send(port);
        }
        match silent_from {
            None if started.elapsed() < Duration::from_secs(5) => second.send(port),
            None => silent_from = Some(super::unix_ms()),
            Some(_) if sent.is_multiple_of(20) => {
                let told = ask(&central, begin, SLOT).await;
                seen = numbers(&told, "expected")
                    .iter()
                    .zip(numbers(&told, "present"))
                    .any(|(e, p)| *e == 2 && p == 1);
                assert!(started.elapsed() < Duration::from_secs(40), "{told}");
            }
            Some(_) => {}
        }
    }
    // The last one has to arrive: what is lost after it cannot be known.
    first.send(port);
    sent += 1;
    edge.stop().await;

    let silent = silent_from.unwrap();
    let told = ask(&central, begin, SLOT).await;
    let slots = numbers(&told, "expected").into_iter().zip(numbers(&told, "present"));
    let whole = slots.enumerate().map(|(at, both)| (begin - begin % SLOT + at as u64 * SLOT, both));
    let whole: Vec<_> = whole.filter(|(start, _)| *start > begin).collect();
    assert!(
        whole.iter().filter(|(start, _)| start + SLOT < silent).all(|(_, both)| *both == (2, 2)),
        "{whole:?}"
    );
    let after: Vec<_> = whole.iter().filter(|(start, _)| *start > silent).collect();
    assert_eq!(after[0].1, (2, 1), "{whole:?}");
    let day = ask(&central, begin, DAY).await;
    let missing = day["coverage"]["missing"][0].as_f64().unwrap();
    let all = f64::from(sent) + second.sent as f64 / 5.0;
    assert!((missing - f64::from(lost) / all).abs() < 1e-12, "{missing} is not {lost} of {all}");
    central.stop().await;
}
