//! Several blocks made one: what a full spool does before it gives anything up, and what becomes of the parts
//! that several workers count.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;

use foldhash::{HashMap, HashMapExt};

use crate::slot::{
    Addition, Block, ChannelKey, Counters, DropReason, Dropped, InterfaceReport, ListenerReport, Lost, Row,
    SourceLags, StreamCounts, StreamFacts, StreamKey, StreamReport, TargetCounts,
};

/// One block for a run of blocks, oldest first, in slots of `slot_ms`: the same sums in fewer rows.
pub fn merged(blocks: &[Block], slot_ms: u32) -> Option<Block> {
    let (oldest, newest) = (blocks.first()?, blocks.last()?);
    let mut counts = Counts::default();
    let mut whole = Block { first: oldest.first, slot_ms, ..header(newest) };
    for block in blocks {
        whole.dropped.add(&block.dropped);
        whole.tops.extend(counts.tops(block));
        counts.add(block, u64::from(slot_ms));
    }
    add_reports(&mut whole, blocks);
    counts.into_block(&mut whole);
    Some(whole)
}

/// A block without its counts, which are given up: the reports of streams and listeners stay.
pub fn without_counts(block: &Block, reason: DropReason) -> Block {
    let mut bare = Block { first: block.first, dropped: block.dropped, ..header(block) };
    // Reports that an earlier block left here are already told as given up.
    let records: u64 = block.streams.iter().map(|report| report.counts.records).sum();
    let records = records.saturating_sub(block.dropped.records());
    let starts = block.additions.iter().map(|addition| addition.slot_start_ms);
    let end_ms = starts.clone().max().map_or(0, |start| start + u64::from(block.slot_ms));
    let time = (starts.min().unwrap_or(0), end_ms);
    bare.dropped.add(&Dropped::new(reason, Lost { blocks: 1, records }, time));
    add_reports(&mut bare, std::slice::from_ref(block));
    bare
}

fn header(block: &Block) -> Block {
    Block {
        spool: block.spool,
        number: block.number,
        first: block.first,
        edge: block.edge.clone(),
        generation: block.generation,
        made_ms: block.made_ms,
        slot_ms: block.slot_ms,
        ..Block::default()
    }
}

/// Counts on their way into another block's indexes.
#[derive(Debug, Default)]
struct Counts {
    channels: Index<ChannelKey>,
    sources: Index<String>,
    lags: BTreeMap<u32, BTreeMap<u16, u32>>,
    slots: BTreeMap<u64, Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    covered_ms: u32,
    rows: BTreeMap<(u32, u32), Counters>,
}

impl Counts {
    fn add(&mut self, block: &Block, slot_ms: u64) {
        let channels: Vec<u32> = block.channels.iter().map(|key| self.channels.of(key)).collect();
        let sources: Vec<u32> = block.sources.iter().map(|name| self.sources.of(name)).collect();
        for lags in &block.lags {
            let Some(source) = sources.get(lags.source as usize) else { continue };
            let held = self.lags.entry(*source).or_default();
            for (bin, count) in &lags.bins {
                let sum = held.entry(*bin).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
        for addition in &block.additions {
            let start = addition.slot_start_ms - addition.slot_start_ms % slot_ms.max(1);
            let slot = self.slots.entry(start).or_default();
            slot.covered_ms = slot.covered_ms.saturating_add(addition.covered_ms);
            for row in &addition.rows {
                let at = (channels.get(row.channel as usize), sources.get(row.source as usize));
                let (Some(channel), Some(source)) = at else { continue };
                slot.rows.entry((*channel, *source)).or_default().add(&row.counters);
            }
        }
    }

    fn tops(&mut self, block: &Block) -> Vec<crate::slot::TopWindow> {
        let again = |window: &crate::slot::TopWindow| {
            let key = block.channels.get(window.channel as usize)?;
            Some(crate::slot::TopWindow { channel: self.channels.of(key), ..window.clone() })
        };
        block.tops.iter().filter_map(again).collect()
    }

    fn into_block(self, block: &mut Block) {
        block.channels = self.channels.values;
        block.sources = self.sources.values;
        let lags = |(source, bins): (u32, BTreeMap<u16, u32>)| SourceLags {
            source,
            bins: bins.into_iter().collect(),
        };
        block.lags = self.lags.into_iter().map(lags).collect();
        let addition = |(slot_start_ms, slot): (u64, Slot)| Addition {
            slot_start_ms,
            covered_ms: slot.covered_ms,
            rows: slot
                .rows
                .into_iter()
                .map(|((channel, source), counters)| Row { channel, source, counters })
                .collect(),
        };
        block.additions = self.slots.into_iter().map(addition).collect();
    }
}

/// Values in the order in which they were first seen, and where each stands.
#[derive(Debug)]
struct Index<T> {
    values: Vec<T>,
    places: HashMap<T, u32>,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { values: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Index<T> {
    fn of(&mut self, value: &T) -> u32 {
        if let Some(place) = self.places.get(value) {
            return *place;
        }
        let place = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value.clone());
        self.places.insert(value.clone(), place);
        place
    }
}

/// Adds up the reports of all blocks, the newest saying how each stream stands.
fn add_reports(into: &mut Block, blocks: &[Block]) {
    let mut streams: BTreeMap<StreamKey, StreamReport> = BTreeMap::new();
    let mut listeners: BTreeMap<String, ListenerReport> = BTreeMap::new();
    let mut facts: BTreeMap<StreamKey, StreamFacts> = BTreeMap::new();
    let mut targets: BTreeMap<String, TargetCounts> = BTreeMap::new();
    for block in blocks {
        for report in &block.streams {
            let earlier = streams.remove(&report.key);
            let mut whole = report.clone();
            let (mut counts, mut before) = (StreamCounts::default(), report.nonstandard);
            if let Some(earlier) = earlier {
                whole.first_seen_ms = earlier.first_seen_ms;
                keep_interfaces(&mut whole, &earlier);
                (counts, before) = (earlier.counts, earlier.nonstandard);
            }
            report.add_to(&mut counts, before);
            streams.insert(report.key.clone(), StreamReport { counts, ..whole });
        }
        facts.extend(block.facts.iter().map(|facts| (facts.key.clone(), facts.clone())));
        for report in &block.listeners {
            match listeners.get_mut(&report.listener) {
                Some(sum) => sum.add(report),
                None => _ = listeners.insert(report.listener.clone(), report.clone()),
            }
        }
        for counts in &block.targets {
            match targets.get_mut(&counts.target) {
                Some(sum) => sum.add(counts),
                None => _ = targets.insert(counts.target.clone(), counts.clone()),
            }
        }
    }
    into.streams = streams.into_values().collect();
    into.facts = facts.into_values().collect();
    into.listeners = listeners.into_values().collect();
    into.targets = targets.into_values().collect();
}

/// Interfaces of which the newer report says nothing stand as they did.
fn keep_interfaces(newest: &mut StreamReport, old: &StreamReport) {
    let named = |report: &InterfaceReport| (report.class, report.index);
    let said: HashSet<_> = newest.interfaces.iter().map(named).collect();
    let others = old.interfaces.iter().filter(|interface| !said.contains(&named(interface)));
    newest.interfaces.extend(others.cloned());
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::slot::{Epoch, Numbering, SequenceUnit, Tally, Waiting};

    /// A block with one row of `flows` in the slot at `at`, and one stream that decoded as many records.
    pub(in crate::ship) fn block(at: u64, channel: &str, flows: u64) -> Block {
        let tcp = Tally { flows, packets: 0, bytes: 0 };
        let counters = Counters { tcp, ..Counters::default() };
        Block {
            edge: "edge".into(),
            made_ms: at + 2_000,
            slot_ms: 10_000,
            channels: vec![ChannelKey { profile: "default/p".into(), channel: channel.into() }],
            sources: vec!["s".into()],
            additions: vec![Addition {
                slot_start_ms: at - at % 10_000,
                covered_ms: 2_000,
                rows: vec![Row { channel: 0, source: 0, counters }],
            }],
            streams: vec![report(flows)],
            ..Block::default()
        }
    }

    fn report(records: u64) -> StreamReport {
        StreamReport {
            key: StreamKey {
                listener: "netflow".into(),
                exporter: "192.0.2.1".parse().unwrap(),
                port: 5,
                protocol: "netflow5".into(),
                domain: 0,
                agent: None,
            },
            source: "s".into(),
            unit: SequenceUnit::Flows,
            nonstandard: None,
            first_seen_ms: 0,
            last_seen_ms: 0,
            sampling_rate: None,
            rate_unknown: false,
            interfaces: vec![],
            clock_skew_ms: None,
            next_sequence: u32::try_from(records).unwrap(),
            epoch: Epoch::default(),
            waiting: Waiting::default(),
            counts: StreamCounts { records, ..StreamCounts::default() },
        }
    }

    fn sum(block: &Block) -> u64 {
        block.additions.iter().flat_map(|a| &a.rows).map(|row| row.counters.all().flows).sum()
    }

    #[test]
    fn merging_keeps_every_sum_in_longer_slots_and_the_newest_watermark() {
        let mut blocks =
            [block(0, "a", 3), block(20_000, "b", 4), block(50_000, "a", 5), block(60_000, "a", 6)];
        for (number, block) in (7..).zip(&mut blocks) {
            (block.first, block.number) = (number, number);
        }
        let whole = merged(&blocks, 60_000).unwrap();
        assert_eq!((whole.first, whole.number, whole.slot_ms), (7, 10, 60_000));
        assert_eq!(sum(&whole), 18);
        let slots: Vec<_> =
            whole.additions.iter().map(|a| (a.slot_start_ms, a.covered_ms, a.rows.len())).collect();
        assert_eq!(slots, [(0, 6_000, 2), (60_000, 2_000, 1)]);
        assert_eq!(
            (whole.streams.len(), whole.streams[0].counts.records, whole.streams[0].next_sequence),
            (1, 18, 6)
        );
    }

    #[test]
    fn merging_keeps_the_newest_that_is_known_of_each_interface() {
        let mut blocks = [block(0, "a", 1), block(0, "a", 1), block(0, "a", 1)];
        let interface = |index, name: &str| InterfaceReport {
            index,
            name: Some(name.to_owned()),
            ..InterfaceReport::default()
        };
        blocks[0].streams[0].interfaces = vec![interface(1, "old"), interface(2, "other")];
        blocks[1].streams[0].interfaces = vec![interface(1, "new")];
        let whole = merged(&blocks, 10_000).unwrap();
        assert_eq!(whole.streams[0].interfaces, [interface(1, "new"), interface(2, "other")]);
    }

    #[test]
    fn what_was_counted_by_numbers_that_turned_out_to_mean_something_else_is_not_merged() {
        let mut blocks = [block(0, "a", 3), block(2_000, "a", 4), block(4_000, "a", 5)];
        for (block, nonstandard) in
            blocks.iter_mut().zip([None, Some(Numbering::Packets), Some(Numbering::Packets)])
        {
            let report = &mut block.streams[0];
            report.nonstandard = nonstandard;
            (report.counts.received, report.counts.missing) = (10, 1);
        }
        let counts = &merged(&blocks, 10_000).unwrap().streams[0].counts;
        assert_eq!((counts.records, counts.received, counts.missing), (12, 20, 2));
    }

    #[test]
    fn a_block_that_is_given_up_keeps_its_reports_and_says_what_was_lost() {
        let bare = without_counts(&block(20_000, "a", 9), DropReason::SpoolFull);
        assert!(bare.additions.is_empty());
        assert_eq!(bare.streams[0].counts.records, 9);
        let lost = bare.dropped;
        assert_eq!((lost.blocks(), lost.records(), lost.from_ms, lost.to_ms), (1, 9, 20_000, 30_000));
    }
}
