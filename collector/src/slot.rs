//! The block: what an edge tells its aggregator, numbered, so that nothing is ever added twice.
//!
//! A [`Block`] is one *cut* of an edge: every two seconds, at a batch boundary, everything that was counted
//! since the last cut goes into one block as *additions* to slots. The aggregator applies each number of a
//! spool exactly once; adding is commutative, so late flows and restarts simply add further blocks for the
//! same slot. Account fills blocks, ship carries them, aggregate applies them: this module is all that those
//! stages share beside [`crate::flow`].

mod codec;
mod dropped;
mod facts;
mod interface;
mod kept;
mod lag;
mod stream;

pub(crate) use codec::inflate;
pub use codec::{DecodeError, MAX_BLOCK_BYTES, decode, decode_provisional, encode, encode_provisional};
pub use dropped::{DropReason, Dropped, Lost};
pub use facts::{NameFact, NameOf, RateFact, RateOf, StreamFacts, TemplateFact};
pub use interface::{InterfaceReport, Octets};
pub use kept::KeptFacts;
pub use lag::{LAG_BINS, lag_bin, lag_ms};
pub use stream::{
    Declared, Epoch, Numbering, SequenceUnit, StreamCounts, StreamKey, StreamReport, Waiting, add_reasons,
};

use serde::{Deserialize, Serialize};

/// The built-in profile: one channel a source, with all its flows. No FlowProfile may have this name.
pub const LIVE: &str = "live";

/// The source that counts what belongs to no other; no FlowCollector's source may have this name.
pub const OTHER: &str = "other";

/// A spool's identity: 128 random bits, written when its folder is made.
pub type SpoolId = u128;

/// Flows, packets and bytes; packets and bytes are scaled by the sampling rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Sum of the records' `flows`, never scaled.
    pub flows: u64,
    /// Scaled packets.
    pub packets: u64,
    /// Scaled bytes.
    pub bytes: u64,
}

impl Tally {
    /// Adds another tally; saturates.
    pub fn add(&mut self, other: &Self) {
        self.flows = self.flows.saturating_add(other.flows);
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// What one channel counted from one source: four protocol classes, whose sum is `all`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Protocol 6.
    pub tcp: Tally,
    /// Protocol 17.
    pub udp: Tally,
    /// Protocols 1 and 58.
    pub icmp: Tally,
    /// Every other protocol.
    pub other: Tally,
    /// Event records, which carry no counters and add nothing to the tallies' packets and bytes.
    pub events: u64,
}

impl Counters {
    /// Adds another set of counters; saturates.
    pub fn add(&mut self, other: &Self) {
        self.tcp.add(&other.tcp);
        self.udp.add(&other.udp);
        self.icmp.add(&other.icmp);
        self.other.add(&other.other);
        self.events = self.events.saturating_add(other.events);
    }

    /// The sum of the four classes.
    pub fn all(&self) -> Tally {
        let mut all = self.tcp;
        all.add(&self.udp);
        all.add(&self.icmp);
        all.add(&self.other);
        all
    }

    /// Whether nothing was counted.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

/// A channel that was counted while the block was made, whether anything matched it or not: from this the
/// aggregator tells a zero from a hole.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChannelKey {
    /// `namespace/name` of the FlowProfile.
    pub profile: String,
    /// The channel's name.
    pub channel: String,
}

/// What one channel counted from one source in one slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Index into [`Block::channels`].
    pub channel: u32,
    /// Index into [`Block::sources`].
    pub source: u32,
    /// The counts.
    pub counters: Counters,
}

/// What a block adds to one slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addition {
    /// Unix milliseconds of the slot's start; a multiple of [`Block::slot_ms`].
    pub slot_start_ms: u64,
    /// For how long of the slot the edge was collecting, within this block. Over all blocks of an edge the
    /// parts add up to at most the slot's length.
    pub covered_ms: u32,
    /// Counts; zero rows are left out.
    pub rows: Vec<Row>,
}

/// One of the largest keys of a `top[]` element, with its error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopEntry {
    /// The key as text: an address, a port, a protocol number ...
    pub key: String,
    /// The sum is at least this.
    pub lower: u64,
    /// The sum is at most this.
    pub upper: u64,
}

/// The largest keys of one channel, element and order over one window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopWindow {
    /// Index into [`Block::channels`].
    pub channel: u32,
    /// The element's name, as in `top[].element`.
    pub element: String,
    /// `flows`, `packets` or `bytes`.
    pub order: String,
    /// Unix milliseconds of the window's start.
    pub start_ms: u64,
    /// The window's length.
    pub length_ms: u32,
    /// A key that is not listed has at most this sum.
    pub absent: u64,
    /// The sum over all keys.
    pub total: u64,
    /// The largest first.
    pub entries: Vec<TopEntry>,
}

/// How late one source's records told of their flows: from the flow's start to the record's export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLags {
    /// Index into [`Block::sources`].
    pub source: u32,
    /// Records by [`lag_bin`], in order; those without times are left out.
    pub bins: Vec<(u16, u32)>,
}

/// What one listener's sockets counted since the last block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerReport {
    /// The listener's name.
    pub listener: String,
    /// Datagrams, or messages of TCP connections, read.
    pub datagrams: u64,
    /// Datagrams that the kernel dropped because a receive buffer was full (SO_RXQ_OVFL), by socket; none for TCP.
    pub kernel_drops: Vec<u64>,
    /// TCP connections that were open.
    pub connections: u32,
    /// TCP connections that were closed, by reason.
    pub closed: Vec<(String, u64)>,
    /// Datagrams that belong to no stream, by reason (`wrong_protocol`, `truncated_header` ...).
    pub rejected: Vec<(String, u64)>,
}

impl ListenerReport {
    /// Adds what happened later.
    pub fn add(&mut self, more: &Self) {
        self.datagrams = self.datagrams.saturating_add(more.datagrams);
        add_by_place(&mut self.kernel_drops, &more.kernel_drops);
        self.connections = more.connections;
        add_reasons(&mut self.closed, &more.closed);
        add_reasons(&mut self.rejected, &more.rejected);
    }
}

/// Adds counts that stand in the same place.
pub fn add_by_place(totals: &mut Vec<u64>, more: &[u64]) {
    totals.resize(totals.len().max(more.len()), 0);
    for (total, more) in totals.iter_mut().zip(more) {
        *total = total.saturating_add(*more);
    }
}

/// What became of what an export target was due since the last block: datagrams for each destination, or flows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetCounts {
    /// `namespace/name` of the ExportTarget.
    pub target: String,
    /// Given to the network, or acknowledged where the target does that.
    pub sent: u64,
    /// Not delivered, by reason.
    pub dropped: Vec<(String, u64)>,
}

impl TargetCounts {
    /// Adds what happened later.
    pub fn add(&mut self, more: &Self) {
        self.sent = self.sent.saturating_add(more.sent);
        add_reasons(&mut self.dropped, &more.dropped);
    }
}

/// One cut of an edge.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Whose number `number` is.
    pub spool: SpoolId,
    /// 1, 2, 3 ... without a gap, continuing over restarts; set by the spool.
    pub number: u64,
    /// The first number that this block stands for: `number`, unless the spool merged or gave up blocks
    /// before it. It is applied only when the block before `first` was the last one applied. Set by the spool.
    pub first: u64,
    /// What the spool gave up among `first..number`.
    pub dropped: Dropped,
    /// Which edge: its node name or `--name`; shown to people.
    pub edge: String,
    /// The profiles' generation (a hash of the rendered plan) that counted this block.
    pub generation: u64,
    /// Unix milliseconds when the cut was made.
    pub made_ms: u64,
    /// Slot length; longer than the edge's own where a full spool merged slots.
    pub slot_ms: u32,
    /// Every channel that was counted.
    pub channels: Vec<ChannelKey>,
    /// Names of the sources.
    pub sources: Vec<String>,
    /// At most a few: the slots that the cut touched.
    pub additions: Vec<Addition>,
    /// Windows that closed.
    pub tops: Vec<TopWindow>,
    /// Sources whose records carry times.
    pub lags: Vec<SourceLags>,
    /// Streams on which something came.
    pub streams: Vec<StreamReport>,
    /// Listeners on which something came or was dropped.
    pub listeners: Vec<ListenerReport>,
    /// Streams of which something new is known.
    pub facts: Vec<StreamFacts>,
    /// Export targets for which something was due.
    pub targets: Vec<TargetCounts>,
}

/// The aggregator's answer to a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The last block of that spool that is durable; blocks up to it may be deleted. When this is less than
    /// the number sent minus one, blocks are missing and the spool continues from `last + 1`.
    pub last: u64,
}

/// What was counted since the last cut, sent every second so that a graph moves at once. Never stored: the
/// next block of the spool replaces it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provisional {
    /// Whose it is.
    pub spool: SpoolId,
    /// The number of the last block before it: it is shown only while that block is the newest applied.
    pub after: u64,
    /// As in [`Block`].
    pub channels: Vec<ChannelKey>,
    /// As in [`Block`].
    pub sources: Vec<String>,
    /// As in [`Block`].
    pub slot_ms: u32,
    /// As in [`Block`].
    pub additions: Vec<Addition>,
}
