//! The sampling rate of a set's rows: told by the record, else by options for what the record refers to.

use super::facts::{Facts, Selector, rate};
use super::normalize::keep;
use super::program::{Program, Sampling};
use super::records::Records;
use super::streams::Key;
use crate::flow::{Batch, Column, Mask, Run, SamplingFrom};

/// Fills the rate's column; gives back the last rate.
pub(super) fn rates(
    facts: &Facts,
    key: &Key,
    (id, program): (u16, &Program),
    records: Records<'_>,
    batch: &mut Batch,
    run: &mut Run,
) -> Option<f32> {
    let sampling = &program.sampling;
    let told = facts.has_rates(run.stream, key);
    if !told && !sampling.in_record() {
        return None;
    }
    let refers = sampling.sampler.or(sampling.selector);
    let by_interface = refers.is_none() && run.present.contains(Column::InIf);
    let common = told.then(|| common(facts, run.stream, key, id)).flatten();
    if !sampling.in_record() && refers.is_none() && !by_interface {
        return constant(common, batch, run);
    }
    let mut cache = (u64::MAX, None);
    let mut lookup = |number: u64, selector: Selector| {
        if cache.0 != number {
            cache = (number, facts.rate(run.stream, key, selector));
        }
        cache.1
    };
    let (mut known, mut count, mut last) = (Mask::default(), 0, None);
    for (record, row) in run.rows().enumerate() {
        let own = own(sampling, records, record);
        if own.is_some() {
            run.sampling_from = SamplingFrom::Record;
        }
        let found = own.or_else(|| match refers.map(|place| records.number(place, record)) {
            _ if !told => None,
            Some(number) => {
                let found = lookup(number, Selector::Sampler(number));
                found.or_else(|| common.filter(|_| number == 0))
            }
            None if by_interface => {
                let number = batch.u32s(Column::InIf).get(row).copied().map_or(0, u64::from);
                lookup(number, Selector::Interface(number)).or(common)
            }
            None => common,
        });
        known.set(row, found.is_some());
        if let Some(found) = found {
            count += 1;
            last = Some(found);
            if let Some(value) = batch.f32s_mut(Column::SamplingRate).get_mut(row) {
                *value = found;
            }
        }
    }
    if count > 0 && run.sampling_from == SamplingFrom::None {
        run.sampling_from = SamplingFrom::Options;
    }
    run.present.insert(Column::SamplingRate);
    keep(batch, run, Column::SamplingRate, &known, count);
    last
}

fn common(facts: &Facts, stream: u32, key: &Key, id: u16) -> Option<f32> {
    let of_template = facts.rate(stream, key, Selector::Template(id.into()));
    of_template.or_else(|| facts.rate(stream, key, Selector::Any))
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
    let probability = sampling.probability.and_then(|place| records.field(place, record).try_into().ok());
    rate(
        read(sampling.size).zip(read(sampling.population)),
        read(sampling.taken).zip(read(sampling.left)),
        probability.map(f64::from_be_bytes),
        read(sampling.interval).unwrap_or(0),
    )
}
