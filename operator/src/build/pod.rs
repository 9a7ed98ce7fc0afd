//! What the pods of both components have in common.

use std::collections::BTreeMap;

use crds::config::cluster::Placement;
use crds::config::hot;
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, EnvVar, EnvVarSource, ObjectFieldSelector,
    PodSecurityContext, PodSpec, PodTemplateSpec, ProjectedVolumeSource, SeccompProfile, SecretVolumeSource,
    SecurityContext, ServiceAccountTokenProjection, Volume, VolumeMount, VolumeProjection,
};
use kube::api::ObjectMeta;

use super::Ground;

/// Where the page and the API listen.
pub(super) const API_PORT: i32 = 8470;
/// Where edges deliver.
pub(super) const INGEST_PORT: i32 = 8471;
/// Where a pod keeps its data.
pub(super) const DATA: &str = "/var/lib/weir";
/// Who the programs are on their node: no user of the image or the node.
pub(super) const USER: i64 = 65_532;
/// A token lives so long; the kubelet renews it.
const TOKEN_SECONDS: i64 = 600;
/// So long a pod may ship what it has when it is told to stop.
pub(super) const GRACE_SECONDS: i64 = 60;

/// A container of the image with a subcommand.
pub(super) fn container(ground: &Ground<'_>, name: &str, arguments: Vec<String>) -> Container {
    Container {
        name: name.to_owned(),
        image: Some(ground.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(arguments),
        security_context: Some(no_rights()),
        ..Container::default()
    }
}

/// Nothing but what a program has that nobody trusts.
pub(super) fn no_rights() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        ..SecurityContext::default()
    }
}

/// Security of a pod whose programs run as a user.
pub(super) fn security(user: i64) -> PodSecurityContext {
    PodSecurityContext {
        run_as_user: Some(user),
        run_as_group: Some(user),
        run_as_non_root: Some(user != 0),
        fs_group: Some(user).filter(|&user| user != 0),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

/// Where `--hot`, `--config`, `--ca-file` and `--token-file` point.
pub(super) fn arguments(ground: &Ground<'_>, component: &str) -> Vec<String> {
    [
        component.to_owned(),
        format!("--config=/etc/weir/static/{component}.yaml"),
        "--hot=/etc/weir/hot".to_owned(),
        format!("--watch={}", ground.fleet.edge.collector),
        format!("--enroll={}", ground.options.enroll),
        "--token-file=/var/run/secrets/weir/token".to_owned(),
        "--ca-file=/etc/weir/ca/ca.crt".to_owned(),
        format!("--data={DATA}"),
        "--log-format=json".to_owned(),
    ]
    .to_vec()
}

/// What the arguments point to.
pub(super) fn mounts() -> Vec<VolumeMount> {
    let mount = |name: &str, path: &str| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    let hot = (0..hot::SHARDS).map(|shard| mount(&format!("hot-{shard}"), &format!("/etc/weir/hot/{shard}")));
    let mut mounts = vec![
        mount("static", "/etc/weir/static"),
        mount("ca", "/etc/weir/ca"),
        mount("token", "/var/run/secrets/weir"),
        mount("targets", "/etc/weir/targets"),
    ];
    mounts.extend(hot);
    mounts.push(VolumeMount { read_only: None, ..mount("data", DATA) });
    mounts
}

/// The volumes of the mounts, without `data`.
pub(super) fn volumes(ground: &Ground<'_>, component: &str) -> Vec<Volume> {
    let config = |volume: &str, part: &str, optional: bool| Volume {
        name: volume.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: ground.named(part),
            optional: Some(optional),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    let token = Volume {
        name: "token".to_owned(),
        projected: Some(ProjectedVolumeSource {
            sources: Some(vec![token()]),
            ..ProjectedVolumeSource::default()
        }),
        ..Volume::default()
    };
    let targets = Volume {
        name: "targets".to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(ground.named("targets")),
            optional: Some(true),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    };
    let mut volumes = vec![config("static", component, false), config("ca", "ca", false), token, targets];
    volumes.extend((0..hot::SHARDS).map(|shard| {
        let name = format!("hot-{shard}");
        config(&name, &name, true)
    }));
    volumes
}

/// The token for the operator's enrolment port, and for nothing else.
fn token() -> VolumeProjection {
    VolumeProjection {
        service_account_token: Some(ServiceAccountTokenProjection {
            audience: Some(crds::enroll::AUDIENCE.to_owned()),
            expiration_seconds: Some(TOKEN_SECONDS),
            path: "token".to_owned(),
            ..ServiceAccountTokenProjection::default()
        }),
        ..VolumeProjection::default()
    }
}

/// What a program learns of its own pod.
pub(super) fn environment() -> Vec<EnvVar> {
    let field = |name: &str, path: &str| EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: path.to_owned(),
                ..ObjectFieldSelector::default()
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    };
    vec![
        field("NODE_NAME", "spec.nodeName"),
        field("POD_NAME", "metadata.name"),
        field("POD_UID", "metadata.uid"),
    ]
}

/// The template around a pod. The hash of the static configuration rolls the pods when it changes.
pub(super) fn template(ground: &Ground<'_>, component: &str, hash: &str, spec: PodSpec) -> PodTemplateSpec {
    let annotations = BTreeMap::from([("weir.dev/static-config".to_owned(), hash.to_owned())]);
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(ground.labels(component)),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            service_account_name: Some(ground.named(component)),
            termination_grace_period_seconds: Some(GRACE_SECONDS),
            enable_service_links: Some(false),
            ..spec
        }),
    }
}

/// Where pods may run.
pub(super) fn placed(placement: &Placement, spec: PodSpec) -> PodSpec {
    PodSpec {
        node_selector: Some(placement.node_selector.clone()).filter(|labels| !labels.is_empty()),
        tolerations: Some([spec.tolerations.unwrap_or_default(), placement.tolerations.clone()].concat())
            .filter(|all| !all.is_empty()),
        priority_class_name: placement.priority_class_name.clone(),
        ..spec
    }
}
