//! Who sends, and what of it was received, understood and lost: the loss ledger by stream.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::interfaces::Interface;
use super::sources::SourcePace;
use crate::aggregate::view::{EdgeView, ListenerView, StreamView};
use crate::slot::SequenceUnit;

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
    /// Flow records decoded.
    pub records: u64,
    /// Options data records decoded.
    pub options_records: u64,
    /// Template definitions read.
    pub templates: u64,
    /// Data sets that came before their template.
    pub unknown_template_sets: u64,
    /// What could not be decoded, by reason: records where they can be counted, else sets.
    pub undecodable: BTreeMap<String, u64>,
    /// Sequence units received, duplicates included.
    pub received: u64,
    /// Sequence units that the exporter sent: received - duplicates + missing.
    pub expected: i64,
    /// Sequence units received twice.
    pub duplicates: u64,
    /// Datagrams that came after a later one.
    pub reordered: u64,
    /// Sequence units missing between the first and the last datagram seen.
    pub missing: i64,
    /// Times that the exporter started anew; what was lost across a start cannot be known.
    pub restarts: u64,
    /// sFlow: what the agent and its samples tell of its interfaces, by class and index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<Interface>,
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
    /// Blocks that its spool gave up because it was full or could not be written.
    pub dropped_blocks: u64,
    /// Flow records that those blocks had counted: decoded, but in no series.
    pub dropped_records: u64,
}

impl From<StreamView> for Exporter {
    fn from(view: StreamView) -> Self {
        let StreamView { key, totals, interfaces, .. } = view;
        let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
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
            last_seen: view.last_seen_ms,
            sampling_rate: view.sampling_rate,
            rate_unknown: view.rate_unknown,
            clock_skew: view.clock_skew_ms,
            datagrams: totals.datagrams,
            bytes: totals.bytes,
            records: totals.records,
            options_records: totals.options_records,
            templates: totals.templates,
            unknown_template_sets: totals.unknown_template_sets,
            undecodable: totals.undecodable.into_iter().collect(),
            received: totals.received,
            expected: whole(totals.received)
                .saturating_sub(whole(totals.duplicates))
                .saturating_add(totals.missing),
            duplicates: totals.duplicates,
            reordered: totals.reordered,
            missing: totals.missing,
            restarts: totals.restarts,
            interfaces: interfaces.into_iter().map(Interface::from).collect(),
        }
    }
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
            dropped_blocks: view.dropped.blocks,
            dropped_records: view.dropped.records,
        }
    }
}
