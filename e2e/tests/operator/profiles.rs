//! Profiles: hot, one by one, and the last good one for ever.

use serde_json::{Value, json};

use crate::fixture::{LIMIT, Place, eventually};

fn channel(filter: &str) -> Value {
    json!({"channels": [{"name": "web", "filter": filter}]})
}

/// The hot plane as one text.
async fn hot(place: &Place) -> String {
    let maps = place.api("", "v1", "ConfigMap");
    let mut text = String::new();
    for shard in 0..4 {
        if let Ok(map) = maps.get(&format!("zone1-hot-{shard}")).await {
            text += &map.data["data"].to_string();
        }
    }
    text
}

async fn hot_has(place: &Place, part: &str) {
    eventually(&format!("{part} in force"), LIMIT, async || {
        let text = hot(place).await;
        text.contains(part).then_some(()).ok_or(text)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_profile_changes_two_config_maps_at_most_and_no_workload() {
    let place = Place::new("hot").await;
    let _operator = place.operator("a");
    place.create("FlowCollector", "zone1", json!({})).await;
    place.made("zone1").await;
    place.create("FlowProfile", "web", channel("port 80")).await;
    hot_has(&place, "port 80").await;
    place.condition("FlowProfile", "web", "Accepted", "True").await;
    let generation = |object: kube::core::DynamicObject| object.metadata.generation;
    let sets = place.api("apps", "v1", "DaemonSet");
    let before = generation(sets.get("zone1-edge").await.unwrap());
    let mark = place.plane.audit().mark();
    place.edit("FlowProfile", "web", channel("port 443")).await;
    hot_has(&place, "port 443").await;
    let writes = place.writes_since(mark);
    let maps = writes.iter().filter(|write| write.starts_with("patch configmaps")).count();
    assert!(maps <= 2, "{writes:?}");
    assert!(
        !writes.iter().any(|write| write.contains("daemonsets") || write.contains("deployments")),
        "{writes:?}"
    );
    assert_eq!(generation(sets.get("zone1-edge").await.unwrap()), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_made_bad_runs_as_it_was_though_operator_and_config_maps_die() {
    let place = Place::new("lastgood").await;
    let operator = place.operator("a");
    place.create("FlowCollector", "zone1", json!({})).await;
    place.create("FlowProfile", "web", channel("port 8443")).await;
    place.create("FlowProfile", "dns", channel("port 53")).await;
    place.made("zone1").await;
    hot_has(&place, "port 8443").await;
    place.edit("FlowProfile", "web", channel("port eighty")).await;
    let (reason, message) = place.condition("FlowProfile", "web", "Accepted", "False").await;
    assert_eq!(reason, "InvalidSpec");
    assert!(message.contains("spec.channels[0].filter: line 1, column 6: "), "{message}");
    assert!(message.ends_with("generation 1 goes on"), "{message}");
    drop(operator);
    let maps = place.api("", "v1", "ConfigMap");
    for shard in 0..4 {
        maps.delete(&format!("zone1-hot-{shard}"), &Default::default()).await.unwrap();
    }
    let _operator = place.operator("b");
    hot_has(&place, "port 8443").await;
    hot_has(&place, "port 53").await;
    place.condition("FlowProfile", "dns", "Accepted", "True").await;
    let (_, message) = place.condition("FlowProfile", "web", "Stalled", "True").await;
    assert!(message.ends_with("generation 1 goes on"), "{message}");
    // And made good again it goes on from there.
    place.edit("FlowProfile", "web", channel("port 80")).await;
    place.condition("FlowProfile", "web", "Accepted", "True").await;
    hot_has(&place, "port 80").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_that_nobody_runs_says_why() {
    let place = Place::new("unbound").await;
    let _operator = place.operator("a");
    let mut spec = channel("any");
    spec["collectorRef"] = json!({"name": "absent"});
    place.create("FlowProfile", "web", spec).await;
    let (reason, message) = place.condition("FlowProfile", "web", "Accepted", "False").await;
    assert_eq!(reason, "NoCollector");
    assert!(message.contains("there is no FlowCollector absent"), "{message}");
    place.create("FlowCollector", "absent", json!({})).await;
    place.condition("FlowProfile", "web", "Accepted", "True").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_channels_fit_and_the_youngest_profile_past_them_waits() {
    let place = Place::new("many").await;
    let _operator = place.operator("a");
    place.create("FlowCollector", "zone1", json!({})).await;
    let many = |first: usize| {
        let channels: Vec<Value> = (0..100)
            .map(|at| json!({"name": format!("c{at}"), "filter": format!("host 192.0.2.{} and port {}", at, first + at)}))
            .collect();
        json!({ "channels": channels })
    };
    for profile in 0..20 {
        place.create("FlowProfile", &format!("p{profile}"), many(1000 + 100 * profile)).await;
    }
    for profile in 0..20 {
        place.condition("FlowProfile", &format!("p{profile}"), "Accepted", "True").await;
    }
    // Creation times have whole seconds; of the same second, names decide.
    place.create("FlowProfile", "z", channel("any")).await;
    let (reason, message) = place.condition("FlowProfile", "z", "Accepted", "False").await;
    assert_eq!(reason, "CollectorFull");
    assert!(message.contains("2000 channels fit on"), "{message}");
    place.profiles().delete("p7", &Default::default()).await.unwrap();
    place.condition("FlowProfile", "z", "Accepted", "True").await;
}
