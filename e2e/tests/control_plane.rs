//! The control plane that other tests stand on: it comes up, serves the kinds, and leaves nothing behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use e2e::cluster::ControlPlane;
use e2e::deadline::{eventually, wait_for};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, ApiResource, DynamicObject, ListParams, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

/// What this process becomes when it is started with this variable: a run that is killed.
const VICTIM: &str = "WEIR_TEST_VICTIM";

fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the object fits its type")
}

fn config_map(name: &str) -> ConfigMap {
    object(json!({"metadata": {"name": name}, "data": {"a": "b"}}))
}

/// The ids of processes that carry the cluster's mark.
fn marked(folder: &Path) -> Vec<PathBuf> {
    let mark = format!("WEIR_CLUSTER={}", folder.display());
    let of_cluster = |process: &PathBuf| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == mark.as_bytes())
    };
    let processes = fs::read_dir("/proc").expect("processes are listed").flatten().map(|entry| entry.path());
    processes.filter(of_cluster).collect()
}

#[tokio::test]
async fn the_kinds_of_the_chart_are_served_and_take_objects() {
    let cluster = ControlPlane::shared();
    let names = cluster.install_crds().await;
    assert!(names.iter().any(|name| name == "flowcollectors.weir.dev"), "{names:?}");
    let namespace = cluster.namespace("kinds").await;
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("weir.dev", "v1alpha1", "FlowCollector"));
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client().await, &namespace, &kind);
    let collector = object(json!({
        "apiVersion": "weir.dev/v1alpha1", "kind": "FlowCollector", "metadata": {"name": "core"}, "spec": {}
    }));
    api.create(&PostParams::default(), &collector).await.unwrap();
    let listed = cluster.kubectl(&["get", "wfc", "--namespace", &namespace, "--output", "name"]);
    assert_eq!(listed.trim(), "flowcollector.weir.dev/core");
}

#[tokio::test]
async fn controllers_and_scheduler_work() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("controllers").await;
    let client = cluster.client().await;
    let deployment: Deployment = object(json!({
        "metadata": {"name": "one"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "one"}},
            "template": {
                "metadata": {"labels": {"app": "one"}},
                "spec": {"containers": [{"name": "one", "image": "one"}]},
            },
        },
    }));
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &namespace);
    deployments.create(&PostParams::default(), &deployment).await.unwrap();
    let pods: Api<Pod> = Api::namespaced(client, &namespace);
    let unscheduled = async || {
        let pod = pods.list(&ListParams::default()).await.unwrap().items.pop()?;
        let conditions = pod.status?.conditions?;
        conditions.into_iter().find(|condition| condition.reason.as_deref() == Some("Unschedulable"))
    };
    let condition = eventually("a pod that finds no node", PATIENCE, unscheduled).await;
    assert!(condition.message.unwrap().contains("no nodes available"));
}

#[tokio::test]
async fn simulated_nodes_run_the_pods_of_a_daemon_set() {
    let cluster = ControlPlane::start();
    let simulation = cluster.simulate_nodes(20).await;
    let daemon_set: DaemonSet = object(json!({
        "metadata": {"name": "all"},
        "spec": {
            "selector": {"matchLabels": {"app": "all"}},
            "template": {
                "metadata": {"labels": {"app": "all"}},
                "spec": {"containers": [{"name": "all", "image": "all"}]},
            },
        },
    }));
    let daemon_sets: Api<DaemonSet> = Api::namespaced(cluster.client().await, "default");
    daemon_sets.create(&PostParams::default(), &daemon_set).await.unwrap();
    let ready = async || {
        let status = daemon_sets.get("all").await.unwrap().status?;
        (status.number_ready == 20).then_some(())
    };
    eventually("a Ready pod on each node", PATIENCE, ready).await;
    assert_eq!(simulation.nodes(), 20);
}

#[tokio::test]
async fn a_service_accounts_client_has_its_rights_and_the_audit_log_tells_what_it_did() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("rights").await;
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client_as(&namespace, "default").await, &namespace);
    let mark = cluster.audit().mark();
    maps.create(&PostParams::default(), &config_map("refused")).await.unwrap_err();
    maps.list(&ListParams::default()).await.unwrap_err();
    let requests = cluster.audit().since(mark);
    let name = format!("system:serviceaccount:{namespace}:default");
    let own: Vec<_> = requests.iter().filter(|request| request.user.name == name).collect();
    let verbs: Vec<_> = own.iter().map(|request| (request.verb.as_str(), request.answer.code)).collect();
    assert_eq!(verbs, [("create", 403), ("list", 403)]);
    assert!(own[0].writes() && own[0].is_forbidden() && !own[1].writes());
    assert_eq!((own[0].object.resource.as_str(), &own[0].object.namespace), ("configmaps", &namespace));
}

#[tokio::test]
async fn an_owner_reference_that_blocks_deletion_needs_the_right_to_the_owners_finalizers() {
    let cluster = ControlPlane::shared();
    let namespace = cluster.namespace("owners").await;
    let admin: Api<ConfigMap> = Api::namespaced(cluster.client().await, &namespace);
    let owner = admin.create(&PostParams::default(), &config_map("owner")).await.unwrap();
    let editor = ["create", "rolebinding", "editor", "--clusterrole=edit", "--namespace", &namespace];
    let subject = format!("--serviceaccount={namespace}:default");
    let _ = cluster.kubectl(&[&editor[..], &[&subject]].concat());
    let mut owned = config_map("owned");
    owned.metadata.owner_references = object(json!([{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid,
        "blockOwnerDeletion": true,
    }]));
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client_as(&namespace, "default").await, &namespace);
    // The right to edit everything in a namespace holds no right to finalizers: the binding has to be seen first.
    let create = async || maps.create(&PostParams::default(), &config_map("plain")).await.ok();
    eventually("the binding", PATIENCE, create).await;
    let refused = maps.create(&PostParams::default(), &owned).await.unwrap_err().to_string();
    assert!(refused.contains("cannot set blockOwnerDeletion"), "{refused}");
}

#[tokio::test]
async fn taken_down_it_leaves_no_process_and_no_folder() {
    let cluster = ControlPlane::start();
    let folder = cluster.folder().to_owned();
    assert_eq!(marked(&folder).len(), 4, "etcd, API server, controller manager, scheduler");
    drop(cluster);
    assert_eq!(marked(&folder), Vec::<PathBuf>::new());
    assert!(!folder.exists());
}

/// Not a test of its own: the process that the next one kills.
#[test]
fn victim() {
    if std::env::var_os(VICTIM).is_some() {
        let cluster = ControlPlane::start();
        println!("\n{}", cluster.folder().display());
        wait_for::<()>("the end", Duration::from_secs(300), String::new, || None);
    }
}

/// Starts another run of the victim and waits until its cluster is up.
fn start_victim() -> (Child, PathBuf) {
    let mut command = Command::new(std::env::current_exe().expect("a test knows its path"));
    command.args(["--exact", "victim", "--nocapture"]).env(VICTIM, "1").stdout(Stdio::piped());
    let mut victim = command.spawn().expect("this test can be started again");
    let output = BufReader::new(victim.stdout.take().expect("its output is piped"));
    let folder = output.lines().map_while(Result::ok).find(|line| line.starts_with('/'));
    let folder = PathBuf::from(folder.expect("it prints the folder"));
    assert_eq!(marked(&folder).len(), 4);
    (victim, folder)
}

#[test]
fn what_is_left_when_the_guard_is_killed_too_is_swept_by_the_next_cluster() {
    let (mut victim, folder) = start_victim();
    let mut guard = Command::new("pkill");
    guard.args(["-KILL", "--parent", &victim.id().to_string(), "--full", "cluster/guard hold"]);
    assert!(guard.status().unwrap().success(), "the guard is a child of the test");
    victim.kill().unwrap();
    victim.wait().unwrap();
    let left = marked(&folder);
    assert_eq!(left.len(), 4);
    let next = ControlPlane::start();
    assert!(left.iter().all(|process| !process.exists() || !marked(&folder).contains(process)));
    assert!(next.folder() == folder || !folder.exists());
}

#[test]
fn a_killed_test_leaves_no_process_and_no_folder() {
    let (mut victim, folder) = start_victim();
    victim.kill().unwrap();
    victim.wait().unwrap();
    let gone = || (marked(&folder).is_empty() && !folder.exists()).then_some(());
    wait_for("the end of the cluster", PATIENCE, String::new, gone);
}
