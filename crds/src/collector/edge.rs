//! The edges: how they receive, and as which pods they run.

#![allow(unreachable_pub, reason = "KubeSchema's derive repeats the types inside a function")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pod::{Placement, Resources};

/// How an edge receives, and as which pod it runs.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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

    /// How the edges of a cluster come by their receive buffer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer_mode: Option<BufferMode>,

    /// What an edge's container may use. Absent: it asks for 100m of a processor and 256Mi of memory, and has no
    /// limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// On which nodes edges run. Absent: on all without a taint that keeps pods away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,

    /// Where an edge keeps what the aggregator does not have yet, and the templates of its exporters. Absent: HostPath
    /// where the exposure is HostNetwork or HostPort, EmptyDir elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<EdgeStorage>,
}

/// How the edges of a cluster come by their receive buffer: NodeTuned takes what the node's net.core.rmem_max allows,
/// and the condition ReceiveBufferSufficient says when that is less than what was asked for; Forced gives the edges
/// the capability NET_ADMIN, with which the node's limit does not bind them. Absent: NodeTuned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BufferMode {
    /// What net.core.rmem_max allows.
    #[default]
    NodeTuned,
    /// All of it, by the capability NET_ADMIN.
    Forced,
}

/// Where an edge keeps its data on its node.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.path) || self.type == 'HostPath'").message("path is for type HostPath: leave it out, or use that type"),
    validation = Rule::new("!has(self.sizeLimit) || self.type == 'EmptyDir'").message("sizeLimit is for type EmptyDir: leave it out, or use that type")
)]
pub struct EdgeStorage {
    /// HostPath, a folder of the node that outlives every pod, or EmptyDir, a folder that ends with its pod: what the
    /// aggregator does not have yet is lost with it.
    #[serde(rename = "type")]
    pub type_: EdgeStorageType,

    /// For HostPath: the folder on the node in which NAMESPACE/NAME is made for this collector. It lies under the
    /// folder that the operator allows (`--host-path-prefix`). Absent: that folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 1024), regex(pattern = r"^/[^\n]*$"))]
    #[x_kube(validation = Rule::new("!self.split('/').exists(part, part == '..')").message("path must not contain ..: name the folder itself"))]
    pub path: Option<String>,

    /// For EmptyDir: how much the folder may hold, a quantity of at least 1280Mi, because 1 GiB may wait there for the
    /// aggregator. Absent: 2Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 12), regex(pattern = r"^[0-9]+(k|M|G|T|Ki|Mi|Gi|Ti)?$"))]
    pub size_limit: Option<String>,
}

/// A kind of folder on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EdgeStorageType {
    /// A folder of the node.
    HostPath,
    /// A folder of the pod.
    EmptyDir,
}
