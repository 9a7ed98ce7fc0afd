//! A control plane with nodes.

use std::net::Ipv4Addr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node as Object, Pod};
use kube::api::{Api, DeleteParams};

use super::control_plane::SOON;
use super::guard::Guard;
use super::network::Network;
use super::node::Node;
use super::{ControlPlane, dns, images, runtime};
use crate::deadline::eventually;
use crate::namespace::{Namespace, require_root};

/// From the first program's start to a node that is Ready, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(120);
/// As many as there are networks for their pods.
const MOST: u8 = 28;

/// A running cluster with nodes. It is a [`ControlPlane`] too: `client()`, `namespace()`, `kubectl()` and all else.
/// Dropping it takes it down; so does the end of the process, however it comes.
#[derive(Debug)]
pub struct Cluster {
    nodes: Mutex<Vec<Arc<Node>>>,
    images: Mutex<Vec<PathBuf>>,
    guests: AtomicU8,
    network: Network,
    plane: ControlPlane,
}

impl Deref for Cluster {
    type Target = ControlPlane;

    fn deref(&self) -> &ControlPlane {
        &self.plane
    }
}

impl Cluster {
    /// Starts one and waits until its nodes are Ready and DNS answers.
    ///
    /// # Panics
    /// Without root, and when something is missing or does not come up; the message holds what it printed.
    #[must_use]
    pub fn start(nodes: u8) -> Self {
        require_root();
        let images = images::of_the_cluster();
        let guard = Guard::hold();
        let slot = guard.slot();
        let network = Network::create(slot);
        let plane = ControlPlane::start_on(guard, slot.host(), SOON);
        let (guests, images) = (AtomicU8::new(0), Mutex::new(images));
        let cluster = Self { nodes: Mutex::default(), images, guests, network, plane };
        for _ in 0..nodes {
            cluster.start_node();
        }
        dns::install(&cluster.plane);
        runtime::block(async || {
            for node in cluster.nodes() {
                cluster.wait_until_ready(&node).await;
            }
            if nodes > 0 {
                dns::wait_until_ready(&cluster.plane).await;
            }
        });
        cluster
    }

    /// The one cluster of this process, with two nodes, started at the first call; it ends with the process.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(2))
    }

    /// Its nodes, in the order of their numbers.
    #[must_use]
    pub fn nodes(&self) -> Vec<Arc<Node>> {
        self.list().clone()
    }

    /// A node by its name.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn node(&self, name: &str) -> Arc<Node> {
        let found = self.nodes().into_iter().find(|node| node.name() == name);
        found.unwrap_or_else(|| panic!("the cluster has no node {name}"))
    }

    /// Adds a node and waits until it is Ready.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn add_node(&self) -> Arc<Node> {
        let node = self.start_node();
        self.wait_until_ready(&node).await;
        node
    }

    /// Takes a node down and out of the cluster, as an administrator does: the machine, then the object.
    ///
    /// # Panics
    /// When there is none of this name.
    pub async fn remove_node(&self, name: &str) {
        let node = self.node(name);
        self.list().retain(|other| other.name() != name);
        node.remove(&self.numbers());
        let objects: Api<Object> = Api::all(self.client().await);
        objects.delete(name, &DeleteParams::default()).await.expect("the node is registered");
    }

    /// Waits until a node is Ready, at which pods are started on it.
    ///
    /// # Panics
    /// When it is not within two minutes.
    pub async fn wait_until_ready(&self, node: &Node) {
        self.wait_for_ready(node, "True").await;
    }

    /// Waits until the cluster has noticed that a node is lost.
    ///
    /// # Panics
    /// When it has not within two minutes.
    pub async fn wait_until_lost(&self, node: &Node) {
        self.wait_for_ready(node, "Unknown").await;
    }

    /// Gives every node an image, also those that come later, from the archive that `make images` writes or
    /// `docker save` would. Pods need `imagePullPolicy: IfNotPresent` or `Never`.
    ///
    /// # Panics
    /// When containerd refuses it.
    pub fn load_image(&self, archive: &Path) {
        self.image_list().push(archive.to_owned());
        self.nodes().iter().for_each(|node| node.load_image(archive));
    }

    /// Kills the first process of a pod's container with SIGKILL.
    ///
    /// # Panics
    /// When the pod does not run, or has no such container.
    pub async fn kill_container(&self, namespace: &str, pod: &str, container: &str) {
        let pods: Api<Pod> = Api::namespaced(self.client().await, namespace);
        let object = pods.get(pod).await.unwrap_or_else(|error| panic!("{namespace}/{pod}: {error}"));
        let node = object.spec.and_then(|spec| spec.node_name).expect("the pod is scheduled");
        let statuses = object.status.and_then(|status| status.container_statuses).unwrap_or_default();
        let status = statuses.into_iter().find(|status| status.name == container);
        let id = status.and_then(|status| status.container_id);
        self.node(&node).kill_container(&id.expect("the container has been started"));
    }

    /// Connects a namespace of a test's own to the nodes' network, for an exporter; gives the address that it got.
    /// Nodes are reached at their addresses.
    ///
    /// # Panics
    /// When `ip` fails, and after a hundred of them.
    pub fn connect(&self, guest: &Namespace) -> Ipv4Addr {
        let number = self.guests.fetch_add(1, Ordering::Relaxed);
        assert!(number < 100, "a cluster's network has room for a hundred guests");
        self.network.add_guest(guest, number);
        self.guard().slot().guest(number)
    }

    /// Lets it outlive this process, until [`super::take_down_kept`].
    pub fn keep(self) {
        self.nodes().iter().for_each(|node| node.keep());
        self.plane.keep();
    }

    fn start_node(&self) -> Arc<Node> {
        let taken = self.numbers();
        let number =
            (0..MOST).find(|number| !taken.contains(number)).expect("a cluster has at most 28 nodes");
        let node = Arc::new(Node::create(&self.plane, &self.network, number, &taken));
        self.image_list().iter().for_each(|archive| node.load_image(archive));
        let mut nodes = self.list();
        nodes.push(node.clone());
        nodes.sort_by_key(|node| node.number());
        node
    }

    fn numbers(&self) -> Vec<u8> {
        self.list().iter().map(|node| node.number()).collect()
    }

    async fn wait_for_ready(&self, node: &Node, status: &str) {
        let objects: Api<Object> = Api::all(self.client().await);
        let probe = async || (ready(&objects, node.name()).await.as_deref() == Some(status)).then_some(());
        let what = format!("{} with Ready={status} (see {})", node.name(), node.folder().display());
        eventually(&what, PATIENCE, probe).await;
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<Node>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn image_list(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The status of a node's condition Ready.
async fn ready(objects: &Api<Object>, name: &str) -> Option<String> {
    let node = objects.get_opt(name).await.ok()??;
    let conditions = node.status?.conditions?;
    conditions.into_iter().find(|condition| condition.type_ == "Ready").map(|condition| condition.status)
}
