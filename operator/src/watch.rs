//! Follows the API server: every object of a watched kind goes into the cache, and whoever is concerned into the queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use kube::core::DynamicObject;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt};
use tokio::task::JoinSet;
use tracing::warn;

use crate::cache::{Cache, Place};
use crate::kind::{self, Kind};

/// A watch that says nothing for so long is renewed.
const RENEW: u32 = 290;

/// Where the operator looks: everywhere, or in some namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole cluster.
    Cluster,
    /// These namespaces.
    Namespaces(Vec<String>),
}

impl Scope {
    fn parts(&self, kind: Kind) -> Vec<Option<String>> {
        match self {
            Self::Namespaces(names) if kind.is_namespaced() => names.iter().cloned().map(Some).collect(),
            _ => vec![None],
        }
    }
}

/// A change that was seen: the object as it is or as it was last.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its kind.
    pub kind: Kind,
    /// The object.
    pub object: Arc<DynamicObject>,
    /// Whether it is gone.
    pub gone: bool,
}

/// How the watches stand, for `/readyz`: what has not been listed yet, and why.
#[derive(Clone, Debug, Default)]
pub struct Synced(Arc<Mutex<BTreeMap<String, Option<String>>>>);

impl Synced {
    /// Every watch that has not listed its objects yet, with what the API server last said.
    pub fn missing(&self) -> Vec<String> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts
            .iter()
            .filter_map(|(name, state)| state.as_ref().map(|state| format!("{name}: {state}")))
            .collect()
    }

    fn set(&self, part: &str, state: Option<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(part.to_owned(), state);
    }
}

/// Starts the watches among other tasks; none ends by itself.
pub fn start(
    client: &Client,
    scope: &Scope,
    controller: &str,
    cache: &Cache,
    tell: &(impl Fn(Change) + Clone + Send + Sync + 'static),
    tasks: &mut JoinSet<()>,
) -> Synced {
    let synced = Synced::default();
    let kinds = Kind::OURS.into_iter().chain([Kind::Namespace]).chain(Kind::OWNED);
    for kind in kinds {
        for namespace in scope.parts(kind) {
            let watch = Watch { kind, namespace, cache: cache.clone(), synced: synced.clone() };
            watch.synced.set(&watch.name(), Some("not listed yet".to_owned()));
            let stream = watch.api(client.clone());
            tasks.spawn(watch.run(stream, controller.to_owned(), tell.clone()));
        }
    }
    synced
}

/// One kind in one namespace, or everywhere.
struct Watch {
    kind: Kind,
    namespace: Option<String>,
    cache: Cache,
    synced: Synced,
}

impl Watch {
    fn name(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} in {namespace}", self.kind.name()),
            None => self.kind.name(),
        }
    }

    fn api(&self, client: Client) -> Api<DynamicObject> {
        let resource = self.kind.resource();
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        }
    }

    async fn run(self, api: Api<DynamicObject>, controller: String, tell: impl Fn(Change)) {
        let mut config = watcher::Config::default().timeout(RENEW);
        if self.kind.is_owned() {
            config = config.labels(&format!("{}={controller}", kind::CONTROLLER));
        }
        let mut events = watcher::watcher(api, config).default_backoff().boxed();
        let mut listed = BTreeSet::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(object)) => {
                    listed.insert(Place::of(self.kind, &object));
                    self.seen(object, &tell);
                }
                Ok(Event::InitDone) => {
                    for object in self.cache.keep_only(self.kind, self.namespace.as_deref(), &listed) {
                        tell(Change { kind: self.kind, object, gone: true });
                    }
                    self.synced.set(&self.name(), None);
                }
                Ok(Event::Apply(object)) => self.seen(object, &tell),
                Ok(Event::Delete(object)) => {
                    self.cache.remove(&Place::of(self.kind, &object));
                    tell(Change { kind: self.kind, object: Arc::new(object), gone: true });
                }
                Err(error) => self.failed(&error),
            }
        }
    }

    fn seen(&self, object: DynamicObject, tell: &impl Fn(Change)) {
        let place = Place::of(self.kind, &object);
        let version = object.resource_version();
        let before = self.cache.put(self.kind, object);
        // After a reconnect everything is listed again.
        if before.is_some_and(|before| before.resource_version() == version) {
            return;
        }
        if let Some(object) = self.cache.get(&place) {
            tell(Change { kind: self.kind, object, gone: false });
        }
    }

    /// The watcher waits and tries again by itself.
    fn failed(&self, error: &watcher::Error) {
        let text = described(error);
        warn!(watch = self.name(), "{text}");
        let mut parts = self.synced.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Some(state)) = parts.get_mut(&self.name()) {
            *state = text;
        }
    }
}

/// What a failing watch means for the one who installed this.
fn described(error: &watcher::Error) -> String {
    let status = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => status,
        watcher::Error::WatchError(status) => status,
        _ => return error.to_string(),
    };
    if status.is_not_found() {
        return "the API server does not serve this kind: install the CRDs (charts/weir-crds)".to_owned();
    }
    if status.is_forbidden() {
        return format!("no right to list and watch: {}", status.message);
    }
    format!("{}: {}", status.reason, status.message)
}

/// Waits until everything has been listed once, telling every ten seconds what is missing.
pub async fn listed(synced: &Synced) {
    let mut look = tokio::time::interval(Duration::from_millis(50));
    let mut said = tokio::time::Instant::now();
    loop {
        look.tick().await;
        let missing = synced.missing();
        if missing.is_empty() {
            return;
        }
        if said.elapsed() > Duration::from_secs(10) {
            warn!(missing = missing.join("; "), "waiting for the API server");
            said = tokio::time::Instant::now();
        }
    }
}
