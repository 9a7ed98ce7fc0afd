//! The files that a node's programs are started with.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::Node;
use crate::cluster::ControlPlane;
use crate::cluster::images;
use crate::program::output_of;

/// Where Debian puts CNI's plugins.
const PLUGINS: &str = "/usr/lib/cni";

/// Writes them all into the node's folder.
pub(super) fn write(node: &Node, plane: &ControlPlane) {
    let folder = node.folder();
    for part in ["", "cni", "kubelet", "plugins"] {
        fs::create_dir_all(folder.join(part)).expect("the cluster's folder is writable");
    }
    let name = node.name();
    plane.identify(&folder.join("kubelet.kubeconfig"), &format!("system:node:{name}"), Some("system:nodes"));
    plane.identify(&folder.join("kube-proxy.kubeconfig"), "system:kube-proxy", None);
    let put =
        |file: &str, text: &str| fs::write(folder.join(file), text).expect("the node's folder is writable");
    put("containerd.toml", &containerd(node));
    put("cni/10-weir.conflist", &cni(node, plane).to_string());
    put("kubelet.json", &kubelet(node, plane).to_string());
}

fn containerd(node: &Node) -> String {
    let folder = node.folder();
    let folder = folder.display();
    let (pause, snapshotter) = (images::PAUSE, snapshotter(&node.folder()));
    // restrict_oom_score_adj: without CAP_SYS_RESOURCE runc fails otherwise. The plugin `opt` would make a folder in /opt.
    format!(
        r#"version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{PLUGINS}"
conf_dir = "{folder}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "{snapshotter}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "{folder}/runc"
SystemdCgroup = false
"#
    )
}

/// An overlay cannot lie on an overlay, which is what a container's own files are on.
fn snapshotter(folder: &Path) -> &'static str {
    let mut command = Command::new("stat");
    command.args(["--file-system", "--format=%T"]).arg(folder);
    if output_of(command).trim().starts_with("overlay") { "native" } else { "overlayfs" }
}

fn cni(node: &Node, plane: &ControlPlane) -> Value {
    let pods = format!("{}/24", plane.guard().slot().pods(node.number()));
    json!({
        "cniVersion": "1.0.0",
        "name": "weir",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": true,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "dataDir": node.folder().join("addresses"),
                    "ranges": [[{"subnet": pods}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
}

fn kubelet(node: &Node, plane: &ControlPlane) -> Value {
    let folder = node.folder();
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": plane.folder().join("pki/ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", node.cgroup()),
        "enforceNodeAllocatable": [],
        "clusterDNS": [plane.guard().slot().service(10)],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": format!("unix://{}", node.socket().display()),
        // Nodes share the machine's disk and memory, which are not theirs to guard.
        "evictionHard": {"memory.available": "10Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "failSwapOn": false,
        "resolvConf": "",
        "healthzPort": 0,
        "podLogsDir": folder.join("logs"),
        "volumePluginDir": folder.join("plugins"),
        // A lost node is noticed after seconds.
        "nodeStatusUpdateFrequency": "2s",
        "nodeStatusReportFrequency": "10s",
        "nodeLeaseDurationSeconds": 8,
        "syncFrequency": "10s",
    })
}
