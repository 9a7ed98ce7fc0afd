//! What concerns the whole fleet in a cluster: certificates, network policy, monitoring, versions.

#![allow(unreachable_pub, reason = "KubeSchema's derive repeats the types inside a function")]

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{labels, network_policy_peers};

/// Certificates between edges, aggregator and operator; the operator issues them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// How long a certificate holds: 2m to 90d. It is renewed when a third of that has passed. Absent: 7d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 10), regex(pattern = r"^[0-9]+(s|m|h|d|w|y)$"))]
    pub certificate_lifetime: Option<String>,
}

/// The NetworkPolicy before the aggregator.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicy {
    /// Whether there is one. It lets everyone reach the ingest port, where a certificate is the gate (edges on the
    /// node's network match no selector), and those in `from` the API port. Absent: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,

    /// Who reaches the API port, as in a NetworkPolicy's ingress rule. Absent: everyone, and a token is the gate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "network_policy_peers")]
    pub from: Vec<NetworkPolicyPeer>,
}

/// How the aggregator's metrics, which speak for all edges, are found.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Monitoring {
    /// Whether there is a ServiceMonitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_monitor: Option<ServiceMonitorMode>,

    /// Labels of the ServiceMonitor, by which a Prometheus chooses it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "labels")]
    pub labels: BTreeMap<String, String>,

    /// Time between two scrapes, 5s to 10m. Absent: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 10), regex(pattern = r"^[0-9]+(s|m|h|d|w|y)$"))]
    pub interval: Option<String>,
}

/// Auto makes a ServiceMonitor (monitoring.coreos.com/v1) where the cluster knows that kind; Disabled makes none.
/// Absent: Auto.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceMonitorMode {
    /// Where the cluster knows that kind.
    #[default]
    Auto,
    /// None.
    Disabled,
}

/// What a new operator does with a collector that names no version: Manual leaves it at the version with which it was
/// made (`status.version`), Automatic moves it to the operator's own. Absent: Manual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UpgradePolicy {
    /// It stays.
    #[default]
    Manual,
    /// It follows the operator.
    Automatic,
}
