//! A stream's sequence numbers: what is missing, what came twice, what came late, when the exporter started anew.
//!
//! Between the first and the last datagram of an epoch `expected = received - duplicates + missing` holds
//! exactly, in the protocol's own unit. Numbers wrap at 2^32. A number behind the expected one is late when it
//! falls into a gap that was seen, and the start of a new epoch when it does not: whatever lies outside the
//! gaps has been received already.

use super::habit::{Habit, Unit};
use super::tally::Tally;

/// How many datagrams back a duplicate is recognized.
const RECENT: usize = 64;
/// How many gaps are remembered for late datagrams.
const GAPS: usize = 16;
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

/// The sequence state of one stream.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    next: u32,
    first: u32,
    last_ms: u64,
    started: bool,
    /// `first` may still be preceded by a late datagram.
    first_is_near: bool,
    /// At most so many units of the last datagram were not counted, because its sets could not be read.
    uncounted: u32,
    habit: Habit,
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

impl Sequence {
    /// Continues from what an earlier run of the edge saw, so that what was missed meanwhile is told as missing.
    pub(super) fn resume(next: u32, last_ms: u64) -> Self {
        Self { next, first: next, last_ms, started: true, ..Self::default() }
    }

    /// The number that the next datagram should carry.
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    /// The unit in which the exporter numbers its datagrams.
    pub(super) fn unit(&self) -> Unit {
        self.habit.unit()
    }

    /// Judges a datagram before it is decoded; `print` is its [`fingerprint`]. Unless it is a duplicate,
    /// [`Sequence::settle`] must follow.
    pub(super) fn arrive(&mut self, number: u32, print: u32, now_ms: u64, tally: &mut Tally) -> Arrival {
        let waited_s = now_ms.saturating_sub(self.last_ms) / 1000;
        self.last_ms = now_ms;
        if !self.started {
            self.begin(number);
            return Arrival::Forward;
        }
        let advances = number == self.next && self.habit.unit() != Unit::Still;
        if !advances && let Some(units) = self.seen(print) {
            tally.received += units;
            tally.duplicates += units;
            return Arrival::Duplicate;
        }
        if self.habit.step(number) {
            tally.missing -= std::mem::take(&mut self.habit.missing);
            tally.restarts = tally.restarts.saturating_sub(std::mem::take(&mut self.habit.restarts));
            self.begin(number);
        }
        if self.habit.unit() == Unit::Still {
            return Arrival::Forward;
        }
        let before = (tally.missing, tally.restarts);
        let arrival = self.place(number, waited_s, tally);
        self.habit.missing += tally.missing - before.0;
        self.habit.restarts += tally.restarts - before.1;
        arrival
    }

    /// Finds where a number belongs that is no duplicate's.
    fn place(&mut self, number: u32, waited_s: u64, tally: &mut Tally) -> Arrival {
        let uncounted = std::mem::take(&mut self.uncounted);
        let mut ahead = number.wrapping_sub(self.next);
        if ahead < 1 << 31 && uncounted > 0 {
            let inferred = ahead.min(uncounted);
            tally.received += u64::from(inferred);
            self.next = self.next.wrapping_add(inferred);
            ahead -= inferred;
        }
        if ahead == 0 {
            return Arrival::Forward;
        }
        if ahead < 1 << 31 && u64::from(ahead) <= PLAUSIBLE + waited_s.saturating_mul(PLAUSIBLE) {
            tally.missing += i64::from(ahead);
            let start = std::mem::replace(&mut self.next, number);
            self.recent().open_gap(start, ahead);
            return Arrival::Forward;
        }
        if self.is_late(number) {
            tally.reordered += 1;
            return Arrival::Late;
        }
        tally.restarts += 1;
        self.begin(number);
        Arrival::Forward
    }

    /// Counts the units of a datagram that [`Sequence::arrive`] let through, once they are known; `records` is
    /// what it held, whatever the protocol counts by.
    pub(super) fn settle(
        &mut self,
        arrival: Arrival,
        number: u32,
        (units, records): (u32, u32),
        print: u32,
        tally: &mut Tally,
    ) {
        let units = self.habit.settle(number, units, records);
        tally.received += u64::from(units);
        match arrival {
            Arrival::Forward => {
                self.next = number.wrapping_add(units);
                self.first_is_near &= self.next.wrapping_sub(self.first) < 1 << 20;
            }
            Arrival::Late => {
                let before = self.first.wrapping_sub(number);
                if self.first_is_near && before.wrapping_sub(1) < 1 << 16 {
                    self.first = number;
                    tally.missing += i64::from(before);
                    self.recent().open_gap(number, before);
                }
                tally.missing -= i64::from(units);
                self.habit.missing -= i64::from(units);
                self.recent().fill_gap(number, units);
            }
            Arrival::Duplicate => return,
        }
        let recent = self.recent();
        let at = recent.at % RECENT;
        recent.prints[at] = print;
        recent.units[at] = u16::try_from(units).unwrap_or(u16::MAX);
        recent.at = recent.at.wrapping_add(1);
    }

    /// Says that the datagram just settled also held sets whose records could not be counted, at most `units`:
    /// the next number tells how many they were.
    pub(super) fn leave_open(&mut self, units: u32) {
        self.uncounted = units;
    }

    fn begin(&mut self, number: u32) {
        self.next = number;
        self.first = number;
        self.started = true;
        self.first_is_near = true;
        if let Some(recent) = &mut self.recent {
            recent.gaps = [(0, 0); GAPS];
        }
    }

    fn recent(&mut self) -> &mut Recent {
        self.recent.get_or_insert_with(|| {
            Box::new(Recent { prints: [0; RECENT], units: [0; RECENT], at: 0, gaps: [(0, 0); GAPS] })
        })
    }

    /// The units of a recent datagram with these bytes.
    fn seen(&self, print: u32) -> Option<u64> {
        let recent = self.recent.as_ref()?;
        let at = recent.prints.iter().position(|known| *known == print)?;
        (at < recent.at).then(|| u64::from(recent.units[at]))
    }

    fn is_late(&self, number: u32) -> bool {
        let before_first = self.first.wrapping_sub(number).wrapping_sub(1) < 1 << 10;
        let in_gap = self
            .recent
            .as_ref()
            .is_some_and(|recent| recent.gaps.iter().any(|(start, len)| number.wrapping_sub(*start) < *len));
        in_gap || self.first_is_near && before_first
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

/// A fingerprint of a datagram's bytes, never 0: sums over 8-byte words in eight lanes, several times cheaper than
/// a hash. It only ever tells two datagrams of one stream apart whose sequence number does not advance.
pub(super) fn fingerprint(bytes: &[u8]) -> u32 {
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
    let mut print = 0xcbf2_9ce4_8422_2325_u64;
    for sum in sums {
        print = (print ^ sum).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    ((print >> 32) as u32 ^ print as u32) | 1
}

#[inline]
fn add(block: &[u8; 64], sums: &mut [u64; 8]) {
    let (words, _) = block.as_chunks::<8>();
    for (word, sum) in words.iter().zip(sums) {
        *sum = sum.wrapping_add(u64::from_le_bytes(*word));
    }
}
