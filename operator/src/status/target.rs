//! What is said of an ExportTarget: whether it is accepted, and whether edges deliver to it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crds::fleet::TargetReport;
use crds::status::{ExportTargetStatus, TargetBinding, TargetColumns, clipped};
use crds::target::ExportTarget;
use k8s_openapi::jiff::Timestamp;

use super::conditions::{Conditions, Holds};
use super::{most_urgent, ratio};
use crate::facts::TargetFact;

/// A target at one collector.
#[derive(Clone, Debug)]
pub struct Bound {
    /// `namespace/name` of the collector.
    pub collector: String,
    /// What its reconciler found.
    pub fact: TargetFact,
    /// Nodes whose edge is Ready.
    pub ready: BTreeSet<String>,
    /// What the edges report of this target, by node; none while the aggregator cannot be asked, with the reason.
    pub reports: Result<BTreeMap<String, TargetReport>, String>,
}

/// The status of a target, and when to look again though nothing changes. `unbound` says why no collector serves it,
/// when none does.
pub fn target(
    target: &ExportTarget,
    bound: &[Bound],
    unbound: &str,
    now: Timestamp,
) -> (ExportTargetStatus, Option<Duration>) {
    let generation = target.metadata.generation.unwrap_or_default();
    let before = target.status.clone().unwrap_or_default();
    let mut conditions = Conditions::new(&before.conditions, generation, now);
    let refused = accepted(&mut conditions, generation, bound, unbound);
    let paused = target.spec.paused.unwrap_or_default();
    let (delivering, edges) = delivering(&mut conditions, bound, paused);
    let again = summary(&mut conditions, refused, paused);
    let conditions = conditions.done();
    let message = most_urgent(&conditions);
    let status = ExportTargetStatus {
        observed_generation: Some(generation),
        conditions,
        bindings: bound.iter().map(binding).collect(),
        columns: Some(TargetColumns {
            delivering: ratio(delivering, edges),
            collector: super::collectors(bound.iter().map(|bound| bound.collector.as_str())),
            message,
        }),
    };
    (status, again)
}

fn binding(bound: &Bound) -> TargetBinding {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let reports = bound.reports.as_ref().ok();
    let of_ready = |node: &String| reports.and_then(|reports| reports.get(node));
    let failing = bound.ready.iter().filter_map(of_ready).find(|report| !report.delivering);
    let refused = bound.fact.refused.as_ref().map(|refusal| refusal.message.clone());
    let told = refused.or_else(|| bound.reports.as_ref().err().cloned());
    let message = told.or_else(|| failing.map(|report| report.message.clone())).unwrap_or_default();
    TargetBinding {
        collector: bound.collector.clone(),
        accepted_generation: bound.fact.refused.is_none().then_some(bound.fact.generation),
        desired_nodes: count(bound.ready.len()),
        delivering_nodes: count(
            bound.ready.iter().filter_map(of_ready).filter(|report| report.delivering).count(),
        ),
        message: clipped(&message),
    }
}

fn accepted(
    conditions: &mut Conditions<'_>,
    generation: i64,
    bound: &[Bound],
    unbound: &str,
) -> Option<(&'static str, String)> {
    if bound.is_empty() {
        conditions.add("Accepted", Holds::No, "NoCollector", unbound);
        return Some(("NoCollector", unbound.to_owned()));
    }
    if let Some(refusal) = bound.iter().find_map(|bound| bound.fact.refused.as_ref()) {
        conditions.add("Accepted", Holds::No, refusal.reason, refusal.message.clone());
        return Some((refusal.reason, refusal.message.clone()));
    }
    let seen = bound.iter().all(|bound| bound.fact.generation == generation);
    let (holds, reason) = if seen { (Holds::Yes, "Accepted") } else { (Holds::Unknown, "Pending") };
    conditions.add("Accepted", holds, reason, "");
    None
}

/// Adds Delivering; says at how many of how many edges it does.
fn delivering(conditions: &mut Conditions<'_>, bound: &[Bound], paused: bool) -> (u32, u32) {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    if paused {
        conditions.add("Delivering", Holds::No, "Paused", "spec.paused: nothing is exported");
        return (0, 0);
    }
    if let Some((collector, trouble)) =
        bound.iter().find_map(|bound| Some((&bound.collector, bound.reports.as_ref().err()?)))
    {
        let message = format!("{collector}: the aggregator cannot be asked: {trouble}");
        conditions.add("Delivering", Holds::Unknown, "AggregatorUnreachable", message);
        return (0, count(bound.iter().map(|bound| bound.ready.len()).sum()));
    }
    let edges = bound.iter().flat_map(|bound| {
        let reports = bound.reports.as_ref().ok();
        bound.ready.iter().map(move |node| (node, reports.and_then(|reports| reports.get(node))))
    });
    let all: Vec<_> = edges.collect();
    let good = all.iter().filter(|(_, report)| report.is_some_and(|report| report.delivering)).count();
    let failing = all.iter().find_map(|(node, report)| {
        let report = report.as_ref()?;
        (!report.delivering).then_some((*node, *report))
    });
    match failing {
        Some((node, report)) => {
            let message = format!("{good} of {} edges deliver; {node}: {}", all.len(), report.message);
            let reason = if report.reason.is_empty() { "NotDelivering" } else { &report.reason };
            conditions.add("Delivering", Holds::No, reason, message);
        }
        None if all.is_empty() || good < all.len() => {
            let message = format!("{good} of {} edges have reported", all.len());
            conditions.add("Delivering", Holds::Unknown, "Pending", message);
        }
        None => {
            let message = format!("{good} of {good} edges deliver");
            conditions.add("Delivering", Holds::Yes, "Delivering", message);
        }
    }
    (count(good), count(all.len()))
}

/// Adds Ready and, while it holds, Stalled (kstatus). A target that is down is no reason to hold up whoever waits for
/// the object: Delivering says so.
fn summary(
    conditions: &mut Conditions<'_>,
    refused: Option<(&'static str, String)>,
    paused: bool,
) -> Option<Duration> {
    if let Some((reason, message)) = refused {
        return conditions.refused(reason, &message);
    }
    let (reason, message) = match paused {
        true => ("Paused", "spec.paused: nothing is exported"),
        false => ("Accepted", "the edges export to it; see Delivering"),
    };
    conditions.add("Ready", Holds::Yes, reason, message);
    None
}
