//! How late records tell of their flows: from a flow's start to its export, by source.
//!
//! An exporter reports a long flow in steps of its active timeout, and a record counts whole in the slot in which
//! it arrives: what is drawn finer than these steps is a comb. Both times are the exporter's own, so that a wrong
//! clock does not count; from export to receipt it is milliseconds.

use crate::flow::{Batch, Column, Run, TimeFrom};
use crate::slot::{LAG_BINS, SourceLags, lag_bin};

type Bins = [u32; LAG_BINS];

/// Histograms by source, made on first use.
#[derive(Debug, Default)]
pub(super) struct Lags {
    sources: Vec<Option<Box<Bins>>>,
}

impl Lags {
    /// Counts the rows of a run whose records carry times.
    pub(super) fn add(&mut self, batch: &Batch, run: &Run) {
        if run.time_from != TimeFrom::Record || !run.present.contains(Column::TimeStart) {
            return;
        }
        let source = usize::from(run.source);
        if source >= self.sources.len() {
            self.sources.resize_with(source + 1, || None);
        }
        let bins = self.sources[source].get_or_insert_with(|| Box::new([0; LAG_BINS]));
        let starts = &batch.u64s(Column::TimeStart)[run.rows()];
        match batch.validity(Column::TimeStart) {
            None => starts.iter().for_each(|start| count(bins, run.export_ms, *start)),
            Some(valid) => {
                let carried = run.rows().zip(starts).filter(|(row, _)| valid.get(*row));
                carried.for_each(|(_, start)| count(bins, run.export_ms, *start));
            }
        }
    }

    /// Takes out what was counted since the last cut.
    pub(super) fn take(&mut self) -> Vec<SourceLags> {
        let mut taken = Vec::new();
        for (source, bins) in self.sources.iter_mut().enumerate() {
            let Some(bins) = bins else { continue };
            let counted = bins.iter().enumerate().filter(|(_, count)| **count > 0);
            let counted: Vec<(u16, u32)> = counted.map(|(bin, count)| (bin as u16, *count)).collect();
            if !counted.is_empty() {
                taken.push(SourceLags { source: u32::try_from(source).unwrap_or(u32::MAX), bins: counted });
                **bins = [0; LAG_BINS];
            }
        }
        taken
    }
}

fn count(bins: &mut Bins, export_ms: u64, start_ms: u64) {
    let count = &mut bins[lag_bin(export_ms.saturating_sub(start_ms))];
    *count = count.saturating_add(1);
}
