//! Which streams a slot should have heard, and which it did: the part of coverage that is not time.
//!
//! Kept by source. A raw slot counts streams; a roll-up holds the most that were expected and absent in any of
//! its slots, and the sums over all slots, from which shares follow. It is derived anew from the next finer
//! level whenever something is added.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;
use redb::{ReadableTable, Table, WriteTransaction};

use super::grid::{self, GridError};
use super::level::{LEVELS, Levels, MINUTE, RAW};
use super::store::{PRESENCE, StoreError};

const COLUMNS: usize = 8;

/// The streams of one source, or of several, in one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Presence {
    /// The most streams that were expected in any slot: present, or silent for too long.
    pub(super) most_expected: u64,
    /// The most that were absent in any slot.
    pub(super) most_absent: u64,
    /// Streams expected, summed over the slots.
    pub(super) expected: u64,
    /// Streams absent, summed over the slots.
    pub(super) absent: u64,
    /// Sequence units received, each stream in its own unit, without duplicates.
    pub(super) received: u64,
    /// Sequence units that were missing when a later one came ...
    pub(super) missing: u64,
    /// ... and those of them that came late.
    pub(super) found: u64,
}

impl Presence {
    /// Adds another slot, or longer bucket, of the same sources.
    pub(super) fn fold(&mut self, other: &Self) {
        let (expected, absent) = (self.most_expected, self.most_absent);
        self.join(other);
        self.most_expected = expected.max(other.most_expected);
        self.most_absent = absent.max(other.most_absent);
    }

    /// Adds other sources in the same bucket. Above a slot the most of all is at most the sum of the mosts.
    pub(super) fn join(&mut self, other: &Self) {
        self.most_expected += other.most_expected;
        self.most_absent += other.most_absent;
        self.expected += other.expected;
        self.absent += other.absent;
        self.received = self.received.saturating_add(other.received);
        self.missing = self.missing.saturating_add(other.missing);
        self.found = self.found.saturating_add(other.found);
    }

    /// Adds to a raw slot.
    pub(super) fn apply(&mut self, delta: &Delta) {
        self.absent = self.absent.saturating_add_signed(delta.absent);
        self.expected = self.expected.saturating_add_signed(delta.present + delta.absent);
        (self.most_expected, self.most_absent) = (self.expected, self.absent);
        self.count(delta);
    }

    /// Adds sequence units, which alone may come for a slot that is deleted.
    fn count(&mut self, delta: &Delta) {
        self.received = self.received.saturating_add(delta.received);
        self.missing = self.missing.saturating_add(delta.missing);
        self.found = self.found.saturating_add(delta.found);
    }
}

/// By source.
pub(super) type Sources = HashMap<u32, Presence>;

/// What blocks and silence add to one source in one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Delta {
    /// Streams heard.
    pub(super) present: i64,
    /// Streams not heard; negative when they were after all.
    pub(super) absent: i64,
    /// As in [`Presence`].
    pub(super) received: u64,
    /// As in [`Presence`].
    pub(super) missing: u64,
    /// As in [`Presence`].
    pub(super) found: u64,
}

/// Not yet in the store: by slot and source.
pub(super) type Deltas = BTreeMap<u64, HashMap<u32, Delta>>;

/// The entry of a slot and source.
pub(super) fn delta(deltas: &mut Deltas, slot: u64, source: u32) -> &mut Delta {
    deltas.entry(slot).or_default().entry(source).or_default()
}

/// Lays what is not in the store yet over a bucket that holds the slot; `before` is the slot as stored.
pub(super) fn lay_over(bucket: &mut Sources, before: &Sources, deltas: &HashMap<u32, Delta>) {
    for (source, delta) in deltas {
        let mut slot = before.get(source).copied().unwrap_or_default();
        slot.apply(delta);
        let presence = bucket.entry(*source).or_default();
        presence.most_expected = presence.most_expected.max(slot.most_expected);
        presence.most_absent = presence.most_absent.max(slot.most_absent);
        presence.absent = presence.absent.saturating_add_signed(delta.absent);
        presence.expected = presence.expected.saturating_add_signed(delta.present + delta.absent);
        presence.count(delta);
    }
}

/// As stored: a row a source.
pub(super) fn encode(sources: &Sources) -> Vec<u8> {
    let mut rows: Vec<(&u32, &Presence)> = sources.iter().collect();
    rows.sort_unstable_by_key(|(source, _)| **source);
    let mut columns = vec![Vec::new(); COLUMNS];
    for (source, p) in rows {
        let head = [u64::from(*source), p.most_expected, p.most_absent, p.expected, p.absent];
        for (column, value) in
            columns.iter_mut().zip(head.into_iter().chain([p.received, p.missing, p.found]))
        {
            column.push(value);
        }
    }
    grid::encode(&columns)
}

/// The reverse of [`encode`].
pub(super) fn decode(bytes: &[u8]) -> Result<Sources, GridError> {
    let columns = grid::decode(bytes, COLUMNS)?;
    let row = |at: usize| Presence {
        most_expected: columns[1][at],
        most_absent: columns[2][at],
        expected: columns[3][at],
        absent: columns[4][at],
        received: columns[5][at],
        missing: columns[6][at],
        found: columns[7][at],
    };
    Ok(columns[0].iter().enumerate().map(|(at, source)| (*source as u32, row(at))).collect())
}

/// Writes presence in one transaction.
pub(super) struct Writer<'a> {
    table: Table<'a, (u8, u64), &'static [u8]>,
    levels: &'a Levels,
}

impl<'a> Writer<'a> {
    /// Opens the table.
    pub(super) fn new(transaction: &'a WriteTransaction, levels: &'a Levels) -> Result<Self, StoreError> {
        Ok(Self { table: transaction.open_table(PRESENCE)?, levels })
    }

    /// Adds to the slots, derives what they are part of, and deletes what starts before `deleted`.
    pub(super) fn write(mut self, deltas: &Deltas, deleted: &[u64; LEVELS]) -> Result<(), StoreError> {
        let mut touched: [BTreeSet<u64>; LEVELS] = Default::default();
        for (slot, sources) in deltas {
            let Some(level) = (RAW..LEVELS).find(|level| *slot >= deleted[*level]) else { continue };
            let start = self.levels.floor(level, *slot);
            let mut held = self.get(level, start)?;
            for (source, delta) in sources {
                let presence = held.entry(*source).or_default();
                if level == RAW { presence.apply(delta) } else { presence.count(delta) }
            }
            self.table.insert((level as u8, start), encode(&held).as_slice())?;
            touched[level].insert(start);
        }
        for level in MINUTE..LEVELS {
            let due = touched[level - 1].iter().map(|start| self.levels.floor(level, *start));
            for start in due.collect::<BTreeSet<u64>>() {
                self.derive(level, start)?;
                touched[level].insert(start);
            }
        }
        for (level, before) in deleted.iter().enumerate() {
            self.table.retain_in((level as u8, 0)..(level as u8, *before), |_, _| false)?;
        }
        Ok(())
    }

    fn get(&self, level: usize, start: u64) -> Result<Sources, StoreError> {
        let value = self.table.get((level as u8, start))?;
        Ok(value.map(|value| decode(value.value())).transpose()?.unwrap_or_default())
    }

    fn derive(&mut self, level: usize, start: u64) -> Result<(), StoreError> {
        let (finer, end) = ((level - 1) as u8, start + self.levels.step[level]);
        let mut sources = Sources::default();
        for entry in self.table.range((finer, start)..(finer, end))? {
            for (source, presence) in decode(entry?.1.value())? {
                sources.entry(source).or_default().fold(&presence);
            }
        }
        self.table.insert((level as u8, start), encode(&sources).as_slice())?;
        Ok(())
    }
}
