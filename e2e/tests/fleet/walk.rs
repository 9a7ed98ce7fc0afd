//! From `helm install` to numbers that equal what was sent.

use crate::fixture::{Place, collector, eventually, profile};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_exporters_send_to_the_nodes_is_what_the_aggregator_counts_and_the_status_says_so() {
    let place = Place::new("walk").await;
    place.apply(&collector("zone1", 2055));
    place.apply(&profile("all", "any"));
    place.apply(&profile("dns", "port 53"));
    place.condition("FlowCollector", "zone1", "Ready", "True").await;
    // While one edge is ready and the other is not, one of one runs it.
    eventually("both nodes", async || {
        let message = place.condition("FlowProfile", "all", "Applied", "True").await;
        (message == "generation 1 runs on 2 of 2 nodes").then_some(()).ok_or(message)
    })
    .await;
    place.condition("FlowCollector", "zone1", "ProfilesApplied", "True").await;
    let table = place.cluster.kubectl(&["-n", &place.namespace, "get", "wfc,wfp"]);
    assert!(table.contains("2/2"), "{table}");
    let door = place.door("zone1");
    for node in place.cluster.nodes() {
        place.send(&node, 2055, 3_000);
    }
    place.counts(&door, "all", "c", 6_000).await;
    let dns = place.sum(&door, "dns", "c", "flows").await.expect("an answer");
    assert!(dns > 0 && dns < 6_000, "{dns}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reads_without_a_right() {
    let place = Place::new("rights").await;
    place.apply(&collector("zone1", 2155));
    place.apply(&profile("all", "any"));
    place.condition("FlowProfile", "all", "Applied", "True").await;
    let door = place.door("zone1");
    let path = format!("/api/v1/profiles/{}/all/series?metric=flows&value=sum", place.namespace);
    let status = async |token: Option<&str>| door.ask(&path, token).await.expect("an answer").0;
    assert_eq!(status(None).await, 401);
    assert_eq!(status(Some("no-token")).await, 401);
    let _ = place.cluster.kubectl(&["-n", &place.namespace, "create", "serviceaccount", "nobody"]);
    let token = |audience: &str| {
        let audience = format!("--audience={audience}");
        place.cluster.kubectl(&["-n", &place.namespace, "create", "token", "nobody", &audience])
    };
    assert_eq!(status(Some(token("weir.dev").trim())).await, 403, "whose it is, is known; it has no right");
    assert_eq!(status(Some(token("other.example").trim())).await, 401, "a token for somebody else");
    assert!(door.get(&path).await.is_ok());
    assert_eq!(door.ask("/healthz", None).await.expect("an answer").0, 200);
}
