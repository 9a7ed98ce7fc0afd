//! Exporters by name.

#![allow(unreachable_pub, reason = "KubeSchema's derive repeats the types inside a function")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{OutCounters, Sequence, Tunnel};

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
