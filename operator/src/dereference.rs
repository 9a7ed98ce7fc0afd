//! Everything that a decision needs, gathered: from the watches' cache, from the aggregator's stream, and only when
//! pods are missing from the API server.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crds::collector::FlowCollector;
use crds::config::selection::{Choice, Labels, exports, least_labels, runs};
use crds::config::{identity, namespace, secrets};
use crds::profile::FlowProfile;
use crds::target::ExportTarget;
use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod, Service};
use kube::api::ListParams;
use kube::core::DynamicObject;
use kube::{Api, Client, ResourceExt};
use serde::de::DeserializeOwned;
use tracing::warn;

use crate::cache::{Cache, Place, typed};
use crate::fleet::View;
use crate::kind::{self, Kind};
use crate::revision::Revisions;
use crate::secrets::{Data, SecretError, Secrets};

/// What was found of a collector.
#[derive(Clone, Debug)]
pub struct Observed {
    /// As it is written.
    pub collector: FlowCollector,
    /// The profiles that run on it.
    pub profiles: Vec<FlowProfile>,
    /// The targets that it serves, with what their Secrets hold.
    pub targets: Vec<(ExportTarget, Result<Data, SecretError>)>,
    /// What was last good.
    pub revisions: Revisions,
    /// What runs.
    pub workloads: Workloads,
    /// What the programs say of themselves.
    pub fleet: View,
    /// Whether the cluster has prometheus-operator's kind.
    pub knows_service_monitors: bool,
}

/// What the operator made, as it is now.
#[derive(Clone, Debug, Default)]
pub struct Workloads {
    /// The edges.
    pub edges: Option<DaemonSet>,
    /// The aggregator.
    pub aggregator: Option<Deployment>,
    /// The pods of both.
    pub pods: Vec<Pod>,
    /// By name.
    pub services: BTreeMap<String, Service>,
    /// The aggregator's volume.
    pub claim: Option<PersistentVolumeClaim>,
    /// Why the DaemonSet's pods cannot be made, newest first.
    pub refused_pods: Vec<String>,
}

/// A collector with all that concerns it; none when it is not there.
///
/// # Errors
/// When the object does not fit its type.
pub async fn collector(
    cache: &Cache,
    client: &Client,
    known: &Secrets,
    served: &AtomicBool,
    fleet: View,
    name: &str,
) -> Result<Option<Observed>, serde_json::Error> {
    let Some(object) = cache.get(&place(Kind::FlowCollector, name)) else { return Ok(None) };
    let collector: FlowCollector = typed(&object)?;
    let profiles = profiles_of(cache, &collector);
    let mut targets = Vec::new();
    for target in targets_of(cache, &collector) {
        let held = secrets_of(client, known, &target).await;
        targets.push((target, held));
    }
    let uid = collector.uid().unwrap_or_default();
    let owned = |kind| cache.labeled(kind, Some(namespace(&collector.metadata)), (kind::COLLECTOR_UID, &uid));
    let revisions = Revisions::new(all::<ControllerRevision>(&owned(Kind::ControllerRevision)));
    let mut workloads = Workloads {
        edges: all(&owned(Kind::DaemonSet)).into_iter().next(),
        aggregator: all(&owned(Kind::Deployment)).into_iter().next(),
        pods: all(&owned(Kind::Pod)),
        services: all::<Service>(&owned(Kind::Service))
            .into_iter()
            .map(|one| (one.name_any(), one))
            .collect(),
        claim: all(&owned(Kind::PersistentVolumeClaim)).into_iter().next(),
        refused_pods: Vec::new(),
    };
    if workloads.edges.as_ref().is_some_and(lacks_pods) {
        workloads.refused_pods = refused_pods(client, &collector).await;
    }
    let knows_service_monitors = served.load(Ordering::Relaxed);
    Ok(Some(Observed { collector, profiles, targets, revisions, workloads, fleet, knows_service_monitors }))
}

/// The place of an object by its `namespace/name`.
pub fn place(kind: Kind, name: &str) -> Place {
    let (namespace, name) = name.split_once('/').unwrap_or_default();
    Place::new(kind, namespace, name)
}

/// The collectors on which a profile runs, or is to run by its reference.
pub fn collectors_of(cache: &Cache, profile: &FlowProfile) -> Vec<String> {
    let labels = namespace_labels(cache, namespace(&profile.metadata));
    let collectors = all::<FlowCollector>(&cache.list(Kind::FlowCollector, None));
    let chosen = collectors.iter().filter(|collector| runs(collector, profile, &labels) == Choice::Chosen);
    chosen.map(|collector| identity(&collector.metadata)).collect()
}

/// The collectors that serve a target, or are to by its reference.
pub fn collectors_serving(cache: &Cache, target: &ExportTarget) -> Vec<String> {
    let labels = namespace_labels(cache, namespace(&target.metadata));
    let collectors = all::<FlowCollector>(&cache.list(Kind::FlowCollector, None));
    let chosen = collectors.iter().filter(|collector| chosen(collector, target, &labels));
    chosen.map(|collector| identity(&collector.metadata)).collect()
}

/// Why no collector serves a target.
pub fn unserved(cache: &Cache, target: &ExportTarget) -> String {
    let namespace = namespace(&target.metadata);
    let Some(reference) = &target.spec.collector_ref else {
        return format!(
            "no FlowCollector selects it: one in namespace {namespace} whose targetSelector matches its labels would, or \
             one elsewhere whose targetNamespaceSelector lets the namespace in"
        );
    };
    let there = reference.namespace.as_deref().unwrap_or(namespace);
    let name = &reference.name;
    match cache.get(&Place::new(Kind::FlowCollector, there, name)) {
        None => format!(
            "spec.collectorRef: there is no FlowCollector {name} in namespace {there}; name one that is there, or leave \
             collectorRef out"
        ),
        Some(_) => format!(
            "FlowCollector {there}/{name} does not serve targets of namespace {namespace}: its targetNamespaceSelector \
             would have to let it in"
        ),
    }
}

/// Why no collector runs a profile.
pub fn unbound(cache: &Cache, profile: &FlowProfile) -> String {
    let namespace = namespace(&profile.metadata);
    let Some(reference) = &profile.spec.collector_ref else {
        return format!(
            "no FlowCollector selects it: one in namespace {namespace} whose profileSelector matches its labels would, \
             or one elsewhere whose profileNamespaceSelector lets the namespace in"
        );
    };
    let there = reference.namespace.as_deref().unwrap_or(namespace);
    let name = &reference.name;
    let Some(object) = cache.get(&Place::new(Kind::FlowCollector, there, name)) else {
        return format!(
            "spec.collectorRef: there is no FlowCollector {name} in namespace {there}; name one that is there, or leave \
             collectorRef out"
        );
    };
    let labels = namespace_labels(cache, namespace);
    match typed::<FlowCollector>(&object).map(|collector| runs(&collector, profile, &labels)) {
        Ok(Choice::Namespace) => format!(
            "FlowCollector {there}/{name} does not take profiles from namespace {namespace}: its \
             profileNamespaceSelector would have to let it in"
        ),
        _ => format!("FlowCollector {there}/{name} has not taken it up yet"),
    }
}

fn profiles_of(cache: &Cache, collector: &FlowCollector) -> Vec<FlowProfile> {
    let across = collector.spec.profile_namespace_selector.is_some();
    let own = namespace(&collector.metadata);
    let mut profiles: Vec<FlowProfile> = all(&cache.list(Kind::FlowProfile, (!across).then_some(own)));
    let mut labels = BTreeMap::new();
    profiles.retain(|profile| {
        let namespace = namespace(&profile.metadata).to_owned();
        let labels = labels.entry(namespace.clone()).or_insert_with(|| namespace_labels(cache, &namespace));
        profile.metadata.deletion_timestamp.is_none() && runs(collector, profile, labels) == Choice::Chosen
    });
    profiles
}

fn targets_of(cache: &Cache, collector: &FlowCollector) -> Vec<ExportTarget> {
    let across = collector.spec.target_namespace_selector.is_some();
    let own = namespace(&collector.metadata);
    let mut targets: Vec<ExportTarget> = all(&cache.list(Kind::ExportTarget, (!across).then_some(own)));
    targets.retain(|target| {
        let labels = namespace_labels(cache, namespace(&target.metadata));
        target.metadata.deletion_timestamp.is_none() && chosen(collector, target, &labels)
    });
    targets
}

fn chosen(collector: &FlowCollector, target: &ExportTarget, namespace_labels: &Labels) -> bool {
    matches!(exports(collector, target, namespace_labels), Choice::Chosen | Choice::Paused)
}

/// What edges need of a target's Secrets, by the names of their files.
async fn secrets_of(client: &Client, known: &Secrets, target: &ExportTarget) -> Result<Data, SecretError> {
    let mut held = Data::new();
    for wanted in secrets(target) {
        let place = (namespace(&target.metadata), wanted.secret.as_str());
        held.insert(wanted.file.0, known.key(client, place, &wanted.key).await?);
    }
    Ok(held)
}

/// Without the right to list namespaces their name is the one label that is known.
fn namespace_labels(cache: &Cache, namespace: &str) -> Labels {
    match cache.get(&Place::new(Kind::Namespace, "", namespace)) {
        Some(object) => object.labels().clone(),
        None => least_labels(namespace),
    }
}

/// Objects as their type; one that does not fit is left out, and the log says so.
fn all<K: DeserializeOwned>(objects: &[std::sync::Arc<DynamicObject>]) -> Vec<K> {
    let fits = |object: &std::sync::Arc<DynamicObject>| match typed(object) {
        Ok(object) => Some(object),
        Err(error) => {
            warn!(name = object.name_any(), namespace = object.namespace(), %error, "an object that is not read");
            None
        }
    };
    objects.iter().filter_map(fits).collect()
}

fn lacks_pods(edges: &DaemonSet) -> bool {
    edges
        .status
        .as_ref()
        .is_none_or(|status| status.current_number_scheduled < status.desired_number_scheduled)
}

/// A DaemonSet has no condition for pods that the API server refuses: Pod Security, quotas and the like show only in
/// its events.
async fn refused_pods(client: &Client, collector: &FlowCollector) -> Vec<String> {
    let api: Api<Event> = Api::namespaced(client.clone(), namespace(&collector.metadata));
    let fields = format!(
        "involvedObject.kind=DaemonSet,involvedObject.name={}-edge,reason=FailedCreate",
        collector.name_any()
    );
    let list = match api.list(&ListParams::default().fields(&fields).limit(50)).await {
        Ok(list) => list.items,
        Err(error) => {
            warn!(%error, "the events of a DaemonSet cannot be read");
            return Vec::new();
        }
    };
    let mut told: Vec<_> = list
        .into_iter()
        .filter_map(|event| {
            let when = event.last_timestamp.map(|time| time.0).or(event.event_time.map(|time| time.0))?;
            Some((when, event.message?))
        })
        .collect();
    told.sort_by_key(|(when, _)| std::cmp::Reverse(*when));
    told.into_iter().map(|(_, message)| message).take(3).collect()
}
