//! Random blocks in random order, twice, early and late, with crashes in between, against a plain model.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{DAY0, HOUR, Hand, SLOT, open, query};
use crate::aggregate::Aggregator;
use crate::aggregate::view::{Class, Metric, Value};
use crate::slot::{Addition, Block, ChannelKey, Counters, Row, Tally, encode};

const CHANNELS: [&str; 2] = ["http", "dns"];
const SOURCES: [&str; 2] = ["s", "t"];
/// Raw, minute, five minutes, hour, day.
const STEPS: [u64; 5] = [SLOT, 60_000, 300_000, HOUR, 24 * HOUR];

#[derive(Clone, Debug)]
enum Step {
    /// The next block of a spool: slots back from now, covered, both channels or one, rows.
    Next {
        spool: u8,
        back: u64,
        covered: u32,
        both: bool,
        rows: Vec<(u8, u8, u8, u32)>,
    },
    /// A block that was applied before.
    Again {
        spool: u8,
        back: u8,
    },
    /// The block after the next.
    Early {
        spool: u8,
    },
    /// Time passes.
    Pass {
        seconds: u64,
    },
    Checkpoint,
    /// What a process leaves that is killed now, opened again.
    Kill,
    /// An orderly stop and start.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let rows = prop::collection::vec((0..2u8, 0..2u8, 0..4u8, 0..1_000u32), 0..5);
    let next = (0..3u8, prop_oneof![0..4u64, 0..300u64], 0..2_001u32, any::<bool>(), rows)
        .prop_map(|(spool, back, covered, both, rows)| Step::Next { spool, back, covered, both, rows });
    prop_oneof![
        12 => next,
        2 => (0..3u8, 0..4u8).prop_map(|(spool, back)| Step::Again { spool, back }),
        1 => (0..3u8).prop_map(|spool| Step::Early { spool }),
        4 => prop_oneof![1..20u64, 1..900u64].prop_map(|seconds| Step::Pass { seconds }),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::Kill),
        1 => Just(Step::Restart),
    ]
}

/// What should have been counted: everything, kept plainly.
#[derive(Default)]
struct Model {
    sent: BTreeMap<u8, Vec<Block>>,
    /// (slot, channel, source) to counters.
    rows: BTreeMap<(u64, usize, usize), Counters>,
    /// (slot, channel, spool) to covered milliseconds.
    covered: BTreeMap<(u64, usize, u8), u64>,
}

impl Model {
    fn block(&mut self, spool: u8, number: u64, now: u64, step: &Step) -> Block {
        let Step::Next { back, covered, both, rows, .. } = step else { unreachable!("only for Next") };
        let slot = (now - now % SLOT) - back * SLOT;
        let count = if *both { 2 } else { 1 };
        let row = |(channel, source, class, n): &(u8, u8, u8, u32)| {
            let tally =
                Tally { flows: u64::from(*n), packets: u64::from(*n) * 3, bytes: u64::from(*n) << 20 };
            let mut counters = Counters { events: u64::from(*n) % 3, ..Counters::default() };
            *[&mut counters.tcp, &mut counters.udp, &mut counters.icmp, &mut counters.other]
                [usize::from(*class)] = tally;
            Row { channel: u32::from(*channel) % count, source: u32::from(*source), counters }
        };
        let key = |channel: &&str| ChannelKey { profile: "default/p".into(), channel: (*channel).into() };
        Block {
            spool: u128::from(spool) + 1,
            number,
            first: number,
            edge: format!("edge{spool}"),
            made_ms: now,
            slot_ms: SLOT as u32,
            channels: CHANNELS[..count as usize].iter().map(key).collect(),
            sources: SOURCES.iter().map(|s| (*s).into()).collect(),
            additions: vec![Addition {
                slot_start_ms: slot,
                covered_ms: *covered,
                rows: rows.iter().map(row).collect(),
            }],
            ..Block::default()
        }
    }

    fn count(&mut self, spool: u8, block: &Block) {
        for addition in &block.additions {
            for row in &addition.rows {
                let key = (addition.slot_start_ms, row.channel as usize, row.source as usize);
                self.rows.entry(key).or_default().add(&row.counters);
            }
            for channel in 0..block.channels.len() {
                let key = (addition.slot_start_ms, channel, spool);
                *self.covered.entry(key).or_default() += u64::from(addition.covered_ms);
            }
        }
    }

    /// A slot is covered as long as by the edge that covered it longest; longer buckets by the sum, at most
    /// their length.
    fn covered(&self, channel: usize, level: usize, start: u64) -> u64 {
        let slots = self.covered.range((start, 0, 0)..(start + STEPS[level], 0, 0));
        let mut by_slot: BTreeMap<u64, u64> = BTreeMap::new();
        for ((slot, at, _), ms) in slots.filter(|((_, at, _), _)| *at == channel) {
            let _ = at;
            let longest = by_slot.entry(*slot).or_default();
            *longest = (*longest).max(*ms);
        }
        match level {
            0 => by_slot.values().sum(),
            1 => by_slot.values().sum::<u64>().min(60_000.max(by_slot.values().copied().max().unwrap_or(0))),
            _ => (start..start + STEPS[level])
                .step_by(STEPS[level - 1] as usize)
                .map(|child| self.covered(channel, level - 1, child))
                .sum::<u64>()
                .min(STEPS[level]),
        }
    }

    fn sum(&self, channel: usize, source: Option<usize>, start: u64, end: u64) -> Counters {
        let mut sum = Counters::default();
        let rows = self.rows.range((start, 0, 0)..(end, 0, 0));
        for (_, counters) in
            rows.filter(|((_, c, s), _)| *c == channel && source.is_none_or(|source| *s == source))
        {
            sum.add(counters);
        }
        sum
    }

    /// Bits a second, from the largest one-minute average in thousandths of bytes.
    fn maximum(&self, channel: usize, source: Option<usize>, start: u64, end: u64) -> f64 {
        let average = |minute: u64| {
            let bytes = u128::from(self.sum(channel, source, minute, minute + 60_000).all().bytes);
            (bytes * 1_000_000).checked_div(u128::from(self.covered(channel, 1, minute))).unwrap_or(0)
        };
        let largest = (start..end).step_by(60_000).map(average).max().unwrap_or(0);
        largest as f64 * 8.0 / 1_000.0
    }
}

struct World {
    folder: TempDir,
    hand: Hand,
    now: u64,
    aggregator: Option<Arc<Aggregator>>,
    model: Model,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Before midnight, so that hours and a day close while it runs.
        let now = DAY0 - 20 * 60_000;
        let hand = Hand::at(now);
        let aggregator = Some(open(folder.path(), &hand));
        Self { folder, hand, now, aggregator, model: Model::default() }
    }

    fn aggregator(&self) -> &Aggregator {
        self.aggregator.as_deref().unwrap()
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Next { spool, .. } => {
                let number = self.model.sent.entry(*spool).or_default().len() as u64 + 1;
                let block = self.model.block(*spool, number, self.now, step);
                let ack = self.aggregator().apply(encode(&block)).await.unwrap();
                assert_eq!(ack.last, number);
                self.model.count(*spool, &block);
                self.model.sent.entry(*spool).or_default().push(block);
            }
            Step::Again { spool, back } => {
                let sent = self.model.sent.get(spool).map_or(&[] as &[Block], Vec::as_slice);
                if let Some(block) = sent.iter().rev().nth(usize::from(*back)) {
                    let ack = self.aggregator().apply(encode(block)).await.unwrap();
                    assert_eq!(ack.last, sent.len() as u64);
                }
            }
            Step::Early { spool } => {
                let Some(last) = self.model.sent.get(spool).and_then(|sent| sent.last()).cloned() else {
                    return;
                };
                let early = Block { number: last.number + 2, first: last.number + 2, ..last.clone() };
                let ack = self.aggregator().apply(encode(&early)).await.unwrap();
                assert_eq!(ack.last, last.number);
            }
            Step::Pass { seconds } => {
                self.now += seconds * 1_000;
                self.hand.set(self.now);
            }
            Step::Checkpoint => self.aggregator().checkpoint().await.unwrap(),
            Step::Kill => {
                let left = copy(self.folder.path());
                self.stop();
                self.folder = left;
                self.aggregator = Some(open(self.folder.path(), &self.hand));
            }
            Step::Restart => {
                self.stop();
                self.aggregator = Some(open(self.folder.path(), &self.hand));
            }
        }
    }

    fn stop(&mut self) {
        if let Some(aggregator) = self.aggregator.take() {
            aggregator.close();
        }
    }

    fn compare(&self) {
        let (from, to) = (DAY0 - 2 * HOUR, DAY0 + 4 * HOUR);
        for (level, step) in STEPS.iter().enumerate() {
            let from = from - from % step;
            let to = to.next_multiple_of(*step);
            for sources in [vec![], SOURCES.map(String::from).to_vec()] {
                self.compare_level(level, from, to, &sources);
            }
        }
    }

    fn compare_level(&self, level: usize, from: u64, to: u64, sources: &[String]) {
        let step = STEPS[level];
        let reader = self.aggregator().reader();
        let ask = |value, metric, class| {
            let mut query = query(from, to, step, value);
            (query.sources, query.metric, query.class) = (sources.to_vec(), metric, class);
            // A source is known once something came from it.
            reader.series(&query).ok()
        };
        let sums = ask(Value::Sum, Metric::Flows, Class::All);
        let events = ask(Value::Sum, Metric::Events, Class::All);
        let udp = ask(Value::Sum, Metric::Packets, Class::Udp);
        let maxima = if level > 0 { ask(Value::Max, Metric::Bytes, Class::All) } else { None };
        for (at, start) in (from..to).step_by(step as usize).enumerate() {
            for series in [&sums, &events, &udp, &maxima].into_iter().flatten() {
                for line in &series.lines {
                    let channel = CHANNELS.iter().position(|name| **name == line.channel).unwrap();
                    let source =
                        line.source.as_ref().map(|s| SOURCES.iter().position(|name| name == s).unwrap());
                    let covered = self.model.covered(channel, level, start);
                    let counters = self.model.sum(channel, source, start, start + step);
                    let (value, is_max) = if std::ptr::eq(series, sums.as_ref().unwrap()) {
                        (counters.all().flows as f64, false)
                    } else if std::ptr::eq(series, events.as_ref().unwrap()) {
                        (counters.events as f64, false)
                    } else if std::ptr::eq(series, udp.as_ref().unwrap()) {
                        (counters.udp.packets as f64, false)
                    } else {
                        (self.model.maximum(channel, source, start, start + step), true)
                    };
                    let expected = (covered > 0 || (value > 0.0 && !is_max)).then_some(value);
                    let place = format!("{} {:?} step {step} at {start}", line.channel, line.source);
                    assert_eq!(line.values[at], expected, "{place}");
                    if sources.is_empty() && line.channel == "http" {
                        assert_eq!(series.covered_ms[at], covered, "covered {place}");
                    }
                }
            }
        }
    }
}

/// What is on the disk now: what a killed process leaves.
pub(super) fn copy(folder: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.path().join(file.file_name())).unwrap();
    }
    to
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_resolution_equals_the_plain_model_whatever_comes_and_is_killed_when(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            for (at, step) in steps.iter().enumerate() {
                world.take(step).await;
                if at % 13 == 12 || matches!(step, Step::Kill) {
                    world.compare();
                }
            }
            world.compare();
            // Days later everything is derived: the same again.
            world.take(&Step::Pass { seconds: 26 * 3_600 }).await;
            world.take(&Step::Checkpoint).await;
            world.compare();
            world.stop();
        });
    }
}
