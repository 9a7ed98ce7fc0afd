//! Names that option tables gave, in the columns of batches that people read record by record (`weir decode`).
//! Other batches carry numbers only: whoever shows them looks the names up.

use super::facts::{Facts, application};
use super::normalize::keep;
use super::program::Program;
use super::records::Records;
use crate::flow::{Batch, Column, Mask, Run};
use crate::slot::NameOf;

/// The number under which exporters name an application.
const APPLICATION: u16 = 95;

/// Fills in the names of interfaces and applications.
pub(super) fn names(
    facts: &Facts,
    program: &Program,
    records: Records<'_>,
    batch: &mut Batch,
    run: &mut Run,
) {
    if !batch.keeps_extras() {
        return;
    }
    let stream = run.stream;
    let interface = |number| {
        let name = facts.name(stream, NameOf::Interface, number);
        name.or_else(|| facts.name(stream, NameOf::InterfaceDescription, number))
    };
    for (from, to) in [(Column::InIf, Column::InIfName), (Column::OutIf, Column::OutIfName)] {
        if run.present.contains(from) {
            fill(batch, run, to, |batch, run, row| {
                let has = batch.has(run, from, row);
                interface(batch.u32s(from).get(row).copied().filter(|_| has)?.into())
            });
        }
    }
    let mut fields = program.fields.iter().zip(&program.places);
    let place = fields.find(|(field, _)| field.enterprise == 0 && field.element == APPLICATION);
    if let Some((_, place)) = place {
        fill(batch, run, Column::AppName, |_, run, row| {
            let number = application(records.field(*place, row - run.start))?;
            facts.name(stream, NameOf::Application, number)
        });
    }
}

/// Fills a text column where it has no value yet.
fn fill<'a>(
    batch: &mut Batch,
    run: &mut Run,
    column: Column,
    name: impl Fn(&Batch, &Run, usize) -> Option<&'a str>,
) {
    let (mut known, mut count) = (Mask::default(), 0);
    for row in run.rows() {
        let mut has = batch.has(run, column, row);
        if !has && let Some(name) = name(batch, run, row) {
            let text = batch.keep_text(name.as_bytes());
            if let Some(value) = batch.texts_mut(column).get_mut(row) {
                *value = text;
                has = true;
            }
        }
        known.set(row, has);
        count += usize::from(has);
    }
    run.present.insert(column);
    run.sparse.remove(column);
    keep(batch, run, column, &known, count);
}
