//! Which columns a test looks at.

use super::{Check, Probe, Test};
use crate::flow::{Column, ColumnSet};

impl Test {
    /// Adds the columns that must be filled for the test to be judged.
    pub(in crate::filter) fn columns(&self, set: &mut ColumnSet) {
        let mut add = |columns: &[Column]| columns.iter().for_each(|column| set.insert(*column));
        match self {
            Self::Const(_) | Self::Source(_) | Self::Exporter(_) | Self::Domain(..) => {}
            Self::Columns { probes, .. } => {
                for Probe { column, check } in probes {
                    add(&[*column]);
                    if matches!(check, Check::Label(..) | Check::Exp(..) | Check::Bottom(..)) {
                        add(&Column::MPLS_LABELS);
                    }
                }
            }
            Self::Flags { column, .. } => add(&[*column, Column::Proto]),
            Self::Counter { columns, .. } => {
                add(columns);
                add(&[Column::SamplingRate]);
            }
            Self::Rate { counter, .. } => {
                add(&[*counter, Column::SamplingRate, Column::TimeStart, Column::TimeEnd]);
            }
            Self::PacketSize { bytes, packets, .. } => add(&[*bytes, *packets, Column::SamplingRate]),
            Self::Duration(..) => add(&[Column::TimeStart, Column::TimeEnd]),
            Self::PortInBlock { ports, .. } => {
                add(ports);
                add(&[Column::PortBlockStart, Column::PortBlockEnd]);
            }
        }
    }
}
