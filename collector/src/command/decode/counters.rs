//! What `weir decode` counted: one JSON object, or one sentence.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;

use serde::Serialize;

use super::interfaces::{self, Interface};

use crate::capture::Counts;
use crate::flow::Protocol;
use crate::slot::{Declared, Numbering, SequenceUnit, StreamReport, Waiting};

/// Everything that was counted.
#[derive(Debug)]
pub(super) struct Report {
    /// Records printed.
    pub(super) records: u64,
    /// Records that the filter held back.
    pub(super) filtered: u64,
    pub(super) capture: Counts,
    /// Datagrams of exporters that were not asked for.
    pub(super) other_exporter: u64,
    /// Datagrams of no stream, by reason.
    pub(super) rejected: Vec<(String, u64)>,
    pub(super) streams: Vec<StreamReport>,
}

#[derive(Serialize)]
struct Shown<'a> {
    records: u64,
    filtered: u64,
    capture: Counts,
    other_exporter: u64,
    rejected: BTreeMap<&'a str, u64>,
    streams: Vec<Stream<'a>>,
}

/// A stream with the record's names.
#[derive(Serialize)]
struct Stream<'a> {
    r#type: &'a str,
    exporter: IpAddr,
    exporter_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<IpAddr>,
    domain_id: u32,
    datagrams: u64,
    bytes: u64,
    records_received: i64,
    records: u64,
    options_records: u64,
    undecodable: BTreeMap<&'a str, u64>,
    waiting: Waiting,
    templates: u64,
    template_changes: u64,
    template_conflicts: u64,
    unknown_template_sets: u64,
    faults: BTreeMap<&'a str, u64>,
    uncounted_sets: u64,
    uncounted_bytes: u64,
    sequence: Sequence,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<Samples>,
    /// Lists in records (RFC 6313) that were passed over by their length.
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_data: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    declared: Option<Declared>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sampling_rate: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    rate_unknown: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_skew_ms: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    interfaces: Vec<Interface<'a>>,
}

/// The balance by sequence number; `received` with what was inferred.
#[derive(Serialize)]
struct Sequence {
    unit: SequenceUnit,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonstandard: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<i64>,
    received: i64,
    inferred: i64,
    duplicates: u64,
    reordered: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<i64>,
    restarts: u64,
    next: u32,
}

/// What sFlow says beside the sequence of its datagrams.
#[derive(Serialize)]
struct Samples {
    received: u64,
    missing: i64,
    exporter_drops: u64,
    skipped_records: u64,
}

impl Report {
    /// One JSON object on one line; streams in the order of their keys.
    pub(super) fn json(&self) -> String {
        let mut streams: Vec<&StreamReport> = self.streams.iter().collect();
        streams.sort_by_key(|stream| &stream.key);
        let shown = Shown {
            records: self.records,
            filtered: self.filtered,
            capture: self.capture,
            other_exporter: self.other_exporter,
            rejected: by_reason(&self.rejected),
            streams: streams.into_iter().map(Stream::new).collect(),
        };
        // Numbers, addresses and text: there is nothing that JSON cannot hold.
        serde_json::to_string(&shown).unwrap_or_default()
    }

    /// What happened, and what went wrong, in a sentence for people.
    pub(super) fn summary(&self) -> String {
        let of = |count: fn(&StreamReport) -> u64| self.streams.iter().map(count).sum::<u64>();
        let mut text = format!(
            "{} of {} from {}",
            several(self.records, "record"),
            several(of(|stream| stream.counts.datagrams), "datagram"),
            several(self.streams.len() as u64, "stream"),
        );
        let mut also = |count: u64, what: &str| {
            if count > 0 {
                // Writing to a String cannot fail.
                _ = write!(text, "; {count} {what}");
            }
        };
        let undecodable = |stream: &StreamReport| stream.counts.undecodable.iter().map(|(_, n)| n).sum();
        let missing = |stream: &StreamReport| u64::try_from(stream.counts.missing).unwrap_or(0);
        also(self.filtered, "held back by the filter");
        also(of(|stream| stream.counts.options_records), "options records");
        also(of(|stream| stream.counts.unknown_template_sets), "sets without a template");
        let faults = |stream: &StreamReport| stream.counts.faults.iter().map(|(_, n)| n).sum();
        also(of(undecodable), "not decoded");
        also(of(faults), "faults");
        also(of(missing), "missing by sequence");
        also(self.rejected.iter().map(|(_, count)| count).sum(), "datagrams of no known version");
        also(self.other_exporter, "datagrams of other exporters");
        also(self.capture.cut + self.capture.malformed, "packets cut or malformed");
        also(self.capture.incomplete, "datagrams with missing fragments");
        text.push_str(if text.contains(';') { " (--counters tells more)" } else { "" });
        text
    }
}

impl<'a> Stream<'a> {
    fn new(stream: &'a StreamReport) -> Self {
        let (key, counts) = (&stream.key, &stream.counts);
        Self {
            r#type: &key.protocol,
            exporter: key.exporter,
            exporter_port: key.port,
            agent: key.agent,
            domain_id: key.domain,
            datagrams: counts.datagrams,
            bytes: counts.bytes,
            records_received: counts.records_received,
            records: counts.records,
            options_records: counts.options_records,
            undecodable: by_reason(&counts.undecodable),
            waiting: stream.waiting,
            templates: counts.templates,
            template_changes: counts.template_changes,
            template_conflicts: counts.template_conflicts,
            unknown_template_sets: counts.unknown_template_sets,
            faults: by_reason(&counts.faults),
            uncounted_sets: counts.uncounted_sets,
            uncounted_bytes: counts.uncounted_bytes,
            sequence: Sequence::new(stream),
            structured_data: Some(counts.skipped_records)
                .filter(|count| *count > 0 && key.protocol != Protocol::SFlow5.name()),
            samples: (key.protocol == Protocol::SFlow5.name()).then_some(Samples {
                received: counts.samples,
                missing: counts.samples_missing,
                exporter_drops: counts.exporter_drops,
                skipped_records: counts.skipped_records,
            }),
            declared: (!counts.declared.is_zero()).then_some(counts.declared),
            sampling_rate: stream.sampling_rate.and_then(rate),
            rate_unknown: stream.rate_unknown,
            clock_skew_ms: stream.clock_skew_ms,
            interfaces: interfaces::shown(&stream.interfaces),
        }
    }
}

impl Sequence {
    fn new(stream: &StreamReport) -> Self {
        let counts = &stream.counts;
        let judged = stream.nonstandard.is_none_or(Numbering::is_judged);
        Self {
            unit: stream.unit,
            nonstandard: stream.nonstandard.map(Numbering::text),
            expected: judged.then(|| counts.expected()),
            received: counts.received.cast_signed().saturating_add(counts.inferred),
            inferred: counts.inferred,
            duplicates: counts.duplicates,
            reordered: counts.reordered,
            missing: judged.then_some(counts.missing),
            restarts: counts.restarts,
            next: stream.next_sequence,
        }
    }
}

/// Whole rates without a fraction, as in the records.
fn rate(rate: f32) -> Option<serde_json::Number> {
    let whole = rate.fract() == 0.0 && rate >= 0.0;
    if whole { Some((rate as u64).into()) } else { serde_json::Number::from_f64(rate.into()) }
}

fn by_reason(counted: &[(String, u64)]) -> BTreeMap<&str, u64> {
    let mut sums = BTreeMap::new();
    for (reason, count) in counted {
        *sums.entry(reason.as_str()).or_insert(0) += count;
    }
    sums
}

fn several(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
