//! What the aggregator tells: plain answers that [`Reader`](super::Reader) gives and `serve` turns into HTTP.

use serde::Serialize;

pub use super::Tick;
pub use super::fleet::{FleetView, NodeView};
pub use super::read::ReadError;
use crate::slot::{Epoch, InterfaceReport, Numbering, StreamCounts, StreamFacts, StreamKey, Waiting};

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Number of flows.
    Flows,
    /// Scaled packets.
    Packets,
    /// Scaled bytes; as a rate, bits per second.
    Bytes,
    /// Event records.
    Events,
}

/// Which protocols count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the classes of semantics")]
pub enum Class {
    All,
    Tcp,
    Udp,
    Icmp,
    Other,
}

/// Sums, or sums divided by covered seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "said above")]
pub enum Value {
    Sum,
    Rate,
    /// The largest average rate in the bucket: of one minute, or without a stated step of as long as the sources
    /// take to report; only at steps of a minute and more.
    Max,
}

/// A question for series.
#[derive(Clone, Debug)]
pub struct SeriesQuery {
    /// `namespace/name`, or `live`.
    pub profile: String,
    /// Unix ms, rounded down to a step.
    pub from_ms: u64,
    /// Unix ms, rounded up to a step, exclusive.
    pub to_ms: u64,
    /// Milliseconds of a point; none: the finest that keeps to about 1,000 points.
    pub step_ms: Option<u64>,
    /// Channel names; empty: all.
    pub channels: Vec<String>,
    /// Source names; empty: all sources together as one series a channel.
    pub sources: Vec<String>,
    /// What is drawn.
    pub metric: Metric,
    /// Which protocols.
    pub class: Class,
    /// Sum, rate or maximum.
    pub value: Value,
}

/// One line of a graph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeriesLine {
    /// The channel.
    pub channel: String,
    /// The source, when sources were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// One value a step; `None` where nothing was collected, 0 where nothing matched.
    pub values: Vec<Option<f64>>,
    /// Indexes of maxima that may be larger in truth: something came after the slots had been deleted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub at_least: Vec<u32>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// First bucket's start, Unix ms.
    pub from_ms: u64,
    /// Last bucket's end.
    pub to_ms: u64,
    /// Milliseconds of a bucket.
    pub step_ms: u64,
    /// For each bucket, how much of it was collected: what a rate divides by (the longest over the lines);
    /// 0 in a hole, and less than `step_ms` in the bucket that is still open. From this a reader of sums
    /// gets rates and averages over any span without asking again.
    pub covered_ms: Vec<u64>,
    /// Which streams were heard, of the sources that the lines take.
    pub coverage: Coverage,
    /// Milliseconds within which 99 of 100 records come after their flow began, for each of the sources that the
    /// lines take: a rate in finer steps is a comb. `None` where records carry no times, or too few came.
    pub within_ms: Option<u64>,
    /// For maxima, over what they are averages, in milliseconds.
    pub maximum_of_ms: Option<u64>,
    /// One a channel (and source), in the profile's order.
    pub lines: Vec<SeriesLine>,
    /// Times at which a changed filter took effect: (Unix ms, channel).
    pub markers: Vec<(u64, String)>,
}

/// For each bucket, the streams that should have been heard. A stream is expected once it was heard in three
/// slots: in every slot in which it sends, and in those at whose end it has been silent for longer than twice its
/// longest usual silence (at least a slot). It is given up after an hour.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    /// The most streams expected in any slot of the bucket.
    pub expected: Vec<u64>,
    /// That number less the most that were silent in any slot.
    pub present: Vec<u64>,
    /// Share of the expected streams that were silent, over all slots; `None` where none was expected.
    pub absent: Vec<Option<f64>>,
    /// Share of the sequence units that did not arrive, each stream in its own unit; `None` where none came.
    pub missing: Vec<Option<f64>>,
}

/// A question for a top-N table.
#[derive(Clone, Debug)]
pub struct TopQuery {
    /// `namespace/name`.
    pub profile: String,
    /// The channel.
    pub channel: String,
    /// The element, as in `top[].element`.
    pub element: String,
    /// `flows`, `packets` or `bytes`.
    pub order: String,
    /// Unix ms.
    pub from_ms: u64,
    /// Unix ms, exclusive.
    pub to_ms: u64,
    /// How many rows.
    pub limit: usize,
}

/// One row of a top-N table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TopRow {
    /// The key as text.
    pub key: String,
    /// The sum is at least this.
    pub lower: u64,
    /// The sum is at most this.
    pub upper: u64,
}

/// A top-N table.
#[derive(Clone, Debug, PartialEq)]
pub struct TopTable {
    /// Start of the first window used, Unix ms.
    pub from_ms: u64,
    /// End of the last one.
    pub to_ms: u64,
    /// By `upper`, then `lower`, the largest first.
    pub rows: Vec<TopRow>,
    /// A key that is not listed has at most this sum.
    pub absent: u64,
    /// The sum over all keys.
    pub total: u64,
    /// Whether the bounds separate the ranks.
    pub exact: bool,
}

/// One stream and everything that is known of its loss, since the aggregator first heard of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamView {
    /// Which stream.
    pub key: StreamKey,
    /// The edge that took it.
    pub edge: String,
    /// The FlowCollector source.
    pub source: String,
    /// The unit of the sequence.
    pub unit: crate::slot::SequenceUnit,
    /// What the numbers count, where that is not the protocol's own unit.
    pub nonstandard: Option<Numbering>,
    /// Unix ms.
    pub last_seen_ms: u64,
    /// When known.
    pub sampling_rate: Option<f32>,
    /// The last flows referred to a sampler of which no rate is known.
    pub rate_unknown: bool,
    /// When known.
    pub clock_skew_ms: Option<i64>,
    /// sFlow: what is known of its interfaces, by class and index.
    pub interfaces: Vec<InterfaceReport>,
    /// The current epoch.
    pub epoch: Epoch,
    /// What waits for its template.
    pub waiting: Waiting,
    /// Sums of all blocks.
    pub totals: StreamCounts,
}

/// What one stream taught.
#[derive(Clone, Debug, PartialEq)]
pub struct FactsView {
    /// The edge that took it.
    pub edge: String,
    /// Its templates, rates and names.
    pub facts: StreamFacts,
}

/// One listener of one edge, summed over all blocks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListenerView {
    /// The edge.
    pub edge: String,
    /// Sums of all blocks, under the listener's name.
    pub totals: crate::slot::ListenerReport,
}

/// One export target at one edge, summed over all blocks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetView {
    /// The edge.
    pub edge: String,
    /// Sums of all blocks, under the target's name.
    pub totals: crate::slot::TargetCounts,
}

/// How far one edge has come.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EdgeView {
    /// The edge's name.
    pub edge: String,
    /// Its spool, as 32 hex digits.
    pub spool: String,
    /// The last block applied.
    pub block: u64,
    /// Unix ms when that block was made.
    pub made_ms: u64,
    /// The profiles' generation that it ran.
    pub generation: u64,
    /// What its spool gave up, in all.
    pub dropped: crate::slot::Dropped,
}

/// What a profile occupies at the aggregator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfileUsage {
    /// Unix ms of the first bucket.
    pub start_ms: Option<u64>,
    /// Unix ms of the end of the last one.
    pub end_ms: Option<u64>,
    /// Bytes of its series on disk.
    pub bytes: u64,
    /// The same for each channel that has any: (channel, first, end).
    pub channels: Vec<(String, u64, u64)>,
}
