//! Who runs what: what edges say of themselves, kept in memory, told to the operator and to people.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crds::fleet::{EdgeReport, FleetEvent, Running};
use tokio::sync::broadcast;

/// An edge that was not heard of for so long is gone.
const GONE: Duration = Duration::from_secs(60);
/// No more edges are kept: Kubernetes clusters have at most 5,000 nodes.
const NODES: usize = 10_000;
/// Events that a slow listener may be behind by before it is told everything again.
const EVENTS: usize = 1_024;

/// There are too many edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{NODES} edges have reported within the last minute; no more are kept")]
pub struct FleetFull;

/// The fleet as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetView {
    /// The aggregator itself.
    pub aggregator: Running,
    /// By node.
    pub edges: Vec<NodeView>,
}

/// An edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// What it said last.
    pub report: EdgeReport,
    /// Unix ms since when it has said that it runs this.
    pub since_ms: u64,
    /// Unix ms when it was last heard of.
    pub heard_ms: u64,
}

/// All edges that reported within the last minute.
#[derive(Debug)]
pub struct Fleet {
    state: Mutex<State>,
    events: broadcast::Sender<FleetEvent>,
}

#[derive(Debug, Default)]
struct State {
    aggregator: Running,
    edges: BTreeMap<String, Known>,
}

#[derive(Debug)]
struct Known {
    report: EdgeReport,
    since_ms: u64,
    heard_ms: u64,
    heard: Instant,
}

impl Default for Fleet {
    fn default() -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let state = State { aggregator: Running { version, ..Running::default() }, ..State::default() };
        Self { state: Mutex::new(state), events: broadcast::channel(EVENTS).0 }
    }
}

impl Fleet {
    /// Takes what an edge says.
    ///
    /// # Errors
    /// When too many are kept already.
    pub fn hear(&self, report: EdgeReport) -> Result<(), FleetFull> {
        self.hear_at(report, Instant::now())
    }

    fn hear_at(&self, report: EdgeReport, heard: Instant) -> Result<(), FleetFull> {
        let mut state = self.lock();
        self.sweep(&mut state, heard);
        let heard_ms = unix_ms();
        let event = FleetEvent::Edge { edge: report.clone() };
        let full = state.edges.len() >= NODES;
        match state.edges.get_mut(&report.node) {
            Some(known) => {
                let changed = known.report != report;
                if known.report.running != report.running || known.report.profiles != report.profiles {
                    known.since_ms = heard_ms;
                }
                (known.report, known.heard, known.heard_ms) = (report, heard, heard_ms);
                if !changed {
                    return Ok(());
                }
            }
            None if full => return Err(FleetFull),
            None => {
                let known = Known { report, since_ms: heard_ms, heard_ms, heard };
                state.edges.insert(known.report.node.clone(), known);
            }
        }
        // Nobody may be listening.
        let _ = self.events.send(event);
        Ok(())
    }

    /// Changes what is said of the aggregator itself.
    pub fn run(&self, change: impl FnOnce(&mut Running)) {
        let mut state = self.lock();
        let before = state.aggregator.clone();
        change(&mut state.aggregator);
        if state.aggregator != before {
            let _ = self.events.send(FleetEvent::Aggregator { aggregator: state.aggregator.clone() });
        }
    }

    /// Everything, and what changes from then on.
    pub fn subscribe(&self) -> (FleetEvent, broadcast::Receiver<FleetEvent>) {
        let mut state = self.lock();
        self.sweep(&mut state, Instant::now());
        let edges = state.edges.values().map(|known| known.report.clone()).collect();
        (FleetEvent::Fleet { aggregator: state.aggregator.clone(), edges }, self.events.subscribe())
    }

    /// Forgets whoever is gone, and tells it.
    pub fn forget_gone(&self) {
        self.sweep(&mut self.lock(), Instant::now());
    }

    /// As it is now.
    pub fn view(&self) -> FleetView {
        let mut state = self.lock();
        self.sweep(&mut state, Instant::now());
        let view = |known: &Known| NodeView {
            report: known.report.clone(),
            since_ms: known.since_ms,
            heard_ms: known.heard_ms,
        };
        FleetView { aggregator: state.aggregator.clone(), edges: state.edges.values().map(view).collect() }
    }

    fn sweep(&self, state: &mut State, now: Instant) {
        state.edges.retain(|node, known| {
            let here = now.saturating_duration_since(known.heard) < GONE;
            if !here {
                let _ = self.events.send(FleetEvent::Gone { node: node.clone() });
            }
            here
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(node: &str, hot: &str) -> EdgeReport {
        let running = Running { hot: hot.into(), ..Running::default() };
        EdgeReport { node: node.into(), running, ..EdgeReport::default() }
    }

    #[test]
    fn what_changes_is_told_once_and_who_was_silent_for_a_minute_is_gone() {
        let fleet = Fleet::default();
        let (_, mut events) = fleet.subscribe();
        let start = Instant::now();
        for (node, hot, after) in [("a", "1", 0), ("b", "1", 0), ("a", "1", 10), ("a", "2", 20)] {
            fleet.hear_at(report(node, hot), start + Duration::from_secs(after)).unwrap();
        }
        fleet.run(|running| running.hot = "2".into());
        fleet.run(|running| running.hot = "2".into());
        fleet.hear_at(report("a", "2"), start + Duration::from_secs(60)).unwrap();
        let mut told = Vec::new();
        while let Ok(event) = events.try_recv() {
            told.push(match event {
                FleetEvent::Edge { edge } => format!("{} {}", edge.node, edge.running.hot),
                FleetEvent::Gone { node } => format!("{node} gone"),
                FleetEvent::Aggregator { aggregator } => format!("aggregator {}", aggregator.hot),
                other => format!("{other:?}"),
            });
        }
        assert_eq!(told, ["a 1", "b 1", "a 2", "aggregator 2", "b gone"]);
    }

    #[test]
    fn the_fleet_is_bounded() {
        let fleet = Fleet::default();
        for node in 0..NODES {
            fleet.hear(report(&node.to_string(), "")).unwrap();
        }
        assert_eq!(fleet.hear(report("one more", "")), Err(FleetFull));
        assert_eq!(fleet.hear(report("7", "2")), Ok(()), "who is known may go on");
    }
}
