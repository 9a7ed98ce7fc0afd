//! Series of a profile: what a graph draws.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameters::Parameters;
use super::problem::Problem;
use crate::aggregate::view::{self, Class, Metric, Series, SeriesLine, SeriesQuery, Value};

/// Without `from` the last hour is answered.
const USUAL_SPAN_MS: u64 = 3_600_000;

pub(super) const PARAMETERS: &[&str] =
    &["from", "to", "step", "channels", "sources", "metric", "protocol", "value"];

const METRICS: &[(&str, Metric)] = &[
    ("flows", Metric::Flows),
    ("packets", Metric::Packets),
    ("bytes", Metric::Bytes),
    ("events", Metric::Events),
];
const CLASSES: &[(&str, Class)] = &[
    ("all", Class::All),
    ("tcp", Class::Tcp),
    ("udp", Class::Udp),
    ("icmp", Class::Icmp),
    ("other", Class::Other),
];
const VALUES: &[(&str, Value)] = &[("sum", Value::Sum), ("rate", Value::Rate), ("max", Value::Max)];

/// Series with equal buckets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SeriesAnswer {
    /// Unix ms of the first bucket's start.
    pub from: u64,
    /// Unix ms of the last bucket's end.
    pub to: u64,
    /// Milliseconds of a bucket.
    pub step: u64,
    /// `flows`, `packets`, `bytes`, `events`; for rates `flows/s`, `packets/s`, `bits/s`, `events/s`.
    pub unit: String,
    /// For each bucket, how many milliseconds of it were collected: 0 in a hole.
    pub covered: Vec<u64>,
    /// For each bucket, which of the streams were heard that should have been.
    pub coverage: Coverage,
    /// Milliseconds within which 99 of 100 records come after their flow began, for each of the sources that the
    /// series take: exporters report long flows in steps of their active timeout, and a rate in finer steps is a comb.
    /// Absent where records carry no times, or too few came.
    #[serde(default, rename = "reportedWithin", skip_serializing_if = "Option::is_none")]
    pub reported_within: Option<u64>,
    /// For maxima: over how many milliseconds they are averages.
    #[serde(default, rename = "maximumOf", skip_serializing_if = "Option::is_none")]
    pub maximum_of: Option<u64>,
    /// One a channel (and source, if sources were asked for), in stack order.
    pub series: Vec<Line>,
    /// When a changed filter took effect.
    pub markers: Vec<Marker>,
}

/// The streams of all sources that the series take: one entry a bucket. A stream is expected once it was heard in
/// three slots: in each slot in which it sends, and in those at whose end it has been silent for longer than twice
/// its longest usual silence. After an hour of silence it is given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Coverage {
    /// The most streams that were expected in any slot of the bucket.
    pub expected: Vec<u64>,
    /// That number less the most that were silent in any slot.
    pub present: Vec<u64>,
    /// Share of the expected streams that were silent, over all slots of the bucket: 0 to 1, `null` where none was
    /// expected.
    pub absent: Vec<Option<f64>>,
    /// Share of what was sent that did not arrive, by sequence numbers, each stream in its own unit: 0 to 1, `null`
    /// where nothing came.
    pub missing: Vec<Option<f64>>,
}

/// One series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// The channel.
    pub channel: String,
    /// The source, if sources were asked for; else the line is the sum over all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// One value a bucket: `null` where nothing was collected, 0 where nothing matched.
    pub values: Vec<Option<f64>>,
    /// For maxima: the buckets, counted from 0, whose true maximum may be larger than the value, because something
    /// was added after their minutes had been deleted.
    #[serde(default, rename = "atLeast", skip_serializing_if = "Vec::is_empty")]
    pub at_least: Vec<u32>,
}

/// A channel whose filter changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Marker {
    /// Unix ms.
    pub time: u64,
    /// The channel.
    pub channel: String,
}

/// Reads the question. Which channels, sources and steps there are, the reader knows.
pub(super) fn question(given: &Parameters, profile: String, now_ms: u64) -> Result<SeriesQuery, Problem> {
    let (from_ms, to_ms) = given.window(now_ms, USUAL_SPAN_MS)?;
    Ok(SeriesQuery {
        profile,
        from_ms,
        to_ms,
        step_ms: given.number("step")?,
        channels: given.list("channels")?,
        sources: given.list("sources")?,
        metric: given.choice("metric", METRICS)?,
        class: given.choice("protocol", CLASSES)?,
        value: given.choice("value", VALUES)?,
    })
}

impl SeriesAnswer {
    pub(super) fn new(series: Series, metric: Metric, value: Value) -> Self {
        let line =
            |SeriesLine { channel, source, values, at_least }| Line { channel, source, values, at_least };
        let view::Coverage { expected, present, absent, missing } = series.coverage;
        let marker = |(time, channel)| Marker { time, channel };
        Self {
            from: series.from_ms,
            to: series.to_ms,
            step: series.step_ms,
            unit: unit(metric, value).to_owned(),
            covered: series.covered_ms,
            coverage: Coverage { expected, present, absent, missing },
            reported_within: series.within_ms,
            maximum_of: series.maximum_of_ms,
            series: series.lines.into_iter().map(line).collect(),
            markers: series.markers.into_iter().map(marker).collect(),
        }
    }

    /// How many values it holds.
    pub(super) fn points(&self) -> u64 {
        self.series.iter().map(|line| line.values.len() as u64).sum()
    }
}

fn unit(metric: Metric, value: Value) -> &'static str {
    match (metric, value) {
        (Metric::Flows, Value::Sum) => "flows",
        (Metric::Packets, Value::Sum) => "packets",
        (Metric::Bytes, Value::Sum) => "bytes",
        (Metric::Events, Value::Sum) => "events",
        (Metric::Flows, _) => "flows/s",
        (Metric::Packets, _) => "packets/s",
        (Metric::Bytes, _) => "bits/s",
        (Metric::Events, _) => "events/s",
    }
}
