//! The hot configuration over a real API server's watch, with the rights of an edge: four ConfigMaps by name.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's panic is its report")]

use std::time::{Duration, Instant};

use collector::hot::{News, Sources, follow_with};
use crds::config::hot::{Hot, HotProfile, SHARDS, join, split};
use e2e::cluster::ControlPlane;
use e2e::deadline::eventually;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};

const PATIENCE: Duration = Duration::from_secs(30);
const NAME: &str = "zone1";

struct Ground {
    namespace: String,
    maps: Api<ConfigMap>,
    /// With an edge's rights.
    edge: Client,
}

impl Ground {
    async fn new() -> Self {
        let plane = ControlPlane::shared();
        let namespace = plane.namespace("hot").await;
        let client = plane.client().await;
        let named = || ObjectMeta { name: Some("zone1-edge".into()), ..ObjectMeta::default() };
        let account = ServiceAccount { metadata: named(), ..ServiceAccount::default() };
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &namespace);
        accounts.create(&PostParams::default(), &account).await.unwrap();
        let rule = PolicyRule {
            api_groups: Some(vec![String::new()]),
            resources: Some(vec!["configmaps".into()]),
            resource_names: Some((0..SHARDS).map(|shard| format!("{NAME}-hot-{shard}")).collect()),
            verbs: ["get", "list", "watch"].map(str::to_owned).to_vec(),
            ..PolicyRule::default()
        };
        let role = Role { metadata: named(), rules: Some(vec![rule]) };
        let roles: Api<Role> = Api::namespaced(client.clone(), &namespace);
        roles.create(&PostParams::default(), &role).await.unwrap();
        let subject = Subject {
            kind: "ServiceAccount".into(),
            name: "zone1-edge".into(),
            namespace: Some(namespace.clone()),
            ..Subject::default()
        };
        let (api_group, kind) = ("rbac.authorization.k8s.io".to_owned(), "Role".to_owned());
        let role_ref = RoleRef { api_group: Some(api_group), kind, name: "zone1-edge".into() };
        let binding = RoleBinding { metadata: named(), role_ref, subjects: Some(vec![subject]) };
        let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), &namespace);
        bindings.create(&PostParams::default(), &binding).await.unwrap();
        let edge = plane.client_as(&namespace, "zone1-edge").await;
        Self { maps: Api::namespaced(client, &namespace), namespace, edge }
    }

    fn sources(&self) -> Sources {
        let told = follow_with(self.edge.clone(), &self.namespace, NAME);
        Sources::open(&format!("{}/{NAME}", self.namespace), None, Some(told), None)
    }

    /// What the operator does, shard 0 with its index last. Returns the hash.
    async fn write(&self, filter: &str) -> String {
        let shards = split(&self.hot(filter)).unwrap();
        for (number, shard) in shards.iter().enumerate().rev() {
            let binary = shard.binary.iter().map(|(key, bytes)| (key.clone(), ByteString(bytes.clone())));
            let name = format!("{NAME}-hot-{number}");
            let map = ConfigMap {
                metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
                data: Some(shard.data.clone()),
                binary_data: Some(binary.collect()),
                ..ConfigMap::default()
            };
            self.maps.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(&map)).await.unwrap();
        }
        join(&shards).unwrap().1
    }

    fn hot(&self, filter: &str) -> Hot {
        let profile = |number: usize| HotProfile {
            uid: format!("uid-{number}"),
            generation: 1,
            profile: serde_json::from_value(serde_json::json!({
                "name": format!("net/p{number}"), "displayName": "p",
                "channels": [{"name": "a", "filter": filter, "color": "#000000", "order": 1}],
            }))
            .unwrap(),
        };
        let profiles = (0..20).map(profile).collect();
        Hot { collector: format!("{}/{NAME}", self.namespace), profiles, ..Hot::default() }
    }
}

async fn until(sources: &mut Sources, hash: &str) -> News {
    let wait = async {
        loop {
            let now = sources.now().clone();
            if now.taken.as_ref().is_some_and(|taken| taken.hash == hash) {
                return now;
            }
            sources.next().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the configuration is taken")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_taken_as_soon_as_all_four_are_written_with_the_right_to_these_alone() {
    let ground = Ground::new().await;
    let mut sources = ground.sources();
    let mut taken = Vec::new();
    for round in 0..30 {
        let begun = Instant::now();
        let hash = ground.write(&format!("dst port {}", round + 1)).await;
        let written = begun.elapsed();
        until(&mut sources, &hash).await;
        taken.push(begun.elapsed() - written);
    }
    taken.sort_unstable();
    println!("from four written ConfigMaps to all taken: p50 {:?}, p99 {:?}", taken[15], taken[29]);
    assert!(taken[29] < PATIENCE);
    let others: Api<ConfigMap> = Api::namespaced(ground.edge.clone(), &ground.namespace);
    let refused = others.list(&kube::api::ListParams::default()).await.unwrap_err().to_string();
    assert!(refused.contains("forbidden"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_goes_on_when_the_config_maps_are_deleted_and_written_again() {
    let ground = Ground::new().await;
    let mut sources = ground.sources();
    let hash = ground.write("proto tcp").await;
    until(&mut sources, &hash).await;
    for shard in 0..SHARDS {
        ground.maps.delete(&format!("{NAME}-hot-{shard}"), &DeleteParams::default()).await.unwrap();
    }
    let mut watched = follow_with(ground.edge.clone(), &ground.namespace, NAME);
    eventually("the watch knows that they are gone", PATIENCE, async || {
        let now = watched.borrow_and_update();
        (now.synced && now.shards.iter().all(|shard| shard.data.is_empty())).then_some(())
    })
    .await;
    let nothing = tokio::time::timeout(Duration::from_secs(1), sources.next()).await;
    assert!(nothing.is_err(), "nothing there is no order to stop: {nothing:?}");
    assert_eq!(sources.now().taken.as_ref().unwrap().hash, hash);
    let again = ground.write("proto udp").await;
    let news = until(&mut sources, &again).await;
    assert_eq!(news.taken.unwrap().hot.profiles[0].profile.channels[0].filter, "proto udp");
    assert_eq!(news.trouble, None);
}
