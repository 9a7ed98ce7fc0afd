//! What the operator says of each object: conditions, who runs what, and the texts that `kubectl get` shows.
//!
//! Nothing here counts up with traffic: a status changes when something is to be told.

#![allow(unreachable_pub, reason = "KubeSchema's derive repeats the types inside a function")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Protocol, Transport};
use crate::limits::{ADDRESSES_PER_LISTENER, BINDINGS, MESSAGE_CHARACTERS};
use crate::schema::conditions;

/// How a collector's fleet is.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowCollectorStatus {
    /// The generation of the spec that the operator looked at last, whatever came of it; -1: none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1, max = 9_007_199_254_740_991_i64), extend("format" = "int64"))]
    pub observed_generation: Option<i64>,

    /// Ready sums up. Reconciling and Stalled stand there only while they hold. WorkloadsAvailable, ProfilesApplied,
    /// ExportTargetsReachable, SourceAddressPreserved, ReceiveBufferSufficient and HistorySurvivesRollout say what is
    /// the matter and what to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,

    /// The version that the fleet runs, or is being moved to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub version: Option<String>,

    /// The image of edges and aggregator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub image: Option<String>,

    /// Nodes with an edge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodeCounts>,

    /// Profiles of this collector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profiles: Option<ProfileCounts>,

    /// Where exporters are to send, by listener.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub listeners: Vec<ListenerStatus>,

    /// Texts for `kubectl get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<CollectorColumns>,
}

/// Nodes with an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeCounts {
    /// Nodes on which an edge is to run.
    #[schemars(range(min = 0, max = 2_147_483_647), extend("format" = "int32"))]
    pub desired: u32,

    /// Nodes whose edge is ready.
    #[schemars(range(min = 0, max = 2_147_483_647), extend("format" = "int32"))]
    pub ready: u32,
}

/// Profiles of one collector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileCounts {
    /// Profiles that select this collector or are selected by it.
    #[schemars(range(min = 0, max = 2_147_483_647), extend("format" = "int32"))]
    pub total: u32,

    /// Those with which nothing is wrong.
    #[schemars(range(min = 0, max = 2_147_483_647), extend("format" = "int32"))]
    pub accepted: u32,

    /// Those of which every ready edge runs the newest accepted generation.
    #[schemars(range(min = 0, max = 2_147_483_647), extend("format" = "int32"))]
    pub applied: u32,
}

/// Where exporters reach one listener.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerStatus {
    /// The listener's name.
    #[schemars(length(min = 1, max = 15))]
    pub name: String,

    /// What it takes.
    pub protocol: Protocol,

    /// UDP or TCP.
    pub transport: Transport,

    /// Address and port, such as `192.0.2.1:2055` or `[2001:db8::1]:2055`; at most ten of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = ADDRESSES_PER_LISTENER), inner(length(max = 300)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub addresses: Vec<String>,

    /// How many there are in all.
    #[schemars(range(min = 0, max = 2_147_483_647), extend("format" = "int32"))]
    pub total: u32,
}

/// What `kubectl get flowcollectors` shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CollectorColumns {
    /// Ready and desired nodes: 3/3.
    #[schemars(length(max = 32))]
    pub nodes: String,

    /// Applied profiles and all of them: 4/5.
    #[schemars(length(max = 32))]
    pub profiles: String,

    /// The most urgent condition's message.
    #[schemars(length(max = MESSAGE_CHARACTERS))]
    pub message: String,
}

/// Where a profile runs.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowProfileStatus {
    /// The generation of the spec that the operator looked at last, whatever came of it; -1: none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1, max = 9_007_199_254_740_991_i64), extend("format" = "int64"))]
    pub observed_generation: Option<i64>,

    /// Ready sums up. Reconciling and Stalled stand there only while they hold. Accepted: nothing is wrong with it, or
    /// line, column and the right form. Applied: which nodes run this generation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,

    /// The collectors that run it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = BINDINGS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["collector".into()]))]
    pub bindings: Vec<Binding>,

    /// Texts for `kubectl get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<ProfileColumns>,
}

/// A profile at one collector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// `namespace/name` of the FlowCollector.
    #[schemars(length(min = 1, max = 104))]
    pub collector: String,

    /// The generation that runs, or is being brought to the edges; absent: none was ever accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64), extend("format" = "int64"))]
    pub accepted_generation: Option<i64>,

    /// Nodes whose edge is ready.
    #[schemars(range(min = 0, max = 2_147_483_647), extend("format" = "int32"))]
    pub desired_nodes: u32,

    /// Those of them that run the accepted generation.
    #[schemars(range(min = 0, max = 2_147_483_647), extend("format" = "int32"))]
    pub applied_nodes: u32,

    /// Those that could not take it.
    #[schemars(range(min = 0, max = 2_147_483_647), extend("format" = "int32"))]
    pub rejected_nodes: u32,

    /// What is wrong; empty when nothing is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = MESSAGE_CHARACTERS))]
    pub message: String,
}

/// What `kubectl get flowprofiles` shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileColumns {
    /// Nodes that run the newest accepted generation, and all of them: 3/3.
    #[schemars(length(max = 32))]
    pub applied: String,

    /// How many channels it has.
    #[schemars(range(min = 0, max = 128), extend("format" = "int32"))]
    pub channels: u32,

    /// The collector that runs it, `namespace/name`; the first and a number when there are several.
    #[schemars(length(max = 128))]
    pub collector: String,

    /// The most urgent condition's message.
    #[schemars(length(max = MESSAGE_CHARACTERS))]
    pub message: String,
}

/// Where a target gets data from.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportTargetStatus {
    /// The generation of the spec that the operator looked at last, whatever came of it; -1: none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1, max = 9_007_199_254_740_991_i64), extend("format" = "int64"))]
    pub observed_generation: Option<i64>,

    /// Ready sums up. Reconciling and Stalled stand there only while they hold. Accepted: nothing is wrong with it, or
    /// what is and what would be right. Delivering: whether the target takes what it is sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,

    /// The collectors whose edges send to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = BINDINGS))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["collector".into()]))]
    pub bindings: Vec<TargetBinding>,

    /// Texts for `kubectl get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<TargetColumns>,
}

/// A target at one collector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetBinding {
    /// `namespace/name` of the FlowCollector.
    #[schemars(length(min = 1, max = 104))]
    pub collector: String,

    /// The generation that runs, or is being brought to the edges; absent: none was ever accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64), extend("format" = "int64"))]
    pub accepted_generation: Option<i64>,

    /// Nodes whose edge is ready.
    #[schemars(range(min = 0, max = 2_147_483_647), extend("format" = "int32"))]
    pub desired_nodes: u32,

    /// Those of them whose data the target takes.
    #[schemars(range(min = 0, max = 2_147_483_647), extend("format" = "int32"))]
    pub delivering_nodes: u32,

    /// What is wrong; empty when nothing is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = MESSAGE_CHARACTERS))]
    pub message: String,
}

/// What `kubectl get exporttargets` shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetColumns {
    /// Nodes from which the target takes data, and all of them: 3/3.
    #[schemars(length(max = 32))]
    pub delivering: String,

    /// The collector whose edges send, `namespace/name`; the first and a number when there are several.
    #[schemars(length(max = 128))]
    pub collector: String,

    /// The most urgent condition's message.
    #[schemars(length(max = MESSAGE_CHARACTERS))]
    pub message: String,
}

/// A message as it fits into a column or a binding: cut behind [`MESSAGE_CHARACTERS`], with three dots.
pub fn clipped(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_CHARACTERS) {
        None => message.to_owned(),
        Some(_) => message.chars().take(MESSAGE_CHARACTERS - 3).chain("...".chars()).collect(),
    }
}
