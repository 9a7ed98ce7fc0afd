//! Roll-ups: each derived from the next finer one, once its time is over and again when something is added.

use std::collections::BTreeSet;

use foldhash::HashMap;
use redb::{ReadableTable, Table, WriteTransaction};

use super::bucket::{self, Rows};
use super::cell::{ALL_SOURCES, Cell};
use super::cover;
use super::level::{LEVELS, Levels, MINUTE, RAW};
use super::names::Names;
use super::state::Slot;
use super::store::{COVER, ROWS, StoreError};

type RowTable<'a> = Table<'a, (u8, u64, u64), &'static [u8]>;
type CoverTable<'a> = Table<'a, u64, &'static [u8]>;

/// The tables of one transaction, and what changed in them.
pub(super) struct Buckets<'a> {
    rows: RowTable<'a>,
    cover: CoverTable<'a>,
    names: &'a Names,
    levels: &'a Levels,
    /// Bytes by which each profile's buckets grew.
    pub(super) grown: HashMap<u32, i64>,
    touched: [BTreeSet<u64>; LEVELS],
}

impl<'a> Buckets<'a> {
    /// Opens the tables.
    pub(super) fn open(
        transaction: &'a WriteTransaction,
        names: &'a Names,
        levels: &'a Levels,
    ) -> Result<Self, StoreError> {
        let (rows, cover) = (transaction.open_table(ROWS)?, transaction.open_table(COVER)?);
        Ok(Self { rows, cover, names, levels, grown: HashMap::default(), touched: Default::default() })
    }

    /// Adds to a raw slot.
    pub(super) fn add_slot(&mut self, start: u64, slot: &Slot) -> Result<(), StoreError> {
        for (part, counts) in &slot.parts {
            let mut rows = self.get(RAW, start, *part)?;
            for (key, counters) in counts {
                rows.entry(*key).or_default().cell.sums.add(counters);
            }
            self.put(RAW, start, *part, &rows)?;
        }
        if !slot.cover.is_empty() {
            let mut cover = self.cover_of(start)?;
            cover::add(&mut cover, &slot.cover);
            self.cover.insert(start, cover::encode(&cover).as_slice())?;
        }
        self.touched[RAW].insert(start);
        Ok(())
    }

    /// Adds to the finest roll-up that is still there what came for a slot that is not: sums stay exact,
    /// maxima become lower bounds.
    pub(super) fn add_old(
        &mut self,
        start: u64,
        slot: &Slot,
        deleted: &[u64; LEVELS],
    ) -> Result<(), StoreError> {
        let Some(level) = (MINUTE..LEVELS).find(|level| start >= deleted[*level]) else { return Ok(()) };
        let bucket_start = self.levels.floor(level, start);
        let mut parts: HashMap<u64, Rows> = HashMap::default();
        for (part, counts) in &slot.parts {
            let rows = parts.entry(*part).or_default();
            for (key, sums) in counts {
                let row = rows.entry(*key).or_default();
                row.cell = Cell { sums: *sums, at_least: true, ..Cell::default() };
            }
        }
        for (channel, covered_ms) in cover::by_channel(&slot.cover, self.names.plans()) {
            let rows = parts.entry(self.names.part(channel)).or_default();
            let row = rows.entry((channel, ALL_SOURCES)).or_default();
            row.covered_ms = covered_ms;
            row.cell.at_least = true;
        }
        for (part, more) in parts {
            let mut rows = self.get(level, bucket_start, part)?;
            bucket::fold(&mut rows, &more);
            limit_cover(&mut rows, self.levels.step[level]);
            self.put(level, bucket_start, part, &rows)?;
        }
        self.touched[level].insert(bucket_start);
        Ok(())
    }

    /// Derives what is due: buckets whose time is over at `now_ms`, and earlier ones that were added to.
    /// `rolled` says up to where each level had been derived, and is moved on.
    pub(super) fn roll(&mut self, rolled: &mut [u64; LEVELS], now_ms: u64) -> Result<(), StoreError> {
        for (level, rolled) in rolled.iter_mut().enumerate().skip(MINUTE) {
            let horizon = self.levels.floor(level, now_ms).max(*rolled);
            let mut due: BTreeSet<u64> = self.touched[level - 1]
                .iter()
                .map(|start| self.levels.floor(level, *start))
                .filter(|start| *start < *rolled)
                .collect();
            self.find_new(level, *rolled, horizon, &mut due)?;
            for start in &due {
                let parts = if level == MINUTE { self.minute(*start)? } else { self.coarser(level, *start)? };
                for (part, rows) in parts {
                    self.put(level, *start, part, &rows)?;
                }
            }
            self.touched[level].extend(due);
            *rolled = horizon;
        }
        Ok(())
    }

    /// Starts of buckets of `level` in a range for which the finer level has something.
    fn find_new(&self, level: usize, from: u64, to: u64, due: &mut BTreeSet<u64>) -> Result<(), StoreError> {
        let finer = (level - 1) as u8;
        for entry in self.rows.range((finer, from, 0)..(finer, to, 0))? {
            due.insert(self.levels.floor(level, entry?.0.value().1));
        }
        if level == MINUTE {
            for entry in self.cover.range(from..to)? {
                due.insert(self.levels.floor(level, entry?.0.value()));
            }
        }
        Ok(())
    }

    fn minute(&self, start: u64) -> Result<HashMap<u64, Rows>, StoreError> {
        let end = start + self.levels.step[MINUTE];
        let mut parts = self.children(RAW, start, end)?;
        let mut covered: HashMap<u32, MinuteCover> = HashMap::default();
        for entry in self.cover.range(start..end)? {
            let slot = cover::decode(entry?.1.value())?;
            add_cover(&mut covered, &cover::by_channel(&slot, self.names.plans()));
        }
        for (channel, cover) in covered {
            let rows = parts.entry(self.names.part(channel)).or_default();
            rows.entry((channel, ALL_SOURCES)).or_default().covered_ms = cover.of(self.levels.step[MINUTE]);
        }
        Ok(parts)
    }

    fn coarser(&self, level: usize, start: u64) -> Result<HashMap<u64, Rows>, StoreError> {
        let mut parts = self.children(level - 1, start, start + self.levels.step[level])?;
        parts.values_mut().for_each(|rows| limit_cover(rows, self.levels.step[level]));
        Ok(parts)
    }

    fn children(&self, level: usize, from: u64, to: u64) -> Result<HashMap<u64, Rows>, StoreError> {
        let mut parts: HashMap<u64, Rows> = HashMap::default();
        for entry in self.rows.range((level as u8, from, 0)..(level as u8, to, 0))? {
            let (key, value) = entry?;
            let rows = bucket::decode(level, value.value())?;
            bucket::fold(parts.entry(key.value().2).or_default(), &rows);
        }
        Ok(parts)
    }

    fn cover_of(&self, start: u64) -> Result<cover::Cover, StoreError> {
        Ok(self.cover.get(start)?.map(|value| cover::decode(value.value())).transpose()?.unwrap_or_default())
    }

    fn get(&self, level: usize, start: u64, part: u64) -> Result<Rows, StoreError> {
        let value = self.rows.get((level as u8, start, part))?;
        Ok(value.map(|value| bucket::decode(level, value.value())).transpose()?.unwrap_or_default())
    }

    fn put(&mut self, level: usize, start: u64, part: u64, rows: &Rows) -> Result<(), StoreError> {
        let bytes = bucket::encode(level, rows);
        let before = self.rows.insert((level as u8, start, part), bytes.as_slice())?;
        let before = before.map_or(0, |old| old.value().len());
        *self.grown.entry((part >> 32) as u32).or_default() += bytes.len() as i64 - before as i64;
        Ok(())
    }

    /// Deletes buckets before `deleted`.
    pub(super) fn delete(&mut self, deleted: &[u64; LEVELS]) -> Result<(), StoreError> {
        for (level, before) in deleted.iter().enumerate() {
            let range = (level as u8, 0, 0)..(level as u8, *before, 0);
            for entry in self.rows.extract_from_if(range, |_, _| true)? {
                let (key, value) = entry?;
                *self.grown.entry((key.value().2 >> 32) as u32).or_default() -= value.value().len() as i64;
            }
        }
        self.cover.retain_in(..deleted[RAW], |_, _| false)?;
        Ok(())
    }
}

/// A channel's covered time in the slots of a minute.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MinuteCover {
    sum: u64,
    longest: u64,
}

impl MinuteCover {
    /// At most the bucket's length; a slot that stands for several, because a full spool merged them, is
    /// taken whole.
    pub(super) fn of(self, step: u64) -> u64 {
        self.sum.min(step.max(self.longest))
    }
}

/// Adds one slot's covered times.
pub(super) fn add_cover(minute: &mut HashMap<u32, MinuteCover>, slot: &HashMap<u32, u64>) {
    for (channel, ms) in slot {
        let cover = minute.entry(*channel).or_default();
        cover.sum += ms;
        cover.longest = cover.longest.max(*ms);
    }
}

/// Covered time is at most the bucket's length.
pub(super) fn limit_cover(rows: &mut Rows, step: u64) {
    rows.values_mut().for_each(|row| row.covered_ms = row.covered_ms.min(step));
}
