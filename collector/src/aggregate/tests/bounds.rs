//! Ages, limits, steps, changes of the configuration, values that are not durable yet.

use super::{DAY0, HOUR, Hand, SLOT, block, config, line, open, query};
use crate::aggregate::view::{Metric, Value};
use crate::aggregate::{Aggregator, LIVE, Limits, ReadError};
use crate::slot::{ChannelKey, OTHER, Provisional, encode, encode_provisional};

const MINUTE: u64 = 60_000;

#[tokio::test]
async fn raw_slots_expire_and_what_comes_for_them_later_adds_to_sums_and_marks_maxima() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::at(DAY0 + 5_000);
    let aggregator = open(folder.path(), &hand);
    aggregator.apply(encode(&block(1, 1, DAY0, 10_000, 5))).await.unwrap();
    let later = DAY0 + 60 * HOUR;
    hand.set(later);
    aggregator.checkpoint().await.unwrap();
    hand.set(later + 11 * MINUTE);
    aggregator.checkpoint().await.unwrap();
    aggregator.apply(encode(&block(2, 1, DAY0 + SLOT, 10_000, 7))).await.unwrap();
    aggregator.checkpoint().await.unwrap();
    for (step, to) in [(MINUTE, DAY0 + MINUTE), (HOUR, DAY0 + HOUR), (24 * HOUR, DAY0 + 24 * HOUR)] {
        let sums = aggregator.reader().series(&query(DAY0, to, step, Value::Sum)).unwrap();
        assert_eq!(line(&sums, "http"), [Some(1_200.0)], "step {step}");
        let maxima = aggregator.reader().series(&query(DAY0, to, step, Value::Max)).unwrap();
        assert_eq!((maxima.lines[0].at_least.clone(), line(&maxima, "http")), (vec![0], vec![Some(480.0)]));
    }
    let fine = aggregator.reader().series(&query(DAY0, DAY0 + MINUTE, SLOT, Value::Sum)).unwrap_err();
    assert!(matches!(fine, ReadError::TooFine { smallest_ms: MINUTE, .. }), "{fine}");
    let by_itself = query(DAY0, DAY0 + HOUR, SLOT, Value::Sum);
    let chosen =
        aggregator.reader().series(&crate::aggregate::view::SeriesQuery { step_ms: None, ..by_itself });
    assert_eq!(chosen.unwrap().step_ms, MINUTE);
    aggregator.close();
}

#[tokio::test]
async fn past_the_limit_a_new_series_is_refused_counted_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { series: 2, ..Limits::default() };
    let hand = Hand::at(DAY0 + 5_000);
    let aggregator = Aggregator::open_with(&config(), folder.path(), limits, hand.clock()).unwrap();
    for (number, source) in ["a", "b", "c", "a"].iter().enumerate() {
        let mut block = block(1, number as u64 + 1, DAY0, 1_000, 1);
        block.sources = vec![(*source).into()];
        aggregator.apply(encode(&block)).await.unwrap();
    }
    assert_eq!(aggregator.reader().series_count(), (2, 1, vec!["default/p/http/c".into()]));
    let ask = query(DAY0, DAY0 + SLOT, SLOT, Value::Sum);
    assert_eq!(line(&aggregator.reader().series(&ask).unwrap(), "http"), [Some(300.0)]);
    aggregator.close();
}

#[tokio::test]
async fn a_step_that_does_not_fit_is_refused_with_one_that_does() {
    let folder = tempfile::tempdir().unwrap();
    let aggregator = open(folder.path(), &Hand::at(DAY0));
    let ask = |from, to, step, value| aggregator.reader().series(&query(from, to, step, value)).unwrap_err();
    let odd = ask(DAY0, DAY0 + HOUR, 15_000, Value::Sum);
    assert!(matches!(odd, ReadError::Step { next_ms: 20_000, .. }), "{odd}");
    let many = ask(DAY0 - 400 * 24 * HOUR, DAY0, MINUTE, Value::Sum);
    assert!(matches!(many, ReadError::TooFine { smallest_ms: HOUR, .. }), "{many}");
    assert!(matches!(ask(DAY0, DAY0 + HOUR, SLOT, Value::Max), ReadError::Maximum));
    assert!(matches!(ask(DAY0, DAY0, MINUTE, Value::Sum), ReadError::Range));
    let mut unknown = query(DAY0, DAY0 + HOUR, MINUTE, Value::Sum);
    unknown.channels = vec!["htp".into()];
    let unknown = aggregator.reader().series(&unknown).unwrap_err().to_string();
    assert!(unknown.contains("'htp'") && unknown.contains("http, dns"), "{unknown}");
    aggregator.close();
}

#[tokio::test]
async fn a_provisional_value_is_shown_until_the_next_block_replaces_it() {
    let folder = tempfile::tempdir().unwrap();
    let aggregator = open(folder.path(), &Hand::at(DAY0 + 3_000));
    let mut changes = aggregator.reader().subscribe();
    aggregator.apply(encode(&block(1, 1, DAY0, 2_000, 1))).await.unwrap();
    let open = block(1, 2, DAY0, 1_000, 4);
    let value = Provisional {
        spool: 1,
        after: 1,
        channels: open.channels.clone(),
        sources: open.sources.clone(),
        slot_ms: open.slot_ms,
        additions: open.additions.clone(),
    };
    aggregator.provisional(&encode_provisional(&value)).unwrap();
    let ask = query(DAY0, DAY0 + SLOT, SLOT, Value::Sum);
    let shown = || {
        let series = aggregator.reader().series(&ask).unwrap();
        (line(&series, "http")[0], series.covered_ms[0])
    };
    assert_eq!(shown(), (Some(500.0), 3_000));
    aggregator.apply(encode(&block(1, 2, DAY0, 2_000, 6))).await.unwrap();
    assert_eq!(shown(), (Some(700.0), 4_000));
    aggregator.provisional(&encode_provisional(&value)).unwrap();
    assert_eq!(shown(), (Some(700.0), 4_000), "a value from before the newest block is not shown");
    let told = [changes.recv().await.unwrap(), changes.recv().await.unwrap(), changes.recv().await.unwrap()];
    assert_eq!(told.map(|tick| (tick.commit, tick.provisional)), [(1, false), (1, true), (2, false)]);
    aggregator.close();
}

#[tokio::test]
async fn a_changed_filter_leaves_a_marker_and_a_removed_channel_comes_back_with_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::at(DAY0 + 5_000);
    let aggregator = open(folder.path(), &hand);
    aggregator.apply(encode(&block(1, 1, DAY0, 10_000, 5))).await.unwrap();
    let mut changed = config();
    changed.profiles[0].channels.remove(1);
    changed.profiles[0].channels[0].filter = "port 8080".into();
    changed.profiles[0].channels[0].color = "#111111".into();
    hand.set(DAY0 + 7_000);
    aggregator.reconfigure(&changed).unwrap();
    aggregator.checkpoint().await.unwrap();
    let ask = query(DAY0, DAY0 + SLOT, SLOT, Value::Sum);
    let series = aggregator.reader().series(&ask).unwrap();
    assert_eq!(series.markers, [(DAY0 + 7_000, "http".to_owned())]);
    assert_eq!(series.lines.len(), 1, "dns is not listed any more");
    changed.profiles[0].channels = config().profiles[0].channels.clone();
    changed.profiles[0].channels[0].filter = "port 8080".into();
    aggregator.reconfigure(&changed).unwrap();
    aggregator.checkpoint().await.unwrap();
    let again = aggregator.reader().series(&ask).unwrap();
    assert_eq!((again.markers.len(), line(&again, "dns")), (1, vec![Some(0.0)]));
    aggregator.close();
}

#[tokio::test]
async fn the_live_profile_lists_configured_sources_and_those_that_came_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let aggregator = open(folder.path(), &Hand::at(DAY0 + 5_000));
    let mut block = block(1, 1, DAY0, 10_000, 5);
    block.channels = vec![ChannelKey { profile: LIVE.into(), channel: "192.0.2.7".into() }];
    block.sources = vec!["192.0.2.7".into()];
    aggregator.apply(encode(&block)).await.unwrap();
    let profiles = aggregator.reader().profiles();
    let names: Vec<_> = profiles.iter().map(|p| (p.name.as_str(), p.channels.len())).collect();
    assert_eq!(names, [(LIVE, 1), ("default/p", 2)]);
    let mut ask = query(DAY0, DAY0 + SLOT, SLOT, Value::Sum);
    (ask.profile, ask.metric) = (LIVE.into(), Metric::Flows);
    assert_eq!(line(&aggregator.reader().series(&ask).unwrap(), "192.0.2.7"), [Some(5.0)]);
    aggregator.checkpoint().await.unwrap();
    aggregator.close();
    drop(aggregator);
    let again = open(folder.path(), &Hand::at(DAY0 + 65_000));
    let usage = again.reader().usage(LIVE).unwrap();
    assert_eq!((usage.start_ms, usage.end_ms), (Some(DAY0), Some(DAY0 + SLOT)));
    assert!(usage.bytes > 0);
    again.close();
}

#[tokio::test]
async fn the_source_other_is_shown_in_live_once_something_counted_there() {
    let folder = tempfile::tempdir().unwrap();
    let aggregator = open(folder.path(), &Hand::at(DAY0 + 25_000));
    let channels = ["192.0.2.7", OTHER].map(|name| ChannelKey { profile: LIVE.into(), channel: name.into() });
    let mut block = block(1, 1, DAY0, 10_000, 5);
    (block.channels, block.sources) = (channels.to_vec(), vec!["192.0.2.7".into(), OTHER.into()]);
    aggregator.apply(encode(&block)).await.unwrap();
    let names = || {
        let live = aggregator.reader().profile(LIVE).unwrap();
        live.channels.into_iter().map(|channel| channel.name).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["192.0.2.7"]);
    (block.number, block.first) = (2, 2);
    (block.additions[0].rows[0].channel, block.additions[0].rows[0].source) = (1, 1);
    aggregator.apply(encode(&block)).await.unwrap();
    assert_eq!(names(), ["192.0.2.7", OTHER]);
    aggregator.close();
}
