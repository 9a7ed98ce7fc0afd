//! What happened on a stream since the last cut.

use super::reason::Undecoded;
use crate::slot::StreamCounts;

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
    pub(super) undecodable: Undecoded,
    pub(super) received: u64,
    pub(super) duplicates: u64,
    pub(super) reordered: u64,
    pub(super) missing: i64,
    pub(super) restarts: u64,
    pub(super) samples_missing: i64,
    pub(super) exporter_drops: u64,
    pub(super) skipped_records: u64,
}

impl Tally {
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
            undecodable: self.undecodable.report(),
            received: self.received,
            duplicates: self.duplicates,
            reordered: self.reordered,
            missing: self.missing,
            restarts: self.restarts,
            samples_missing: self.samples_missing,
            exporter_drops: self.exporter_drops,
            skipped_records: self.skipped_records,
        }
    }
}
