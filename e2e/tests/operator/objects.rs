//! A FlowCollector becomes objects, its status tells the truth, and what stands is left alone.

use serde_json::json;

use crate::fixture::{LIMIT, Place, conditions, eventually, snapshot};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_becomes_everything_it_needs_and_says_that_no_node_takes_an_edge() {
    let place = Place::new("objects").await;
    let _operator = place.operator("a");
    place.create("FlowCollector", "zone1", json!({})).await;
    let (reason, message) = place.condition("FlowCollector", "zone1", "WorkloadsAvailable", "False").await;
    assert!(
        ["NoNodes", "AggregatorNotReady", "Unschedulable", "VolumeNotBound"].contains(&reason.as_str()),
        "{reason}: {message}"
    );
    place.made("zone1").await;
    let made: Vec<String> = snapshot(&place).await.into_iter().map(|(name, _)| name).collect();
    for wanted in [
        "DaemonSet zone1-edge",
        "Deployment zone1-aggregator",
        "ConfigMap zone1-hot-0",
        "ConfigMap zone1-hot-3",
        "ConfigMap zone1-ca",
        "ConfigMap zone1-edge",
        "Service zone1-aggregator",
        "PersistentVolumeClaim zone1-aggregator",
        "NetworkPolicy zone1-aggregator",
        "RoleBinding zone1-edge",
    ] {
        assert!(made.iter().any(|name| name == wanted), "{wanted} in {made:?}");
    }
    let table = place.plane.kubectl(&["-n", &place.namespace, "get", "wfc"]);
    assert!(
        table.lines().next().is_some_and(|head| head.contains("NODES") && head.contains("READY")),
        "{table}"
    );
    let object = place.collectors().get("zone1").await.unwrap();
    let fields = object.metadata.managed_fields.unwrap_or_default();
    let ours = fields.iter().filter(|one| one.manager.as_deref() == Some("weir-operator"));
    for one in ours {
        assert_eq!(
            one.subresource.as_deref(),
            Some("status"),
            "the user's object is touched in its status alone"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_is_written_no_more_until_the_lease_was_renewed_five_times() {
    let place = Place::new("quiet").await;
    let _operator = place.operator("a");
    place.create("FlowCollector", "zone1", json!({})).await;
    place.create("FlowProfile", "web", json!({"channels": [{"name": "web", "filter": "port 443"}]})).await;
    place.made("zone1").await;
    place.condition("FlowProfile", "web", "Accepted", "True").await;
    // The controllers of the cluster still write status into what is new.
    let mut mark = place.plane.audit().mark();
    eventually("five renewals without another write", LIMIT, async || {
        let writes = place.writes_since(mark);
        if !writes.is_empty() {
            mark = place.plane.audit().mark();
            return Err(writes.join("\n"));
        }
        let renewed = place.plane.audit().since(mark);
        let renewed =
            renewed.iter().filter(|one| one.is_of_a_lease() && one.object.namespace == place.namespace);
        let count = renewed.count();
        (count >= 5).then_some(()).ok_or_else(|| format!("{count} renewals"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_belongs_to_a_collector_goes_with_it_and_its_volume_stays() {
    let place = Place::new("removal").await;
    let _operator = place.operator("a");
    place.create("FlowCollector", "zone1", json!({})).await;
    place.made("zone1").await;
    place.collectors().delete("zone1", &Default::default()).await.unwrap();
    eventually("only the volume's claim", LIMIT, async || {
        let left: Vec<String> = snapshot(&place).await.into_iter().map(|(name, _)| name).collect();
        (left == ["PersistentVolumeClaim zone1-aggregator"]).then_some(()).ok_or_else(|| format!("{left:?}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spec_that_cannot_run_is_stalled_and_what_ran_before_goes_on() {
    let place = Place::new("refused").await;
    let _operator = place.operator("a");
    place.create("FlowCollector", "zone1", json!({})).await;
    place.made("zone1").await;
    let before = snapshot(&place).await;
    let tie = json!({"sources": [{"name": "a", "prefixes": ["192.0.2.0/24"]}, {"name": "b", "prefixes": ["192.0.2.0/24"]}]});
    place.edit("FlowCollector", "zone1", tie).await;
    let (reason, message) = place.condition("FlowCollector", "zone1", "Stalled", "True").await;
    assert_eq!(reason, "InvalidSpec");
    assert!(
        message.contains("spec.sources[1]") && message.ends_with("what was accepted before goes on"),
        "{message}"
    );
    assert_eq!(snapshot(&place).await, before);
    place.edit("FlowCollector", "zone1", json!({"sources": null})).await;
    eventually("not stalled", LIMIT, async || {
        let object = place.collectors().get("zone1").await.map_err(|error| error.to_string())?;
        let stalled = conditions(&object).iter().any(|one| one["type"] == "Stalled");
        (!stalled).then_some(()).ok_or_else(|| object.data["status"].to_string())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_exposure_brings_its_service_and_takes_it_away_again() {
    let place = Place::new("exposure").await;
    let _operator = place.operator("a");
    place.create("FlowCollector", "zone1", json!({"exposure": {"type": "NodePort"}})).await;
    place.made("zone1").await;
    let services = place.api("", "v1", "Service");
    let service = eventually("the service", LIMIT, async || {
        services.get("zone1-edge").await.map_err(|e| e.to_string())
    })
    .await;
    assert_eq!(service.data["spec"]["externalTrafficPolicy"], "Local");
    assert_eq!(service.data["spec"]["sessionAffinity"], "ClientIP");
    place.edit("FlowCollector", "zone1", json!({"exposure": {"type": "HostNetwork"}})).await;
    eventually("no service", LIMIT, async || {
        let there = services.get_opt("zone1-edge").await.map_err(|error| error.to_string())?;
        there.is_none().then_some(()).ok_or_else(|| "it is there".to_owned())
    })
    .await;
}
