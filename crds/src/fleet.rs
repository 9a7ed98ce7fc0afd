//! Who runs what: edges tell their aggregator, the aggregator tells the operator.
//!
//! An edge sends its [`EdgeReport`] to the ingest port when something in it changes, and every ten seconds
//! (`POST /v1/report`, JSON). The operator holds one stream to each aggregator (`GET /v1/fleet`, newline-delimited
//! JSON of [`FleetEvent`]): everything first, then what changes; an [`FleetEvent::Alive`] at least every ten seconds.
//! Nothing in a report counts up with traffic: it changes when something is to be told.

use serde::{Deserialize, Serialize};

/// Where edges report, on the ingest port.
pub const REPORT_PATH: &str = "/v1/report";
/// Where the operator listens to the fleet, on the ingest port.
pub const FLEET_PATH: &str = "/v1/fleet";

/// What one program says that it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// UID of its pod; empty outside a cluster.
    pub pod: String,
    /// The program's version.
    pub version: String,
    /// Hash of the hot configuration in force ([`crate::config::hot`]); empty: none yet.
    pub hot: String,
    /// Hash of the trusted roots in force ([`crate::enroll::hash`]); empty without TLS.
    pub bundle: String,
    /// The root that its own certificate chains to ([`crate::enroll::EnrollAnswer::root`]); empty without TLS.
    pub root: String,
    /// Why a newer hot configuration is not in force, when there is one that cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A profile at one edge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileReport {
    /// `namespace/name`.
    pub name: String,
    /// The object's generation that runs; 0: none, or outside a cluster.
    pub generation: i64,
    /// Hash of its rendering ([`crate::config::hot::profile_hash`]); empty: none runs.
    pub hash: String,
    /// Why the newest one does not run, when it does not; then `generation` and `hash` are of the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// An export target at one edge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetReport {
    /// `namespace/name`.
    pub name: String,
    /// The object's generation that runs.
    pub generation: i64,
    /// Whether what is due has been taken by the target lately.
    pub delivering: bool,
    /// CamelCase, for conditions: Delivering, Unreachable, QueueFull, AuthenticationFailed, SecretMissing ...
    pub reason: String,
    /// For people.
    pub message: String,
}

/// What an edge says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EdgeReport {
    /// The node on which it runs, or what `--name` says. In a cluster the aggregator takes it from the certificate.
    pub node: String,
    /// What it runs.
    pub running: Running,
    /// In the order of the configuration.
    pub profiles: Vec<ProfileReport>,
    /// In the order of the configuration.
    #[serde(default)]
    pub targets: Vec<TargetReport>,
    /// What the smallest receive buffer is short of what was asked for, in bytes; 0: nothing.
    #[serde(default)]
    pub buffer_short: u64,
    /// Addresses from which several streams with sequences of their own come, as behind address translation; at most 8.
    #[serde(default)]
    pub shared_addresses: Vec<String>,
}

/// What the aggregator tells the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum FleetEvent {
    /// Everything; the first line.
    Fleet {
        /// The aggregator itself.
        aggregator: Running,
        /// Every edge that reported within the last minute.
        edges: Vec<EdgeReport>,
    },
    /// The aggregator runs something else now.
    Aggregator {
        /// The aggregator itself.
        aggregator: Running,
    },
    /// An edge reported something new.
    Edge {
        /// All of it.
        edge: EdgeReport,
    },
    /// An edge was not heard of for a minute.
    Gone {
        /// Its node.
        node: String,
    },
    /// Nothing new.
    Alive,
}
