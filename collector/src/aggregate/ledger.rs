//! The loss ledger at the aggregator: what every stream, listener and export target of every edge counted, in all.

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadTransaction, ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::known::next_sequence;
use super::store::{LISTENERS, STREAMS, StoreError, TARGETS};
use super::view::{ListenerView, StreamView, TargetView};
use crate::slot::{
    Block, Epoch, InterfaceReport, ListenerReport, Numbering, SequenceUnit, SpoolId, StreamCounts, StreamKey,
    StreamReport, TargetCounts, Waiting,
};

/// Targets of one spool that are remembered, those that are gone among them.
const MOST_TARGETS: usize = 256;

/// As many as an edge keeps of one agent.
const MOST_INTERFACES: usize = 2048;

/// A stream's totals.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stream {
    edge: String,
    source: String,
    unit: SequenceUnit,
    nonstandard: Option<Numbering>,
    last_seen_ms: u64,
    sampling_rate: Option<f32>,
    rate_unknown: bool,
    clock_skew_ms: Option<i64>,
    interfaces: BTreeMap<(u32, u32), InterfaceReport>,
    epoch: Epoch,
    waiting: Waiting,
    totals: StreamCounts,
}

impl Stream {
    /// Keeps the newest of each interface, at most [`MOST_INTERFACES`].
    fn note_interfaces(&mut self, reports: &[InterfaceReport]) {
        for report in reports {
            let key = (report.class, report.index);
            if self.interfaces.len() < MOST_INTERFACES || self.interfaces.contains_key(&key) {
                self.interfaces.insert(key, report.clone());
            }
        }
    }
}

/// A listener's totals.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Listener {
    edge: String,
    totals: ListenerReport,
}

/// A target's totals.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Target {
    edge: String,
    totals: TargetCounts,
}

/// All totals, and which of them changed since they were last saved.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    streams: BTreeMap<(SpoolId, StreamKey), Stream>,
    listeners: BTreeMap<(SpoolId, String), Listener>,
    targets: BTreeMap<(SpoolId, String), Target>,
    changed: BTreeSet<(SpoolId, StreamKey)>,
    gone: Vec<(SpoolId, StreamKey)>,
    /// Streams forgotten because others were heard later and the limit was reached.
    pub(super) evicted: u64,
}

impl Ledger {
    /// Adds what a block reports.
    pub(super) fn add(&mut self, block: &Block, limit: usize) {
        for report in &block.streams {
            self.add_stream(block, report);
        }
        for report in &block.listeners {
            let listener = self.listeners.entry((block.spool, report.listener.clone())).or_default();
            listener.edge.clone_from(&block.edge);
            listener.totals.add(report);
        }
        for counts in &block.targets {
            self.add_target(block, counts);
        }
        self.evict(limit);
    }

    fn add_target(&mut self, block: &Block, counts: &TargetCounts) {
        let key = (block.spool, counts.target.clone());
        let of_spool = (block.spool, String::new())..(block.spool.saturating_add(1), String::new());
        if !self.targets.contains_key(&key) && self.targets.range(of_spool).count() >= MOST_TARGETS {
            return;
        }
        let target = self.targets.entry(key).or_default();
        target.edge.clone_from(&block.edge);
        target.totals.add(counts);
    }

    fn add_stream(&mut self, block: &Block, report: &StreamReport) {
        let key = (block.spool, report.key.clone());
        let stream = self.streams.entry(key.clone()).or_insert_with(|| Stream {
            edge: String::new(),
            source: String::new(),
            unit: report.unit,
            nonstandard: report.nonstandard,
            last_seen_ms: 0,
            sampling_rate: None,
            rate_unknown: false,
            clock_skew_ms: None,
            interfaces: BTreeMap::new(),
            epoch: report.epoch,
            waiting: report.waiting,
            totals: StreamCounts::default(),
        });
        stream.edge.clone_from(&block.edge);
        stream.source.clone_from(&report.source);
        stream.unit = report.unit;
        stream.last_seen_ms = stream.last_seen_ms.max(report.last_seen_ms);
        stream.sampling_rate = report.sampling_rate.or(stream.sampling_rate);
        stream.rate_unknown = report.rate_unknown;
        stream.clock_skew_ms = report.clock_skew_ms.or(stream.clock_skew_ms);
        stream.note_interfaces(&report.interfaces);
        stream.epoch = report.epoch;
        stream.waiting = report.waiting;
        report.add_to(&mut stream.totals, stream.nonstandard);
        stream.nonstandard = report.nonstandard;
        self.changed.insert(key);
    }

    /// Forgets an eighth of the streams, those silent for longest, once there are more than `limit`.
    fn evict(&mut self, limit: usize) {
        if self.streams.len() <= limit {
            return;
        }
        let mut ages: Vec<_> = self.streams.iter().map(|(key, s)| (s.last_seen_ms, key.clone())).collect();
        ages.sort_unstable();
        for (_, key) in ages.into_iter().take(self.streams.len() - limit + limit / 8) {
            self.streams.remove(&key);
            self.changed.remove(&key);
            self.gone.push(key);
            self.evicted += 1;
        }
    }

    /// Where each stream of an edge stood in each of its spools, where that is known.
    pub(super) fn marks(&self, edge: &str) -> impl Iterator<Item = (SpoolId, &StreamKey, StreamReport)> {
        let own = self.streams.iter().filter(move |(_, stream)| stream.edge == edge);
        own.filter_map(|((spool, key), s)| {
            let report = StreamReport {
                key: key.clone(),
                source: s.source.clone(),
                unit: s.unit,
                nonstandard: s.nonstandard,
                first_seen_ms: s.last_seen_ms,
                last_seen_ms: s.last_seen_ms,
                sampling_rate: s.sampling_rate,
                rate_unknown: s.rate_unknown,
                interfaces: Vec::new(),
                clock_skew_ms: s.clock_skew_ms,
                next_sequence: next_sequence(&s.epoch, s.nonstandard)?,
                epoch: s.epoch,
                // What waited there is counted there.
                waiting: Waiting::default(),
                counts: StreamCounts::default(),
            };
            Some((*spool, key, report))
        })
    }

    /// Every stream.
    pub(super) fn streams(&self) -> Vec<StreamView> {
        let view = |((_, key), s): (&(SpoolId, StreamKey), &Stream)| StreamView {
            key: key.clone(),
            edge: s.edge.clone(),
            source: s.source.clone(),
            unit: s.unit,
            nonstandard: s.nonstandard,
            last_seen_ms: s.last_seen_ms,
            sampling_rate: s.sampling_rate,
            rate_unknown: s.rate_unknown,
            clock_skew_ms: s.clock_skew_ms,
            interfaces: s.interfaces.values().cloned().collect(),
            epoch: s.epoch,
            waiting: s.waiting,
            totals: s.totals.clone(),
        };
        self.streams.iter().map(view).collect()
    }

    /// Every listener.
    pub(super) fn listeners(&self) -> Vec<ListenerView> {
        let view = |((_, name), l): (&(SpoolId, String), &Listener)| ListenerView {
            edge: l.edge.clone(),
            totals: ListenerReport { listener: name.clone(), ..l.totals.clone() },
        };
        self.listeners.iter().map(view).collect()
    }

    /// Every target.
    pub(super) fn targets(&self) -> Vec<TargetView> {
        let view = |((_, name), t): (&(SpoolId, String), &Target)| TargetView {
            edge: t.edge.clone(),
            totals: TargetCounts { target: name.clone(), ..t.totals.clone() },
        };
        self.targets.iter().map(view).collect()
    }

    /// Reads everything.
    pub(super) fn load(transaction: &ReadTransaction) -> Result<Self, StoreError> {
        let mut ledger = Self::default();
        for entry in transaction.open_table(STREAMS)?.iter()? {
            let (key, value) = entry?;
            let (spool, stream) = key.value();
            let key = (spool, postcard::from_bytes(stream)?);
            ledger.streams.insert(key, postcard::from_bytes(value.value())?);
        }
        for entry in transaction.open_table(LISTENERS)?.iter()? {
            let (key, value) = entry?;
            let (spool, name) = key.value();
            ledger.listeners.insert((spool, name.to_owned()), postcard::from_bytes(value.value())?);
        }
        for entry in transaction.open_table(TARGETS)?.iter()? {
            let (key, value) = entry?;
            let (spool, name) = key.value();
            ledger.targets.insert((spool, name.to_owned()), postcard::from_bytes(value.value())?);
        }
        Ok(ledger)
    }

    /// Writes what changed.
    pub(super) fn save(&self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        let mut table = transaction.open_table(STREAMS)?;
        for (spool, key) in &self.gone {
            table.remove((*spool, postcard::to_stdvec(key)?.as_slice()))?;
        }
        for key in &self.changed {
            if let Some(stream) = self.streams.get(key) {
                let value = postcard::to_stdvec(stream)?;
                table.insert((key.0, postcard::to_stdvec(&key.1)?.as_slice()), value.as_slice())?;
            }
        }
        let mut table = transaction.open_table(LISTENERS)?;
        for ((spool, name), listener) in &self.listeners {
            table.insert((*spool, name.as_str()), postcard::to_stdvec(listener)?.as_slice())?;
        }
        let mut table = transaction.open_table(TARGETS)?;
        for ((spool, name), target) in &self.targets {
            table.insert((*spool, name.as_str()), postcard::to_stdvec(target)?.as_slice())?;
        }
        Ok(())
    }

    /// Everything has been made durable.
    pub(super) fn saved(&mut self) {
        self.changed.clear();
        self.gone.clear();
    }
}
