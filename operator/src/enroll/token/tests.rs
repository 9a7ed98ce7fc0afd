//! What the API server's word is taken for, and which pods are the collector's.

use k8s_openapi::api::authentication::v1::UserInfo;
use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::*;

fn extra(values: &[(&str, &str)]) -> BTreeMap<String, Vec<String>> {
    let key = |name: &str| format!("authentication.kubernetes.io/{name}");
    values.iter().map(|(name, value)| (key(name), vec![(*value).to_owned()])).collect()
}

/// As Kubernetes 1.34 answers for a token bound to a pod on a node.
fn accepted() -> TokenReviewStatus {
    let values =
        [("pod-name", "zone1-edge-x7"), ("pod-uid", "6b5f"), ("node-name", "node-a"), ("node-uid", "1")];
    let user = UserInfo {
        username: Some("system:serviceaccount:net:zone1-edge".to_owned()),
        extra: Some(extra(&values)),
        ..UserInfo::default()
    };
    TokenReviewStatus {
        audiences: Some(vec![AUDIENCE.to_owned()]),
        authenticated: Some(true),
        error: None,
        user: Some(user),
    }
}

fn with_user(change: impl FnOnce(&mut UserInfo)) -> TokenReviewStatus {
    let mut status = accepted();
    change(status.user.as_mut().unwrap());
    status
}

fn is_refused(status: TokenReviewStatus) -> bool {
    matches!(claims(status), Err(TokenError::Refused(_)))
}

#[test]
fn an_accepted_token_names_account_pod_and_node() {
    let claims = claims(accepted()).unwrap();
    let read = [&claims.namespace, &claims.service_account, &claims.pod, &claims.uid, &claims.node];
    assert_eq!(read, ["net", "zone1-edge", "zone1-edge-x7", "6b5f", "node-a"]);
}

#[test]
fn a_word_for_another_audience_or_for_none_is_not_taken() {
    let with = |audiences: Option<&str>| TokenReviewStatus {
        audiences: audiences.map(|audience| vec![audience.to_owned()]),
        ..accepted()
    };
    assert!(is_refused(with(Some("https://kubernetes.default.svc"))));
    assert!(is_refused(with(None)));
    assert!(is_refused(TokenReviewStatus { authenticated: Some(false), ..accepted() }));
    assert!(is_refused(TokenReviewStatus::default()));
}

#[test]
fn tokens_of_people_and_tokens_without_pod_or_node_say_what_they_lack() {
    let lacks = |status| match claims(status) {
        Err(TokenError::Unbound { missing, .. }) => missing,
        other => panic!("{other:?}"),
    };
    assert_eq!(lacks(with_user(|user| user.username = Some("jane".to_owned()))), "ServiceAccount");
    assert_eq!(lacks(with_user(|user| user.extra = None)), "pod");
    let pod = [("pod-name", "p"), ("pod-uid", "u")];
    assert_eq!(lacks(with_user(|user| user.extra = Some(extra(&pod)))), "node");
    let two = |user: &mut UserInfo| {
        let nodes = vec!["a".to_owned(), "b".to_owned()];
        user.extra.as_mut().unwrap().insert("authentication.kubernetes.io/node-name".to_owned(), nodes);
    };
    assert_eq!(lacks(with_user(two)), "node", "two nodes are no node");
}

fn pod(owner: (&str, &str)) -> Pod {
    let (kind, name) = owner;
    let owner = OwnerReference {
        kind: kind.to_owned(),
        name: name.to_owned(),
        controller: Some(true),
        ..OwnerReference::default()
    };
    let metadata = ObjectMeta {
        uid: Some("6b5f".to_owned()),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    };
    let spec = PodSpec {
        service_account_name: Some("zone1-edge".to_owned()),
        node_name: Some("node-a".to_owned()),
        ..PodSpec::default()
    };
    Pod { metadata, spec: Some(spec), status: None }
}

#[test]
fn only_pods_of_the_workload_that_bears_the_accounts_name_are_the_collectors() {
    let claims = claims(accepted()).unwrap();
    let good = |owner, role| check(Some(&pod(owner)), &claims, role).is_ok();
    assert!(good(("DaemonSet", "zone1-edge"), Role::Edge));
    assert!(good(("ReplicaSet", "zone1-edge-5d9c"), Role::Aggregator));
    for (owner, role) in [
        (("DaemonSet", "other-edge"), Role::Edge),
        (("Job", "zone1-edge"), Role::Edge),
        (("ReplicaSet", "zone1-edge-5d9c"), Role::Edge),
        (("ReplicaSet", "zone1-edge-b-5d9c"), Role::Aggregator),
        (("ReplicaSet", "zone1-edge"), Role::Aggregator),
    ] {
        assert!(!good(owner, role), "{owner:?} as {role:?}");
    }
    let mut bare = pod(("DaemonSet", "zone1-edge"));
    bare.metadata.owner_references = None;
    assert!(matches!(check(Some(&bare), &claims, Role::Edge), Err(TokenError::Foreign { .. })));
}

#[test]
fn a_pod_that_is_gone_or_another_one_of_its_name_or_elsewhere_is_refused() {
    let claims = claims(accepted()).unwrap();
    let owner = ("DaemonSet", "zone1-edge");
    let mut again = pod(owner);
    again.metadata.uid = Some("77".to_owned());
    assert!(matches!(check(None, &claims, Role::Edge), Err(TokenError::Gone(_))));
    assert!(matches!(check(Some(&again), &claims, Role::Edge), Err(TokenError::Gone(_))));
    let mut moved = pod(owner);
    moved.spec.as_mut().unwrap().node_name = Some("node-b".to_owned());
    assert!(check(Some(&moved), &claims, Role::Edge).is_err());
    let mut other = pod(owner);
    other.spec.as_mut().unwrap().service_account_name = Some("default".to_owned());
    assert!(check(Some(&other), &claims, Role::Edge).is_err());
}
