//! What the cluster is to have for a collector: pure. The same input gives the same objects, byte for byte.

mod access;
mod aggregator;
mod config;
mod edge;
mod image;
mod monitor;
mod network;
mod pod;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crds::collector::FlowCollector;
use crds::config::Fleet;
use crds::config::cluster::ClusterConfig;
use crds::config::target::ExportConfig;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ObjectMeta;
use kube::core::DynamicObject;
use kube::{Resource, ResourceExt};

pub(crate) use image::version;

use crate::apply::Desired;
use crate::cache::{Cache, Place};
use crate::context::Options;
use crate::dereference::Observed;
use crate::facts::Refusal;
use crate::kind::{self, Kind};
use crate::revision::{self, Of};
use crate::validate::Verdict;

/// Everything that is to be there.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// In the order in which they are applied.
    pub objects: Vec<Desired>,
    /// The image of all programs.
    pub image: String,
}

/// What the builders look at.
pub(crate) struct Ground<'a> {
    pub(crate) collector: &'a FlowCollector,
    pub(crate) fleet: &'a Fleet,
    pub(crate) cluster: &'a ClusterConfig,
    pub(crate) options: &'a Options,
    pub(crate) image: String,
    /// Folder of the edges on their nodes.
    pub(crate) host_path: Option<String>,
}

/// Builds all objects of a collector.
///
/// # Errors
/// What the operator's installation does not allow: nothing of it is applied then.
pub fn build(
    observed: &Observed,
    (collector, fleet): (&FlowCollector, &Fleet),
    verdict: &Verdict,
    bundle: &str,
    options: &Options,
) -> Result<Built, Refusal> {
    let ground = Ground::new(collector, fleet, options)?;
    let mut objects = revisions(&ground, observed, verdict);
    objects.extend(access::build(&ground));
    objects.push(config::roots(&ground, bundle));
    objects.push(config::secrets(&ground, &verdict.secrets));
    objects.extend(config::hot(&ground, &verdict.hot));
    let (edge, aggregator) = (config::edge(&ground), config::aggregator(&ground));
    let hashes = (config::hash(&edge), config::hash(&aggregator));
    objects.extend([edge, aggregator]);
    objects.extend(network::build(&ground));
    let monitor = ground.cluster.service_monitor.as_ref().filter(|_| observed.knows_service_monitors);
    objects.extend(monitor.map(|wanted| monitor::service_monitor(&ground, wanted)));
    objects.extend(aggregator::claim(&ground, observed.workloads.claim.as_ref())?);
    objects.push(aggregator::deployment(&ground, &hashes.1));
    objects.push(edge::daemon_set(&ground, &hashes.0, needs_relay(verdict)));
    Ok(Built { objects, image: ground.image })
}

/// An object that is ours and no longer wanted.
#[derive(Clone, Debug)]
pub struct Surplus {
    /// As it is.
    pub object: Arc<DynamicObject>,
    /// Where it lies.
    pub place: Place,
}

/// What a collector owned and does not want any more: the Service of another exposure, revisions past the last three.
pub fn surplus(cache: &Cache, observed: &Observed, built: &Built) -> Vec<Surplus> {
    let wanted: BTreeSet<&Place> = built.objects.iter().map(|desired| &desired.place).collect();
    let uid = observed.collector.uid().unwrap_or_default();
    let namespace = observed.collector.namespace();
    let mut found = Vec::new();
    // Pods belong to their workload, and what holds data goes by its own rules.
    for kind in [Kind::Service, Kind::NetworkPolicy, Kind::ConfigMap, Kind::Role, Kind::RoleBinding] {
        for object in cache.labeled(kind, namespace.as_deref(), (kind::COLLECTOR_UID, &uid)) {
            let place = Place::of(kind, &object);
            if !wanted.contains(&place) {
                found.push(Surplus { object, place });
            }
        }
    }
    let lives: BTreeSet<String> =
        observed.profiles.iter().filter_map(ResourceExt::uid).chain([uid]).collect();
    for revision in observed.revisions.surplus(|uid| lives.contains(uid)) {
        let place = Place::new(
            Kind::ControllerRevision,
            revision.namespace().unwrap_or_default(),
            revision.name_any(),
        );
        found.extend(cache.get(&place).map(|object| Surplus { object, place }));
    }
    found
}

impl<'a> Ground<'a> {
    fn new(collector: &'a FlowCollector, fleet: &'a Fleet, options: &'a Options) -> Result<Self, Refusal> {
        let cluster = &fleet.cluster;
        let refused = |reason, message: String| Refusal { reason, message };
        let host_path = cluster
            .edge
            .storage
            .host_path(&options.host_path_prefix, &fleet.edge.collector)
            .map_err(|error| refused("FolderNotAllowed", error.to_string()))?;
        for (path, class) in [
            ("spec.edge.placement", &cluster.edge.placement.priority_class_name),
            ("spec.aggregator.placement", &cluster.aggregator.placement.priority_class_name),
        ] {
            allowed_class(path, class.as_deref(), options)?;
        }
        let image = image::chosen(collector, &cluster.version, options)?;
        Ok(Self { collector, fleet, cluster, options, image, host_path })
    }

    pub(crate) fn namespace(&self) -> &str {
        crds::config::namespace(&self.collector.metadata)
    }

    /// The name of the collector.
    pub(crate) fn name(&self) -> String {
        self.collector.name_any()
    }

    /// `NAME-edge`, `NAME-aggregator`, ...
    pub(crate) fn named(&self, part: &str) -> String {
        format!("{}-{part}", self.name())
    }

    /// Metadata of an owned object of a component.
    pub(crate) fn meta(&self, part: &str, component: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(self.named(part)),
            namespace: Some(self.namespace().to_owned()),
            labels: Some(self.labels(component)),
            owner_references: Some(vec![self.owner()]),
            ..ObjectMeta::default()
        }
    }

    /// What selects the pods of a component: never anything that changes.
    pub(crate) fn selector(&self, component: &str) -> BTreeMap<String, String> {
        let label = |key: &str, value: &str| (format!("app.kubernetes.io/{key}"), value.to_owned());
        BTreeMap::from([
            label("name", "weir"),
            label("instance", &self.name()),
            label("component", component),
        ])
    }

    pub(crate) fn labels(&self, component: &str) -> BTreeMap<String, String> {
        let mut labels = self.selector(component);
        let mut add = |key: &str, value: String| labels.insert(key.to_owned(), value);
        add("app.kubernetes.io/part-of", "weir".to_owned());
        add("app.kubernetes.io/managed-by", crate::apply::MANAGER.to_owned());
        add(kind::CONTROLLER, self.options.controller.clone());
        add(kind::COLLECTOR, self.name());
        add(kind::COLLECTOR_UID, self.collector.uid().unwrap_or_default());
        labels
    }

    pub(crate) fn owner(&self) -> OwnerReference {
        OwnerReference {
            api_version: FlowCollector::api_version(&()).into_owned(),
            kind: FlowCollector::kind(&()).into_owned(),
            name: self.name(),
            uid: self.collector.uid().unwrap_or_default(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }
}

/// Whether a target wants datagrams in the exporters' names: the one thing that an edge may not do itself.
fn needs_relay(verdict: &Verdict) -> bool {
    let running = verdict.targets.iter().filter_map(|target| target.runs.as_ref());
    running.into_iter().any(|running| match &running.target.export {
        ExportConfig::Replicate(replicate) => replicate.preserve_source,
        ExportConfig::Kafka(_) => false,
    })
}

fn allowed_class(path: &str, class: Option<&str>, options: &Options) -> Result<(), Refusal> {
    let Some(class) = class else { return Ok(()) };
    if options.allowed_priority_classes.iter().any(|allowed| allowed == class) {
        return Ok(());
    }
    let allowed = if options.allowed_priority_classes.is_empty() {
        "none is allowed".to_owned()
    } else {
        format!("allowed are {}", options.allowed_priority_classes.join(", "))
    };
    let message = format!(
        "{path}.priorityClassName: {class} is not allowed by the operator (--allowed-priority-classes): {allowed}"
    );
    Err(Refusal { reason: "PriorityClassNotAllowed", message })
}

/// What was accepted now, so that it is there when it is needed.
fn revisions(ground: &Ground<'_>, observed: &Observed, verdict: &Verdict) -> Vec<Desired> {
    let prefix = ground.name();
    let mut made = Vec::new();
    if verdict.refused.is_none() {
        let uid = ground.collector.uid().unwrap_or_default();
        let name = format!("FlowCollector {}", ground.fleet.edge.collector);
        let of = Of { prefix: &prefix, uid: &uid, name: &name };
        let spec = serde_json::to_value(&ground.collector.spec).unwrap_or_default();
        made.extend(observed.revisions.newer(&of, spec));
    }
    for profile in verdict.profiles.iter().filter(|profile| profile.refused.is_none()) {
        let Some(runs) = &profile.runs else { continue };
        let name = format!("FlowProfile {}", profile.name);
        let of = Of { prefix: &prefix, uid: &profile.uid, name: &name };
        made.extend(observed.revisions.newer(&of, revision::of_profile(runs)));
    }
    made.into_iter()
        .map(|mut revision| {
            let meta = ground.meta("revision", "config");
            revision.metadata.labels.get_or_insert_default().extend(meta.labels.unwrap_or_default());
            revision.metadata.namespace = meta.namespace;
            revision.metadata.owner_references = meta.owner_references;
            Desired::new(Kind::ControllerRevision, &revision)
        })
        .collect()
}

#[cfg(test)]
mod tests;
