//! The four ConfigMaps at the API, each watched by its name: the right to read them is given by name.

use std::time::{Duration, Instant};

use crds::config::hot::{SHARDS, Shard};
use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio::sync::watch;
use tracing::warn;

use crate::telemetry::Repeated;

/// An API that is away is said so often.
const SAY: Duration = Duration::from_secs(60);

/// Why nothing can be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Not `namespace/name`.
    #[error("{0:?} is no FlowCollector: write NAMESPACE/NAME")]
    Name(String),
    /// Neither in a cluster nor with a kubeconfig.
    #[error("cannot tell where the API server is: {0}")]
    Config(#[from] kube::Error),
}

/// What the API has told.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// As they stand there; one that is not there is empty.
    pub shards: [Shard; SHARDS],
    /// Whether all four are known as they are now.
    pub synced: bool,
    /// When all four were known last; none: never.
    pub heard: Option<Instant>,
}

/// Watches the hot ConfigMaps of the FlowCollector `namespace/name` until nobody listens.
///
/// # Errors
/// When the name is none, or nothing tells where the API server is. One that is away is waited for.
pub async fn follow(collector: &str) -> Result<watch::Receiver<Watched>, WatchError> {
    let (namespace, name) = match collector.split('/').collect::<Vec<_>>()[..] {
        [namespace, name] if !namespace.is_empty() && !name.is_empty() => (namespace, name),
        _ => return Err(WatchError::Name(collector.to_owned())),
    };
    Ok(follow_with(Client::try_default().await?, namespace, name))
}

/// As [`follow`], by a client that is there already.
pub fn follow_with(client: Client, namespace: &str, name: &str) -> watch::Receiver<Watched> {
    let api: Api<ConfigMap> = Api::namespaced(client, namespace);
    let each = (0..SHARDS).map(|shard| {
        let by_name = format!("metadata.name={name}-hot-{shard}");
        let events = watcher(api.clone(), watcher::Config::default().fields(&by_name)).default_backoff();
        events.map(move |event| (shard, event)).boxed()
    });
    let mut events = futures::stream::select_all(each);
    let (tell, told) = watch::channel(Watched::default());
    tokio::spawn(async move {
        let mut following = Following { listed: [false; SHARDS], said: Repeated::every(SAY) };
        loop {
            tokio::select! {
                () = tell.closed() => return,
                event = events.next() => match event {
                    Some((shard, event)) => tell.send_if_modified(|now| following.take(now, shard, event)),
                    None => return,
                },
            };
        }
    });
    told
}

struct Following {
    /// Which are known as they are now.
    listed: [bool; SHARDS],
    said: Repeated,
}

impl Following {
    /// Returns whether there is something to tell.
    fn take(
        &mut self,
        now: &mut Watched,
        shard: usize,
        event: Result<Event<ConfigMap>, watcher::Error>,
    ) -> bool {
        match event {
            // The list that follows says what is there; until then what was there is taken to be.
            Ok(Event::Init) => self.listed[shard] = false,
            Ok(Event::InitApply(object) | Event::Apply(object)) => {
                now.shards[shard] = content(object);
                self.listed[shard] = true;
            }
            Ok(Event::InitDone) => {
                if !self.listed[shard] {
                    now.shards[shard] = Shard::default();
                }
                self.listed[shard] = true;
            }
            Ok(Event::Delete(_)) => now.shards[shard] = Shard::default(),
            Err(error) => {
                self.listed[shard] = false;
                if let Some(unsaid) = self.said.pass() {
                    warn!(%error, unsaid, "the API does not tell the hot configuration; what is in force goes on");
                }
            }
        }
        let synced = self.listed.iter().all(|listed| *listed);
        if now.synced || synced {
            now.heard = Some(Instant::now());
        }
        now.synced = synced;
        synced
    }
}

fn content(object: ConfigMap) -> Shard {
    let binary = object.binary_data.unwrap_or_default();
    Shard {
        data: object.data.unwrap_or_default(),
        binary: binary.into_iter().map(|(key, bytes)| (key, bytes.0)).collect(),
    }
}
