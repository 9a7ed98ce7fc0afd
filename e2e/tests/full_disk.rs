//! An aggregator on a disk that is full: it says so, takes nothing that it cannot keep, and goes on when there is room.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use collector::aggregate::view::{Class, Metric, SeriesQuery, Value};
use collector::aggregate::{Aggregator, ApplyError, LIVE};
use collector::slot::{Addition, Block, ChannelKey, Counters, Row, Tally, encode};
use crds::config::{AggregatorConfig, CONFIG_VERSION, SourceConfig};
use e2e::namespace::require_root;
use e2e::program::output_of;

const SLOT: u64 = 10_000;
const SOURCES: u64 = 400;

/// A small file system in memory.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> Self {
        require_root();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"]).arg(at);
        output_of(command);
        Self(at.to_owned())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A panic in a destructor would hide the test's own.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn config() -> AggregatorConfig {
    let source = |n| SourceConfig { name: format!("s{n}"), ..SourceConfig::default() };
    AggregatorConfig {
        version: CONFIG_VERSION.into(),
        collector: "default/c".into(),
        slot_ms: SLOT as u32,
        retention: vec![],
        storage_path: None,
        sources: (0..SOURCES).map(source).collect(),
        profiles: vec![],
    }
}

/// A block with a flow in each of many series, in a slot of its own, that hardly compresses.
fn block(number: u64, start_ms: u64) -> Vec<u8> {
    let mut state = number;
    let row = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n);
        let tcp = Tally { flows: 1, packets: state >> 40, bytes: state >> 20 };
        Row { channel: n as u32, source: n as u32, counters: Counters { tcp, ..Counters::default() } }
    };
    let rows = (0..SOURCES).map(row).collect();
    encode(&Block {
        spool: 1,
        number,
        first: number,
        edge: "edge".into(),
        slot_ms: SLOT as u32,
        channels: (0..SOURCES)
            .map(|n| ChannelKey { profile: LIVE.into(), channel: format!("s{n}") })
            .collect(),
        sources: (0..SOURCES).map(|n| format!("s{n}")).collect(),
        additions: vec![Addition { slot_start_ms: start_ms + number * SLOT, covered_ms: SLOT as u32, rows }],
        ..Block::default()
    })
}

fn flows(aggregator: &Aggregator, start_ms: u64) -> Option<f64> {
    let query = SeriesQuery {
        profile: LIVE.into(),
        from_ms: start_ms,
        to_ms: start_ms + 2_000 * SLOT,
        step_ms: Some(60_000),
        channels: vec!["s7".into()],
        sources: vec![],
        metric: Metric::Flows,
        class: Class::All,
        value: Value::Sum,
    };
    let series = aggregator.reader().series(&query).ok()?;
    Some(series.lines[0].values.iter().flatten().sum())
}

#[tokio::test]
async fn a_full_disk_refuses_blocks_for_now_and_nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let _disk = Disk::mount(folder.path());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let start_ms = (now.as_secs() * 1_000 - 6 * 3_600_000).next_multiple_of(60_000);
    let store = folder.path().join("store");
    let aggregator = Aggregator::open(&config(), &store).expect("it opens");
    let (mut acknowledged, mut refused) = (0, 0);
    while refused < 3 {
        match aggregator.apply(block(acknowledged + 1, start_ms)).await {
            Ok(ack) => acknowledged = ack.last,
            Err(ApplyError::Unavailable(_)) => refused += 1,
            Err(ApplyError::Refused(why) | ApplyError::Foreign(why)) => {
                panic!("a good block is refused: {why}")
            }
        }
        // The store may fail too: then the journal keeps what was acknowledged.
        if acknowledged % 10 == 0 {
            let _ = aggregator.checkpoint().await;
        }
        assert!(acknowledged < 1_500, "the disk is not full yet");
    }
    assert!(aggregator.reader().counts().failed_writes > 0);
    let aggregator = make_room(aggregator, &store, acknowledged, start_ms).await;
    let next = aggregator.apply(block(acknowledged + 1, start_ms)).await.expect("there is room again");
    assert_eq!(next.last, acknowledged + 1);
    aggregator.checkpoint().await.expect("the store is open again");
    assert_eq!(flows(&aggregator, start_ms), Some((acknowledged + 1) as f64));
    aggregator.close();
}

/// Makes the disk larger, and checks that what was acknowledged is there: at once, and when opened again.
async fn make_room(
    aggregator: Arc<Aggregator>,
    store: &Path,
    acknowledged: u64,
    start_ms: u64,
) -> Arc<Aggregator> {
    let mut command = Command::new("mount");
    let disk = store.parent().expect("the store lies on the disk");
    command.args(["-o", "remount,size=200m"]).arg(disk);
    output_of(command);
    aggregator.checkpoint().await.expect("there is room again");
    assert_eq!(flows(&aggregator, start_ms), Some(acknowledged as f64));
    aggregator.close();
    drop(aggregator);
    let again = Aggregator::open(&config(), store).expect("it opens again");
    assert_eq!(flows(&again, start_ms), Some(acknowledged as f64));
    again
}
