//! What the operator tells of itself: metrics, health, logs.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::enroll::Outcomes;

mod server;

pub use server::{Readiness, serve};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reconciled {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Written {
    kind: String,
    verb: &'static str,
}

/// The operator's metrics. Cheap to clone; no label is a name that users choose.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    reconciles: Family<Reconciled, Counter>,
    durations: Family<OfKind, Histogram>,
    depth: Gauge,
    leader: Gauge,
    writes: Family<Written, Counter>,
    applied: Histogram,
    profiles_refused: Gauge<f64, AtomicU64>,
    enrolments: Outcomes,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("weir_operator");
        let histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 16));
        let metrics = (
            Family::<Reconciled, Counter>::default(),
            Family::<OfKind, Histogram>::new_with_constructor(histogram),
            Gauge::default(),
            Gauge::default(),
            Family::<Written, Counter>::default(),
            Histogram::new(exponential_buckets(0.016, 2.0, 14)),
            Gauge::<f64, AtomicU64>::default(),
        );
        let (reconciles, durations, depth, leader, writes, applied, profiles_refused) = metrics;
        registry.register("reconciles", "Reconciliations by kind and result", reconciles.clone());
        let help = "How long a reconciliation took";
        registry.register_with_unit("reconcile_duration", help, Unit::Seconds, durations.clone());
        registry.register("queue_depth", "Objects that wait to be reconciled", depth.clone());
        registry.register("leader", "1 while this replica holds the lease", leader.clone());
        registry.register("writes", "Requests that change something, by kind and verb", writes.clone());
        let help = "From a profile's change until every ready edge runs it";
        registry.register_with_unit("apply_to_applied", help, Unit::Seconds, applied.clone());
        registry.register("profiles_refused", "Profiles with an error", profiles_refused.clone());
        let enrolments = Outcomes::register(&mut registry);
        let registry = Arc::new(registry);
        Self { registry, reconciles, durations, depth, leader, writes, applied, profiles_refused, enrolments }
    }
}

impl Metrics {
    /// How requests for certificates end.
    pub fn enrolments(&self) -> Outcomes {
        self.enrolments.clone()
    }

    /// A reconciliation ended.
    pub fn reconciled(&self, kind: &'static str, ok: bool, took: Duration) {
        let result = if ok { "ok" } else { "error" };
        self.reconciles.get_or_create(&Reconciled { kind, result }).inc();
        self.durations.get_or_create(&OfKind { kind }).observe(took.as_secs_f64());
    }

    /// A request changed something.
    pub fn wrote(&self, kind: &str, verb: &'static str) {
        self.writes.get_or_create(&Written { kind: kind.to_owned(), verb }).inc();
    }

    /// How many objects wait.
    pub fn queued(&self, depth: usize) {
        self.depth.set(i64::try_from(depth).unwrap_or(i64::MAX));
    }

    /// Whether this replica leads.
    pub fn leads(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// A profile's change arrived everywhere.
    pub fn arrived(&self, took: Duration) {
        self.applied.observe(took.as_secs_f64());
    }

    /// How many profiles have an error.
    pub fn refused(&self, profiles: usize) {
        self.profiles_refused.set(profiles as f64);
    }

    /// As Prometheus reads it (OpenMetrics 1.0).
    pub fn text(&self) -> String {
        let mut text = String::new();
        // A String takes what is written.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_told() {
        let metrics = Metrics::default();
        metrics.reconciled("FlowProfile", false, Duration::from_millis(3));
        metrics.wrote("ConfigMap", "apply");
        metrics.leads(true);
        metrics.arrived(Duration::from_millis(900));
        let text = metrics.text();
        for line in [
            "weir_operator_reconciles_total{kind=\"FlowProfile\",result=\"error\"} 1",
            "weir_operator_writes_total{kind=\"ConfigMap\",verb=\"apply\"} 1",
            "weir_operator_leader 1",
            "weir_operator_apply_to_applied_seconds_count 1",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
