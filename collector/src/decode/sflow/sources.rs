//! The data sources of sFlow agents: each numbers its flow samples and says how many it dropped.
//!
//! Numbers in datagrams tell what the network lost; those in samples tell it in samples, and still tell it where an
//! agent numbers its datagrams wrongly (Open vSwitch steps by two when one is full).

use std::hash::BuildHasher;

use crate::decode::streams::Key;
use crate::decode::tally::Tally;

/// How many data sources have a place. Two that want the same one take it from each other, which makes no
/// false loss: the newcomer starts to count anew.
const PLACES: usize = 1 << 16;

/// A larger step than this is no loss but a restart.
const PLAUSIBLE: u32 = 1 << 20;

/// A step back by more than this is a restart, not a late sample.
const LATE: u32 = 4096;

/// What a sample says of the data source that took it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// Class and index.
    pub(super) source: (u32, u32),
    /// The number of the sample.
    pub(super) sequence: u32,
    /// The packets from among which samples were taken until now.
    pub(super) pool: u32,
    /// How many the agent had to drop until now.
    pub(super) drops: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// A hash of agent, class and index: with 64 bits, who it is. 0: nobody.
    who: u64,
    next: u32,
    drops: u32,
    /// Samples that are missing and may still come.
    open: u32,
    /// Where the interface stands, if it still does.
    interface: u32,
}

/// The table; 2 MB once the first sample comes.
#[derive(Debug, Default)]
pub(super) struct Sources {
    places: Vec<Place>,
    hasher: foldhash::fast::RandomState,
}

impl Sources {
    /// The agent's part of its data sources' identity.
    pub(super) fn agent(&self, key: &Key) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The identity of an agent's data source; never 0.
    pub(super) fn who(&self, agent: u64, source: (u32, u32)) -> u64 {
        self.hasher.hash_one((agent, source)) | 1
    }

    /// Counts what is missing before a sample, and what the agent dropped. Gives the data source's identity, and
    /// room to remember where its interface stands.
    pub(super) fn count(&mut self, agent: u64, taken: &Taken, tally: &mut Tally) -> Option<(u64, &mut u32)> {
        if self.places.is_empty() {
            self.places = vec![Place::default(); PLACES];
        }
        let who = self.who(agent, taken.source);
        let at = (who >> 48) as usize % PLACES;
        let place = self.places.get_mut(at)?;
        place.count(who, taken, tally);
        Some((who, &mut place.interface))
    }
}

impl Place {
    fn count(&mut self, who: u64, taken: &Taken, tally: &mut Tally) {
        if self.who != who {
            let next = taken.sequence.wrapping_add(1);
            *self = Self { who, next, drops: taken.drops, open: 0, interface: u32::MAX };
            return;
        }
        let ahead = taken.sequence.wrapping_sub(self.next);
        if ahead <= PLAUSIBLE {
            tally.samples_missing += i64::from(ahead);
            self.open = self.open.saturating_add(ahead);
        } else if self.open > 0 && ahead.wrapping_neg() <= LATE {
            // Late, and counted as missing before.
            tally.samples_missing -= 1;
            self.open -= 1;
            return;
        } else {
            self.open = 0;
        }
        self.next = taken.sequence.wrapping_add(1);
        let dropped = taken.drops.wrapping_sub(self.drops);
        // A counter that went back started anew.
        tally.exporter_drops +=
            if dropped <= u32::MAX / 2 { u64::from(dropped) } else { u64::from(taken.drops) };
        self.drops = taken.drops;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(samples: &[(u32, u32, u32)]) -> (i64, u64) {
        let (mut sources, mut tally) = (Sources::default(), Tally::default());
        for (index, sequence, drops) in samples {
            let taken = Taken { source: (0, *index), sequence: *sequence, pool: 0, drops: *drops };
            sources.count(7, &taken, &mut tally);
        }
        (tally.samples_missing, tally.exporter_drops)
    }

    #[test]
    fn each_data_source_has_its_own_sequence_and_drops() {
        assert_eq!(count(&[(1, 10, 5), (2, 500, 0), (1, 11, 5), (2, 501, 0)]), (0, 0));
        assert_eq!(count(&[(1, 10, 5), (2, 500, 0), (1, 14, 8), (2, 501, 1)]), (3, 4));
    }

    #[test]
    fn a_late_sample_is_no_longer_missing_and_a_restart_loses_nothing() {
        assert_eq!(count(&[(1, 10, 0), (1, 12, 0), (1, 11, 0), (1, 13, 0)]), (0, 0));
        assert_eq!(count(&[(1, 1_000_000, 9), (1, 1, 2), (1, 2, 2)]), (0, 2));
        assert_eq!(count(&[(1, u32::MAX, u32::MAX), (1, 1, 3)]), (1, 4));
    }
}
