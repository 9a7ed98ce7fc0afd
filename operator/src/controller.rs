//! Wires watches, queue and reconcilers, and sees that none of them ends unnoticed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crds::config::identity;
use crds::profile::FlowProfile;
use crds::target::ExportTarget;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::core::DynamicObject;
use tokio::task::JoinSet;
use tracing::{debug, error, info, warn};

use crate::cache::{Cache, Place, typed};
use crate::context::Context;
use crate::dereference;
use crate::enroll::{self, Authority, Member, Role};
use crate::kind::{self, Kind};
use crate::queue::Key;
use crate::reconcile::reconcile;
use crate::watch::Change;

/// Objects that are reconciled at once.
const WORKERS: usize = 8;
/// A reconciliation takes no longer: an API server that is silent must not hold a worker for ever.
const WITHIN: Duration = Duration::from_secs(60);
/// How often it is asked which kinds the cluster knows.
const DISCOVERY: Duration = Duration::from_secs(300);
/// How often rotation looks whether a step is due.
const ROTATION: Duration = Duration::from_secs(5);

/// Who is concerned when something changes.
#[derive(Clone)]
pub struct Concerns {
    context: Context,
    /// What was there before we led tells nothing about how long its way took.
    live: Arc<AtomicBool>,
}

impl Concerns {
    /// Fills the queue of a context.
    pub fn new(context: Context) -> Self {
        Self { context, live: Arc::default() }
    }

    /// From now on changes are changes.
    pub fn live(&self) {
        self.live.store(true, Ordering::Relaxed);
    }

    /// Queues what a change concerns.
    pub fn tell(&self, change: &Change) {
        let Change { kind, object, gone } = change;
        if *gone {
            self.context.applier.forget(&Place::of(*kind, object));
        }
        match kind {
            Kind::FlowCollector => self.collector(&name_of(object)),
            Kind::FlowProfile => self.profile(object, *gone),
            Kind::ExportTarget => self.target(object),
            Kind::Namespace => self.namespaced(),
            _ => {
                if let Some(collector) = owner(object) {
                    self.collector(&collector);
                }
            }
        }
    }

    fn collector(&self, name: &str) {
        self.context.queue.add(Key::Collector(name.to_owned()));
    }

    fn profile(&self, object: &DynamicObject, gone: bool) {
        let (name, context) = (name_of(object), &self.context);
        let generation = object.metadata.generation.unwrap_or_default();
        if !gone {
            context.facts.saw(&name, generation, self.live.load(Ordering::Relaxed));
        }
        // Those that ran it and those that are to run it.
        let mut collectors = context.facts.collectors_of(&name);
        match typed::<FlowProfile>(object) {
            Ok(profile) if !gone => collectors.extend(dereference::collectors_of(&context.cache, &profile)),
            Ok(_) => {}
            Err(error) => warn!(profile = name, %error, "not understood"),
        }
        let relabeled = context.facts.labels_changed(&name, object.labels());
        for collector in collectors {
            let judged = context.facts.of_collector(&collector);
            let same = judged.profiles.get(&name).is_some_and(|fact| fact.generation == generation);
            // Its own status is no reason to look at all the others; labels choose collectors, and change no generation.
            if gone || !same || relabeled {
                self.collector(&collector);
            }
        }
        context.queue.add(Key::Profile(name));
    }

    fn target(&self, object: &DynamicObject) {
        let (name, context) = (name_of(object), &self.context);
        let generation = object.metadata.generation.unwrap_or_default();
        let mut collectors: BTreeSet<String> =
            context.facts.of_target(&name).into_iter().map(|(collector, ..)| collector).collect();
        match typed::<ExportTarget>(object) {
            Ok(target) => collectors.extend(dereference::collectors_serving(&context.cache, &target)),
            Err(error) => warn!(target = name, %error, "not understood"),
        }
        let relabeled = context.facts.labels_changed(&format!("target {name}"), object.labels());
        for collector in collectors {
            let judged = context.facts.of_collector(&collector);
            let there = context.cache.get(&dereference::place(Kind::ExportTarget, &name)).is_some();
            let same = judged.targets.get(&name).is_some_and(|fact| there && fact.generation == generation);
            if !same || relabeled {
                self.collector(&collector);
            }
        }
        context.queue.add(Key::Target(name));
    }

    /// The labels of a namespace let profiles in.
    fn namespaced(&self) {
        for object in self.context.cache.list(Kind::FlowCollector, None) {
            let spec = object.data.get("spec");
            let selects = |field: &str| spec.is_some_and(|spec| spec.get(field).is_some());
            if selects("profileNamespaceSelector") || selects("targetNamespaceSelector") {
                self.collector(&name_of(&object));
            }
        }
    }
}

/// Everybody anew: the roots changed, or the leader did.
pub fn all(context: &Context) {
    for object in context.cache.list(Kind::FlowCollector, None) {
        context.queue.add(Key::Collector(name_of(&object)));
    }
    for object in context.cache.list(Kind::FlowProfile, None) {
        context.queue.add(Key::Profile(name_of(&object)));
    }
    for object in context.cache.list(Kind::ExportTarget, None) {
        context.queue.add(Key::Target(name_of(&object)));
    }
    // What is left of collectors that went while nobody led.
    for object in context.cache.list(Kind::ClusterRoleBinding, None) {
        context.queue.extend(owner(&object).map(Key::Collector));
    }
}

/// The leader's work; each task runs for ever.
pub fn lead(context: &Context, authority: &Authority) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for _ in 0..WORKERS {
        tasks.spawn(work(context.clone()));
    }
    tasks.spawn(follow_roots(context.clone()));
    tasks.spawn(look_for_service_monitors(context.clone()));
    tasks.spawn(rotate(context.clone(), authority.clone()));
    tasks
}

/// Whose a ServiceAccount is, as the watches saw it.
pub fn owners(cache: &Cache, controller: &str) -> enroll::Owners {
    let (cache, controller) = (cache.clone(), controller.to_owned());
    Arc::new(move |namespace, name| {
        let account = cache.get(&Place::new(Kind::ServiceAccount, namespace, name))?;
        let label = |key: &str| account.labels().get(key).map(String::as_str);
        if label(kind::CONTROLLER) != Some(&controller) {
            return None;
        }
        let role = match label("app.kubernetes.io/component")? {
            "edge" => Role::Edge,
            "aggregator" => Role::Aggregator,
            _ => return None,
        };
        Some(Member { collector: format!("{namespace}/{}", label(kind::COLLECTOR)?), role })
    })
}

async fn work(context: Context) {
    loop {
        let key = context.queue.next().await;
        context.metrics.queued(context.queue.depth());
        let begun = Instant::now();
        let ended = tokio::time::timeout(WITHIN, reconcile(&context, &key)).await;
        let ended = match ended {
            Ok(Ok(again)) => Ok(again),
            Ok(Err(error)) => {
                warn!(%key, %error, "to be tried again");
                Err(())
            }
            Err(_) => {
                warn!(%key, "took longer than {} s; to be tried again", WITHIN.as_secs());
                Err(())
            }
        };
        debug!(%key, took = ?begun.elapsed(), "reconciled");
        context.metrics.reconciled(key.kind(), ended.is_ok(), begun.elapsed());
        context.queue.done(&key, ended);
    }
}

async fn follow_roots(context: Context) {
    let mut bundle = context.bundle.clone();
    while bundle.changed().await.is_ok() {
        info!("the trusted roots changed");
        all(&context);
    }
}

/// prometheus-operator may be installed later: a watch of a kind that is not served would only fail.
async fn look_for_service_monitors(context: Context) {
    let mut look = tokio::time::interval(DISCOVERY);
    loop {
        look.tick().await;
        let resource = Kind::ServiceMonitor.resource();
        let listed = context.client.list_api_group_resources(&resource.api_version).await;
        let served = match &listed {
            Ok(list) => list.resources.iter().any(|one| one.kind == resource.kind),
            Err(kube::Error::Api(status)) if status.is_not_found() => false,
            Err(error) => {
                debug!(%error, "which kinds are served is not known now");
                continue;
            }
        };
        if context.service_monitors.swap(served, Ordering::Relaxed) != served {
            all(&context);
        }
    }
}

async fn rotate(context: Context, authority: Authority) {
    let since = Timestamp::now();
    let mut look = tokio::time::interval(ROTATION);
    loop {
        look.tick().await;
        let running = context.fleet.running();
        match authority.rotate(&enroll::Fleet { since, running: &running }).await {
            Ok(None) => {}
            Ok(Some(step)) => info!(?step, "the roots rotate"),
            Err(error) => error!(%error, "the roots do not rotate"),
        }
    }
}

fn name_of(object: &DynamicObject) -> String {
    identity(&object.metadata)
}

/// The collector to which an object of ours belongs.
fn owner(object: &DynamicObject) -> Option<String> {
    let labels = object.labels();
    let namespace = object.namespace().or_else(|| labels.get(kind::COLLECTOR_NAMESPACE).cloned())?;
    Some(format!("{namespace}/{}", labels.get(kind::COLLECTOR)?))
}
