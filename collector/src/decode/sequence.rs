//! A stream's sequence numbers: what is missing, what came twice, what came late, when the exporter started anew.
//!
//! Between the first and the last datagram of an epoch `expected = received - duplicates + missing` holds
//! exactly, in the protocol's own unit. Numbers wrap at 2^32. A number behind the expected one is late when it
//! falls into a gap that was seen, and the start of a new epoch when it does not: whatever lies outside the
//! gaps has been received already.

use super::habit::{Habit, Held};
use super::tally::Tally;
use crate::flow::Protocol;
use crate::slot::{Epoch, Numbering};

/// How many datagrams back a duplicate is recognized.
const RECENT: usize = 64;
/// How many gaps are remembered for late datagrams.
const GAPS: usize = 16;
/// Of how many datagrams a stream's first one may have overtaken others.
const NEAR: u8 = 32;
/// No exporter sends more units than this in one step and, per second, beyond it: a larger step forward is a
/// new epoch.
const PLAUSIBLE: u64 = 1_000_000;

/// What a datagram's sequence number says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It is the next, the first, or comes after a gap.
    Forward,
    /// It fills a gap, or precedes the first one seen.
    Late,
    /// One of the last 64 came again: not to be decoded.
    Duplicate,
}

/// Whether a stream's numbers are those of other domains too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shared {
    /// They are its own.
    #[default]
    No,
    /// All of them are judged on this stream.
    Leads,
    /// They are judged on another one.
    Follows,
}

/// A datagram that came, and what is known before its records are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) number: u32,
    /// Its [`fingerprint`], or [`glimpse`] where it advances the number; 0 as long as neither is needed.
    pub(super) print: u32,
    /// The flows that it holds, where its header tells.
    pub(super) flows: u32,
}

/// What a number told about the unread sets of the datagram before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// As given to [`Sequence::leave_open`].
    pub(super) group: u64,
    /// The records in them; `None`: the exporter started anew, they will never be known.
    pub(super) records: Option<u32>,
}

/// The sequence state of one stream.
#[derive(Debug)]
pub(super) struct Sequence {
    next: u32,
    first: u32,
    last_ms: u64,
    started: bool,
    /// How many datagrams may still come of which a late one precedes `first`: those of the network's disorder,
    /// not those of a restart.
    near: u8,
    /// The last datagram also held sets whose records were not counted: which, and how many at most.
    open: Option<(u64, u32)>,
    told: Option<Told>,
    /// The units missing right before the last datagram.
    gap: u32,
    /// The last datagram did not advance the number: its duplicate carries the next one.
    stood: bool,
    habit: Habit,
    shared: Shared,
    /// What earlier cuts took of this epoch.
    epoch: Epoch,
    epochs: u32,
    recent: Option<Box<Recent>>,
}

#[derive(Debug)]
struct Recent {
    prints: [u32; RECENT],
    units: [u16; RECENT],
    at: usize,
    /// (first missing number, how many), newest last; empty ones have length 0.
    gaps: [(u32, u32); GAPS],
}

/// Where an earlier run of the edge, or an earlier stream of the same key, stood.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watermark {
    pub(super) next: u32,
    pub(super) last_ms: u64,
    pub(super) nonstandard: Option<Numbering>,
    pub(super) epoch: Epoch,
}

impl Sequence {
    /// A sequence of which nothing is known.
    pub(super) fn new(protocol: Protocol) -> Self {
        Self {
            next: 0,
            first: 0,
            last_ms: 0,
            started: false,
            near: 0,
            open: None,
            told: None,
            gap: 0,
            stood: false,
            habit: Habit::new(protocol, None),
            shared: Shared::No,
            epoch: Epoch::default(),
            epochs: 0,
            recent: None,
        }
    }

    /// Continues from what an earlier run of the edge saw, so that what was missed meanwhile is told as missing.
    pub(super) fn resume(protocol: Protocol, mark: &Watermark) -> Self {
        let (shared, nonstandard) = match mark.nonstandard {
            Some(Numbering::Elsewhere) => return Self::new(protocol),
            Some(Numbering::Shared) => (Shared::Leads, None),
            own => (Shared::No, own),
        };
        Self {
            next: mark.next,
            first: mark.epoch.first,
            last_ms: mark.last_ms,
            started: true,
            habit: Habit::new(protocol, nonstandard),
            shared,
            epoch: mark.epoch,
            ..Self::new(protocol)
        }
    }

    /// The number that the next datagram should carry.
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    /// By what the exporter numbers its datagrams.
    pub(super) fn unit(&self) -> Numbering {
        self.habit.unit()
    }

    /// The same, unless it is the protocol's own.
    pub(super) fn nonstandard(&self) -> Option<Numbering> {
        match self.shared {
            Shared::No => self.habit.nonstandard(),
            Shared::Leads => Some(Numbering::Shared),
            Shared::Follows => Some(Numbering::Elsewhere),
        }
    }

    /// Whether its numbers are those of other domains too.
    pub(super) fn shared(&self) -> Shared {
        self.shared
    }

    /// Whether the administrator says what the numbers count.
    pub(super) fn is_stated(&self) -> bool {
        self.habit.is_stated()
    }

    /// Begins anew where that changes; gives the unread sets that no number of this stream will tell of.
    pub(super) fn share(&mut self, shared: Shared, tally: &mut Tally) -> Option<u64> {
        if self.shared == shared {
            return None;
        }
        (self.shared, self.started) = (shared, false);
        tally.forget_sequence();
        self.epoch = Epoch { since_ms: self.last_ms, ..Epoch::default() };
        self.open.take().map(|(group, _)| group)
    }

    /// Which epoch this is; for [`Sequence::correct`].
    pub(super) fn epoch(&self) -> u32 {
        self.epochs
    }

    /// The balance of the current epoch, once a cut is about to take `tally`.
    pub(super) fn close_cut(&mut self, tally: &Tally) -> Epoch {
        self.epoch.first = self.first;
        self.epoch.received += tally.received.cast_signed() + tally.inferred;
        self.epoch.duplicates += tally.duplicates.cast_signed();
        self.epoch.missing += tally.missing;
        self.epoch
    }

    /// Judges by the unit that the administrator states; `None`: by what is seen.
    pub(super) fn state(&mut self, unit: Option<crds::config::Sequence>, tally: &mut Tally) {
        if self.habit.state(unit) {
            self.close_open();
            self.started = false;
            tally.forget_sequence();
        }
    }

    /// Judges a datagram before it is decoded, and completes its mark. Unless it is a duplicate,
    /// [`Sequence::settle`] must follow.
    pub(super) fn arrive(
        &mut self,
        mark: &mut Mark,
        message: &[u8],
        now_ms: u64,
        tally: &mut Tally,
    ) -> Arrival {
        let waited_ms = now_ms.saturating_sub(self.last_ms);
        self.last_ms = now_ms;
        self.gap = 0;
        let mark = if self.started && self.advances(*mark) {
            mark.print = glimpse(message);
            *mark
        } else {
            mark.print = fingerprint(message);
            if !self.started {
                self.begin(self.normal(*mark), tally);
                return Arrival::Forward;
            }
            if let Some(units) = self.seen([mark.print, glimpse(message)]) {
                tally.received += units;
                tally.duplicates += units;
                return Arrival::Duplicate;
            }
            *mark
        };
        if self.habit.step(mark.number, mark.flows) {
            self.close_open();
            tally.forget_sequence();
            self.begin(self.normal(mark), tally);
        }
        if !self.habit.unit().is_judged() {
            return Arrival::Forward;
        }
        self.place(self.normal(mark), waited_ms, tally)
    }

    /// Whether the number is the expected one, and no duplicate of the last datagram could carry it.
    fn advances(&self, mark: Mark) -> bool {
        self.habit.unit().is_judged() && !self.stood && self.normal(mark) == self.next
    }

    /// What the last number told of the sets that [`Sequence::leave_open`] was about.
    pub(super) fn take_told(&mut self) -> Option<Told> {
        self.told.take()
    }

    /// Counts the units of a datagram that [`Sequence::arrive`] let through, once they are known, and gives them.
    pub(super) fn settle(&mut self, arrival: Arrival, mark: Mark, held: Held, tally: &mut Tally) -> u32 {
        let units = self.habit.settle(mark.number, held);
        let number = self.normal(mark);
        tally.received += u64::from(units);
        match arrival {
            Arrival::Forward => {
                self.next = number.wrapping_add(units);
                self.stood = units == 0;
                self.near = self.near.saturating_sub(1);
            }
            Arrival::Late => {
                let before = self.first.wrapping_sub(number);
                if self.near > 0 && before.wrapping_sub(1) < 1 << 16 {
                    self.first = number;
                    tally.missing += i64::from(before);
                    self.recent().open_gap(number, before);
                }
                tally.missing -= i64::from(units);
                self.recent().fill_gap(number, units);
            }
            Arrival::Duplicate => return units,
        }
        let recent = self.recent();
        let at = recent.at % RECENT;
        recent.prints[at] = mark.print;
        recent.units[at] = u16::try_from(units).unwrap_or(u16::MAX);
        recent.at = recent.at.wrapping_add(1);
        units
    }

    /// Says that the datagram just settled also held sets (`group`) whose records could not be counted, at most
    /// `units`: the next number tells how many they were.
    pub(super) fn leave_open(&mut self, group: u64, units: u32) {
        self.open = Some((group, units));
    }

    /// The records of a set that [`Sequence::leave_open`] was about became known before the next number came.
    pub(super) fn advance(&mut self, group: u64, records: u32, last: bool, tally: &mut Tally) {
        let Some((open, most)) = self.open.filter(|(open, _)| *open == group) else { return };
        tally.inferred += i64::from(records);
        self.next = self.next.wrapping_add(records);
        self.open = (!last).then_some((open, most.saturating_sub(records)));
    }

    /// `more` units were received than was told when `epoch` was the current one. Where the number after them is
    /// known they were taken for missing; else they are `beyond` what was expected.
    pub(super) fn correct(&mut self, more: i64, epoch: u32, beyond: bool, tally: &mut Tally) {
        if !matches!(self.unit(), Numbering::Flows | Numbering::Records | Numbering::AllRecords) {
            return;
        }
        tally.inferred += more;
        tally.missing -= if beyond { 0 } else { more };
        if epoch != self.epochs {
            // The totals change, the epoch that runs now does not.
            self.epoch.received -= more;
            self.epoch.missing += if beyond { 0 } else { more };
        }
    }

    /// sFlow: weighs the gap before the last datagram by the samples in it: how many there were, and how many
    /// were missing before them. A datagram that was really lost shows sooner or later in some data source.
    pub(super) fn weigh(&mut self, samples: u64, missing: i64, tally: &mut Tally) {
        let weighs = samples > 0 && (self.gap == 1 || missing > 0);
        if weighs && self.habit.contradict(missing > 0) {
            tally.forget_sequence();
            self.started = false;
        }
    }

    /// The unread sets that no number can tell of any more.
    pub(super) fn close_open(&mut self) -> Option<u64> {
        let (group, _) = self.open.take()?;
        self.told = Some(Told { group, records: None });
        Some(group)
    }

    /// The number of a datagram's first unit.
    fn normal(&self, mark: Mark) -> u32 {
        match self.habit.unit() {
            Numbering::LastFlow => mark.number.wrapping_sub(mark.flows),
            _ => mark.number,
        }
    }

    /// Finds where a number belongs that is no duplicate's.
    fn place(&mut self, number: u32, waited_ms: u64, tally: &mut Tally) -> Arrival {
        let mut ahead = number.wrapping_sub(self.next);
        let plausible = || u64::from(ahead) <= PLAUSIBLE + (waited_ms / 1000).saturating_mul(PLAUSIBLE);
        if ahead == 0 || ahead < 1 << 31 && plausible() {
            if let Some((group, most)) = self.open.take() {
                let inferred = ahead.min(most);
                tally.inferred += i64::from(inferred);
                self.told = Some(Told { group, records: Some(inferred) });
                if inferred > 0 {
                    // A late datagram may show that it was not all in the unread sets.
                    let start = self.next;
                    self.recent().open_gap(start, inferred);
                }
                self.next = self.next.wrapping_add(inferred);
                ahead -= inferred;
            }
            if ahead > 0 {
                tally.missing += i64::from(ahead);
                self.gap = ahead;
                let start = std::mem::replace(&mut self.next, number);
                self.recent().open_gap(start, ahead);
            }
            return Arrival::Forward;
        }
        if self.is_late(number) {
            tally.reordered += 1;
            return Arrival::Late;
        }
        self.close_open();
        tally.restarts += 1;
        self.begin(number, tally);
        Arrival::Forward
    }

    fn begin(&mut self, number: u32, tally: &Tally) {
        self.next = number;
        self.first = number;
        self.started = true;
        self.near = NEAR;
        self.epochs = self.epochs.wrapping_add(1);
        self.epoch = Epoch {
            since_ms: self.last_ms,
            first: number,
            received: -(tally.received.cast_signed() + tally.inferred),
            duplicates: -tally.duplicates.cast_signed(),
            missing: -tally.missing,
        };
        if let Some(recent) = &mut self.recent {
            recent.gaps = [(0, 0); GAPS];
        }
    }

    fn recent(&mut self) -> &mut Recent {
        self.recent.get_or_insert_with(|| {
            Box::new(Recent { prints: [0; RECENT], units: [0; RECENT], at: 0, gaps: [(0, 0); GAPS] })
        })
    }

    /// The units of a recent datagram with these bytes, whichever of the prints was kept of it.
    fn seen(&self, prints: [u32; 2]) -> Option<u64> {
        let recent = self.recent.as_ref()?;
        let at = recent.prints.iter().position(|known| prints.contains(known))?;
        (at < recent.at).then(|| u64::from(recent.units[at]))
    }

    fn is_late(&self, number: u32) -> bool {
        let before_first = self.first.wrapping_sub(number).wrapping_sub(1) < 1 << 10;
        let in_gap = self
            .recent
            .as_ref()
            .is_some_and(|recent| recent.gaps.iter().any(|(start, len)| number.wrapping_sub(*start) < *len));
        in_gap || self.near > 0 && before_first
    }
}

impl Recent {
    fn open_gap(&mut self, start: u32, len: u32) {
        self.gaps.rotate_left(1);
        self.gaps[GAPS - 1] = (start, len);
    }

    fn fill_gap(&mut self, number: u32, units: u32) {
        let Some(at) = self.gaps.iter().position(|(start, len)| number.wrapping_sub(*start) < *len) else {
            return;
        };
        let (start, len) = self.gaps[at];
        let before = number.wrapping_sub(start);
        let after = len.saturating_sub(before.saturating_add(units));
        self.gaps[at] = (start, before);
        if after > 0 {
            self.open_gap(number.wrapping_add(units), after);
        }
    }
}

/// A fingerprint of a datagram's bytes, always odd: sums over 8-byte words in eight lanes, several times cheaper than
/// a hash. It tells datagrams of one stream apart whose sequence number does not advance.
fn fingerprint(bytes: &[u8]) -> u32 {
    let (blocks, tail) = bytes.as_chunks::<64>();
    let mut sums = [bytes.len() as u64; 8];
    for block in blocks {
        add(block, &mut sums);
    }
    if !tail.is_empty() {
        let mut last = [0_u8; 64];
        if let Some(start) = last.get_mut(..tail.len()) {
            start.copy_from_slice(tail);
        }
        add(&last, &mut sums);
    }
    mix(sums) | 1
}

/// A fingerprint of a datagram's ends and length, always even: enough for one that carries the expected number, which
/// only its copies carry too. With the number, the header's times and the last records are in it.
fn glimpse(bytes: &[u8]) -> u32 {
    let (Some(head), Some(tail)) = (bytes.first_chunk::<64>(), bytes.last_chunk::<64>()) else {
        return fingerprint(bytes) & !1;
    };
    let mut sums = [bytes.len() as u64; 8];
    add(head, &mut sums);
    // The same bytes count for more in the one place than in the other.
    sums = sums.map(|sum| sum.rotate_left(7));
    add(tail, &mut sums);
    mix(sums) & !1
}

fn mix(sums: [u64; 8]) -> u32 {
    let mut print = 0xcbf2_9ce4_8422_2325_u64;
    for sum in sums {
        print = (print ^ sum).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    (print >> 32) as u32 ^ print as u32
}

#[inline]
fn add(block: &[u8; 64], sums: &mut [u64; 8]) {
    let (words, _) = block.as_chunks::<8>();
    for (word, sum) in words.iter().zip(sums) {
        *sum = sum.wrapping_add(u64::from_le_bytes(*word));
    }
}
