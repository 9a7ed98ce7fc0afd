//! A bounded table of the heaviest keys, with the error that its bound costs.
//!
//! Misra and Gries' counters with weights, purged by the median (Anderson and others, "A high-performance
//! algorithm for identifying frequent items in data streams", 2017): a full table takes the median of its counts
//! off every key and drops those that have nothing left. What was taken off is the most by which any key can be
//! too low, listed or not.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

/// One listed key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) key: u128,
    /// At least so much, and at most that much, was counted for it.
    pub(super) lower: u64,
    pub(super) upper: u64,
}

/// The table; its memory is made once.
#[derive(Debug)]
pub(super) struct Heavy {
    /// Key and count; 0 where nothing stands. At most three of four places are taken.
    places: Box<[(u128, u64)]>,
    kept: usize,
    capacity: usize,
    taken_off: u64,
    total: u64,
    state: RandomState,
    /// Reused by a purge: the counts, and what stays.
    counts: Vec<u64>,
    spare: Vec<(u128, u64)>,
}

impl Heavy {
    /// A table of at most `capacity` keys, at least 2.
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(2);
        Self {
            places: vec![(0, 0); Self::places(capacity)].into(),
            kept: 0,
            capacity,
            taken_off: 0,
            total: 0,
            state: RandomState::default(),
            counts: Vec::with_capacity(capacity + 1),
            spare: Vec::with_capacity(capacity / 2 + 1),
        }
    }

    /// Bytes of memory of a table of that capacity.
    pub(super) fn bytes(capacity: usize) -> usize {
        let entries = Self::places(capacity) + capacity / 2 + 1;
        entries * size_of::<(u128, u64)>() + (capacity + 1) * size_of::<u64>()
    }

    const fn places(capacity: usize) -> usize {
        (capacity + capacity / 3 + 1).next_power_of_two()
    }

    /// Adds `weight` to a key.
    #[inline]
    pub(super) fn add(&mut self, key: u128, weight: u64) {
        if weight == 0 {
            return;
        }
        self.total = self.total.saturating_add(weight);
        self.place(key, weight);
        if self.kept > self.capacity {
            self.purge();
        }
    }

    /// All that was added.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The most that a key can have been given that is not listed.
    pub(super) fn error(&self) -> u64 {
        self.taken_off
    }

    /// The keys, heaviest first; equal ones by key.
    pub(super) fn listed(&self) -> Vec<Listed> {
        let kept = self.places.iter().filter(|(_, count)| *count > 0);
        let mut listed: Vec<_> = kept
            .map(|(key, count)| Listed {
                key: *key,
                lower: *count,
                upper: count.saturating_add(self.taken_off),
            })
            .collect();
        listed.sort_unstable_by(|a, b| b.lower.cmp(&a.lower).then(a.key.cmp(&b.key)));
        listed
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.places.fill((0, 0));
        (self.kept, self.taken_off, self.total) = (0, 0, 0);
    }

    #[inline]
    fn place(&mut self, key: u128, weight: u64) {
        let last = self.places.len() - 1;
        let mut at = self.state.hash_one(key) as usize & last;
        loop {
            let (known, count) = &mut self.places[at];
            if *count == 0 {
                (*known, *count) = (key, weight);
                self.kept += 1;
                return;
            }
            if *known == key {
                *count = count.saturating_add(weight);
                return;
            }
            at = (at + 1) & last;
        }
    }

    #[cold]
    fn purge(&mut self) {
        self.counts.clear();
        self.counts.extend(self.places.iter().map(|(_, count)| *count).filter(|count| *count > 0));
        let middle = self.counts.len() / 2;
        // Of the counts alone: they are a quarter of what would be moved with their keys.
        let (_, median, _) = self.counts.select_nth_unstable(middle);
        let off = *median;
        self.taken_off = self.taken_off.saturating_add(off);
        let mut kept = std::mem::take(&mut self.spare);
        kept.clear();
        kept.extend(self.places.iter().filter(|(_, count)| *count > off));
        self.places.fill((0, 0));
        self.kept = 0;
        for (key, count) in &kept {
            self.place(*key, count - off);
        }
        self.spare = kept;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn below_its_capacity_the_table_is_exact() {
        let mut heavy = Heavy::new(4);
        for (key, weight) in [(7, 5), (9, 1), (7, 2), (8, 0)] {
            heavy.add(key, weight);
        }
        let exact = |key, weight| Listed { key, lower: weight, upper: weight };
        assert_eq!(heavy.listed(), [exact(7, 7), exact(9, 1)]);
        assert_eq!((heavy.total(), heavy.error()), (8, 0));
        heavy.clear();
        assert_eq!((heavy.listed(), heavy.total()), (vec![], 0));
    }

    proptest! {
        #[test]
        fn a_key_lies_between_its_bounds_and_an_absent_one_below_the_error(
            added in prop::collection::vec((0_u128..60, 0_u64..1000), 0..600),
            capacity in 2_usize..32,
        ) {
            let mut heavy = Heavy::new(capacity);
            let mut exact: HashMap<u128, u64> = HashMap::new();
            for (key, weight) in added {
                heavy.add(key, weight);
                *exact.entry(key).or_default() += weight;
            }
            let listed = heavy.listed();
            prop_assert!(listed.len() <= capacity);
            prop_assert_eq!(heavy.total(), exact.values().sum::<u64>());
            for (key, sum) in exact {
                match listed.iter().find(|listed| listed.key == key) {
                    Some(listed) => prop_assert!(listed.lower <= sum && sum <= listed.upper),
                    None => prop_assert!(sum <= heavy.error()),
                }
            }
            // What a purge takes off, it takes off more than half of the keys.
            prop_assert!(heavy.error() <= 2 * heavy.total() / capacity as u64);
        }
    }
}
