//! The edges: a pod on every node.

use crds::config::Transport;
use crds::config::cluster::{BufferMode, EdgeFolder, ExposureConfig};
use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy, RollingUpdateDaemonSet};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EmptyDirVolumeSource, ExecAction, HostPathVolumeSource, PodSpec,
    Probe, SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::Ground;
use super::network::protocol;
use super::pod::{self, DATA, INGEST_PORT, USER};
use crate::apply::Desired;
use crate::kind::Kind;

/// So many edges are replaced at once.
const UNAVAILABLE: &str = "10%";

/// The DaemonSet; with a relay where a target wants datagrams in the exporters' names.
pub(super) fn daemon_set(ground: &Ground<'_>, hash: &str, relay: bool) -> Desired {
    let set = DaemonSet {
        metadata: ground.meta("edge", "edge"),
        spec: DaemonSetSpec {
            selector: LabelSelector {
                match_labels: Some(ground.selector("edge")),
                ..LabelSelector::default()
            },
            template: pod::template(ground, "edge", hash, pod_spec(ground, relay)),
            update_strategy: Some(DaemonSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDaemonSet {
                    max_unavailable: Some(IntOrString::String(UNAVAILABLE.to_owned())),
                    ..RollingUpdateDaemonSet::default()
                }),
            }),
            ..DaemonSetSpec::default()
        },
        ..DaemonSet::default()
    };
    Desired::new(Kind::DaemonSet, &set)
}

fn pod_spec(ground: &Ground<'_>, relay: bool) -> PodSpec {
    let host_network = ground.cluster.exposure == ExposureConfig::HostNetwork;
    let user = user(ground);
    let mut volumes = pod::volumes(ground, "edge");
    volumes.push(data(ground));
    let mut containers = vec![edge(ground)];
    if relay {
        containers[0].volume_mounts.get_or_insert_default().push(socket());
        containers.push(relay_container(ground));
        volumes.push(Volume {
            name: "run".to_owned(),
            empty_dir: Some(EmptyDirVolumeSource { medium: Some("Memory".to_owned()), ..Default::default() }),
            ..Volume::default()
        });
    }
    let spec = PodSpec {
        host_network: Some(true).filter(|_| host_network),
        // The cluster's names are not known on the node's network otherwise.
        dns_policy: Some(if host_network { "ClusterFirstWithHostNet" } else { "ClusterFirst" }.to_owned()),
        security_context: Some(pod::security(user)),
        init_containers: ground.host_path.is_some().then(|| vec![folder(ground, user)]),
        containers,
        volumes: Some(volumes),
        ..PodSpec::default()
    };
    pod::placed(&ground.cluster.edge.placement, spec)
}

/// NET_ADMIN reaches a program of another user than root only by a file's capabilities, which the image does not have.
fn user(ground: &Ground<'_>) -> i64 {
    match ground.cluster.edge.buffer_mode {
        BufferMode::NodeTuned => USER,
        BufferMode::Forced => 0,
    }
}

fn edge(ground: &Ground<'_>) -> Container {
    let mut arguments = pod::arguments(ground, "edge");
    let (name, namespace) = (ground.named("aggregator"), ground.namespace());
    arguments.push(format!("--aggregator=https://{name}.{namespace}.svc:{INGEST_PORT}"));
    arguments.push("--name=$(NODE_NAME)".to_owned());
    let mut container = pod::container(ground, "edge", arguments);
    if ground.cluster.edge.buffer_mode == BufferMode::Forced {
        let capabilities =
            Capabilities { drop: Some(vec!["ALL".to_owned()]), add: Some(vec!["NET_ADMIN".to_owned()]) };
        container.security_context =
            Some(SecurityContext { capabilities: Some(capabilities), ..pod::no_rights() });
    }
    Container {
        env: Some(pod::environment()),
        ports: Some(ports(ground)),
        resources: Some(ground.cluster.edge.resources.clone()),
        volume_mounts: Some(pod::mounts()),
        // No port for a probe on the node's network: the program answers on a socket in its folder.
        startup_probe: Some(probe(&["--started"], 1, 60)),
        readiness_probe: Some(probe(&[], 5, 3)),
        ..container
    }
}

/// An edge that has started collects, also while operator or aggregator are away: that is no reason to start it anew.
/// Sends what edges replicate with `preserveSource`. Only root may have a raw socket: a container for that alone, whose
/// socket the edge's group may open.
fn relay_container(ground: &Ground<'_>) -> Container {
    let capabilities =
        Capabilities { drop: Some(vec!["ALL".to_owned()]), add: Some(vec!["NET_RAW".to_owned()]) };
    let arguments = ["relay".to_owned(), "--log-format=json".to_owned()].to_vec();
    Container {
        security_context: Some(SecurityContext {
            run_as_user: Some(0),
            run_as_group: Some(USER),
            run_as_non_root: Some(false),
            capabilities: Some(capabilities),
            ..pod::no_rights()
        }),
        volume_mounts: Some(vec![socket()]),
        ..pod::container(ground, "relay", arguments)
    }
}

/// Where the relay's socket is.
fn socket() -> VolumeMount {
    VolumeMount { name: "run".to_owned(), mount_path: "/run/weir".to_owned(), ..VolumeMount::default() }
}

fn probe(more: &[&str], period_seconds: i32, failure_threshold: i32) -> Probe {
    let command =
        ["/weir", "health", "--data", DATA].iter().chain(more).map(|&word| word.to_owned()).collect();
    Probe {
        exec: Some(ExecAction { command: Some(command) }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(5),
        failure_threshold: Some(failure_threshold),
        ..Probe::default()
    }
}

/// Declared on the node's network too: the scheduler then refuses a second collector with the same port.
fn ports(ground: &Ground<'_>) -> Vec<ContainerPort> {
    let on_host = ground.cluster.exposure.needs_privileged_namespace();
    let port = |(name, port, transport): (&str, u16, Transport)| ContainerPort {
        name: Some(name.to_owned()),
        container_port: i32::from(port),
        host_port: Some(i32::from(port)).filter(|_| on_host),
        protocol: Some(protocol(transport).to_owned()),
        ..ContainerPort::default()
    };
    let listeners = ground.fleet.edge.listeners.iter();
    listeners.map(|listener| port((&listener.name, listener.port, listener.transport))).collect()
}

fn data(ground: &Ground<'_>) -> Volume {
    let mut volume = Volume { name: "data".to_owned(), ..Volume::default() };
    match (&ground.cluster.edge.storage, &ground.host_path) {
        (EdgeFolder::EmptyDir { size }, _) => {
            volume.empty_dir =
                Some(EmptyDirVolumeSource { size_limit: Some(Quantity(size.clone())), ..Default::default() });
        }
        (EdgeFolder::HostPath { .. }, path) => {
            volume.host_path = Some(HostPathVolumeSource {
                path: path.clone().unwrap_or_default(),
                type_: Some("DirectoryOrCreate".to_owned()),
            });
        }
    }
    volume
}

/// A folder of the node is root's when the kubelet makes it, and fsGroup does not apply to it.
fn folder(ground: &Ground<'_>, user: i64) -> Container {
    let arguments = ["prepare".to_owned(), format!("--data={DATA}"), format!("--owner={user}:{user}")];
    let container = pod::container(ground, "data", arguments.to_vec());
    let capabilities =
        Capabilities { drop: Some(vec!["ALL".to_owned()]), add: Some(vec!["CHOWN".to_owned()]) };
    Container {
        security_context: Some(SecurityContext {
            run_as_user: Some(0),
            run_as_group: Some(0),
            run_as_non_root: Some(false),
            capabilities: Some(capabilities),
            ..pod::no_rights()
        }),
        volume_mounts: Some(vec![VolumeMount {
            name: "data".to_owned(),
            mount_path: DATA.to_owned(),
            ..VolumeMount::default()
        }]),
        ..container
    }
}
