//! What edges and the aggregator read: rendered from the kinds, and from nothing else.

pub mod admission;
pub mod cluster;
pub mod duration;
pub mod hot;
mod palette;
pub mod quantity;
mod render;
pub mod selection;
pub mod size;
pub mod target;

pub use render::{
    Fleet, Rendered, SecretUse, Surroundings, Violation, Within, check_collector, check_profile,
    check_target, identity, namespace, render, secrets,
};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use target::TargetConfig;

/// The version tag of both configurations; another one is refused with a message that names both.
pub const CONFIG_VERSION: &str = "weir.dev/config/v1";

/// What a listener takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    /// NetFlow v5, v7, v9 and IPFIX.
    NetFlow,
    /// IPFIX (version 10) alone.
    #[serde(rename = "IPFIX")]
    Ipfix,
    /// sFlow version 5.
    SFlow,
    /// All, told apart by the version word.
    Auto,
}

/// Over what flows come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Transport {
    /// Datagrams.
    #[default]
    #[serde(rename = "UDP")]
    Udp,
    /// Connections, for IPFIX alone (RFC 7011 10.4).
    #[serde(rename = "TCP")]
    Tcp,
}

impl Transport {
    /// As written in YAML.
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }
}

/// A port on which the edge listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListenerConfig {
    /// The name by which sources refer to it.
    pub name: String,
    /// What it takes.
    pub protocol: Protocol,
    /// Datagrams or connections.
    #[serde(default)]
    pub transport: Transport,
    /// The port; 0 lets the system choose (tests).
    pub port: u16,
}

/// Sampling rates that the administrator states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SamplingConfig {
    /// Used where the exporter announces nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<f64>,
    /// Used always.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub override_: Option<f64>,
}

/// What the elements 23 and 24 count (postOctetDeltaCount, postPacketDeltaCount; OUT_BYTES, OUT_PKTS): Post, the
/// same packets behind the observation point, as registered, or Reverse, the packets of the other direction, as
/// nProbe sends them. Absent: Post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OutCounters {
    /// The same packets behind the observation point, as registered.
    #[default]
    Post,
    /// The packets of the other direction.
    Reverse,
}

/// A kind of tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Tunnel {
    /// Generic Routing Encapsulation (RFC 2784).
    #[serde(rename = "GRE")]
    Gre,
    /// RFC 7348.
    #[serde(rename = "VXLAN")]
    Vxlan,
    /// RFC 8926.
    Geneve,
    /// IPv4 or IPv6 that follows an IPv4 or IPv6 header at once (RFC 2003, 2473, 4213).
    #[serde(rename = "IPIP")]
    Ipip,
    /// What follows a segment routing header (RFC 8754, 8986).
    SRv6,
}

/// What the sequence numbers of these exporters count: Protocol (what the protocol says, whatever the numbers look
/// like), Packets, Flows, Records (options data included), AllRecords (templates too), LastFlow (v5: the number of a
/// datagram's last flow) or Ignore (they tell nothing of loss). Absent: what the protocol says, until 100 datagrams in
/// a row show something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Sequence {
    /// What the protocol says, whatever the numbers look like: flows in v5 and v7, packets in v9, data records in
    /// IPFIX, datagrams in sFlow.
    Protocol,
    /// Export packets: by one a datagram.
    Packets,
    /// Flow records, without options data.
    Flows,
    /// Data records, options data included.
    Records,
    /// Data records and templates.
    AllRecords,
    /// Flows, and the number is that of a datagram's last flow, not of its first; for v5.
    LastFlow,
    /// Nothing that tells of loss: expected and missing are left out.
    Ignore,
}

/// Exporters by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceConfig {
    /// The source's name: `ident` in filters.
    pub name: String,
    /// Names of listeners; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<String>,
    /// Exporter addresses; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<IpNet>,
    /// Stated sampling rates.
    #[serde(default)]
    pub sampling: SamplingConfig,
    /// What the elements 23 and 24 count.
    #[serde(default)]
    pub out_counters: OutCounters,
    /// Tunnels whose content takes the place of the packet that carries it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decapsulate: Vec<Tunnel>,
    /// What their sequence numbers count; none: what the protocol says, or what the numbers show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// `#RRGGBB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
}

/// Side of the axis on which a channel is drawn: `+` above, `-` below; both in quotes. Absent: above.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Sign {
    /// Above.
    #[default]
    #[serde(rename = "+")]
    Plus,
    /// Below.
    #[serde(rename = "-")]
    Minus,
}

/// One channel of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChannelConfig {
    /// Unique in its profile.
    pub name: String,
    /// An nfdump filter that [`crate::filter::check`] accepted; empty: every flow.
    pub filter: String,
    /// Names of sources; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Side of the axis.
    #[serde(default)]
    pub sign: Sign,
    /// `#RRGGBB`; never empty once rendered.
    pub color: String,
    /// Place in the stack, 1 first.
    pub order: u32,
}

/// A top-N table that a profile keeps for each channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TopConfig {
    /// nfdump's name of the element: `srcip`, `dstport`, `proto` ...
    pub element: String,
    /// By what is ranked: `flows`, `packets`, `bytes`.
    pub orders: Vec<TopOrder>,
    /// How many rows are kept.
    pub size: u32,
}

/// By what a top-N table is ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TopOrder {
    /// Number of flows.
    Flows,
    /// Scaled packets.
    Packets,
    /// Scaled bytes.
    Bytes,
}

impl TopOrder {
    /// As written in YAML and in questions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flows => "flows",
            Self::Packets => "packets",
            Self::Bytes => "bytes",
        }
    }
}

/// One profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileConfig {
    /// `namespace/name`.
    pub name: String,
    /// Shown to people; the name when the object gives none.
    pub display_name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The group under which it is listed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// In stack order.
    pub channels: Vec<ChannelConfig>,
    /// Top-N tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<TopConfig>,
}

/// How an edge receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReceiveConfig {
    /// Threads, 1 to 8.
    pub workers: u8,
    /// What each socket's receive buffer is asked to be, in bytes.
    pub buffer: u32,
}

impl Default for ReceiveConfig {
    fn default() -> Self {
        Self { workers: 1, buffer: 64 << 20 }
    }
}

/// What an edge reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EdgeConfig {
    /// [`CONFIG_VERSION`].
    pub version: String,
    /// `namespace/name` of the FlowCollector.
    pub collector: String,
    /// Length of an accounting slot in milliseconds; divides 60,000.
    pub slot_ms: u32,
    /// Needs a restart when changed.
    #[serde(default)]
    pub receive: ReceiveConfig,
    /// Needs a restart when changed.
    pub listeners: Vec<ListenerConfig>,
    /// Applied at the next cut.
    pub sources: Vec<SourceConfig>,
    /// Applied at the next cut.
    pub profiles: Vec<ProfileConfig>,
    /// Where data goes beside the aggregator. Applied at the next cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetConfig>,
}

/// How long a resolution is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetentionConfig {
    /// Milliseconds of a bucket: the slot length, 60,000, 300,000, 3,600,000 or 86,400,000.
    pub step_ms: u64,
    /// Milliseconds for which buckets are kept.
    pub keep_ms: u64,
}

/// What an aggregator reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AggregatorConfig {
    /// [`CONFIG_VERSION`].
    pub version: String,
    /// `namespace/name` of the FlowCollector.
    pub collector: String,
    /// Length of an accounting slot in milliseconds.
    pub slot_ms: u32,
    /// From the finest to the coarsest; every step of [`RetentionConfig::step_ms`] once.
    pub retention: Vec<RetentionConfig>,
    /// Folder of the store; none: the program's `--data` or its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_path: Option<String>,
    /// Names and colors of the sources, for the profile `live`.
    pub sources: Vec<SourceConfig>,
    /// To show and to keep; in the order in which they are listed.
    pub profiles: Vec<ProfileConfig>,
}
