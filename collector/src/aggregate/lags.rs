//! How late each source's records tell of their flows: what the edges counted, older counts weighing less.

use std::collections::BTreeMap;

use redb::{ReadTransaction, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::store::{META, StoreError};
use crate::slot::{inflate, lag_ms};

/// After so long a count weighs half: a timeout that was changed shows within the hour.
const HALF_MS: u64 = 300_000;
/// Fewer records say nothing.
const RECORDS: u64 = 100;
const MAX_BYTES: usize = 64 << 20;

/// One source's counts by bin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Histogram {
    halved_ms: u64,
    bins: BTreeMap<u16, u64>,
}

impl Histogram {
    fn add(&mut self, bins: &[(u16, u32)], now_ms: u64) {
        // Times before are those of an edge whose clock went back, or that was cut off.
        let halves = now_ms.saturating_sub(self.halved_ms) / HALF_MS;
        if halves > 0 {
            let shift = u32::try_from(halves).unwrap_or(u32::MAX);
            self.bins.values_mut().for_each(|count| *count = count.checked_shr(shift).unwrap_or(0));
            self.bins.retain(|_, count| *count > 0);
            self.halved_ms = now_ms;
        }
        for (bin, count) in bins {
            let held = self.bins.entry(*bin).or_default();
            *held = held.saturating_add(u64::from(*count));
        }
    }

    /// The time within which 99 of 100 records came.
    fn p99_ms(&self) -> Option<u64> {
        let all: u64 = self.bins.values().sum();
        let mut left = all - all / 100;
        for (bin, count) in &self.bins {
            if left <= *count {
                return (all >= RECORDS).then(|| lag_ms(usize::from(*bin)));
            }
            left -= count;
        }
        None
    }
}

/// The histograms by source.
#[derive(Clone, Debug, Default)]
pub(super) struct Lags {
    sources: BTreeMap<u32, Histogram>,
    changed: bool,
}

impl Lags {
    /// Adds what a block counted.
    pub(super) fn add(&mut self, source: u32, bins: &[(u16, u32)], made_ms: u64) {
        self.sources.entry(source).or_default().add(bins, made_ms);
        self.changed = true;
    }

    /// By source, the milliseconds within which 99 of 100 records came after their flow began.
    pub(super) fn known(&self) -> impl Iterator<Item = (u32, u64)> {
        self.sources.iter().filter_map(|(source, histogram)| Some((*source, histogram.p99_ms()?)))
    }

    /// Reads everything.
    pub(super) fn load(transaction: &ReadTransaction) -> Result<Self, StoreError> {
        let meta = transaction.open_table(META)?;
        let Some(value) = meta.get("lags")? else { return Ok(Self::default()) };
        let plain = inflate(value.value(), MAX_BYTES).map_err(StoreError::Damaged)?;
        Ok(Self { sources: postcard::from_bytes(&plain)?, changed: false })
    }

    /// Writes what changed.
    pub(super) fn save(&self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        if self.changed {
            let plain = postcard::to_stdvec(&self.sources)?;
            let value = zstd::bulk::compress(&plain, 1).map_err(|e| StoreError::Damaged(e.to_string()))?;
            transaction.open_table(META)?.insert("lags", value.as_slice())?;
        }
        Ok(())
    }

    /// Everything has been made durable.
    pub(super) fn saved(&mut self) {
        self.changed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::lag_bin;

    #[test]
    fn ninety_nine_of_a_hundred_records_are_within_it() {
        let mut histogram = Histogram::default();
        let times = (0..1_000_u64).map(|n| (lag_bin(n * 60) as u16, 1));
        histogram.add(&times.collect::<Vec<_>>(), 0);
        assert_eq!(histogram.p99_ms(), Some(60_000), "the 990th of 1,000 evenly spread over a minute");
        histogram.add(&[(lag_bin(1_800_000) as u16, 9)], 0);
        assert_eq!(histogram.p99_ms(), Some(60_000));
        histogram.add(&[(lag_bin(1_800_000) as u16, 9)], 0);
        assert!(histogram.p99_ms() > Some(1_800_000));
    }

    #[test]
    fn a_timeout_that_was_changed_shows_within_the_hour() {
        let mut histogram = Histogram::default();
        let minutes = |histogram: &mut Histogram, from: u64, lag_ms: u64| {
            (from..from + 60).for_each(|at| histogram.add(&[(lag_bin(lag_ms) as u16, 100)], at * 60_000));
        };
        minutes(&mut histogram, 0, 1_800_000);
        assert!(histogram.p99_ms() > Some(1_790_000));
        minutes(&mut histogram, 60, 60_000);
        assert_eq!(histogram.p99_ms(), Some(60_000));
    }

    #[test]
    fn a_few_records_say_nothing() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.p99_ms(), None);
        histogram.add(&[(30, 99)], 0);
        assert_eq!(histogram.p99_ms(), None);
    }
}
