//! The sampling rate of a set's rows: told by the record, else by options for what the record refers to.

use super::facts::{Facts, float, rate};
use super::normalize::keep;
use super::program::{Place, Program, Sampling};
use super::records::Records;
use super::streams::Key;
use crate::flow::{Batch, Column, Mask, Run, SamplingFrom};
use crate::slot::RateOf;

/// What filling the column told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rates {
    /// The last rate.
    pub(super) last: Option<f32>,
    /// A record refers to a sampler of which no rate is known.
    pub(super) unknown: bool,
}

/// Fills the rate's column.
pub(super) fn rates(
    facts: &Facts,
    key: &Key,
    (id, program): (u16, &Program),
    records: Records<'_>,
    batch: &mut Batch,
    run: &mut Run,
) -> Rates {
    let sampling = &program.sampling;
    let refers = sampling.sampler.or(sampling.selector);
    let told = facts.has_rates(run.stream);
    if !told && !sampling.in_record() {
        return Rates { last: None, unknown: refers.is_some_and(|place| names_one(place, records, run.len)) };
    }
    let common = told.then(|| common(facts, run.stream, key, id)).flatten();
    let by_interface = refers.is_none() && facts.has_interface_rates(run.stream);
    if !sampling.in_record() && refers.is_none() && !by_interface {
        return Rates { last: constant(common, batch, run), unknown: false };
    }
    let mut options = Options { facts, stream: run.stream, key, common, caches: [(None, None); 2] };
    let mut found = Rates::default();
    let (mut known, mut count) = (Mask::default(), 0);
    for (record, row) in run.rows().enumerate() {
        let own = own(sampling, records, record);
        if own.is_some() {
            run.sampling_from = SamplingFrom::Record;
        }
        let rate = own.or_else(|| match refers.map(|place| records.number(place, record)) {
            _ if !told => None,
            Some(number) => options.of_sampler(number),
            None if by_interface => options.of_interfaces(sampling, records, record),
            None => common,
        });
        known.set(row, rate.is_some());
        if let Some(rate) = rate {
            count += 1;
            found.last = Some(rate);
            if let Some(value) = batch.f32s_mut(Column::SamplingRate).get_mut(row) {
                *value = rate;
            }
        } else {
            found.unknown |= refers.is_some_and(|place| records.number(place, record) != 0);
        }
    }
    if count > 0 && run.sampling_from == SamplingFrom::None {
        run.sampling_from = SamplingFrom::Options;
    }
    run.present.insert(Column::SamplingRate);
    keep(batch, run, Column::SamplingRate, &known, count);
    found
}

/// What options told of what records refer to; neighbors mostly refer to the same.
struct Options<'a> {
    facts: &'a Facts,
    stream: u32,
    key: &'a Key,
    common: Option<f32>,
    caches: [(Option<RateOf>, Option<f32>); 2],
}

impl Options<'_> {
    /// Sampler 0 is none: what holds for everything holds for it.
    fn of_sampler(&mut self, number: u64) -> Option<f32> {
        let found = self.find(0, RateOf::Sampler(number));
        found.or_else(|| self.common.filter(|_| number == 0))
    }

    /// The interface on which the flow came in; where nothing is told of it, the one on which it went out.
    fn of_interfaces(&mut self, sampling: &Sampling, records: Records<'_>, record: usize) -> Option<f32> {
        let mut side = |at: usize, place: Option<Place>| {
            let number = records.number(place?, record);
            self.find(at, RateOf::Interface(number))
        };
        side(0, sampling.input).or_else(|| side(1, sampling.output)).or(self.common)
    }

    fn find(&mut self, at: usize, selector: RateOf) -> Option<f32> {
        let cache = self.caches.get_mut(at)?;
        if cache.0 != Some(selector) {
            *cache = (Some(selector), self.facts.rate(self.stream, self.key, selector));
        }
        cache.1
    }
}

/// Whether any record names a sampler.
fn names_one(place: Place, records: Records<'_>, count: usize) -> bool {
    (0..count).any(|record| records.number(place, record) != 0)
}

fn common(facts: &Facts, stream: u32, key: &Key, id: u16) -> Option<f32> {
    let of_template = facts.rate(stream, key, RateOf::Template(id.into()));
    of_template.or_else(|| facts.rate(stream, key, RateOf::Any))
}

fn constant(rate: Option<f32>, batch: &mut Batch, run: &mut Run) -> Option<f32> {
    let rate = rate?;
    run.present.insert(Column::SamplingRate);
    run.sampling_from = SamplingFrom::Options;
    batch.f32s_mut(Column::SamplingRate).get_mut(run.rows()).unwrap_or_default().fill(rate);
    Some(rate)
}

/// The rate that the record tells itself; a rate of 0 is none.
fn own(sampling: &Sampling, records: Records<'_>, record: usize) -> Option<f32> {
    if !sampling.in_record() {
        return None;
    }
    let read = |place: Option<_>| place.map(|place| records.number(place, record));
    rate(
        read(sampling.size).zip(read(sampling.population)),
        read(sampling.taken).zip(read(sampling.left)),
        sampling.probability.and_then(|place| float(records.field(place, record))),
        read(sampling.interval).unwrap_or(0),
    )
}
