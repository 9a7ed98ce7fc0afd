//! The interfaces of sFlow agents: their names and speeds, and the two checks on the sampling that
//! [`InterfaceReport`] holds.

use foldhash::HashMap;

use super::counters::Counters;
use crate::slot::{InterfaceReport, Octets, StreamReport};

/// The most interfaces that are known, of all agents: 3 MB.
const MOST: usize = 16_384;

/// The most of one agent. What agents that are not trusted yet may take together leaves a quarter to the others.
const MOST_OF_AGENT: u32 = 2048;

/// An interface that was silent for so long gives its place to a new one.
const SILENT_MS: u64 = 3_600_000;

/// Sums reach back so far.
const WINDOW_MS: u64 = 3_600_000;

/// What only flow samples changed is reported so often.
const REPORT_MS: u64 = 60_000;

/// A larger step, of samples or of packets, is no step but a restart.
const PLAUSIBLE: u32 = 1 << 31;

/// What a flow sample says of the interface that took it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) rate: u32,
    pub(super) sequence: u32,
    pub(super) pool: u32,
    /// Bytes of the frame.
    pub(super) bytes: u64,
    /// 0 in, 1 out, if it is known.
    pub(super) direction: Option<u8>,
}

/// Where and when a sample came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    /// The stream's index.
    pub(super) stream: u32,
    /// The agent's part of its data sources' identity.
    pub(super) agent: u64,
    pub(super) trusted: bool,
    pub(super) received_ms: u64,
}

#[derive(Debug, Default)]
struct Interface {
    /// The data source's identity, as [`super::sources::Sources`] makes it.
    who: u64,
    agent: u64,
    /// Where it was last seen.
    stream: u32,
    report: InterfaceReport,
    /// Sequence and pool of the last flow sample.
    last: Option<(u32, u32)>,
    /// When the sums of samples were last made to forget.
    aged_ms: u64,
    /// The counters at the start of the window, and what was sampled since.
    start: Option<(u64, [u64; 2])>,
    sampled: [u64; 2],
    reported_ms: Option<u64>,
    /// Among those changed.
    changed: bool,
    /// Counters came since the last report.
    due: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    known: Vec<Interface>,
    index: HashMap<u64, u32>,
    /// How many each agent has.
    agents: HashMap<u64, u32>,
    changed: Vec<u32>,
    searched_ms: u64,
}

impl Interfaces {
    /// Takes a flow sample of the data source `who`, which is `source`. `place` remembers where it stands.
    pub(super) fn flow(&mut self, who: u64, source: (u32, u32), place: &mut u32, seen: &Seen, came: Came) {
        let Some(at) = self.at(who, source, *place, came) else { return };
        *place = at;
        self.touch(at, came);
        if let Some(interface) = self.known.get_mut(at as usize) {
            interface.flow(seen, came.received_ms);
        }
    }

    /// Takes what a counter sample says.
    pub(super) fn counters(&mut self, who: u64, counters: &Counters<'_>, came: Came) {
        let Some(at) = self.at(who, counters.source, u32::MAX, came) else { return };
        self.touch(at, came);
        if let Some(interface) = self.known.get_mut(at as usize) {
            interface.counters(counters, came.received_ms);
        }
    }

    /// Puts what changed into the reports of the streams with these indexes.
    pub(super) fn report(&mut self, streams: &[u32], reports: &mut [StreamReport]) {
        if self.changed.is_empty() {
            return;
        }
        let places: HashMap<u32, usize> =
            streams.iter().enumerate().map(|(at, stream)| (*stream, at)).collect();
        let known = &mut self.known;
        self.changed.retain(|at| {
            let Some(interface) = known.get_mut(*at as usize) else { return false };
            let report = places.get(&interface.stream).and_then(|at| reports.get_mut(*at));
            let (Some(report), true) = (report, interface.is_due()) else { return true };
            interface.changed = false;
            interface.due = false;
            interface.reported_ms = Some(interface.report.last_seen_ms);
            report.interfaces.push(interface.report.clone());
            false
        });
    }

    /// Where the data source stands: at `guess`, or where the index says, or in a new place.
    fn at(&mut self, who: u64, source: (u32, u32), guess: u32, came: Came) -> Option<u32> {
        if self.known.get(guess as usize).is_some_and(|interface| interface.who == who) {
            return Some(guess);
        }
        if let Some(at) = self.index.get(&who) {
            return Some(*at);
        }
        if self.agents.get(&came.agent).is_some_and(|count| *count >= MOST_OF_AGENT) {
            return None;
        }
        let at = self.place(came)?;
        let report = InterfaceReport { class: source.0, index: source.1, ..InterfaceReport::default() };
        let interface =
            Interface { who, agent: came.agent, report, aged_ms: came.received_ms, ..Interface::default() };
        match self.known.get_mut(at as usize) {
            Some(gone) => {
                let gone = std::mem::replace(gone, interface);
                self.index.remove(&gone.who);
                self.release(gone.agent);
            }
            None => self.known.push(interface),
        }
        self.index.insert(who, at);
        *self.agents.entry(came.agent).or_default() += 1;
        Some(at)
    }

    fn release(&mut self, agent: u64) {
        let Some(count) = self.agents.get_mut(&agent) else { return };
        *count -= 1;
        if *count == 0 {
            self.agents.remove(&agent);
        }
    }

    /// A free place, or that of the one that was silent for longest; looked for at most once a second.
    fn place(&mut self, came: Came) -> Option<u32> {
        let now_ms = came.received_ms;
        if self.known.len() < if came.trusted { MOST } else { MOST - MOST / 4 } {
            return u32::try_from(self.known.len()).ok();
        }
        if now_ms.saturating_sub(self.searched_ms) < 1000 {
            return None;
        }
        self.searched_ms = now_ms;
        let silent = |interface: &Interface| now_ms.saturating_sub(interface.report.last_seen_ms);
        let quiet = self.known.iter().enumerate().filter(|(_, interface)| !interface.changed);
        let (at, oldest) = quiet.max_by_key(|(_, interface)| silent(interface))?;
        if silent(oldest) < SILENT_MS { None } else { u32::try_from(at).ok() }
    }

    fn touch(&mut self, at: u32, came: Came) {
        let Some(interface) = self.known.get_mut(at as usize) else { return };
        interface.stream = came.stream;
        interface.report.last_seen_ms = came.received_ms;
        if !interface.changed {
            interface.changed = true;
            self.changed.push(at);
        }
    }
}

impl Interface {
    fn flow(&mut self, seen: &Seen, now_ms: u64) {
        let report = &mut self.report;
        if report.stated_rate != seen.rate {
            (report.stated_rate, report.samples, report.pool) = (seen.rate, 0, 0);
        }
        if now_ms.saturating_sub(self.aged_ms) >= WINDOW_MS {
            (self.aged_ms, report.samples, report.pool) = (now_ms, report.samples / 2, report.pool / 2);
        }
        if let Some((sequence, pool)) = self.last.replace((seen.sequence, seen.pool)) {
            let [samples, packets] = [seen.sequence.wrapping_sub(sequence), seen.pool.wrapping_sub(pool)];
            if samples < PLAUSIBLE && packets < PLAUSIBLE {
                report.samples += u64::from(samples);
                report.pool += u64::from(packets);
            }
        }
        let octets = seen.bytes.saturating_mul(seen.rate.into());
        if let Some(sum) = seen.direction.and_then(|direction| self.sampled.get_mut(usize::from(direction))) {
            *sum = sum.saturating_add(octets);
        }
    }

    fn counters(&mut self, counters: &Counters<'_>, now_ms: u64) {
        self.due = true;
        let report = &mut self.report;
        if let Some(name) = counters.name {
            let name = String::from_utf8_lossy(name);
            if report.name.as_deref() != Some(&*name) {
                report.name = Some(name.into_owned());
            }
        }
        report.speed = counters.speed.or(report.speed);
        report.up = counters.up.or(report.up);
        if let Some(octets) = counters.octets {
            self.compare(octets, now_ms);
        }
    }

    /// Counters beside samples since the window began; it begins anew after an hour, and when a counter went back.
    fn compare(&mut self, octets: [u64; 2], now_ms: u64) {
        if let Some((since_ms, start)) = self.start
            && let (Some(received), Some(sent)) =
                (octets[0].checked_sub(start[0]), octets[1].checked_sub(start[1]))
        {
            let counted = [received, sent];
            let compared = Octets { since_ms, until_ms: now_ms, counted, sampled: self.sampled };
            self.report.octets = Some(compared);
            if now_ms.saturating_sub(since_ms) < WINDOW_MS {
                return;
            }
        }
        self.start = Some((now_ms, octets));
        self.sampled = [0; 2];
    }

    fn is_due(&self) -> bool {
        let since = |reported_ms| self.report.last_seen_ms.saturating_sub(reported_ms);
        self.due || self.reported_ms.is_none_or(|reported_ms| since(reported_ms) >= REPORT_MS)
    }
}
