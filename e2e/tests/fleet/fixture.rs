//! The cluster with Weir installed by its chart, and namespaces with a collector each.

use std::net::SocketAddr;
use std::time::Duration;

use e2e::chart;
use e2e::cluster::{Cluster, Node, images};
use e2e::namespace::Namespace;
use e2e::program::{Program, output_of, own};
use kube::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::Value;
use tokio::sync::OnceCell;

/// Nothing here takes longer unless something hangs, on a machine that does other things too.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// The cluster with two nodes and the operator.
pub(crate) async fn installed() -> &'static Cluster {
    let cluster = Cluster::shared();
    INSTALLED.get_or_init(async || install(cluster)).await;
    cluster
}

fn install(cluster: &Cluster) {
    for name in images::OWN {
        cluster.load_image(&images::archive(name));
    }
    let kubeconfig = cluster.kubeconfig().display().to_string();
    let fixed = ["install", "weir", "charts/weir", "--namespace", chart::NAMESPACE, "--create-namespace"];
    let rest = ["--kubeconfig", &kubeconfig, "--wait", "--timeout", "180s"];
    if let Err(said) = chart::helm(&[&fixed[..], &rest[..]].concat()) {
        let pods = cluster.kubectl(&["-n", chart::NAMESPACE, "describe", "pods"]);
        panic!("helm install: {said}\n{pods}");
    }
}

/// A namespace with collectors, and an exporter on the cluster's network.
pub(crate) struct Place {
    pub(crate) cluster: &'static Cluster,
    pub(crate) namespace: String,
    exporter: Namespace,
    folder: tempfile::TempDir,
}

impl Place {
    /// A new namespace in which pods may use the node's network.
    pub(crate) async fn new(label: &str) -> Self {
        let cluster = installed().await;
        let namespace = cluster.namespace(label).await;
        let level = "pod-security.kubernetes.io/enforce=privileged";
        let _ = cluster.kubectl(&["label", "namespace", &namespace, level]);
        let exporter = Namespace::create(label);
        cluster.connect(&exporter);
        Self { cluster, namespace, exporter, folder: tempfile::tempdir().expect("a folder") }
    }

    /// `kubectl apply` of a text.
    pub(crate) fn apply(&self, text: &str) {
        let file = self.folder.path().join("apply.yaml");
        std::fs::write(&file, text).expect("the test's folder is writable");
        let _ = self.cluster.kubectl(&["-n", &self.namespace, "apply", "-f", &file.display().to_string()]);
    }

    /// An API of our kinds.
    pub(crate) async fn api(&self, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("weir.dev", "v1alpha1", kind));
        Api::namespaced_with(self.cluster.client().await, &self.namespace, &resource)
    }

    /// Waits until an object has a condition with a status, and gives its message.
    pub(crate) async fn condition(&self, kind: &str, name: &str, condition: &str, status: &str) -> String {
        let api = self.api(kind).await;
        eventually(&format!("{kind} {name} with {condition}={status}"), async || {
            let object = api.get(name).await.map_err(|error| error.to_string())?;
            let current = object.data["status"]["observedGeneration"].as_i64() == object.metadata.generation;
            let found = object.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
            found
                .iter()
                .find(|one| current && one["type"] == condition && one["status"] == status)
                .map(|one| one["message"].as_str().unwrap_or_default().to_owned())
                .ok_or_else(|| object.data["status"].to_string())
        })
        .await
    }

    /// Sends exactly so many NetFlow v9 flows to a node's port.
    pub(crate) fn send(&self, node: &Node, port: u16, flows: u64) {
        let mut generator = self.exporter.command(own("flow-generator"));
        generator.arg("--allow-remote").arg("--target").arg(node.address().to_string());
        generator.args(["--port", &port.to_string(), "--protocol", "netflow9", "--traffic", "uniform"]);
        generator.args(["--rate", "1000", "--flows", &flows.to_string(), "--seed", "1"]);
        output_of(generator);
    }

    /// A generator that goes on until it is dropped.
    pub(crate) fn keep_sending(&self, node: &Node, port: u16, rate: u32) -> Program {
        let mut generator = self.exporter.command(own("flow-generator"));
        generator.arg("--allow-remote").arg("--target").arg(node.address().to_string());
        generator.args(["--port", &port.to_string(), "--protocol", "netflow9", "--traffic", "uniform"]);
        generator.args(["--rate", &rate.to_string(), "--duration", "10m"]);
        Program::start(&format!("generator-{}", node.name()), self.folder.path(), generator)
    }

    /// A way to a collector's API, with the right to read this namespace's data.
    pub(crate) fn door(&self, collector: &str) -> Door {
        let account = ["-n", &self.namespace, "create", "serviceaccount", "reader"];
        // It may be there.
        let _ = self.cluster.kubectl_command(&account).output();
        let subject = format!("--serviceaccount={}:reader", self.namespace);
        let bind = [
            "-n",
            &self.namespace,
            "create",
            "rolebinding",
            "reader",
            "--clusterrole=weir-data-reader",
            &subject,
        ];
        let _ = self.cluster.kubectl_command(&bind).output();
        let token = self.cluster.kubectl(&[
            "-n",
            &self.namespace,
            "create",
            "token",
            "reader",
            "--audience=weir.dev",
        ]);
        let map = format!("configmap/{collector}-ca");
        let root =
            self.cluster.kubectl(&["-n", &self.namespace, "get", &map, "-o", "jsonpath={.data.ca\\.crt}"]);
        let service = format!("service/{collector}-aggregator");
        let forward =
            self.cluster.kubectl_command(&["-n", &self.namespace, "port-forward", &service, ":8470"]);
        let mut forward = Program::start("port-forward", self.folder.path(), forward);
        let address = forward.wait_for_line(LIMIT, |line| {
            let rest = line.strip_prefix("Forwarding from ")?;
            rest.split(' ').next()?.parse::<SocketAddr>().ok()
        });
        let host = format!("{collector}-aggregator.{}.svc", self.namespace);
        Door { host, address, token: token.trim().to_owned(), root, _forward: forward }
    }

    /// Flows, packets or bytes of a channel over the last hour.
    pub(crate) async fn sum(
        &self,
        door: &Door,
        profile: &str,
        channel: &str,
        metric: &str,
    ) -> Result<u64, String> {
        let namespace = &self.namespace;
        let path = format!(
            "/api/v1/profiles/{namespace}/{profile}/series?channels={channel}&metric={metric}&value=sum"
        );
        let answer = door.get(&path).await?;
        let values = answer["series"][0]["values"].as_array().ok_or_else(|| answer.to_string())?;
        Ok(values.iter().filter_map(Value::as_f64).map(|value| value.round() as u64).sum())
    }

    /// Waits until a channel has exactly so many flows.
    pub(crate) async fn counts(&self, door: &Door, profile: &str, channel: &str, flows: u64) {
        eventually(&format!("{flows} flows in {channel} of {profile}"), async || {
            let sum = self.sum(door, profile, channel, "flows").await?;
            (sum == flows).then_some(()).ok_or_else(|| format!("{sum}"))
        })
        .await;
    }
}

/// A way to an aggregator's API: forwarded by kubectl, checked against the collector's roots, with a token.
pub(crate) struct Door {
    host: String,
    address: SocketAddr,
    token: String,
    root: String,
    _forward: Program,
}

impl Door {
    /// The answer to a GET.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, String> {
        let (status, text) = self.ask(path, Some(&self.token)).await?;
        if status != 200 {
            return Err(format!("{status}: {text}"));
        }
        serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
    }

    /// Status and body of the answer to a GET with this token, or with none.
    pub(crate) async fn ask(&self, path: &str, token: Option<&str>) -> Result<(u16, String), String> {
        let root =
            reqwest::Certificate::from_pem_bundle(self.root.as_bytes()).map_err(|error| error.to_string())?;
        let client = reqwest::Client::builder()
            .tls_certs_only(root)
            .resolve(&self.host, self.address)
            .timeout(Duration::from_secs(20))
            .no_proxy()
            .build()
            .map_err(|error| error.to_string())?;
        let mut request = client.get(format!("https://{}:{}{path}", self.host, self.address.port()));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.map_err(|error| format!("{error:?}"))?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.map_err(|error| error.to_string())?))
    }
}

/// Asks until there is an answer.
///
/// # Panics
/// When [`LIMIT`] has passed, with what was said last.
pub(crate) async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Result<T, String>) -> T {
    let end = tokio::time::Instant::now() + LIMIT;
    let mut look = tokio::time::interval(Duration::from_millis(100));
    loop {
        look.tick().await;
        match probe().await {
            Ok(found) => return found,
            Err(said) => assert!(tokio::time::Instant::now() < end, "{what}: not within {LIMIT:?}: {said}"),
        }
    }
}

/// A collector with a NetFlow listener on a port of its own. Its data end with its pods: there is no provisioner here,
/// and the nodes share the folders of one machine.
pub(crate) fn collector(name: &str, port: u16) -> String {
    format!(
        "apiVersion: weir.dev/v1alpha1
kind: FlowCollector
metadata: {{name: {name}}}
spec:
  listeners: [{{name: netflow, protocol: NetFlow, port: {port}}}]
  slotLength: 1s
  edge: {{storage: {{type: EmptyDir}}, resources: {{requests: {{cpu: 10m, memory: 32Mi}}}}}}
  aggregator: {{storage: {{type: EmptyDir}}, resources: {{requests: {{cpu: 10m, memory: 32Mi}}}}}}
"
    )
}

/// A profile with one channel.
pub(crate) fn profile(name: &str, filter: &str) -> String {
    format!(
        "apiVersion: weir.dev/v1alpha1
kind: FlowProfile
metadata: {{name: {name}}}
spec: {{channels: [{{name: c, filter: {filter:?}}}]}}
"
    )
}
