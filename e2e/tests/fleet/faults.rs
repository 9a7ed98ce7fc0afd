//! What breaks in a cluster: killed programs, replaced pods, a node cut off. Late, not lost, and never twice.

use serde_json::Value;

use crate::fixture::{Place, collector, eventually, profile};

/// Names of a collector's pods of a component, with their nodes.
fn pods(place: &Place, component: &str) -> Vec<(String, String)> {
    let selector = format!("app.kubernetes.io/component={component}");
    let text = place.cluster.kubectl(&["-n", &place.namespace, "get", "pods", "-l", &selector, "-o", "json"]);
    let list: Value = serde_json::from_str(&text).expect("a list");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = list["items"].as_array().into_iter().flatten();
    items.map(|pod| (text(&pod["metadata"]["name"]), text(&pod["spec"]["nodeName"]))).collect()
}

/// Waits until the aggregator has counted exactly so many flows. A door that led to a killed program opens no more: each
/// look takes a new one.
async fn counted(place: &Place, flows: u64) {
    eventually(&format!("{flows} flows"), async || {
        let door = place.door("zone1");
        let sum = place.sum(&door, "all", "c", "flows").await?;
        (sum == flows).then_some(()).ok_or_else(|| format!("{sum}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_aggregator_and_replaced_edges_lose_nothing_and_count_nothing_twice() {
    let place = Place::new("killed").await;
    place.apply(&collector("zone1", 2355));
    place.apply(&profile("all", "any"));
    place.condition("FlowProfile", "all", "Applied", "True").await;
    let nodes = place.cluster.nodes();
    for node in &nodes {
        place.send(node, 2355, 1_000);
    }
    counted(&place, 2_000).await;
    let (aggregator, _) = pods(&place, "aggregator").remove(0);
    place.cluster.kill_container(&place.namespace, &aggregator, "aggregator").await;
    for node in &nodes {
        place.send(node, 2355, 1_000);
    }
    place.condition("FlowCollector", "zone1", "Ready", "True").await;
    counted(&place, 4_000).await;
    // At its end an edge ships what it has; a new one begins with an empty folder.
    for (edge, _) in pods(&place, "edge") {
        let _ = place.cluster.kubectl(&["-n", &place.namespace, "delete", "pod", &edge]);
    }
    let before = pods(&place, "edge");
    eventually("two new edges", async || {
        let now = pods(&place, "edge");
        (now.len() == 2).then_some(()).ok_or_else(|| format!("{now:?} after {before:?}"))
    })
    .await;
    place.condition("FlowCollector", "zone1", "WorkloadsAvailable", "True").await;
    place.condition("FlowProfile", "all", "Applied", "True").await;
    for node in &nodes {
        place.send(node, 2355, 1_000);
    }
    counted(&place, 6_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_that_forbids_the_exposure_and_an_image_that_is_not_there_say_what_to_do() {
    let place = Place::new("bad").await;
    let _ = place.cluster.kubectl(&[
        "label",
        "--overwrite",
        "namespace",
        &place.namespace,
        "pod-security.kubernetes.io/enforce=restricted",
    ]);
    place.apply(&collector("zone1", 2455));
    let message = eventually("the reason", async || {
        let message = place.condition("FlowCollector", "zone1", "WorkloadsAvailable", "False").await;
        message
            .contains("pod-security.kubernetes.io/enforce=privileged")
            .then_some(message.clone())
            .ok_or(message)
    })
    .await;
    assert!(message.contains("ClusterIP"), "{message}");
    // The same collector in the mode that the namespace allows.
    let edge = r#"{"spec":{"exposure":{"type":"ClusterIP"},"edge":{"storage":{"type":"EmptyDir"}}}}"#;
    let _ =
        place.cluster.kubectl(&["-n", &place.namespace, "patch", "wfc", "zone1", "--type=merge", "-p", edge]);
    place.condition("FlowCollector", "zone1", "Ready", "True").await;
    place.condition("FlowCollector", "zone1", "HistorySurvivesRollout", "False").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_collectors_that_want_the_same_port_of_a_node_say_so() {
    let place = Place::new("ports").await;
    place.apply(&collector("first", 2555));
    place.condition("FlowCollector", "first", "Ready", "True").await;
    place.apply(&collector("second", 2555));
    let message = eventually("the reason", async || {
        let message = place.condition("FlowCollector", "second", "WorkloadsAvailable", "False").await;
        message.contains("spec.listeners").then_some(message.clone()).ok_or(message)
    })
    .await;
    assert!(message.contains("another pod holds a port"), "{message}");
    place.condition("FlowCollector", "first", "Ready", "True").await;
}
