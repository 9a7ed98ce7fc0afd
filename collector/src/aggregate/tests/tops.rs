//! Top-N: whatever is merged, the truth lies between the bounds.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{DAY0, HOUR, Hand, block, open};
use crate::aggregate::tops::Window;
use crate::aggregate::view::TopQuery;
use crate::slot::{TopEntry, TopWindow, encode};

/// Counts of keys, and the window that a sketch with room for `size` keys would send at worst.
fn window(counts: &BTreeMap<u8, u64>, size: usize, error: u64) -> Window {
    let mut ranked: Vec<_> = counts.iter().map(|(key, count)| (*count, *key)).collect();
    ranked.sort_unstable_by(|a, b| b.cmp(a));
    let absent = ranked.get(size).map_or(0, |(count, _)| *count) + error;
    let entry = |(count, key): &(u64, u8)| TopEntry {
        key: key.to_string(),
        lower: count.saturating_sub(error),
        upper: count + error,
    };
    let entries: Vec<_> = ranked.iter().take(size).map(entry).collect();
    Window::new(absent, counts.values().sum(), &entries)
}

proptest! {
    #[test]
    fn the_truth_lies_between_the_bounds_in_every_order_of_merging(
        windows in prop::collection::vec(
            (prop::collection::btree_map(0..30u8, 1..1_000u64, 0..30), 1..12usize, 0..50u64), 1..8),
        rotate in 0..8usize,
    ) {
        let mut truth: BTreeMap<u8, u64> = BTreeMap::new();
        for (counts, ..) in &windows {
            counts.iter().for_each(|(key, count)| *truth.entry(*key).or_default() += count);
        }
        let mut parts: Vec<Window> = windows.iter().map(|(counts, size, error)| window(counts, *size, *error)).collect();
        let at = rotate % parts.len();
        parts.rotate_left(at);
        let merged = parts.iter().skip(1).fold(parts[0].clone(), |mut all, part| { all.merge(part); all });
        prop_assert_eq!(merged.total, truth.values().sum::<u64>());
        for (key, count) in truth {
            match merged.entries.get(&key.to_string()) {
                Some((lower, upper)) => prop_assert!((*lower..=*upper).contains(&count)),
                None => prop_assert!(count <= merged.absent),
            }
        }
    }
}

fn top(number: u64, start_ms: u64, upper: u64) -> Vec<u8> {
    let mut block = block(1, number, start_ms, 2_000, 0);
    let entry = |key: &str, n: u64| TopEntry { key: key.into(), lower: n, upper: n };
    block.tops = vec![TopWindow {
        channel: 0,
        element: "srcip".into(),
        order: "bytes".into(),
        start_ms,
        length_ms: 60_000,
        absent: 0,
        total: upper + 1,
        entries: vec![entry("192.0.2.1", upper), entry("192.0.2.2", 1)],
    }];
    encode(&block)
}

#[tokio::test]
async fn windows_merge_to_hours_and_days_and_late_ones_are_added_to_all() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::at(DAY0 + 90_000);
    let aggregator = open(folder.path(), &hand);
    let ask = TopQuery {
        profile: "default/p".into(),
        channel: "http".into(),
        element: "srcip".into(),
        order: "bytes".into(),
        from_ms: DAY0,
        to_ms: DAY0 + 24 * HOUR,
        limit: 1,
    };
    aggregator.apply(top(1, DAY0, 10)).await.unwrap();
    aggregator.apply(top(2, DAY0 + 60_000, 5)).await.unwrap();
    let told = |total, upper| {
        let table = aggregator.reader().top(&ask).unwrap();
        assert_eq!((table.total, table.rows[0].upper, table.exact), (total, upper, true));
        assert_eq!(table.rows[0].key, "192.0.2.1");
    };
    told(17, 15);
    aggregator.checkpoint().await.unwrap();
    told(17, 15);
    hand.set(DAY0 + 25 * HOUR);
    aggregator.checkpoint().await.unwrap();
    told(17, 15);
    aggregator.apply(top(3, DAY0 + 120_000, 100)).await.unwrap();
    told(118, 115);
    aggregator.checkpoint().await.unwrap();
    told(118, 115);
    // Minutes are gone after a day, once the clock was steady; the day holds all of it.
    hand.set(DAY0 + 49 * HOUR);
    aggregator.checkpoint().await.unwrap();
    hand.set(DAY0 + 49 * HOUR + 660_000);
    aggregator.checkpoint().await.unwrap();
    told(118, 115);
    let unknown = TopQuery { order: "flows".into(), ..ask.clone() };
    let unknown = aggregator.reader().top(&unknown).unwrap_err().to_string();
    assert!(unknown.contains("srcip by bytes"), "{unknown}");
    aggregator.close();
}
