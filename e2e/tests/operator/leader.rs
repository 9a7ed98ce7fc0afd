//! Two replicas: one leads, the other takes over.

use rustix::process::Signal;
use serde_json::json;

use crate::fixture::{LIMIT, Place, eventually, text};

async fn holder(place: &Place) -> String {
    let leases = place.api("coordination.k8s.io", "v1", "Lease");
    let lease = leases.get_opt(&place.namespace).await.expect("the API server answers");
    lease.map(|lease| text(&lease.data["spec"]["holderIdentity"])).unwrap_or_default()
}

async fn held_by(place: &Place, name: &str) {
    eventually(&format!("the lease held by {name}"), LIMIT, async || {
        let holder = holder(place).await;
        (holder == name).then_some(()).ok_or(holder)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_stops_gives_the_lease_back_and_one_that_dies_is_followed() {
    let place = Place::new("leader").await;
    let first = place.operator("a");
    held_by(&place, "a").await;
    let second = place.operator("b");
    place.create("FlowCollector", "zone1", json!({})).await;
    place.made("zone1").await;
    assert!(first.stop().success(), "SIGTERM ends it well");
    assert_ne!(holder(&place).await, "a", "the lease was released");
    held_by(&place, "b").await;
    let third = place.operator("c");
    second.signal(Signal::KILL);
    held_by(&place, "c").await;
    place
        .create(
            "FlowCollector",
            "zone2",
            json!({"listeners": [{"name": "n", "protocol": "NetFlow", "port": 2056}]}),
        )
        .await;
    place.made("zone2").await;
    drop(third);
}
