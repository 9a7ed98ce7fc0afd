//! The checkpoint: what blocks added in memory goes into the store, in one transaction with the number of the
//! last journal record that it holds.

use std::collections::BTreeMap;

use redb::{ReadTransaction, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::level::{LEVELS, Levels, RAW};
use super::names::Names;
use super::presence;
use super::rollup::Buckets;
use super::state::{Open, State};
use super::store::{MARKERS, META, StoreError};
use super::windows;

/// A slot goes into the store this long after its end, when all edges' cuts of it have usually come.
pub(super) const LATE_MS: u64 = 5_000;
/// Slots further ahead than this are stored at once: an edge's clock is ahead.
const EARLY_MS: u64 = 60_000;

/// How far the store is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Journal records up to this one are in the store ...
    pub(super) sequence: u64,
    /// ... but for these slots.
    pub(super) open: Open,
    /// Buckets that start before have been derived, by level; nothing is derived for raw slots.
    pub(super) rolled: [u64; LEVELS],
    /// Buckets that start before have been deleted.
    pub(super) deleted: [u64; LEVELS],
    /// The same for top-N windows: up to where hours and days are merged, and what is deleted.
    pub(super) windows: windows::Progress,
    /// Bytes of each profile's buckets.
    pub(super) bytes: BTreeMap<u32, u64>,
}

impl Progress {
    /// Reads it; a new store has none.
    pub(super) fn load(transaction: &ReadTransaction) -> Result<Self, StoreError> {
        let meta = transaction.open_table(META)?;
        let value = meta.get("progress")?;
        Ok(value.map(|value| postcard::from_bytes(value.value())).transpose()?.unwrap_or_default())
    }
}

/// What a checkpoint is made of.
pub(super) struct Checkpoint<'a> {
    /// What is in memory.
    pub(super) state: &'a State,
    /// Steps and ages.
    pub(super) levels: &'a Levels,
    /// How far the store is.
    pub(super) progress: &'a Progress,
    /// The last journal record that `state` holds.
    pub(super) sequence: u64,
    /// The aggregator's clock.
    pub(super) now_ms: u64,
    /// Whether the program ends: every slot is stored, whether its time is over or not.
    pub(super) last: bool,
    /// Whether old buckets may be deleted.
    pub(super) delete: bool,
}

impl Checkpoint<'_> {
    /// Writes everything; returns how far the store then is, and the channels that have expired.
    pub(super) fn write(&self, transaction: &WriteTransaction) -> Result<(Progress, Vec<u32>), StoreError> {
        let mut progress = Progress { sequence: self.sequence, open: self.open(), ..self.progress.clone() };
        self.write_buckets(transaction, &mut progress)?;
        let windows = windows::Writer::new(transaction, &mut progress.windows)?;
        windows.write(&self.state.tops, self.now_ms, self.delete)?;
        presence::Writer::new(transaction, self.levels)?.write(&self.state.presence, &progress.deleted)?;
        self.state.pulses.save(transaction)?;
        self.state.lags.save(transaction)?;
        self.state.names.save(transaction)?;
        self.state.save_spools(transaction)?;
        self.state.ledger.save(transaction)?;
        self.state.facts.save(transaction)?;
        let expired = self.expire(transaction, &progress)?;
        let mut meta = transaction.open_table(META)?;
        meta.insert("progress", postcard::to_stdvec(&progress)?.as_slice())?;
        Ok((progress, expired))
    }

    fn open(&self) -> Open {
        if self.last {
            return Open { from_ms: u64::MAX, to_ms: 0 };
        }
        let from_ms = self.levels.floor(RAW, self.now_ms.saturating_sub(LATE_MS));
        Open { from_ms, to_ms: self.now_ms + EARLY_MS }
    }

    fn write_buckets(
        &self,
        transaction: &WriteTransaction,
        progress: &mut Progress,
    ) -> Result<(), StoreError> {
        let mut buckets = Buckets::open(transaction, &self.state.names, self.levels)?;
        for (start, slot) in self.state.slots.iter().filter(|(start, _)| !progress.open.holds(**start)) {
            if *start < progress.deleted[RAW] {
                buckets.add_old(*start, slot, &progress.deleted)?;
            } else {
                buckets.add_slot(*start, slot)?;
            }
        }
        buckets.roll(&mut progress.rolled, self.now_ms.saturating_sub(LATE_MS))?;
        if self.delete {
            for level in 0..LEVELS {
                let before = self.levels.deleted_before(level, self.now_ms);
                progress.deleted[level] = progress.deleted[level].max(before);
            }
            buckets.delete(&progress.deleted)?;
        }
        for (profile, grown) in &buckets.grown {
            let bytes = progress.bytes.entry(*profile).or_default();
            *bytes = bytes.saturating_add_signed(*grown);
        }
        Ok(())
    }

    fn expire(&self, transaction: &WriteTransaction, progress: &Progress) -> Result<Vec<u32>, StoreError> {
        if !self.delete {
            return Ok(Vec::new());
        }
        let oldest = progress.deleted[LEVELS - 1];
        transaction.open_table(MARKERS)?.retain_in(..(oldest, 0), |_, ()| false)?;
        let expired = self.state.names.expired(oldest);
        Names::forget(transaction, &expired)?;
        Ok(expired)
    }
}
