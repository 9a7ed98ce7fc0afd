//! The aggregator as its neighbours see it: blocks go in, series come out, whatever is killed in between.

mod bounds;
mod commits;
mod coverage;
mod faults;
mod model;
mod pace;
mod tops;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crds::config::{
    AggregatorConfig, CONFIG_VERSION, ChannelConfig, ProfileConfig, RetentionConfig, Sign, TopConfig,
    TopOrder,
};

use super::view::{Class, Metric, Series, SeriesQuery, Value};
use super::{Aggregator, Clock, Limits};
use crate::slot::{Addition, Block, ChannelKey, Counters, Row, Tally, encode};

const SLOT: u64 = 10_000;
const HOUR: u64 = 3_600_000;
/// A UTC midnight.
const DAY0: u64 = 20_000 * 24 * HOUR;

/// A clock that tests move.
#[derive(Clone)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn at(ms: u64) -> Self {
        Self(Arc::new(AtomicU64::new(ms)))
    }
    fn set(&self, ms: u64) {
        self.0.store(ms, Ordering::SeqCst);
    }
    fn clock(&self) -> Clock {
        let hand = Arc::clone(&self.0);
        Arc::new(move || hand.load(Ordering::SeqCst))
    }
}

fn channel(name: &str) -> ChannelConfig {
    ChannelConfig {
        name: name.into(),
        filter: "any".into(),
        sources: vec![],
        sign: Sign::Plus,
        color: "#000000".into(),
        order: 1,
    }
}

fn config() -> AggregatorConfig {
    let keep =
        [(SLOT, 48), (60_000, 14 * 24), (300_000, 400 * 24), (HOUR, 3 * 366 * 24), (24 * HOUR, 3_660 * 24)];
    AggregatorConfig {
        version: CONFIG_VERSION.into(),
        collector: "default/c".into(),
        slot_ms: SLOT as u32,
        retention: keep
            .iter()
            .map(|(step, hours)| RetentionConfig { step_ms: *step, keep_ms: hours * HOUR })
            .collect(),
        storage_path: None,
        sources: vec![],
        profiles: vec![ProfileConfig {
            name: "default/p".into(),
            display_name: "p".into(),
            description: String::new(),
            group: String::new(),
            channels: vec![channel("http"), channel("dns")],
            top: vec![TopConfig { element: "srcip".into(), orders: vec![TopOrder::Bytes], size: 10 }],
        }],
    }
}

fn open(folder: &Path, hand: &Hand) -> Arc<Aggregator> {
    Aggregator::open_with(&config(), folder, Limits::default(), hand.clock()).unwrap()
}

/// A block that counted `flows` flows of 100 bytes for `http` in one slot.
fn block(spool: u128, number: u64, slot: u64, covered_ms: u32, flows: u64) -> Block {
    let tcp = Tally { flows, packets: 2 * flows, bytes: 100 * flows };
    let row = Row { channel: 0, source: 0, counters: Counters { tcp, ..Counters::default() } };
    let key = |channel: &str| ChannelKey { profile: "default/p".into(), channel: channel.into() };
    Block {
        spool,
        number,
        first: number,
        edge: format!("edge{spool}"),
        made_ms: slot + 2_000,
        slot_ms: SLOT as u32,
        channels: vec![key("http"), key("dns")],
        sources: vec!["s".into()],
        additions: vec![Addition {
            slot_start_ms: slot,
            covered_ms,
            rows: if flows > 0 { vec![row] } else { vec![] },
        }],
        ..Block::default()
    }
}

fn query(from_ms: u64, to_ms: u64, step_ms: u64, value: Value) -> SeriesQuery {
    SeriesQuery {
        profile: "default/p".into(),
        from_ms,
        to_ms,
        step_ms: Some(step_ms),
        channels: vec![],
        sources: vec![],
        metric: Metric::Bytes,
        class: Class::All,
        value,
    }
}

fn line(series: &Series, channel: &str) -> Vec<Option<f64>> {
    series.lines.iter().find(|line| line.channel == channel).unwrap().values.clone()
}

#[tokio::test]
async fn what_is_acknowledged_is_shown_at_once_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::at(DAY0 + 25_000);
    let aggregator = open(folder.path(), &hand);
    aggregator.apply(encode(&block(1, 1, DAY0, 10_000, 5))).await.unwrap();
    aggregator.apply(encode(&block(1, 2, DAY0 + 20_000, 5_000, 0))).await.unwrap();
    let ask = query(DAY0, DAY0 + 40_000, SLOT, Value::Sum);
    let before = aggregator.reader().series(&ask).unwrap();
    assert_eq!(line(&before, "http"), [Some(500.0), None, Some(0.0), None]);
    assert_eq!(line(&before, "dns"), [Some(0.0), None, Some(0.0), None]);
    assert_eq!(before.covered_ms, [10_000, 0, 5_000, 0]);
    aggregator.close();
    drop(aggregator);
    let again = open(folder.path(), &hand);
    assert_eq!(again.reader().series(&ask).unwrap(), before);
    let rate = again.reader().series(&query(DAY0, DAY0 + 60_000, 60_000, Value::Rate)).unwrap();
    assert_eq!(line(&rate, "http"), [Some(500.0 * 8.0 / 15.0)]);
}

#[tokio::test]
async fn a_block_counts_once_and_only_after_the_one_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let aggregator = open(folder.path(), &Hand::at(DAY0 + 25_000));
    let send = |number| aggregator.apply(encode(&block(1, number, DAY0, 1_000, 1)));
    let mut answers = Vec::new();
    for number in [1, 2, 2, 1, 4, 3, 4] {
        answers.push(send(number).await.unwrap().last);
    }
    assert_eq!(answers, [1, 2, 2, 2, 2, 3, 4]);
    let series = aggregator.reader().series(&query(DAY0, DAY0 + SLOT, SLOT, Value::Sum)).unwrap();
    assert_eq!(line(&series, "http"), [Some(400.0)]);
    let counts = aggregator.reader().counts();
    assert_eq!((counts.applied, counts.repeated, counts.early), (4, 2, 1));
}

#[tokio::test]
async fn a_minute_that_was_derived_is_derived_again_when_something_is_added() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::at(DAY0 + 30_000);
    let aggregator = open(folder.path(), &hand);
    aggregator.apply(encode(&block(1, 1, DAY0, 10_000, 5))).await.unwrap();
    hand.set(DAY0 + 10 * 60_000);
    aggregator.checkpoint().await.unwrap();
    aggregator.apply(encode(&block(2, 1, DAY0 + 10_000, 10_000, 7))).await.unwrap();
    let ask = query(DAY0, DAY0 + 300_000, 300_000, Value::Sum);
    assert_eq!(line(&aggregator.reader().series(&ask).unwrap(), "http"), [Some(1_200.0)]);
    aggregator.checkpoint().await.unwrap();
    assert_eq!(line(&aggregator.reader().series(&ask).unwrap(), "http"), [Some(1_200.0)]);
    let max = aggregator.reader().series(&query(DAY0, DAY0 + 300_000, 300_000, Value::Max)).unwrap();
    assert_eq!(line(&max, "http"), [Some(1_200.0 * 8.0 / 20.0)]);
}
