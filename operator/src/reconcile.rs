//! One object made what it should be: dereference, validate, build, apply, status.

use std::sync::Arc;
use std::time::Duration;

use crds::config::identity;
use crds::fleet::EdgeReport;
use crds::profile::FlowProfile;
use crds::status::FlowProfileStatus;
use crds::target::ExportTarget;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use tracing::warn;

use crate::apply::ApplyError;
use crate::build::Built;
use crate::cache::typed;
use crate::context::Context;
use crate::dereference::{self, Observed};
use crate::facts::{CollectorFacts, Concerned, Refusal};
use crate::fleet::{Heard, View};
use crate::kind::{self, Kind};
use crate::queue::Key;
use crate::status::collector::Outcome;
use crate::status::{self, profile::Bound};
use crate::validate::Verdict;
use crate::{build, event, secrets, validate};

/// A profile's status is written no more often while nodes are only being counted.
const COUNTING: Duration = Duration::from_secs(5);

/// Why a reconciliation is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server objected; of several the first.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The object was written past the schema, or by another version.
    #[error("not understood: {0}")]
    Form(#[from] serde_json::Error),
    /// The API server did not answer.
    #[error(transparent)]
    Api(#[from] kube::Error),
}

/// Reconciles what a key names; says when to come again though nothing changes.
///
/// # Errors
/// What is to be tried again.
pub async fn reconcile(context: &Context, key: &Key) -> Result<Option<Duration>, Error> {
    match key {
        Key::Collector(name) => collector(context, name).await,
        Key::Profile(name) => profile(context, name).await,
        Key::Target(name) => target(context, name).await,
    }
}

async fn collector(context: &Context, name: &str) -> Result<Option<Duration>, Error> {
    let Context { cache, client, fleet, .. } = context;
    let observed = dereference::collector(
        cache,
        client,
        &context.secrets,
        &context.service_monitors,
        fleet.view(name),
        name,
    )
    .await?;
    let Some(observed) = observed.filter(|found| found.collector.metadata.deletion_timestamp.is_none())
    else {
        return gone(context, name).await;
    };
    let verdict = validate::judge(&observed);
    let paused = observed.collector.spec.paused.unwrap_or_default();
    let built = built(context, &observed, &verdict);
    let applied = match &built {
        Some(Ok(built)) if !paused => make(context, &observed, built).await,
        _ => Ok(()),
    };
    tell_others(context, name, &observed, &verdict);
    let outcome = Outcome {
        refused: built.as_ref().and_then(|built| built.as_ref().err()),
        failed: applied.as_ref().err(),
        image: built.as_ref().and_then(|built| Some(built.as_ref().ok()?.image.as_str())),
    };
    let said = status::collector::collector(&observed, &verdict, outcome, &context.options, Timestamp::now());
    context.metrics.refused(context.facts.refused());
    write(context, Kind::FlowCollector, name, serde_json::to_value(&said.status)?).await?;
    if !paused {
        follow(context, name);
    }
    applied?;
    // Secrets are not watched: they are asked for again.
    let secrets = (!verdict.secrets.is_empty() || wants_secrets(&observed)).then_some(secrets::FRESH);
    Ok(said.again.into_iter().chain(secrets).min())
}

fn wants_secrets(observed: &Observed) -> bool {
    observed.targets.iter().any(|(_, held)| held.is_err())
}

/// None while the collector was never accepted.
fn built(context: &Context, observed: &Observed, verdict: &Verdict) -> Option<Result<Built, Refusal>> {
    let (collector, fleet) = verdict.collector.as_ref()?;
    let bundle = context.bundle.borrow().pem.clone();
    Some(build::build(observed, (collector, fleet), verdict, &bundle, &context.options))
}

/// What cannot be applied holds up nothing else.
async fn make(context: &Context, observed: &Observed, built: &Built) -> Result<(), ApplyError> {
    let mut first = None;
    for desired in &built.objects {
        match context.applier.apply(desired).await {
            Ok(true) => context.metrics.wrote(&desired.place.kind.name(), "apply"),
            Ok(false) => {}
            // Found by nobody is no reason to call a fleet that runs not ready.
            Err(error) if desired.place.kind == Kind::ServiceMonitor => {
                warn!(collector = identity(&observed.collector.metadata), %error, "no ServiceMonitor");
            }
            Err(error) => {
                warn!(collector = identity(&observed.collector.metadata), %error, "not applied");
                first.get_or_insert(error);
            }
        }
    }
    for surplus in build::surplus(&context.cache, observed, built) {
        match context.applier.delete(&surplus.object, &surplus.place).await {
            Ok(()) => context.metrics.wrote(&surplus.place.kind.name(), "delete"),
            Err(error) => _ = first.get_or_insert(error),
        }
    }
    first.map_or(Ok(()), Err)
}

/// The collector is not there: its objects go with it, but for those that no namespaced object can own.
async fn gone(context: &Context, name: &str) -> Result<Option<Duration>, Error> {
    context.fleet.leave(name);
    concern(context, context.facts.remove(name));
    let place = dereference::place(Kind::FlowCollector, name);
    let bindings = context.cache.labeled(Kind::ClusterRoleBinding, None, (kind::COLLECTOR, &place.name));
    for binding in
        bindings.iter().filter(|one| one.labels().get(kind::COLLECTOR_NAMESPACE) == Some(&place.namespace))
    {
        // The cache may be behind; only the API server knows that there is none.
        let there = context.applier.api(&place).get_opt(&place.name).await?;
        let alive =
            there.as_ref().filter(|one| one.metadata.deletion_timestamp.is_none()).and_then(ResourceExt::uid);
        if alive.is_some() && alive.as_ref() == binding.labels().get(kind::COLLECTOR_UID) {
            continue;
        }
        let role = crate::cache::Place::new(Kind::ClusterRoleBinding, "", binding.name_any());
        context.applier.delete(binding, &role).await?;
        context.metrics.wrote("ClusterRoleBinding", "delete");
    }
    Ok(None)
}

fn concern(context: &Context, concerned: Concerned) {
    context.queue.extend(concerned.profiles.into_iter().map(Key::Profile));
    context.queue.extend(concerned.targets.into_iter().map(Key::Target));
}

fn tell_others(context: &Context, name: &str, observed: &Observed, verdict: &Verdict) {
    let profiles = verdict.profiles.iter().map(|profile| (profile.name.clone(), profile.fact())).collect();
    let targets = verdict.targets.iter().map(|target| (target.name.clone(), target.fact())).collect();
    let ready = status::collector::ready_nodes(&observed.workloads);
    concern(context, context.facts.set(name, CollectorFacts { profiles, targets, ready }));
}

/// Listens to the collector's aggregator.
fn follow(context: &Context, name: &str) {
    let (namespace, short) = name.split_once('/').unwrap_or_default();
    let url = context.options.aggregator.replace("{namespace}", namespace).replace("{name}", short);
    let (queue, facts) = (context.queue.clone(), context.facts.clone());
    context.fleet.follow(name, &url, Arc::clone(&context.tls), move |collector, heard| match heard {
        Heard::Collector => {
            queue.add(Key::Collector(collector.to_owned()));
            let facts = facts.of_collector(collector);
            queue.extend(facts.profiles.into_keys().map(Key::Profile));
            queue.extend(facts.targets.into_keys().map(Key::Target));
        }
        Heard::Profiles(names) => names.into_iter().for_each(|name| queue.add(Key::Profile(name))),
    });
}

async fn profile(context: &Context, name: &str) -> Result<Option<Duration>, Error> {
    let place = dereference::place(Kind::FlowProfile, name);
    let Some(object) = context.cache.get(&place) else {
        context.facts.forget_profile(name);
        for collector in context.facts.collectors_of(name) {
            context.queue.add(Key::Collector(collector));
        }
        return Ok(None);
    };
    let profile: FlowProfile = typed(&object)?;
    let bound = bound(context, name);
    let generation = profile.metadata.generation.unwrap_or_default();
    let to_judge = dereference::collectors_of(&context.cache, &profile);
    if awaits_judgment(
        &to_judge,
        generation,
        &bound.iter().map(|one| (one.collector.as_str(), one.fact.generation)),
    ) {
        return Ok(None);
    }
    let unbound = dereference::unbound(&context.cache, &profile);
    let said = status::profile::profile(&profile, &bound, &unbound, Timestamp::now());
    if only_counting(&profile, &said)
        && let Some(wait) = context.facts.written_ago(name).and_then(|ago| COUNTING.checked_sub(ago))
    {
        return Ok(Some(wait));
    }
    if said.everywhere
        && let Some(took) = context.facts.arrived(name, generation)
    {
        context.metrics.arrived(took);
    }
    if write(context, Kind::FlowProfile, name, serde_json::to_value(&said.status)?).await? {
        context.facts.wrote(name);
    }
    Ok(said.again)
}

/// Whether a collector has not judged this generation yet: it will, and says so. Until then there is nothing to tell.
fn awaits_judgment<'a>(
    collectors: &[String],
    generation: i64,
    judged: &(impl Iterator<Item = (&'a str, i64)> + Clone),
) -> bool {
    let has_judged = |collector: &String| judged.clone().any(|known| known == (collector, generation));
    !collectors.iter().all(has_judged)
}

async fn target(context: &Context, name: &str) -> Result<Option<Duration>, Error> {
    let place = dereference::place(Kind::ExportTarget, name);
    let Some(object) = context.cache.get(&place) else { return Ok(None) };
    let target: ExportTarget = typed(&object)?;
    let unserved = dereference::unserved(&context.cache, &target);
    let known = context.facts.of_target(name).into_iter();
    let bound: Vec<_> = known
        .map(|(collector, fact, ready)| {
            let View { trouble, edges, .. } = context.fleet.view(&collector);
            let report = |(node, edge): (String, EdgeReport)| {
                Some((node, edge.targets.into_iter().find(|one| one.name == name)?))
            };
            let reports = trouble.map_or_else(|| Ok(edges.into_iter().filter_map(report).collect()), Err);
            status::target::Bound { collector, fact, ready, reports }
        })
        .collect();
    let generation = target.metadata.generation.unwrap_or_default();
    let to_judge = dereference::collectors_serving(&context.cache, &target);
    if awaits_judgment(
        &to_judge,
        generation,
        &bound.iter().map(|one| (one.collector.as_str(), one.fact.generation)),
    ) {
        return Ok(None);
    }
    let (said, again) = status::target::target(&target, &bound, &unserved, Timestamp::now());
    write(context, Kind::ExportTarget, name, serde_json::to_value(&said)?).await?;
    Ok(again)
}

/// What collectors and edges say of a profile.
fn bound(context: &Context, name: &str) -> Vec<Bound> {
    let known = context.facts.of_profile(name).into_iter();
    known
        .map(|(collector, fact, ready)| {
            let View { trouble, edges, .. } = context.fleet.view(&collector);
            let reports = match trouble {
                Some(trouble) => Err(trouble),
                None => Ok(edges
                    .into_iter()
                    .filter_map(|(node, edge)| {
                        Some((node, edge.profiles.into_iter().find(|one| one.name == name)?))
                    })
                    .collect()),
            };
            Bound { collector, fact, ready, reports }
        })
        .collect()
}

/// Whether a write would only move a count on its way.
fn only_counting(profile: &FlowProfile, said: &status::profile::Said) -> bool {
    let Some(before) = &profile.status else { return false };
    let state = |status: &FlowProfileStatus| -> Vec<(String, String, String)> {
        let conditions = status.conditions.iter();
        conditions.map(|one| (one.type_.clone(), one.status.clone(), one.reason.clone())).collect()
    };
    let counting =
        said.status.conditions.iter().any(|one| one.type_ == "Applied" && one.reason == "InProgress");
    counting
        && before.observed_generation == said.status.observed_generation
        && state(before) == state(&said.status)
}

async fn write(context: &Context, kind: Kind, name: &str, status: serde_json::Value) -> Result<bool, Error> {
    let place = dereference::place(kind, name);
    let before = context.cache.get(&place);
    let written = status::write(&context.applier, &context.cache, &place, status).await?;
    if written {
        context.metrics.wrote(&format!("{} status", kind.name()), "apply");
        if let (Some(before), Some(after)) = (before, context.cache.get(&place)) {
            let (was, is) = (event::conditions(&before), event::conditions(&after));
            context.teller.transitions(kind, &after, &was, &is).await;
        }
    }
    Ok(written)
}
