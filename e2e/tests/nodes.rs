//! The cluster with nodes that other tests stand on: it runs what a cluster runs, breaks as told, leaves nothing.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use e2e::cluster::programs::program;
use e2e::cluster::{Cluster, Node};
use e2e::deadline::eventually;
use e2e::namespace::Namespace;
use e2e::program::output_of;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use tokio::sync::OnceCell;

const PATIENCE: Duration = Duration::from_secs(90);
/// What each node answers with its name: on its own network, and by host port from a pod's.
const PORTS: [u16; 2] = [9080, 9081];

static SHARED: OnceCell<String> = OnceCell::const_new();

/// The shared cluster with the workload, and the workload's namespace.
async fn shared() -> (&'static Cluster, &'static str) {
    let cluster = Cluster::shared();
    (cluster, SHARED.get_or_init(|| running(cluster, "probes")).await)
}

/// Starts the workload on two nodes.
async fn running(cluster: &Cluster, label: &str) -> String {
    let namespace = cluster.namespace(label).await;
    let workload = include_str!("nodes/workload.yaml");
    cluster.apply_to(&namespace, workload);
    for app in ["host", "pod"] {
        ready(cluster, &namespace, app, 2).await;
    }
    namespace
}

async fn pods(cluster: &Cluster, namespace: &str, app: &str) -> Vec<Pod> {
    let api: Api<Pod> = Api::namespaced(cluster.client().await, namespace);
    let mut pods =
        api.list(&ListParams::default().labels(&format!("app={app}"))).await.unwrap_or_else(|error| {
            panic!("pods of {namespace}: {error}");
        });
    pods.items.sort_by_key(node_of);
    pods.items
}

fn node_of(pod: &Pod) -> String {
    pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn restarts(pod: &Pod) -> i32 {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    statuses.map(|status| status.restart_count).sum()
}

/// Waits until `count` pods of `app` are Ready.
async fn ready(cluster: &Cluster, namespace: &str, app: &str, count: usize) -> Vec<Pod> {
    let all = async || {
        let pods = pods(cluster, namespace, app).await;
        (pods.len() == count && pods.iter().all(is_ready)).then_some(pods)
    };
    eventually(&format!("{count} pods of {app}"), PATIENCE, all).await
}

/// Whether a node answers with its name, at its own port and at that of its pod.
async fn node_answers(node: &Node, from: &Namespace) -> Option<()> {
    let asked =
        PORTS.map(|port| ask(from.command(program("probe")), &format!("http://{}:{port}", node.address())));
    asked.iter().all(|answer| answer.as_deref() == Some(node.name())).then_some(())
}

fn ask(mut probe: Command, url: &str) -> Option<String> {
    let output = probe.args(["get", url]).output().expect("the probe starts");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Asks by `kubectl exec` from inside a pod.
fn ask_from(cluster: &Cluster, pod: &Pod, url: &str) -> Option<String> {
    let namespace = pod.namespace().unwrap_or_default();
    let exec = ["exec", "--namespace", &namespace, &pod.name_any(), "--", "/probe"];
    ask(cluster.kubectl_command(&exec), url)
}

#[tokio::test]
async fn daemon_sets_services_dns_host_ports_logs_and_exec_work_across_nodes() {
    let (cluster, namespace) = shared().await;
    let both: BTreeSet<_> = cluster.nodes().iter().map(|node| node.name().to_owned()).collect();
    let name = format!("http://pod.{namespace}.svc.cluster.local");
    for app in ["host", "pod"] {
        let pods = pods(cluster, namespace, app).await;
        assert_eq!(pods.iter().map(node_of).collect::<BTreeSet<_>>(), both);
        for pod in &pods {
            let mut seen = BTreeSet::new();
            let reached = async || {
                seen.extend(ask_from(cluster, pod, &name));
                (seen == both).then_some(())
            };
            eventually("a Service's pods on both nodes", PATIENCE, reached).await;
        }
    }
    let guest = Namespace::create("guest");
    cluster.connect(&guest);
    for node in cluster.nodes() {
        eventually("a node's ports", PATIENCE, async || node_answers(&node, &guest).await).await;
    }
    let pod = &pods(cluster, namespace, "pod").await[0];
    let log = cluster.kubectl(&["logs", "--namespace", namespace, &pod.name_any()]);
    assert!(log.starts_with("probe is ready on port 8080"), "{log}");
}

#[tokio::test]
async fn a_killed_container_is_started_again() {
    let (cluster, namespace) = shared().await;
    let pod = pods(cluster, namespace, "host").await.remove(0);
    let before = restarts(&pod);
    cluster.kill_container(namespace, &pod.name_any(), "probe").await;
    let again = async || {
        let pod = pods(cluster, namespace, "host").await.remove(0);
        (restarts(&pod) == before + 1 && is_ready(&pod)).then_some(())
    };
    eventually("the container", PATIENCE, again).await;
}

#[tokio::test]
async fn lost_nodes_are_noticed_and_come_back() {
    let cluster = Cluster::shared();
    let node = cluster.node("node1");
    node.stop_kubelet();
    cluster.wait_until_lost(&node).await;
    node.start_kubelet();
    cluster.wait_until_ready(&node).await;
    node.partition();
    cluster.wait_until_lost(&node).await;
    node.heal();
    cluster.wait_until_ready(&node).await;
}

#[tokio::test]
async fn nodes_reboot_come_and_go_and_nothing_is_left() {
    let cluster = Cluster::start(1);
    let folder = cluster.folder().to_owned();
    let slot = cluster.slot().name();
    cluster.add_node().await;
    let namespace = running(&cluster, "rebooted").await;
    let guest = Namespace::create("guest");
    cluster.connect(&guest);
    let node = cluster.node("node0");
    node.halt();
    assert_eq!(node_answers(&node, &guest).await, None);
    node.start();
    eventually("the node's pods", PATIENCE, async || node_answers(&node, &guest).await).await;
    cluster.remove_node("node1").await;
    ready(&cluster, &namespace, "pod", 1).await;
    drop(cluster);
    assert!(!folder.exists());
    assert_eq!(left(&folder.to_string_lossy(), &slot), Vec::<String>::new());
}

/// What mentions the cluster's folder or name in the machine's tables.
fn left(folder: &str, slot: &str) -> Vec<String> {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let listed = |program: &str, words: &[&str]| {
        let mut command = Command::new(program);
        command.args(words);
        output_of(command)
    };
    let tables = [
        text("/proc/self/mounts"),
        listed("ip", &["netns", "list"]),
        listed("ip", &["link"]),
        listed("find", &["/sys/fs/cgroup", "-maxdepth", "2", "-name", "weir*"]),
        listed("ps", &["-eo", "pid,args"]),
    ];
    let own = |line: &&str| {
        line.contains(&format!("{folder}/"))
            || line.contains(&format!("{slot}-"))
            || line.contains(&format!(" {slot}@"))
    };
    tables.iter().flat_map(|table| table.lines()).filter(own).map(str::to_owned).collect()
}
