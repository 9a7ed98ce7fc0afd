//! What a channel counted, in the order in which it is added up.

use super::measure::Measure;
use crate::slot::{Counters, Tally};

/// [`Counters`] with their classes as a list: protocols alternate from row to row, and an index costs no branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    classes: [Tally; 4],
    pub(super) events: u64,
}

impl Sums {
    /// Adds what one row adds.
    #[inline]
    pub(super) fn add(&mut self, measure: &Measure) {
        self.classes[measure.class as usize].add(&measure.tally);
        self.events += u64::from(measure.event);
    }

    /// Adds other sums.
    pub(super) fn join(&mut self, other: &Self) {
        for (tally, more) in self.classes.iter_mut().zip(&other.classes) {
            tally.add(more);
        }
        self.events += other.events;
    }

    /// Whether nothing was counted.
    pub(super) fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// In the form that a block carries.
    pub(super) fn counters(&self) -> Counters {
        let [tcp, udp, icmp, other] = self.classes;
        Counters { tcp, udp, icmp, other, events: self.events }
    }
}
