//! How exporters, edges and people reach the pods: Services, and the NetworkPolicy before the aggregator.

use std::collections::BTreeMap;

use crds::config::Transport;
use crds::config::cluster::{EdgeService, ExposureConfig, ServiceConfig, ServiceType};
use k8s_openapi::api::core::v1::{ClientIPConfig, Service, ServicePort, ServiceSpec, SessionAffinityConfig};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::Ground;
use super::pod::{API_PORT, INGEST_PORT};
use crate::apply::Desired;
use crate::kind::Kind;

/// An exporter stays with one edge for so long after its last datagram: its templates are there.
const STICKY_SECONDS: i32 = 86_400;

/// Services and, where it is wanted, the NetworkPolicy.
pub(super) fn build(ground: &Ground<'_>) -> Vec<Desired> {
    let mut built = vec![api(ground)];
    if let ExposureConfig::Service(service) = &ground.cluster.exposure {
        built.push(edges(ground, service));
    }
    if let Some(policy) = &ground.cluster.network_policy {
        built.push(Desired::new(Kind::NetworkPolicy, &network_policy(ground, &policy.from)));
    }
    built
}

/// Before the aggregator: people ask at `api`, edges deliver at `ingest`.
fn api(ground: &Ground<'_>) -> Desired {
    let ServiceConfig { type_, annotations, node_port, load_balancer_class } =
        &ground.cluster.aggregator.service;
    let port = |name: &str, port: i32, node_port: Option<u16>| ServicePort {
        name: Some(name.to_owned()),
        port,
        target_port: Some(IntOrString::String(name.to_owned())),
        protocol: Some("TCP".to_owned()),
        node_port: node_port.map(i32::from),
        ..ServicePort::default()
    };
    let spec = ServiceSpec {
        ports: Some(vec![port("api", API_PORT, *node_port), port("ingest", INGEST_PORT, None)]),
        ..service_spec(ground, "aggregator", *type_, load_balancer_class.as_ref())
    };
    service(ground, "aggregator", annotations, spec)
}

/// Before the edges. What comes to a node stays on it, with its address, and with one edge.
fn edges(ground: &Ground<'_>, wanted: &EdgeService) -> Desired {
    let ports = ground.fleet.edge.listeners.iter().map(|listener| ServicePort {
        name: Some(listener.name.clone()),
        port: i32::from(listener.port),
        target_port: Some(IntOrString::String(listener.name.clone())),
        protocol: Some(protocol(listener.transport).to_owned()),
        node_port: wanted.node_ports.get(&listener.name).map(|&port| i32::from(port)),
        ..ServicePort::default()
    });
    let local = Some("Local".to_owned());
    let outside = wanted.type_ != ServiceType::ClusterIP;
    let spec = ServiceSpec {
        ports: Some(ports.collect()),
        session_affinity: Some("ClientIP".to_owned()),
        session_affinity_config: Some(SessionAffinityConfig {
            client_ip: Some(ClientIPConfig { timeout_seconds: Some(STICKY_SECONDS) }),
        }),
        external_traffic_policy: local.clone().filter(|_| outside),
        internal_traffic_policy: local.filter(|_| !outside),
        ..service_spec(ground, "edge", wanted.type_, wanted.load_balancer_class.as_ref())
    };
    service(ground, "edge", &wanted.annotations, spec)
}

fn service_spec(
    ground: &Ground<'_>,
    component: &str,
    type_: ServiceType,
    class: Option<&String>,
) -> ServiceSpec {
    let type_ = match type_ {
        ServiceType::ClusterIP => "ClusterIP",
        ServiceType::NodePort => "NodePort",
        ServiceType::LoadBalancer => "LoadBalancer",
    };
    ServiceSpec {
        type_: Some(type_.to_owned()),
        selector: Some(ground.selector(component)),
        ip_family_policy: Some("PreferDualStack".to_owned()),
        load_balancer_class: class.cloned(),
        ..ServiceSpec::default()
    }
}

fn service(
    ground: &Ground<'_>,
    component: &str,
    annotations: &BTreeMap<String, String>,
    spec: ServiceSpec,
) -> Desired {
    let mut metadata = ground.meta(component, component);
    metadata.annotations = Some(annotations.clone()).filter(|annotations| !annotations.is_empty());
    Desired::new(Kind::Service, &Service { metadata, spec: Some(spec), ..Service::default() })
}

/// Ingest is open to all: a certificate is the gate, and edges on the node's network match no selector.
fn network_policy(
    ground: &Ground<'_>,
    from: &[k8s_openapi::api::networking::v1::NetworkPolicyPeer],
) -> NetworkPolicy {
    let port = |name: &str| NetworkPolicyPort {
        port: Some(IntOrString::String(name.to_owned())),
        protocol: Some("TCP".to_owned()),
        ..NetworkPolicyPort::default()
    };
    let rule =
        |name: &str, from: Option<Vec<_>>| NetworkPolicyIngressRule { from, ports: Some(vec![port(name)]) };
    let from = Some(from.to_vec()).filter(|from| !from.is_empty());
    NetworkPolicy {
        metadata: ground.meta("aggregator", "aggregator"),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector {
                match_labels: Some(ground.selector("aggregator")),
                ..LabelSelector::default()
            }),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(vec![rule("ingest", None), rule("api", from)]),
            ..NetworkPolicySpec::default()
        }),
    }
}

/// As Kubernetes spells it.
pub(super) fn protocol(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    }
}
