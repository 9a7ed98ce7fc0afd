//! The streams: who sends, what came, what was missing. A bounded table that strangers cannot flood.
//!
//! A stream is (listener, source address, source port, version, domain; for sFlow also agent and sub-agent).
//! A new one is a *newcomer*: at most [`Limits::newcomers`] of them have a place, which the longest silent one
//! gives up. With its second datagram it settles, and only other settled ones, when the whole table is full,
//! can take its place; never when it is of a named source or sent for ten minutes. What finds no place is
//! decoded as far as that needs no state, and counted on one stream `unknown`.

mod limits;

pub use limits::Limits;

use std::net::{IpAddr, Ipv4Addr};

use hashbrown::HashMap;
use ipnet::IpNet;

use super::habit::Unit;
use super::reason::Undecodable;
use super::resume::same_start;
use super::sequence::{Arrival, Sequence, fingerprint};
use super::tally::Tally;
use crate::flow::Protocol;
use crate::slot::{SequenceUnit, StreamFacts, StreamKey, StreamReport};

/// Streams that sent for this long keep their place.
const SETTLED_MS: u64 = 600_000;
/// A newcomer that was silent for this long gives its place to another.
const PATIENCE_MS: u64 = 10_000;
/// Facts that are repeated are reported again after this long: their age is shown.
const REPEAT_MS: u64 = 600_000;

/// Who a stream is, in the form that the table is keyed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Index of the listener.
    pub(super) listener: u16,
    /// The UDP source address, unmapped.
    pub(super) exporter: IpAddr,
    /// The UDP source port.
    pub(super) port: u16,
    /// What it speaks.
    pub(super) protocol: Protocol,
    /// Engine type and id, source id, observation domain or sub-agent.
    pub(super) domain: u32,
    /// sFlow's agent address.
    pub(super) agent: Option<IpAddr>,
}

/// One stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) key: Key,
    /// What happened since the last cut.
    pub(super) tally: Tally,
    pub(super) sequence: Sequence,
    /// The last sampling rate seen.
    pub(super) sampling_rate: Option<f32>,
    /// Since the last cut, flows referred to a sampler of which no rate is known.
    pub(super) lacks_rate: bool,
    rate_unknown: bool,
    /// Received minus end time of the newest record, in ms.
    pub(super) clock_skew_ms: Option<i64>,
    /// Until its first datagram since a restart of the edge is judged: when its last one before came.
    pub(super) resumed_ms: Option<u64>,
    /// v9: when the exporter started.
    boot_ms: Option<u64>,
    first_ms: u64,
    /// When the first datagram since the last cut came.
    heard_ms: u64,
    last_ms: u64,
    /// Its connection has ended.
    closed: bool,
    standing: Standing,
    touched: bool,
    /// Its facts have to be reported; they were last at `told_ms`.
    changed: bool,
    told_ms: u64,
    /// Its index stands in [`Streams::changed`].
    listed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Newcomer,
    Settled,
    /// Of a named source.
    Named,
}

impl Stream {
    fn new(key: Key, now_ms: u64, standing: Standing, sequence: Sequence) -> Self {
        Self {
            key,
            tally: Tally::default(),
            sequence,
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
    pub(super) fn started(&mut self, boot_ms: Option<u64>) -> bool {
        let moved = boot_ms.is_some() && !same_start(self.boot_ms, boot_ms);
        if moved {
            self.boot_ms = boot_ms;
        }
        moved
    }

    /// Counts a datagram (or one of several messages in one) and judges its sequence number; also gives the
    /// fingerprint for [`Stream::settle`]. The stream of those without a place has no sequence.
    pub(super) fn arrive(&mut self, message: &[u8], number: u32) -> (Arrival, u32) {
        self.tally.datagrams += 1;
        self.tally.bytes += message.len() as u64;
        if self.is_unknown() {
            return (Arrival::Forward, 0);
        }
        let print = fingerprint(message);
        (self.sequence.arrive(number, print, self.last_ms, &mut self.tally), print)
    }

    /// Counts the units of a datagram that was let through: how far its number steps.
    pub(super) fn settle(&mut self, arrival: Arrival, number: u32, units: u32, print: u32) {
        self.settle_records(arrival, number, (units, units), print);
    }

    /// The same where the protocol's unit is not the record: with how many there were.
    pub(super) fn settle_records(&mut self, arrival: Arrival, number: u32, counts: (u32, u32), print: u32) {
        if !self.is_unknown() {
            self.sequence.settle(arrival, number, counts, print, &mut self.tally);
        }
    }

    /// Whether newcomers never take its place.
    pub(super) fn is_trusted(&self) -> bool {
        self.standing == Standing::Named || self.last_ms.saturating_sub(self.first_ms) >= SETTLED_MS
    }

    fn is_unknown(&self) -> bool {
        self.key.listener == u16::MAX
    }

    fn may_go(&self, now_ms: u64) -> bool {
        !self.is_trusted() || now_ms.saturating_sub(self.last_ms) > 10 * SETTLED_MS
    }

    fn key(&self, listener: &str) -> StreamKey {
        StreamKey {
            listener: listener.to_owned(),
            exporter: self.key.exporter,
            port: self.key.port,
            protocol: self.key.protocol.name().to_owned(),
            domain: self.key.domain,
            agent: self.key.agent,
        }
    }

    fn report(&mut self, listener: &str) -> StreamReport {
        let tally = std::mem::take(&mut self.tally);
        self.touched = false;
        if tally.records > 0 {
            self.rate_unknown = std::mem::take(&mut self.lacks_rate);
        }
        StreamReport {
            key: self.key(listener),
            source: String::new(),
            unit: unit(self.key.protocol, self.sequence.unit()),
            first_seen_ms: self.heard_ms,
            last_seen_ms: self.last_ms,
            sampling_rate: self.sampling_rate,
            rate_unknown: self.rate_unknown,
            interfaces: Vec::new(),
            clock_skew_ms: self.clock_skew_ms,
            next_sequence: self.sequence.next(),
            counts: tally.report(),
        }
    }
}

/// The unit in which a stream numbers its datagrams: its protocol's own, unless it has another habit.
fn unit(protocol: Protocol, habit: Unit) -> SequenceUnit {
    match (habit, protocol) {
        (Unit::Datagrams, Protocol::SFlow5) | (Unit::Own | Unit::Still, Protocol::SFlow5) => {
            SequenceUnit::Datagrams
        }
        (Unit::Datagrams, _) | (Unit::Own | Unit::Still, Protocol::NetFlow9) => SequenceUnit::Packets,
        (Unit::Own | Unit::Still | Unit::Records, Protocol::NetFlow5 | Protocol::NetFlow7) => {
            SequenceUnit::Flows
        }
        (Unit::Own | Unit::Still, Protocol::Ipfix) | (Unit::Records, _) => SequenceUnit::Records,
    }
}

/// The table. A stream's index stays its own until it is evicted.
#[derive(Debug)]
pub(super) struct Streams {
    limits: Limits,
    index: HashMap<Key, u32, foldhash::fast::RandomState>,
    streams: Vec<Stream>,
    newcomers: Vec<u32>,
    touched: Vec<u32>,
    changed: Vec<u32>,
    named: Vec<IpNet>,
    watermarks: HashMap<Key, (u32, u64), foldhash::fast::RandomState>,
    last: Option<(Key, u32)>,
    evicted: Option<(u32, Key)>,
    /// Streams of connections that have ended: their places are free once their counts are taken.
    closed: Vec<u32>,
    /// When the table was last searched for a place: for strangers, and for named sources.
    searched_ms: [u64; 2],
}

impl Streams {
    /// The stream on which everything counts that found no place.
    pub(super) const UNKNOWN: u32 = 0;

    /// An empty table.
    pub(super) fn new(limits: Limits) -> Self {
        let nobody = Key {
            listener: u16::MAX,
            exporter: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 0,
            protocol: Protocol::NetFlow5,
            domain: 0,
            agent: None,
        };
        Self {
            limits,
            index: HashMap::default(),
            streams: vec![Stream::new(nobody, 0, Standing::Named, Sequence::default())],
            newcomers: Vec::with_capacity(limits.newcomers),
            touched: Vec::new(),
            changed: Vec::new(),
            named: Vec::new(),
            watermarks: HashMap::default(),
            last: None,
            evicted: None,
            closed: Vec::new(),
            searched_ms: [0; 2],
        }
    }

    /// Exporters within these prefixes keep their place whatever strangers send.
    pub(super) fn set_named(&mut self, prefixes: Vec<IpNet>) {
        self.named = prefixes;
    }

    /// Where a stream's sequence continues after a restart of the edge. Kept for as many as have a place.
    pub(super) fn expect(&mut self, key: Key, next: u32, last_ms: u64) {
        if self.watermarks.len() < self.limits.streams {
            self.watermarks.insert(key, (next, last_ms));
        }
    }

    /// The index of the stream of this key, which gets a place if there is one; else [`Streams::UNKNOWN`].
    pub(super) fn find(&mut self, key: Key, now_ms: u64) -> u32 {
        let found = match self.last {
            Some((last, at)) if last == key => Some(at),
            _ => self.index.get(&key).copied(),
        };
        let at = match found {
            Some(at) => self.seen_again(at),
            None => self.admit(key, now_ms),
        };
        self.last = (at != Self::UNKNOWN).then_some((key, at));
        let stream = &mut self.streams[at as usize];
        if stream.tally.datagrams == 0 {
            stream.heard_ms = now_ms;
        }
        stream.last_ms = stream.last_ms.max(now_ms);
        self.touch(at);
        at
    }

    /// Has the stream reported at the next cut.
    fn touch(&mut self, at: u32) {
        let stream = &mut self.streams[at as usize];
        if !stream.touched {
            stream.touched = true;
            self.touched.push(at);
        }
    }

    /// The stream that had `key` when its index was `at`; [`Streams::UNKNOWN`] when it lost its place since.
    pub(super) fn recall(&mut self, at: u32, key: &Key) -> u32 {
        let is_there = self.streams.get(at as usize).is_some_and(|stream| stream.key == *key);
        let at = if is_there { at } else { Self::UNKNOWN };
        self.touch(at);
        at
    }

    /// The stream that lost its place to the one found last, if any: what others keep of it is void.
    pub(super) fn take_evicted(&mut self) -> Option<(u32, Key)> {
        self.evicted.take()
    }

    /// Ends the streams of one connection, and gives them. What was counted on them is still reported.
    pub(super) fn close(&mut self, listener: u16, exporter: IpAddr, port: u16) -> Vec<(u32, Key)> {
        let of_it = |stream: &Stream| {
            let key = &stream.key;
            !stream.closed && (key.listener, key.exporter, key.port) == (listener, exporter, port)
        };
        let mut ended = Vec::new();
        for (at, stream) in (0..).zip(&mut self.streams).filter(|(_, stream)| of_it(stream)) {
            stream.closed = true;
            self.index.remove(&stream.key);
            self.newcomers.retain(|newcomer| *newcomer != at);
            ended.push((at, stream.key));
        }
        self.closed.extend(ended.iter().map(|(at, _)| *at));
        self.last = None;
        ended
    }

    /// The stream at an index that [`Streams::find`] gave.
    pub(super) fn at(&mut self, index: u32) -> &mut Stream {
        &mut self.streams[index as usize]
    }

    /// Counts bytes after the last message of a datagram on the stream that was found last.
    pub(super) fn count_trailing(&mut self) {
        let at = self.last.map_or(Self::UNKNOWN, |(_, at)| at);
        self.at(at).tally.undecodable.count(Undecodable::TrailingBytes, 1);
    }

    /// The indexes of the streams that [`Streams::take_reports`] would report, in its order.
    pub(super) fn touched(&self) -> &[u32] {
        &self.touched
    }

    /// What happened since the last call, stream by stream; `listeners` gives the names.
    pub(super) fn take_reports(&mut self, listeners: &[&str]) -> Vec<StreamReport> {
        let mut reports = Vec::with_capacity(self.touched.len());
        for at in self.touched.drain(..) {
            let stream = &mut self.streams[at as usize];
            let name = listeners.get(usize::from(stream.key.listener)).copied();
            reports.push(stream.report(name.unwrap_or("unknown")));
        }
        reports
    }

    /// Has the stream's facts reported.
    pub(super) fn change(&mut self, at: u32) {
        let stream = &mut self.streams[at as usize];
        stream.changed = at != Self::UNKNOWN;
        if stream.changed && !stream.listed {
            stream.listed = true;
            self.changed.push(at);
        }
    }

    /// The stream repeated what is known of it.
    pub(super) fn repeat(&mut self, at: u32) {
        let stream = &self.streams[at as usize];
        if stream.last_ms.saturating_sub(stream.told_ms) > REPEAT_MS {
            self.change(at);
        }
    }

    /// At most `most` of the streams whose facts have to be reported, with what the stream itself knows of them.
    /// Newcomers have to settle first.
    pub(super) fn take_changed(&mut self, most: usize, listeners: &[&str]) -> Vec<(u32, StreamFacts)> {
        let mut taken = Vec::new();
        let streams = &mut self.streams;
        self.changed.retain(|at| {
            let stream = &mut streams[*at as usize];
            let is_new = stream.standing == Standing::Newcomer;
            if stream.changed && (is_new || taken.len() == most) {
                return true;
            }
            stream.listed = false;
            // Whoever took its place may have changed nothing.
            if !std::mem::take(&mut stream.changed) {
                return false;
            }
            stream.told_ms = stream.last_ms;
            let name = listeners.get(usize::from(stream.key.listener)).copied().unwrap_or("unknown");
            taken.push((*at, StreamFacts::new(stream.key(name), stream.last_ms, stream.boot_ms)));
            false
        });
        taken
    }

    fn seen_again(&mut self, at: u32) -> u32 {
        let stream = &mut self.streams[at as usize];
        if stream.standing == Standing::Newcomer {
            stream.standing = Standing::Settled;
            self.newcomers.retain(|newcomer| *newcomer != at);
        }
        at
    }

    fn admit(&mut self, key: Key, now_ms: u64) -> u32 {
        let named = self.named.iter().any(|prefix| prefix.contains(&key.exporter));
        let Some(at) = self.place(named, now_ms) else { return Self::UNKNOWN };
        let watermark = self.watermarks.remove(&key);
        let sequence = watermark.map_or_else(Sequence::default, |(next, ms)| Sequence::resume(next, ms));
        let standing = if named { Standing::Named } else { Standing::Newcomer };
        let mut stream = Stream::new(key, now_ms, standing, sequence);
        stream.resumed_ms = watermark.map(|(_, last_ms)| last_ms);
        if !named {
            self.newcomers.push(at);
        }
        self.index.insert(key, at);
        match self.streams.get_mut(at as usize) {
            Some(place) => {
                stream.listed = place.listed;
                *place = stream;
            }
            None => self.streams.push(stream),
        }
        at
    }

    /// A free index, or that of a stream that has to go.
    fn place(&mut self, named: bool, now_ms: u64) -> Option<u32> {
        if let Some(free) = self.closed.iter().position(|at| !self.streams[*at as usize].touched) {
            return Some(self.closed.swap_remove(free));
        }
        if !named && self.newcomers.len() >= self.limits.newcomers {
            return self.evict_newcomer(now_ms);
        }
        if self.streams.len() <= self.limits.streams {
            return u32::try_from(self.streams.len()).ok();
        }
        self.evict_settled(named, now_ms)
    }

    /// The first newcomer is the oldest. A cut has to have taken its counts.
    fn evict_newcomer(&mut self, now_ms: u64) -> Option<u32> {
        let at = *self.newcomers.first()?;
        let stream = &self.streams[at as usize];
        if stream.touched || now_ms.saturating_sub(stream.last_ms) < PATIENCE_MS {
            return None;
        }
        self.newcomers.remove(0);
        self.forget(at);
        Some(at)
    }

    /// Looks through the whole table, hence at most once a second for each kind.
    fn evict_settled(&mut self, named: bool, now_ms: u64) -> Option<u32> {
        let searched_ms = &mut self.searched_ms[usize::from(named)];
        if now_ms.saturating_sub(*searched_ms) < 1000 {
            return None;
        }
        *searched_ms = now_ms;
        let goes = self.streams.iter().enumerate().skip(1);
        let goes = goes.filter(|(_, stream)| !stream.touched && !stream.closed && stream.may_go(now_ms));
        let at = u32::try_from(goes.min_by_key(|(_, stream)| stream.last_ms)?.0).ok()?;
        self.newcomers.retain(|newcomer| *newcomer != at);
        self.forget(at);
        Some(at)
    }

    fn forget(&mut self, at: u32) {
        let key = self.streams[at as usize].key;
        self.index.remove(&key);
        self.evicted = Some((at, key));
        self.last = None;
    }
}
