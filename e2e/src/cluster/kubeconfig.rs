//! Kubeconfig files, and clients made from them.

use std::fs;
use std::path::Path;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;

use super::authority::Identity;

/// Writes the file with which `identity` reaches `server`.
pub(crate) fn write(path: &Path, server: &str, authority: &Path, identity: &Identity) {
    let file = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "weir", "cluster": {"server": server, "certificate-authority": authority}}],
        "users": [{"name": "weir", "user": {
            "client-certificate": identity.certificate,
            "client-key": identity.key,
        }}],
        "contexts": [{"name": "weir", "context": {"cluster": "weir", "user": "weir"}}],
        "current-context": "weir",
    });
    // JSON is YAML, which is what the readers of the file expect.
    fs::write(path, format!("{file:#}\n"))
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

/// What a kubeconfig says, ready for changes.
pub(crate) async fn config(path: &Path) -> Config {
    let file = Kubeconfig::read_from(path).expect("the cluster wrote its kubeconfig");
    let options = KubeConfigOptions::default();
    Config::from_custom_kubeconfig(file, &options).await.expect("the kubeconfig is complete")
}

/// A client of the runtime that this runs in: it ends with it, so each test makes its own.
pub(crate) fn client(config: Config) -> Client {
    Client::try_from(config).expect("the certificates fit")
}
