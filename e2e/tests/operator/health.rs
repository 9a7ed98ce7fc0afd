//! What GitOps tools make of a status: kstatus (Flux, Helm, kubectl) and Argo CD, each by its own code.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use e2e::cluster::programs::program;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::fixture::{LIMIT, Place, eventually};

/// (kstatus, Argo CD) of an object.
fn health(object: &DynamicObject) -> (String, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/gitops/argocd/health.lua");
    let mut child = Command::new(program("health"))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program was built");
    let object = serde_json::to_vec(object).expect("an object");
    child.stdin.take().expect("a pipe").write_all(&object).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said: Value = serde_json::from_slice(&output.stdout).expect("it answers");
    let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
    (text("kstatus"), text("argocd"))
}

async fn becomes(place: &Place, kind: &str, name: &str, wanted: (&str, &str)) {
    let api = place.api("weir.dev", "v1alpha1", kind);
    eventually(&format!("{kind} {name} {wanted:?}"), LIMIT, async || {
        let object = api.get(name).await.map_err(|error| error.to_string())?;
        let (kstatus, argo) = health(&object);
        let status = object.data["status"].to_string();
        ((kstatus.as_str(), argo.as_str()) == wanted)
            .then_some(())
            .ok_or(format!("{kstatus}, {argo}: {status}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gitops_tools_wait_see_failures_and_see_that_all_is_well() {
    let place = Place::new("health").await;
    let channel = |filter: &str| json!({"channels": [{"name": "web", "filter": filter}]});
    let profile = place.create("FlowProfile", "web", channel("port 443")).await;
    assert_eq!(
        health(&profile),
        ("InProgress".to_owned(), "Progressing".to_owned()),
        "nobody has looked at it"
    );
    let _operator = place.operator("a");
    let (reason, _) = place.condition("FlowProfile", "web", "Reconciling", "True").await;
    assert_eq!(reason, "NoCollector", "one may come a moment later: tools give up at Stalled");
    place.create("FlowCollector", "zone1", json!({})).await;
    // No pod runs here: it waits, and that is no failure.
    becomes(&place, "FlowCollector", "zone1", ("InProgress", "Progressing")).await;
    becomes(&place, "FlowProfile", "web", ("InProgress", "Progressing")).await;
    place.edit("FlowProfile", "web", channel("port eighty")).await;
    becomes(&place, "FlowProfile", "web", ("Failed", "Degraded")).await;
    let tie = json!({"sources": [{"name": "a", "prefixes": ["192.0.2.0/24"]}, {"name": "b", "prefixes": ["192.0.2.0/24"]}]});
    place.edit("FlowCollector", "zone1", tie).await;
    becomes(&place, "FlowCollector", "zone1", ("Failed", "Degraded")).await;
    let replicate = json!({"destinations": [{"address": "192.0.2.1", "port": 2055}]});
    place.create("ExportTarget", "old", json!({"type": "Replicate", "replicate": replicate})).await;
    becomes(&place, "ExportTarget", "old", ("Current", "Healthy")).await;
    place.edit("ExportTarget", "old", json!({"paused": true})).await;
    becomes(&place, "ExportTarget", "old", ("Current", "Suspended")).await;
}
