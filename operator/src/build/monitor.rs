//! How a Prometheus that prometheus-operator runs finds the aggregator's metrics, which speak for all edges.

use crds::config::cluster::ServiceMonitorConfig;
use serde_json::json;

use super::Ground;
use crate::apply::Desired;
use crate::cache::Place;
use crate::kind::Kind;

/// Prometheus shows its own token; the aggregator asks the API server whether it may read `/metrics`.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The ServiceMonitor (monitoring.coreos.com/v1).
pub(super) fn service_monitor(ground: &Ground<'_>, wanted: &ServiceMonitorConfig) -> Desired {
    let name = ground.named("aggregator");
    let mut meta = ground.meta("aggregator", "aggregator");
    meta.labels.get_or_insert_default().extend(wanted.labels.clone());
    let resource = Kind::ServiceMonitor.resource();
    let object = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": meta,
        "spec": {
            "selector": { "matchLabels": ground.selector("aggregator") },
            "endpoints": [{
                "port": "api",
                "path": "/metrics",
                "scheme": "https",
                "interval": format!("{}s", wanted.interval.as_secs()),
                "bearerTokenFile": TOKEN,
                "tlsConfig": {
                    "ca": { "configMap": { "name": ground.named("ca"), "key": "ca.crt" } },
                    "serverName": format!("{name}.{}.svc", ground.namespace()),
                },
            }],
        },
    });
    Desired { place: Place::new(Kind::ServiceMonitor, ground.namespace(), name), object }
}
