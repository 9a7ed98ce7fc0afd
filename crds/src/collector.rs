//! FlowCollector: one fleet of edges and its aggregator.
//!
//! No field has a default in the schema: what is absent is said in the field's text and filled in by
//! [`crate::config::render`], so that a GitOps tool never sees a difference that it did not make.

#![allow(unreachable_pub, reason = "KubeSchema's derive repeats the types inside a function")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::config::{Protocol, Transport};
use crate::limits::{NAME_LENGTH_RULE, NAME_RULE};
use crate::schema::label_selector;
use crate::status::FlowCollectorStatus;

mod aggregator;
mod cluster;
mod edge;
mod exposure;
mod pod;
mod source;
mod tenant;

pub use aggregator::{
    Aggregator, ApiService, ReclaimPolicy, Retention, ServiceType, Step, Storage, StorageType,
};
pub use cluster::{Monitoring, NetworkPolicy, ServiceMonitorMode, Tls, UpgradePolicy};
pub use edge::{BufferMode, Edge, EdgeStorage, EdgeStorageType};
pub use exposure::{Exposure, ExposureService, ExposureType, NodePort};
pub use pod::{Amounts, Placement, Resources};
pub use source::{Sampling, Source};
pub use tenant::{Tenant, TenantLimits};

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
    status = "FlowCollectorStatus",
    cel,
    derive = "Default",
    derive = "PartialEq",
    doc = "A FlowCollector takes NetFlow, IPFIX and sFlow from routers, switches and hosts, counts what the profiles ask for, and keeps the counts.",
    validation = Rule::new(NAME_RULE).message("metadata.name must be lower case letters, digits and dashes, and start with a letter: zone1-collector"),
    validation = Rule::new(NAME_LENGTH_RULE).message("metadata.name must have at most 40 characters"),
    printcolumn(json_path = ".status.conditions[?(@.type==\"Ready\")].status", name = "Ready", type_ = "string", description = "Whether the fleet does what this object says."),
    printcolumn(json_path = ".status.columns.nodes", name = "Nodes", type_ = "string", description = "Nodes whose edge is ready, and all that are to have one."),
    printcolumn(json_path = ".status.columns.profiles", name = "Profiles", type_ = "string", description = "Profiles that every ready edge runs, and all."),
    printcolumn(json_path = ".metadata.creationTimestamp", name = "Age", type_ = "date", description = "Since when this object is there."),
    printcolumn(json_path = ".status.image", name = "Image", type_ = "string", priority = 1, description = "The image of edges and aggregator."),
    printcolumn(json_path = ".status.columns.message", name = "Message", type_ = "string", priority = 1, description = "What is most urgent.")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.version) || !has(self.upgradePolicy) || self.upgradePolicy == 'Manual'").message("a version that is named does not follow the operator: leave out version, or upgradePolicy Automatic")
)]
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

    /// How exporters reach the edges in a cluster. Absent: HostNetwork.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,

    /// The edges: how they receive, and as which pods they run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<Edge>,

    /// The aggregator: where it keeps the series, for how long, and as which pod it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregator: Option<Aggregator>,

    /// Which FlowProfiles run here, by label, in the namespaces that profileNamespaceSelector selects. Absent or {}:
    /// all of them. A profile with a collectorRef follows that instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "label_selector")]
    pub profile_selector: Option<LabelSelector>,

    /// The namespaces whose FlowProfiles may run here, by label; a collectorRef in a profile does not override it.
    /// Absent: this collector's own alone. {}: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "label_selector")]
    pub profile_namespace_selector: Option<LabelSelector>,

    /// Which ExportTargets take data from here, by label, in the namespaces that targetNamespaceSelector selects.
    /// Absent or {}: all of them. A target with a collectorRef follows that instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "label_selector")]
    pub target_selector: Option<LabelSelector>,

    /// The namespaces whose ExportTargets may take data from here, by label; a collectorRef in a target does not
    /// override it. Absent: this collector's own alone. {}: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "label_selector")]
    pub target_namespace_selector: Option<LabelSelector>,

    /// What the profiles of a namespace may see and use. A namespace that is not listed sees and uses everything: list
    /// every namespace that is not to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["namespace".into()]))]
    pub tenants: Vec<Tenant>,

    /// Certificates between the programs of a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,

    /// Who reaches the aggregator in a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_policy: Option<NetworkPolicy>,

    /// How a cluster's Prometheus finds the metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<Monitoring>,

    /// Version of edges and aggregator in a cluster: a tag or digest of the operator's image for them, within what the
    /// operator allows (`--allowed-images`). Absent: as upgradePolicy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = r"^(sha256:[0-9a-f]{64}|[A-Za-z0-9_][-A-Za-z0-9_.]*)$")
    )]
    pub version: Option<String>,

    /// What a new operator does with a collector that names no version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_policy: Option<UpgradePolicy>,

    /// Whether the operator leaves everything of this collector as it is, whatever is changed here. What runs goes on.
    /// Absent: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
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
