//! Streams expected, heard and missing, by slot and in the roll-ups.

use super::model::copy;
use super::{DAY0, HOUR, Hand, SLOT, block, config, open, query};
use crate::aggregate::Aggregator;
use crate::aggregate::view::{Coverage, Value};
use crate::slot::{Block, SequenceUnit, StreamCounts, StreamKey, StreamReport, encode};

/// A stream of `source` in one slot, from its first second to `at_ms`: 10 units came, `missing` did not.
fn heard(source: &str, at_ms: u64, missing: i64) -> StreamReport {
    StreamReport {
        key: StreamKey {
            listener: "netflow".into(),
            exporter: "192.0.2.1".parse().unwrap(),
            port: 40_000 + u16::from(source.as_bytes()[0]),
            protocol: "netflow9".into(),
            domain: 0,
            agent: None,
        },
        source: source.into(),
        unit: SequenceUnit::Packets,
        first_seen_ms: at_ms - at_ms % SLOT + 1_000,
        last_seen_ms: at_ms,
        sampling_rate: None,
        rate_unknown: false,
        interfaces: vec![],
        clock_skew_ms: None,
        next_sequence: 0,
        nonstandard: None,
        epoch: crate::slot::Epoch::default(),
        waiting: crate::slot::Waiting::default(),
        counts: StreamCounts {
            datagrams: 2,
            received: 11,
            duplicates: 1,
            missing,
            ..StreamCounts::default()
        },
    }
}

/// Twelve slots from [`DAY0`]: a and b are heard in each, but b falls silent in slots 6 to 8; in slot 2
/// ten units of a are missing, and five of them come late in slot 3.
fn blocks() -> Vec<Block> {
    let slot = |n: u64| {
        let start = DAY0 + n * SLOT;
        let missing =
            [(2, 10), (3, -5)].into_iter().find(|(slot, _)| *slot == n).map_or(0, |(_, units)| units);
        let mut streams = vec![heard("a", start + 4_000, missing)];
        if !(6..9).contains(&n) {
            streams.push(heard("b", start + 9_000, 0));
        }
        Block { streams, sources: vec!["a".into(), "b".into()], ..block(1, n + 1, start, 10_000, 1) }
    };
    (0..12).map(slot).collect()
}

fn coverage(aggregator: &Aggregator, step: u64, sources: &[&str]) -> Coverage {
    let mut ask = query(DAY0, DAY0 + (12 * SLOT).next_multiple_of(step), step, Value::Sum);
    ask.sources = sources.iter().map(|name| (*name).to_owned()).collect();
    aggregator.reader().series(&ask).unwrap().coverage
}

/// What the blocks above come to, slot by slot, and in two minutes.
fn check(aggregator: &Aggregator) {
    let slots = coverage(aggregator, SLOT, &[]);
    assert_eq!(slots.expected, [2; 12]);
    assert_eq!(slots.present, [2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2]);
    assert_eq!(slots.absent[5..9], [Some(0.0), Some(0.5), Some(0.5), Some(0.5)]);
    assert_eq!(slots.missing[1..5], [Some(0.0), Some(10.0 / 30.0), Some(0.0), Some(0.0)]);
    let minutes = coverage(aggregator, 60_000, &[]);
    assert_eq!((minutes.expected, minutes.present), (vec![2, 2], vec![2, 1]));
    assert_eq!(minutes.absent, [Some(0.0), Some(3.0 / 12.0)]);
    // Of 125 units that were sent in the first minute five never came.
    assert_eq!(minutes.missing, [Some(5.0 / 125.0), Some(0.0)]);
    let day = coverage(aggregator, 24 * HOUR, &["b"]);
    assert_eq!((day.expected, day.present, day.absent), (vec![1], vec![0], vec![Some(3.0 / 12.0)]));
    assert_eq!(day.missing, [Some(0.0)], "b lost nothing: what was missing was a's");
}

#[tokio::test]
async fn every_slot_says_which_streams_were_expected_and_heard_and_what_was_missing() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::at(DAY0);
    let aggregator = open(folder.path(), &hand);
    for (at, block) in (1..).zip(blocks()) {
        aggregator.apply(encode(&block)).await.unwrap();
        hand.set(DAY0 + at * SLOT + 5_000);
        aggregator.checkpoint().await.unwrap();
    }
    check(&aggregator);
    aggregator.close();
    drop(aggregator);
    check(&open(folder.path(), &hand));
}

#[tokio::test]
async fn coverage_is_the_same_after_a_kill_and_when_blocks_come_long_after_their_slots_were_judged() {
    let mut folder = tempfile::tempdir().unwrap();
    let hand = Hand::at(DAY0);
    let mut aggregator = open(folder.path(), &hand);
    for (at, block) in (1_u64..).zip(blocks()) {
        // The edge is cut off after its fourth block; the aggregator goes on and misses both streams.
        if at == 5 {
            hand.set(DAY0 + 12 * SLOT + 5_000);
            aggregator.checkpoint().await.unwrap();
            let cut_off = coverage(&aggregator, SLOT, &[]);
            assert_eq!((cut_off.expected[8], cut_off.present[8]), (2, 0));
        }
        aggregator.apply(encode(&block)).await.unwrap();
        if at % 3 == 0 {
            aggregator.checkpoint().await.unwrap();
            aggregator.apply(encode(&block)).await.unwrap();
            let left = copy(folder.path());
            aggregator.close();
            aggregator = open(left.path(), &hand);
            folder = left;
        }
    }
    aggregator.checkpoint().await.unwrap();
    check(&aggregator);
    aggregator.close();
}

#[tokio::test]
async fn a_channel_is_covered_by_the_sources_that_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::at(DAY0 + 12 * SLOT + 5_000);
    let mut config = config();
    config.profiles[0].channels[0].sources = vec!["b".into()];
    config.profiles[0].channels[1].sources = vec!["a".into()];
    let aggregator =
        Aggregator::open_with(&config, folder.path(), super::Limits::default(), hand.clock()).unwrap();
    for block in blocks() {
        aggregator.apply(encode(&block)).await.unwrap();
    }
    aggregator.checkpoint().await.unwrap();
    let mut ask = query(DAY0 + 7 * SLOT, DAY0 + 8 * SLOT, SLOT, Value::Sum);
    let mut of = |channels: &[&str]| {
        ask.channels = channels.iter().map(|name| (*name).to_owned()).collect();
        let coverage = aggregator.reader().series(&ask).unwrap().coverage;
        (coverage.expected[0], coverage.present[0])
    };
    assert_eq!([of(&["http"]), of(&["dns"]), of(&[])], [(1, 0), (1, 1), (2, 1)]);
    aggregator.close();
}
