//! The cluster's DNS: CoreDNS behind the address that every pod asks.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::Api;

use super::{ControlPlane, images};
use crate::deadline::eventually;

const MANIFEST: &str = include_str!("../../cluster/coredns.yaml");

pub(crate) fn install(plane: &ControlPlane) {
    let address = plane.guard().slot().service(10).to_string();
    plane.apply(&MANIFEST.replace("ADDRESS", &address).replace("IMAGE", images::COREDNS));
}

pub(crate) async fn wait_until_ready(plane: &ControlPlane) {
    let deployments: Api<Deployment> = Api::namespaced(plane.client().await, "kube-system");
    let probe = async || {
        let status = deployments.get("coredns").await.ok()?.status?;
        status.available_replicas.filter(|&replicas| replicas > 0)
    };
    eventually("the cluster's DNS", Duration::from_secs(90), probe).await;
}
