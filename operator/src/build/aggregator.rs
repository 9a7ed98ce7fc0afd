//! The aggregator: one pod, and the volume with the series.

use crds::config::cluster::{AggregatorVolume, ReclaimPolicy};
use crds::config::quantity::thousandths;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EmptyDirVolumeSource, HTTPGetAction, PersistentVolumeClaim,
    PersistentVolumeClaimSpec, PersistentVolumeClaimVolumeSource, PodSpec, Probe, Toleration, Volume,
    VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::Ground;
use super::pod::{self, API_PORT, INGEST_PORT, USER};
use crate::apply::Desired;
use crate::facts::Refusal;
use crate::kind::Kind;

/// From a dead node the aggregator moves after so many seconds, not after Kubernetes' five minutes.
const TOLERATED_SECONDS: i64 = 30;

/// The Deployment. Recreate: two of them would write one store.
pub(super) fn deployment(ground: &Ground<'_>, hash: &str) -> Desired {
    let deployment = Deployment {
        metadata: ground.meta("aggregator", "aggregator"),
        spec: DeploymentSpec {
            replicas: Some(1),
            selector: LabelSelector {
                match_labels: Some(ground.selector("aggregator")),
                ..LabelSelector::default()
            },
            strategy: Some(DeploymentStrategy { type_: Some("Recreate".to_owned()), rolling_update: None }),
            template: pod::template(ground, "aggregator", hash, pod_spec(ground)),
            ..DeploymentSpec::default()
        },
        ..Deployment::default()
    };
    Desired::new(Kind::Deployment, &deployment)
}

/// The claim of the volume, where there is one. It has no owner unless it is to go with the collector.
///
/// # Errors
/// When it is to become smaller: no volume does.
pub(super) fn claim(
    ground: &Ground<'_>,
    there: Option<&PersistentVolumeClaim>,
) -> Result<Option<Desired>, Refusal> {
    let AggregatorVolume::Claim { size, class, reclaim } = &ground.cluster.aggregator.storage else {
        return Ok(None);
    };
    let asked = there.and_then(|claim| {
        claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?.get("storage").map(|size| size.0.clone())
    });
    if let Some(asked) = asked.filter(|asked| thousandths(asked) > thousandths(size)) {
        let message = format!(
            "spec.aggregator.storage.size: the claim {} has {asked} and cannot become {size}; ask for {asked} or more",
            ground.named("aggregator")
        );
        return Err(Refusal { reason: "VolumeCannotShrink", message });
    }
    let mut metadata = ground.meta("aggregator", "aggregator");
    if *reclaim == ReclaimPolicy::Retain {
        metadata.owner_references = None;
    }
    let claim = PersistentVolumeClaim {
        metadata,
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: class.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), Quantity(size.clone()))].into()),
                ..VolumeResourceRequirements::default()
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    };
    Ok(Some(Desired::new(Kind::PersistentVolumeClaim, &claim)))
}

fn pod_spec(ground: &Ground<'_>) -> PodSpec {
    let mut volumes = pod::volumes(ground, "aggregator");
    volumes.push(data(ground));
    let gone = |taint: &str| Toleration {
        key: Some(format!("node.kubernetes.io/{taint}")),
        operator: Some("Exists".to_owned()),
        effect: Some("NoExecute".to_owned()),
        toleration_seconds: Some(TOLERATED_SECONDS),
        ..Toleration::default()
    };
    let spec = PodSpec {
        security_context: Some(pod::security(USER)),
        containers: vec![aggregator(ground)],
        volumes: Some(volumes),
        tolerations: Some(vec![gone("not-ready"), gone("unreachable")]),
        ..PodSpec::default()
    };
    pod::placed(&ground.cluster.aggregator.placement, spec)
}

fn aggregator(ground: &Ground<'_>) -> Container {
    let mut arguments = pod::arguments(ground, "aggregator");
    arguments.extend([
        format!("--listen=[::]:{API_PORT}"),
        format!("--ingest=[::]:{INGEST_PORT}"),
        "--access=kubernetes".to_owned(),
    ]);
    let port = |name: &str, port: i32| ContainerPort {
        name: Some(name.to_owned()),
        container_port: port,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    Container {
        env: Some(pod::environment()),
        ports: Some(vec![port("api", API_PORT), port("ingest", INGEST_PORT)]),
        resources: Some(ground.cluster.aggregator.resources.clone()),
        volume_mounts: Some(pod::mounts()),
        // A store of years takes its time to open.
        startup_probe: Some(probe("/healthz", 2, 150)),
        readiness_probe: Some(probe("/readyz", 5, 3)),
        liveness_probe: Some(probe("/healthz", 10, 6)),
        ..pod::container(ground, "aggregator", arguments)
    }
}

fn probe(path: &str, period_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("api".to_owned()),
            scheme: Some("HTTPS".to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(5),
        failure_threshold: Some(failure_threshold),
        ..Probe::default()
    }
}

fn data(ground: &Ground<'_>) -> Volume {
    let mut volume = Volume { name: "data".to_owned(), ..Volume::default() };
    match &ground.cluster.aggregator.storage {
        AggregatorVolume::Claim { .. } => {
            volume.persistent_volume_claim = Some(PersistentVolumeClaimVolumeSource {
                claim_name: ground.named("aggregator"),
                read_only: None,
            });
        }
        AggregatorVolume::EmptyDir { size } => {
            volume.empty_dir =
                Some(EmptyDirVolumeSource { size_limit: Some(Quantity(size.clone())), ..Default::default() });
        }
    }
    volume
}
