//! Why pods do not run, in words that say what to do; and where those that run are reached.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crds::config::ListenerConfig;
use crds::config::cluster::ExposureConfig;
use crds::status::NodeCounts;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, Service};
use kube::ResourceExt;

use crate::dereference::Workloads;

/// Why edges or aggregator are not available.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// CamelCase, for conditions.
    pub(super) reason: &'static str,
    /// What is wrong and what to do.
    pub(super) message: String,
}

/// The most telling reason why something does not run; none when all runs.
pub(super) fn trouble(workloads: &Workloads, nodes: &NodeCounts) -> Option<Trouble> {
    let aggregator = workloads.aggregator.as_ref().and_then(|deployment| deployment.status.as_ref());
    let aggregator_ready = aggregator.is_some_and(|status| status.available_replicas.unwrap_or_default() > 0);
    let observed = workloads.edges.as_ref().is_some_and(|set| {
        set.status.as_ref().and_then(|status| status.observed_generation) == set.metadata.generation
    });
    let edges_ready = observed && nodes.desired > 0 && nodes.ready >= nodes.desired;
    if aggregator_ready && edges_ready {
        return None;
    }
    let refused = workloads.refused_pods.first().map(|message| refused(message));
    let pods = workloads.pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let stuck = || pods.clone().find_map(stuck);
    let of_deployment = || deployment_failure(workloads);
    let told = refused.or_else(of_deployment).or_else(stuck);
    Some(told.unwrap_or_else(|| waiting(aggregator_ready, observed, nodes)))
}

/// Whether a pod is Ready.
pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}

fn waiting(aggregator_ready: bool, observed: bool, nodes: &NodeCounts) -> Trouble {
    if observed && nodes.desired == 0 {
        let message =
            "no node takes an edge: look at spec.edge.placement (labels of nodes, tolerations of taints)";
        return Trouble { reason: "NoNodes", message: message.to_owned() };
    }
    let edges = format!("{} of {} edges are ready", nodes.ready, nodes.desired);
    match aggregator_ready {
        true => Trouble { reason: "EdgesNotReady", message: edges },
        false => Trouble {
            reason: "AggregatorNotReady",
            message: format!("the aggregator is not ready yet; {edges}"),
        },
    }
}

/// The API server refuses pods of the DaemonSet.
fn refused(message: &str) -> Trouble {
    if message.contains("violates PodSecurity") {
        return Trouble {
            reason: "PodSecurityForbids",
            message: format!(
                "the namespace's Pod Security level forbids the pods: label it \
                 pod-security.kubernetes.io/enforce=privileged, or use spec.exposure.type ClusterIP, NodePort or \
                 LoadBalancer with spec.edge.storage.type EmptyDir ({message})"
            ),
        };
    }
    if message.contains("exceeded quota") {
        let message =
            format!("a ResourceQuota of the namespace leaves no room: raise it, or ask for less ({message})");
        return Trouble { reason: "QuotaExceeded", message };
    }
    Trouble { reason: "PodsRefused", message: message.to_owned() }
}

fn deployment_failure(workloads: &Workloads) -> Option<Trouble> {
    let conditions = workloads.aggregator.as_ref()?.status.as_ref()?.conditions.as_ref()?;
    let failed = conditions.iter().find(|one| {
        one.type_.as_deref() == Some("ReplicaFailure") && one.status.as_deref() == Some("True")
    })?;
    Some(refused(failed.message.as_deref().unwrap_or_default()))
}

/// Why a pod does not become Ready.
fn stuck(pod: &Pod) -> Option<Trouble> {
    if is_ready(pod) {
        return None;
    }
    let status = pod.status.as_ref()?;
    let name = pod.name_any();
    let unscheduled =
        status.conditions.iter().flatten().find(|one| one.type_ == "PodScheduled" && one.status == "False");
    if let Some(condition) = unscheduled {
        let why = condition.message.clone().unwrap_or_default();
        return Some(unschedulable(&name, &why));
    }
    let containers =
        status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
    containers.filter_map(|container| waits(&name, container)).next()
}

fn unschedulable(name: &str, why: &str) -> Trouble {
    let (reason, advice) = if why.contains("free ports") {
        (
            "PortTaken",
            "another pod holds a port of spec.listeners on the node: give this collector other ports, or remove the other one",
        )
    } else if why.contains("PersistentVolumeClaim") {
        (
            "VolumeNotBound",
            "no volume binds to the aggregator's claim: name a class in spec.aggregator.storage.storageClassName that provisions, make a PersistentVolume, or use type EmptyDir",
        )
    } else {
        ("Unschedulable", "look at placement and resources in the spec")
    };
    Trouble { reason, message: format!("pod {name}: {advice} ({why})") }
}

fn waits(pod: &str, container: &ContainerStatus) -> Option<Trouble> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let told = waiting.message.as_deref().unwrap_or_default();
    let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let (reason, advice) = match waiting.reason.as_deref()? {
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => (
            "ImageNotPulled",
            format!(
                "the image {} cannot be had: push it to a registry that the nodes reach, or load it",
                container.image
            ),
        ),
        "CrashLoopBackOff" => {
            let code = last.map_or(0, |ended| ended.exit_code);
            (
                "CrashLooping",
                format!("{} ended with exit code {code}: kubectl logs --previous {pod}", container.name),
            )
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            ("ContainerNotStarted", format!("{} cannot be started", container.name))
        }
        _ => return None,
    };
    Some(Trouble { reason, message: format!("pod {pod}: {advice} ({told})") })
}

/// Where exporters reach a listener: `address:port`, sorted.
pub(super) fn addresses(
    exposure: &ExposureConfig,
    listener: &ListenerConfig,
    workloads: &Workloads,
    collector: &str,
) -> Vec<String> {
    let hosts = || hosts(workloads);
    let found: BTreeSet<String> = match exposure {
        ExposureConfig::HostNetwork | ExposureConfig::HostPort => {
            hosts().iter().map(|host| with_port(host, i32::from(listener.port))).collect()
        }
        ExposureConfig::Service(_) => {
            let name = format!("{}-edge", collector.split_once('/').unwrap_or_default().1);
            let Some(service) = workloads.services.get(&name) else { return Vec::new() };
            of_service(service, listener, &hosts())
        }
    };
    found.into_iter().collect()
}

fn hosts(workloads: &Workloads) -> BTreeSet<String> {
    let ips = |pod: &Pod| -> Vec<String> {
        let status = pod.status.clone().unwrap_or_default();
        match status.host_ips {
            Some(all) if !all.is_empty() => all.into_iter().map(|one| one.ip).collect(),
            _ => status.host_ip.into_iter().collect(),
        }
    };
    super::edges(workloads).flat_map(ips).collect()
}

/// A load balancer's addresses, else the ports of the nodes, else the address inside the cluster.
fn of_service(service: &Service, listener: &ListenerConfig, hosts: &BTreeSet<String>) -> BTreeSet<String> {
    let port = i32::from(listener.port);
    let spec = service.spec.clone().unwrap_or_default();
    let ingress = service.status.as_ref().and_then(|status| status.load_balancer.as_ref()?.ingress.clone());
    let balanced: BTreeSet<String> = ingress
        .into_iter()
        .flatten()
        .filter_map(|point| point.ip.or(point.hostname))
        .map(|host| with_port(&host, port))
        .collect();
    if !balanced.is_empty() {
        return balanced;
    }
    let ports = spec.ports.unwrap_or_default();
    let node_port =
        ports.iter().find(|one| one.name.as_deref() == Some(&listener.name)).and_then(|one| one.node_port);
    if let Some(node_port) = node_port {
        return hosts.iter().map(|host| with_port(host, node_port)).collect();
    }
    let inside = spec.cluster_ips.unwrap_or_default();
    inside.iter().filter(|ip| ip.as_str() != "None").map(|host| with_port(host, port)).collect()
}

fn with_port(host: &str, port: i32) -> String {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(_)) => format!("[{host}]:{port}"),
        _ => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests;
