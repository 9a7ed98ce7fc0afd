//! Who sees what, by a real API server's word: tokens, roles as the chart ships them, and an API server that is away.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's panic is its report")]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use collector::aggregate::Aggregator;
use collector::serve::{self, AUDIENCE, Access, Reviewer, State};
use collector::telemetry::{Health, Metrics};
use collector::tls::Door;
use crds::config::{AggregatorConfig, CONFIG_VERSION, ProfileConfig};
use e2e::cluster::ControlPlane;
use e2e::deadline::eventually;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, RoleBinding, RoleRef, Subject};
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(30);

/// An aggregator's API with one profile in each of two namespaces; it asks Kubernetes as the service account
/// `aggregator` of its own namespace, with the rights of the chart's role.
struct Server {
    address: SocketAddr,
    metrics: Metrics,
    _folder: tempfile::TempDir,
}

/// Namespaces of the collector and of two teams.
struct Ground {
    plane: &'static ControlPlane,
    client: Client,
    own: String,
    teams: [String; 2],
}

impl Ground {
    async fn new() -> Self {
        collector::cryptography::provide();
        let plane = ControlPlane::shared();
        let client = plane.client().await;
        for role in ["weir-aggregator", "weir-data-reader"] {
            shipped(&client, role).await;
        }
        let (own, teams) =
            (plane.namespace("net").await, [plane.namespace("web").await, plane.namespace("mail").await]);
        let ground = Self { plane, client, own, teams };
        ground.account(&ground.own, "aggregator").await;
        let binding = ClusterRoleBinding {
            metadata: ObjectMeta {
                name: Some(format!("{}-aggregator", ground.own)),
                ..ObjectMeta::default()
            },
            role_ref: role("weir-aggregator"),
            subjects: Some(vec![subject(&ground.own, "aggregator")]),
        };
        let bindings: Api<ClusterRoleBinding> = Api::all(ground.client.clone());
        bindings.create(&PostParams::default(), &binding).await.unwrap();
        ground
    }

    async fn account(&self, namespace: &str, name: &str) {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let account = ServiceAccount { metadata, ..ServiceAccount::default() };
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        accounts.create(&PostParams::default(), &account).await.unwrap();
    }

    async fn token(&self, namespace: &str, account: &str, audiences: &[&str]) -> String {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let audiences: Vec<String> = audiences.iter().map(|audience| (*audience).to_owned()).collect();
        let audiences = Some(audiences).filter(|audiences| !audiences.is_empty());
        let request = TokenRequest {
            spec: Some(TokenRequestSpec { audiences, ..TokenRequestSpec::default() }),
            ..TokenRequest::default()
        };
        let answer = accounts.create_token_request(account, &PostParams::default(), &request).await.unwrap();
        answer.status.unwrap().token.unwrap()
    }

    /// Lets `account` of the first team's namespace read the data of what is in `namespace`.
    async fn let_read(&self, account: &str, namespace: &str) {
        let binding = RoleBinding {
            metadata: ObjectMeta { name: Some(format!("{account}-reads")), ..ObjectMeta::default() },
            role_ref: role("weir-data-reader"),
            subjects: Some(vec![subject(&self.teams[0], account)]),
        };
        let bindings: Api<RoleBinding> = Api::namespaced(self.client.clone(), namespace);
        bindings.create(&PostParams::default(), &binding).await.unwrap();
    }

    async fn serve(&self, asks: Client) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let collector = format!("{}/zone1", self.own);
        let config = AggregatorConfig {
            version: CONFIG_VERSION.into(),
            collector: collector.clone(),
            slot_ms: 10_000,
            retention: vec![],
            storage_path: None,
            sources: vec![],
            profiles: self.teams.iter().map(|team| profile(team)).collect(),
        };
        let aggregator = Aggregator::open(&config, folder.path()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Metrics::default();
        let reviewer = Arc::new(Reviewer::with(asks, &collector, metrics.clone()));
        let state = State {
            reader: aggregator.reader(),
            metrics: metrics.clone(),
            health: Health::default(),
            access: Access::Kubernetes(reviewer),
            door: Door::Plain,
        };
        tokio::spawn(async move {
            let _held = aggregator;
            serve::run(listener, state, std::future::pending()).await.unwrap();
        });
        Server { address, metrics, _folder: folder }
    }
}

fn profile(namespace: &str) -> ProfileConfig {
    serde_json::from_value(serde_json::json!({
        "name": format!("{namespace}/traffic"), "displayName": "Traffic",
        "channels": [{"name": "all", "filter": "any", "color": "#000000", "order": 1}],
    }))
    .unwrap()
}

fn role(name: &str) -> RoleRef {
    let (api_group, kind) = ("rbac.authorization.k8s.io".to_owned(), "ClusterRole".to_owned());
    RoleRef { api_group: Some(api_group), kind, name: name.to_owned() }
}

fn subject(namespace: &str, account: &str) -> Subject {
    Subject {
        kind: "ServiceAccount".into(),
        name: account.into(),
        namespace: Some(namespace.into()),
        ..Subject::default()
    }
}

/// Applies a ClusterRole as the chart makes it.
async fn shipped(client: &Client, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/kustomize/operator.yaml");
    let text = fs::read_to_string(path).unwrap();
    let mut objects = text.split("\n---").filter_map(|one| serde_yaml::from_str::<Value>(one).ok());
    let named = |object: &Value| object["kind"] == "ClusterRole" && object["metadata"]["name"] == name;
    let role: Value = objects.find(named).unwrap_or_else(|| panic!("the chart has no {name}"));
    let roles: Api<ClusterRole> = Api::all(client.clone());
    roles.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(role)).await.unwrap();
}

impl Server {
    async fn get(&self, path: &str, token: Option<&str>) -> (u16, Value) {
        let request = reqwest::Client::new().get(format!("http://{}{path}", self.address));
        let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    async fn profiles(&self, token: &str) -> Vec<String> {
        let (status, list) = self.get("/api/v1/profiles", Some(token)).await;
        assert_eq!(status, 200, "{list}");
        let profiles = list["profiles"].as_array().unwrap().iter();
        profiles.map(|profile| profile["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_one_namespace_sees_its_profiles_and_nothing_else() {
    let ground = Ground::new().await;
    let server = ground.serve(ground.plane.client_as(&ground.own, "aggregator").await).await;
    let [web, mail] = &ground.teams;
    for account in ["reader", "nobody", "admin"] {
        ground.account(web, account).await;
    }
    ground.let_read("reader", web).await;
    ground.let_read("admin", &ground.own).await;
    for audiences in [&[][..], &[AUDIENCE]] {
        let token = ground.token(web, "reader", audiences).await;
        // The API server's authorizer learns of a binding a moment after it was made.
        eventually("the binding holds", PATIENCE, async || {
            (server.get(&format!("/api/v1/profiles/{web}/traffic"), Some(&token)).await.0 == 200)
                .then_some(())
        })
        .await;
        assert_eq!(server.profiles(&token).await, [format!("{web}/traffic")]);
        let status = async |path: &str| server.get(path, Some(&token)).await.0;
        assert_eq!(status(&format!("/api/v1/profiles/{web}/traffic/series")).await, 200);
        for refused in [
            &format!("/api/v1/profiles/{mail}/traffic/series"),
            &format!("/api/v1/profiles/{mail}/traffic"),
            "/api/v1/profiles/live/series",
            "/api/v1/exporters",
            "/api/v1/fleet",
            "/metrics",
        ] {
            assert_eq!(status(refused).await, 403, "{refused}");
        }
    }
    let nobody = ground.token(web, "nobody", &[]).await;
    assert_eq!(server.get("/api/v1/live", Some(&nobody)).await.0, 403);
    assert!(server.profiles(&nobody).await.is_empty());
    let (status, problem) = server.get(&format!("/api/v1/profiles/{web}/traffic/top"), Some(&nobody)).await;
    let detail = problem["detail"].as_str().unwrap();
    assert_eq!(status, 403);
    assert!(detail.contains(":nobody may not get flowprofiles.weir.dev/data"), "{detail}");
    let admin = ground.token(web, "admin", &[]).await;
    eventually("the binding holds", PATIENCE, async || {
        (server.get("/api/v1/exporters", Some(&admin)).await.0 == 200).then_some(())
    })
    .await;
    assert_eq!(server.get("/api/v1/fleet", Some(&admin)).await.0, 200);
    assert_eq!(server.profiles(&admin).await, ["live"]);
    let metrics = server.metrics.values().render().unwrap();
    assert!(metrics.contains("weir_access_denied_total"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_no_token_of_ours_is_nobody() {
    let ground = Ground::new().await;
    let server = ground.serve(ground.plane.client_as(&ground.own, "aggregator").await).await;
    ground.account(&ground.teams[0], "reader").await;
    let other = ground.token(&ground.teams[0], "reader", &["vault"]).await;
    for token in [None, Some("no token"), Some(other.as_str())] {
        for path in ["/api/v1/profiles", "/openapi.json", "/metrics", "/api/v1/exporters"] {
            assert_eq!(server.get(path, token).await.0, 401, "{path} with {token:?}");
        }
    }
    for open in ["/healthz", "/readyz"] {
        assert_eq!(server.get(open, None).await.0, 200, "{open}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_api_server_is_away_what_it_said_goes_on_and_new_questions_wait() {
    let ground = Ground::new().await;
    let mut config = ground.plane.config().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (host, port) =
        (config.cluster_url.host().unwrap().to_owned(), config.cluster_url.port_u16().unwrap());
    let between = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
    config.tls_server_name = Some(host.clone());
    config.cluster_url = between.parse().unwrap();
    let relay = tokio::spawn(relay(listener, format!("{host}:{port}")));
    let server = ground.serve(Client::try_from(config).unwrap()).await;
    let web = &ground.teams[0];
    ground.account(web, "reader").await;
    ground.let_read("reader", web).await;
    let token = ground.token(web, "reader", &[]).await;
    let path = format!("/api/v1/profiles/{web}/traffic/series");
    eventually("the binding holds", PATIENCE, async || {
        (server.get(&path, Some(&token)).await.0 == 200).then_some(())
    })
    .await;
    relay.abort();
    assert!(relay.await.unwrap_err().is_cancelled());
    let stranger = ground.token(web, "reader", &[AUDIENCE]).await;
    let (status, problem) = server.get(&path, Some(&stranger)).await;
    assert_eq!(status, 503, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("API server"), "{problem}");
    assert_eq!(server.get(&path, Some(&token)).await.0, 200, "known before");
}

/// Passes connections on until it is dropped; then they end too.
async fn relay(listener: TcpListener, to: String) {
    let mut open = tokio::task::JoinSet::new();
    loop {
        let (mut from, _) = listener.accept().await.unwrap();
        let to = to.clone();
        open.spawn(async move {
            let mut onward = TcpStream::connect(to).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut from, &mut onward).await;
        });
    }
}
