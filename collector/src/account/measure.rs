//! What each row adds: its protocol class and its scaled counters, worked out once per batch.

use crate::flow::{Batch, Column, ROWS, Run, scale, scaled};
use crate::slot::Tally;

/// The four classes of semantics, in the order of [`super::sums::Sums`]; their sum is `all`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Class {
    Tcp,
    Udp,
    Icmp,
    #[default]
    Other,
}

impl Class {
    #[inline]
    fn of(proto: u8) -> Self {
        CLASSES[usize::from(proto)]
    }
}

/// By protocol number: a look-up, as a branch would be guessed wrong every few rows.
static CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    classes[6] = Class::Tcp;
    classes[17] = Class::Udp;
    classes[1] = Class::Icmp;
    classes[58] = Class::Icmp;
    classes
};

/// What one row adds to a channel.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measure {
    pub(super) class: Class,
    pub(super) event: bool,
    /// Flows and scaled packets and bytes.
    pub(super) tally: Tally,
}

impl Measure {
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
            let two_sided =
                [Column::RevPackets, Column::RevBytes].iter().any(|column| run.present.contains(*column));
            match Usual::of(batch, run) {
                Some(usual) => usual.take(&mut self.forward[run.rows()]),
                None => run.rows().for_each(|row| self.forward[row] = forward(batch, run, row)),
            }
            if two_sided {
                self.take_reverse(batch, run);
            } else {
                self.has_reverse[run.rows()].fill(false);
            }
        }
    }

    fn take_reverse(&mut self, batch: &Batch, run: &Run) {
        for row in run.rows() {
            let reverse = reverse(batch, run, row, self.forward[row]);
            self.has_reverse[row] = reverse.is_some();
            self.reverse[row] = reverse.unwrap_or_default();
        }
    }

    /// The measures of the batch's rows as sent.
    #[inline]
    pub(super) fn forward(&self) -> &[Measure] {
        &self.forward
    }

    /// What a row adds in the other direction, if it is a biflow.
    #[inline]
    pub(super) fn reverse(&self, row: usize) -> Option<Measure> {
        self.has_reverse[row].then(|| self.reverse[row])
    }
}

/// The columns of a run as most runs are: counters and protocol in every row, one sampling rate or none.
struct Usual<'a> {
    packets: &'a [u64],
    bytes: &'a [u64],
    flows: Option<&'a [u32]>,
    protos: &'a [u8],
    rate: f32,
}

impl<'a> Usual<'a> {
    fn of(batch: &'a Batch, run: &Run) -> Option<Self> {
        let everywhere = |column| run.present.contains(column) && !run.sparse.contains(column);
        let counted = [Column::Packets, Column::Bytes, Column::Proto];
        let optional = [Column::Flows, Column::SamplingRate];
        if !counted.into_iter().all(everywhere)
            || optional.into_iter().any(|column| run.sparse.contains(column))
        {
            return None;
        }
        let mut rate = 1.0;
        if run.present.contains(Column::SamplingRate) {
            let rates = batch.f32s(Column::SamplingRate).get(run.rows())?;
            rate = *rates.first()?;
            if rates.iter().any(|other| *other != rate) {
                return None;
            }
        }
        let flows = if run.present.contains(Column::Flows) {
            Some(batch.u32s(Column::Flows).get(run.rows())?)
        } else {
            None
        };
        Some(Self {
            packets: batch.u64s(Column::Packets).get(run.rows())?,
            bytes: batch.u64s(Column::Bytes).get(run.rows())?,
            flows,
            protos: batch.u8s(Column::Proto).get(run.rows())?,
            rate,
        })
    }

    fn take(&self, measures: &mut [Measure]) {
        if self.rate == 1.0 {
            self.scaled(measures, |count| count);
        } else {
            self.scaled(measures, |count| scale(count, self.rate));
        }
        for (measure, flows) in measures.iter_mut().zip(self.flows.into_iter().flatten()) {
            measure.tally.flows = u64::from(*flows);
        }
    }

    #[inline]
    fn scaled(&self, measures: &mut [Measure], scale: impl Fn(u64) -> u64) {
        let counters = self.packets.iter().zip(self.bytes).zip(self.protos);
        for (measure, ((packets, bytes), proto)) in measures.iter_mut().zip(counters) {
            let tally = Tally { flows: 1, packets: scale(*packets), bytes: scale(*bytes) };
            *measure = Measure { class: Class::of(*proto), event: false, tally };
        }
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
