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

/// The most keys of a table: their places fit into [`INDEX`].
const MOST: usize = 1024;

/// A slot's bits for the place of a key, counted from 1; those above hold some of its hash.
const INDEX: u16 = 0x07ff;

/// The table; its memory is made once. Keys and counts lie side by side, so that a purge walks through what is there
/// and nothing else; the slots that lead to them are small enough to stay in the nearest cache.
#[derive(Debug)]
pub(super) struct Heavy {
    /// 0 where none stands.
    slots: Box<[u16]>,
    keys: Vec<u128>,
    counts: Vec<u64>,
    capacity: usize,
    taken_off: u64,
    total: u64,
    state: RandomState,
    /// Reused by a purge.
    sorted: Vec<u64>,
}

impl Heavy {
    /// A table of at most `capacity` keys, at least 2 and at most [`MOST`].
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(2, MOST);
        Self {
            slots: vec![0; Self::slots(capacity)].into(),
            keys: Vec::with_capacity(capacity + 1),
            counts: Vec::with_capacity(capacity + 1),
            capacity,
            taken_off: 0,
            total: 0,
            state: RandomState::default(),
            sorted: Vec::with_capacity(capacity + 1),
        }
    }

    /// Bytes of memory of a table of that capacity.
    pub(super) fn bytes(capacity: usize) -> usize {
        Self::slots(capacity) * size_of::<u16>() + (capacity + 1) * (size_of::<u128>() + 2 * size_of::<u64>())
    }

    /// At least two for each key.
    const fn slots(capacity: usize) -> usize {
        (2 * capacity + 2).next_power_of_two()
    }

    /// Adds `weight` to a key.
    #[inline]
    pub(super) fn add(&mut self, key: u128, weight: u64) {
        if weight == 0 {
            return;
        }
        self.total = self.total.saturating_add(weight);
        self.count(key, weight);
        if self.keys.len() > self.capacity {
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
        let listed = |(key, count): (&u128, &u64)| Listed {
            key: *key,
            lower: *count,
            upper: count.saturating_add(self.taken_off),
        };
        let mut listed: Vec<_> = self.keys.iter().zip(&self.counts).map(listed).collect();
        listed.sort_unstable_by(|a, b| b.lower.cmp(&a.lower).then(a.key.cmp(&b.key)));
        listed
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.slots.fill(0);
        self.keys.clear();
        self.counts.clear();
        (self.taken_off, self.total) = (0, 0);
    }

    /// Where a key's slots begin, and the part of its hash that stands in a slot.
    #[inline]
    fn slot(&self, key: u128) -> (usize, u16) {
        let hash = self.state.hash_one(key);
        (hash as usize & (self.slots.len() - 1), (hash >> 48) as u16 & !INDEX)
    }

    #[inline]
    fn count(&mut self, key: u128, weight: u64) {
        let (mut at, tag) = self.slot(key);
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                self.keys.push(key);
                self.counts.push(weight);
                self.slots[at] = tag | self.keys.len() as u16;
                return;
            }
            let place = usize::from(slot & INDEX) - 1;
            if slot & !INDEX == tag && self.keys[place] == key {
                self.counts[place] = self.counts[place].saturating_add(weight);
                return;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    #[cold]
    fn purge(&mut self) {
        self.sorted.clear();
        self.sorted.extend_from_slice(&self.counts);
        let middle = self.sorted.len() / 2;
        let (_, median, _) = self.sorted.select_nth_unstable(middle);
        let off = *median;
        self.taken_off = self.taken_off.saturating_add(off);
        let mut kept = 0;
        for at in 0..self.keys.len() {
            // Each is written, and overwritten by the next if it goes: which ones go cannot be guessed.
            let count = self.counts[at];
            self.keys[kept] = self.keys[at];
            self.counts[kept] = count.saturating_sub(off);
            kept += usize::from(count > off);
        }
        self.keys.truncate(kept);
        self.counts.truncate(kept);
        self.link();
    }

    /// Has slots lead to all keys anew.
    fn link(&mut self) {
        self.slots.fill(0);
        for place in 0..self.keys.len() {
            let (mut at, tag) = self.slot(self.keys[place]);
            while self.slots[at] != 0 {
                at = (at + 1) & (self.slots.len() - 1);
            }
            self.slots[at] = tag | (place + 1) as u16;
        }
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
