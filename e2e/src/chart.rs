//! The charts, as Helm and kustomize render them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cluster::programs::program;

pub mod readme;

/// The version that templates are rendered for: Helm asks no cluster.
const KUBERNETES: &str = "1.33.0";
/// The namespace that every text of ours installs into.
pub const NAMESPACE: &str = "weir-system";

/// The repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// Runs Helm in the repository: its standard output, or what it said on the other stream.
///
/// # Errors
/// What Helm said.
///
/// # Panics
/// When Helm is not there and cannot be built.
pub fn helm(arguments: &[&str]) -> Result<String, String> {
    run(Command::new(program("helm")).args(arguments))
}

/// `charts/weir` as the release `weir`, with further arguments of `helm template`.
///
/// # Errors
/// What Helm said.
pub fn template(arguments: &[&str]) -> Result<String, String> {
    let fixed = ["template", "weir", "charts/weir", "--namespace", NAMESPACE, "--kube-version", KUBERNETES];
    helm(&[&fixed, arguments].concat())
}

/// `kubectl kustomize` of a folder of the repository.
///
/// # Errors
/// What kubectl said.
///
/// # Panics
/// When kubectl is not there and cannot be built.
pub fn kustomize(folder: &str) -> Result<String, String> {
    run(Command::new(program("kubectl")).args(["kustomize", folder]))
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.current_dir(root()).output().expect("a program that was built starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// The objects of a stream of YAML documents; empty documents are left out.
///
/// # Panics
/// When a document is no YAML.
#[must_use]
pub fn objects(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text)
        .map(|document| serde::Deserialize::deserialize(document).expect("a document is YAML"))
        .filter(|object: &Value| !object.is_null())
        .collect()
}

/// `Kind/name`, by which tests speak of an object.
#[must_use]
pub fn title(object: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{}/{}", word(&object["kind"]), word(&object["metadata"]["name"]))
}
