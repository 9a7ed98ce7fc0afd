//! What an edge gave up of what it had counted, by reason.

use serde::{Deserialize, Serialize};

/// Why counts that were decoded never reach the aggregator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// The spool reached its bytes or its age.
    SpoolFull,
    /// The disk took nothing for five minutes.
    DiskRefused,
    /// The spool took no cut for ten minutes: its disk hangs.
    SpoolStalled,
    /// A file of the spool was damaged.
    Damaged,
    /// The aggregator had a part of a merged block already.
    Overlap,
    /// The aggregator misses blocks that are no longer in the spool.
    Gap,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::SpoolFull, Self::DiskRefused, Self::SpoolStalled, Self::Damaged, Self::Overlap, Self::Gap];

    /// The name in the ledger and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SpoolFull => "spool_full",
            Self::DiskRefused => "disk_refused",
            Self::SpoolStalled => "spool_stalled",
            Self::Damaged => "damaged",
            Self::Overlap => "overlap",
            Self::Gap => "gap",
        }
    }
}

/// Blocks given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// How many.
    pub blocks: u64,
    /// Flow records that they had counted; unknown, hence 0, for damaged and missing ones.
    pub records: u64,
}

/// What an edge whose spool was full, or could not write, gave up: the counts of these blocks are lost, their
/// stream and listener reports are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    reasons: [Lost; DropReason::ALL.len()],
    /// Unix milliseconds of the first slot given up; 0: none, or unknown.
    pub from_ms: u64,
    /// Unix milliseconds of the end of the last one.
    pub to_ms: u64,
}

impl Dropped {
    /// What was given up of the slots in a time: Unix milliseconds of its start (0: unknown) and end.
    pub fn new(reason: DropReason, lost: Lost, (from_ms, to_ms): (u64, u64)) -> Self {
        let mut dropped = Self { from_ms, to_ms, ..Self::default() };
        dropped.give_up(reason, lost);
        dropped
    }

    /// Blocks given up.
    pub fn blocks(&self) -> u64 {
        self.reasons.iter().fold(0, |sum, lost| sum.saturating_add(lost.blocks))
    }

    /// Flow records that they had counted.
    pub fn records(&self) -> u64 {
        self.reasons.iter().fold(0, |sum, lost| sum.saturating_add(lost.records))
    }

    /// The reasons for which anything was given up.
    pub fn by_reason(&self) -> impl Iterator<Item = (DropReason, Lost)> {
        DropReason::ALL.into_iter().zip(self.reasons).filter(|(_, lost)| lost.blocks > 0)
    }

    /// Counts blocks that are given up.
    pub fn give_up(&mut self, reason: DropReason, lost: Lost) {
        if let Some(sum) = self.reasons.get_mut(reason as usize) {
            sum.blocks = sum.blocks.saturating_add(lost.blocks);
            sum.records = sum.records.saturating_add(lost.records);
        }
    }

    /// Adds what another block gave up.
    pub fn add(&mut self, other: &Self) {
        for (reason, lost) in other.by_reason() {
            self.give_up(reason, lost);
        }
        self.from_ms = match (self.from_ms, other.from_ms) {
            (0, from) | (from, 0) => from,
            (a, b) => a.min(b),
        };
        self.to_ms = self.to_ms.max(other.to_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_up_adds_up_by_reason_and_its_time_spans_all_of_it() {
        let lost = |reason, records, from_ms, to_ms| {
            Dropped::new(reason, Lost { blocks: 1, records }, (from_ms, to_ms))
        };
        let mut sum = Dropped::default();
        sum.add(&lost(DropReason::SpoolStalled, 7, 20_000, 30_000));
        sum.add(&lost(DropReason::SpoolFull, 5, 0, 0));
        sum.add(&lost(DropReason::SpoolStalled, 1, 10_000, 20_000));
        assert_eq!((sum.blocks(), sum.records(), sum.from_ms, sum.to_ms), (3, 13, 10_000, 30_000));
        let named: Vec<_> = sum.by_reason().map(|(r, lost)| (r.name(), lost.blocks, lost.records)).collect();
        assert_eq!(named, [("spool_full", 1, 5), ("spool_stalled", 2, 8)]);
        for (at, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at, "{}", reason.name());
        }
    }
}
