//! Candidates by the numbers of one column: AS, interface, VLAN.

use foldhash::HashMap;

use super::MAX_ENTRIES;
use super::classes::{Candidate, ClassBuilder, Classes};
use crate::flow::{Batch, Column, Kind};

/// The table of one column.
#[derive(Debug)]
pub(in crate::filter) struct NumberIndex {
    pub(in crate::filter) column: Column,
    class: HashMap<u64, u32>,
    classes: Classes,
}

impl NumberIndex {
    /// The table of these numbers; none when it would be too large.
    pub(in crate::filter) fn new(column: Column, entries: Vec<(u64, Candidate)>) -> Option<Self> {
        if entries.len() > MAX_ENTRIES {
            return None;
        }
        let mut lists: HashMap<u64, Vec<Candidate>> = HashMap::default();
        for (number, candidate) in entries {
            lists.entry(number).or_default().push(candidate);
        }
        let mut builder = ClassBuilder::default();
        let class = lists.into_iter().map(|(number, list)| (number, builder.class(list))).collect();
        Some(Self { column, class, classes: builder.finish() })
    }

    /// The candidates of the row's number, which the row must carry.
    #[inline]
    pub(in crate::filter) fn candidates(&self, batch: &Batch, row: usize) -> &[Candidate] {
        let number = match self.column.kind() {
            Kind::U16 => u64::from(batch.u16s(self.column)[row]),
            _ => u64::from(batch.u32s(self.column)[row]),
        };
        self.class.get(&number).map_or(&[], |class| self.classes.list(*class as usize))
    }
}
