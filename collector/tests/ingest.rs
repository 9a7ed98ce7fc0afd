//! Blocks over a real HTTP/2 connection, as `weir edge` sends them and `weir aggregator` takes them.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use std::sync::Arc;

use collector::aggregate::Aggregator;
use collector::aggregate::ingest::{self, Options};
use collector::ship::{HttpUpstream, SendError, Upstream};
use collector::slot::{Block, Provisional, encode, encode_provisional};
use crds::config::{AggregatorConfig, CONFIG_VERSION};
use tokio::net::TcpListener;

fn config() -> AggregatorConfig {
    AggregatorConfig {
        version: CONFIG_VERSION.into(),
        collector: "default/c".into(),
        slot_ms: 10_000,
        retention: vec![],
        storage_path: None,
        sources: vec![],
        profiles: vec![],
    }
}

fn block(number: u64) -> Vec<u8> {
    encode(&Block {
        spool: 7,
        number,
        first: number,
        edge: "edge".into(),
        slot_ms: 10_000,
        ..Block::default()
    })
}

async fn start() -> (tempfile::TempDir, Arc<Aggregator>, String) {
    collector::cryptography::provide();
    let folder = tempfile::tempdir().unwrap();
    let aggregator = Aggregator::open(&config(), folder.path()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(ingest::run(listener, Arc::clone(&aggregator), Options::default(), std::future::pending()));
    (folder, aggregator, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_and_provisional_values_arrive_and_are_answered() {
    let (_folder, aggregator, url) = start().await;
    let upstream = HttpUpstream::new(&url).unwrap();
    assert_eq!(upstream.send(vec![block(1), block(2)]).await.unwrap().last, 2);
    assert_eq!(upstream.send(vec![block(2), block(3)]).await.unwrap().last, 3);
    assert_eq!(upstream.send(vec![block(9)]).await.unwrap().last, 3);
    let value = Provisional { spool: 7, after: 3, slot_ms: 10_000, ..Provisional::default() };
    upstream.provisional(encode_provisional(&value)).await.unwrap();
    assert_eq!(aggregator.reader().edges()[0].block, 3);
    aggregator.close();
    let stopped = upstream.send(vec![block(4)]).await.unwrap_err();
    assert!(stopped.to_string().contains("stopping"), "{stopped}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_wrong_are_refused_with_what_is_wrong() {
    let (_folder, aggregator, url) = start().await;
    let upstream = HttpUpstream::new(&url).unwrap();
    let mut damaged = block(1);
    damaged[30] ^= 1;
    let refused = upstream.send(vec![damaged]).await.unwrap_err();
    assert!(matches!(&refused, SendError::Refused(why) if why.contains("hash")), "{refused}");
    let http = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let status = |path: &'static str, body: Vec<u8>| {
        let request = http.post(format!("{url}{path}")).body(body);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(status("/v1/blocks", vec![]).await, 400);
    assert_eq!(status("/v1/blocks", vec![255, 255, 255, 255, 1]).await, 400);
    assert_eq!(status("/v1/provisional", block(1)).await, 400);
    assert_eq!(status("/", vec![]).await, 404);
    let get = http.get(format!("{url}/v1/blocks")).send().await.unwrap();
    assert_eq!(get.status().as_u16(), 405);
    let stream = futures::stream::iter([Ok::<_, std::io::Error>(vec![0_u8; 10])]);
    let endless = http.post(format!("{url}/v1/blocks")).body(reqwest::Body::wrap_stream(stream));
    assert_eq!(endless.send().await.unwrap().status().as_u16(), 411);
    let large = vec![0_u8; (64 << 20) + 1];
    // Refused by its length: the answer may come before the body is sent, and end the sending.
    if let Ok(answer) = http.post(format!("{url}/v1/blocks")).body(large).send().await {
        assert_eq!(answer.status().as_u16(), 413);
    }
    assert_eq!(upstream.send(vec![block(1)]).await.unwrap().last, 1);
    aggregator.close();
}
