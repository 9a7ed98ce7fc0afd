//! One consistent view for one question: what is stored, and on top of it what is only in memory yet.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::{HashMap, HashSet};
use redb::{ReadOnlyTable, ReadTransaction};

use super::super::bucket::{self, Rows};
use super::super::cell::ALL_SOURCES;
use super::super::checkpoint::Progress;
use super::super::cover::{self, Cover, Plans};
use super::super::level::{Levels, MINUTE, RAW};
use super::super::presence::{self, Deltas, Sources};
use super::super::rollup::{MinuteCover, add_cover, limit_cover};
use super::super::state::{Slot, State};
use super::super::store::{COVER, PRESENCE, ROWS, StoreError};
use super::super::{PROVISIONAL_MS, Shared, read};
use crate::slot::Provisional;

/// See the module.
pub(super) struct Snapshot {
    transaction: ReadTransaction,
    rows: ReadOnlyTable<(u8, u64, u64), &'static [u8]>,
    cover: ReadOnlyTable<u64, &'static [u8]>,
    presence: ReadOnlyTable<(u8, u64), &'static [u8]>,
    overlay: BTreeMap<u64, Slot>,
    deltas: Deltas,
    plans: Plans,
    wanted: HashSet<u32>,
    parts: BTreeSet<u64>,
    end_ms: u64,
    progress: Progress,
    levels: Levels,
}

impl Snapshot {
    /// Takes the view for some channels.
    pub(super) fn take(shared: &Shared, wanted: HashSet<u32>) -> Result<Self, StoreError> {
        let levels = shared.levels();
        let state = read(&shared.state);
        // The writer changes memory and store under this lock: both are of the same moment.
        let transaction = shared.store.read()?;
        let progress = read(&shared.progress).clone();
        let mut overlay: BTreeMap<u64, Slot> =
            state.slots.iter().map(|(start, slot)| (*start, only(slot, &wanted))).collect();
        let now_ms = (shared.clock)();
        for (came_ms, value) in read(&shared.provisional).values() {
            if now_ms.saturating_sub(*came_ms) < PROVISIONAL_MS {
                lay_over(&mut overlay, &state, value, &wanted, &levels);
            }
        }
        let stored_end =
            state.names.channels().filter(|(id, _)| wanted.contains(id)).map(|(_, c)| c.end_ms).max();
        let overlay_end = overlay.last_key_value().map(|(start, _)| start + levels.step[RAW]);
        let parts = wanted.iter().map(|channel| state.names.part(*channel)).collect();
        let keep = |channels: &Vec<u32>| channels.iter().filter(|c| wanted.contains(c)).copied().collect();
        let plans = state.names.plans().iter().map(|(id, channels)| (*id, keep(channels))).collect();
        let deltas = state.presence.clone();
        drop(state);
        let presence = transaction.open_table(PRESENCE)?;
        let (rows, cover) = (transaction.open_table(ROWS)?, transaction.open_table(COVER)?);
        let end_ms = stored_end.max(overlay_end).unwrap_or(0);
        Ok(Self {
            transaction,
            rows,
            cover,
            presence,
            overlay,
            deltas,
            plans,
            wanted,
            parts,
            end_ms,
            progress,
            levels,
        })
    }

    /// The transaction, for what else is read with it.
    pub(super) fn transaction(&self) -> &ReadTransaction {
        &self.transaction
    }

    /// The rows of a bucket; every channel that was collected has one for [`ALL_SOURCES`].
    pub(super) fn bucket(&self, level: usize, start: u64) -> Result<Rows, StoreError> {
        if start >= self.end_ms {
            return Ok(Rows::default());
        }
        if level == RAW {
            let mut rows = self.slot(start)?;
            for (channel, ms) in cover::by_channel(&self.cover_of(start)?, &self.plans) {
                rows.entry((channel, ALL_SOURCES)).or_default().covered_ms = ms;
            }
            return Ok(rows);
        }
        if self.is_derived(level, start) { self.stored(level, start) } else { self.derive(level, start) }
    }

    /// The streams of a bucket, by source.
    pub(super) fn presence(&self, level: usize, start: u64) -> Result<Sources, StoreError> {
        let mut sources = self.stored_presence(level, start)?;
        for (slot, deltas) in self.deltas.range(start..start + self.levels.step[level]) {
            if level == RAW {
                deltas.iter().for_each(|(source, delta)| sources.entry(*source).or_default().apply(delta));
            } else {
                presence::lay_over(&mut sources, &self.stored_presence(RAW, *slot)?, deltas);
            }
        }
        Ok(sources)
    }

    fn stored_presence(&self, level: usize, start: u64) -> Result<Sources, StoreError> {
        let value = self.presence.get((level as u8, start))?;
        Ok(value.map(|value| presence::decode(value.value())).transpose()?.unwrap_or_default())
    }

    /// Whether the stored bucket holds everything there is.
    fn is_derived(&self, level: usize, start: u64) -> bool {
        let end = start + self.levels.step[level];
        let newer = self.overlay.range(start.max(self.progress.deleted[RAW]).min(end)..end).next();
        start < self.progress.rolled[level] && newer.is_none()
    }

    fn derive(&self, level: usize, start: u64) -> Result<Rows, StoreError> {
        let (step, end) = (self.levels.step[level - 1], start + self.levels.step[level]);
        let mut rows = Rows::default();
        let mut covered: HashMap<u32, MinuteCover> = HashMap::default();
        let mut child = start;
        while child < end.min(self.end_ms) {
            if level == MINUTE {
                bucket::fold(&mut rows, &self.slot(child)?);
                add_cover(&mut covered, &cover::by_channel(&self.cover_of(child)?, &self.plans));
            } else {
                bucket::fold(&mut rows, &self.bucket(level - 1, child)?);
            }
            child += step;
        }
        if level == MINUTE {
            for (channel, cover) in covered {
                rows.entry((channel, ALL_SOURCES)).or_default().covered_ms =
                    cover.of(self.levels.step[level]);
            }
            bucket::set_minute_peaks(&mut rows);
        } else {
            limit_cover(&mut rows, self.levels.step[level]);
        }
        Ok(rows)
    }

    fn slot(&self, start: u64) -> Result<Rows, StoreError> {
        let mut rows = self.stored(RAW, start)?;
        for (key, counters) in
            self.overlay.get(&start).into_iter().flat_map(|slot| slot.parts.values().flatten())
        {
            rows.entry(*key).or_default().cell.sums.add(counters);
        }
        Ok(rows)
    }

    fn cover_of(&self, start: u64) -> Result<Cover, StoreError> {
        let stored = self.cover.get(start)?;
        let mut cover = stored.map(|value| cover::decode(value.value())).transpose()?.unwrap_or_default();
        if let Some(slot) = self.overlay.get(&start) {
            cover::add(&mut cover, &slot.cover);
        }
        Ok(cover)
    }

    fn stored(&self, level: usize, start: u64) -> Result<Rows, StoreError> {
        let mut rows = Rows::default();
        for part in &self.parts {
            if let Some(value) = self.rows.get((level as u8, start, *part))? {
                let mut decoded = bucket::decode(level, value.value())?;
                decoded.retain(|(channel, _), _| self.wanted.contains(channel));
                rows.extend(decoded);
            }
        }
        Ok(rows)
    }
}

/// A slot with the rows of some channels.
fn only(slot: &Slot, wanted: &HashSet<u32>) -> Slot {
    let mut kept = Slot { cover: slot.cover.clone(), ..Slot::default() };
    for (part, rows) in &slot.parts {
        let rows = rows.iter().filter(|((channel, _), _)| wanted.contains(channel));
        kept.parts.insert(*part, rows.map(|(key, counters)| (*key, *counters)).collect());
    }
    kept
}

/// Adds a provisional value, as long as it follows the newest block of its spool.
fn lay_over(
    overlay: &mut BTreeMap<u64, Slot>,
    state: &State,
    value: &Provisional,
    wanted: &HashSet<u32>,
    levels: &Levels,
) {
    let Some(spool) = state.spools.get(&value.spool).filter(|spool| spool.last == value.after) else {
        return;
    };
    let channels: Vec<_> =
        value.channels.iter().map(|key| state.names.channel_id(&key.profile, &key.channel)).collect();
    let sources: Vec<_> = value.sources.iter().map(|name| state.names.source_id(name)).collect();
    let mut plan: Vec<u32> = channels.iter().copied().flatten().collect();
    plan.sort_unstable();
    let plan = state.names.plans().iter().find(|(_, channels)| **channels == plan).map(|(id, _)| *id);
    for addition in &value.additions {
        let slot = overlay.entry(levels.floor(RAW, addition.slot_start_ms)).or_default();
        if let Some(plan) = plan {
            *slot.cover.entry((spool.id, plan)).or_default() += u64::from(addition.covered_ms);
        }
        for row in &addition.rows {
            let channel = channels.get(row.channel as usize).copied().flatten();
            let source = sources.get(row.source as usize).copied().flatten();
            if let (Some(channel), Some(source)) = (channel, source)
                && wanted.contains(&channel)
            {
                let part = slot.parts.entry(state.names.part(channel)).or_default();
                part.entry((channel, source)).or_default().add(&row.counters);
            }
        }
    }
}
