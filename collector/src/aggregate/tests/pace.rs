//! How soon exporters tell of flows, and what follows for steps.

use super::{DAY0, HOUR, Hand, SLOT, block, line, open, query};
use crate::aggregate::Aggregator;
use crate::aggregate::view::{Series, SeriesQuery, Value};
use crate::slot::{Block, SourceLags, encode, lag_bin};

/// One block a slot, whose records tell of their flows after `lag_ms`, but for one in 200.
async fn fill(aggregator: &Aggregator, slots: u64, lag_ms: u64) {
    let bins = vec![(lag_bin(lag_ms) as u16, 199), (lag_bin(HOUR * 20) as u16, 1)];
    for slot in 0..slots {
        let lags = vec![SourceLags { source: 0, bins: bins.clone() }];
        let block = Block { lags, ..block(1, slot + 1, DAY0 + slot * SLOT, 10_000, slot % 7) };
        aggregator.apply(encode(&block)).await.unwrap();
    }
}

/// Without a stated step.
fn ask(aggregator: &Aggregator, span_ms: u64, value: Value) -> Series {
    let ask = SeriesQuery { step_ms: None, ..query(DAY0, DAY0 + span_ms, SLOT, value) };
    aggregator.reader().series(&ask).unwrap()
}

#[tokio::test]
async fn by_default_no_rate_is_finer_than_the_steps_in_which_flows_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::at(DAY0 + 600_000);
    let aggregator = open(folder.path(), &hand);
    assert_eq!(ask(&aggregator, 600_000, Value::Rate).within_ms, None);
    fill(&aggregator, 60, 61_000).await;
    let steps = |aggregator: &Aggregator| {
        let rate = ask(aggregator, 600_000, Value::Rate);
        assert_eq!(rate.within_ms, Some(61_000));
        (rate.step_ms, ask(aggregator, 600_000, Value::Sum).step_ms)
    };
    assert_eq!(steps(&aggregator), (60_000, SLOT), "a sum is what came, however fine");
    let stated = aggregator.reader().series(&query(DAY0, DAY0 + 600_000, SLOT, Value::Rate)).unwrap();
    assert_eq!(stated.step_ms, SLOT);
    assert_eq!(aggregator.reader().reported_within(), [("s".to_owned(), 61_000)]);
    aggregator.close();
    drop(aggregator);
    assert_eq!(steps(&open(folder.path(), &hand)), (60_000, SLOT));
}

#[tokio::test]
async fn by_default_a_maximum_is_of_averages_as_long_as_the_steps_in_which_flows_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::at(DAY0 + 3 * HOUR);
    let aggregator = open(folder.path(), &hand);
    fill(&aggregator, 720, 1_830_000).await;
    let max = ask(&aggregator, 2 * HOUR, Value::Max);
    assert_eq!((max.step_ms, max.maximum_of_ms), (HOUR, Some(HOUR)));
    let bytes = |slots: std::ops::Range<u64>| slots.map(|slot| slot % 7 * 100).sum::<u64>();
    let average = |sum: u64| Some((sum * 1_000_000 / HOUR) as f64 * 8.0 / 1_000.0);
    assert_eq!(line(&max, "http"), [average(bytes(0..360)), average(bytes(360..720))]);
    let stated = aggregator.reader().series(&query(DAY0, DAY0 + HOUR, HOUR, Value::Max)).unwrap();
    assert_eq!(stated.maximum_of_ms, Some(60_000));
    assert!(line(&stated, "http")[0] > line(&max, "http")[0], "a minute's average is the larger one");
    aggregator.close();
}
