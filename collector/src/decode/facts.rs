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

pub(super) use known::Selector;
pub(super) use names::{Of, application};
pub(super) use told::{float, rate};

use std::net::IpAddr;

use hashbrown::HashMap;

use super::program::Program;
use super::records::Records;
use super::streams::{Key, Streams};
use crate::flow::Protocol;
use known::{Known, Said};
use told::Told;

/// Rates in all, 32 bytes each.
const RATES: usize = 131_072;
/// Bytes of all names.
const NAMES: usize = 8 << 20;
/// Streams of one exporter whose facts the others look at.
const TELLERS: usize = 64;
/// For so long two streams that told differently stop each other's sharing.
const CONFLICT_MS: u64 = 1_800_000;

/// The facts of all streams.
#[derive(Debug, Default)]
pub(super) struct Facts {
    streams: Vec<Entry>,
    /// The streams that told anything.
    exporters: HashMap<(IpAddr, Protocol), Vec<u32>, foldhash::fast::RandomState>,
    /// Grows when somebody tells something that changes where others look.
    generation: u64,
    rates: usize,
    name_bytes: usize,
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

impl Facts {
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
    pub(super) fn rate(&self, stream: u32, key: &Key, selector: Selector) -> Option<f32> {
        let entry = self.streams.get(stream as usize)?;
        let own = entry.own.as_ref().and_then(|own| own.rate(key.domain, selector));
        if let Some(own) = own {
            return Some(own.value);
        }
        let across = entry.view.across;
        if across && matches!(selector, Selector::Template(_)) {
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
    pub(super) fn name(&self, stream: u32, of: Of, number: u64) -> Option<&str> {
        let entry = self.streams.get(stream as usize)?;
        let own = entry.own.as_ref().and_then(|own| own.name(of, number));
        own.map(|said| said.value)
            .or_else(|| agreed(self.others(entry).filter_map(|known| known.name(of, number))))
    }

    /// Learns from the records of an options set.
    pub(super) fn learn(
        &mut self,
        (stream, key): (u32, &Key),
        program: &Program,
        records: Records<'_>,
        count: usize,
        now_ms: u64,
    ) {
        if stream == Streams::UNKNOWN {
            return;
        }
        for record in 0..count {
            let told = Told::read(program, records, record);
            if !told.is_empty() {
                self.take(stream, key, &told, now_ms);
            }
        }
        self.attend(stream, key);
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

    fn take(&mut self, stream: u32, key: &Key, told: &Told<'_>, now_ms: u64) {
        self.attend(stream, key);
        let Some(entry) = self.streams.get_mut(stream as usize) else { return };
        if entry.own.is_none() {
            let tellers = self.exporters.entry((key.exporter, key.protocol)).or_default();
            if tellers.len() < TELLERS {
                tellers.push(stream);
            }
            self.generation += 1;
        }
        let own = entry.own.get_or_insert_with(|| Box::new(Known::new(key.domain)));
        let before = (own.rates(), own.name_bytes());
        let init = told.init_ms.map(|value| Said { value, told_ms: now_ms });
        let mut news = own.put_init(init);
        if let Some(rate) = told.rate() {
            let domain = told.domain.unwrap_or(key.domain);
            let said = Said { value: rate, told_ms: now_ms };
            news |= own.put_rate(domain, told.selector, said, self.rates < RATES);
        }
        for (of, number, text) in told.names() {
            own.put_name(of, number, text, now_ms, self.name_bytes < NAMES);
        }
        self.rates = self.rates - before.0 + own.rates();
        self.name_bytes = self.name_bytes - before.1 + own.name_bytes();
        self.generation += u64::from(news);
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
