//! Which slot a flow belongs to, and how much of each slot was covered, whatever the wall clock does.

use crate::slot::Addition;

/// A backward step up to this is waited out in the newest slot; past it, slots follow the clock again.
const STEP_BACK_MS: u64 = 60_000;

/// By how much two cuts may seem apart because clocks are read in whole milliseconds.
const ROUNDING_MS: u64 = 5;

/// Slots never go back by less than [`STEP_BACK_MS`]: after a small backward step flows count in the newest
/// slot until the clock has passed it.
#[derive(Clone, Debug)]
pub(super) struct SlotClock {
    slot_ms: u64,
    newest: u64,
    covered_until: u64,
}

impl SlotClock {
    pub(super) fn new(slot_ms: u64) -> Self {
        Self { slot_ms, newest: 0, covered_until: 0 }
    }

    /// The start of the slot to which something received at `ms` belongs.
    pub(super) fn slot_of(&mut self, ms: u64) -> u64 {
        let slot = ms - ms % self.slot_ms;
        if slot >= self.newest || self.newest - slot > STEP_BACK_MS {
            self.newest = slot;
        }
        self.newest
    }

    /// Says in `additions` how much of each slot the time since the last cut covered, and adds those slots in
    /// which nothing came: they are covered too, and their zeros are real.
    pub(super) fn cover(&mut self, now_ms: u64, elapsed_ms: u64, additions: &mut Vec<Addition>) {
        let mut from = now_ms.saturating_sub(elapsed_ms);
        if self.covered_until > now_ms && self.covered_until - now_ms > STEP_BACK_MS {
            self.covered_until = from;
        }
        // Both clocks are cut to milliseconds: what lies between two cuts that follow each other is no hole.
        if from.saturating_sub(self.covered_until) <= ROUNDING_MS || from < self.covered_until {
            from = self.covered_until;
        }
        while from < now_ms {
            let start = from - from % self.slot_ms;
            let until = (start + self.slot_ms).min(now_ms);
            let covered = u32::try_from(until - from).unwrap_or(u32::MAX);
            match additions.iter_mut().find(|addition| addition.slot_start_ms == start) {
                Some(addition) => addition.covered_ms += covered,
                None => {
                    additions.push(Addition { slot_start_ms: start, covered_ms: covered, rows: Vec::new() });
                }
            }
            from = until;
        }
        self.covered_until = self.covered_until.max(from);
        additions.sort_by_key(|addition| addition.slot_start_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_step_back_counts_in_the_newest_slot_and_a_large_one_follows_the_clock() {
        let mut clock = SlotClock::new(10_000);
        assert_eq!(clock.slot_of(1_000_005), 1_000_000);
        assert_eq!(clock.slot_of(955_000), 1_000_000);
        assert_eq!(clock.slot_of(1_010_000), 1_010_000);
        assert_eq!(clock.slot_of(500_000), 500_000);
    }

    #[test]
    fn covered_time_is_split_over_slots_and_never_counted_twice() {
        let mut clock = SlotClock::new(10_000);
        let mut first = Vec::new();
        clock.cover(1_001_000, 2_000, &mut first);
        let parts: Vec<_> = first.iter().map(|a| (a.slot_start_ms, a.covered_ms)).collect();
        assert_eq!(parts, [(990_000, 1_000), (1_000_000, 1_000)]);
        let mut second = Vec::new();
        // The wall clock went back half a second while two seconds passed.
        clock.cover(1_002_500, 2_000, &mut second);
        assert_eq!(second[0].covered_ms, 1_500);
    }

    #[test]
    fn cuts_that_follow_each_other_cover_every_millisecond() {
        let mut clock = SlotClock::new(10_000);
        let mut all = Vec::new();
        for cut in 1..=10 {
            let mut additions = Vec::new();
            clock.cover(1_000_000 + cut * 2_000, 1_999, &mut additions);
            all.extend(additions);
        }
        let covered: u32 = all.iter().filter(|a| a.slot_start_ms == 1_010_000).map(|a| a.covered_ms).sum();
        assert_eq!(covered, 10_000);
    }

    #[test]
    fn a_forward_step_leaves_a_hole() {
        let mut clock = SlotClock::new(10_000);
        clock.cover(1_000_000, 2_000, &mut Vec::new());
        let mut additions = Vec::new();
        clock.cover(1_100_000, 2_000, &mut additions);
        assert_eq!(additions.len(), 1);
        assert_eq!((additions[0].slot_start_ms, additions[0].covered_ms), (1_090_000, 2_000));
    }
}
