//! What each row adds: its protocol class and its scaled counters, worked out once per batch.

use crate::flow::{Batch, Column, ROWS, Run, scaled};
use crate::slot::{Counters, Tally};

/// The four classes of semantics; their sum is `all`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Class {
    Tcp,
    Udp,
    Icmp,
    #[default]
    Other,
}

impl Class {
    const fn of(proto: u8) -> Self {
        match proto {
            6 => Self::Tcp,
            17 => Self::Udp,
            1 | 58 => Self::Icmp,
            _ => Self::Other,
        }
    }
}

/// What one row adds to a channel.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measure {
    class: Class,
    event: bool,
    /// Flows and scaled packets and bytes.
    pub(super) tally: Tally,
}

impl Measure {
    pub(super) fn add_to(&self, counters: &mut Counters) {
        let class = match self.class {
            Class::Tcp => &mut counters.tcp,
            Class::Udp => &mut counters.udp,
            Class::Icmp => &mut counters.icmp,
            Class::Other => &mut counters.other,
        };
        class.add(&self.tally);
        counters.events += u64::from(self.event);
    }

    /// The same traffic, of a flow that has been counted already.
    pub(super) fn without_flows(mut self) -> Self {
        self.tally.flows = 0;
        self.event = false;
        self
    }
}

/// The measures of a batch's rows. Reused from batch to batch.
#[derive(Debug)]
pub(super) struct Measures {
    forward: Vec<Measure>,
    /// The other direction of biflows; of a row without one, whatever it was.
    reverse: Vec<Measure>,
    has_reverse: Vec<bool>,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            forward: vec![Measure::default(); ROWS],
            reverse: vec![Measure::default(); ROWS],
            has_reverse: vec![false; ROWS],
        }
    }
}

impl Measures {
    pub(super) fn take(&mut self, batch: &Batch) {
        for run in batch.runs() {
            for row in run.rows() {
                let measure = forward(batch, run, row);
                let reverse = reverse(batch, run, row, measure);
                self.forward[row] = measure;
                self.has_reverse[row] = reverse.is_some();
                self.reverse[row] = reverse.unwrap_or_default();
            }
        }
    }

    pub(super) fn forward(&self, row: usize) -> Measure {
        self.forward[row]
    }

    pub(super) fn reverse(&self, row: usize) -> Option<Measure> {
        self.has_reverse[row].then(|| self.reverse[row])
    }
}

fn forward(batch: &Batch, run: &Run, row: usize) -> Measure {
    let counts = |column| batch.has(run, column, row).then(|| scaled(batch, run, column, row));
    let (packets, bytes) = (counts(Column::Packets), counts(Column::Bytes));
    let flows = if batch.has(run, Column::Flows, row) { batch.u32s(Column::Flows)[row] } else { 1 };
    let class = if batch.has(run, Column::Proto, row) {
        Class::of(batch.u8s(Column::Proto)[row])
    } else {
        Class::Other
    };
    // A record without counters tells of an event, not of traffic: it would count a flow twice or more.
    let event = packets.is_none() && bytes.is_none();
    Measure {
        class,
        event,
        tally: Tally {
            flows: if event { 0 } else { u64::from(flows) },
            packets: packets.unwrap_or_default(),
            bytes: bytes.unwrap_or_default(),
        },
    }
}

fn reverse(batch: &Batch, run: &Run, row: usize, forward: Measure) -> Option<Measure> {
    let counts = |column| batch.has(run, column, row).then(|| scaled(batch, run, column, row));
    let (packets, bytes) = (counts(Column::RevPackets), counts(Column::RevBytes));
    if packets.is_none() && bytes.is_none() {
        return None;
    }
    let tally = Tally {
        flows: forward.tally.flows,
        packets: packets.unwrap_or_default(),
        bytes: bytes.unwrap_or_default(),
    };
    Some(Measure { class: forward.class, event: false, tally })
}
