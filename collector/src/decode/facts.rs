//! What options data told about a stream: sampling rates by sampler, interface and template, the exporter's start.
//!
//! Kept by stream, and by (address, version, domain) for exporters that send options from another port than data.

use std::net::IpAddr;

use hashbrown::HashMap;

use super::program::Program;
use super::records::Records;
use super::streams::Key;
use super::template::V9_SCOPE;
use crate::flow::Protocol;

/// Rates of one stream.
const A_STREAM: usize = 1024;
/// Rates in all, 16 bytes each.
const ALL: usize = 262_144;

/// To what a rate applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Selector {
    /// Everything that the stream sends.
    Any,
    /// A sampler (48) or selector (302).
    Sampler(u64),
    /// Flows that came in on this interface.
    Interface(u64),
    /// Records of this template.
    Template(u64),
}

#[derive(Debug, Default)]
struct Known {
    /// Sorted by selector.
    rates: Vec<(Selector, f32)>,
    init_ms: Option<u64>,
}

type Domain = (IpAddr, Protocol, u32);

/// The facts of all streams.
#[derive(Debug, Default)]
pub(super) struct Facts {
    streams: Vec<Known>,
    /// With the stream that told them last.
    domains: HashMap<Domain, (u32, Known), foldhash::fast::RandomState>,
    rates: usize,
}

impl Known {
    fn rate(&self, selector: Selector) -> Option<f32> {
        let find = |selector| self.rates.binary_search_by_key(&selector, |(known, _)| *known).ok();
        let at = find(selector).or(match (selector, self.rates.as_slice()) {
            // Records that name no sampler belong to the only one.
            (Selector::Any, [(Selector::Sampler(_), _)]) => Some(0),
            _ => None,
        });
        at.and_then(|at| self.rates.get(at)).map(|(_, rate)| *rate)
    }

    /// Whether the rate took memory.
    fn put(&mut self, selector: Selector, rate: f32, is_room: bool) -> bool {
        match self.rates.binary_search_by_key(&selector, |(known, _)| *known) {
            Ok(at) => self.rates[at].1 = rate,
            Err(at) if is_room && self.rates.len() < A_STREAM => {
                self.rates.insert(at, (selector, rate));
                return true;
            }
            Err(_) => {}
        }
        false
    }
}

impl Facts {
    /// The rate that applies to a selector of a stream.
    pub(super) fn rate(&self, stream: u32, key: &Key, selector: Selector) -> Option<f32> {
        self.known(stream, key).find_map(|known| known.rate(selector))
    }

    /// Whether any rate is known that could apply.
    pub(super) fn has_rates(&self, stream: u32, key: &Key) -> bool {
        self.known(stream, key).any(|known| !known.rates.is_empty())
    }

    /// When the exporter started, in Unix milliseconds (160).
    pub(super) fn init_ms(&self, stream: u32, key: &Key) -> Option<u64> {
        self.known(stream, key).find_map(|known| known.init_ms)
    }

    fn known(&self, stream: u32, key: &Key) -> impl Iterator<Item = &Known> {
        let shared = || self.domains.get(&(key.exporter, key.protocol, key.domain)).map(|(_, known)| known);
        let shared = if self.domains.is_empty() { None } else { shared() };
        self.streams.get(stream as usize).into_iter().chain(shared)
    }

    /// Learns from the records of an options set.
    pub(super) fn learn(
        &mut self,
        stream: u32,
        key: &Key,
        program: &Program,
        records: Records<'_>,
        count: usize,
    ) {
        if self.streams.len() <= stream as usize {
            self.streams.resize_with(stream as usize + 1, Known::default);
        }
        for record in 0..count {
            let told = Told::read(program, records, record);
            let rate = told.rate();
            if rate.is_none() && told.init_ms.is_none() {
                continue;
            }
            let domain = (key.exporter, key.protocol, key.domain);
            let (owner, shared) = self.domains.entry(domain).or_default();
            *owner = stream;
            let Some(own) = self.streams.get_mut(stream as usize) else { return };
            for known in [own, shared] {
                known.init_ms = told.init_ms.or(known.init_ms);
                if let Some(rate) = rate {
                    self.rates += usize::from(known.put(told.selector, rate, self.rates < ALL));
                }
            }
        }
    }

    /// Drops what a stream told, which lost its place.
    pub(super) fn forget(&mut self, stream: u32, key: &Key) {
        if let Some(known) = self.streams.get_mut(stream as usize) {
            self.rates -= std::mem::take(known).rates.len();
        }
        let domain = (key.exporter, key.protocol, key.domain);
        if self.domains.get(&domain).is_some_and(|(owner, _)| *owner == stream) {
            let gone = self.domains.remove(&domain);
            self.rates -= gone.map_or(0, |(_, known)| known.rates.len());
        }
    }
}

/// What one options record says.
struct Told {
    selector: Selector,
    interval: u64,
    taken: Option<u64>,
    left: Option<u64>,
    size: Option<u64>,
    population: Option<u64>,
    probability: Option<f64>,
    init_ms: Option<u64>,
}

impl Told {
    fn read(program: &Program, records: Records<'_>, record: usize) -> Self {
        let mut told = Self {
            selector: Selector::Any,
            interval: 0,
            taken: None,
            left: None,
            size: None,
            population: None,
            probability: None,
            init_ms: None,
        };
        for (field, place) in program.fields.iter().zip(&program.places) {
            let bytes = records.field(*place, record);
            let value = super::records::number(bytes);
            match (field.enterprise, field.element) {
                (0, 48 | 302) => told.selector = told.selector.max_with(Selector::Sampler(value)),
                (0, 145) | (V9_SCOPE, 5) => told.selector = told.selector.max_with(Selector::Template(value)),
                (0, 10) | (V9_SCOPE, 2) => told.selector = told.selector.max_with(Selector::Interface(value)),
                (0, 34 | 50) => told.interval = told.interval.max(value),
                (0, 305) => told.taken = Some(value),
                (0, 306) => told.left = Some(value),
                (0, 309) => told.size = Some(value),
                (0, 310) => told.population = Some(value),
                (0, 311) => told.probability = bytes.try_into().ok().map(f64::from_be_bytes),
                (0, 160) => told.init_ms = Some(value),
                _ => {}
            }
        }
        told
    }

    fn rate(&self) -> Option<f32> {
        let pair = |one: Option<u64>, other: Option<u64>| Some((one?, other?));
        rate(pair(self.size, self.population), pair(self.taken, self.left), self.probability, self.interval)
    }
}

impl Selector {
    /// A sampler names more than an interface, and that more than a template.
    fn max_with(self, other: Self) -> Self {
        let rank = |selector: &Self| match selector {
            Self::Any => 0,
            Self::Template(_) => 1,
            Self::Interface(_) => 2,
            Self::Sampler(_) => 3,
        };
        if rank(&other) >= rank(&self) { other } else { self }
    }
}

/// The rate that elements 309/310, 305/306, 311 and 34 or 50 tell, in this order (RFC 5477, 8).
pub(super) fn rate(
    size_population: Option<(u64, u64)>,
    taken_left: Option<(u64, u64)>,
    probability: Option<f64>,
    interval: u64,
) -> Option<f32> {
    let found = match (size_population, taken_left, probability) {
        (Some((size, population)), ..) if size > 0 => population as f64 / size as f64,
        (_, Some((taken, left)), _) if taken > 0 => (taken as f64 + left as f64) / taken as f64,
        (.., Some(probability)) if probability > 0.0 => 1.0 / probability,
        _ => interval as f64,
    };
    let rate = found as f32;
    (rate > 0.0 && rate.is_finite()).then_some(rate)
}
