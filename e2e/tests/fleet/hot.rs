//! Profiles change while flows arrive: in force everywhere at once, with no pod restarted and no flow lost.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fixture::{Door, Place, collector, eventually, profile};

const CHANGES: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_changes_restart_no_pod_lose_no_flow_and_are_each_in_force_on_every_node() {
    let place = Place::new("hot").await;
    place.apply(&collector("zone1", 2255));
    place.apply(&profile("all", "any"));
    place.apply(&profile("moves", "port 1"));
    place.condition("FlowProfile", "moves", "Applied", "True").await;
    let door = place.door("zone1");
    let pods = || {
        let path = "jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[*].restartCount}{\"\\n\"}{end}";
        place.cluster.kubectl(&["-n", &place.namespace, "get", "pods", "-o", path])
    };
    let before = pods();
    let nodes = place.cluster.nodes();
    let generators: Vec<_> = nodes.iter().map(|node| place.keep_sending(node, 2255, 200)).collect();
    let mut took = Vec::with_capacity(CHANGES);
    for change in 0..CHANGES {
        took.push(changed(&place, change).await);
    }
    for generator in generators {
        assert!(generator.stop().success());
    }
    assert_eq!(pods(), before, "no pod restarted");
    took.sort();
    let at = |share: usize| took[took.len() * share / 100 - 1];
    println!("apply to applied: p50 {:?}, p99 {:?}, longest {:?}", at(50), at(99), at(100));
    let all = eventually("every record that arrived counted", async || {
        let ledger = ledger(&door).await?;
        let counted = place.sum(&door, "all", "c", "flows").await?;
        if counted > 0 && counted == ledger.records {
            Ok(ledger)
        } else {
            Err(format!("{counted} of {ledger:?}"))
        }
    })
    .await;
    assert_eq!((all.missing, all.undecodable), (0, 0), "no datagram missing, no template lost");
}

/// What the exporters' streams say of loss.
#[derive(Debug)]
struct Ledger {
    records: u64,
    missing: i64,
    undecodable: u64,
}

async fn ledger(door: &Door) -> Result<Ledger, String> {
    let answer = door.get("/api/v1/exporters").await?;
    let streams = answer["exporters"].as_array().ok_or_else(|| answer.to_string())?;
    let number = |stream: &Value, key: &str| stream[key].as_u64().unwrap_or_default();
    let undecodable = |stream: &Value| -> u64 {
        let reasons = stream["undecodable"].as_object().into_iter().flat_map(|map| map.values());
        reasons.filter_map(Value::as_u64).sum()
    };
    Ok(Ledger {
        records: streams.iter().map(|stream| number(stream, "records")).sum(),
        missing: streams.iter().filter_map(|stream| stream["missing"].as_i64()).sum(),
        undecodable: streams.iter().map(undecodable).sum(),
    })
}

/// How long a change takes from `kubectl apply`'s request to a status that says that every node runs it.
async fn changed(place: &Place, change: usize) -> Duration {
    let api = place.api("FlowProfile").await;
    let filter = format!("port {}", 1_000 + change);
    let patch = serde_json::json!({"spec": {"channels": [{"name": "c", "filter": filter}]}});
    let begun = Instant::now();
    let patched =
        api.patch("moves", &Default::default(), &kube::api::Patch::Merge(&patch)).await.expect("patched");
    let generation = patched.metadata.generation;
    eventually(&format!("change {change} applied"), async || {
        let object = api.get("moves").await.map_err(|error| error.to_string())?;
        let status = &object.data["status"];
        let applied = status["conditions"].as_array().into_iter().flatten().any(|one| {
            one["type"] == "Applied"
                && one["status"] == "True"
                && one["observedGeneration"].as_i64() == generation
        });
        applied.then_some(()).ok_or_else(|| status.to_string())
    })
    .await;
    begun.elapsed()
}
