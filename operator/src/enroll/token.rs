//! Who asks: the pod to which Kubernetes gave the token, never what the request says.

use std::collections::BTreeMap;

use crds::enroll::AUDIENCE;
use crds::identity::Identity;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, ResourceExt};

/// What a pod is to its collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A pod of the DaemonSet `NAME-edge`.
    Edge,
    /// A pod of the Deployment `NAME-aggregator`.
    Aggregator,
}

/// Whose ServiceAccount it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// `namespace/name` of the FlowCollector.
    pub collector: String,
    /// What its pods do.
    pub role: Role,
}

/// What a token says of the pod that it was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claims {
    /// Of the ServiceAccount and of the pod.
    pub(super) namespace: String,
    /// The ServiceAccount's name.
    pub(super) service_account: String,
    /// The pod's name.
    pub(super) pod: String,
    /// The pod's UID.
    pub(super) uid: String,
    /// The node to which the pod was bound.
    pub(super) node: String,
}

/// Why a token gives no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    /// The API server does not accept it.
    #[error("the token is not accepted for audience {AUDIENCE}: {0}")]
    Refused(String),
    /// Accepted, but not a projected token.
    #[error(
        "the token of {user} names no {missing}: a projected ServiceAccount token of a running pod is needed (Kubernetes \
         1.32 and newer)"
    )]
    Unbound {
        /// Whose token.
        user: String,
        /// What it does not say.
        missing: &'static str,
    },
    /// The pod is no longer there, or another one by now.
    #[error("there is no pod {0} with the UID, the ServiceAccount and the node of the token: it was deleted")]
    Gone(String),
    /// The pod uses the ServiceAccount, and is none of the collector's.
    #[error("pod {pod} is not one of {workload}'s: only those get certificates")]
    Foreign {
        /// `namespace/name`.
        pod: String,
        /// Kind and name.
        workload: String,
    },
    /// The API server cannot be asked.
    #[error("the API server cannot be asked: {0}")]
    Api(#[from] kube::Error),
}

/// Asks the API server whose token it is.
///
/// # Errors
/// Says why the token is not good for a certificate, or that nobody can tell now.
pub(super) async fn review(client: &Client, token: &str) -> Result<Claims, TokenError> {
    let spec = TokenReviewSpec { audiences: Some(vec![AUDIENCE.to_owned()]), token: token.to_owned() };
    let review = TokenReview { metadata: ObjectMeta::default(), spec, status: None };
    let answer = Api::<TokenReview>::all(client.clone()).create(&PostParams::default(), &review).await?;
    claims(answer.status.unwrap_or_default())
}

fn claims(status: TokenReviewStatus) -> Result<Claims, TokenError> {
    // A server that ignores audiences answers with none: its word is then for another audience than ours.
    let ours =
        status.audiences.is_some_and(|audiences| audiences.iter().any(|audience| audience == AUDIENCE));
    if status.authenticated != Some(true) || !ours {
        let reason =
            status.error.unwrap_or_else(|| "expired, forged or made for another audience".to_owned());
        return Err(TokenError::Refused(reason));
    }
    let user = status.user.unwrap_or_default();
    let name = user.username.unwrap_or_default();
    let unbound = |missing| TokenError::Unbound { user: name.clone(), missing };
    let account = name.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':'));
    let (namespace, service_account) = account.ok_or_else(|| unbound("ServiceAccount"))?;
    let extra = user.extra.unwrap_or_default();
    Ok(Claims {
        namespace: namespace.to_owned(),
        service_account: service_account.to_owned(),
        pod: one(&extra, "pod-name").ok_or_else(|| unbound("pod"))?,
        uid: one(&extra, "pod-uid").ok_or_else(|| unbound("pod UID"))?,
        node: one(&extra, "node-name").ok_or_else(|| unbound("node"))?,
    })
}

fn one(extra: &BTreeMap<String, Vec<String>>, what: &str) -> Option<String> {
    match extra.get(&format!("authentication.kubernetes.io/{what}"))?.as_slice() {
        [value] if !value.is_empty() => Some(value.clone()),
        _ => None,
    }
}

/// The identity of the pod that the claims name, once it is seen to be there and the collector's own.
///
/// # Errors
/// When the pod is another one, or nobody can tell now.
pub(super) async fn identity(
    client: &Client,
    claims: &Claims,
    member: &Member,
) -> Result<Identity, TokenError> {
    let pods = Api::<Pod>::namespaced(client.clone(), &claims.namespace);
    let pod = pods.get_opt(&claims.pod).await?;
    check(pod.as_ref(), claims, member.role)?;
    let (collector, pod) = (member.collector.clone(), claims.uid.clone());
    Ok(match member.role {
        Role::Edge => Identity::Edge { collector, node: claims.node.clone(), pod },
        Role::Aggregator => Identity::Aggregator { collector, pod },
    })
}

fn check(pod: Option<&Pod>, claims: &Claims, role: Role) -> Result<(), TokenError> {
    let name = format!("{}/{}", claims.namespace, claims.pod);
    let Some(pod) = pod.filter(|pod| is_as_claimed(pod, claims)) else {
        return Err(TokenError::Gone(name));
    };
    if is_of_workload(pod, &claims.service_account, role) {
        return Ok(());
    }
    let kind = match role {
        Role::Edge => "DaemonSet",
        Role::Aggregator => "Deployment",
    };
    Err(TokenError::Foreign { pod: name, workload: format!("{kind} {}", claims.service_account) })
}

fn is_as_claimed(pod: &Pod, claims: &Claims) -> bool {
    let spec = pod.spec.as_ref();
    let account = spec.and_then(|spec| spec.service_account_name.as_deref());
    let node = spec.and_then(|spec| spec.node_name.as_deref());
    let uid = pod.uid();
    [uid.as_deref(), account, node]
        == [&claims.uid, &claims.service_account, &claims.node].map(|one| Some(one.as_str()))
}

/// The workload bears the ServiceAccount's name; a Deployment's pods belong to ReplicaSets called after it and a hash.
fn is_of_workload(pod: &Pod, name: &str, role: Role) -> bool {
    pod.owner_references().iter().any(|owner| {
        let hash = owner.name.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
        owner.controller == Some(true)
            && match role {
                Role::Edge => owner.kind == "DaemonSet" && owner.name == name,
                Role::Aggregator => {
                    owner.kind == "ReplicaSet" && hash.is_some_and(|hash| !hash.contains('-'))
                }
            }
    })
}

#[cfg(test)]
mod tests;
