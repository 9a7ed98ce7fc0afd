//! What a block says of a stream: who it is, and its part of the loss ledger.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::InterfaceReport;

/// The unit of a stream's sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SequenceUnit {
    /// NetFlow v5 and v7.
    Flows,
    /// NetFlow v9.
    Packets,
    /// IPFIX: data records, options data included.
    Records,
    /// sFlow.
    Datagrams,
}

/// Who a stream is (semantics: "Streams").
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StreamKey {
    /// The listener's name.
    pub listener: String,
    /// The exporter's UDP source address.
    pub exporter: IpAddr,
    /// Its UDP source port.
    pub port: u16,
    /// `netflow5`, `netflow7`, `netflow9`, `ipfix` or `sflow5`.
    pub protocol: String,
    /// Engine type and id, source id, observation domain or sub-agent.
    pub domain: u32,
    /// sFlow's agent address.
    pub agent: Option<IpAddr>,
}

/// What a stream's sequence numbers count where that is not its protocol's own unit, or why nothing can be told
/// from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Numbering {
    /// Each datagram steps by one.
    Packets,
    /// By the flow records before it, options data left out.
    Flows,
    /// By the data records before it, options data included.
    Records,
    /// By the records before it, templates included.
    AllRecords,
    /// The number is that of a datagram's last flow, not of its first (Open vSwitch's NetFlow v5).
    LastFlow,
    /// It stands still.
    Still,
    /// sFlow: it has gaps in which no sample is missing.
    Contradicted,
    /// The FlowCollector says not to look at it.
    Ignored,
    /// By the records of all domains of the exporter's port (Open vSwitch's IPFIX): they are counted together, on
    /// this stream.
    Shared,
    /// The same, counted on the stream of another domain.
    Elsewhere,
}

impl Numbering {
    /// Whether loss can be told from the numbers.
    pub fn is_judged(self) -> bool {
        !matches!(self, Self::Still | Self::Contradicted | Self::Ignored | Self::Elsewhere)
    }

    /// As people read it in the ledger.
    pub fn text(self) -> &'static str {
        match self {
            Self::Packets => "nonstandard (counts packets)",
            Self::Flows => "nonstandard (counts flows)",
            Self::Records => "nonstandard (counts records)",
            Self::AllRecords => "nonstandard (counts templates too)",
            Self::LastFlow => "nonstandard (number of the last flow)",
            Self::Still => "nonstandard (stands still)",
            Self::Contradicted => "nonstandard (gaps that the samples contradict)",
            Self::Ignored => "ignored (as configured)",
            Self::Shared => "nonstandard (one sequence over all domains)",
            Self::Elsewhere => "nonstandard (counted with another domain)",
        }
    }
}

/// What happened on one stream since the last block: differences, so that adding them up is idempotent with
/// the block.
///
/// Two balances hold, each in its own unit. By sequence number:
/// expected = `received` + `inferred` - `duplicates` + `missing`. In records, whatever the numbers count:
/// `records_received` = `records` + `options_records` + the sum of `undecodable` + [`StreamReport::waiting`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamCounts {
    /// Datagrams that belong to the stream.
    pub datagrams: u64,
    /// Their bytes (UDP payload).
    pub bytes: u64,
    /// Flow records decoded.
    pub records: u64,
    /// Options data records decoded; sFlow: counter samples.
    pub options_records: u64,
    /// Template definitions read, options templates included.
    pub templates: u64,
    /// Template definitions that gave a known number another shape.
    pub template_changes: u64,
    /// Template definitions that contradict what another port of the domain announced under the number.
    pub template_conflicts: u64,
    /// Data sets for which no template was known when they came: perhaps decoded later.
    pub unknown_template_sets: u64,
    /// Data records (sFlow: samples) in the datagrams received, as far as they can be counted, duplicates left
    /// out. Falls when a template shows that fewer were in a set than its message had led to expect.
    pub records_received: i64,
    /// Records that could not be decoded, by reason.
    pub undecodable: Vec<(String, u64)>,
    /// What was wrong with sets, templates, samples and datagrams, by reason: how often, whatever records it cost.
    pub faults: Vec<(String, u64)>,
    /// Data sets that could not be decoded and whose records cannot be counted.
    pub uncounted_sets: u64,
    /// Their bytes.
    pub uncounted_bytes: u64,
    /// Sequence units received and counted, duplicates included.
    pub received: u64,
    /// Sequence units received in sets that could not be read when they came, as the next number tells. Falls when
    /// their template shows that some of them were lost.
    pub inferred: i64,
    /// Sequence units received twice.
    pub duplicates: u64,
    /// Datagrams that came after a later one.
    pub reordered: u64,
    /// Sequence units missing. Negative when a late datagram fills a gap that an earlier block reported.
    pub missing: i64,
    /// Times the exporter started anew.
    pub restarts: u64,
    /// sFlow: numbered flow samples received.
    pub samples: u64,
    /// sFlow: flow samples missing by the sequence numbers of the data sources that took them.
    pub samples_missing: i64,
    /// What the exporter says that it lost itself: sFlow's `drops`, in samples.
    pub exporter_drops: u64,
    /// What was passed over by its length in records and samples that were decoded: sFlow records of formats that
    /// Weir does not read, IPFIX structured data (RFC 6313).
    pub skipped_records: u64,
    /// What the exporter's options data say that it lost itself.
    pub declared: Declared,
}

/// What an exporter says that it lost itself (RFC 7011, 4.2 and 4.3): growth of its totals since the first that
/// was heard. Elements 164 to 168.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Declared {
    /// Packets that it saw and did not meter (164).
    pub ignored_packets: u64,
    /// Their bytes (165).
    pub ignored_bytes: u64,
    /// Flows that it metered and did not send (166).
    pub not_sent_flows: u64,
    /// Their packets (167).
    pub not_sent_packets: u64,
    /// Their bytes (168).
    pub not_sent_bytes: u64,
}

impl Declared {
    /// Adds what was declared later; saturates.
    pub fn add(&mut self, more: &Self) {
        let add = |total: &mut u64, more: u64| *total = total.saturating_add(more);
        add(&mut self.ignored_packets, more.ignored_packets);
        add(&mut self.ignored_bytes, more.ignored_bytes);
        add(&mut self.not_sent_flows, more.not_sent_flows);
        add(&mut self.not_sent_packets, more.not_sent_packets);
        add(&mut self.not_sent_bytes, more.not_sent_bytes);
    }

    /// Whether nothing was declared lost.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

impl StreamCounts {
    /// Adds what happened later; saturates.
    pub fn add(&mut self, more: &Self) {
        let add = |total: &mut u64, more: u64| *total = total.saturating_add(more);
        add(&mut self.datagrams, more.datagrams);
        add(&mut self.bytes, more.bytes);
        add(&mut self.records, more.records);
        add(&mut self.options_records, more.options_records);
        add(&mut self.templates, more.templates);
        add(&mut self.template_changes, more.template_changes);
        add(&mut self.template_conflicts, more.template_conflicts);
        add(&mut self.unknown_template_sets, more.unknown_template_sets);
        add(&mut self.uncounted_sets, more.uncounted_sets);
        add(&mut self.uncounted_bytes, more.uncounted_bytes);
        add(&mut self.received, more.received);
        add(&mut self.duplicates, more.duplicates);
        add(&mut self.reordered, more.reordered);
        add(&mut self.restarts, more.restarts);
        add(&mut self.samples, more.samples);
        add(&mut self.exporter_drops, more.exporter_drops);
        add(&mut self.skipped_records, more.skipped_records);
        self.declared.add(&more.declared);
        self.records_received = self.records_received.saturating_add(more.records_received);
        self.inferred = self.inferred.saturating_add(more.inferred);
        self.samples_missing = self.samples_missing.saturating_add(more.samples_missing);
        self.missing = self.missing.saturating_add(more.missing);
        add_reasons(&mut self.undecodable, &more.undecodable);
        add_reasons(&mut self.faults, &more.faults);
    }

    /// Sequence units that the exporter sent between the first and the last datagram of each epoch.
    pub fn expected(&self) -> i64 {
        let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        whole(self.received)
            .saturating_add(self.inferred)
            .saturating_sub(whole(self.duplicates))
            .saturating_add(self.missing)
    }

    /// Forgets what was counted by sequence number: the numbers turned out to mean something else.
    fn forget_sequence(&mut self) {
        (self.received, self.inferred, self.duplicates) = (0, 0, 0);
        (self.reordered, self.missing, self.restarts) = (0, 0, 0);
    }
}

/// Adds counts by reason. Reasons come from fixed tables of the decoder, so that the list stays short.
pub fn add_reasons(totals: &mut Vec<(String, u64)>, more: &[(String, u64)]) {
    for (reason, count) in more {
        match totals.iter_mut().find(|(name, _)| name == reason) {
            Some((_, total)) => *total = total.saturating_add(*count),
            None => totals.push((reason.clone(), *count)),
        }
    }
}

/// The balance of one epoch: the time from one start of the exporter to the next. Sums, not differences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Unix milliseconds of its first datagram.
    pub since_ms: u64,
    /// Its first sequence number.
    pub first: u32,
    /// As in [`StreamCounts`], with `inferred`.
    pub received: i64,
    /// As in [`StreamCounts`].
    pub duplicates: i64,
    /// As in [`StreamCounts`].
    pub missing: i64,
}

impl Epoch {
    /// Sequence units from the first number to the next one expected.
    pub fn expected(&self) -> i64 {
        self.received.saturating_sub(self.duplicates).saturating_add(self.missing)
    }
}

/// Data that waits for its template. A state, not a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Records in them, where their messages tell.
    pub records: u64,
    /// Data sets.
    pub sets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Waiting {
    /// So many of the records wait no longer.
    pub fn take(&mut self, records: u32) {
        self.records = self.records.saturating_sub(records.into());
    }
}

/// A stream's report in a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamReport {
    /// Which stream.
    pub key: StreamKey,
    /// The FlowCollector source that it maps to.
    pub source: String,
    /// The unit of `received`, `inferred`, `duplicates` and `missing`.
    pub unit: SequenceUnit,
    /// What the numbers count instead of the protocol's own unit. When it changes, what was counted by sequence
    /// number before is void.
    pub nonstandard: Option<Numbering>,
    /// Unix milliseconds of the first datagram since the last block.
    pub first_seen_ms: u64,
    /// Unix milliseconds of the last datagram.
    pub last_seen_ms: u64,
    /// The last sampling rate seen, when one is known.
    pub sampling_rate: Option<f32>,
    /// The last flows referred to a sampler of which no rate is known.
    pub rate_unknown: bool,
    /// sFlow: interfaces of which something new is known.
    pub interfaces: Vec<InterfaceReport>,
    /// Received minus end time of the newest record, in ms, when records carry times.
    pub clock_skew_ms: Option<i64>,
    /// The next sequence number expected: the watermark from which loss is told after a restart of the edge.
    pub next_sequence: u32,
    /// The current epoch.
    pub epoch: Epoch,
    /// What waits for its template now.
    pub waiting: Waiting,
    /// What happened since the last block.
    pub counts: StreamCounts,
}

impl StreamReport {
    /// Adds this report to the totals of those before it, whose numbering was `before`.
    pub fn add_to(&self, totals: &mut StreamCounts, before: Option<Numbering>) {
        if before != self.nonstandard {
            totals.forget_sequence();
        }
        totals.add(&self.counts);
    }
}
