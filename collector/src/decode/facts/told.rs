//! One options record, read.

use super::super::program::Program;
use super::super::records::{Records, number};
use super::super::template::V9_SCOPE;
use super::names::application;
use crate::slot::{NameOf, RateOf};

/// What one options record says.
#[derive(Default)]
pub(super) struct Told<'a> {
    pub(super) selector: RateOf,
    /// The observation domain that the record is about, where its scope names one (149).
    pub(super) domain: Option<u32>,
    pub(super) init_ms: Option<u64>,
    interval: u64,
    taken: Option<u64>,
    left: Option<u64>,
    size: Option<u64>,
    population: Option<u64>,
    probability: Option<f64>,
    interface: Option<u64>,
    vrf: Option<u64>,
    application: Option<u64>,
    sampler: Option<u64>,
    picker: Option<u64>,
    texts: [&'a [u8]; NAMED.len()],
}

/// The elements that hold names, and of what.
const NAMED: [(u16, NameOf); 6] = [
    (82, NameOf::Interface),
    (83, NameOf::InterfaceDescription),
    (236, NameOf::Vrf),
    (96, NameOf::Application),
    (84, NameOf::Sampler),
    (335, NameOf::Selector),
];

/// A description of an application, which serves where it has no name.
const APPLICATION_DESCRIPTION: u16 = 94;

impl<'a> Told<'a> {
    pub(super) fn read(program: &Program, records: Records<'a>, record: usize) -> Self {
        let mut told = Self::default();
        for (at, (field, place)) in program.fields.iter().zip(&program.places).enumerate() {
            let bytes = records.field(*place, record);
            let in_scope = at < usize::from(program.scope);
            match field.enterprise {
                0 if field.element == 149 && in_scope => told.domain = u32::try_from(number(bytes)).ok(),
                0 => told.element(field.element, bytes),
                V9_SCOPE => told.scope(field.element, number(bytes)),
                _ => {}
            }
        }
        told
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rate().is_none() && self.init_ms.is_none() && self.names().next().is_none()
    }

    pub(super) fn rate(&self) -> Option<f32> {
        let pair = |one: Option<u64>, other: Option<u64>| Some((one?, other?));
        rate(pair(self.size, self.population), pair(self.taken, self.left), self.probability, self.interval)
    }

    /// What it names: of which kind, by which number, how.
    pub(super) fn names(&self) -> impl Iterator<Item = (NameOf, u64, &'a [u8])> {
        let named = NAMED.iter().zip(self.texts).filter(|(_, text)| !text.is_empty());
        named.filter_map(|((_, of), text)| Some((*of, self.number(*of)?, text)))
    }

    fn number(&self, of: NameOf) -> Option<u64> {
        match of {
            NameOf::Interface | NameOf::InterfaceDescription => self.interface,
            NameOf::Vrf => self.vrf,
            NameOf::Application => self.application,
            NameOf::Sampler => self.sampler,
            NameOf::Selector => self.picker,
        }
    }

    /// NetFlow v9's scope types (RFC 3954, 6.1).
    fn scope(&mut self, kind: u16, value: u64) {
        match kind {
            2 => self.by(RateOf::Interface(value)),
            5 => self.by(RateOf::Template(value)),
            _ => {}
        }
    }

    fn element(&mut self, element: u16, bytes: &'a [u8]) {
        let value = number(bytes);
        match element {
            10 | 14 | 252 | 253 => self.by(RateOf::Interface(value)),
            48 | 302 => {
                let which = if element == 48 { &mut self.sampler } else { &mut self.picker };
                *which = Some(value);
                self.by(RateOf::Sampler(value));
            }
            145 => self.by(RateOf::Template(value)),
            234 | 235 => self.vrf = self.vrf.or(Some(value)),
            95 => self.application = application(bytes),
            34 | 50 => self.interval = self.interval.max(value),
            305 => self.taken = Some(value),
            306 => self.left = Some(value),
            309 => self.size = Some(value),
            310 => self.population = Some(value),
            311 => self.probability = float(bytes),
            160 => self.init_ms = Some(value),
            _ => self.name(element, text(bytes)),
        }
    }

    fn name(&mut self, element: u16, text: &'a [u8]) {
        let serves = element == APPLICATION_DESCRIPTION;
        let named = if serves { 96 } else { element };
        let Some(at) = NAMED.iter().position(|(element, _)| *element == named) else { return };
        if let Some(known) = self.texts.get_mut(at).filter(|known| known.is_empty() || !serves) {
            *known = text;
        }
    }

    fn by(&mut self, selector: RateOf) {
        if rank(selector) >= rank(self.selector) {
            self.selector = selector;
        }
        if let RateOf::Interface(index) = selector {
            self.interface = self.interface.or(Some(index));
        }
    }
}

/// A sampler names more than an interface, and that more than a template.
fn rank(selector: RateOf) -> u8 {
    match selector {
        RateOf::Any => 0,
        RateOf::Template(_) => 1,
        RateOf::Interface(_) => 2,
        RateOf::Sampler(_) => 3,
    }
}

/// Text without the zeros that fill it up.
fn text(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or_default().trim_ascii()
}

/// A float of either size (RFC 7011, 6.2).
pub(crate) fn float(bytes: &[u8]) -> Option<f64> {
    match bytes.len() {
        4 => bytes.try_into().ok().map(f32::from_be_bytes).map(f64::from),
        8 => bytes.try_into().ok().map(f64::from_be_bytes),
        _ => None,
    }
}

/// The rate that elements 309/310, 305/306, 311 and 34 or 50 tell, in this order (RFC 5477, 8).
pub(crate) fn rate(
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
