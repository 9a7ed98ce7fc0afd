//! How exporters outside the cluster reach the edges.

#![allow(unreachable_pub, reason = "KubeSchema's derive repeats the types inside a function")]

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::annotations;

/// How exporters reach the edges.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.service) || self.type in ['ClusterIP', 'NodePort', 'LoadBalancer']").message("service is for type ClusterIP, NodePort or LoadBalancer: leave it out, or use one of them"),
    validation = Rule::new("!has(self.service) || !has(self.service.nodePorts) || self.type in ['NodePort', 'LoadBalancer']").message("nodePorts are for type NodePort or LoadBalancer: leave them out, or use one of them"),
    validation = Rule::new("!has(self.service) || !has(self.service.loadBalancerClass) || self.type == 'LoadBalancer'").message("loadBalancerClass is for type LoadBalancer: leave it out, or use that type")
)]
pub struct Exposure {
    /// HostNetwork (the node's own addresses: exporters keep theirs, and nothing tracks connections), HostPort (the
    /// node's addresses, forwarded to the pod), or a Service: ClusterIP (exporters inside the cluster), NodePort (a
    /// port of every node), LoadBalancer (an address from the cluster's provider). HostNetwork and HostPort need a
    /// namespace whose Pod Security level is privileged.
    #[serde(rename = "type")]
    pub type_: ExposureType,

    /// The Service of the types that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ExposureService>,
}

/// How exporters reach the edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ExposureType {
    /// The node's network.
    #[default]
    HostNetwork,
    /// Ports of the node, forwarded.
    HostPort,
    /// A Service inside the cluster.
    ClusterIP,
    /// A Service with ports of every node.
    NodePort,
    /// A Service with an address from the cluster's provider.
    LoadBalancer,
}

/// The Service before the edges.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExposureService {
    /// Annotations of the Service, such as those that a load balancer's provider reads.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "annotations")]
    pub annotations: BTreeMap<String, String>,

    /// Class of the load balancer. Absent: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub load_balancer_class: Option<String>,

    /// Ports on every node, by listener. A listener that is not listed gets one that the cluster chooses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["listener".into()]),
        validation = Rule::new("self.all(a, self.exists_one(b, b.port == a.port))").message("each port stands once: two listeners cannot share one")
    )]
    pub node_ports: Vec<NodePort>,
}

/// The port on every node behind which a listener is.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodePort {
    /// The listener's name.
    #[schemars(length(min = 1, max = 15))]
    pub listener: String,

    /// Port on every node, in the range that the cluster allows (by default 30000 to 32767).
    #[schemars(range(min = 1, max = 65535), extend("format" = "int32"))]
    pub port: u16,
}
