//! From a FlowCollector: what it asks of a cluster, with its defaults.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::super::cluster::{
    AggregatorPod, AggregatorVolume, ClusterConfig, DEFAULT_VOLUME, EdgeFolder, EdgePods, EdgeService,
    ExposureConfig, NetworkPolicyConfig, ServiceConfig, ServiceMonitorConfig, VersionChoice,
};
use super::super::{ListenerConfig, duration, quantity, size};
use super::Report;
use crate::collector::{
    Aggregator, Amounts, ApiService, Edge, EdgeStorageType, Exposure, ExposureType, FlowCollector,
    Monitoring, NetworkPolicy, Resources, ServiceMonitorMode, ServiceType, Storage, StorageType, Tls,
    UpgradePolicy,
};

/// An edge's folder of its pod: 1 GiB may wait there for the aggregator, and templates need room beside it.
const LEAST_FOLDER: u64 = 1_280 << 20;
const DEFAULT_FOLDER: &str = "2Gi";
/// Less holds no series worth keeping.
const LEAST_VOLUME: u64 = 64 << 20;
/// In seconds: a pod needs half a minute to come by its first certificate and to renew it.
const LIFETIMES: RangeInclusive<u64> = 120..=90 * 86_400;
/// In seconds.
const INTERVALS: RangeInclusive<u64> = 5..=600;

/// Everything that concerns a cluster.
pub(super) fn resolve(
    collector: &FlowCollector,
    listeners: &[ListenerConfig],
    report: &mut Report,
) -> ClusterConfig {
    let spec = &collector.spec;
    let default = ClusterConfig::default();
    let exposure = exposure(spec.exposure.as_ref(), listeners, report);
    ClusterConfig {
        edge: edge(spec.edge.as_ref(), &exposure, default.edge, report),
        aggregator: aggregator(spec.aggregator.as_ref(), default.aggregator, report),
        certificate_lifetime: lifetime(spec.tls.as_ref(), report).unwrap_or(default.certificate_lifetime),
        network_policy: network_policy(spec.network_policy.as_ref()),
        service_monitor: service_monitor(spec.monitoring.as_ref(), report),
        version: version(spec.version.as_ref(), spec.upgrade_policy),
        paused: spec.paused.unwrap_or(default.paused),
        exposure,
    }
}

fn exposure(given: Option<&Exposure>, listeners: &[ListenerConfig], report: &mut Report) -> ExposureConfig {
    let Some(given) = given else { return ExposureConfig::default() };
    let type_ = match given.type_ {
        ExposureType::HostNetwork => return ExposureConfig::HostNetwork,
        ExposureType::HostPort => return ExposureConfig::HostPort,
        ExposureType::ClusterIP => ServiceType::ClusterIP,
        ExposureType::NodePort => ServiceType::NodePort,
        ExposureType::LoadBalancer => ServiceType::LoadBalancer,
    };
    let service = given.service.clone().unwrap_or_default();
    let mut node_ports = BTreeMap::new();
    for (at, entry) in service.node_ports.iter().enumerate() {
        if !listeners.iter().any(|listener| listener.name == entry.listener) {
            let known: Vec<_> = listeners.iter().map(|listener| listener.name.as_str()).collect();
            let message =
                format!("there is no listener {:?}; there are {}", entry.listener, known.join(", "));
            report.at(format!("spec.exposure.service.nodePorts[{at}].listener"), message);
        }
        node_ports.insert(entry.listener.clone(), entry.port);
    }
    let (annotations, load_balancer_class) = (service.annotations, service.load_balancer_class);
    ExposureConfig::Service(EdgeService { type_, annotations, load_balancer_class, node_ports })
}

fn edge(given: Option<&Edge>, exposure: &ExposureConfig, default: EdgePods, report: &mut Report) -> EdgePods {
    let given = given.cloned().unwrap_or_default();
    let empty_dir = |size: Option<String>| EdgeFolder::EmptyDir {
        size: size.unwrap_or_else(|| DEFAULT_FOLDER.to_owned()),
    };
    let storage = match given.storage {
        None if exposure.needs_privileged_namespace() => default.storage,
        None => empty_dir(None),
        Some(storage) => match storage.type_ {
            EdgeStorageType::HostPath => EdgeFolder::HostPath { parent: storage.path },
            EdgeStorageType::EmptyDir => {
                at_least(LEAST_FOLDER, storage.size_limit.as_deref(), "spec.edge.storage.sizeLimit", report);
                empty_dir(storage.size_limit)
            }
        },
    };
    EdgePods {
        buffer_mode: given.buffer_mode.unwrap_or(default.buffer_mode),
        resources: resources(given.resources, "spec.edge.resources", report).unwrap_or(default.resources),
        placement: given.placement.unwrap_or(default.placement),
        storage,
    }
}

fn aggregator(given: Option<&Aggregator>, default: AggregatorPod, report: &mut Report) -> AggregatorPod {
    let given = given.cloned().unwrap_or_default();
    let path = "spec.aggregator.resources";
    AggregatorPod {
        resources: resources(given.resources, path, report).unwrap_or(default.resources),
        placement: given.placement.unwrap_or(default.placement),
        storage: volume(given.storage.unwrap_or_default(), report),
        service: service(given.service.unwrap_or_default()),
    }
}

fn volume(given: Storage, report: &mut Report) -> AggregatorVolume {
    at_least(LEAST_VOLUME, given.size.as_deref(), "spec.aggregator.storage.size", report);
    let size = given.size.unwrap_or_else(|| DEFAULT_VOLUME.to_owned());
    match given.type_.unwrap_or_default() {
        StorageType::EmptyDir => AggregatorVolume::EmptyDir { size },
        StorageType::PersistentVolumeClaim => AggregatorVolume::Claim {
            size,
            class: given.storage_class_name,
            reclaim: given.reclaim_policy.unwrap_or_default(),
        },
    }
}

fn service(given: ApiService) -> ServiceConfig {
    ServiceConfig {
        type_: given.type_.unwrap_or_default(),
        annotations: given.annotations,
        node_port: given.node_port,
        load_balancer_class: given.load_balancer_class,
    }
}

fn network_policy(given: Option<&NetworkPolicy>) -> Option<NetworkPolicyConfig> {
    let given = given.cloned().unwrap_or_default();
    given.enabled.unwrap_or(true).then_some(NetworkPolicyConfig { from: given.from })
}

fn service_monitor(given: Option<&Monitoring>, report: &mut Report) -> Option<ServiceMonitorConfig> {
    let given = given.cloned().unwrap_or_default();
    let path = "spec.monitoring.interval";
    let interval =
        given.interval.map(|text| within(&INTERVALS, &text, "5s to 10m, such as 30s", path, report));
    let wanted = given.service_monitor.unwrap_or_default() == ServiceMonitorMode::Auto;
    let interval = interval.flatten().unwrap_or(Duration::from_secs(30));
    wanted.then_some(ServiceMonitorConfig { labels: given.labels, interval })
}

fn lifetime(given: Option<&Tls>, report: &mut Report) -> Option<Duration> {
    let text = given?.certificate_lifetime.as_deref()?;
    within(&LIFETIMES, text, "2m to 90d, such as 7d", "spec.tls.certificateLifetime", report)
}

fn version(named: Option<&String>, policy: Option<UpgradePolicy>) -> VersionChoice {
    match (named, policy.unwrap_or_default()) {
        (Some(version), _) => VersionChoice::Named(version.clone()),
        (None, UpgradePolicy::Manual) => VersionChoice::AsMade,
        (None, UpgradePolicy::Automatic) => VersionChoice::Operators,
    }
}

/// What is given, word for word. Nothing at all is not the same as an empty object, which asks for nothing.
fn resources(given: Option<Resources>, path: &str, report: &mut Report) -> Option<ResourceRequirements> {
    let given = given?;
    let (requests, limits) = (given.requests.unwrap_or_default(), given.limits.unwrap_or_default());
    for (name, request, limit) in
        [("cpu", &requests.cpu, &limits.cpu), ("memory", &requests.memory, &limits.memory)]
    {
        if let (Some(Quantity(request)), Some(Quantity(limit))) = (request, limit)
            && quantity::thousandths(request) > quantity::thousandths(limit)
        {
            let message = format!("{request} is more than the limit of {limit}; write at most that");
            report.at(format!("{path}.requests.{name}"), message);
        }
    }
    Some(ResourceRequirements {
        requests: amounts(requests),
        limits: amounts(limits),
        ..ResourceRequirements::default()
    })
}

fn amounts(given: Amounts) -> Option<BTreeMap<String, Quantity>> {
    let both = [("cpu", given.cpu), ("memory", given.memory)];
    let made: BTreeMap<_, _> =
        both.into_iter().filter_map(|(name, amount)| Some((name.to_owned(), amount?))).collect();
    (!made.is_empty()).then_some(made)
}

fn at_least(least: u64, given: Option<&str>, path: &str, report: &mut Report) {
    let Some(text) = given else { return };
    if size::parse(text).is_none_or(|bytes| bytes < least) {
        report.at(path, format!("{text:?} is too small; write at least {}Mi", least >> 20));
    }
}

fn within(
    range: &RangeInclusive<u64>,
    text: &str,
    right: &str,
    path: &str,
    report: &mut Report,
) -> Option<Duration> {
    let fits = duration::parse(text).map(|ms| ms / 1_000).filter(|seconds| range.contains(seconds));
    if fits.is_none() {
        report.at(path, format!("{text:?} is out of range; write {right}"));
    }
    fits.map(Duration::from_secs)
}
