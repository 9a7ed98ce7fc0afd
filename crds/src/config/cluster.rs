//! What a FlowCollector asks of a cluster, with every default filled in: what the operator builds from.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::collector::FlowCollectorSpec;
pub use crate::collector::{BufferMode, Placement, ReclaimPolicy, ServiceType};

/// What a FlowCollector asks of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterConfig {
    /// How exporters reach the edges.
    pub exposure: ExposureConfig,
    /// The edges' pods.
    pub edge: EdgePods,
    /// The aggregator's pod.
    pub aggregator: AggregatorPod,
    /// How long a certificate holds.
    pub certificate_lifetime: Duration,
    /// The NetworkPolicy before the aggregator; none: there is to be none.
    pub network_policy: Option<NetworkPolicyConfig>,
    /// The ServiceMonitor, where the cluster knows that kind; none: there is to be none.
    pub service_monitor: Option<ServiceMonitorConfig>,
    /// Which version runs.
    pub version: VersionChoice,
    /// Nothing is to be changed.
    pub paused: bool,
}

/// How exporters reach the edges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ExposureConfig {
    /// The node's own network.
    #[default]
    HostNetwork,
    /// Ports of the node, forwarded to the pod.
    HostPort,
    /// A Service.
    Service(EdgeService),
}

/// The Service before the edges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeService {
    /// Its type.
    pub type_: ServiceType,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// For LoadBalancer; none: the cluster's default.
    pub load_balancer_class: Option<String>,
    /// Ports on every node by listener; those of other listeners the cluster chooses. Empty for ClusterIP.
    pub node_ports: BTreeMap<String, u16>,
}

/// The edges' pods.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgePods {
    /// How they come by their receive buffer.
    pub buffer_mode: BufferMode,
    /// Of the container.
    pub resources: ResourceRequirements,
    /// On which nodes.
    pub placement: Placement,
    /// Where they keep what the aggregator does not have yet.
    pub storage: EdgeFolder,
}

/// Where an edge keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EdgeFolder {
    /// A folder of the node, which [`EdgeFolder::host_path`] names.
    HostPath {
        /// The folder in which namespace/name is made; none: the one that the operator allows.
        parent: Option<String>,
    },
    /// A folder of the pod.
    EmptyDir {
        /// `sizeLimit`.
        size: String,
    },
}

/// A folder that the operator does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "spec.edge.storage.path: {path} is not under {allowed}, where the operator lets collectors keep data; name a folder \
     there, or leave path out"
)]
pub struct OutsideOfPrefix {
    path: String,
    allowed: String,
}

/// The aggregator's pod.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregatorPod {
    /// Of the container.
    pub resources: ResourceRequirements,
    /// On which nodes.
    pub placement: Placement,
    /// What holds the series.
    pub storage: AggregatorVolume,
    /// What is before the API port.
    pub service: ServiceConfig,
}

/// What holds the series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AggregatorVolume {
    /// A PersistentVolumeClaim.
    Claim {
        /// What it asks for.
        size: String,
        /// Its class; none: the cluster's default.
        class: Option<String>,
        /// What becomes of it with the collector.
        reclaim: ReclaimPolicy,
    },
    /// A folder of the pod.
    EmptyDir {
        /// `sizeLimit`.
        size: String,
    },
}

/// The Service before the API port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceConfig {
    /// Its type.
    pub type_: ServiceType,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// For NodePort and LoadBalancer; none: the cluster chooses.
    pub node_port: Option<u16>,
    /// For LoadBalancer; none: the cluster's default.
    pub load_balancer_class: Option<String>,
}

/// The NetworkPolicy before the aggregator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkPolicyConfig {
    /// Who reaches the API port; empty: everyone.
    pub from: Vec<NetworkPolicyPeer>,
}

/// The ServiceMonitor of the aggregator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceMonitorConfig {
    /// By which a Prometheus chooses it.
    pub labels: BTreeMap<String, String>,
    /// Between two scrapes; whole seconds.
    pub interval: Duration,
}

/// Which version of edges and aggregator runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum VersionChoice {
    /// This tag, or digest (`sha256:...`).
    Named(String),
    /// The one that ran first, by `status.version`; the operator's own when none ran yet.
    #[default]
    AsMade,
    /// The operator's own.
    Operators,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            exposure: ExposureConfig::default(),
            edge: EdgePods {
                buffer_mode: BufferMode::default(),
                resources: default_resources(),
                placement: Placement::default(),
                storage: EdgeFolder::HostPath { parent: None },
            },
            aggregator: AggregatorPod {
                resources: default_resources(),
                placement: Placement::default(),
                storage: AggregatorVolume::Claim {
                    size: DEFAULT_VOLUME.to_owned(),
                    class: None,
                    reclaim: ReclaimPolicy::default(),
                },
                service: ServiceConfig::default(),
            },
            certificate_lifetime: Duration::from_secs(7 * 86_400),
            network_policy: Some(NetworkPolicyConfig::default()),
            service_monitor: Some(ServiceMonitorConfig {
                labels: BTreeMap::new(),
                interval: Duration::from_secs(30),
            }),
            version: VersionChoice::default(),
            paused: false,
        }
    }
}

impl ExposureConfig {
    /// Whether its pods run only in a namespace whose Pod Security level is privileged.
    pub fn needs_privileged_namespace(&self) -> bool {
        matches!(self, Self::HostNetwork | Self::HostPort)
    }
}

impl EdgeFolder {
    /// Folder of a collector (`namespace/name`) on its nodes, under the folder that the operator allows; none for a
    /// folder of the pod.
    ///
    /// # Errors
    /// When the spec names a folder elsewhere.
    pub fn host_path(&self, allowed: &str, collector: &str) -> Result<Option<String>, OutsideOfPrefix> {
        let Self::HostPath { parent } = self else { return Ok(None) };
        let parent = parent.as_deref().unwrap_or(allowed);
        if !Path::new(parent).starts_with(allowed) {
            return Err(OutsideOfPrefix { path: parent.to_owned(), allowed: allowed.to_owned() });
        }
        Ok(Some(format!("{}/{collector}", parent.trim_end_matches('/'))))
    }
}

/// The fields of a spec that do nothing outside a cluster, by their path below `spec`.
pub fn only_there(spec: &FlowCollectorSpec) -> Vec<&'static str> {
    let edge = spec.edge.clone().unwrap_or_default();
    let aggregator = spec.aggregator.clone().unwrap_or_default();
    let storage = aggregator.storage.unwrap_or_default();
    let fields = [
        ("exposure", spec.exposure.is_some()),
        ("edge.bufferMode", edge.buffer_mode.is_some()),
        ("edge.resources", edge.resources.is_some()),
        ("edge.placement", edge.placement.is_some()),
        ("edge.storage", edge.storage.is_some()),
        ("aggregator.storage.type", storage.type_.is_some()),
        ("aggregator.storage.size", storage.size.is_some()),
        ("aggregator.storage.storageClassName", storage.storage_class_name.is_some()),
        ("aggregator.storage.reclaimPolicy", storage.reclaim_policy.is_some()),
        ("aggregator.resources", aggregator.resources.is_some()),
        ("aggregator.placement", aggregator.placement.is_some()),
        ("aggregator.service", aggregator.service.is_some()),
        ("tls", spec.tls.is_some()),
        ("networkPolicy", spec.network_policy.is_some()),
        ("monitoring", spec.monitoring.is_some()),
        ("version", spec.version.is_some()),
        ("upgradePolicy", spec.upgrade_policy.is_some()),
        ("paused", spec.paused.is_some()),
    ];
    fields.into_iter().filter_map(|(field, given)| given.then_some(field)).collect()
}

/// The size of the aggregator's volume.
pub(super) const DEFAULT_VOLUME: &str = "10Gi";

/// What a container asks for that says nothing of it.
fn default_resources() -> ResourceRequirements {
    let ask = |name: &str, amount: &str| (name.to_owned(), Quantity(amount.to_owned()));
    ResourceRequirements {
        requests: Some(BTreeMap::from([ask("cpu", "100m"), ask("memory", "256Mi")])),
        ..ResourceRequirements::default()
    }
}
