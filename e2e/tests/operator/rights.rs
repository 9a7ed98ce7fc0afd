//! The operator with exactly the rights that the chart gives it: nothing is forbidden to it, whatever it is asked.

use e2e::chart;
use e2e::program::Program;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::fixture::{LIMIT, Place, eventually};

/// A kubeconfig with the token of a ServiceAccount in place of the administrator's certificate.
fn kubeconfig_of(place: &Place, account: &str) -> String {
    let token = place.plane.kubectl(&["-n", &place.namespace, "create", "token", account, "--duration=1h"]);
    let text = place.plane.kubectl(&["config", "view", "--raw", "-o", "json"]);
    let mut config: Value = serde_json::from_str(&text).expect("a kubeconfig");
    config["users"][0]["user"] = json!({ "token": token.trim() });
    let path = place.folder().join("operator.kubeconfig");
    std::fs::write(&path, config.to_string()).expect("the test's folder is writable");
    path.display().to_string()
}

/// Applies what the chart renders of rights, with the test's namespace as the release's.
fn grant(place: &Place, values: &[&str]) -> String {
    let fixed = [
        "template",
        &place.namespace,
        "charts/weir",
        "--namespace",
        &place.namespace,
        "--kube-version",
        "1.34.0",
    ];
    let arguments = [&fixed[..], values].concat();
    let rendered = chart::helm(&arguments).expect("the chart renders");
    let objects = chart::objects(&rendered);
    let wanted = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
    let mut account = String::new();
    let mut text = String::new();
    for object in objects.iter().filter(|one| wanted.iter().any(|kind| one["kind"] == *kind)) {
        if object["kind"] == "ServiceAccount" && account.is_empty() {
            account = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        }
        text += &format!("---\n{object}\n");
    }
    let file = place.folder().join("rights.yaml");
    std::fs::write(&file, text).expect("the test's folder is writable");
    let _ = place.plane.kubectl(&["apply", "-f", &file.display().to_string()]);
    account
}

/// Everything that an operator does.
async fn work(place: &Place, operator: Program) {
    place.create("FlowCollector", "zone1", json!({"exposure": {"type": "NodePort"}})).await;
    place.create("FlowProfile", "web", json!({"channels": [{"name": "web", "filter": "port 443"}]})).await;
    let password = json!({"name": "kafka", "key": "password"});
    let sasl = json!({"mechanism": "SCRAM-SHA-512", "username": "weir", "passwordRef": password});
    let kafka =
        json!({"brokers": ["192.0.2.1:9092"], "topic": "flows", "flows": [{"profile": "web"}], "sasl": sasl});
    place.create("ExportTarget", "bus", json!({"type": "Kafka", "kafka": kafka})).await;
    place.made("zone1").await;
    place.condition("FlowProfile", "web", "Accepted", "True").await;
    let (reason, message) = place.condition("ExportTarget", "bus", "Accepted", "False").await;
    assert_eq!(reason, "SecretMissing", "{message}");
    let mut arguments = vec!["-n", &place.namespace, "create", "secret", "generic", "kafka"];
    arguments.push("--from-literal=password=secret");
    let _ = place.plane.kubectl(&arguments);
    let _ = place.plane.kubectl(&[
        "-n",
        &place.namespace,
        "label",
        "secret",
        "kafka",
        "weir.dev/use=export-target",
    ]);
    place.condition("ExportTarget", "bus", "Accepted", "True").await;
    place.edit("FlowCollector", "zone1", json!({"exposure": {"type": "HostNetwork"}})).await;
    place.edit("FlowProfile", "web", json!({"channels": [{"name": "web", "filter": "port 80"}]})).await;
    let services = place.api("", "v1", "Service");
    eventually("the edges' Service gone", LIMIT, async || {
        let there = services.get_opt("zone1-edge").await.map_err(|error| error.to_string())?;
        there.is_none().then_some(()).ok_or_else(|| "it is there".to_owned())
    })
    .await;
    place.collectors().delete("zone1", &DeleteParams::default()).await.expect("deleted");
    let bindings = place.api("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding");
    let selector = format!("weir.dev/controller={0}.{0}", place.namespace);
    eventually("its ClusterRoleBinding gone", LIMIT, async || {
        let list = bindings.list(&kube::api::ListParams::default().labels(&selector)).await;
        let left = list.map_err(|error| error.to_string())?.items.len();
        (left == 0).then_some(()).ok_or_else(|| format!("{left} left"))
    })
    .await;
    assert!(operator.stop().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_forbidden_to_the_operator_with_the_charts_rights_in_one_namespace() {
    let place = Place::new("rights").await;
    let account = grant(&place, &["--set", &format!("watchNamespaces={{{}}}", place.namespace)]);
    let mark = place.plane.audit().mark();
    let kubeconfig = kubeconfig_of(&place, &account);
    let operator = place.operator_at("a", &kubeconfig);
    work(&place, operator).await;
    let user = format!("system:serviceaccount:{}:{account}", place.namespace);
    let asked = place.plane.audit().since(mark);
    let own: Vec<_> = asked.iter().filter(|request| request.user.name == user).collect();
    assert!(own.len() > 40, "the audit log has its requests: {}", own.len());
    let forbidden: Vec<String> = own
        .iter()
        .filter(|request| request.is_forbidden())
        .map(|request| format!("{} {}", request.verb, request.uri))
        .collect();
    assert!(forbidden.is_empty(), "{forbidden:#?}");
}

/// Helm's release name is in the rights: the operator's Lease has it.
#[test]
fn the_rights_have_no_wildcard() {
    let rendered = chart::template(&[]).expect("the chart renders");
    for object in chart::objects(&rendered)
        .iter()
        .filter(|one| one["kind"].as_str().is_some_and(|kind| kind.ends_with("Role")))
    {
        for rule in object["rules"].as_array().into_iter().flatten() {
            assert!(!rule.to_string().contains('*'), "{}: {rule}", object["metadata"]["name"]);
            let verbs = rule["verbs"].to_string();
            assert!(!verbs.contains("escalate") && !verbs.contains("impersonate"), "{rule}");
        }
    }
}
