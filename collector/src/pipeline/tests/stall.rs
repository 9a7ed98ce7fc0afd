//! A spool that takes no cuts.

use std::time::{Duration, Instant};

use flow_generator::arguments::Protocol as Spoken;

use super::{Exporter, LIVE, Rig, flows_of, sums};
use crate::slot::DropReason;

/// Longer than the wait between two cuts, so that one cut at least waits first.
const PATIENCE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_hanging_spool_costs_is_told_by_health_at_once_and_in_the_next_block_by_its_reason() {
    let mut rig = Rig::resume(1, &[], (1, PATIENCE));
    let mut exporter = Exporter::new(Spoken::Netflow9, 1);
    exporter.send(rig.port);
    // Nobody takes the first cut away: the next ones have no place.
    let deadline = Instant::now() + Duration::from_secs(30);
    let stands_still = |trouble: Option<String>| trouble.is_some_and(|text| text.contains("stands still"));
    while !stands_still(rig.trouble.get()) {
        assert!(Instant::now() < deadline, "{:?}", rig.trouble.get());
        exporter.send(rig.port);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut blocks = vec![rig.block().await.unwrap(), rig.block().await.unwrap()];
    while rig.trouble.get().is_some() {
        assert!(Instant::now() < deadline, "it takes cuts again");
        blocks.push(rig.block().await.unwrap());
    }
    let sent = exporter.sent;
    blocks.extend(rig.stop().await);
    let (mut decoded, mut given_up, mut missing) = (0, 0, 0);
    for block in &blocks {
        decoded += block.streams.iter().map(|report| report.counts.records).sum::<u64>();
        missing += block.streams.iter().map(|report| report.counts.missing).sum::<i64>();
        for (reason, lost) in block.dropped.by_reason() {
            assert_eq!(reason, DropReason::SpoolStalled);
            given_up += lost.records;
        }
    }
    assert_eq!((decoded, missing), (sent, 0), "the streams' reports are not given up");
    assert!(given_up > 0);
    assert_eq!(flows_of(LIVE, &sums(&blocks)) + given_up, decoded);
}
