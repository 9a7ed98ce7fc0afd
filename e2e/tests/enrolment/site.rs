//! A namespace with a collector's workloads on two nodes, and an operator that knows them, with no more rights than
//! enrolment needs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crds::enroll::{AUDIENCE, EnrollAnswer, EnrollRequest, PATH};
use e2e::cluster::ControlPlane;
use e2e::cluster::audit::Mark;
use e2e::deadline::eventually;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Node, Pod, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{Api, ListParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource, ResourceExt};
use operator::enroll::{
    Authority, Desk, Home, Member, Outcomes, Owners, Policy, Role as PodRole, SECRET, serve,
};
use rcgen::{CertificateParams, KeyPair, SanType};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const NODES: [&str; 2] = ["node-a", "node-b"];

/// Everything of one test.
pub(crate) struct Site {
    pub(crate) cluster: &'static ControlPlane,
    /// Where the collector `zone1` is.
    pub(crate) namespace: String,
    /// Where the operator and its Secret are.
    pub(crate) operator: String,
    /// As administrator.
    pub(crate) client: Client,
}

/// An operator's replica that answers on a port.
pub(crate) struct Port {
    pub(crate) authority: Authority,
    pub(crate) address: SocketAddr,
    host: String,
}

/// What a pod gets, with its key.
pub(crate) struct Enrolled {
    pub(crate) answer: EnrollAnswer,
    pub(crate) key: KeyPair,
}

impl Site {
    /// Workloads of `zone1` whose pods are bound to nodes, and a service account for the operator.
    pub(crate) async fn new(label: &str) -> Self {
        let cluster = ControlPlane::shared();
        let client = cluster.client().await;
        for node in NODES {
            let node = json!({
                "metadata": {"name": node},
                "status": {"allocatable": {"cpu": "64", "memory": "64Gi", "pods": "1000"},
                           "capacity": {"cpu": "64", "memory": "64Gi", "pods": "1000"}},
            });
            // Another test of this file may have been first.
            let _ = Api::<Node>::all(client.clone()).create(&PostParams::default(), &object(node)).await;
        }
        let namespace = cluster.namespace(label).await;
        let operator = cluster.namespace("weir-system").await;
        let site = Self { cluster, namespace, operator, client };
        site.workloads().await;
        site.rights().await;
        site
    }

    async fn workloads(&self) {
        for name in ["zone1-edge", "zone1-aggregator"] {
            self.create::<ServiceAccount>(&self.namespace, json!({"metadata": {"name": name}})).await;
        }
        let spec = |name: &str| {
            json!({
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": pod_spec(name)},
            })
        };
        let edge = json!({"metadata": {"name": "zone1-edge"}, "spec": spec("zone1-edge")});
        self.create::<DaemonSet>(&self.namespace, edge).await;
        let aggregator = json!({"metadata": {"name": "zone1-aggregator"}, "spec": spec("zone1-aggregator")});
        self.create::<Deployment>(&self.namespace, aggregator).await;
    }

    /// As the documentation of `operator::enroll` lists them, and nothing else.
    async fn rights(&self) {
        let operator = &self.operator;
        self.create::<ServiceAccount>(operator, json!({"metadata": {"name": "operator"}})).await;
        let subjects = json!([{"kind": "ServiceAccount", "name": "operator", "namespace": operator}]);
        let of = |kind: &str, name: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name});
        let ca = json!({"metadata": {"name": "ca"}, "rules": [
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [SECRET],
             "verbs": ["get", "list", "watch", "update"]},
        ]});
        self.create::<Role>(operator, ca).await;
        let binding = json!({"metadata": {"name": "ca"}, "subjects": subjects, "roleRef": of("Role", "ca")});
        self.create::<RoleBinding>(operator, binding).await;
        let pods = json!({"metadata": {"name": "pods"}, "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
        ]});
        self.create::<Role>(&self.namespace, pods).await;
        let binding =
            json!({"metadata": {"name": "pods"}, "subjects": subjects, "roleRef": of("Role", "pods")});
        self.create::<RoleBinding>(&self.namespace, binding).await;
        let reviews = json!({"metadata": {"name": operator}, "rules": [
            {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
        ]});
        let api = Api::<ClusterRole>::all(self.client.clone());
        api.create(&PostParams::default(), &object(reviews)).await.expect("it works");
        let role = of("ClusterRole", operator);
        let binding = json!({"metadata": {"name": operator}, "subjects": subjects, "roleRef": role});
        let api = Api::<ClusterRoleBinding>::all(self.client.clone());
        api.create(&PostParams::default(), &object(binding)).await.expect("it works");
    }

    pub(crate) async fn create<K>(&self, namespace: &str, value: Value) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + Serialize
            + DeserializeOwned,
    {
        let api = Api::<K>::namespaced(self.client.clone(), namespace);
        api.create(&PostParams::default(), &object(value)).await.expect("the administrator may")
    }

    /// A replica's authority, with the operator's rights.
    pub(crate) async fn authority(&self, policy: Policy) -> Authority {
        let client = self.cluster.client_as(&self.operator, "operator").await;
        let home = Home {
            namespace: self.operator.clone(),
            secret: SECRET.to_owned(),
            service: "zone-operator-enroll".to_owned(),
        };
        let authority = Authority::start(client, home, policy).await.expect("it works");
        tokio::spawn(authority.clone().follow());
        authority
    }

    /// A replica that answers.
    pub(crate) async fn open(&self) -> Port {
        let authority = self.authority(Policy::default()).await;
        let client = self.cluster.client_as(&self.operator, "operator").await;
        let desk = Desk::new(authority.clone(), client, self.owners(), Outcomes::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("it works");
        let address = listener.local_addr().expect("it works");
        tokio::spawn(serve(listener, desk, std::future::pending()));
        Port { authority, address, host: format!("zone-operator-enroll.{}.svc", self.operator) }
    }

    fn owners(&self) -> Owners {
        let namespace = self.namespace.clone();
        Arc::new(move |of: &str, account: &str| {
            let role = match account {
                "zone1-edge" => PodRole::Edge,
                "zone1-aggregator" => PodRole::Aggregator,
                _ => return None,
            };
            (of == namespace).then(|| Member { collector: format!("{of}/zone1"), role })
        })
    }

    /// The pod of a workload that Kubernetes has bound to `node`, or to any.
    pub(crate) async fn pod(&self, workload: &str, node: Option<&str>) -> Pod {
        let pods = Api::<Pod>::namespaced(self.client.clone(), &self.namespace);
        let of_workload = ListParams::default().labels(&format!("app={workload}"));
        let bound = |pod: &Pod| {
            let on = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
            on.is_some() && (node.is_none() || on == node)
        };
        let look = async || pods.list(&of_workload).await.ok()?.items.into_iter().find(bound);
        eventually(&format!("a pod of {workload}, bound"), PATIENCE, look).await
    }

    /// A token as the kubelet gets it for a projected volume of `pod`.
    pub(crate) async fn token(&self, pod: &Pod, audience: &str) -> String {
        let account = pod.spec.as_ref().expect("it works").service_account_name.as_deref().expect("it works");
        let bound = BoundObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(pod.name_any()),
            uid: pod.uid(),
        };
        self.account_token(account, audience, Some(bound)).await
    }

    pub(crate) async fn account_token(
        &self,
        account: &str,
        audience: &str,
        bound: Option<BoundObjectReference>,
    ) -> String {
        let spec = TokenRequestSpec {
            audiences: Some(vec![audience.to_owned()]),
            bound_object_ref: bound,
            expiration_seconds: Some(600),
            ..TokenRequestSpec::default()
        };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), &self.namespace);
        let answer =
            accounts.create_token_request(account, &PostParams::default(), &request).await.expect("it works");
        answer.status.expect("it works").token.expect("it works")
    }

    pub(crate) async fn edge_token(&self, node: &str) -> String {
        let pod = self.pod("zone1-edge", Some(node)).await;
        self.token(&pod, AUDIENCE).await
    }

    /// What the operator wrote since a mark; it was refused nothing.
    pub(crate) fn writes(&self, since: Mark) -> Vec<String> {
        let user = format!("system:serviceaccount:{}:operator", self.operator);
        let mut requests = self.cluster.audit().since(since);
        requests.retain(|request| request.user.name == user);
        let refused: Vec<_> = requests.iter().filter(|request| request.is_forbidden()).collect();
        assert!(refused.is_empty(), "{refused:?}");
        let writes = requests.iter().filter(|request| request.writes());
        writes.map(|request| format!("{} {}", request.verb, request.object.resource)).collect()
    }

    pub(crate) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.operator)
    }

    pub(crate) async fn secret(&self) -> BTreeMap<String, Vec<u8>> {
        let data = self.secrets().get(SECRET).await.expect("it works").data.expect("it works");
        data.into_iter().map(|(key, value)| (key, value.0)).collect()
    }
}

impl Port {
    /// The status and body of the answer to a request that also claims to be the operator.
    pub(crate) async fn ask(&self, token: &str, key: &KeyPair) -> (u16, String) {
        let mut params = CertificateParams::new(vec!["kubernetes.default.svc".to_owned()]).expect("it works");
        params.subject_alt_names.push(SanType::URI("weir://operator".try_into().expect("it works")));
        let csr = params.serialize_request(key).expect("it works").pem().expect("it works");
        let roots = self.authority.bundle().borrow().pem.clone();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .tls_certs_only(reqwest::Certificate::from_pem_bundle(roots.as_bytes()).expect("it works"))
            .resolve(&self.host, self.address)
            .build()
            .expect("it works");
        let url = format!("https://{}:{}{PATH}", self.host, self.address.port());
        let request = client.post(url).bearer_auth(token).json(&EnrollRequest { csr });
        let answer = request.send().await.expect("it works");
        (answer.status().as_u16(), answer.text().await.expect("it works"))
    }

    pub(crate) async fn enrol(&self, token: &str) -> Enrolled {
        let key = KeyPair::generate().expect("it works");
        let (status, body) = self.ask(token, &key).await;
        assert_eq!(status, 200, "{body}");
        Enrolled { answer: serde_json::from_str(&body).expect("it works"), key }
    }

    /// Asserts that `token` gives no certificate, for a reason that holds `text`.
    pub(crate) async fn assert_refused(&self, token: &str, statuses: &[u16], text: &str) {
        let (status, body) = self.ask(token, &KeyPair::generate().expect("it works")).await;
        assert!(statuses.contains(&status) && body.contains(text), "{status} {body}");
    }
}

pub(crate) fn object<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).expect("it works")
}

pub(crate) fn pod_spec(account: &str) -> Value {
    json!({
        "serviceAccountName": account,
        "containers": [{"name": "edge", "image": "none.example/edge"}],
        // The nodes are only names: nothing runs there, and nobody says that they are well.
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 0,
    })
}
