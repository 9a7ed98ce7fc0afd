//! `/metrics`: what this process counts, and what the aggregator has heard of every edge.

use crate::aggregate::Reader;
use crate::aggregate::view::{EdgeView, ListenerView, StreamView, TargetView};
use crate::slot::Numbering;
use crate::telemetry::{Metric, Metrics, Values};

/// Everything, as text. Reads the store's size: call it where blocking is allowed.
pub(super) fn render(metrics: &Metrics, reader: &Reader) -> Result<String, std::fmt::Error> {
    let mut heard = Values::default();
    heard.set(Metric::BuildInfo, &[env!("CARGO_PKG_VERSION")], 1.0);
    if let Some(bytes) = resident_bytes(&std::fs::read_to_string("/proc/self/status").unwrap_or_default()) {
        heard.set(Metric::ResidentMemory, &[], bytes);
    }
    aggregator(&mut heard, reader);
    listeners(&mut heard, &reader.listeners());
    targets(&mut heard, &reader.targets());
    streams(&mut heard, &reader.streams());
    edges(&mut heard, &reader.edges());
    let mut values = metrics.lock();
    values.take_over(heard);
    let copy = values.clone();
    drop(values);
    copy.render()
}

fn aggregator(values: &mut Values, reader: &Reader) {
    let counts = reader.counts();
    let (series, refused, _) = reader.series_count();
    for (metric, level) in [
        (Metric::Profiles, reader.config().profiles.len() as f64),
        (Metric::Series, series as f64),
        (Metric::StoreBytes, reader.stored_bytes() as f64),
    ] {
        values.set(metric, &[], level);
    }
    for (metric, count) in [
        (Metric::StreamsEvicted, reader.evicted_streams()),
        (Metric::SeriesRefused, refused),
        (Metric::BlocksApplied, counts.applied),
        (Metric::BlocksRepeated, counts.repeated),
        (Metric::BlocksEarly, counts.early),
        (Metric::Checkpoints, counts.checkpoints),
        (Metric::FailedWrites, counts.failed_writes),
        (Metric::DamagedRecords, counts.damaged_records),
    ] {
        values.add(metric, &[], count);
    }
}

fn listeners(values: &mut Values, listeners: &[ListenerView]) {
    for view in listeners {
        let totals = &view.totals;
        let [edge, listener] = [view.edge.as_str(), totals.listener.as_str()];
        values.add(Metric::Datagrams, &[edge, listener], totals.datagrams);
        values.set(Metric::Connections, &[edge, listener], f64::from(totals.connections));
        for (socket, drops) in totals.kernel_drops.iter().enumerate() {
            values.add(Metric::KernelDrops, &[edge, listener, &socket.to_string()], *drops);
        }
        for (reason, count) in &totals.closed {
            values.add(Metric::ConnectionsClosed, &[edge, listener, reason], *count);
        }
        for (reason, count) in &totals.rejected {
            values.add(Metric::RejectedDatagrams, &[edge, listener, reason], *count);
        }
    }
}

fn targets(values: &mut Values, targets: &[TargetView]) {
    for TargetView { edge, totals } in targets {
        values.add(Metric::TargetSent, &[edge, &totals.target], totals.sent);
        for (reason, count) in &totals.dropped {
            values.add(Metric::TargetDropped, &[edge, &totals.target, reason], *count);
        }
    }
}

/// Sums by edge, source and protocol: single exporters stand in `/exporters`, where they are no labels.
fn streams(values: &mut Values, streams: &[StreamView]) {
    for view in streams {
        let labels = [view.edge.as_str(), view.source.as_str(), view.key.protocol.as_str()];
        let totals = &view.totals;
        levels(values, &labels, view);
        for (metric, count) in [
            (Metric::Records, totals.records),
            (Metric::OptionsRecords, totals.options_records),
            (Metric::Templates, totals.templates),
            (Metric::TemplateChanges, totals.template_changes),
            (Metric::TemplateConflicts, totals.template_conflicts),
            (Metric::UnknownTemplateSets, totals.unknown_template_sets),
            (Metric::UncountedSets, totals.uncounted_sets),
            (Metric::UncountedBytes, totals.uncounted_bytes),
            (Metric::Samples, totals.samples),
            (Metric::ExporterDrops, totals.exporter_drops),
            (Metric::SkippedRecords, totals.skipped_records),
        ] {
            values.add(metric, &labels, count);
        }
        let [edge, source, protocol] = labels;
        for (reason, count) in &totals.undecodable {
            values.add(Metric::Undecodable, &[edge, source, protocol, reason], *count);
        }
        for (reason, count) in &totals.faults {
            values.add(Metric::Faults, &[edge, source, protocol, reason], *count);
        }
        let said = &totals.declared;
        for (what, count) in [
            ("ignored_packets", said.ignored_packets),
            ("ignored_bytes", said.ignored_bytes),
            ("not_sent_flows", said.not_sent_flows),
            ("not_sent_packets", said.not_sent_packets),
            ("not_sent_bytes", said.not_sent_bytes),
        ] {
            if count > 0 {
                values.add(Metric::Declared, &[edge, source, protocol, what], count);
            }
        }
    }
}

/// What may fall. Streams whose numbers tell nothing of loss are left out of the balance by sequence number.
fn levels(values: &mut Values, labels: &[&str], view: &StreamView) {
    let totals = &view.totals;
    let received = totals.received.saturating_add_signed(totals.inferred);
    let balance = [
        (Metric::SequenceExpected, totals.expected() as f64),
        (Metric::SequenceReceived, received as f64),
        (Metric::SequenceDuplicates, totals.duplicates as f64),
        (Metric::SequenceMissing, totals.missing as f64),
        (Metric::SequenceReordered, totals.reordered as f64),
    ];
    let judged = view.nonstandard.is_none_or(Numbering::is_judged);
    let all = [
        (Metric::Streams, 1.0),
        (Metric::NonstandardStreams, f64::from(u8::from(view.nonstandard.is_some()))),
        (Metric::RecordsReceived, totals.records_received as f64),
        (Metric::WaitingRecords, view.waiting.records as f64),
        (Metric::WaitingBytes, view.waiting.bytes as f64),
        (Metric::ExporterRestarts, totals.restarts as f64),
        (Metric::SamplesMissing, totals.samples_missing as f64),
    ];
    for (metric, level) in all.into_iter().chain(balance.into_iter().filter(|_| judged)) {
        values.shift(metric, labels, level);
    }
}

/// An edge that was given a new folder has two spools: the later one tells how far it is.
fn edges(values: &mut Values, edges: &[EdgeView]) {
    let mut latest: Vec<&EdgeView> = edges.iter().collect();
    latest.sort_by_key(|view| view.made_ms);
    for view in latest {
        values.set(Metric::BlockNumber, &[&view.edge], view.block as f64);
        values.set(Metric::BlockTime, &[&view.edge], view.made_ms as f64 / 1000.0);
        for (reason, lost) in view.dropped.by_reason() {
            values.add(Metric::SpoolDroppedBlocks, &[&view.edge, reason.name()], lost.blocks);
            values.add(Metric::SpoolDroppedRecords, &[&view.edge, reason.name()], lost.records);
        }
    }
}

/// `VmRSS` of proc(5)'s status, whose kB are KiB.
fn resident_bytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u32>().ok().map(|kib| f64::from(kib) * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes_or_left_out() {
        assert_eq!(resident_bytes("Name:\tweir\nVmRSS:\t   1024 kB\nThreads:\t4\n"), Some(1_048_576.0));
        assert_eq!(resident_bytes("Name:\tweir\n"), None);
        assert!(resident_bytes(&std::fs::read_to_string("/proc/self/status").unwrap()).unwrap() > 1e6);
    }
}
