//! The aggregator: what it keeps, where, and as which pod it runs.

#![allow(unreachable_pub, reason = "KubeSchema's derive repeats the types inside a function")]

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pod::{Placement, Resources};
use crate::schema::annotations;

/// Where the aggregator keeps the series, for how long, and as which pod it runs.
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

    /// What the aggregator's container may use. Absent: it asks for 100m of a processor and 256Mi of memory, and has
    /// no limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// On which node the aggregator runs. Absent: on any without a taint that keeps pods away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,

    /// How people and programs reach the page and the API (port 8470). Absent: a Service of type ClusterIP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ApiService>,
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
#[x_kube(
    validation = Rule::new("!has(self.storageClassName) || !has(self.type) || self.type == 'PersistentVolumeClaim'").message("storageClassName is for type PersistentVolumeClaim: leave it out, or use that type"),
    validation = Rule::new("!has(self.reclaimPolicy) || !has(self.type) || self.type == 'PersistentVolumeClaim'").message("reclaimPolicy is for type PersistentVolumeClaim: leave it out, or use that type")
)]
pub struct Storage {
    /// What holds the series in a cluster.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<StorageType>,

    /// Outside a cluster: absolute path of the folder. Absent: the program's `--data`, else /var/lib/weir. A change
    /// needs a restart of the aggregator. In a cluster the volume takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 1024), regex(pattern = r"^/[^\n]*$"))]
    #[x_kube(validation = Rule::new("!self.split('/').exists(part, part == '..')").message("path must not contain ..: name the folder itself"))]
    pub path: Option<String>,

    /// Size of the volume: a quantity of at least 64Mi. A larger one expands the claim, where its class can; a smaller
    /// one than the claim has is refused. Absent: 10Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 12), regex(pattern = r"^[0-9]+(k|M|G|T|Ki|Mi|Gi|Ti)?$"))]
    pub size: Option<String>,

    /// StorageClass of the claim; it stays what it was when the claim was made. "" asks for a volume without one.
    /// Absent: the cluster's default class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), regex(pattern = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"))]
    pub storage_class_name: Option<String>,

    /// What becomes of the claim when the collector is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reclaim_policy: Option<ReclaimPolicy>,
}

/// What holds the series in a cluster: PersistentVolumeClaim, a claim that outlives the pod, or EmptyDir, a folder that
/// ends with the pod, and every series with it. Absent: PersistentVolumeClaim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StorageType {
    /// A claim that outlives the pod.
    #[default]
    PersistentVolumeClaim,
    /// A folder of the pod.
    EmptyDir,
}

/// What becomes of the claim when the collector is deleted: Retain keeps it, and a collector of the same name finds its
/// series again; Delete deletes it. Absent: Retain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReclaimPolicy {
    /// It stays.
    #[default]
    Retain,
    /// It goes.
    Delete,
}

/// The Service before the page and the API.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.nodePort) || (has(self.type) && self.type in ['NodePort', 'LoadBalancer'])").message("nodePort is for type NodePort or LoadBalancer: leave it out, or use one of them"),
    validation = Rule::new("!has(self.loadBalancerClass) || (has(self.type) && self.type == 'LoadBalancer')").message("loadBalancerClass is for type LoadBalancer: leave it out, or use that type")
)]
pub struct ApiService {
    /// The Service's type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<ServiceType>,

    /// Annotations of the Service, such as those that a load balancer's provider reads.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "annotations")]
    pub annotations: BTreeMap<String, String>,

    /// Port on every node. Absent: the cluster chooses one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535), extend("format" = "int32"))]
    pub node_port: Option<u16>,

    /// Class of the load balancer. Absent: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub load_balancer_class: Option<String>,
}

/// The Service's type: ClusterIP (an address inside the cluster), NodePort (a port of every node) or LoadBalancer (an
/// address from the cluster's provider). Absent: ClusterIP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// An address inside the cluster.
    #[default]
    ClusterIP,
    /// A port of every node.
    NodePort,
    /// An address from the cluster's provider.
    LoadBalancer,
}
