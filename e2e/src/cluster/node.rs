//! A node: containerd, kubelet and kube-proxy in a network namespace.

mod settings;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::control_plane::ControlPlane;
use super::network::Network;
use super::programs::program;
use super::{cgroup, guard};
use crate::deadline::wait_for;
use crate::program::{Program, output_of};

const PATIENCE: Duration = Duration::from_secs(60);

/// The name of a node by its number.
pub(crate) fn name(number: u8) -> String {
    format!("node{number}")
}

/// A node of a [`super::Cluster`].
#[derive(Debug)]
pub struct Node {
    name: String,
    number: u8,
    address: Ipv4Addr,
    cluster: PathBuf,
    network: Network,
    programs: Mutex<Programs>,
}

/// What runs on a node; empty while it is off.
#[derive(Debug, Default)]
struct Programs {
    kubelet: Option<Program>,
    rest: Vec<Program>,
}

impl Node {
    /// Makes a node and starts it; `others` are the numbers of those that are there.
    pub(crate) fn create(plane: &ControlPlane, network: &Network, number: u8, others: &[u8]) -> Self {
        let slot = plane.guard().slot();
        let node = Self {
            name: name(number),
            number,
            address: slot.node(number),
            cluster: plane.folder().to_owned(),
            network: network.clone(),
            programs: Mutex::default(),
        };
        network.add_node(&node.name, number, others);
        cgroup::create(&node.cgroup());
        settings::write(&node, plane);
        node.start();
        node
    }

    /// Its name in the cluster: `node0`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address, at which hostNetwork pods and host ports are reached.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Where its state and its programs' logs lie: `kubelet.log`, ...
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.cluster.join(&self.name)
    }

    /// A command in the node's network.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        self.network.enter(&self.name, &mut command);
        command.arg(program);
        command
    }

    /// Ends the kubelet alone: pods run on, and the node is soon NotReady.
    pub fn stop_kubelet(&self) {
        self.programs().kubelet = None;
    }

    /// Starts the kubelet again.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_kubelet(&self) {
        self.programs().kubelet = Some(self.kubelet());
    }

    /// Cuts the node off from everything else.
    pub fn partition(&self) {
        self.network.set_cable(&self.name, false);
    }

    /// Ends a partition.
    pub fn heal(&self) {
        self.network.set_cable(&self.name, true);
    }

    /// Ends everything on the node at once, as a power cut would; its disk stays.
    pub fn halt(&self) {
        *self.programs() = Programs::default();
        guard::of_node("halt", &self.cluster, &self.name);
    }

    /// Starts a halted node, with nothing running on it.
    ///
    /// # Panics
    /// When a program does not start.
    pub fn start(&self) {
        // What a machine would have had in memory.
        let _ = fs::remove_dir_all(self.folder().join("state"));
        let mut containerd = self.containerd();
        wait_for("containerd", PATIENCE, String::new, || {
            containerd.assert_running();
            self.ctr(&["version"]).output().is_ok_and(|output| output.status.success()).then_some(())
        });
        let mut programs = self.programs();
        programs.rest = vec![self.kube_proxy(), containerd];
        programs.kubelet = Some(self.kubelet());
    }

    /// Gives the node an image from a `docker-archive` or OCI archive.
    ///
    /// # Panics
    /// When containerd refuses it.
    pub fn load_image(&self, archive: &Path) {
        let mut command = self.ctr(&["images", "import"]);
        command.arg(archive);
        output_of(command);
    }

    /// Kills the first process of a container, given as in a pod's status: `containerd://<id>`.
    ///
    /// # Panics
    /// When it does not run here.
    pub fn kill_container(&self, id: &str) {
        let id = id.trim_start_matches("containerd://");
        output_of(self.ctr(&["tasks", "kill", "--signal", "SIGKILL", id]));
    }

    pub(crate) fn number(&self) -> u8 {
        self.number
    }

    /// Takes it down and removes it; the object in the cluster stays.
    pub(crate) fn remove(&self, others: &[u8]) {
        *self.programs() = Programs::default();
        guard::of_node("remove", &self.cluster, &self.name);
        self.network.remove_node(self.number, others);
    }

    /// Lets its programs outlive this process.
    pub(crate) fn keep(&self) {
        let programs = std::mem::take(&mut *self.programs());
        programs.rest.into_iter().chain(programs.kubelet).for_each(std::mem::forget);
    }

    fn programs(&self) -> std::sync::MutexGuard<'_, Programs> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cgroup(&self) -> String {
        self.network.namespace(&self.name)
    }

    fn socket(&self) -> PathBuf {
        self.folder().join("containerd.sock")
    }

    fn ctr(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.socket()).args(["--namespace", "k8s.io"]).args(arguments);
        command
    }

    fn containerd(&self) -> Program {
        let mut command = self.own("containerd");
        command.arg("--config").arg(self.folder().join("containerd.toml"));
        Program::start("containerd", &self.folder(), command)
    }

    fn kubelet(&self) -> Program {
        let folder = self.folder();
        let mut command = self.own(program("kubelet"));
        for (flag, file) in [
            ("config", "kubelet.json"),
            ("kubeconfig", "kubelet.kubeconfig"),
            ("root-dir", "kubelet"),
            ("cert-dir", "kubelet/pki"),
        ] {
            command.arg(format!("--{flag}={}", folder.join(file).display()));
        }
        command.arg(format!("--hostname-override={}", self.name));
        command.arg(format!("--node-ip={}", self.address));
        Program::start("kubelet", &folder, command)
    }

    fn kube_proxy(&self) -> Program {
        let folder = self.folder();
        let mut command = self.own(program("kube-proxy"));
        command.arg(format!("--kubeconfig={}", folder.join("kube-proxy.kubeconfig").display()));
        command.arg(format!("--hostname-override={}", self.name));
        // The second: tables of connections belong to the machine, not to a node.
        command.args(["--proxy-mode=iptables", "--conntrack-max-per-core=0"]);
        Program::start("kube-proxy", &folder, command)
    }

    /// A program of the node's, in its network.
    fn own(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = guard::command(&self.cluster, "nsenter");
        command.env("WEIR_NODE", &self.name);
        self.network.enter(&self.name, &mut command);
        command.arg(program);
        command
    }
}
