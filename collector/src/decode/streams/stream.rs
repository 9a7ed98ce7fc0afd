//! One stream: its counts, its sequence, and whether newcomers can take its place.

use super::super::habit::Held;
use super::super::resume::same_start;
use super::super::sequence::{Arrival, Mark, Sequence};
use super::super::tally::Tally;
use super::Key;
use crate::flow::Protocol;
use crate::slot::{Numbering, SequenceUnit, StreamReport, Waiting};

/// Streams that sent for this long keep their place.
const SETTLED_MS: u64 = 600_000;

/// One stream.
#[derive(Debug)]
pub(in crate::decode) struct Stream {
    pub(in crate::decode) key: Key,
    /// What happened since the last cut.
    pub(in crate::decode) tally: Tally,
    pub(in crate::decode) sequence: Sequence,
    /// What waits for its template now.
    pub(in crate::decode) waiting: Waiting,
    /// What its port sends over all domains, and the number that should follow this one's last message.
    pub(super) session: Option<usize>,
    pub(super) follows: Option<u32>,
    /// The last sampling rate seen.
    pub(in crate::decode) sampling_rate: Option<f32>,
    /// Since the last cut, flows referred to a sampler of which no rate is known.
    pub(in crate::decode) lacks_rate: bool,
    pub(super) rate_unknown: bool,
    /// Received minus end time of the newest record, in ms.
    pub(in crate::decode) clock_skew_ms: Option<i64>,
    /// Until its first datagram since a restart of the edge is judged: when its last one before came.
    pub(in crate::decode) resumed_ms: Option<u64>,
    /// v9: when the exporter started.
    pub(super) boot_ms: Option<u64>,
    pub(super) first_ms: u64,
    /// When the first datagram since the last cut came.
    pub(super) heard_ms: u64,
    pub(super) last_ms: u64,
    /// Its connection has ended.
    pub(super) closed: bool,
    pub(super) standing: Standing,
    pub(super) touched: bool,
    /// Its facts have to be reported; they were last at `told_ms`.
    pub(super) changed: bool,
    pub(super) told_ms: u64,
    /// Its index stands in [`Streams::changed`].
    pub(super) listed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Newcomer,
    Settled,
    /// Of a named source.
    Named,
}

impl Stream {
    pub(super) fn new(key: Key, now_ms: u64, standing: Standing, sequence: Sequence) -> Self {
        Self {
            key,
            tally: Tally::default(),
            sequence,
            waiting: Waiting::default(),
            session: None,
            follows: None,
            sampling_rate: None,
            lacks_rate: false,
            rate_unknown: false,
            clock_skew_ms: None,
            resumed_ms: None,
            boot_ms: None,
            first_ms: now_ms,
            heard_ms: now_ms,
            last_ms: now_ms,
            closed: false,
            standing,
            touched: false,
            changed: false,
            told_ms: 0,
            listed: false,
        }
    }

    /// Notes when the exporter started; whether that moved.
    pub(in crate::decode) fn started(&mut self, boot_ms: Option<u64>) -> bool {
        let moved = boot_ms.is_some() && !same_start(self.boot_ms, boot_ms);
        if moved {
            self.boot_ms = boot_ms;
        }
        moved
    }

    /// Counts a datagram (or one of several messages in one) and judges its sequence number; `flows` is what its
    /// header says that it holds, 0 where it does not. The mark is for [`Stream::settle`]. The stream of those
    /// without a place has no sequence.
    pub(in crate::decode) fn arrive(&mut self, message: &[u8], number: u32, flows: u32) -> (Arrival, Mark) {
        self.count(message);
        let mut mark = Mark { number, print: 0, flows };
        if self.is_unknown() {
            return (Arrival::Forward, mark);
        }
        let arrival = self.sequence.arrive(&mut mark, message, self.last_ms, &mut self.tally);
        (arrival, mark)
    }

    /// Counts what a datagram held that was let through; gives how far its number steps.
    pub(in crate::decode) fn settle(&mut self, arrival: Arrival, mark: Mark, held: Held) -> u32 {
        if self.is_unknown() {
            return 0;
        }
        self.sequence.settle(arrival, mark, held, &mut self.tally)
    }

    /// Counts a datagram.
    pub(super) fn count(&mut self, message: &[u8]) {
        self.tally.datagrams += 1;
        self.tally.bytes += message.len() as u64;
    }

    /// Judges the sequence number of a message, of this stream or of one that is numbered with it.
    pub(super) fn judge(&mut self, message: &[u8], number: u32, now_ms: u64) -> (Arrival, Mark) {
        if self.is_unknown() {
            return (Arrival::Forward, Mark { number, print: 0, flows: 0 });
        }
        let mut mark = Mark { number, print: 0, flows: 0 };
        let arrival = self.sequence.arrive(&mut mark, message, now_ms, &mut self.tally);
        (arrival, mark)
    }

    /// Whether newcomers never take its place.
    pub(in crate::decode) fn is_trusted(&self) -> bool {
        self.standing == Standing::Named || self.last_ms.saturating_sub(self.first_ms) >= SETTLED_MS
    }

    /// Whether it stands for all those without a place.
    pub(in crate::decode) fn is_unknown(&self) -> bool {
        self.key.listener == u16::MAX
    }

    /// Whether everything that it counted was reported, and nothing waits.
    pub(super) fn is_settled_up(&self) -> bool {
        !self.touched && self.waiting.sets == 0
    }

    pub(super) fn may_go(&self, now_ms: u64) -> bool {
        !self.is_trusted() || now_ms.saturating_sub(self.last_ms) > 10 * SETTLED_MS
    }

    /// Whether its facts were reported.
    pub(in crate::decode) fn was_told(&self) -> bool {
        self.told_ms > 0
    }

    pub(super) fn report(&mut self, listener: &str) -> StreamReport {
        let epoch = self.sequence.close_cut(&self.tally);
        let tally = std::mem::take(&mut self.tally);
        self.touched = false;
        if tally.records > 0 {
            self.rate_unknown = std::mem::take(&mut self.lacks_rate);
        }
        StreamReport {
            key: self.key.named(listener),
            source: String::new(),
            unit: unit(self.key.protocol, self.sequence.unit()),
            nonstandard: self.sequence.nonstandard(),
            first_seen_ms: self.heard_ms,
            last_seen_ms: self.last_ms,
            sampling_rate: self.sampling_rate,
            rate_unknown: self.rate_unknown,
            interfaces: Vec::new(),
            clock_skew_ms: self.clock_skew_ms,
            next_sequence: self.sequence.next(),
            epoch,
            waiting: self.waiting,
            counts: tally.report(),
        }
    }
}

/// The unit of a stream's balance by sequence number.
fn unit(protocol: Protocol, numbering: Numbering) -> SequenceUnit {
    match (numbering, protocol) {
        (Numbering::Flows | Numbering::LastFlow, _) => SequenceUnit::Flows,
        (Numbering::Records | Numbering::AllRecords, _) => SequenceUnit::Records,
        (_, Protocol::SFlow5) => SequenceUnit::Datagrams,
        (Numbering::Packets, _) | (_, Protocol::NetFlow9) => SequenceUnit::Packets,
        (_, Protocol::NetFlow5 | Protocol::NetFlow7) => SequenceUnit::Flows,
        (_, Protocol::Ipfix) => SequenceUnit::Records,
    }
}
