//! Exporters that number their datagrams in a unit that is not their protocol's, or not at all.
//!
//! When the steps between datagrams fit another unit for 100 of them in a row and the protocol's own never, the
//! stream is judged by that unit from then on, and what was taken for loss meanwhile is taken back.

/// So many steps in a row make a habit.
const STEPS: u8 = 100;

/// By what a number steps from one datagram to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Unit {
    /// The protocol's own.
    #[default]
    Own,
    /// It stands still: nothing can be said about loss.
    Still,
    /// By one.
    Datagrams,
    /// By the number of records.
    Records,
}

const OTHERS: [Unit; 3] = [Unit::Still, Unit::Datagrams, Unit::Records];

/// What a stream's numbers did so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Habit {
    unit: Unit,
    last: u32,
    /// Units and records of the last datagram.
    own: u32,
    records: u32,
    known: bool,
    runs: [u8; OTHERS.len()],
    /// Missing units and restarts that were counted since the own unit last fitted.
    pub(super) missing: i64,
    pub(super) restarts: u64,
}

impl Habit {
    /// The unit by which the stream is judged.
    pub(super) fn unit(&self) -> Unit {
        self.unit
    }

    /// Looks at the step to a new datagram; `true` when that makes another unit the stream's habit.
    pub(super) fn step(&mut self, number: u32) -> bool {
        let step = number.wrapping_sub(self.last);
        let was_known = std::mem::replace(&mut self.known, false);
        self.last = number;
        if !was_known || self.unit != Unit::Own {
            return false;
        }
        if step == self.own {
            (self.missing, self.restarts) = (0, 0);
        }
        for (at, unit) in OTHERS.iter().enumerate() {
            let Some(size) = self.size(*unit) else { continue };
            let run = &mut self.runs[at];
            *run = match (step == size, step == self.own) {
                (true, false) => *run + 1,
                (true, true) => *run,
                (false, _) => 0,
            };
            if *run >= STEPS {
                self.unit = *unit;
                return true;
            }
        }
        false
    }

    /// Remembers what a datagram held; gives back how far its number steps by the stream's habit.
    pub(super) fn settle(&mut self, number: u32, own: u32, records: u32) -> u32 {
        (self.last, self.own, self.records, self.known) = (number, own, records, true);
        if self.unit == Unit::Own { own } else { self.size(self.unit).unwrap_or(0) }
    }

    fn size(&self, unit: Unit) -> Option<u32> {
        match unit {
            Unit::Own => Some(self.own),
            Unit::Still => Some(0),
            Unit::Datagrams => Some(1),
            Unit::Records => (self.records > 0).then_some(self.records),
        }
    }
}
