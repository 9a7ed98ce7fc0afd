//! What is said of a FlowProfile: whether it is accepted, and which nodes run it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crds::fleet::ProfileReport;
use crds::profile::FlowProfile;
use crds::status::{Binding, FlowProfileStatus, ProfileColumns, clipped};
use k8s_openapi::jiff::Timestamp;

use super::conditions::{Conditions, Holds};
use super::{RECONCILING_FOR, ratio};
use crate::facts::ProfileFact;

/// A profile at one collector.
#[derive(Clone, Debug)]
pub struct Bound {
    /// `namespace/name` of the collector.
    pub collector: String,
    /// What its reconciler found.
    pub fact: ProfileFact,
    /// Nodes whose edge is Ready.
    pub ready: BTreeSet<String>,
    /// What the edges report of this profile, by node; none while the aggregator cannot be asked, with the reason.
    pub reports: Result<BTreeMap<String, ProfileReport>, String>,
}

/// What was computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The whole status.
    pub status: FlowProfileStatus,
    /// Whether every ready edge of every collector runs this generation.
    pub everywhere: bool,
    /// When to look again though nothing changes.
    pub again: Option<Duration>,
}

/// The status of a profile. `unbound` says why no collector runs it, when none does.
pub fn profile(profile: &FlowProfile, bound: &[Bound], unbound: &str, now: Timestamp) -> Said {
    let generation = profile.metadata.generation.unwrap_or_default();
    let before = profile.status.clone().unwrap_or_default();
    let counts: Vec<Counted> = bound.iter().map(counted).collect();
    let mut conditions = Conditions::new(&before.conditions, generation, now);
    let refused = accepted(&mut conditions, generation, bound, unbound);
    applied(&mut conditions, bound, &counts);
    let again = summary(&mut conditions, refused, bound, &counts);
    let applied: u32 = counts.iter().map(|count| count.applied).sum();
    let desired: u32 = counts.iter().map(|count| count.desired).sum();
    let conditions = conditions.done();
    let message = super::most_urgent(&conditions);
    let status = FlowProfileStatus {
        observed_generation: Some(generation),
        conditions,
        bindings: bound.iter().zip(&counts).map(|(bound, count)| binding(bound, count)).collect(),
        columns: Some(ProfileColumns {
            applied: ratio(applied, desired),
            channels: u32::try_from(profile.spec.channels.len()).unwrap_or(u32::MAX),
            collector: super::collectors(bound.iter().map(|bound| bound.collector.as_str())),
            message,
        }),
    };
    let current = bound.iter().all(|bound| bound.fact.runs.as_ref().is_some_and(|runs| runs.0 == generation));
    let everywhere = !bound.is_empty() && current && counts.iter().all(Counted::complete);
    Said { status, everywhere, again }
}

/// How many nodes run what they are to run.
struct Counted {
    desired: u32,
    applied: u32,
    rejected: u32,
    error: Option<String>,
    unknown: Option<String>,
}

impl Counted {
    fn complete(&self) -> bool {
        self.unknown.is_none() && self.applied == self.desired && self.desired > 0
    }
}

fn counted(bound: &Bound) -> Counted {
    let desired = u32::try_from(bound.ready.len()).unwrap_or(u32::MAX);
    let none = Counted { desired, applied: 0, rejected: 0, error: None, unknown: None };
    let reports = match &bound.reports {
        Ok(reports) => reports,
        Err(trouble) => return Counted { unknown: Some(trouble.clone()), ..none },
    };
    let mut count = none;
    let Some((_, hash)) = &bound.fact.runs else { return count };
    for (node, report) in bound.ready.iter().filter_map(|node| Some((node, reports.get(node)?))) {
        if let Some(error) = &report.error {
            count.rejected += 1;
            count.error.get_or_insert_with(|| format!("{node}: {error}"));
        } else if report.hash == *hash {
            count.applied += 1;
        }
    }
    count
}

/// Adds Accepted; says whether the profile is refused somewhere, with reason and message.
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
    let refusal = bound.iter().find_map(|bound| Some((bound, bound.fact.refused.as_ref()?)));
    let Some((bound, refusal)) = refusal else {
        // A reconciler that has not seen this generation yet will; nothing is said for it.
        let seen = bound.iter().all(|bound| bound.fact.generation == generation);
        let (holds, reason) = if seen { (Holds::Yes, "Accepted") } else { (Holds::Unknown, "Pending") };
        conditions.add("Accepted", holds, reason, "");
        return None;
    };
    let goes_on = match &bound.fact.runs {
        Some((good, _)) => format!("; generation {good} goes on"),
        None => String::new(),
    };
    let message = format!("{}{goes_on}", refusal.message);
    conditions.add("Accepted", Holds::No, refusal.reason, message.clone());
    Some((refusal.reason, message))
}

fn applied(conditions: &mut Conditions<'_>, bound: &[Bound], counts: &[Counted]) {
    if bound.is_empty() {
        return;
    }
    if let Some((bound, trouble)) =
        bound.iter().zip(counts).find_map(|(bound, count)| Some((bound, count.unknown.as_ref()?)))
    {
        let message = format!("{}: the aggregator cannot be asked: {trouble}", bound.collector);
        conditions.add("Applied", Holds::Unknown, "AggregatorUnreachable", message);
        return;
    }
    let (applied, desired) =
        counts.iter().fold((0, 0), |(a, d), count| (a + count.applied, d + count.desired));
    let rejected = counts.iter().find_map(|count| count.error.clone());
    let generations: Vec<String> =
        bound.iter().filter_map(|bound| Some(bound.fact.runs.as_ref()?.0.to_string())).collect();
    let what = generations.first().map_or("nothing".to_owned(), |first| format!("generation {first}"));
    match rejected {
        Some(error) => conditions.add("Applied", Holds::No, "RejectedByEdge", error),
        None if generations.is_empty() => {
            conditions.add("Applied", Holds::No, "NeverAccepted", "no generation was ever accepted");
        }
        None if desired == 0 => conditions.add("Applied", Holds::No, "NoEdges", "no edge is ready yet"),
        None if applied == desired => {
            conditions.add(
                "Applied",
                Holds::Yes,
                "Applied",
                format!("{what} runs on {desired} of {desired} nodes"),
            );
        }
        None => {
            let message = format!("{what} runs on {applied} of {desired} nodes");
            conditions.add("Applied", Holds::No, "InProgress", message);
        }
    }
}

/// Adds Ready and, while they hold, Reconciling and Stalled (kstatus).
fn summary(
    conditions: &mut Conditions<'_>,
    refused: Option<(&'static str, String)>,
    bound: &[Bound],
    counts: &[Counted],
) -> Option<Duration> {
    let rejected = counts.iter().find_map(|count| count.error.clone()).map(|error| ("RejectedByEdge", error));
    if let Some((reason, message)) = refused.or(rejected) {
        return conditions.refused(reason, &message);
    }
    if counts.iter().all(Counted::complete) {
        conditions.add("Ready", Holds::Yes, "Applied", "every ready edge runs it");
        return None;
    }
    let waited = conditions.held_for("Reconciling").unwrap_or(0);
    let partly = conditions.before_was("Ready", "AppliedPartially");
    if waited >= RECONCILING_FOR || partly {
        let nodes = bound.iter().zip(counts).map(|(bound, count)| {
            format!("{} of {} nodes of {}", count.applied, count.desired, bound.collector)
        });
        let message = format!("runs on {}", nodes.collect::<Vec<_>>().join(", "));
        conditions.add("Ready", Holds::Yes, "AppliedPartially", message);
        return None;
    }
    conditions.add("Ready", Holds::No, "InProgress", "the edges are taking it over");
    conditions.add("Reconciling", Holds::Yes, "InProgress", "the edges are taking it over");
    let left = u64::try_from(RECONCILING_FOR - waited).unwrap_or_default();
    Some(Duration::from_secs(left))
}

fn binding(bound: &Bound, count: &Counted) -> Binding {
    let refused = bound.fact.refused.as_ref().map(|refusal| refusal.message.clone());
    let message =
        refused.or_else(|| count.error.clone()).or_else(|| count.unknown.clone()).unwrap_or_default();
    Binding {
        collector: bound.collector.clone(),
        accepted_generation: bound.fact.runs.as_ref().map(|runs| runs.0),
        desired_nodes: count.desired,
        applied_nodes: count.applied,
        rejected_nodes: count.rejected,
        message: clipped(&message),
    }
}

#[cfg(test)]
mod tests;
