//! Exporters that number their datagrams in a unit that is not their protocol's, or not at all.
//!
//! When the steps between datagrams fit another unit for 100 of them in a row, and do not fit the one by which the
//! stream was judged, the stream is judged by the new unit from then on. What was counted by the old one is void.

use crds::config::Sequence as Stated;

use crate::flow::Protocol;
use crate::slot::Numbering;

/// So many steps in a row make a habit.
const STEPS: u8 = 100;

/// What a datagram held, in each unit by which exporters count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Flow records; sFlow: samples.
    pub(super) flows: u32,
    /// Those and options data records.
    pub(super) records: u32,
    /// Those and template records.
    pub(super) all: u32,
}

impl Held {
    /// So many flows and nothing else.
    pub(super) fn flows(flows: u32) -> Self {
        Self { flows, records: flows, all: flows }
    }
}

/// What a stream's numbers did so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habit {
    protocol: Protocol,
    unit: Numbering,
    /// The FlowCollector says what the unit is.
    stated: bool,
    last: u32,
    held: Option<Held>,
    /// For each candidate, how many steps in a row fitted it and not the unit in force.
    runs: [u8; MOST],
    /// Gaps of one datagram in which no sample was missing, since the last one that samples confirmed.
    contradictions: u8,
}

/// The most candidates of a protocol.
const MOST: usize = 5;

/// The units that exporters of a protocol were seen to count by.
fn candidates(protocol: Protocol) -> &'static [Numbering] {
    use Numbering as N;
    match protocol {
        Protocol::NetFlow5 | Protocol::NetFlow7 => &[N::Flows, N::Packets, N::LastFlow, N::Still],
        Protocol::NetFlow9 => &[N::Packets, N::Flows, N::Records, N::AllRecords, N::Still],
        Protocol::Ipfix => &[N::Records, N::Packets, N::Flows, N::AllRecords, N::Still],
        Protocol::SFlow5 => &[N::Packets, N::Still],
    }
}

/// What the specification says.
fn own(protocol: Protocol) -> Numbering {
    match protocol {
        Protocol::NetFlow5 | Protocol::NetFlow7 => Numbering::Flows,
        Protocol::NetFlow9 | Protocol::SFlow5 => Numbering::Packets,
        Protocol::Ipfix => Numbering::Records,
    }
}

fn numbering(stated: Stated, protocol: Protocol) -> Numbering {
    match stated {
        Stated::Protocol => own(protocol),
        Stated::Packets => Numbering::Packets,
        Stated::Flows => Numbering::Flows,
        Stated::Records => Numbering::Records,
        Stated::AllRecords => Numbering::AllRecords,
        Stated::LastFlow => Numbering::LastFlow,
        Stated::Ignore => Numbering::Ignored,
    }
}

impl Habit {
    pub(super) fn new(protocol: Protocol, nonstandard: Option<Numbering>) -> Self {
        let unit = nonstandard.unwrap_or(own(protocol));
        Self { protocol, unit, stated: false, last: 0, held: None, runs: [0; MOST], contradictions: 0 }
    }

    /// The unit by which the stream is judged.
    pub(super) fn unit(&self) -> Numbering {
        self.unit
    }

    /// The same, unless it is the protocol's own.
    pub(super) fn nonstandard(&self) -> Option<Numbering> {
        (self.unit != own(self.protocol)).then_some(self.unit)
    }

    /// Whether the administrator says what the unit is.
    pub(super) fn is_stated(&self) -> bool {
        self.stated
    }

    /// Judges by what the administrator says, or by what is seen; `true` when that changes the unit.
    pub(super) fn state(&mut self, stated: Option<Stated>) -> bool {
        let was = self.unit;
        match stated {
            Some(stated) => self.unit = numbering(stated, self.protocol),
            None if self.stated || was == Numbering::Ignored => self.unit = own(self.protocol),
            None => {}
        }
        self.stated = stated.is_some();
        self.unit != was
    }

    /// Looks at the step to a new datagram, which holds `coming` flows if that is known; `true` when that makes
    /// another unit the stream's habit.
    pub(super) fn step(&mut self, number: u32, coming: u32) -> bool {
        let step = number.wrapping_sub(self.last);
        self.last = number;
        let Some(held) = self.held.take() else { return false };
        if self.stated || self.unit == Numbering::Contradicted {
            return false;
        }
        let fits = |unit: Numbering| match unit {
            Numbering::LastFlow => step == coming,
            unit => steps(unit, held) == Some(step),
        };
        let current = fits(self.unit);
        if current && self.runs == [0; MOST] {
            return false;
        }
        for (run, unit) in self.runs.iter_mut().zip(candidates(self.protocol)) {
            *run = match (fits(*unit), current) {
                (true, false) => *run + 1,
                (true, true) => *run,
                (false, _) => 0,
            };
            if *run >= STEPS {
                self.unit = *unit;
                self.runs = [0; MOST];
                return true;
            }
        }
        false
    }

    /// Remembers what a datagram held; gives back its units.
    pub(super) fn settle(&mut self, number: u32, held: Held) -> u32 {
        (self.last, self.held) = (number, Some(held));
        let unit = if self.unit.is_judged() { self.unit } else { own(self.protocol) };
        steps(unit, held).unwrap_or(0)
    }

    /// sFlow: whether samples say that nothing is missing where the numbers of datagrams have a gap of one; `true`
    /// when they have said so so often that these numbers are left out of the loss.
    pub(super) fn contradict(&mut self, missing: bool) -> bool {
        if self.stated || missing || self.unit != Numbering::Packets {
            self.contradictions = 0;
            return false;
        }
        self.contradictions += 1;
        if self.contradictions < STEPS {
            return false;
        }
        self.unit = Numbering::Contradicted;
        true
    }
}

/// How far a number steps past a datagram.
fn steps(unit: Numbering, held: Held) -> Option<u32> {
    match unit {
        Numbering::Packets => Some(1),
        Numbering::Flows | Numbering::LastFlow => Some(held.flows),
        Numbering::Records => Some(held.records),
        Numbering::AllRecords => Some(held.all),
        Numbering::Still => Some(0),
        Numbering::Contradicted | Numbering::Ignored | Numbering::Shared | Numbering::Elsewhere => None,
    }
}
