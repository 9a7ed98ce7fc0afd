//! Who runs what: one stream to each aggregator, which gathers the reports of its edges.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crds::fleet::{EdgeReport, FLEET_PATH, FleetEvent, Running};
use futures::StreamExt;
use rustls::ClientConfig;
use tokio::task::AbortHandle;
use tracing::{debug, info};

/// A stream that is silent for so long has ended: something comes every ten seconds.
const SILENCE: Duration = Duration::from_secs(25);
/// Between two attempts.
const AGAIN: Duration = Duration::from_secs(1);
/// A line is no longer: the first has the reports of all edges.
const LINE_BYTES: usize = 64 << 20;

/// How a connection is made now: certificates change.
pub type Tls = Arc<dyn Fn() -> ClientConfig + Send + Sync>;

/// What is known of a collector's programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Why the aggregator cannot be asked; none while its stream stands.
    pub trouble: Option<String>,
    /// What the aggregator runs; none before its first line.
    pub aggregator: Option<Running>,
    /// By node.
    pub edges: BTreeMap<String, EdgeReport>,
}

/// Every stream. Cheap to clone.
#[derive(Clone, Default)]
pub struct Fleet(Arc<Mutex<BTreeMap<String, Followed>>>);

struct Followed {
    url: String,
    view: View,
    task: AbortHandle,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a line changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something about the collector itself, or all of it.
    Collector,
    /// What an edge runs: these profiles changed there.
    Profiles(Vec<String>),
}

impl Fleet {
    /// Follows a collector's aggregator at a URL; nothing when that is done already.
    pub fn follow(
        &self,
        collector: &str,
        url: &str,
        tls: Tls,
        tell: impl Fn(&str, Heard) + Send + Sync + 'static,
    ) {
        let mut followed = self.lock();
        if followed.get(collector).is_some_and(|known| known.url == url) {
            return;
        }
        let stream = Stream { fleet: self.clone(), collector: collector.to_owned(), url: url.to_owned() };
        let task = tokio::spawn(stream.run(tls, tell)).abort_handle();
        let view = View { trouble: Some("not connected yet".to_owned()), ..View::default() };
        followed.insert(collector.to_owned(), Followed { url: url.to_owned(), view, task });
    }

    /// Follows a collector no longer.
    pub fn leave(&self, collector: &str) {
        self.lock().remove(collector);
    }

    /// What is known of a collector.
    pub fn view(&self, collector: &str) -> View {
        self.lock().get(collector).map(|followed| followed.view.clone()).unwrap_or_default()
    }

    /// What every reachable program runs.
    pub fn running(&self) -> Vec<Running> {
        let followed = self.lock();
        let views = followed.values().map(|followed| &followed.view);
        views
            .flat_map(|view| view.aggregator.iter().chain(view.edges.values().map(|edge| &edge.running)))
            .cloned()
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Followed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, collector: &str, change: impl FnOnce(&mut View) -> Option<Heard>) -> Option<Heard> {
        change(&mut self.lock().get_mut(collector)?.view)
    }
}

/// One collector's stream.
struct Stream {
    fleet: Fleet,
    collector: String,
    url: String,
}

impl Stream {
    async fn run(self, tls: Tls, tell: impl Fn(&str, Heard)) {
        loop {
            let ended = match client(tls()) {
                Ok(client) => self.listen(&client, &tell).await,
                Err(error) => told(&error),
            };
            debug!(collector = self.collector, ended, "the aggregator's stream");
            let lost = self.fleet.change(&self.collector, |view| {
                let known = view.trouble.as_ref() == Some(&ended);
                view.trouble = Some(ended);
                (!known).then_some(Heard::Collector)
            });
            if let Some(heard) = lost {
                tell(&self.collector, heard);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Listens until the stream ends; says why it did.
    async fn listen(&self, client: &reqwest::Client, tell: &impl Fn(&str, Heard)) -> String {
        let answer = match client.get(format!("{}{FLEET_PATH}", self.url)).send().await {
            Ok(answer) => answer,
            Err(error) => return told(&error),
        };
        if !answer.status().is_success() {
            return format!("it answers {}", answer.status());
        }
        info!(collector = self.collector, "the aggregator tells who runs what");
        let mut parts = answer.bytes_stream();
        let mut pending = Vec::new();
        loop {
            match tokio::time::timeout(SILENCE, parts.next()).await {
                Err(_) => return format!("silent for {} s", SILENCE.as_secs()),
                Ok(None) => return "it closed the stream".to_owned(),
                Ok(Some(Err(error))) => return told(&error),
                Ok(Some(Ok(part))) => pending.extend_from_slice(&part),
            }
            if let Err(reason) = self.lines(&mut pending, tell) {
                return reason;
            }
        }
    }

    fn lines(&self, pending: &mut Vec<u8>, tell: &impl Fn(&str, Heard)) -> Result<(), String> {
        while let Some(end) = pending.iter().position(|&byte| byte == b'\n') {
            let rest = pending.split_off(end + 1);
            let line = std::mem::replace(pending, rest);
            let event = serde_json::from_slice(&line).map_err(|error| format!("not understood: {error}"))?;
            if let Some(heard) = self.fleet.change(&self.collector, |view| take(view, event)) {
                tell(&self.collector, heard);
            }
        }
        if pending.len() > LINE_BYTES {
            return Err(format!("a line of more than {LINE_BYTES} bytes"));
        }
        Ok(())
    }
}

/// Takes an event over; says what it changed.
fn take(view: &mut View, event: FleetEvent) -> Option<Heard> {
    match event {
        FleetEvent::Fleet { aggregator, edges } => {
            let edges = edges.into_iter().map(|edge| (edge.node.clone(), edge)).collect();
            *view = View { trouble: None, aggregator: Some(aggregator), edges };
            Some(Heard::Collector)
        }
        FleetEvent::Aggregator { aggregator } => {
            let before = view.aggregator.replace(aggregator);
            (before != view.aggregator).then_some(Heard::Collector)
        }
        FleetEvent::Edge { edge } => {
            let before = view.edges.get(&edge.node);
            let heard = before.map_or(Some(Heard::Collector), |before| differs(before, &edge));
            view.edges.insert(edge.node.clone(), edge);
            heard
        }
        FleetEvent::Gone { node } => view.edges.remove(&node).map(|_| Heard::Collector),
        FleetEvent::Alive => None,
    }
}

fn differs(before: &EdgeReport, after: &EdgeReport) -> Option<Heard> {
    if before == after {
        return None;
    }
    let rest = |report: &EdgeReport| EdgeReport { profiles: Vec::new(), ..report.clone() };
    let (mut one, mut other) = (rest(before), rest(after));
    // The hash of the whole changes with every profile.
    (one.running.hot, other.running.hot) = (String::new(), String::new());
    if one != other {
        return Some(Heard::Collector);
    }
    let known: BTreeMap<_, _> = before.profiles.iter().map(|profile| (&profile.name, profile)).collect();
    let changed = after.profiles.iter().filter(|profile| known.get(&profile.name) != Some(profile));
    Some(Heard::Profiles(changed.map(|profile| profile.name.clone()).collect()))
}

fn client(tls: ClientConfig) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(Duration::from_secs(5))
        .no_proxy()
        .build()
}

/// An error with what lies below it.
fn told(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use crds::fleet::ProfileReport;

    use super::*;

    fn edge(node: &str, generation: i64) -> EdgeReport {
        let profile = |name: &str, generation| ProfileReport {
            name: name.to_owned(),
            generation,
            ..Default::default()
        };
        let profiles = vec![profile("a/fixed", 1), profile("a/moves", generation)];
        EdgeReport { node: node.to_owned(), profiles, ..Default::default() }
    }

    #[test]
    fn a_profile_that_an_edge_took_over_concerns_that_profile_alone() {
        let mut view = View::default();
        let fleet = FleetEvent::Fleet { aggregator: Running::default(), edges: vec![edge("n1", 1)] };
        assert_eq!(take(&mut view, fleet), Some(Heard::Collector));
        let moved = take(&mut view, FleetEvent::Edge { edge: edge("n1", 2) });
        assert_eq!(moved, Some(Heard::Profiles(vec!["a/moves".to_owned()])));
        assert_eq!(take(&mut view, FleetEvent::Edge { edge: edge("n1", 2) }), None);
        assert_eq!(take(&mut view, FleetEvent::Alive), None);
    }

    #[test]
    fn an_edge_that_comes_goes_or_says_something_else_concerns_the_collector() {
        let mut view = View::default();
        assert_eq!(take(&mut view, FleetEvent::Edge { edge: edge("n1", 1) }), Some(Heard::Collector));
        let short = EdgeReport { buffer_short: 1, ..edge("n1", 1) };
        assert_eq!(take(&mut view, FleetEvent::Edge { edge: short }), Some(Heard::Collector));
        assert_eq!(take(&mut view, FleetEvent::Gone { node: "n1".to_owned() }), Some(Heard::Collector));
        assert_eq!(take(&mut view, FleetEvent::Gone { node: "n1".to_owned() }), None);
    }
}
