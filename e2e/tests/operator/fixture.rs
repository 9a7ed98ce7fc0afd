//! A running operator with a namespace of its own to look after.

use std::process::Command;
use std::time::Duration;

use e2e::cluster::ControlPlane;
use e2e::program::{self, Program};
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

/// Nothing here takes longer unless something hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A namespace with an operator that looks after it alone.
pub(crate) struct Place {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) client: Client,
    pub(crate) namespace: String,
    folder: tempfile::TempDir,
}

impl Place {
    /// A new namespace, without an operator yet.
    pub(crate) async fn new(label: &str) -> Self {
        let plane = ControlPlane::shared();
        plane.install_crds().await;
        let (client, namespace) = (plane.client().await, plane.namespace(label).await);
        Self { plane, client, namespace, folder: tempfile::tempdir().expect("a folder") }
    }

    /// Starts an operator for the namespace.
    pub(crate) fn operator(&self, name: &str) -> Program {
        self.operator_at(name, &self.plane.kubeconfig().display().to_string())
    }

    /// Starts an operator that asks what a kubeconfig says.
    pub(crate) fn operator_at(&self, name: &str, kubeconfig: &str) -> Program {
        let mut command = Command::new(program::own("weir-operator"));
        command.env("KUBECONFIG", kubeconfig).env_remove("POD_NAMESPACE").args([
            "--namespace",
            &self.namespace,
            "--release",
            &self.namespace,
            "--watch-namespaces",
            &self.namespace,
            "--name",
            name,
            "--image",
            "weir:test",
            "--lease-seconds=3",
            "--listen=127.0.0.1:0",
            "--enroll-listen=127.0.0.1:0",
            "--log-format=text",
            "--log=info,operator=debug",
        ]);
        let mut started = Program::start(&format!("operator-{name}"), self.folder.path(), command);
        started.wait_for_line(LIMIT, |line| line.contains("is ready").then_some(()));
        started
    }

    /// Where files of the test can lie.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// An API by kind, in the namespace.
    pub(crate) fn api(&self, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        if kind.starts_with("Cluster") {
            return Api::all_with(self.client.clone(), &resource);
        }
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    pub(crate) fn collectors(&self) -> Api<DynamicObject> {
        self.api("weir.dev", "v1alpha1", "FlowCollector")
    }

    pub(crate) fn profiles(&self) -> Api<DynamicObject> {
        self.api("weir.dev", "v1alpha1", "FlowProfile")
    }

    /// Creates an object of ours.
    pub(crate) async fn create(&self, kind: &str, name: &str, spec: Value) -> DynamicObject {
        let object = json!({
            "apiVersion": "weir.dev/v1alpha1", "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace}, "spec": spec,
        });
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        let api = self.api("weir.dev", "v1alpha1", kind);
        api.create(&PostParams::default(), &object)
            .await
            .unwrap_or_else(|error| panic!("{kind} {name}: {error}"))
    }

    /// Changes the spec of an object of ours, as a person does.
    pub(crate) async fn edit(&self, kind: &str, name: &str, spec: Value) -> DynamicObject {
        let api = self.api("weir.dev", "v1alpha1", kind);
        let patch = Patch::Merge(json!({ "spec": spec }));
        api.patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap_or_else(|error| panic!("{kind} {name}: {error}"))
    }

    /// Waits until an object has a condition with a status, and gives (reason, message).
    pub(crate) async fn condition(
        &self,
        kind: &str,
        name: &str,
        condition: &str,
        status: &str,
    ) -> (String, String) {
        let api = self.api("weir.dev", "v1alpha1", kind);
        let what = format!("{kind} {name} with {condition}={status}");
        eventually(&what, LIMIT, async || {
            let object = api.get(name).await.map_err(|error| error.to_string())?;
            let found = conditions(&object);
            let current = object.data["status"]["observedGeneration"].as_i64() == object.metadata.generation;
            found
                .iter()
                .find(|one| current && one["type"] == condition && one["status"] == status)
                .map(|one| (text(&one["reason"]), text(&one["message"])))
                .ok_or_else(|| object.data["status"].to_string())
        })
        .await
    }

    /// Waits until the operator has made everything of a collector; its pods are missing, as no node is there.
    pub(crate) async fn made(&self, name: &str) {
        self.condition("FlowCollector", name, "WorkloadsAvailable", "False").await;
        let sets = self.api("apps", "v1", "DaemonSet");
        let edge = format!("{name}-edge");
        eventually(&edge, LIMIT, async || sets.get(&edge).await.map_err(|error| error.to_string())).await;
    }

    /// What the operator wrote since a mark, Leases and Events aside.
    pub(crate) fn writes_since(&self, mark: e2e::cluster::audit::Mark) -> Vec<String> {
        let asked = self.plane.audit().since(mark);
        let ours = asked.iter().filter(|request| {
            request.user_agent.contains("weir-operator")
                && (request.object.namespace == self.namespace || request.object.namespace.is_empty())
                && request.writes()
                && !request.is_of_a_lease()
        });
        ours.map(|request| format!("{} {} {}", request.verb, request.object.resource, request.uri)).collect()
    }
}

pub(crate) fn conditions(object: &DynamicObject) -> Vec<Value> {
    object.data["status"]["conditions"].as_array().cloned().unwrap_or_default()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Everything that the operator made in a namespace: kind, name and what it says, without what changes by itself.
pub(crate) async fn snapshot(place: &Place) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (group, version, kind) in KINDS {
        let selector = format!("weir.dev/controller={0}.{0}", place.namespace);
        let list =
            place.api(group, version, kind).list(&kube::api::ListParams::default().labels(&selector)).await;
        for object in list.unwrap_or_else(|error| panic!("{kind}: {error}")) {
            let content = json!({
                "labels": object.metadata.labels, "spec": object.data["spec"], "data": object.data["data"],
                "rules": object.data["rules"],
            });
            found.push((format!("{kind} {}", object.name_any()), content));
        }
    }
    found
}

/// What the operator makes.
pub(crate) const KINDS: [(&str, &str, &str); 11] = [
    ("apps", "v1", "DaemonSet"),
    ("apps", "v1", "Deployment"),
    ("apps", "v1", "ControllerRevision"),
    ("", "v1", "ConfigMap"),
    ("", "v1", "Service"),
    ("", "v1", "ServiceAccount"),
    ("", "v1", "PersistentVolumeClaim"),
    ("networking.k8s.io", "v1", "NetworkPolicy"),
    ("rbac.authorization.k8s.io", "v1", "Role"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding"),
];

/// Asks until there is an answer.
///
/// # Panics
/// When `limit` has passed, with what was said last.
pub(crate) async fn eventually<T>(
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let end = tokio::time::Instant::now() + limit;
    let mut look = tokio::time::interval(Duration::from_millis(50));
    loop {
        look.tick().await;
        match probe().await {
            Ok(found) => return found,
            Err(said) => assert!(tokio::time::Instant::now() < end, "{what}: not within {limit:?}: {said}"),
        }
    }
}
