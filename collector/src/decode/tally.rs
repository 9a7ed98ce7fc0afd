//! What happened on a stream since the last cut.

use super::reason::{Undecodable, Undecoded};
use crate::slot::{Declared, StreamCounts};

/// The counts of one stream: differences that a cut takes away.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// As in [`StreamCounts`], like all that follow.
    pub(super) datagrams: u64,
    pub(super) bytes: u64,
    pub(super) records: u64,
    pub(super) options_records: u64,
    pub(super) templates: u64,
    pub(super) template_changes: u64,
    pub(super) template_conflicts: u64,
    pub(super) unknown_template_sets: u64,
    pub(super) records_received: i64,
    pub(super) undecodable: Undecoded,
    pub(super) faults: Undecoded,
    pub(super) uncounted_sets: u64,
    pub(super) uncounted_bytes: u64,
    pub(super) received: u64,
    pub(super) inferred: i64,
    pub(super) duplicates: u64,
    pub(super) reordered: u64,
    pub(super) missing: i64,
    pub(super) restarts: u64,
    pub(super) samples: u64,
    pub(super) samples_missing: i64,
    pub(super) exporter_drops: u64,
    pub(super) skipped_records: u64,
    pub(super) declared: Declared,
}

impl Tally {
    /// Counts something wrong that cost no record, or records that cannot be counted here.
    pub(super) fn fault(&mut self, reason: Undecodable) {
        self.faults.count(reason, 1);
    }

    /// Counts something wrong, and the records that were received and not decoded because of it.
    pub(super) fn lose(&mut self, reason: Undecodable, records: u32) {
        self.faults.count(reason, 1);
        self.undecodable.count(reason, records);
    }

    /// Forgets what was counted by sequence number: the numbers mean something else.
    pub(super) fn forget_sequence(&mut self) {
        (self.received, self.inferred, self.duplicates) = (0, 0, 0);
        (self.reordered, self.missing, self.restarts) = (0, 0, 0);
    }

    /// The form that a block carries.
    pub(super) fn report(&self) -> StreamCounts {
        StreamCounts {
            datagrams: self.datagrams,
            bytes: self.bytes,
            records: self.records,
            options_records: self.options_records,
            templates: self.templates,
            template_changes: self.template_changes,
            template_conflicts: self.template_conflicts,
            unknown_template_sets: self.unknown_template_sets,
            records_received: self.records_received,
            undecodable: self.undecodable.report(),
            faults: self.faults.report(),
            uncounted_sets: self.uncounted_sets,
            uncounted_bytes: self.uncounted_bytes,
            received: self.received,
            inferred: self.inferred,
            duplicates: self.duplicates,
            reordered: self.reordered,
            missing: self.missing,
            restarts: self.restarts,
            samples: self.samples,
            samples_missing: self.samples_missing,
            exporter_drops: self.exporter_drops,
            skipped_records: self.skipped_records,
            declared: self.declared,
        }
    }
}
