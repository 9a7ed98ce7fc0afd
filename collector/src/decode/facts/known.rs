//! What one stream's options told.

use std::collections::BTreeMap;

use crate::flow::TEXT_LIMIT;
use crate::slot::{NameFact, NameOf, RateFact, RateOf, StreamFacts};

/// Rates of one stream.
const RATES: usize = 1024;
/// Bytes of one stream's names.
const NAMES: usize = 512 << 10;
/// What a name costs beside its bytes.
const NAME: usize = 64;

/// A value and when it was told last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Said<T> {
    pub(super) value: T,
    pub(super) told_ms: u64,
    /// That was before a restart of the edge.
    pub(super) restored: bool,
}

/// The facts of one stream.
#[derive(Debug)]
pub(super) struct Known {
    /// The domain of the stream.
    pub(super) domain: u32,
    /// Sorted by the domain that they are about, and selector.
    rates: Vec<((u32, RateOf), Said<f32>)>,
    init: Option<Said<u64>>,
    names: BTreeMap<(NameOf, u64), Box<str>>,
    named_ms: u64,
    names_restored: bool,
    name_bytes: usize,
}

impl Known {
    pub(super) fn new(domain: u32) -> Self {
        Self {
            domain,
            rates: vec![],
            init: None,
            names: BTreeMap::new(),
            named_ms: 0,
            names_restored: false,
            name_bytes: 0,
        }
    }

    /// The rate of what a selector names; records that name no sampler belong to the only one.
    pub(super) fn rate(&self, domain: u32, selector: RateOf) -> Option<Said<f32>> {
        let rates = self.about(domain);
        let found = rates.binary_search_by_key(&selector, |((_, known), _)| *known).ok();
        let at = found.or(match (selector, rates) {
            (RateOf::Any, [((_, RateOf::Sampler(_)), _)]) => Some(0),
            _ => None,
        });
        at.and_then(|at| rates.get(at)).map(|(_, said)| *said)
    }

    pub(super) fn has_rates(&self, domain: u32) -> bool {
        !self.about(domain).is_empty()
    }

    pub(super) fn has_interface_rates(&self, domain: u32) -> bool {
        self.about(domain).iter().any(|((_, selector), _)| matches!(selector, RateOf::Interface(_)))
    }

    pub(super) fn init(&self) -> Option<Said<u64>> {
        self.init
    }

    pub(super) fn name(&self, of: NameOf, number: u64) -> Option<Said<&str>> {
        let name = self.names.get(&(of, number))?;
        Some(Said { value: name, told_ms: self.named_ms, restored: self.names_restored })
    }

    /// How many rates it holds.
    pub(super) fn rates(&self) -> usize {
        self.rates.len()
    }

    /// What its names take.
    pub(super) fn name_bytes(&self) -> usize {
        self.name_bytes
    }

    /// Whether the start differs from the one known.
    pub(super) fn put_init(&mut self, init: Option<Said<u64>>) -> bool {
        let Some(new) = init else { return false };
        let old = self.init.replace(new);
        old.is_none_or(|old| old.value != new.value)
    }

    /// Whether that is news.
    pub(super) fn put_rate(&mut self, domain: u32, selector: RateOf, said: Said<f32>, is_room: bool) -> bool {
        let key = (domain, selector);
        match self.rates.binary_search_by_key(&key, |(known, _)| *known) {
            Ok(at) => {
                let old = std::mem::replace(&mut self.rates[at].1, said);
                return old.value != said.value || old.restored != said.restored;
            }
            Err(at) if is_room && self.rates.len() < RATES => {
                self.rates.insert(at, (key, said));
                return true;
            }
            Err(_) => {}
        }
        false
    }

    /// Keeps a name, cut at [`TEXT_LIMIT`] bytes; an empty one is none. Whether that is news.
    pub(super) fn put_name(
        &mut self,
        of: NameOf,
        number: u64,
        text: &[u8],
        now_ms: u64,
        is_room: bool,
    ) -> bool {
        let text = String::from_utf8_lossy(text.get(..TEXT_LIMIT).unwrap_or(text));
        self.named_ms = now_ms;
        let anew = std::mem::replace(&mut self.names_restored, false);
        if self.names.get(&(of, number)).is_some_and(|known| **known == *text) {
            return anew;
        }
        if let Some(old) = self.names.remove(&(of, number)) {
            self.name_bytes -= old.len() + NAME;
        }
        let cost = text.len() + NAME;
        if !text.is_empty() && is_room && self.name_bytes + cost <= NAMES {
            self.name_bytes += cost;
            self.names.insert((of, number), text.into());
        }
        true
    }

    /// Writes everything down.
    pub(super) fn report(&self, facts: &mut StreamFacts) {
        let rate = |((domain, of), said): &((u32, RateOf), Said<f32>)| RateFact {
            domain: *domain,
            of: *of,
            rate: said.value,
            told_ms: said.told_ms,
            restored: said.restored,
        };
        facts.rates = self.rates.iter().map(rate).collect();
        facts.init_ms = self.init.map(|said| said.value);
        (facts.named_ms, facts.names_restored) = (self.named_ms, self.names_restored);
        for ((of, number), name) in &self.names {
            facts.names.push(NameFact { of: *of, number: *number, name: name.to_string() });
        }
    }

    /// Takes over what was written down before a restart of the edge.
    pub(super) fn restore(&mut self, facts: &StreamFacts) {
        let said = |told_ms| Said { value: 0.0, told_ms, restored: true };
        for fact in facts.rates.iter().filter(|fact| fact.rate > 0.0 && fact.rate.is_finite()) {
            let said = Said { value: fact.rate, ..said(fact.told_ms) };
            self.put_rate(fact.domain, fact.of, said, true);
        }
        self.init = facts.init_ms.map(|value| Said { value, told_ms: facts.seen_ms, restored: true });
        for fact in &facts.names {
            self.put_name(fact.of, fact.number, fact.name.as_bytes(), facts.named_ms, true);
        }
        self.names_restored = true;
    }

    fn about(&self, domain: u32) -> &[((u32, RateOf), Said<f32>)] {
        let from = self.rates.partition_point(|((of, _), _)| *of < domain);
        let to = self.rates.partition_point(|((of, _), _)| *of <= domain);
        self.rates.get(from..to).unwrap_or_default()
    }
}
