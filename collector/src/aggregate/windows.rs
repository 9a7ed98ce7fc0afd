//! Top-N windows in the store: a minute each for a day, merged to hours for 90 days and to days for 3 years.

use std::collections::BTreeSet;

use redb::{ReadableTable, Table, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::store::{StoreError, TOPS};
use super::tops::{Window, Windows};

const MINUTE_MS: u64 = 60_000;
/// Milliseconds of a minute, an hour, a day.
pub(super) const STEPS: [u64; 3] = [MINUTE_MS, 60 * MINUTE_MS, 1_440 * MINUTE_MS];
/// For how many milliseconds each is kept.
const KEEP: [u64; 3] = [STEPS[2], 90 * STEPS[2], 3 * 366 * STEPS[2]];
/// Edges send a window when it has closed; a little later all have.
const LATE_MS: u64 = 70_000;

/// How far hours and days are merged, and up to where each is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Windows that start before are merged from the finer ones; the first entry is not used.
    pub(super) merged: [u64; 3],
    /// Windows that start before are deleted.
    pub(super) deleted: [u64; 3],
}

/// Writes windows in one transaction.
pub(super) struct Writer<'a> {
    table: Table<'a, (u8, u64, u32, &'static str), &'static [u8]>,
    progress: &'a mut Progress,
}

impl<'a> Writer<'a> {
    /// Opens the table.
    pub(super) fn new(
        transaction: &'a WriteTransaction,
        progress: &'a mut Progress,
    ) -> Result<Self, StoreError> {
        Ok(Self { table: transaction.open_table(TOPS)?, progress })
    }

    /// Adds windows to those that are there, merges hours and days that are over, deletes old ones.
    pub(super) fn write(mut self, windows: &Windows, now_ms: u64, delete: bool) -> Result<(), StoreError> {
        for ((start, channel, name), window) in windows {
            self.add(0, start - start % STEPS[0], *channel, name, window)?;
            for (level, step) in STEPS.iter().enumerate().skip(1) {
                let start = start - start % step;
                if start < self.progress.merged[level] {
                    self.add(level, start, *channel, name, window)?;
                }
            }
        }
        for (level, step) in STEPS.iter().enumerate().skip(1) {
            let over = now_ms.saturating_sub(LATE_MS);
            self.merge(level, over - over % step)?;
        }
        if delete {
            self.delete(now_ms)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        level: usize,
        start: u64,
        channel: u32,
        name: &str,
        more: &Window,
    ) -> Result<(), StoreError> {
        if start < self.progress.deleted[level] {
            return Ok(());
        }
        let key = (level as u8, start, channel, name);
        let held = self.table.get(key)?.map(|value| Window::from_bytes(value.value())).transpose()?;
        let window = match held {
            Some(mut held) => {
                held.merge(more);
                held
            }
            None => more.clone(),
        };
        self.table.insert(key, window.to_bytes()?.as_slice())?;
        Ok(())
    }

    fn merge(&mut self, level: usize, horizon: u64) -> Result<(), StoreError> {
        let (finer, from) = ((level - 1) as u8, self.progress.merged[level]);
        if horizon <= from {
            return Ok(());
        }
        let mut due = BTreeSet::new();
        for entry in self.table.range((finer, from, 0, "")..(finer, horizon, 0, ""))? {
            let (key, _) = entry?;
            let (_, start, channel, name) = key.value();
            due.insert((start, channel, name.to_owned()));
        }
        for (start, channel, name) in due {
            let held = self.table.get((finer, start, channel, name.as_str()))?;
            let window = held.map(|value| Window::from_bytes(value.value())).transpose()?;
            if let Some(window) = window {
                self.add(level, start - start % STEPS[level], channel, &name, &window)?;
            }
        }
        self.progress.merged[level] = horizon;
        Ok(())
    }

    fn delete(&mut self, now_ms: u64) -> Result<(), StoreError> {
        for level in 0..STEPS.len() {
            let before = now_ms.saturating_sub(KEEP[level]);
            let before = before - before % STEPS[(level + 1).min(2)];
            self.progress.deleted[level] = self.progress.deleted[level].max(before);
            let range = (level as u8, 0, 0, "")..(level as u8, before, 0, "");
            self.table.retain_in(range, |_, _| false)?;
        }
        Ok(())
    }
}
