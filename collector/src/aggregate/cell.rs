//! What a bucket holds for one series: its sums and, in roll-ups, its largest one-minute averages.

use super::view::{Class, Metric};
use crate::slot::{Counters, Tally};

/// Columns of the sums: four classes of flows, packets and bytes, then events.
pub(super) const SUMS: usize = 13;
/// Columns of the peaks: five classes (all first) of flows, packets and bytes, then events.
pub(super) const PEAKS: usize = 16;

/// The source under which a channel's peaks over all its sources together are kept; it has no sums.
pub(super) const ALL_SOURCES: u32 = u32::MAX;

/// One series in one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    /// Sums.
    pub(super) sums: Counters,
    /// The largest one-minute averages, in thousandths per second.
    pub(super) peaks: [u64; PEAKS],
    /// Whether the true peaks may be larger: something was added after the slots had been deleted.
    pub(super) at_least: bool,
}

impl Cell {
    /// Adds another bucket of the same series.
    pub(super) fn fold(&mut self, other: &Self) {
        self.sums.add(&other.sums);
        for (mine, theirs) in self.peaks.iter_mut().zip(&other.peaks) {
            *mine = (*mine).max(*theirs);
        }
        self.at_least |= other.at_least;
    }

    /// Sets the peaks of a minute: its own averages over the time covered.
    pub(super) fn average(&mut self, covered_ms: u64) {
        let [tcp, udp, icmp, other] = [self.sums.tcp, self.sums.udp, self.sums.icmp, self.sums.other];
        let columns = [self.sums.all(), tcp, udp, icmp, other];
        let values = columns.iter().flat_map(|t| [t.flows, t.packets, t.bytes]).chain([self.sums.events]);
        for (peak, value) in self.peaks.iter_mut().zip(values) {
            *peak = rate_milli(value, covered_ms);
        }
    }
}

/// `value` per second over `covered_ms`, in thousandths, rounded down; 0 where nothing was covered.
pub(super) fn rate_milli(value: u64, covered_ms: u64) -> u64 {
    let scaled = u128::from(value) * 1_000_000;
    scaled.checked_div(u128::from(covered_ms)).map_or(0, |rate| u64::try_from(rate).unwrap_or(u64::MAX))
}

/// The column of [`Cell::peaks`] for a metric and class.
pub(super) fn peak_column(metric: Metric, class: Class) -> usize {
    let class = match class {
        Class::All => 0,
        Class::Tcp => 1,
        Class::Udp => 2,
        Class::Icmp => 3,
        Class::Other => 4,
    };
    match metric {
        Metric::Flows => 3 * class,
        Metric::Packets => 3 * class + 1,
        Metric::Bytes => 3 * class + 2,
        Metric::Events => PEAKS - 1,
    }
}

/// The sum of a metric and class.
pub(super) fn sum(counters: &Counters, metric: Metric, class: Class) -> u64 {
    let tally = match class {
        Class::All => counters.all(),
        Class::Tcp => counters.tcp,
        Class::Udp => counters.udp,
        Class::Icmp => counters.icmp,
        Class::Other => counters.other,
    };
    match metric {
        Metric::Flows => tally.flows,
        Metric::Packets => tally.packets,
        Metric::Bytes => tally.bytes,
        Metric::Events => counters.events,
    }
}

/// The sums as columns, for storage.
pub(super) fn to_columns(sums: &Counters) -> [u64; SUMS] {
    let mut columns = [0; SUMS];
    let tallies = [sums.tcp, sums.udp, sums.icmp, sums.other];
    let values = tallies.iter().flat_map(|t| [t.flows, t.packets, t.bytes]).chain([sums.events]);
    for (column, value) in columns.iter_mut().zip(values) {
        *column = value;
    }
    columns
}

/// The reverse of [`to_columns`].
pub(super) fn from_columns(columns: &[u64; SUMS]) -> Counters {
    let tally = |class: usize| Tally {
        flows: columns[3 * class],
        packets: columns[3 * class + 1],
        bytes: columns[3 * class + 2],
    };
    Counters { tcp: tally(0), udp: tally(1), icmp: tally(2), other: tally(3), events: columns[SUMS - 1] }
}
