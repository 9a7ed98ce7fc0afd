//! By which elements a record counts, and when the other direction's counters count at all.
//!
//! Decided once for a template; only templates with such elements cost anything for their records.

use super::normalize::keep;
use super::program::Place;
use super::records::Records;
use super::template::Field;
use super::vendor;
use crate::flow::{Batch, Column, CountersFrom, Mask, Run};

/// What a template's elements say about its counters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    /// The source of packets and bytes where 1 and 2 are both missing.
    from: Option<CountersFrom>,
    /// 1 where 85 stands beside it, 2 where 86 does: the totals count in rows in which these are 0.
    deltas: [Option<(Column, Place)>; 2],
    /// 232 with neither 231 nor 298: its 0 is filling.
    doubtful_reverse: bool,
}

impl Counters {
    /// Of a template's fields, in their places.
    pub(super) fn of(fields: &[Field], places: &[Place]) -> Self {
        let find = |element: u16| {
            let at = fields.iter().position(|field| field.enterprise == 0 && field.element == element);
            at.and_then(|at| places.get(at)).copied()
        };
        let has = |elements: &[u16]| elements.iter().any(|element| find(*element).is_some());
        let beside =
            |delta, total, column| find(delta).filter(|_| find(total).is_some()).map(|place| (column, place));
        let from = match () {
            () if has(&[1, 2]) => None,
            () if has(&[85, 86]) => Some(CountersFrom::Total),
            () if has(&[231, 298]) => Some(CountersFrom::Initiator),
            () if has(&[23, 24]) => Some(CountersFrom::Post),
            () => fields.iter().any(|field| vendor::counts(*field)).then_some(CountersFrom::Vendor),
        };
        Self {
            from,
            deltas: [beside(1, 85, Column::Bytes), beside(2, 86, Column::Packets)],
            doubtful_reverse: has(&[232]) && !has(&[231, 298]),
        }
    }

    /// Completes the rows of a set.
    pub(super) fn finish(&self, records: Records<'_>, batch: &mut Batch, run: &mut Run) {
        if let Some(from) = self.from {
            run.present.insert(Column::CountersFrom);
            batch.u8s_mut(Column::CountersFrom).get_mut(run.rows()).unwrap_or_default().fill(from as u8);
        } else if self.deltas != [None, None] {
            self.totals(records, batch, run);
        }
        if self.doubtful_reverse && run.present.contains(Column::RevBytes) {
            reverse(batch, run);
        }
    }

    /// Marks the rows in which totals took the place of deltas that are 0.
    fn totals(&self, records: Records<'_>, batch: &mut Batch, run: &mut Run) {
        let (mut total, mut count) = (Mask::default(), 0);
        for (record, row) in run.rows().enumerate() {
            let replaced = self.deltas.iter().flatten().any(|(column, place)| {
                let value = batch.u64s(*column).get(row).copied().unwrap_or_default();
                value > 0 && records.number(*place, record) == 0
            });
            total.set(row, replaced);
            count += usize::from(replaced);
        }
        if count > 0 {
            run.present.insert(Column::CountersFrom);
            let column = batch.u8s_mut(Column::CountersFrom);
            column.get_mut(run.rows()).unwrap_or_default().fill(CountersFrom::Total as u8);
            keep(batch, run, Column::CountersFrom, &total, count);
        }
    }
}

/// Leaves the reverse bytes only where they are above 0.
fn reverse(batch: &mut Batch, run: &mut Run) {
    let (mut above, mut count) = (Mask::default(), 0);
    for row in run.rows() {
        let is_above = batch.u64s(Column::RevBytes).get(row).is_some_and(|bytes| *bytes > 0);
        above.set(row, is_above);
        count += usize::from(is_above);
    }
    keep(batch, run, Column::RevBytes, &above, count);
}
