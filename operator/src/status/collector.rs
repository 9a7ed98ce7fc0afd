//! What is said of a FlowCollector: whether its pods run, whether they run what they should, and what to do when not.

use std::collections::BTreeSet;
use std::time::Duration;

use crds::config::cluster::{EdgeFolder, ExposureConfig};
use crds::config::{Fleet, ListenerConfig};
use crds::status::{CollectorColumns, FlowCollectorStatus, ListenerStatus, NodeCounts, ProfileCounts};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::conditions::{Conditions, Holds};
use super::{most_urgent, ratio};
use crate::apply::ApplyError;
use crate::context::Options;
use crate::dereference::{Observed, Workloads};
use crate::facts::Refusal;
use crate::fleet::View;
use crate::validate::{Judged, Verdict};

mod pods;

/// How many addresses are listed for a listener.
const ADDRESSES: usize = 10;
/// Pods that are missing are looked for so often: why they are shows in events, which are not watched.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What was computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The whole status.
    pub status: FlowCollectorStatus,
    /// When to look again though nothing changes.
    pub again: Option<Duration>,
}

/// What came of building and applying.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome<'a> {
    /// Why nothing of it can be applied.
    pub refused: Option<&'a Refusal>,
    /// What the API server objected to.
    pub failed: Option<&'a ApplyError>,
    /// The image that runs.
    pub image: Option<&'a str>,
}

/// The status of a collector.
pub fn collector(
    observed: &Observed,
    verdict: &Verdict,
    outcome: Outcome<'_>,
    options: &Options,
    now: Timestamp,
) -> Said {
    let object = &observed.collector;
    let generation = object.metadata.generation.unwrap_or_default();
    let before = object.status.clone().unwrap_or_default();
    let ready = ready_nodes(&observed.workloads);
    let nodes = nodes(&observed.workloads);
    let profiles = profiles(&verdict.profiles, &ready, &observed.fleet);
    let mut conditions = Conditions::new(&before.conditions, generation, now);
    let fleet = verdict.collector.as_ref().map(|(_, fleet)| fleet);
    let trouble = pods::trouble(&observed.workloads, &nodes);
    workloads(&mut conditions, &trouble, &nodes);
    profiles_applied(&mut conditions, verdict, &profiles, &observed.fleet);
    if let Some(fleet) = fleet {
        addresses(&mut conditions, fleet, &observed.fleet);
        buffers(&mut conditions, fleet, &observed.fleet);
        history(&mut conditions, fleet);
    }
    summary(&mut conditions, verdict, outcome, trouble.is_none(), observed);
    let conditions = conditions.done();
    let message = most_urgent(&conditions);
    let choice = fleet.map(|fleet| fleet.cluster.version.clone()).unwrap_or_default();
    let status = FlowCollectorStatus {
        observed_generation: Some(generation),
        conditions,
        version: Some(crate::build::version(object, &choice, options)),
        image: outcome.image.map(str::to_owned).or(before.image),
        nodes: Some(nodes),
        profiles: Some(profiles),
        listeners: fleet.map(|fleet| listeners(fleet, &observed.workloads)).unwrap_or_default(),
        columns: Some(CollectorColumns {
            nodes: ratio(nodes.ready, nodes.desired),
            profiles: ratio(profiles.applied, profiles.total),
            message,
        }),
    };
    Said { status, again: trouble.map(|_| LOOK_AGAIN) }
}

/// Nodes whose edge is Ready.
pub fn ready_nodes(workloads: &Workloads) -> BTreeSet<String> {
    edges(workloads).filter(|pod| pods::is_ready(pod)).filter_map(node).collect()
}

fn edges(workloads: &Workloads) -> impl Iterator<Item = &Pod> {
    let component = |pod: &&Pod| {
        pod.labels().get("app.kubernetes.io/component").is_some_and(|component| component == "edge")
    };
    workloads.pods.iter().filter(component).filter(|pod| pod.metadata.deletion_timestamp.is_none())
}

fn node(pod: &Pod) -> Option<String> {
    pod.spec.as_ref()?.node_name.clone()
}

fn nodes(workloads: &Workloads) -> NodeCounts {
    let status = workloads.edges.as_ref().and_then(|set| set.status.clone()).unwrap_or_default();
    let count = |number: i32| u32::try_from(number).unwrap_or_default();
    NodeCounts { desired: count(status.desired_number_scheduled), ready: count(status.number_ready) }
}

fn profiles(judged: &[Judged], ready: &BTreeSet<String>, fleet: &View) -> ProfileCounts {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let runs_everywhere = |judged: &&Judged| {
        let Some((_, hash)) = judged.fact().runs else { return false };
        let runs = |node: &String| {
            let edge = fleet.edges.get(node);
            let report = edge.and_then(|edge| edge.profiles.iter().find(|report| report.name == judged.name));
            report.is_some_and(|report| report.hash == hash && report.error.is_none())
        };
        !ready.is_empty() && ready.iter().all(runs)
    };
    let accepted = judged.iter().filter(|judged| judged.refused.is_none());
    ProfileCounts {
        total: count(judged.len()),
        accepted: count(accepted.clone().count()),
        applied: count(judged.iter().filter(runs_everywhere).count()),
    }
}

fn workloads(conditions: &mut Conditions<'_>, trouble: &Option<pods::Trouble>, nodes: &NodeCounts) {
    match trouble {
        Some(trouble) => {
            conditions.add("WorkloadsAvailable", Holds::No, trouble.reason, trouble.message.clone());
        }
        None => {
            let message = format!("the aggregator and {} of {} edges are ready", nodes.ready, nodes.desired);
            conditions.add("WorkloadsAvailable", Holds::Yes, "Available", message);
        }
    }
}

fn profiles_applied(
    conditions: &mut Conditions<'_>,
    verdict: &Verdict,
    counts: &ProfileCounts,
    fleet: &View,
) {
    let kind = "ProfilesApplied";
    if let Some(refused) = verdict.profiles.iter().find(|profile| profile.refused.is_some()) {
        let many = verdict.profiles.iter().filter(|profile| profile.refused.is_some()).count();
        let reason = refused.refused.as_ref().map(|refusal| refusal.message.clone()).unwrap_or_default();
        let message = format!("{many} of {} refused: {}: {reason}", counts.total, refused.name);
        return conditions.add(kind, Holds::No, "ProfilesRefused", message);
    }
    if let Some(trouble) = &fleet.trouble {
        let message = format!("the aggregator cannot be asked what the edges run: {trouble}");
        return conditions.add(kind, Holds::Unknown, "AggregatorUnreachable", message);
    }
    let message = format!("{} of {} profiles run on every ready edge", counts.applied, counts.total);
    let (holds, reason) = match counts.applied == counts.total {
        true => (Holds::Yes, "Applied"),
        false => (Holds::No, "InProgress"),
    };
    conditions.add(kind, holds, reason, message);
}

/// Whether edges see who sends. Behind a Service every exporter may have a node's address.
fn addresses(conditions: &mut Conditions<'_>, fleet: &Fleet, view: &View) {
    let kind = "SourceAddressPreserved";
    let ExposureConfig::Service(_) = fleet.cluster.exposure else {
        return conditions.add(kind, Holds::Yes, "NodeAddress", "exporters reach the node itself");
    };
    let shared: BTreeSet<&String> = view.edges.values().flat_map(|edge| &edge.shared_addresses).collect();
    let Some(first) = shared.first() else {
        return conditions.add(
            kind,
            Holds::Yes,
            "OneExporterEach",
            "each address sends the streams of one exporter",
        );
    };
    let message = format!(
        "several exporters come from {first}{}: something translates addresses on the way; use exposure HostNetwork, or \
         a load balancer that keeps the client's address",
        if shared.len() > 1 { format!(" (and {} more)", shared.len() - 1) } else { String::new() }
    );
    conditions.add(kind, Holds::No, "AddressTranslated", message);
}

fn buffers(conditions: &mut Conditions<'_>, fleet: &Fleet, view: &View) {
    let kind = "ReceiveBufferSufficient";
    let wanted = fleet.edge.receive.buffer;
    if view.edges.is_empty() {
        return conditions.add(kind, Holds::Unknown, "NoReports", "no edge has reported yet");
    }
    let short: Vec<_> = view.edges.values().filter(|edge| edge.buffer_short > 0).collect();
    let Some(worst) = short.iter().max_by_key(|edge| edge.buffer_short) else {
        return conditions.add(
            kind,
            Holds::Yes,
            "Sufficient",
            format!("every edge has {wanted} bytes a socket"),
        );
    };
    let message = format!(
        "{} of {} nodes give less than {wanted} bytes, {} gives {}: set sysctl net.core.rmem_max={wanted} on the nodes, \
         ask for less in spec.edge.receiveBuffer, or use spec.edge.bufferMode Forced",
        short.len(),
        view.edges.len(),
        worst.node,
        u64::from(wanted).saturating_sub(worst.buffer_short),
    );
    conditions.add(kind, Holds::No, "NodeLimit", message);
}

fn history(conditions: &mut Conditions<'_>, fleet: &Fleet) {
    let kind = "HistorySurvivesRollout";
    match fleet.cluster.edge.storage {
        EdgeFolder::HostPath { .. } => {
            conditions.add(kind, Holds::Yes, "HostPath", "a folder of each node outlives its pods");
        }
        EdgeFolder::EmptyDir { .. } => conditions.add(
            kind,
            Holds::No,
            "EmptyDir",
            "what the aggregator does not have yet ends with an edge's pod: use edge.storage HostPath to keep it",
        ),
    }
}

/// Adds Ready and, while they hold, Reconciling and Stalled (kstatus).
fn summary(
    conditions: &mut Conditions<'_>,
    verdict: &Verdict,
    outcome: Outcome<'_>,
    available: bool,
    observed: &Observed,
) {
    if let Some(refusal) = verdict.refused.as_ref().or(outcome.refused) {
        let goes_on = if verdict.collector.is_some() { "; what was accepted before goes on" } else { "" };
        let message = format!("{}{goes_on}", refusal.message);
        conditions.add("Ready", Holds::No, refusal.reason, message.clone());
        return conditions.add("Stalled", Holds::Yes, refusal.reason, message);
    }
    if let Some(error) = outcome.failed {
        let message = error.to_string();
        conditions.add("Ready", Holds::No, "ApplyFailed", message.clone());
        return conditions.add("Reconciling", Holds::Yes, "ApplyFailed", message);
    }
    if observed.collector.spec.paused.unwrap_or_default() {
        let message = "spec.paused: nothing is changed until it is false";
        return conditions.add("Ready", available.into(), "Paused", message);
    }
    if !available {
        let message = "see WorkloadsAvailable";
        conditions.add("Ready", Holds::No, "WorkloadsNotAvailable", message);
        return conditions.add("Reconciling", Holds::Yes, "WorkloadsNotAvailable", message);
    }
    conditions.add("Ready", Holds::Yes, "Ready", "edges and aggregator run");
}

/// Where exporters are to send.
fn listeners(fleet: &Fleet, workloads: &Workloads) -> Vec<ListenerStatus> {
    let listener = |listener: &ListenerConfig| {
        let all = pods::addresses(&fleet.cluster.exposure, listener, workloads, &fleet.edge.collector);
        ListenerStatus {
            name: listener.name.clone(),
            protocol: listener.protocol,
            transport: listener.transport,
            total: u32::try_from(all.len()).unwrap_or(u32::MAX),
            addresses: all.into_iter().take(ADDRESSES).collect(),
        }
    };
    fleet.edge.listeners.iter().map(listener).collect()
}
