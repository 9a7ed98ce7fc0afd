//! What one stream's options told.

use std::collections::BTreeMap;

use super::names::Of;
use crate::flow::TEXT_LIMIT;

/// Rates of one stream.
const RATES: usize = 1024;
/// Bytes of one stream's names.
const NAMES: usize = 512 << 10;
/// What a name costs beside its bytes.
const NAME: usize = 64;

/// To what a rate applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Selector {
    /// Everything that the stream sends.
    #[default]
    Any,
    /// A sampler (48) or selector (302).
    Sampler(u64),
    /// Flows that came in, or went out, on this interface.
    Interface(u64),
    /// Records of this template.
    Template(u64),
}

impl Selector {
    /// A sampler names more than an interface, and that more than a template.
    pub(super) fn max_with(self, other: Self) -> Self {
        let rank = |selector: &Self| match selector {
            Self::Any => 0,
            Self::Template(_) => 1,
            Self::Interface(_) => 2,
            Self::Sampler(_) => 3,
        };
        if rank(&other) >= rank(&self) { other } else { self }
    }
}

/// A value and when it was told last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Said<T> {
    pub(super) value: T,
    pub(super) told_ms: u64,
}

/// The facts of one stream.
#[derive(Debug)]
pub(super) struct Known {
    /// The domain of the stream.
    pub(super) domain: u32,
    /// Sorted by the domain that they are about, and selector.
    rates: Vec<((u32, Selector), Said<f32>)>,
    init: Option<Said<u64>>,
    names: BTreeMap<(Of, u64), Box<str>>,
    named_ms: u64,
    name_bytes: usize,
}

impl Known {
    pub(super) fn new(domain: u32) -> Self {
        Self { domain, rates: vec![], init: None, names: BTreeMap::new(), named_ms: 0, name_bytes: 0 }
    }

    /// The rate of what a selector names; records that name no sampler belong to the only one.
    pub(super) fn rate(&self, domain: u32, selector: Selector) -> Option<Said<f32>> {
        let rates = self.about(domain);
        let found = rates.binary_search_by_key(&selector, |((_, known), _)| *known).ok();
        let at = found.or(match (selector, rates) {
            (Selector::Any, [((_, Selector::Sampler(_)), _)]) => Some(0),
            _ => None,
        });
        at.and_then(|at| rates.get(at)).map(|(_, said)| *said)
    }

    pub(super) fn has_rates(&self, domain: u32) -> bool {
        !self.about(domain).is_empty()
    }

    pub(super) fn has_interface_rates(&self, domain: u32) -> bool {
        self.about(domain).iter().any(|((_, selector), _)| matches!(selector, Selector::Interface(_)))
    }

    pub(super) fn init(&self) -> Option<Said<u64>> {
        self.init
    }

    pub(super) fn name(&self, of: Of, number: u64) -> Option<Said<&str>> {
        let name = self.names.get(&(of, number))?;
        Some(Said { value: name, told_ms: self.named_ms })
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

    /// Whether this is the first rate for what the selector names.
    pub(super) fn put_rate(
        &mut self,
        domain: u32,
        selector: Selector,
        said: Said<f32>,
        is_room: bool,
    ) -> bool {
        let key = (domain, selector);
        match self.rates.binary_search_by_key(&key, |(known, _)| *known) {
            Ok(at) => self.rates[at].1 = said,
            Err(at) if is_room && self.rates.len() < RATES => {
                self.rates.insert(at, (key, said));
                return true;
            }
            Err(_) => {}
        }
        false
    }

    /// Keeps a name, cut at [`TEXT_LIMIT`] bytes; an empty one is none.
    pub(super) fn put_name(&mut self, of: Of, number: u64, text: &[u8], now_ms: u64, is_room: bool) {
        let text = String::from_utf8_lossy(text.get(..TEXT_LIMIT).unwrap_or(text));
        self.named_ms = now_ms;
        if self.names.get(&(of, number)).is_some_and(|known| **known == *text) {
            return;
        }
        if let Some(old) = self.names.remove(&(of, number)) {
            self.name_bytes -= old.len() + NAME;
        }
        let cost = text.len() + NAME;
        if !text.is_empty() && is_room && self.name_bytes + cost <= NAMES {
            self.name_bytes += cost;
            self.names.insert((of, number), text.into());
        }
    }

    fn about(&self, domain: u32) -> &[((u32, Selector), Said<f32>)] {
        let from = self.rates.partition_point(|((of, _), _)| *of < domain);
        let to = self.rates.partition_point(|((of, _), _)| *of <= domain);
        self.rates.get(from..to).unwrap_or_default()
    }
}
