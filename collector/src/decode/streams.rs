//! The streams: who sends, what came, what was missing. A bounded table that strangers cannot flood.
//!
//! A stream is (listener, source address, source port, version, domain; for sFlow also agent and sub-agent).
//! A new one is a *newcomer*: at most [`Limits::newcomers`] of them have a place, which the longest silent one
//! gives up. With its second datagram it settles, and only other settled ones, when the whole table is full,
//! can take its place; never when it is of a named source or sent for ten minutes. What finds no place is
//! decoded as far as that needs no state, and counted on one stream `unknown`.

mod limits;
mod session;
mod stream;

pub use limits::Limits;

use std::net::{IpAddr, Ipv4Addr};

use crds::config::{ListenerConfig, SourceConfig};
use hashbrown::HashMap;
use ipnet::IpNet;

use super::reason::Undecodable;
use super::sequence::{Sequence, Watermark};
use super::stated::StatedUnits;
use crate::flow::Protocol;
use crate::slot::{Numbering, StreamFacts, StreamKey, StreamReport, Waiting};
pub(super) use session::Judged;
use session::Session;
use stream::Standing;
pub(super) use stream::Stream;

/// So many of the newcomers are looked at when one has to go.
const OLDEST: usize = 16;
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

impl Key {
    /// The same, under the listener's name.
    pub(super) fn named(&self, listener: &str) -> StreamKey {
        StreamKey {
            listener: listener.to_owned(),
            exporter: self.exporter,
            port: self.port,
            protocol: self.protocol.name().to_owned(),
            domain: self.domain,
            agent: self.agent,
        }
    }
}

/// A stream that lost its place: what others keep of it is void.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evicted {
    pub(super) at: u32,
    pub(super) key: Key,
    /// The unread sets of which its next number would have told.
    pub(super) open: Option<u64>,
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
    stated: StatedUnits,
    watermarks: HashMap<Key, Watermark, foldhash::fast::RandomState>,
    last: Option<(Key, u32)>,
    evicted: Option<Evicted>,
    /// Streams of connections that have ended: their places are free once their counts are taken.
    closed: Vec<u32>,
    /// By the key of the port, without its domain.
    session_of: HashMap<Key, usize, foldhash::fast::RandomState>,
    sessions: Vec<Session>,
    free_sessions: Vec<usize>,
    orphans: Vec<u64>,
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
            streams: vec![Stream::new(nobody, 0, Standing::Named, Sequence::new(nobody.protocol))],
            newcomers: Vec::with_capacity(limits.newcomers),
            touched: Vec::new(),
            changed: Vec::new(),
            named: Vec::new(),
            stated: StatedUnits::default(),
            watermarks: HashMap::default(),
            last: None,
            evicted: None,
            closed: Vec::new(),
            session_of: HashMap::default(),
            sessions: Vec::new(),
            free_sessions: Vec::new(),
            orphans: Vec::new(),
            searched_ms: [0; 2],
        }
    }

    /// Exporters within the prefixes of these sources keep their place whatever strangers send; their sequence
    /// numbers count what the sources say.
    pub(super) fn set_sources(&mut self, listeners: &[ListenerConfig], sources: &[SourceConfig]) {
        let prefixes = sources.iter().flat_map(|source| &source.prefixes);
        self.named = prefixes.filter(|prefix| prefix.prefix_len() > 0).copied().collect();
        self.stated = StatedUnits::new(listeners, sources);
        for stream in self.streams.iter_mut().skip(1) {
            stream.sequence.state(self.stated.of(&stream.key), &mut stream.tally);
        }
        self.part_stated();
    }

    /// Where a stream's sequence continues after a restart of the edge. Kept for as many as have a place. What
    /// waited for its template then is lost now.
    pub(super) fn expect(&mut self, key: Key, mark: Watermark, waiting: Waiting) {
        if self.watermarks.len() >= self.limits.streams {
            return;
        }
        self.watermarks.insert(key, mark);
        if waiting.sets == 0 {
            return;
        }
        let at = self.find(key, mark.last_ms);
        let tally = &mut self.at(at).tally;
        tally.lose(Undecodable::LostAtRestart, u32::try_from(waiting.records).unwrap_or(u32::MAX));
        if waiting.records == 0 {
            tally.uncounted_sets += waiting.sets;
            tally.uncounted_bytes += waiting.bytes;
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
    pub(super) fn take_evicted(&mut self) -> Option<Evicted> {
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
        for (at, _) in &ended {
            self.leave(*at);
        }
        self.closed.extend(ended.iter().map(|(at, _)| *at));
        self.last = None;
        ended
    }

    /// The stream at an index that [`Streams::find`] gave.
    pub(super) fn at(&mut self, index: u32) -> &mut Stream {
        &mut self.streams[index as usize]
    }

    /// The unread sets of which the next number of each stream would have told, which does not come.
    pub(super) fn close_open(&mut self) -> Vec<u64> {
        self.streams.iter_mut().filter_map(|stream| stream.sequence.close_open()).collect()
    }

    /// Counts bytes after the last message of a datagram on the stream that was found last.
    pub(super) fn count_trailing(&mut self) {
        let at = self.last.map_or(Self::UNKNOWN, |(_, at)| at);
        self.at(at).tally.fault(Undecodable::TrailingBytes);
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
            taken.push((*at, StreamFacts::new(stream.key.named(name), stream.last_ms, stream.boot_ms)));
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
        let sequence = match &watermark {
            Some(mark) => Sequence::resume(key.protocol, mark),
            None => Sequence::new(key.protocol),
        };
        let standing = if named { Standing::Named } else { Standing::Newcomer };
        let mut stream = Stream::new(key, now_ms, standing, sequence);
        stream.sequence.state(self.stated.of(&key), &mut stream.tally);
        // Whether a domain goes on that is numbered with another one cannot be told.
        let goes_on = watermark.filter(|mark| mark.nonstandard != Some(Numbering::Elsewhere));
        stream.resumed_ms = goes_on.map(|mark| mark.last_ms);
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
        self.join(at);
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

    /// The first newcomers are the oldest. A cut has to have taken their counts, and what waits for a template is
    /// given up first, after a minute: so the balance of each stream stays exact.
    fn evict_newcomer(&mut self, now_ms: u64) -> Option<u32> {
        let goes = |at: &u32| {
            let stream = &self.streams[*at as usize];
            stream.is_settled_up() && now_ms.saturating_sub(stream.last_ms) >= PATIENCE_MS
        };
        let place = self.newcomers.iter().take(OLDEST).position(goes)?;
        let at = self.newcomers.remove(place);
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
        let goes =
            goes.filter(|(_, stream)| stream.is_settled_up() && !stream.closed && stream.may_go(now_ms));
        let at = u32::try_from(goes.min_by_key(|(_, stream)| stream.last_ms)?.0).ok()?;
        self.newcomers.retain(|newcomer| *newcomer != at);
        self.forget(at);
        Some(at)
    }

    fn forget(&mut self, at: u32) {
        self.leave(at);
        let stream = &mut self.streams[at as usize];
        let key = stream.key;
        self.evicted = Some(Evicted { at, key, open: stream.sequence.close_open() });
        self.index.remove(&key);
        self.last = None;
    }
}
