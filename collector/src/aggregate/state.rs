//! What the aggregator holds in memory: everything that blocks added since the store was last written.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;
use redb::{ReadTransaction, ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::cover::Cover;
use super::facts::Facts;
use super::lags::Lags;
use super::ledger::Ledger;
use super::level::Levels;
use super::names::Names;
use super::presence::{Deltas, delta};
use super::pulse::Pulses;
use super::store::{SPOOLS, StoreError};
use super::tops::{Window, Windows};
use crate::slot::{Block, Counters, Dropped, Row, SpoolId};

/// Slots further ahead of the aggregator's clock than this are not counted: an edge's clock is wrong by more
/// than a time zone.
const AHEAD_MS: u64 = 24 * 3_600_000;

/// How many of each there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Series (channel and source), and channels; past it a new one is refused, counted and named.
    pub series: usize,
    /// Streams in the ledger; past it those silent for longest are forgotten, counted.
    pub streams: usize,
    /// Spools; past it a new one is refused.
    pub spools: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { series: 20_000, streams: 65_536, spools: 10_000 }
    }
}

/// How far a spool has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spool {
    /// The edge's number in [`Cover`].
    pub(super) id: u32,
    /// The edge's name.
    pub(super) edge: String,
    /// The last block applied.
    pub(super) last: u64,
    /// When it was made.
    pub(super) made_ms: u64,
    /// The plan that counted it.
    pub(super) generation: u64,
    /// What the spool gave up, in all.
    pub(super) dropped: Dropped,
}

/// Rows of one part by (channel, source).
pub(super) type Part = HashMap<(u32, u32), Counters>;

/// What came for one raw slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    /// Counts by part.
    pub(super) parts: HashMap<u64, Part>,
    /// Covered time.
    pub(super) cover: Cover,
}

/// Which additions of a block count; the others are in the store already, or cannot be.
pub(super) struct Admission {
    /// The aggregator's clock.
    pub(super) now_ms: u64,
    /// Limits.
    pub(super) limits: Limits,
    /// Slots that are still to be counted when a block is read back from the journal; none: all, and the
    /// reports too.
    pub(super) only: Option<Open>,
}

/// The slots that a checkpoint left in memory: from `from_ms`, and not after `to_ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Open {
    /// Start of the first one.
    pub(super) from_ms: u64,
    /// Start of the last one.
    pub(super) to_ms: u64,
}

impl Open {
    /// Whether a slot was left in memory.
    pub(super) fn holds(&self, slot: u64) -> bool {
        (self.from_ms..=self.to_ms).contains(&slot)
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Names, series.
    pub(super) names: Names,
    /// Spools.
    pub(super) spools: HashMap<SpoolId, Spool>,
    /// Streams, listeners.
    pub(super) ledger: Ledger,
    /// Templates, rates, names.
    pub(super) facts: Facts,
    /// Additions not yet in the store, by raw slot.
    pub(super) slots: BTreeMap<u64, Slot>,
    /// How late records tell of their flows.
    pub(super) lags: Lags,
    /// The streams' rhythm.
    pub(super) pulses: Pulses,
    /// Streams heard and missed, not yet in the store.
    pub(super) presence: Deltas,
    /// Windows not yet in the store.
    pub(super) tops: Windows,
    /// Additions left out because their slots lie too far ahead.
    pub(super) ahead: u64,
    changed_spools: BTreeSet<SpoolId>,
}

impl State {
    /// Reads what is durable.
    pub(super) fn load(transaction: &ReadTransaction) -> Result<Self, StoreError> {
        let mut spools = HashMap::default();
        for entry in transaction.open_table(SPOOLS)?.iter()? {
            let (id, value) = entry?;
            spools.insert(id.value(), postcard::from_bytes::<Spool>(value.value())?);
        }
        let names = Names::load(transaction)?;
        let ledger = Ledger::load(transaction)?;
        let pulses = Pulses::load(transaction)?;
        let lags = Lags::load(transaction)?;
        let facts = Facts::load(transaction)?;
        Ok(Self { names, ledger, facts, lags, pulses, spools, ..Self::default() })
    }

    /// The last block applied of a spool; none: never heard of.
    pub(super) fn last(&self, spool: SpoolId) -> Option<u64> {
        self.spools.get(&spool).map(|s| s.last)
    }

    /// Counts a block that has become durable. Returns the slots that changed.
    pub(super) fn add(&mut self, block: &Block, levels: &Levels, admission: &Admission) -> Vec<u64> {
        let edge = self.edge(block, admission.only.is_none());
        let limit = admission.limits.series;
        let channels: Vec<_> = block.channels.iter().map(|key| self.names.channel(key, limit)).collect();
        let sources: Vec<_> = block.sources.iter().map(|name| self.names.source(name)).collect();
        let plan = self.names.plan_id(channels.iter().copied().flatten().collect());
        let mut changed = Vec::new();
        for addition in &block.additions {
            let slot = levels.floor(0, addition.slot_start_ms);
            if slot > admission.now_ms.saturating_add(AHEAD_MS) {
                self.ahead += 1;
            } else if admission.only.is_none_or(|open| open.holds(slot)) {
                self.add_rows(slot, &addition.rows, &channels, &sources, limit, levels.step[0]);
                if addition.covered_ms > 0 {
                    let cover = &mut self.slots.entry(slot).or_default().cover;
                    *cover.entry((edge, plan)).or_default() += u64::from(addition.covered_ms);
                    channels.iter().flatten().for_each(|c| self.names.seen(*c, slot, slot + levels.step[0]));
                }
                changed.push(slot);
            }
        }
        if admission.only.is_none() {
            self.add_reports(block, &channels, admission.limits);
            self.hear(block, levels.step[0], admission);
        }
        changed
    }

    fn edge(&mut self, block: &Block, count: bool) -> u32 {
        if !self.spools.contains_key(&block.spool) {
            let id = self.spools.values().map(|s| s.id + 1).max().unwrap_or(0);
            self.spools.insert(block.spool, Spool { id, ..Spool::default() });
        }
        let Some(spool) = self.spools.get_mut(&block.spool) else { return 0 };
        if count {
            spool.edge.clone_from(&block.edge);
            spool.last = block.number;
            spool.made_ms = block.made_ms;
            spool.generation = block.generation;
            spool.dropped.add(&block.dropped);
            self.changed_spools.insert(block.spool);
        }
        spool.id
    }

    fn add_rows(
        &mut self,
        slot: u64,
        rows: &[Row],
        channels: &[Option<u32>],
        sources: &[Option<u32>],
        limit: usize,
        slot_ms: u64,
    ) {
        let Self { names, slots, .. } = self;
        let parts = &mut slots.entry(slot).or_default().parts;
        for row in rows {
            let channel = channels.get(row.channel as usize).copied().flatten();
            let source = sources.get(row.source as usize).copied().flatten();
            let (Some(channel), Some(source)) = (channel, source) else { continue };
            if names.admit(channel, source, slot + slot_ms, limit) {
                names.seen(channel, slot, slot + slot_ms);
                let part = parts.entry(names.part(channel)).or_default();
                part.entry((channel, source)).or_default().add(&row.counters);
            }
        }
    }

    fn add_reports(&mut self, block: &Block, channels: &[Option<u32>], limits: Limits) {
        self.ledger.add(block, limits.streams);
        for lags in &block.lags {
            let source = block.sources.get(lags.source as usize).and_then(|name| self.names.source(name));
            if let Some(source) = source {
                self.lags.add(source, &lags.bins, block.made_ms);
            }
        }
        self.facts.add(block);
        for top in &block.tops {
            let Some(channel) = channels.get(top.channel as usize).copied().flatten() else { continue };
            let key = (top.start_ms, channel, format!("{}/{}", top.element, top.order));
            let window = Window::new(top.absent, top.total, &top.entries);
            match self.tops.entry(key) {
                std::collections::hash_map::Entry::Occupied(mut held) => held.get_mut().merge(&window),
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(window);
                }
            }
        }
    }

    /// Notes which streams were heard when, and what was missing.
    fn hear(&mut self, block: &Block, slot_ms: u64, admission: &Admission) {
        let newest_ms = admission.now_ms.saturating_add(AHEAD_MS);
        // What waited for its template reports without a datagram; who got no place is nobody's stream.
        let heard = block.streams.iter().filter(|report| {
            report.counts.datagrams > 0 && report.key.port > 0 && report.last_seen_ms <= newest_ms
        });
        for report in heard {
            let Some(source) = self.names.source(&report.source) else { continue };
            self.pulses.hear((block.spool, report), source, slot_ms, &mut self.presence);
            let slot = report.last_seen_ms - report.last_seen_ms % slot_ms;
            let units = delta(&mut self.presence, slot, source);
            let counts = &report.counts;
            let received = counts.received.saturating_add_signed(counts.inferred);
            units.received += received.saturating_sub(counts.duplicates);
            units.missing += u64::try_from(counts.missing).unwrap_or(0);
            units.found += u64::try_from(counts.missing.saturating_neg()).unwrap_or(0);
        }
        self.pulses.evict(admission.limits.streams);
    }

    /// Writes spools that changed.
    pub(super) fn save_spools(&self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        let mut table = transaction.open_table(SPOOLS)?;
        for id in &self.changed_spools {
            if let Some(spool) = self.spools.get(id) {
                table.insert(*id, postcard::to_stdvec(spool)?.as_slice())?;
            }
        }
        Ok(())
    }

    /// Everything but the slots that stay open has become durable.
    pub(super) fn saved(&mut self, open: &Open) {
        self.names.saved();
        self.ledger.saved();
        self.lags.saved();
        self.pulses.saved();
        self.presence.clear();
        self.facts.saved();
        self.changed_spools.clear();
        self.tops.clear();
        self.slots.retain(|slot, _| open.holds(*slot));
    }
}
