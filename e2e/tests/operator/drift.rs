//! What people delete or edit is put right; what they add is theirs.

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::fixture::{KINDS, LIMIT, Place, eventually, snapshot};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_object_that_is_deleted_comes_back_as_it_was() {
    let place = Place::new("deleted").await;
    let _operator = place.operator("a");
    place.create("FlowCollector", "zone1", json!({})).await;
    place.create("FlowProfile", "web", json!({"channels": [{"name": "web", "filter": "port 443"}]})).await;
    place.made("zone1").await;
    place.condition("FlowProfile", "web", "Accepted", "True").await;
    let before = stable(snapshot(&place).await);
    for (group, version, kind) in KINDS {
        // A claim is protected while a pod uses it, and a Service's address changes.
        if kind == "PersistentVolumeClaim" {
            continue;
        }
        let api = place.api(group, version, kind);
        let names = before.iter().filter_map(|(name, _)| name.strip_prefix(&format!("{kind} ")));
        for name in names {
            api.delete(name, &DeleteParams::background()).await.unwrap();
        }
        eventually(&format!("every {kind} again"), LIMIT, async || {
            let now = stable(snapshot(&place).await);
            let missing: Vec<_> =
                before.iter().filter(|one| !now.contains(one)).map(|(name, _)| name).collect();
            missing.is_empty().then_some(()).ok_or_else(|| format!("{missing:?}"))
        })
        .await;
    }
}

/// Without what the API server gives each object anew.
fn stable(mut snapshot: Vec<(String, Value)>) -> Vec<(String, Value)> {
    for (_, content) in &mut snapshot {
        if let Some(spec) = content["spec"].as_object_mut() {
            spec.retain(|key, _| !["clusterIP", "clusterIPs", "volumeName"].contains(&key.as_str()));
            spec.remove("healthCheckNodePort");
        }
    }
    snapshot
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_of_ours_are_put_back_and_those_of_others_stay() {
    let place = Place::new("edited").await;
    let _operator = place.operator("a");
    place.create("FlowCollector", "zone1", json!({})).await;
    place.made("zone1").await;
    let sets = place.api("apps", "v1", "DaemonSet");
    let edit = json!({
        "metadata": {"annotations": {"example.org/injected": "yes"}},
        "spec": {"template": {"spec": {"hostNetwork": false, "dnsPolicy": "Default"}}},
    });
    sets.patch("zone1-edge", &PatchParams::default(), &Patch::Merge(&edit)).await.unwrap();
    let maps = place.api("", "v1", "ConfigMap");
    let foreign = json!({"data": {"foreign.yaml": "x: 1", "sources.yaml": "- name: evil\n"}});
    maps.patch("zone1-hot-0", &PatchParams::default(), &Patch::Merge(&foreign)).await.unwrap();
    eventually("both as they were", LIMIT, async || {
        let set = sets.get("zone1-edge").await.map_err(|error| error.to_string())?;
        let map = maps.get("zone1-hot-0").await.map_err(|error| error.to_string())?;
        let kept = set.metadata.annotations.clone().unwrap_or_default().contains_key("example.org/injected");
        let spec = &set.data["spec"]["template"]["spec"];
        let right = spec["hostNetwork"] == true && spec["dnsPolicy"] == "ClusterFirstWithHostNet";
        let clean = map.data["data"]["foreign.yaml"].is_null() && map.data["data"]["sources.yaml"] == "[]\n";
        (kept && right && clean)
            .then_some(())
            .ok_or_else(|| format!("kept {kept}, {spec}, {}", map.data["data"]))
    })
    .await;
}
