//! A real Kubernetes cluster without Docker: Kubernetes' own programs, built from pinned Go modules.
//!
//! For what needs an API server and no running pods (the operator, the kinds), a [`ControlPlane`] is enough; it is up
//! in seconds, needs no root, and several run side by side. Tests of one file share one:
//!
//! ```no_run
//! use e2e::cluster::ControlPlane;
//!
//! #[tokio::test]
//! async fn a_test() {
//!     let cluster = ControlPlane::shared(); // started by the first test, ends with the process
//!     cluster.install_crds().await; // what charts/weir-crds holds; as often as you like
//!     let namespace = cluster.namespace("a-test").await; // a new one: "a-test-0"
//!     let client = cluster.client().await; // a kube::Client as administrator, for this test's runtime
//!     let operator = cluster.client_as(&namespace, "default").await; // with a service account's rights
//!     let mark = cluster.audit().mark();
//!     // ... act ...
//!     assert!(!cluster.audit().since(mark).iter().any(|request| request.writes()));
//! }
//! ```
//!
//! What needs pods that run takes a [`Cluster`]: nodes with containerd, kubelet and kube-proxy in network namespaces,
//! DNS, and all that a control plane has. It needs root. [`Cluster::shared`] has two nodes.
//!
//! ```no_run
//! # async fn example() {
//! use e2e::cluster::Cluster;
//! use e2e::namespace::Namespace;
//!
//! let cluster = Cluster::start(2); // node0, node1
//! cluster.load_image(&e2e::cluster::images::archive("weir")); // from `make images PROFILE=image`
//! let exporter = Namespace::create("exporter");
//! let its_address = cluster.connect(&exporter); // sends to cluster.node("node0").address()
//! let node = cluster.node("node1");
//! node.stop_kubelet(); // also: partition, heal, halt, start
//! cluster.wait_until_lost(&node).await;
//! cluster.kill_container("demo", "core-edge-x", "edge").await;
//! cluster.remove_node("node1").await; // and add_node
//! # }
//! ```
//!
//! There is no volume provisioner (make hostPath volumes), no load balancer (write the Service's status), and nothing
//! enforces NetworkPolicies. [`ControlPlane::simulate_nodes`] adds nodes that only pretend, for scale.
//!
//! [`ControlPlane::kubectl`] runs kubectl, [`ControlPlane::kubeconfig`] is for other programs, and
//! [`crate::deadline::eventually`] waits for what is asynchronous. The logs lie in [`ControlPlane::folder`].
//!
//! Nothing outlives the test process: not after a panic, not after `kill -9`. The `guard` sees to that.

pub mod audit;
pub mod images;
pub mod programs;

mod address;
mod authority;
mod cgroup;
mod control_plane;
mod crds;
mod dns;
mod guard;
mod kubeconfig;
mod network;
mod node;
mod nodes;
mod runtime;
mod simulated;

pub use address::Slot;
pub use control_plane::ControlPlane;
pub use guard::take_down_kept;
pub use node::Node;
pub use nodes::Cluster;
pub use simulated::Simulation;
