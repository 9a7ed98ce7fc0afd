//! The images: small, and run by a kubelet without any right.

use std::fs;
use std::time::Duration;

use e2e::cluster::{Cluster, images};
use e2e::deadline::eventually;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use serde_json::json;

/// Tests run what is built quickly; a release is optimized for real, and smaller.
const LIMIT: u64 = 64_000_000;

/// A pod that the strictest Pod Security lets through, with a root that cannot be written.
fn pod(name: &str) -> Pod {
    let image = images::name(name);
    let pod = json!({
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "version",
                "image": image,
                "imagePullPolicy": "Never",
                "args": ["--version"],
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]},
                },
            }],
        },
    });
    serde_json::from_value(pod).expect("a pod")
}

#[test]
fn each_image_of_the_tests_is_smaller_than_64_megabytes() {
    for name in images::OWN {
        let size = fs::metadata(images::archive(name)).unwrap().len();
        assert!(size < LIMIT, "{name}: {size} bytes");
    }
}

#[tokio::test]
async fn each_image_runs_without_root_rights_or_a_writable_file() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("images").await;
    let strict = "pod-security.kubernetes.io/enforce=restricted";
    let _ = cluster.kubectl(&["label", "namespace", &namespace, strict]);
    let pods: Api<Pod> = Api::namespaced(cluster.client().await, &namespace);
    for name in images::OWN {
        cluster.load_image(&images::archive(name));
        pods.create(&PostParams::default(), &pod(name)).await.unwrap();
        let ended = async || {
            let phase = pods.get(name).await.ok()?.status?.phase?;
            ["Succeeded", "Failed"].contains(&phase.as_str()).then_some(phase)
        };
        let phase = eventually(&format!("the pod of {name}"), Duration::from_secs(60), ended).await;
        let said = cluster.kubectl(&["logs", "--namespace", &namespace, name]);
        assert_eq!(
            (phase.as_str(), said.trim()),
            ("Succeeded", format!("{name} {}", env!("CARGO_PKG_VERSION")).as_str())
        );
    }
}
