//! Counts per channel, source and slot; the largest keys of each `top[]` element.
//!
//! Accounting is exact: packets and bytes are scaled by the sampling rate, rounded once per record, and added.
//! Counters lie source by source, in blocks of 64 channels that are made on first hit; past their bound a
//! source's flows count under the source `other`, and are themselves counted. What was counted leaves at a
//! cut ([`Accounts::cut`]), every two seconds, as additions to slots.

mod cells;
mod clock;
mod lags;
mod measure;
mod sums;
mod top;

pub use cells::MAX_CELL_BYTES;
pub use top::{Element, UnknownElement};

use crds::config::ProfileConfig;

use self::cells::Cells;
use self::clock::SlotClock;
use self::lags::Lags;
use self::measure::{Measure, Measures};
use self::sums::Sums;
use self::top::Tops;
use crate::flow::{Batch, ChannelGroup, Column, ColumnSet, Hits, Run};
use crate::slot::{Addition, ChannelKey, Counters, LIVE, Row, SourceLags, TopWindow};

/// What a cut takes out.
#[derive(Debug, Default)]
pub struct Counted {
    /// Every channel that was counted, `live`'s last.
    pub channels: Vec<ChannelKey>,
    /// Additions to slots.
    pub additions: Vec<Addition>,
    /// Windows that closed.
    pub tops: Vec<TopWindow>,
    /// How late records told of their flows.
    pub lags: Vec<SourceLags>,
    /// Flows that counted under `other` because the counters' memory was full.
    pub overflowed: u64,
}

/// The counters of one slot since the last cut.
#[derive(Debug)]
struct OpenSlot {
    start_ms: u64,
    cells: Cells,
    /// By group of broad channels: each stands for all its channels.
    groups: Cells,
    live: Cells,
}

/// The counters of all channels of one plan.
#[derive(Debug)]
pub struct Accounts {
    channels: Vec<ChannelKey>,
    /// The channels of each group of broad channels that was counted.
    groups: Vec<Vec<u16>>,
    clock: SlotClock,
    slots: Vec<OpenSlot>,
    spare: Vec<OpenSlot>,
    tops: Tops,
    lags: Lags,
    measures: Measures,
    overflowed: u64,
}

impl Accounts {
    /// Counters for the channels of `profiles`, flat and in their order; slots of `slot_ms` milliseconds.
    ///
    /// # Errors
    /// When a `top[]` names an element that this version does not rank.
    pub fn new(slot_ms: u32, profiles: &[ProfileConfig]) -> Result<Self, UnknownElement> {
        Ok(Self {
            channels: flat_channels(profiles),
            groups: Vec::new(),
            clock: SlotClock::new(u64::from(slot_ms)),
            slots: Vec::new(),
            spare: Vec::new(),
            tops: Tops::new(profiles)?,
            lags: Lags::default(),
            measures: Measures::default(),
            overflowed: 0,
        })
    }

    /// Turns to another plan's channels; to be called right after a cut. The clock goes on.
    ///
    /// # Errors
    /// As [`Accounts::new`]; then nothing has changed.
    pub fn replan(&mut self, profiles: &[ProfileConfig]) -> Result<(), UnknownElement> {
        self.tops = Tops::new(profiles)?;
        self.channels = flat_channels(profiles);
        self.groups.clear();
        self.slots.clear();
        self.spare.clear();
        Ok(())
    }

    /// The columns that `top[]` ranks, beside those of every batch.
    pub fn columns(&self) -> ColumnSet {
        self.tops.columns()
    }

    /// Counts a batch whose channels the filter stage found. Source `other` has the index `other`.
    pub fn add(&mut self, batch: &Batch, hits: &Hits, other: u16) {
        self.measures.take(batch);
        self.tops.take(batch);
        for group in hits.forward.groups() {
            self.remember(group);
        }
        let mut forward = 0;
        let mut reverse = 0;
        for run in batch.runs() {
            let slot = self.clock.slot_of(run.received_ms);
            self.tops.roll(slot);
            self.lags.add(batch, run);
            let index = self.open(slot);
            let Self { slots, measures, tops, overflowed, .. } = self;
            let mut counting =
                Counting { slot: &mut slots[index], measures, tops, overflowed, run, batch, hits, other };
            counting.live();
            forward = counting.pairs(forward, false);
            reverse = counting.pairs(reverse, true);
            counting.groups();
            counting.broad_reverse();
        }
    }

    /// Takes out what was counted since the last cut. `now_ms` is the wall clock, `elapsed_ms` the time since
    /// the last cut by a clock that never steps, `sources` the names by index. `last` also closes the running top-N windows (shutdown).
    pub fn cut(&mut self, now_ms: u64, elapsed_ms: u64, sources: &[String], last: bool) -> Counted {
        let live_from = self.channels.len();
        let mut additions = self.additions(live_from);
        self.clock.cover(now_ms, elapsed_ms, &mut additions);
        let mut slots = std::mem::take(&mut self.slots);
        for slot in &mut slots {
            slot.cells.reset();
            slot.groups.reset();
            slot.live.reset();
        }
        self.spare.append(&mut slots);
        self.spare.truncate(2);
        Counted {
            channels: self.channels(sources),
            additions,
            tops: self.tops.closed(last),
            lags: self.lags.take(),
            overflowed: std::mem::take(&mut self.overflowed),
        }
    }

    /// What a cut would take out now, without taking it: the provisional value of the open slots.
    pub fn peek(&self, now_ms: u64, elapsed_ms: u64) -> Vec<Addition> {
        let mut additions = self.additions(self.channels.len());
        self.clock.clone().cover(now_ms, elapsed_ms, &mut additions);
        additions
    }

    /// The channels that rows' `channel` refers to: the plan's, then one of `live` for each source.
    pub fn channels(&self, sources: &[String]) -> Vec<ChannelKey> {
        let live = |source: &String| ChannelKey { profile: LIVE.to_owned(), channel: source.clone() };
        self.channels.iter().cloned().chain(sources.iter().map(live)).collect()
    }

    fn additions(&self, live_from: usize) -> Vec<Addition> {
        let each = |slot: &OpenSlot| {
            let mut rows = Vec::new();
            slot.groups.collect(|source, group, counters| {
                let channels = self.groups[group].iter();
                rows.extend(channels.map(|channel| row(usize::from(*channel), source, counters)));
            });
            slot.cells.collect(|source, channel, counters| rows.push(row(channel, source, counters)));
            merge(&mut rows);
            slot.live.collect(|source, _, counters| rows.push(row(live_from + source, source, counters)));
            Addition { slot_start_ms: slot.start_ms, covered_ms: 0, rows }
        };
        self.slots.iter().map(each).collect()
    }

    /// A plan's groups are known once they matched something.
    fn remember(&mut self, group: ChannelGroup<'_>) {
        let id = usize::from(group.id);
        if self.groups.len() <= id {
            self.groups.resize(id + 1, Vec::new());
        }
        if self.groups[id].is_empty() {
            self.groups[id].extend_from_slice(group.channels);
        }
    }

    fn open(&mut self, start_ms: u64) -> usize {
        if let Some(index) = self.slots.iter().position(|slot| slot.start_ms == start_ms) {
            return index;
        }
        let channels = self.channels.len();
        let mut slot = self.spare.pop().unwrap_or_else(|| OpenSlot {
            start_ms,
            cells: Cells::new(channels),
            groups: Cells::new(channels),
            live: Cells::new(1),
        });
        slot.start_ms = start_ms;
        self.slots.push(slot);
        self.slots.len() - 1
    }
}

fn row(channel: usize, source: usize, counters: &Counters) -> Row {
    let index = |value| u32::try_from(value).unwrap_or(u32::MAX);
    Row { channel: index(channel), source: index(source), counters: *counters }
}

/// Adds up rows of the same channel and source: one that is looked up as sent may be broad in reverse.
fn merge(rows: &mut Vec<Row>) {
    rows.sort_unstable_by_key(|row| (row.channel, row.source));
    rows.dedup_by(|next, first| {
        let same = (next.channel, next.source) == (first.channel, first.source);
        if same {
            first.counters.add(&next.counters);
        }
        same
    });
}

fn flat_channels(profiles: &[ProfileConfig]) -> Vec<ChannelKey> {
    let keys = |profile: &ProfileConfig| {
        let name = profile.name.clone();
        let key = move |channel: &crds::config::ChannelConfig| ChannelKey {
            profile: name.clone(),
            channel: channel.name.clone(),
        };
        profile.channels.iter().map(key).collect::<Vec<_>>()
    };
    profiles.iter().flat_map(keys).collect()
}

/// One run of a batch on its way into one slot.
struct Counting<'a> {
    slot: &'a mut OpenSlot,
    measures: &'a Measures,
    tops: &'a mut Tops,
    overflowed: &'a mut u64,
    run: &'a Run,
    batch: &'a Batch,
    hits: &'a Hits,
    other: u16,
}

impl Counting<'_> {
    /// Every row counts in its source's channel of `live`.
    fn live(&mut self) {
        let Some(counters) = self.slot.live.at(usize::from(self.run.source), 0) else { return };
        for measure in &self.measures.forward()[self.run.rows()] {
            counters.add(measure);
        }
        if [Column::RevPackets, Column::RevBytes].iter().any(|column| self.run.present.contains(*column)) {
            let reverse = self.run.rows().filter_map(|row| self.measures.reverse(row));
            reverse.for_each(|measure| counters.add(&measure.without_flows()));
        }
    }

    /// Counts the (row, channel) pairs from `at` on that belong to the run; returns where the next run's begin.
    fn pairs(&mut self, at: usize, reverse: bool) -> usize {
        let list = if reverse { &self.hits.reverse } else { &self.hits.forward };
        let end = self.run.start + self.run.len;
        let mut next = at;
        for (row, channel) in list.pairs.get(at..).unwrap_or_default() {
            let row = usize::from(*row);
            if row >= end {
                break;
            }
            if reverse {
                self.count_reverse(row, *channel);
            } else {
                self.count(row, *channel);
            }
            next += 1;
        }
        next
    }

    /// What a group's rows sum up to counts for all its channels: added once, given to each at the cut.
    fn groups(&mut self) {
        for group in self.hits.forward.groups() {
            let mut sums = Sums::default();
            let mut rows = 0;
            for row in group.mask.rows(self.run.rows()) {
                sums.add(&self.measures.forward()[row]);
                rows += 1;
            }
            if rows == 0 {
                continue;
            }
            let id = usize::from(group.id);
            let mut source = usize::from(self.run.source);
            if !self.slot.groups.has_room(source, id) {
                *self.overflowed += rows * group.channels.len() as u64;
                source = usize::from(self.other);
            }
            if let Some(counters) = self.slot.groups.at(source, id) {
                counters.join(&sums);
            }
            if !self.tops.rank_any() {
                continue;
            }
            for channel in group.channels {
                for row in group.mask.rows(self.run.rows()) {
                    self.tops.add(*channel, row, &self.measures.forward()[row]);
                }
            }
        }
    }

    /// The other direction of biflows: whether a flow is new to a channel is told row by row.
    fn broad_reverse(&mut self) {
        for (channel, mask) in self.hits.reverse.broad() {
            for row in mask.rows(self.run.rows()) {
                self.count_reverse(row, channel);
            }
        }
    }

    /// The flow itself counts once: here only if the channel did not already see it as sent.
    fn count_reverse(&mut self, row: usize, channel: u16) {
        let Some(measure) = self.measures.reverse(row) else { return };
        let seen = self.hits.forward.contains(row, channel);
        let measure = if seen { measure.without_flows() } else { measure };
        self.add(channel, &measure);
        self.tops.add_reverse(channel, self.batch, self.run, row, &measure);
    }

    #[inline]
    fn count(&mut self, row: usize, channel: u16) {
        let measures = self.measures;
        let measure = &measures.forward()[row];
        self.add(channel, measure);
        if self.tops.rank_any() {
            self.tops.add(channel, row, measure);
        }
    }

    #[inline]
    fn add(&mut self, channel: u16, measure: &Measure) {
        let source = self.source(usize::from(channel));
        if let Some(counters) = self.slot.cells.at(source, usize::from(channel)) {
            counters.add(measure);
        }
    }

    /// The run's source, or `other` when there is no memory left for the source's counters.
    #[inline]
    fn source(&mut self, channel: usize) -> usize {
        let source = usize::from(self.run.source);
        if self.slot.cells.has_room(source, channel) {
            return source;
        }
        *self.overflowed += 1;
        usize::from(self.other)
    }
}

#[cfg(test)]
mod tests;
