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

/// A step back by more than this is a restart, not a late sample, where the datagram's number does not tell.
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

    /// Counts a sample, what is missing before it, and what the agent dropped; `late`: its datagram came after a
    /// later one, if the datagram's number tells. Gives the data source's identity, and room to remember where its
    /// interface stands.
    pub(super) fn count(
        &mut self,
        agent: u64,
        taken: &Taken,
        late: Option<bool>,
        tally: &mut Tally,
    ) -> Option<(u64, &mut u32)> {
        if self.places.is_empty() {
            self.places = vec![Place::default(); PLACES];
        }
        let who = self.who(agent, taken.source);
        let at = (who >> 48) as usize % PLACES;
        let place = self.places.get_mut(at)?;
        place.count(who, taken, late, tally);
        Some((who, &mut place.interface))
    }
}

impl Place {
    fn count(&mut self, who: u64, taken: &Taken, late: Option<bool>, tally: &mut Tally) {
        tally.samples += 1;
        if self.who != who {
            let next = taken.sequence.wrapping_add(1);
            *self = Self { who, next, drops: taken.drops, open: 0, interface: u32::MAX };
            return;
        }
        let ahead = taken.sequence.wrapping_sub(self.next);
        let late = late.unwrap_or(self.open > 0 && ahead.wrapping_neg() <= LATE);
        if late && ahead > PLAUSIBLE {
            // It was counted as missing, or precedes the first sample seen: then it adds to what is expected.
            let filled = u32::from(self.open > 0);
            tally.samples_missing -= i64::from(filled);
            self.open -= filled;
            return;
        }
        if ahead <= PLAUSIBLE {
            tally.samples_missing += i64::from(ahead);
            self.open = self.open.saturating_add(ahead);
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

    /// Samples (index, sequence, drops), of datagrams of which it is known, or not, that they are late.
    fn count(samples: &[(u32, u32, u32, Option<bool>)]) -> (u64, i64, u64) {
        let (mut sources, mut tally) = (Sources::default(), Tally::default());
        for (index, sequence, drops, late) in samples {
            let taken = Taken { source: (0, *index), sequence: *sequence, pool: 0, drops: *drops };
            sources.count(7, &taken, *late, &mut tally);
        }
        (tally.samples, tally.samples_missing, tally.exporter_drops)
    }

    const IN_TIME: Option<bool> = Some(false);
    const LATE: Option<bool> = Some(true);

    #[test]
    fn each_data_source_has_its_own_sequence_and_drops() {
        let samples = |third, fourth, drops: [u32; 2]| {
            count(&[
                (1, 10, 5, IN_TIME),
                (2, 500, 0, IN_TIME),
                (1, third, drops[0], IN_TIME),
                (2, fourth, drops[1], IN_TIME),
            ])
        };
        assert_eq!(samples(11, 501, [5, 0]), (4, 0, 0));
        assert_eq!(samples(14, 501, [8, 1]), (4, 3, 4));
    }

    #[test]
    fn a_late_sample_is_no_longer_missing_and_a_restart_loses_nothing() {
        for late in [LATE, None] {
            let in_time = late.map(|_| false);
            let samples = [(1, 10, 0, in_time), (1, 12, 0, in_time), (1, 11, 0, late), (1, 13, 0, in_time)];
            assert_eq!(count(&samples), (4, 0, 0));
        }
        assert_eq!(count(&[(1, 1_000_000, 9, None), (1, 1, 2, None), (1, 2, 2, None)]), (3, 0, 2));
        assert_eq!(count(&[(1, u32::MAX, u32::MAX, None), (1, 1, 3, None)]), (2, 1, 4));
    }

    #[test]
    fn a_restart_soon_after_a_loss_is_no_lateness_where_the_datagram_is_in_time() {
        let samples = [(1, 10, 0, IN_TIME), (1, 15, 0, IN_TIME), (1, 1, 0, IN_TIME), (1, 2, 0, IN_TIME)];
        assert_eq!(count(&samples), (4, 4, 0));
    }

    #[test]
    fn a_sample_that_precedes_the_first_one_seen_makes_no_false_loss() {
        let samples = [(1, 20, 0, IN_TIME), (1, 19, 0, LATE), (1, 21, 0, IN_TIME)];
        assert_eq!(count(&samples), (3, 0, 0));
    }
}
