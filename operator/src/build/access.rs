//! Who the pods are, and what they may ask the API server.

use std::collections::BTreeMap;

use crds::config::hot;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject};
use kube::ResourceExt;
use kube::api::ObjectMeta;

use super::Ground;
use crate::apply::Desired;
use crate::kind::{self, Kind};

/// The ClusterRole that the chart ships for aggregators: to ask whose a token is, and what its owner may see.
const AGGREGATOR_ROLE: &str = "weir-aggregator";

/// ServiceAccounts, Roles for single ConfigMaps, and the aggregator's ClusterRoleBinding.
pub(super) fn build(ground: &Ground<'_>) -> Vec<Desired> {
    let mut built = Vec::new();
    for component in ["edge", "aggregator"] {
        let account =
            ServiceAccount { metadata: ground.meta(component, component), ..ServiceAccount::default() };
        let role = Role { metadata: ground.meta(component, component), rules: Some(vec![reads(ground)]) };
        let binding = RoleBinding {
            metadata: ground.meta(component, component),
            role_ref: reference("Role", ground.named(component)),
            subjects: Some(vec![subject(ground, component)]),
        };
        built.push(Desired::new(Kind::ServiceAccount, &account));
        built.push(Desired::new(Kind::Role, &role));
        built.push(Desired::new(Kind::RoleBinding, &binding));
    }
    built.push(cluster_role_binding(ground));
    built
}

/// The hot plane and the roots, by name.
fn reads(ground: &Ground<'_>) -> PolicyRule {
    let hot = (0..hot::SHARDS).map(|shard| ground.named(&format!("hot-{shard}")));
    PolicyRule {
        api_groups: Some(vec![String::new()]),
        resources: Some(vec!["configmaps".to_owned()]),
        resource_names: Some(hot.chain([ground.named("ca")]).collect()),
        verbs: ["get", "list", "watch"].map(str::to_owned).to_vec(),
        non_resource_urls: None,
    }
}

/// No namespaced object can own it: its labels say whose it is, and the operator sweeps it.
fn cluster_role_binding(ground: &Ground<'_>) -> Desired {
    let mut labels: BTreeMap<String, String> = ground.labels("aggregator");
    labels.insert(kind::COLLECTOR_NAMESPACE.to_owned(), ground.namespace().to_owned());
    let binding = ClusterRoleBinding {
        metadata: ObjectMeta {
            name: Some(format!("weir-aggregator-{}", ground.collector.uid().unwrap_or_default())),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        role_ref: reference("ClusterRole", AGGREGATOR_ROLE.to_owned()),
        subjects: Some(vec![subject(ground, "aggregator")]),
    };
    Desired::new(Kind::ClusterRoleBinding, &binding)
}

fn reference(kind: &str, name: String) -> RoleRef {
    RoleRef { api_group: Some("rbac.authorization.k8s.io".to_owned()), kind: kind.to_owned(), name }
}

fn subject(ground: &Ground<'_>, component: &str) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: ground.named(component),
        namespace: Some(ground.namespace().to_owned()),
        ..Subject::default()
    }
}
