//! FlowProfile: what one team wants to see.

#![allow(unreachable_pub, reason = "KubeSchema's derive repeats the types inside a function")]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Sign, TopOrder};
use crate::limits::{NAME_LENGTH_RULE, NAME_RULE};
use crate::status::FlowProfileStatus;

/// Channels that are counted and drawn together, and the tables of the largest talkers in each.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "weir.dev",
    version = "v1alpha1",
    kind = "FlowProfile",
    plural = "flowprofiles",
    shortname = "wfp",
    category = "weir",
    namespaced,
    status = "FlowProfileStatus",
    selectable = ".spec.collectorRef.name",
    cel,
    derive = "Default",
    derive = "PartialEq",
    doc = "A FlowProfile says what one team wants to see: channels, each an nfdump filter, that are counted from the moment on in which the profile is there.",
    validation = Rule::new(NAME_RULE).message("metadata.name must be lower case letters, digits and dashes, and start with a letter: zone1-profile"),
    validation = Rule::new(NAME_LENGTH_RULE).message("metadata.name must have at most 40 characters"),
    validation = Rule::new("self.metadata.name != 'live'").message("live is the name of the built-in profile; choose another one"),
    printcolumn(json_path = ".status.conditions[?(@.type==\"Ready\")].status", name = "Ready", type_ = "string", description = "Whether it runs as written."),
    printcolumn(json_path = ".status.columns.applied", name = "Applied", type_ = "string", description = "Nodes that run it, and all."),
    printcolumn(json_path = ".status.columns.channels", name = "Channels", type_ = "integer", description = "How many channels it has."),
    printcolumn(json_path = ".status.columns.collector", name = "Collector", type_ = "string", description = "The FlowCollector that runs it."),
    printcolumn(json_path = ".metadata.creationTimestamp", name = "Age", type_ = "date", description = "Since when this object is there."),
    printcolumn(json_path = ".spec.displayName", name = "Display Name", type_ = "string", priority = 1, description = "The name that people see."),
    printcolumn(json_path = ".status.columns.message", name = "Message", type_ = "string", priority = 1, description = "What is most urgent.")
)]
#[serde(rename_all = "camelCase")]
pub struct FlowProfileSpec {
    /// The name that people see. Absent: the object's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub display_name: Option<String>,

    /// What the profile is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub description: Option<String>,

    /// The group under which the profile is listed. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub group: Option<String>,

    /// What is counted, each channel on its own; a flow may count in several.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub channels: Vec<Channel>,

    /// Tables of the largest, kept for every channel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["element".into()]))]
    pub top: Vec<Top>,

    /// The FlowCollector that runs this profile. Absent: every one whose profileSelector matches. Either way the
    /// collector says, by its profileNamespaceSelector, whose profiles it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collector_ref: Option<CollectorRef>,
}

/// One line or area of the graph: the flows that a filter lets pass.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Channel {
    /// Unique in the profile: letters, digits, dashes, underscores and dots. A renamed channel is a new one.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"))]
    pub name: String,

    /// Which flows count: an nfdump filter of at most 16 KiB, such as `proto tcp and dst port 443`. Absent:
    /// every flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16384))]
    pub filter: Option<String>,

    /// Names of the FlowCollector's sources whose flows count. Absent: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub sources: Vec<String>,

    /// Side of the axis: `+` above, `-` below; both in quotes. Absent: above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<Sign>,

    /// Color as #RRGGBB, in quotes. Absent: one from the palette, by position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 7, max = 7), regex(pattern = r"^#[0-9A-Fa-f]{6}$"))]
    pub color: Option<String>,

    /// Place in the stack, 1 first. Absent: the channel's position in the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000), extend("format" = "int32"))]
    pub order: Option<u32>,
}

/// A table of the largest keys, kept for every channel of the profile.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Top {
    /// What is compared, by nfdump's name: addresses srcip, dstip, ip (both sides), next hops nhip and nhbip
    /// (BGP), ports srcport, dstport, port, autonomous systems srcas, dstas, as, interfaces inif, outif, if,
    /// VLANs srcvlan, dstvlan, vlan, prefix lengths srcmask, dstmask, type of service tos, srctos, dsttos, dir
    /// (direction) and proto.
    pub element: Element,

    /// By what the table is ranked: flows, packets, bytes. Absent: bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub orders: Vec<TopOrder>,

    /// How many rows are kept, at most 100. Absent: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100), extend("format" = "int32"))]
    pub size: Option<u32>,
}

macro_rules! elements {
    ($($variant:ident $name:literal,)*) => {
        /// What a table of the largest compares, by nfdump's name (`-s`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[allow(missing_docs, reason = "nfdump's names; the field's text explains them")]
        pub enum Element { $(#[serde(rename = $name)] $variant,)* }

        impl Element {
            /// Every element.
            pub const ALL: &'static [Element] = &[$(Self::$variant,)*];

            /// nfdump's name, as written in YAML.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

elements! {
    SrcIp "srcip",
    DstIp "dstip",
    Ip "ip",
    NhIp "nhip",
    NhbIp "nhbip",
    SrcPort "srcport",
    DstPort "dstport",
    Port "port",
    Tos "tos",
    SrcTos "srctos",
    DstTos "dsttos",
    Dir "dir",
    SrcAs "srcas",
    DstAs "dstas",
    As "as",
    InIf "inif",
    OutIf "outif",
    If "if",
    SrcMask "srcmask",
    DstMask "dstmask",
    SrcVlan "srcvlan",
    DstVlan "dstvlan",
    Vlan "vlan",
    Proto "proto",
}

/// A FlowCollector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CollectorRef {
    /// Its namespace. Absent: the profile's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: Option<String>,

    /// Its name.
    #[schemars(length(min = 1, max = 40), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
}
