//! Who sends, and what of it was received, understood and lost: the loss ledger by stream.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::interfaces::Interface;
use super::sources::SourcePace;
use crate::aggregate::view::{EdgeView, ListenerView, StreamView};
use crate::flow::Protocol;
use crate::slot::{self, Declared, Numbering, SequenceUnit};

/// All streams, listeners and edges that the aggregator has heard of. Counts are sums since it first did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExporterList {
    /// One a stream: an exporter that sends from two ports, or two domains, stands here twice.
    pub exporters: Vec<Exporter>,
    /// What the edges' sockets counted.
    pub listeners: Vec<Listener>,
    /// How far each edge has come.
    pub edges: Vec<Edge>,
    /// How soon each source's exporters tell of flows, where that is known.
    pub sources: Vec<SourcePace>,
}

/// One stream: (listener, source address, source port, version, domain).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exporter {
    /// The listener's name.
    pub listener: String,
    /// The UDP source address.
    pub exporter: String,
    /// The UDP source port.
    pub port: u16,
    /// `netflow5`, `netflow7`, `netflow9`, `ipfix` or `sflow5`.
    pub protocol: String,
    /// Engine type and id, source id, observation domain or sub-agent.
    pub domain: u32,
    /// sFlow's agent address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The edge that takes it.
    pub edge: String,
    /// The FlowCollector source that it maps to.
    pub source: String,
    /// The unit of `received`, `expected`, `duplicates` and `missing`: `flows`, `packets`, `records`, `datagrams`.
    pub unit: String,
    /// What the sequence numbers count: `standard`, `nonstandard (...)`, or `ignored (as configured)`.
    pub sequence: String,
    /// Unix ms of the last datagram.
    pub last_seen: u64,
    /// The last sampling rate: packets stand for this many; absent while unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling_rate: Option<f32>,
    /// The last flows referred to a sampler of which no rate is known: their packets and bytes are not scaled.
    #[serde(default)]
    pub rate_unknown: bool,
    /// Received minus end time of the newest record, in milliseconds; absent where records carry no times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_skew: Option<i64>,
    /// Datagrams received.
    pub datagrams: u64,
    /// Their bytes (UDP payload).
    pub bytes: u64,
    /// Template definitions read.
    pub templates: u64,
    /// Of these, definitions that gave a known number another shape.
    pub template_changes: u64,
    /// Of these, definitions that contradict what another port of the exporter announced under the number: each
    /// port is then read by its own.
    pub template_conflicts: u64,
    /// Data sets that came before their template.
    pub unknown_template_sets: u64,
    /// Data records in the datagrams received (sFlow: samples), duplicates left out, as far as they can be counted:
    /// records + optionsRecords + the sum of undecodable + waiting.records, exactly.
    pub records_received: u64,
    /// Flow records decoded.
    pub records: u64,
    /// Options data records decoded; sFlow: counter samples.
    pub options_records: u64,
    /// Records that could not be decoded, by reason.
    pub undecodable: BTreeMap<String, u64>,
    /// Data that waits for its template now.
    pub waiting: Waiting,
    /// What was wrong with sets, templates, samples and datagrams, by reason: how often, whatever records it cost.
    pub faults: BTreeMap<String, u64>,
    /// Data sets that could not be decoded and whose records cannot be counted.
    pub uncounted_sets: u64,
    /// Their bytes.
    pub uncounted_bytes: u64,
    /// Sequence units received, duplicates included.
    pub received: u64,
    /// Of these, units in sets that could not be read when they came, as the next sequence number told.
    pub inferred: i64,
    /// Sequence units received twice.
    pub duplicates: u64,
    /// Datagrams that came after a later one.
    pub reordered: u64,
    /// Sequence units that the exporter sent between the first and the last datagram of each epoch: received -
    /// duplicates + missing, exactly. Absent where nothing can be told from the numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<i64>,
    /// Sequence units missing between the first and the last datagram of each epoch. Absent where nothing can be
    /// told from the numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<i64>,
    /// The same in records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_records: Option<Missing>,
    /// Times that the exporter started anew; what was lost across a start cannot be known.
    pub restarts: u64,
    /// sFlow: what the agent and its samples tell of its interfaces, by class and index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<Interface>,
    /// The time since the exporter's last start, as far as it was seen.
    pub epoch: Epoch,
    /// sFlow: what the sequence numbers of samples say, by data source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<Samples>,
    /// What the exporter's options data say that it lost itself, since the first that was heard; absent while
    /// nothing. It stands beside the balance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Declared>,
}

/// Data that waits for its template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Waiting {
    /// Records in it, where their messages tell.
    pub records: u64,
    /// Data sets.
    pub sets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A loss in records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Missing {
    /// How many.
    pub records: i64,
    /// The numbers count datagrams: this is their number times the mean of the records received in one.
    pub estimated: bool,
}

/// The balance by sequence number since the exporter's last start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Epoch {
    /// Unix ms of the first datagram.
    pub since: u64,
    /// Sequence units received, duplicates included.
    pub received: i64,
    /// Sequence units received twice.
    pub duplicates: i64,
    /// Sequence units from the first datagram to the last: received - duplicates + missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<i64>,
    /// Sequence units missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<i64>,
}

/// What sFlow tells beside the sequence of its datagrams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Samples {
    /// Numbered flow samples received.
    pub received: u64,
    /// Flow samples that the data sources took between the first and the last received: received + missing.
    pub expected: i64,
    /// Flow samples missing.
    pub missing: i64,
    /// Samples that the agent says it had to drop.
    pub exporter_drops: u64,
    /// Records of formats that Weir does not read, in samples that it decoded.
    pub skipped_records: u64,
}

/// What the sockets of one listener counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// The edge.
    pub edge: String,
    /// The listener's name.
    pub listener: String,
    /// Datagrams read.
    pub datagrams: u64,
    /// Datagrams that the kernel dropped because a receive buffer was full: the known part of what is missing.
    pub kernel_drops: u64,
    /// The same by socket: an exporter's address decides which of a UDP listener's eight it reaches.
    pub socket_drops: Vec<u64>,
    /// TCP connections that are open.
    pub connections: u32,
    /// TCP connections that were closed, by reason.
    pub closed: BTreeMap<String, u64>,
    /// Datagrams that belong to no stream, by reason.
    pub rejected: BTreeMap<String, u64>,
}

/// How far one edge has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// The edge's name.
    pub edge: String,
    /// Its spool, as 32 hex digits.
    pub spool: String,
    /// The number of the last block applied.
    pub block: u64,
    /// Unix ms when that block was made.
    pub made: u64,
    /// The profiles' generation that it counted by, as 16 hex digits.
    pub generation: String,
    /// Blocks that it gave up, because its spool was full, hung or could not be written.
    pub dropped_blocks: u64,
    /// Flow records that those blocks had counted: decoded, but in no series.
    pub dropped_records: u64,
    /// Both by reason: `spool_full`, `disk_refused`, `spool_stalled`, `damaged`, `overlap`, `gap`.
    pub dropped: BTreeMap<String, GivenUp>,
}

/// Blocks that an edge gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GivenUp {
    /// How many.
    pub blocks: u64,
    /// Flow records that they had counted; 0 where that is unknown.
    pub records: u64,
}

impl From<StreamView> for Exporter {
    fn from(view: StreamView) -> Self {
        let judged = view.nonstandard.is_none_or(Numbering::is_judged);
        let epoch = Epoch::of(&view.epoch, judged);
        let (samples, missing_records) = (samples(&view), missing_records(&view, judged));
        let StreamView { key, totals, interfaces, .. } = view;
        Self {
            listener: key.listener,
            exporter: key.exporter.to_string(),
            port: key.port,
            protocol: key.protocol,
            domain: key.domain,
            agent: key.agent.map(|agent| agent.to_string()),
            edge: view.edge,
            source: view.source,
            unit: unit_name(view.unit).to_owned(),
            sequence: view.nonstandard.map_or("standard", Numbering::text).to_owned(),
            last_seen: view.last_seen_ms,
            sampling_rate: view.sampling_rate,
            rate_unknown: view.rate_unknown,
            clock_skew: view.clock_skew_ms,
            datagrams: totals.datagrams,
            bytes: totals.bytes,
            templates: totals.templates,
            template_changes: totals.template_changes,
            template_conflicts: totals.template_conflicts,
            unknown_template_sets: totals.unknown_template_sets,
            records_received: u64::try_from(totals.records_received).unwrap_or(0),
            records: totals.records,
            options_records: totals.options_records,
            waiting: Waiting {
                records: view.waiting.records,
                sets: view.waiting.sets,
                bytes: view.waiting.bytes,
            },
            uncounted_sets: totals.uncounted_sets,
            uncounted_bytes: totals.uncounted_bytes,
            received: totals.received.saturating_add_signed(totals.inferred),
            inferred: totals.inferred,
            duplicates: totals.duplicates,
            reordered: totals.reordered,
            expected: judged.then(|| totals.expected()),
            missing: judged.then_some(totals.missing),
            missing_records,
            restarts: totals.restarts,
            interfaces: interfaces.into_iter().map(Interface::from).collect(),
            epoch,
            samples,
            declared: Some(totals.declared).filter(|declared| !declared.is_zero()),
            undecodable: totals.undecodable.into_iter().collect(),
            faults: totals.faults.into_iter().collect(),
        }
    }
}

impl Epoch {
    fn of(epoch: &slot::Epoch, judged: bool) -> Self {
        Self {
            since: epoch.since_ms,
            received: epoch.received,
            duplicates: epoch.duplicates,
            expected: judged.then(|| epoch.expected()),
            missing: judged.then_some(epoch.missing),
        }
    }
}

fn samples(view: &StreamView) -> Option<Samples> {
    let totals = &view.totals;
    let received = i64::try_from(totals.samples).unwrap_or(i64::MAX);
    (view.key.protocol == Protocol::SFlow5.name()).then_some(Samples {
        received: totals.samples,
        expected: received.saturating_add(totals.samples_missing),
        missing: totals.samples_missing,
        exporter_drops: totals.exporter_drops,
        skipped_records: totals.skipped_records,
    })
}

/// Exact where the numbers count records; where they count datagrams, by the records in those that came.
fn missing_records(view: &StreamView, judged: bool) -> Option<Missing> {
    let totals = &view.totals;
    if !judged {
        return None;
    }
    if matches!(view.unit, SequenceUnit::Flows | SequenceUnit::Records) {
        return Some(Missing { records: totals.missing, estimated: false });
    }
    let came = totals.received.saturating_sub(totals.duplicates).max(1);
    let mean = totals.records_received as f64 / came as f64;
    Some(Missing { records: (totals.missing as f64 * mean).round() as i64, estimated: totals.missing != 0 })
}

fn unit_name(unit: SequenceUnit) -> &'static str {
    match unit {
        SequenceUnit::Flows => "flows",
        SequenceUnit::Packets => "packets",
        SequenceUnit::Records => "records",
        SequenceUnit::Datagrams => "datagrams",
    }
}

impl From<ListenerView> for Listener {
    fn from(view: ListenerView) -> Self {
        Self {
            edge: view.edge,
            listener: view.totals.listener,
            datagrams: view.totals.datagrams,
            kernel_drops: view.totals.kernel_drops.iter().sum(),
            socket_drops: view.totals.kernel_drops,
            connections: view.totals.connections,
            closed: view.totals.closed.into_iter().collect(),
            rejected: view.totals.rejected.into_iter().collect(),
        }
    }
}

impl From<EdgeView> for Edge {
    fn from(view: EdgeView) -> Self {
        Self {
            edge: view.edge,
            spool: view.spool,
            block: view.block,
            made: view.made_ms,
            generation: format!("{:016x}", view.generation),
            dropped_blocks: view.dropped.blocks(),
            dropped_records: view.dropped.records(),
            dropped: view
                .dropped
                .by_reason()
                .map(|(reason, slot::Lost { blocks, records })| {
                    (reason.name().to_owned(), GivenUp { blocks, records })
                })
                .collect(),
        }
    }
}
