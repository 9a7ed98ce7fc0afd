//! What a slot costs the aggregator, in processor time and bytes written to the disk: 20,000 series of one edge, and
//! 1,000 edges of 200 series each.
//!
//! It drives the real aggregator through slots, with its clock moved along, and divides what `/proc/self` says by
//! their number. Bars: at most 5 MB written and 50 ms of processor a slot, with all roll-ups; half a core, so 5 s of
//! processor a slot of 10 s, for the edges.

#![allow(clippy::print_stdout, reason = "its result")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use collector::aggregate::view::{Class, Metric, SeriesQuery, Value};
use collector::aggregate::{Aggregator, Limits};
use collector::slot::{Addition, Block, ChannelKey, Counters, Row, Tally, encode};
use crds::config::{AggregatorConfig, CONFIG_VERSION, ChannelConfig, ProfileConfig, Sign};

/// Slots driven: half an hour and a bit, so that minutes and five minutes close.
const SLOTS: u64 = 200;
const SLOT_MS: u64 = 10_000;
const CUTS: u64 = 5;
const CHANNELS: u32 = 2_000;
const SOURCES: u32 = 10;
/// A UTC midnight, less twenty minutes: an hour and a day close on the way.
const START: u64 = 20_000 * 86_400_000 - 20 * 60_000;

/// Edges that send the same 200 series each, and for how many slots.
const EDGES: u128 = 1_000;
const EDGE_CHANNELS: u32 = 20;
const EDGE_SLOTS: u64 = 3;

fn main() {
    series();
    edges();
}

/// What 1,000 edges cost: each sends five cuts a slot, all at about the same time.
fn edges() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let driver = Driver::open(folder.path());
    let (mut cpu, mut written, mut longest) = (0.0, 0, Duration::ZERO);
    for slot in 0..EDGE_SLOTS {
        let cuts: Vec<Vec<Vec<u8>>> = (0..CUTS).map(|cut| driver.edges_cut(slot * CUTS + cut)).collect();
        let (before, wrote, at) = (cpu_ms(), written_bytes(), Instant::now());
        for blocks in cuts {
            let all = blocks.into_iter().map(|block| driver.aggregator.apply(block));
            let acks = driver.runtime.block_on(futures::future::join_all(all));
            assert!(acks.iter().all(Result::is_ok), "they are applied");
        }
        driver.end_slot(slot);
        longest = longest.max(at.elapsed());
        (cpu, written) = (cpu + cpu_ms() - before, written + written_bytes() - wrote);
    }
    let slots = EDGE_SLOTS as f64;
    println!("{EDGES} edges of {} series, {EDGE_SLOTS} slots of {CUTS} cuts each", EDGE_CHANNELS * SOURCES);
    println!("processor: {:.2} s a slot (bar 5)", cpu / 1e3 / slots);
    println!(
        "written: {:.1} MB a slot; longest slot: {:.0} ms",
        written as f64 / 1e6 / slots,
        longest.as_secs_f64() * 1e3
    );
}

fn series() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let driver = Driver::open(folder.path());
    let (cpu, written) = (cpu_ms(), written_bytes());
    let (mut making, mut worst) = (Duration::ZERO, Duration::ZERO);
    for slot in 0..SLOTS {
        let at = Instant::now();
        let blocks = driver.blocks(slot);
        making += at.elapsed();
        let at = Instant::now();
        driver.apply(slot, blocks);
        worst = worst.max(at.elapsed());
    }
    let slots = SLOTS as f64;
    let cpu = (cpu_ms() - cpu - making.as_secs_f64() * 1_000.0) / slots;
    println!("20,000 series, {SLOTS} slots of {CUTS} cuts each");
    println!("processor: {cpu:.1} ms a slot (bar 50)");
    println!("written: {:.2} MB a slot (bar 5)", (written_bytes() - written) as f64 / 1e6 / slots);
    println!("longest slot: {:.0} ms; file: {:.1} MB", worst.as_secs_f64() * 1e3, driver.stored_mb());
    driver.read("one channel, raw, all slots", SLOT_MS, &["channel 7"]);
    driver.read("one channel, minutes", 60_000, &["channel 7"]);
    driver.read("2,000 channels, raw, all slots", SLOT_MS, &[]);
}

struct Driver {
    aggregator: Arc<Aggregator>,
    clock: Arc<AtomicU64>,
    runtime: tokio::runtime::Runtime,
    template: Block,
}

impl Driver {
    fn open(folder: &Path) -> Self {
        let clock = Arc::new(AtomicU64::new(START));
        let hand = Arc::clone(&clock);
        let tell = Arc::new(move || hand.load(Ordering::SeqCst));
        let aggregator = Aggregator::open_with(&config(), folder, Limits::default(), tell).expect("it opens");
        let key = |n| ChannelKey { profile: "default/p".into(), channel: format!("channel {n}") };
        let template = Block {
            spool: 1,
            edge: "edge".into(),
            slot_ms: SLOT_MS as u32,
            channels: (0..CHANNELS).map(key).collect(),
            sources: (0..SOURCES).map(|n| format!("source {n}")).collect(),
            ..Block::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Self { aggregator, clock, runtime, template }
    }

    /// The cuts of a slot: every series counts something in each.
    fn blocks(&self, slot: u64) -> Vec<Vec<u8>> {
        let mut state = slot + 1;
        let mut random = |from: u64, to: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            from + state % (to - from)
        };
        let mut cut = |n: u64| {
            let number = slot * CUTS + n + 1;
            let mut row = |series: u32| {
                let flows = random(1, 50);
                let tcp = Tally { flows, packets: flows * 7, bytes: flows * random(500, 9_000) };
                let counters = Counters { tcp, ..Counters::default() };
                Row { channel: series / SOURCES, source: series % SOURCES, counters }
            };
            let rows = (0..CHANNELS * SOURCES).map(&mut row).collect();
            let slot_start_ms = START + slot * SLOT_MS;
            let addition = Addition { slot_start_ms, covered_ms: (SLOT_MS / CUTS) as u32, rows };
            encode(&Block { number, first: number, additions: vec![addition], ..self.template.clone() })
        };
        (0..CUTS).map(&mut cut).collect()
    }

    fn apply(&self, slot: u64, blocks: Vec<Vec<u8>>) {
        for block in blocks {
            self.runtime.block_on(self.aggregator.apply(block)).expect("it is applied");
        }
        self.end_slot(slot);
    }

    /// One cut of every edge: each of its 200 series counts something.
    fn edges_cut(&self, number: u64) -> Vec<Vec<u8>> {
        let row = |series: u32| {
            let flows = 1 + (u64::from(series) + number) % 49;
            let tcp = Tally { flows, packets: flows * 7, bytes: flows * 5_000 };
            let counters = Counters { tcp, ..Counters::default() };
            Row { channel: series / SOURCES, source: series % SOURCES, counters }
        };
        let rows: Vec<Row> = (0..EDGE_CHANNELS * SOURCES).map(row).collect();
        let slot_start_ms = START + number / CUTS * SLOT_MS;
        let addition = Addition { slot_start_ms, covered_ms: (SLOT_MS / CUTS) as u32, rows };
        let block = |edge: u128| Block {
            spool: edge + 1,
            number: number + 1,
            first: number + 1,
            edge: format!("edge {edge}"),
            channels: self.template.channels[..EDGE_CHANNELS as usize].to_vec(),
            additions: vec![addition.clone()],
            ..self.template.clone()
        };
        (0..EDGES).map(|edge| encode(&block(edge))).collect()
    }

    fn end_slot(&self, slot: u64) {
        self.clock.store(START + (slot + 1) * SLOT_MS + 5_000, Ordering::SeqCst);
        self.runtime.block_on(self.aggregator.checkpoint()).expect("it is stored");
    }

    fn read(&self, what: &str, step_ms: u64, channels: &[&str]) {
        let query = SeriesQuery {
            profile: "default/p".into(),
            from_ms: START,
            to_ms: START + SLOTS * SLOT_MS,
            step_ms: Some(step_ms),
            channels: channels.iter().map(|name| (*name).to_owned()).collect(),
            sources: vec![],
            metric: Metric::Bytes,
            class: Class::All,
            value: Value::Rate,
        };
        let at = Instant::now();
        let series = self.aggregator.reader().series(&query).expect("it answers");
        let points: usize = series.lines.iter().map(|line| line.values.len()).sum();
        println!("read {what}: {:.1} ms for {points} points", at.elapsed().as_secs_f64() * 1e3);
    }

    fn stored_mb(&self) -> f64 {
        self.aggregator.reader().stored_bytes() as f64 / 1e6
    }
}

fn config() -> AggregatorConfig {
    let channel = |n| ChannelConfig {
        name: format!("channel {n}"),
        filter: String::new(),
        sources: vec![],
        sign: Sign::Plus,
        color: "#000000".into(),
        order: n + 1,
    };
    let profile = ProfileConfig {
        name: "default/p".into(),
        display_name: "p".into(),
        description: String::new(),
        group: String::new(),
        channels: (0..CHANNELS).map(channel).collect(),
        top: vec![],
    };
    AggregatorConfig {
        version: CONFIG_VERSION.into(),
        collector: "default/c".into(),
        slot_ms: SLOT_MS as u32,
        retention: vec![],
        storage_path: None,
        sources: vec![],
        profiles: vec![profile],
    }
}

/// User and system time of this process; the kernel counts in hundredths of a second.
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u32>().ok());
    f64::from(ticks.sum::<u32>()) * 10.0
}

/// Bytes that this process sent towards the disk.
fn written_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").expect("Linux");
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}
