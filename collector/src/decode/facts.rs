//! What options data told about exporters: sampling rates, names of interfaces, VRFs, applications and samplers,
//! when the exporter started.
//!
//! Kept by the stream that told it. A stream looks first at what it told itself, then at what other ports of its
//! (address, version) told about its domain, and, when nobody told a rate about its domain, at what they told
//! about theirs: exporters send options from another port or under another source id than data. What others told
//! counts only while they agree.

mod known;
mod names;
mod told;

pub(super) use names::application;
pub(super) use told::{float, rate};

use std::net::IpAddr;

use hashbrown::HashMap;

use super::program::Program;
use super::records::Records;
use super::streams::{Key, Streams};
use crate::flow::Protocol;
use crate::slot::{NameOf, RateOf, StreamFacts};
use known::{Known, Said};
use told::Told;

/// One rate for so many bytes of the names' memory: 32 bytes each, half of it.
const RATE: usize = 64;
/// Streams of one exporter whose facts the others look at.
const TELLERS: usize = 64;
/// For so long two streams that told differently stop each other's sharing.
const CONFLICT_MS: u64 = 1_800_000;

/// The facts of all streams.
#[derive(Debug)]
pub(super) struct Facts {
    streams: Vec<Entry>,
    /// The streams that told anything.
    exporters: HashMap<(IpAddr, Protocol), Vec<u32>, foldhash::fast::RandomState>,
    /// Grows when somebody tells something that changes where others look.
    generation: u64,
    rates: usize,
    name_bytes: usize,
    /// Memory for names; rates take half as much at most.
    limit: usize,
}

#[derive(Debug, Default)]
struct Entry {
    own: Option<Box<Known>>,
    view: View,
}

/// Where a stream looks, as of a generation.
#[derive(Debug, Default)]
struct View {
    generation: u64,
    others: Vec<u32>,
    /// Nobody told a rate about the stream's domain: what the others told about theirs counts.
    across: bool,
    has_rates: bool,
    has_interface_rates: bool,
    init_ms: Option<u64>,
}

/// Whether there is room for more of all streams.
#[derive(Clone, Copy, Debug)]
struct Room {
    rates: bool,
    names: bool,
}

impl Facts {
    /// Nothing is known; names will take at most about `limit` bytes, and rates half as many.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            streams: Vec::new(),
            exporters: HashMap::default(),
            generation: 0,
            rates: 0,
            name_bytes: 0,
            limit,
        }
    }

    /// Finds where a stream has to look, if that changed. To be called before a stream's facts are read.
    pub(super) fn attend(&mut self, stream: u32, key: &Key) {
        let at = stream as usize;
        if stream == Streams::UNKNOWN {
            return;
        }
        if self.streams.len() <= at {
            self.streams.resize_with(at + 1, Entry::default);
        }
        if self.streams[at].view.generation != self.generation {
            self.look_around(at, key);
        }
    }

    /// The rate that applies to a selector of a stream.
    pub(super) fn rate(&self, stream: u32, key: &Key, selector: RateOf) -> Option<f32> {
        let entry = self.streams.get(stream as usize)?;
        let own = entry.own.as_ref().and_then(|own| own.rate(key.domain, selector));
        if let Some(own) = own {
            return Some(own.value);
        }
        let across = entry.view.across;
        if across && matches!(selector, RateOf::Template(_)) {
            return None;
        }
        let domain = |known: &Known| if across { known.domain } else { key.domain };
        agreed(self.others(entry).filter_map(|known| known.rate(domain(known), selector)))
    }

    /// Whether any rate is known that could apply.
    pub(super) fn has_rates(&self, stream: u32) -> bool {
        self.streams.get(stream as usize).is_some_and(|entry| entry.view.has_rates)
    }

    /// Whether any of them holds for an interface.
    pub(super) fn has_interface_rates(&self, stream: u32) -> bool {
        self.streams.get(stream as usize).is_some_and(|entry| entry.view.has_interface_rates)
    }

    /// When the exporter started, in Unix milliseconds (160).
    pub(super) fn init_ms(&self, stream: u32) -> Option<u64> {
        self.streams.get(stream as usize)?.view.init_ms
    }

    /// The name of an interface, a VRF, an application ... of a stream's exporter.
    pub(super) fn name(&self, stream: u32, of: NameOf, number: u64) -> Option<&str> {
        let entry = self.streams.get(stream as usize)?;
        let own = entry.own.as_ref().and_then(|own| own.name(of, number));
        own.map(|said| said.value)
            .or_else(|| agreed(self.others(entry).filter_map(|known| known.name(of, number))))
    }

    /// Learns from the records of an options set; whether anything of it is news.
    pub(super) fn learn(
        &mut self,
        (stream, key): (u32, &Key),
        program: &Program,
        records: Records<'_>,
        count: usize,
        now_ms: u64,
    ) -> bool {
        if stream == Streams::UNKNOWN {
            return false;
        }
        let mut news = false;
        for record in 0..count {
            let told = Told::read(program, records, record);
            if !told.is_empty() {
                news |= self.take(stream, key, &told, now_ms);
            }
        }
        self.attend(stream, key);
        news
    }

    /// Takes over what a stream told before a restart of the edge.
    pub(super) fn restore(&mut self, stream: u32, key: &Key, facts: &StreamFacts) {
        let is_room = self.rates + facts.rates.len() <= self.limit / RATE && self.name_bytes < self.limit;
        let is_something = !facts.rates.is_empty() || !facts.names.is_empty() || facts.init_ms.is_some();
        if is_room && is_something && stream != Streams::UNKNOWN {
            self.change(stream, key, |own, _| own.restore(facts));
            self.generation += 1;
            self.attend(stream, key);
        }
    }

    /// Writes down what a stream told.
    pub(super) fn report(&self, stream: u32, facts: &mut StreamFacts) {
        let entry = self.streams.get(stream as usize);
        if let Some(own) = entry.and_then(|entry| entry.own.as_ref()) {
            own.report(facts);
        }
    }

    /// Drops what a stream told, which lost its place.
    pub(super) fn forget(&mut self, stream: u32, key: &Key) {
        let Some(entry) = self.streams.get_mut(stream as usize) else { return };
        let Some(own) = std::mem::take(entry).own else { return };
        self.rates -= own.rates();
        self.name_bytes -= own.name_bytes();
        self.generation += 1;
        let exporter = (key.exporter, key.protocol);
        let Some(tellers) = self.exporters.get_mut(&exporter) else { return };
        tellers.retain(|teller| *teller != stream);
        if tellers.is_empty() {
            self.exporters.remove(&exporter);
        }
    }

    fn take(&mut self, stream: u32, key: &Key, told: &Told<'_>, now_ms: u64) -> bool {
        let (mut moved, mut news) = (false, false);
        self.change(stream, key, |own, room| {
            moved = own.put_init(told.init_ms.map(|value| Said { value, told_ms: now_ms, restored: false }));
            if let Some(value) = told.rate() {
                let said = Said { value, told_ms: now_ms, restored: false };
                moved |= own.put_rate(told.domain.unwrap_or(key.domain), told.selector, said, room.rates);
            }
            news = moved;
            for (of, number, text) in told.names() {
                news |= own.put_name(of, number, text, now_ms, room.names);
            }
        });
        self.generation += u64::from(moved);
        news
    }

    /// Changes what a stream told, and keeps count of what all of it takes.
    fn change(&mut self, stream: u32, key: &Key, change: impl FnOnce(&mut Known, Room)) {
        self.attend(stream, key);
        let Some(entry) = self.streams.get_mut(stream as usize) else { return };
        if entry.own.is_none() {
            let tellers = self.exporters.entry((key.exporter, key.protocol)).or_default();
            if tellers.len() < TELLERS {
                tellers.push(stream);
            }
            self.generation += 1;
        }
        let room = Room { rates: self.rates < self.limit / RATE, names: self.name_bytes < self.limit };
        let own = entry.own.get_or_insert_with(|| Box::new(Known::new(key.domain)));
        let before = (own.rates(), own.name_bytes());
        change(own, room);
        self.rates = self.rates - before.0 + own.rates();
        self.name_bytes = self.name_bytes - before.1 + own.name_bytes();
    }

    fn others<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = &'a Known> + Clone {
        let streams = entry.view.others.iter().filter_map(|at| self.streams.get(*at as usize));
        streams.filter_map(|entry| entry.own.as_deref())
    }

    fn look_around(&mut self, at: usize, key: &Key) {
        let mut view = std::mem::take(&mut self.streams[at].view);
        view.generation = self.generation;
        view.others.clear();
        let tellers = self.exporters.get(&(key.exporter, key.protocol)).map_or(&[][..], Vec::as_slice);
        view.others.extend(tellers.iter().filter(|other| **other as usize != at));
        let entry = Entry { own: self.streams[at].own.take(), view };
        let looked = self.looked(&entry, key);
        let others = entry.view.others;
        self.streams[at] = Entry { own: entry.own, view: View { others, ..looked } };
    }

    /// What a stream finds where it looks; without the list of where.
    fn looked(&self, entry: &Entry, key: &Key) -> View {
        let all = || entry.own.as_deref().into_iter().chain(self.others(entry));
        let across = !all().any(|known| known.has_rates(key.domain));
        let domain = |known: &Known| if across { known.domain } else { key.domain };
        let own_init = entry.own.as_ref().and_then(|own| own.init()).map(|said| said.value);
        let same_domain = self.others(entry).filter(|known| known.domain == key.domain);
        View {
            generation: self.generation,
            others: Vec::new(),
            across,
            has_rates: all().any(|known| known.has_rates(domain(known))),
            has_interface_rates: all().any(|known| known.has_interface_rates(domain(known))),
            init_ms: own_init.or_else(|| agreed(same_domain.filter_map(Known::init))),
        }
    }
}

/// What was told last, unless something else was told about then.
fn agreed<T: PartialEq + Copy>(said: impl Iterator<Item = Said<T>> + Clone) -> Option<T> {
    let last = said.clone().max_by_key(|said| said.told_ms)?;
    let agrees = |said: Said<T>| said.value == last.value || last.told_ms - said.told_ms > CONFLICT_MS;
    said.into_iter().all(agrees).then_some(last.value)
}
