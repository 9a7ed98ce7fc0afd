//! FlowCollector: one fleet of edges and its aggregator.
//!
//! No field has a default in the schema: what is absent is said in the field's text and filled in by
//! [`crate::config::render`], so that a GitOps tool never sees a difference that it did not make.

#![allow(unreachable_pub, reason = "KubeSchema's derive repeats the types inside a function")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{OutCounters, Protocol, Sequence, Transport, Tunnel};
use crate::limits::{NAME_LENGTH_RULE, NAME_RULE, label_selector};

/// Collects NetFlow, IPFIX and sFlow: which ports listen, which exporters send, how long series are kept.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "weir.dev",
    version = "v1alpha1",
    kind = "FlowCollector",
    plural = "flowcollectors",
    shortname = "wfc",
    category = "weir",
    namespaced,
    cel,
    derive = "Default",
    derive = "PartialEq",
    doc = "A FlowCollector takes NetFlow, IPFIX and sFlow from routers, switches and hosts, counts what the profiles ask for, and keeps the counts.",
    validation = Rule::new(NAME_RULE).message("metadata.name must be lower case letters, digits and dashes, and start with a letter: zone1-collector"),
    validation = Rule::new(NAME_LENGTH_RULE).message("metadata.name must have at most 40 characters"),
    printcolumn(json_path = ".spec.slotLength", name = "Slot", type_ = "string"),
    printcolumn(json_path = ".metadata.creationTimestamp", name = "Age", type_ = "date")
)]
#[serde(rename_all = "camelCase")]
pub struct FlowCollectorSpec {
    /// Ports on which flows are taken. Absent: `netflow` 2055 (NetFlow), `ipfix` 4739 (IPFIX), `sflow`
    /// 6343 (SFlow) and `any` 9996 (Auto). A change needs a restart of the edges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = Rule::new("self.all(a, self.exists_one(b, b.port == a.port && (has(b.transport) ? b.transport : 'UDP') == (has(a.transport) ? a.transport : 'UDP')))").message("each port stands once for each transport: two listeners cannot share one")
    )]
    pub listeners: Vec<Listener>,

    /// Exporters by name. A flow has exactly one source: the longest matching prefix wins, then a source with
    /// listener and prefix over one with the prefix alone, then one with the listener alone. Two sources that
    /// match equally well are an error. An exporter that no source matches becomes a source named by its
    /// address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub sources: Vec<Source>,

    /// Time over which flows are added up into one point: 1s to 60s, a divisor of a minute. Absent: 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), regex(pattern = r"^[0-9]+(s|m|h|d|w|y)$"))]
    #[x_kube(validation = Rule::new("self in ['1s', '2s', '3s', '4s', '5s', '6s', '10s', '12s', '15s', '20s', '30s', '60s', '1m']").message("slotLength must divide a minute: 1s, 2s, 3s, 4s, 5s, 6s, 10s, 12s, 15s, 20s, 30s or 60s"))]
    pub slot_length: Option<String>,

    /// The edges: how they receive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<Edge>,

    /// The aggregator: where it keeps the series, and for how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregator: Option<Aggregator>,

    /// Which FlowProfiles of this namespace run here, by label. Absent: all of them. A profile with a
    /// collectorRef follows that instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "label_selector")]
    pub profile_selector: Option<LabelSelector>,
}

/// A port on which the edge listens, over IPv4 and IPv6.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.transport) || self.transport != 'TCP' || self.protocol == 'IPFIX'").message("only IPFIX comes over TCP: use protocol IPFIX, or transport UDP")
)]
pub struct Listener {
    /// The name by which sources refer to it: lower case letters, digits and dashes, at most 15 characters.
    #[schemars(length(min = 1, max = 15), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,

    /// What it takes: NetFlow (v5, v7, v9 and IPFIX), IPFIX alone, SFlow (version 5), or Auto (all of them, told
    /// apart by the version word). Anything else that arrives is counted as wrong_protocol.
    pub protocol: Protocol,

    /// UDP, or TCP for IPFIX (RFC 7011 10.4). Absent: UDP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,

    /// Port to listen on.
    #[schemars(range(min = 1, max = 65535), extend("format" = "int32"))]
    pub port: u16,
}

/// How an edge receives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// Threads that receive and count, 1 to 8. An exporter always stays with one of them; more than the machine has
    /// processors gain nothing. Absent: 1. A change needs a restart of the edges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 8), extend("format" = "int32"))]
    pub workers: Option<u8>,

    /// Receive buffer that each of a listener's eight sockets asks for: a quantity from 64Ki to 1Gi. Without the
    /// right to more (CAP_NET_ADMIN) the kernel gives at most net.core.rmem_max, and the log says so. Absent: 64Mi.
    /// A change needs a restart of the edges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 12), regex(pattern = r"^[0-9]+(k|M|G|Ki|Mi|Gi)?$"))]
    pub receive_buffer: Option<String>,
}

/// Exporters by name, recognized by the listener they send to, by their UDP source address, or by both.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.listeners) && size(self.listeners) > 0) || (has(self.prefixes) && size(self.prefixes) > 0)").message("a source needs listeners, prefixes or both")
)]
pub struct Source {
    /// The source's name: `ident` in filters. It starts with a letter; `other` is reserved for exporters beyond
    /// the number that is told apart.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"))]
    #[x_kube(validation = Rule::new("self != 'other'").message("other is a reserved name; choose another one"))]
    pub name: String,

    /// Names of listeners to which these exporters send. Absent: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 15)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub listeners: Vec<String>,

    /// Addresses of the exporters in CIDR form, such as 192.0.2.1/32 or 2001:db8::/48. Absent: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 43)))]
    #[x_kube(
        merge_strategy = ListMerge::Set,
        validation = Rule::new("self.all(p, isCIDR(p))").message("each prefix must be an address and a length: 192.0.2.1/32, 192.0.2.0/24 or 2001:db8::/48"),
        validation = Rule::new("self.all(p, !isCIDR(p) || cidr(p) == cidr(p).masked())").message("each prefix must have no bits set past its length: 192.0.2.0/24, not 192.0.2.1/24")
    )]
    pub prefixes: Vec<String>,

    /// Sampling rates that the administrator states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,

    /// What the elements 23 and 24 count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_counters: Option<OutCounters>,

    /// Tunnels whose content counts as the flow, where the exporter samples packet headers (sFlow, IPFIX 315):
    /// addresses, protocol and ports are those of the carried packet, and the tunnel's own stand in `tun_src_addr`,
    /// `tun_dst_addr` and `tun_proto`. Bytes stay what the link carried. IPIP is any IP packet in an IP packet,
    /// SRv6 one behind a segment routing header. Absent: none; the carried packet stands in the `inner_` fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub decapsulate: Vec<Tunnel>,

    /// What the sequence numbers of these exporters count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,

    /// Color on graphs as #RRGGBB. Absent: one from the palette, by position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 7, max = 7), regex(pattern = r"^#[0-9A-Fa-f]{6}$"))]
    pub color: Option<String>,
}

/// Sampling rates: 1000 means that one packet of 1,000 was looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sampling {
    /// Used where the exporter announces no rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub default: Option<f64>,

    /// Used always, whatever the exporter announces.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub override_: Option<f64>,
}

/// Where the aggregator keeps the series, and for how long.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Aggregator {
    /// How long each resolution is kept. A step that is not listed keeps its default: slot 48h, 1m 14d, 5m 400d,
    /// 1h 3y, 1d 10y.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["step".into()]))]
    pub retention: Vec<Retention>,

    /// Where the series are stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
}

/// How long one resolution is kept.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// The resolution: slot (the slotLength), 1m, 5m, 1h or 1d.
    pub step: Step,

    /// How long points of this step are kept: a number and s, m, h, d, w or y (365 days). At least an hour and
    /// at least two steps.
    #[schemars(length(min = 2, max = 10), regex(pattern = r"^[0-9]+(s|m|h|d|w|y)$"))]
    pub keep: String,
}

/// A resolution of the stored series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Step {
    /// One slot.
    #[serde(rename = "slot")]
    Slot,
    /// One minute.
    #[serde(rename = "1m")]
    Minute,
    /// Five minutes.
    #[serde(rename = "5m")]
    FiveMinutes,
    /// One hour.
    #[serde(rename = "1h")]
    Hour,
    /// One day, UTC.
    #[serde(rename = "1d")]
    Day,
}

/// Where the series are stored.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Absolute path of the folder. Absent: the program's `--data`, else /var/lib/weir. A change needs a restart
    /// of the aggregator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 1024), regex(pattern = r"^/[^\n]*$"))]
    #[x_kube(validation = Rule::new("!self.split('/').exists(part, part == '..')").message("path must not contain ..: name the folder itself"))]
    pub path: Option<String>,
}
