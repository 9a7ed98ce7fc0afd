//! A test on many rows at once: 64 answers in a word.

use std::ops::Range;

use crds::filter::Compare;

use super::{Check, Flags, Join, Probe, Test, holds};
use crate::flow::{Batch, Column, Kind, Mask, Run, scaled};

impl Test {
    /// Sets the bits of those rows of the run that pass.
    pub(in crate::filter) fn mark(&self, batch: &Batch, run: &Run, mask: &mut Mask) {
        if self.of_run(run) == Some(false) {
            return;
        }
        let rows = run.rows();
        for word in rows.start / 64..rows.end.div_ceil(64) {
            let within = rows.start.max(word * 64)..rows.end.min(word * 64 + 64);
            mask.words_mut()[word] |= self.word(batch, run, within);
        }
    }

    /// The answers for rows of one word.
    fn word(&self, batch: &Batch, run: &Run, rows: Range<usize>) -> u64 {
        if let Some(answer) = self.of_run(run) {
            return if answer { all(&rows) } else { 0 };
        }
        match self {
            Self::Columns { join: Join::Any, probes } => {
                probes.iter().fold(0, |any, probe| any | probe.word(batch, run, &rows))
            }
            Self::Columns { join: Join::All, probes } => {
                probes.iter().fold(all(&rows), |every, probe| every & probe.word(batch, run, &rows))
            }
            Self::Columns { join: Join::Carried, probes } => {
                let fold = |(some, failed): (u64, u64), probe: &Probe| {
                    let carried = carried(batch, run, probe.column, &rows);
                    (some | carried, failed | (carried & !probe.word(batch, run, &rows)))
                };
                let (some, failed) = probes.iter().fold((0, 0), fold);
                some & !failed
            }
            Self::Flags { column, want, bits } => flags(batch, run, &rows, *column, *want, *bits),
            Self::Counter { columns, compare, value } if columns.len() == 1 => {
                counter(batch, run, &rows, columns[0], *compare, *value)
            }
            _ => bits(rows, |row| self.passes(batch, run, row)),
        }
    }
}

impl Probe {
    fn word(&self, batch: &Batch, run: &Run, rows: &Range<usize>) -> u64 {
        let carried = carried(batch, run, self.column, rows);
        if carried == 0 {
            return 0;
        }
        let column = self.column;
        let passed = match (&self.check, column.kind()) {
            (Check::Number(op, value), Kind::U8) => compared(batch.u8s(column), rows, *op, *value),
            (Check::Number(op, value), Kind::U16) => compared(batch.u16s(column), rows, *op, *value),
            (Check::Number(op, value), Kind::U32) => compared(batch.u32s(column), rows, *op, *value),
            (Check::Number(op, value), _) => compared(batch.u64s(column), rows, *op, *value),
            (Check::NumberIn(set), Kind::U16) => {
                tested(batch.u16s(column), rows, |value| set.contains(u64::from(value)))
            }
            (Check::NumberIn(set), Kind::U32) => {
                tested(batch.u32s(column), rows, |value| set.contains(u64::from(value)))
            }
            (Check::AddressIn(set), _) => tested(batch.addrs(column), rows, |address| set.contains(address)),
            (check, _) => {
                bits(rows.clone(), |row| carried >> (row % 64) & 1 == 1 && check.passes(batch, column, row))
            }
        };
        passed & carried
    }
}

/// The rows of one word that carry a column.
fn carried(batch: &Batch, run: &Run, column: Column, rows: &Range<usize>) -> u64 {
    if !run.present.contains(column) {
        return 0;
    }
    let every = all(rows);
    if !run.sparse.contains(column) {
        return every;
    }
    batch.validity(column).map_or(0, |valid| valid.words()[rows.start / 64] & every)
}

/// The bits of these rows, which lie in one word.
fn all(rows: &Range<usize>) -> u64 {
    if rows.is_empty() {
        return 0;
    }
    (u64::MAX >> (64 - rows.len())) << (rows.start % 64)
}

fn bits(rows: Range<usize>, passes: impl Fn(usize) -> bool) -> u64 {
    rows.fold(0, |word, row| word | u64::from(passes(row)) << (row % 64))
}

#[inline]
fn tested<T: Copy>(values: &[T], rows: &Range<usize>, passes: impl Fn(T) -> bool) -> u64 {
    let mut word = 0;
    for (place, value) in values[rows.clone()].iter().enumerate() {
        word |= u64::from(passes(*value)) << place;
    }
    word << (rows.start % 64)
}

fn compared<T: Copy + Into<u64>>(values: &[T], rows: &Range<usize>, compare: Compare, constant: u64) -> u64 {
    match compare {
        Compare::Eq => tested(values, rows, |value| value.into() == constant),
        Compare::Ne => tested(values, rows, |value| value.into() != constant),
        Compare::Gt => tested(values, rows, |value| value.into() > constant),
        Compare::Lt => tested(values, rows, |value| value.into() < constant),
        Compare::Ge => tested(values, rows, |value| value.into() >= constant),
        Compare::Le => tested(values, rows, |value| value.into() <= constant),
    }
}

fn counter(
    batch: &Batch,
    run: &Run,
    rows: &Range<usize>,
    column: Column,
    compare: Compare,
    constant: u64,
) -> u64 {
    let carried = carried(batch, run, column, rows);
    if carried == 0 {
        return 0;
    }
    if !run.present.contains(Column::SamplingRate) {
        return compared(batch.u64s(column), rows, compare, constant) & carried;
    }
    bits(rows.clone(), |row| holds(scaled(batch, run, column, row), compare, constant)) & carried
}

fn flags(batch: &Batch, run: &Run, rows: &Range<usize>, column: Column, want: Flags, bits: u8) -> u64 {
    let carried_proto = carried(batch, run, Column::Proto, rows);
    let tcp = match carried_proto {
        0 => 0,
        _ => tested(batch.u8s(Column::Proto), rows, |proto| proto == 6) & carried_proto,
    };
    let carried = carried(batch, run, column, rows);
    let bits = u16::from(bits);
    let flagged = |passes: fn(u16, u16) -> bool| match carried {
        0 => 0,
        _ => tested(batch.u16s(column), rows, |flags| passes(flags, bits)) & carried,
    };
    match want {
        Flags::All => tcp & flagged(|flags, bits| flags & bits == bits),
        Flags::Exactly => tcp & flagged(|flags, bits| flags & 0xff == bits),
        Flags::None => all(rows) & !(tcp & flagged(|flags, bits| flags & bits != 0)),
    }
}
