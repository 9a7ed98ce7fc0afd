//! The way to a FlowCollector's aggregator: which pod, by which roots, with which token.

use std::sync::Arc;

use crds::collector::FlowCollector;
use crds::profile::FlowProfile;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt;

use super::CollectorArgument;
use super::cluster::{Cluster, refused};
use super::forward::Forward;
use super::token::Tokens;
use crate::command::Failure;
use crate::command::client::{Client, Server};
use crate::serve::LIVE;

/// The aggregator's API (Service port `api`).
const API_PORT: u16 = 8470;

/// An aggregator with a connection to it.
pub(super) struct Reached {
    /// Where it is and how it is asked.
    pub(super) server: Server,
    /// `namespace/name` of the FlowCollector.
    pub(super) collector: String,
    _forward: Forward,
}

impl Reached {
    /// The aggregator that is named, or that runs the profile (`namespace/name`), or the only one.
    pub(super) async fn new(
        cluster: &Cluster,
        argument: &CollectorArgument,
        profile: Option<&str>,
    ) -> Result<Self, Failure> {
        let (namespace, name) = match &argument.collector {
            Some(given) => split(given, &cluster.namespace),
            None => match runs(cluster, profile).await? {
                Some(collector) => collector,
                None => only(cluster).await?,
            },
        };
        Self::of(cluster, &Tokens::new(cluster.clone()), &namespace, &name).await
    }

    /// The aggregator of one FlowCollector.
    pub(super) async fn of(
        cluster: &Cluster,
        tokens: &Tokens,
        namespace: &str,
        name: &str,
    ) -> Result<Self, Failure> {
        let pod = aggregator(cluster, namespace, name).await?;
        let roots = roots(cluster, namespace, name).await?;
        let token = tokens.current().await?;
        let forward = Forward::open(cluster.api(namespace), pod, API_PORT).await?;
        let server = Server {
            address: format!("https://{name}-aggregator.{namespace}.svc:{}", forward.address.port()),
            token: Some(Arc::clone(&token)),
            roots: Some(roots),
            forwarded: Some(forward.address),
            when_away: "look at the aggregator with kubectl weir status",
            when_unauthorized: "the cluster does not know this token; log in anew, or see --viewer",
        };
        Ok(Self { server, collector: format!("{namespace}/{name}"), _forward: forward })
    }

    /// What asks it.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        Client::new(self.server.clone())
    }
}

/// `NAMESPACE/NAME`, or `NAME` in the usual namespace.
pub(super) fn split(given: &str, usual: &str) -> (String, String) {
    let (namespace, name) = given.split_once('/').unwrap_or((usual, given));
    (namespace.to_owned(), name.to_owned())
}

/// The first collector that runs a profile, as its status says.
async fn runs(cluster: &Cluster, profile: Option<&str>) -> Result<Option<(String, String)>, Failure> {
    let Some((namespace, name)) = profile.filter(|name| *name != LIVE).and_then(|name| name.split_once('/'))
    else {
        return Ok(None);
    };
    let found = cluster.api::<FlowProfile>(namespace).get_opt(name).await;
    let found = found.map_err(|error| refused("flowprofiles", error))?;
    let Some(found) = found else {
        return Err(Failure::Input(format!("there is no FlowProfile {name} in {namespace}")));
    };
    let binding = found.status.and_then(|status| status.bindings.into_iter().next());
    Ok(binding.map(|binding| split(&binding.collector, namespace)))
}

async fn only(cluster: &Cluster) -> Result<(String, String), Failure> {
    let found: Vec<FlowCollector> = cluster.list(Some(&cluster.namespace), "").await?;
    let names: Vec<String> = found.iter().map(ResourceExt::name_any).collect();
    let namespace = &cluster.namespace;
    match names.as_slice() {
        [name] => Ok((namespace.clone(), name.clone())),
        [] => Err(Failure::Input(format!(
            "there is no FlowCollector in {namespace}: give -n NAMESPACE or --collector NAMESPACE/NAME"
        ))),
        _ => Err(Failure::Input(format!(
            "{namespace} has {}: choose one with --collector NAME",
            names.join(", ")
        ))),
    }
}

/// The pod of an aggregator that answers.
async fn aggregator(cluster: &Cluster, namespace: &str, name: &str) -> Result<String, Failure> {
    let pods: Vec<Pod> = cluster.list(Some(namespace), &labels(Some(name), "aggregator")).await?;
    let ready = pods.iter().find(|pod| pod.metadata.deletion_timestamp.is_none() && is_ready(pod));
    ready.map(ResourceExt::name_any).ok_or_else(|| {
        let state = pods.first().map_or("there is no pod of it".to_owned(), |pod| why(pod).to_owned());
        Failure::System(format!("the aggregator of {namespace}/{name} is not ready: {state}"))
    })
}

async fn roots(cluster: &Cluster, namespace: &str, name: &str) -> Result<Vec<u8>, Failure> {
    let map = format!("{name}-ca");
    let found = cluster.api::<ConfigMap>(namespace).get(&map).await;
    let found = found.map_err(|error| refused(&format!("ConfigMap {namespace}/{map}"), error))?;
    let text = found.data.and_then(|mut data| data.remove("ca.crt"));
    text.map(String::into_bytes)
        .ok_or_else(|| Failure::System(format!("ConfigMap {namespace}/{map} holds no ca.crt yet")))
}

/// What selects a collector's pods.
pub(super) fn labels(collector: Option<&str>, component: &str) -> String {
    let all = format!("app.kubernetes.io/name=weir,app.kubernetes.io/component={component}");
    collector.map_or(all.clone(), |name| format!("{all},app.kubernetes.io/instance={name}"))
}

/// Whether the kubelet calls it ready.
pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Why a pod does not run: what its containers wait for, else its phase.
pub(super) fn why(pod: &Pod) -> &str {
    let Some(status) = &pod.status else { return "Pending" };
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let waiting =
        containers.filter_map(|container| container.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
    let usual = ["PodInitializing", "ContainerCreating"];
    let reasons: Vec<&str> = waiting.collect();
    let telling = reasons.iter().find(|reason| !usual.contains(reason)).or(reasons.first());
    telling.copied().or(status.reason.as_deref()).or(status.phase.as_deref()).unwrap_or("Pending")
}
