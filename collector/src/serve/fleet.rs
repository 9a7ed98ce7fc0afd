//! `/fleet`: which edges there are, what they run and since when.

use crds::fleet::{ProfileReport, Running, TargetReport};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::aggregate::view::{FleetView, NodeView};

/// The aggregator and its edges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FleetStatus {
    /// The aggregator itself.
    pub aggregator: Program,
    /// By node: every edge that was heard of within the last minute.
    pub edges: Vec<Node>,
}

/// A program and what it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Program {
    /// UID of its pod; empty outside a cluster.
    pub pod: String,
    /// The program's version.
    pub version: String,
    /// Hash of the hot configuration in force; empty: none.
    pub hot: String,
    /// Hash of the trusted roots in force; empty without TLS.
    pub bundle: String,
    /// The root that its certificate chains to; empty without TLS.
    pub root: String,
    /// Why a newer hot configuration is not in force, when there is one that cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// An edge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Its node, or what `--name` says.
    pub node: String,
    /// What it runs.
    pub running: Program,
    /// Since when it has said that it runs this, Unix ms.
    pub since: u64,
    /// When it was last heard of, Unix ms.
    pub heard: u64,
    /// In the order of the configuration.
    pub profiles: Vec<RunningProfile>,
    /// In the order of the configuration.
    pub targets: Vec<RunningTarget>,
    /// What its smallest receive buffer is short of what was asked for, in bytes.
    pub buffer_short: u64,
    /// Addresses from which several exporters seem to come, at most 8.
    pub shared_addresses: Vec<String>,
}

/// A profile at one edge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunningProfile {
    /// `namespace/name`.
    pub name: String,
    /// The object's generation that runs; 0: none, or outside a cluster.
    pub generation: i64,
    /// Hash of its rendering; empty: none runs.
    pub hash: String,
    /// Why the newest one does not run, when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// An export target at one edge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunningTarget {
    /// `namespace/name`.
    pub name: String,
    /// The object's generation that runs.
    pub generation: i64,
    /// Whether what is due has been taken by the target lately.
    pub delivering: bool,
    /// A word: Delivering, Unreachable, QueueFull ...
    pub reason: String,
    /// In words.
    pub message: String,
}

impl From<FleetView> for FleetStatus {
    fn from(view: FleetView) -> Self {
        Self { aggregator: view.aggregator.into(), edges: view.edges.into_iter().map(Node::from).collect() }
    }
}

impl From<Running> for Program {
    fn from(running: Running) -> Self {
        let Running { pod, version, hot, bundle, root, error } = running;
        Self { pod, version, hot, bundle, root, error }
    }
}

impl From<NodeView> for Node {
    fn from(view: NodeView) -> Self {
        let report = view.report;
        Self {
            node: report.node,
            running: report.running.into(),
            since: view.since_ms,
            heard: view.heard_ms,
            profiles: report.profiles.into_iter().map(RunningProfile::from).collect(),
            targets: report.targets.into_iter().map(RunningTarget::from).collect(),
            buffer_short: report.buffer_short,
            shared_addresses: report.shared_addresses,
        }
    }
}

impl From<ProfileReport> for RunningProfile {
    fn from(report: ProfileReport) -> Self {
        let ProfileReport { name, generation, hash, error } = report;
        Self { name, generation, hash, error }
    }
}

impl From<TargetReport> for RunningTarget {
    fn from(report: TargetReport) -> Self {
        let TargetReport { name, generation, delivering, reason, message } = report;
        Self { name, generation, delivering, reason, message }
    }
}
