//! Which streams should be heard: each one's rhythm, and the slots in which it was silent for too long.
//!
//! A stream that was heard in three slots is *expected*: in every slot in which it sends, and in every slot at
//! whose end it has been silent for longer than its patience, twice its longest usual silence and at least a
//! slot. So an exporter that sends once a minute is not missed in the slots between. After an hour of silence
//! it is given up; and from the slot in which the same exporter begins anew from another port.
//!
//! Slots are judged by the aggregator's clock once they are over. What an edge that was cut off delivers later
//! takes back what was judged too early: the order of arrival changes no number.

use std::collections::BTreeMap;
use std::net::IpAddr;

use foldhash::HashMap;
use redb::{ReadTransaction, ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::presence::{Deltas, delta};
use super::store::{META, PULSES, StoreError};
use crate::slot::{SpoolId, StreamKey, StreamReport, inflate};

/// A stream that was silent for so long is not expected any more.
pub(super) const GIVE_UP_MS: u64 = 3_600_000;
/// In so many slots a stream is heard before its silence counts.
const SLOTS: u32 = 3;
/// Each report shortens what was the longest silence by one part in so many: a rhythm may become faster.
const SHORTEN: u64 = 64;
/// After so long nothing that an edge still holds could take anything back: its spool keeps 24 h.
const FORGET_MS: u64 = 25 * 3_600_000;
/// No stored value is larger.
const MAX_BYTES: usize = 64 << 20;

/// Starts of slots, from .. to.
type Span = (u64, u64);

/// One stream's rhythm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pulse {
    source: u32,
    began_ms: u64,
    last_ms: u64,
    /// The longest usual silence.
    gap_ms: u64,
    /// Slots in which it was heard, up to [`SLOTS`].
    slots: u32,
    /// The last slot that counts it as present.
    counted: Option<u64>,
    /// The slots that count it as absent since it was last heard.
    absent: Span,
    /// When the same exporter began anew from another port.
    again_ms: Option<u64>,
}

impl Pulse {
    fn new(source: u32, first_ms: u64) -> Self {
        Self { source, began_ms: first_ms, last_ms: first_ms, ..Self::default() }
    }

    /// How long it may be silent before it is absent.
    fn patience_ms(&self, slot_ms: u64) -> u64 {
        slot_ms.max(2 * self.gap_ms)
    }

    /// The slots before `judged_ms` in which it is absent by what was heard so far.
    fn overdue(&self, judged_ms: u64, slot_ms: u64) -> Span {
        // A slot is judged at its end.
        let slot_after = |ms: u64| ms - ms % slot_ms + slot_ms;
        let from = slot_after(self.last_ms + self.patience_ms(slot_ms) - slot_ms);
        let given_up = slot_after(self.last_ms + GIVE_UP_MS - slot_ms);
        let again = self.again_ms.map_or(u64::MAX, |ms| ms - ms % slot_ms);
        let to = given_up.min(again).min(judged_ms);
        if self.slots < SLOTS || to <= from { (0, 0) } else { (from, to) }
    }

    /// Notes that it sent between two moments, when the slots before `judged_ms` had been judged.
    fn hear(&mut self, (first_ms, last_ms): Span, judged_ms: u64, slot_ms: u64, deltas: &mut Deltas) {
        let slot = |ms: u64| ms - ms % slot_ms;
        let first_ms = first_ms.max(last_ms.saturating_sub(GIVE_UP_MS)).min(last_ms);
        // Up to then it was silent indeed; what was said of later slots is said anew.
        self.settle(slot(first_ms), slot_ms, deltas);
        self.absent = (0, 0);
        // An outage is no rhythm: one that it was not patient for counts with twice the patience.
        let silence = first_ms.saturating_sub(self.last_ms).min(2 * self.patience_ms(slot_ms));
        self.gap_ms = (self.gap_ms - self.gap_ms.div_ceil(SHORTEN)).max(silence);
        self.last_ms = self.last_ms.max(last_ms);
        self.again_ms = None;
        let mut at = self.counted.map_or(slot(first_ms), |counted| slot(first_ms).max(counted + slot_ms));
        while at <= slot(last_ms) {
            delta(deltas, at, self.source).present += 1;
            self.slots = (self.slots + 1).min(SLOTS);
            self.counted = Some(at);
            at += slot_ms;
        }
        self.settle(judged_ms, slot_ms, deltas);
    }

    /// Brings the slots that count it as absent to what is known now.
    fn settle(&mut self, judged_ms: u64, slot_ms: u64, deltas: &mut Deltas) {
        let (old, new) = (self.absent, self.overdue(judged_ms, slot_ms));
        for (spans, change) in [(outside(old, new), -1), (outside(new, old), 1)] {
            for (mut at, to) in spans {
                while at < to {
                    delta(deltas, at, self.source).absent += change;
                    at += slot_ms;
                }
            }
        }
        self.absent = new;
    }
}

/// The parts of a span that lie before and after another one.
fn outside(span: Span, other: Span) -> [Span; 2] {
    if other.0 >= other.1 {
        return [span, (0, 0)];
    }
    [(span.0, span.1.min(other.0)), (span.0.max(other.1), span.1)]
}

/// An exporter, whatever port it sends from.
type Sender<'a> = (&'a str, IpAddr, &'a str, u32, Option<IpAddr>);

fn sender(key: &StreamKey) -> Sender<'_> {
    (&key.listener, key.exporter, &key.protocol, key.domain, key.agent)
}

/// The streams that one spool reports.
#[derive(Clone, Debug, Default)]
struct Reported {
    streams: HashMap<StreamKey, Pulse>,
    changed: bool,
}

impl Reported {
    /// The streams whose silence is to be judged, each with the time at which the same exporter began anew
    /// from another port, if it did.
    fn silent(&self, judged_ms: u64, slot_ms: u64) -> Vec<(StreamKey, Option<u64>)> {
        let is_due = |pulse: &Pulse| pulse.overdue(judged_ms, slot_ms) != pulse.absent;
        if !self.streams.values().any(is_due) {
            return Vec::new();
        }
        let mut begun: HashMap<Sender<'_>, u64> = HashMap::default();
        for (key, pulse) in &self.streams {
            let newest = begun.entry(sender(key)).or_default();
            *newest = pulse.began_ms.max(*newest);
        }
        let again = |key, last_ms| begun.get(&sender(key)).copied().filter(|ms| *ms > last_ms);
        let due = self.streams.iter().filter(|(_, pulse)| is_due(pulse));
        due.map(|(key, pulse)| (key.clone(), pulse.again_ms.or(again(key, pulse.last_ms)))).collect()
    }

    fn judge(&mut self, judged_ms: u64, slot_ms: u64, deltas: &mut Deltas) {
        for (key, again_ms) in self.silent(judged_ms, slot_ms) {
            if let Some(pulse) = self.streams.get_mut(&key) {
                pulse.again_ms = again_ms;
                pulse.settle(judged_ms, slot_ms, deltas);
                self.changed = true;
            }
        }
    }

    fn retain(&mut self, keep: impl Fn(&Pulse) -> bool) {
        let before = self.streams.len();
        self.streams.retain(|_, pulse| keep(pulse));
        self.changed |= self.streams.len() < before;
    }
}

/// The rhythm of every stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulses {
    spools: BTreeMap<SpoolId, Reported>,
    /// Slots that start before have been judged; 0: none yet.
    judged_ms: u64,
}

impl Pulses {
    /// Notes what a block says of one stream.
    pub(super) fn hear(
        &mut self,
        (spool, report): (SpoolId, &StreamReport),
        source: u32,
        slot_ms: u64,
        deltas: &mut Deltas,
    ) {
        let reported = self.spools.entry(spool).or_default();
        reported.changed = true;
        let pulse = reported.streams.entry(report.key.clone());
        let pulse = pulse.or_insert_with(|| Pulse::new(source, report.first_seen_ms));
        if pulse.source != source {
            // What was counted for the other source stays there.
            (pulse.source, pulse.absent) = (source, (0, 0));
        }
        pulse.hear((report.first_seen_ms, report.last_seen_ms), self.judged_ms, slot_ms, deltas);
    }

    /// Says for every slot that is over by `until_ms` which streams were absent in it.
    pub(super) fn judge(&mut self, until_ms: u64, slot_ms: u64, deltas: &mut Deltas) {
        let until_ms = until_ms - until_ms % slot_ms;
        for reported in self.spools.values_mut().filter(|_| until_ms > self.judged_ms) {
            reported.judge(until_ms, slot_ms, deltas);
            reported.retain(|pulse| pulse.last_ms.saturating_add(FORGET_MS) > until_ms);
        }
        self.judged_ms = self.judged_ms.max(until_ms);
    }

    /// Forgets an eighth of the streams, those silent for longest, once there are more than `limit`.
    pub(super) fn evict(&mut self, limit: usize) {
        let count: usize = self.spools.values().map(|reported| reported.streams.len()).sum();
        if count <= limit {
            return;
        }
        let pulses = self.spools.values().flat_map(|reported| reported.streams.values());
        let mut ages: Vec<u64> = pulses.map(|pulse| pulse.last_ms).collect();
        let (_, oldest, _) = ages.select_nth_unstable((count - limit + limit / 8).min(count - 1));
        let oldest = *oldest;
        self.spools.values_mut().for_each(|reported| reported.retain(|pulse| pulse.last_ms > oldest));
    }

    /// Reads everything.
    pub(super) fn load(transaction: &ReadTransaction) -> Result<Self, StoreError> {
        let mut pulses = Self::default();
        for entry in transaction.open_table(PULSES)?.iter()? {
            let (spool, value) = entry?;
            let plain = inflate(value.value(), MAX_BYTES).map_err(StoreError::Damaged)?;
            let streams: Vec<(StreamKey, Pulse)> = postcard::from_bytes(&plain)?;
            let reported = Reported { streams: streams.into_iter().collect(), changed: false };
            pulses.spools.insert(spool.value(), reported);
        }
        let meta = transaction.open_table(META)?;
        let judged = meta.get("judged")?.map(|value| postcard::from_bytes(value.value())).transpose()?;
        pulses.judged_ms = judged.unwrap_or(0);
        Ok(pulses)
    }

    /// Writes what changed.
    pub(super) fn save(&self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        let mut table = transaction.open_table(PULSES)?;
        for (spool, reported) in self.spools.iter().filter(|(_, reported)| reported.changed) {
            if reported.streams.is_empty() {
                table.remove(*spool)?;
                continue;
            }
            let streams: Vec<(&StreamKey, &Pulse)> = reported.streams.iter().collect();
            let plain = postcard::to_stdvec(&streams)?;
            let value = zstd::bulk::compress(&plain, 1).map_err(|e| StoreError::Damaged(e.to_string()))?;
            table.insert(*spool, value.as_slice())?;
        }
        let mut meta = transaction.open_table(META)?;
        meta.insert("judged", postcard::to_stdvec(&self.judged_ms)?.as_slice())?;
        Ok(())
    }

    /// Everything has been made durable.
    pub(super) fn saved(&mut self) {
        self.spools.retain(|_, reported| !reported.streams.is_empty());
        self.spools.values_mut().for_each(|reported| reported.changed = false);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::slot::SequenceUnit;

    const SLOT: u64 = 10_000;
    /// Long after the epoch, so that nothing is before it.
    const BASE: u64 = 1_000_000_000;

    fn report(port: u16, first_ms: u64, last_ms: u64) -> StreamReport {
        StreamReport {
            key: StreamKey {
                listener: "netflow".into(),
                exporter: "192.0.2.1".parse().unwrap(),
                port,
                protocol: "netflow9".into(),
                domain: 0,
                agent: None,
            },
            source: "s".into(),
            unit: SequenceUnit::Packets,
            first_seen_ms: first_ms,
            last_seen_ms: last_ms,
            sampling_rate: None,
            rate_unknown: false,
            interfaces: vec![],
            clock_skew_ms: None,
            next_sequence: 0,
            nonstandard: None,
            epoch: crate::slot::Epoch::default(),
            waiting: crate::slot::Waiting::default(),
            counts: crate::slot::StreamCounts::default(),
        }
    }

    /// (present, absent) of each of `slots` slots.
    fn counted(deltas: &Deltas, slots: u64) -> Vec<(i64, i64)> {
        let of = |slot| deltas.get(&(BASE + slot * SLOT)).and_then(|sources| sources.get(&0));
        (0..slots).map(|slot| of(slot).map_or((0, 0), |d| (d.present, d.absent))).collect()
    }

    /// Hears streams at (port, second), judges the first `slots` slots, and tells what they counted.
    fn tell(heard: &[(u16, u64)], slots: u64) -> Vec<(i64, i64)> {
        let (mut pulses, mut deltas) = (Pulses::default(), Deltas::new());
        for (port, second) in heard {
            let at = BASE + second * 1_000;
            pulses.hear((1, &report(*port, at, at)), 0, SLOT, &mut deltas);
        }
        pulses.judge(BASE + slots * SLOT, SLOT, &mut deltas);
        counted(&deltas, slots)
    }

    #[test]
    fn a_stream_that_falls_silent_is_absent_until_it_is_given_up_after_an_hour() {
        let heard: Vec<_> = (0..8).map(|n| (1, n * 5)).collect();
        let slots = tell(&heard, 400);
        assert_eq!(slots[..6], [(1, 0), (1, 0), (1, 0), (1, 0), (0, 1), (0, 1)]);
        // Last heard at second 35: at the end of slot 362 for one hour less five seconds.
        assert_eq!(slots[361..365], [(0, 1), (0, 1), (0, 0), (0, 0)]);
    }

    #[test]
    fn a_stream_that_sends_once_a_minute_is_missed_only_when_a_minute_is_left_out() {
        let heard: Vec<_> = (0..5).map(|n| (1, n * 60)).collect();
        let slots = tell(&heard, 40);
        let absent: Vec<_> = slots.iter().enumerate().filter(|(_, s)| s.1 > 0).map(|(at, _)| at).collect();
        assert_eq!(absent.first(), Some(&36), "last heard in slot 24, patient for two minutes");
    }

    #[test]
    fn a_stranger_that_was_heard_twice_is_not_missed() {
        assert_eq!(tell(&[(1, 0), (1, 10)], 5), [(1, 0), (1, 0), (0, 0), (0, 0), (0, 0)]);
    }

    #[test]
    fn an_exporter_that_goes_on_from_another_port_is_missed_only_in_between() {
        let mut heard: Vec<_> = (0..8).map(|n| (1, n * 5)).collect();
        heard.extend((0..4).map(|n| (2, 62 + n * 5)));
        assert_eq!(tell(&heard, 8)[3..], [(1, 0), (0, 1), (0, 1), (1, 0), (1, 0)]);
    }

    /// One stream, reports in order, slot by slot: the rules as they are written.
    fn plain(reports: &[(u64, u64)], slots: u64) -> Vec<(i64, i64)> {
        let judge = |slot: u64| {
            let (start, end) = (BASE + slot * SLOT, BASE + (slot + 1) * SLOT);
            if reports.iter().any(|(first, last)| *first < end && *last >= start) {
                return (1, 0);
            }
            let before: Vec<_> = reports.iter().filter(|(_, last)| *last < start).collect();
            let mut seen: Vec<u64> =
                before.iter().flat_map(|(first, last)| (first / SLOT)..=(last / SLOT)).collect();
            seen.dedup();
            let mut gap = 0;
            for pair in before.windows(2) {
                let silence = (pair[1].0 - pair[0].1).min(2 * SLOT.max(2 * gap));
                gap = (gap - gap.div_ceil(64)).max(silence);
            }
            let silence = before.last().map_or(0, |(_, last)| end - last);
            (0, i64::from(seen.len() >= 3 && silence > SLOT.max(2 * gap) && silence < GIVE_UP_MS + SLOT))
        };
        (0..slots).map(judge).collect()
    }

    proptest! {
        #[test]
        fn slots_count_the_same_whenever_they_are_judged_and_however_late_reports_come(
            steps in prop::collection::vec((prop_oneof![0..9_000u64, 0..200_000u64], 0..2_500u64, any::<bool>(), 0..60u64), 1..60),
        ) {
            let (mut pulses, mut deltas) = (Pulses::default(), Deltas::new());
            let (mut reports, mut now) = (Vec::new(), BASE);
            for (silence, length, judge, ahead) in steps {
                let first = now + silence + 1;
                now = first + length;
                if judge {
                    pulses.judge(now + ahead * SLOT, SLOT, &mut deltas);
                }
                reports.push((first, now));
                pulses.hear((1, &report(1, first, now)), 0, SLOT, &mut deltas);
            }
            let slots = (now - BASE) / SLOT + 70;
            pulses.judge(BASE + slots * SLOT, SLOT, &mut deltas);
            prop_assert_eq!(counted(&deltas, slots), plain(&reports, slots));
        }
    }
}
