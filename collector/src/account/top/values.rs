//! The values of one column that sketches take their keys from, read once for all of them.

use crate::flow::{Batch, Column, Kind, ROWS};

/// A column of the batch at hand, whatever its type.
#[derive(Debug)]
pub(super) struct Values {
    column: Column,
    /// By row; where nothing is carried, whatever it was.
    keys: Vec<u128>,
    carried: Vec<bool>,
}

impl Values {
    /// The place of a column among those that are read.
    pub(super) fn of(column: Column, all: &mut Vec<Self>) -> usize {
        let known = all.iter().position(|values| values.column == column);
        known.unwrap_or_else(|| {
            all.push(Self { column, keys: vec![0; ROWS], carried: vec![false; ROWS] });
            all.len() - 1
        })
    }

    /// Reads the batch.
    pub(super) fn take(&mut self, batch: &Batch) {
        let column = self.column;
        for run in batch.runs() {
            let rows = run.rows();
            self.carried[rows.clone()].fill(run.present.contains(column));
            if !run.present.contains(column) {
                continue;
            }
            let keys = &mut self.keys[rows.clone()];
            match column.kind() {
                Kind::Addr => keys.copy_from_slice(&batch.addrs(column)[rows.clone()]),
                Kind::U8 => widen(keys, &batch.u8s(column)[rows.clone()]),
                Kind::U16 => widen(keys, &batch.u16s(column)[rows.clone()]),
                Kind::U64 | Kind::Mac => widen(keys, &batch.u64s(column)[rows.clone()]),
                Kind::U32 | Kind::F32 | Kind::Text => widen(keys, &batch.u32s(column)[rows.clone()]),
            }
            if run.sparse.contains(column) {
                rows.for_each(|row| self.carried[row] = batch.has(run, column, row));
            }
        }
    }

    /// The row's value, if it carries one.
    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<u128> {
        self.carried[row].then(|| self.keys[row])
    }
}

fn widen<T: Copy + Into<u128>>(keys: &mut [u128], values: &[T]) {
    for (key, value) in keys.iter_mut().zip(values) {
        *key = (*value).into();
    }
}
