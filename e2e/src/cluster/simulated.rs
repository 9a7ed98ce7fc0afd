//! Nodes that are not there: kwok says that they are Ready, and that what is scheduled on them runs.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams, PostParams};
use serde_json::json;

use super::programs::program;
use super::{ControlPlane, guard};
use crate::deadline::eventually;
use crate::program::Program;

/// kwok leaves all other nodes alone.
const MARK: &str = "kwok.x-k8s.io/node";
/// So many requests at a time; one after the other a thousand take long.
const AT_ONCE: usize = 16;

/// A running kwok; when it is dropped its nodes fall silent and are soon lost.
#[derive(Debug)]
pub struct Simulation {
    kwok: Program,
    count: usize,
}

impl Simulation {
    /// How many nodes there are.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.count
    }

    /// # Panics
    /// When kwok has ended; the message holds what it printed.
    pub fn assert_running(&mut self) {
        self.kwok.assert_running();
    }
}

impl ControlPlane {
    /// Adds `count` simulated nodes, `simulated-0` and so on, and waits until all are Ready. For more than a few,
    /// use [`ControlPlane::start_large`].
    ///
    /// # Panics
    /// When kwok does not start, or the nodes are not Ready within two minutes.
    pub async fn simulate_nodes(&self, count: usize) -> Simulation {
        let mut command = guard::command(self.folder(), program("kwok"));
        command.arg(format!("--kubeconfig={}", self.kubeconfig().display()));
        command.arg(format!("--manage-nodes-with-annotation-selector={MARK}=fake"));
        command.args(["--node-lease-duration-seconds=40", "--server-address="]);
        // It would read and write in the home folder.
        command.env("HOME", self.folder());
        let mut simulation = Simulation { kwok: Program::start("kwok", self.folder(), command), count };
        let nodes: Api<Node> = Api::all(self.client().await);
        let create = async |number| nodes.create(&PostParams::default(), &node(number)).await.map(drop);
        let created = stream::iter(0..count).map(create).buffer_unordered(AT_ONCE).try_collect::<()>().await;
        created.expect("new nodes are accepted");
        let marked = ListParams::default().labels("type=kwok");
        let all_ready = async || {
            simulation.kwok.assert_running();
            let ready = nodes.list(&marked).await.ok()?.items.iter().filter(|node| is_ready(node)).count();
            (ready == count).then_some(())
        };
        eventually("the simulated nodes", Duration::from_secs(120), all_ready).await;
        simulation
    }
}

fn node(number: usize) -> Node {
    let name = format!("simulated-{number}");
    let capacity = json!({"cpu": "32", "memory": "256Gi", "pods": "110"});
    let object = json!({
        "metadata": {
            "name": name,
            "annotations": {MARK: "fake"},
            "labels": {
                "type": "kwok",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
            },
        },
        "status": {"capacity": capacity, "allocatable": capacity},
    });
    serde_json::from_value(object).expect("a node")
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
