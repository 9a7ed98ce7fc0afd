//! What a FlowCollector asks of a cluster.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "a test that panics has failed")]

use std::time::Duration;

use crds::collector::{FlowCollector, ReclaimPolicy, ServiceType};
use crds::config::cluster::{
    AggregatorVolume, BufferMode, ClusterConfig, EdgeFolder, ExposureConfig, VersionChoice,
};
use crds::config::{Violation, check_collector};
use serde_json::{Value, json};

fn checked(spec: Value) -> Result<ClusterConfig, Vec<String>> {
    let collector: FlowCollector = serde_json::from_value(json!({
        "apiVersion": "weir.dev/v1alpha1", "kind": "FlowCollector",
        "metadata": {"name": "zone1", "namespace": "net"}, "spec": spec,
    }))
    .unwrap();
    let words = |found: Vec<Violation>| found.iter().map(ToString::to_string).collect();
    check_collector(&collector).map(|fleet| fleet.cluster).map_err(words)
}

#[test]
fn an_empty_spec_gets_the_defaults_that_its_texts_state() {
    let made = checked(json!({})).unwrap();
    assert_eq!(made, ClusterConfig::default());
    assert_eq!(made.exposure, ExposureConfig::HostNetwork);
    assert_eq!(made.edge.buffer_mode, BufferMode::NodeTuned);
    assert_eq!(made.edge.storage, EdgeFolder::HostPath { parent: None });
    let claim = AggregatorVolume::Claim { size: "10Gi".into(), class: None, reclaim: ReclaimPolicy::Retain };
    assert_eq!(made.aggregator.storage, claim);
    assert_eq!(made.aggregator.service.type_, ServiceType::ClusterIP);
    let asked = serde_json::to_value(&made.edge.resources).unwrap();
    assert_eq!(asked, json!({"requests": {"cpu": "100m", "memory": "256Mi"}}));
    assert_eq!(made.certificate_lifetime, Duration::from_secs(7 * 86_400));
    assert_eq!(made.network_policy.unwrap().from, []);
    assert_eq!(made.service_monitor.unwrap().interval, Duration::from_secs(30));
    assert_eq!((made.version, made.paused), (VersionChoice::AsMade, false));
}

#[test]
fn what_runs_in_a_restricted_namespace_keeps_its_data_in_the_pod() {
    for type_ in ["ClusterIP", "NodePort", "LoadBalancer"] {
        let made = checked(json!({"exposure": {"type": type_}})).unwrap();
        assert!(!made.exposure.needs_privileged_namespace());
        assert_eq!(made.edge.storage, EdgeFolder::EmptyDir { size: "2Gi".into() }, "{type_}");
    }
    let made = checked(json!({"exposure": {"type": "HostPort"}})).unwrap();
    assert_eq!(made.edge.storage, EdgeFolder::HostPath { parent: None });
    assert!(made.exposure.needs_privileged_namespace());
}

#[test]
fn what_is_given_arrives_word_for_word() {
    let made = checked(json!({
        "exposure": {"type": "LoadBalancer", "service": {
            "annotations": {"example.com/pool": "flows"}, "loadBalancerClass": "example.com/lb",
            "nodePorts": [{"listener": "ipfix", "port": 30739}]}},
        "edge": {"bufferMode": "Forced", "resources": {"limits": {"cpu": 2, "memory": "1.5Gi"}},
            "storage": {"type": "HostPath", "path": "/var/lib/weir/fast"}},
        "aggregator": {"storage": {"size": "200Gi", "storageClassName": "", "reclaimPolicy": "Delete"},
            "service": {"type": "NodePort", "nodePort": 30847}, "resources": {}},
        "tls": {"certificateLifetime": "3m"}, "networkPolicy": {"enabled": false},
        "monitoring": {"serviceMonitor": "Disabled"}, "upgradePolicy": "Automatic", "paused": true,
    }))
    .unwrap();
    let ExposureConfig::Service(service) = &made.exposure else { panic!("{made:?}") };
    assert_eq!((service.type_, service.node_ports["ipfix"]), (ServiceType::LoadBalancer, 30739));
    assert_eq!(service.load_balancer_class.as_deref(), Some("example.com/lb"));
    let limits = serde_json::to_value(&made.edge.resources).unwrap();
    assert_eq!(limits, json!({"limits": {"cpu": "2", "memory": "1.5Gi"}}));
    assert_eq!(serde_json::to_value(&made.aggregator.resources).unwrap(), json!({}), "asks for nothing");
    let claim = AggregatorVolume::Claim {
        size: "200Gi".into(),
        class: Some(String::new()),
        reclaim: ReclaimPolicy::Delete,
    };
    assert_eq!(made.aggregator.storage, claim);
    assert_eq!(made.aggregator.service.node_port, Some(30847));
    assert_eq!(made.certificate_lifetime, Duration::from_secs(180));
    assert_eq!((made.network_policy, made.service_monitor), (None, None));
    assert_eq!((made.version, made.paused), (VersionChoice::Operators, true));
    let named = checked(json!({"version": "0.4.0"})).unwrap().version;
    assert_eq!(named, VersionChoice::Named("0.4.0".into()));
}

#[test]
fn a_host_path_ends_in_namespace_and_name_and_lies_where_the_operator_allows() {
    let folder = |parent: Option<&str>| {
        let storage = EdgeFolder::HostPath { parent: parent.map(str::to_owned) };
        storage.host_path("/var/lib/weir", "net/zone1").map_err(|error| error.to_string())
    };
    assert_eq!(folder(None), Ok(Some("/var/lib/weir/net/zone1".into())));
    assert_eq!(folder(Some("/var/lib/weir/fast/")), Ok(Some("/var/lib/weir/fast/net/zone1".into())));
    for elsewhere in ["/var/lib/weirder", "/etc", "/var/lib"] {
        let refused = folder(Some(elsewhere)).unwrap_err();
        assert!(refused.contains(&format!("{elsewhere} is not under /var/lib/weir,")), "{refused}");
    }
    let pod = EdgeFolder::EmptyDir { size: "2Gi".into() };
    assert_eq!(pod.host_path("/var/lib/weir", "net/zone1"), Ok(None));
}

#[test]
fn what_the_schema_cannot_say_is_refused_with_the_right_form() {
    let found = checked(json!({
        "exposure": {"type": "NodePort", "service": {"nodePorts": [{"listener": "bmp", "port": 30000}]}},
        "edge": {"storage": {"type": "EmptyDir", "sizeLimit": "1Gi"},
            "resources": {"requests": {"cpu": "1500m", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "2G"}}},
        "aggregator": {"storage": {"size": "1Mi"}},
        "tls": {"certificateLifetime": "30s"}, "monitoring": {"interval": "1h"},
        "profileNamespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In"}]},
        "targetSelector": {"matchExpressions": [{"key": "team", "operator": "Exists", "values": ["a"]}]},
    }))
    .unwrap_err();
    let expected = [
        "spec.profileNamespaceSelector.matchExpressions[0]: In compares with values, and there are none; list them, or use Exists",
        "spec.targetSelector.matchExpressions[0]: Exists takes no values; leave them out, or use In",
        "spec.exposure.service.nodePorts[0].listener: there is no listener \"bmp\"; there are netflow, ipfix, sflow, any",
        "spec.edge.storage.sizeLimit: \"1Gi\" is too small; write at least 1280Mi",
        "spec.edge.resources.requests.cpu: 1500m is more than the limit of 1; write at most that",
        "spec.aggregator.storage.size: \"1Mi\" is too small; write at least 64Mi",
        "spec.tls.certificateLifetime: \"30s\" is out of range; write 2m to 90d, such as 7d",
        "spec.monitoring.interval: \"1h\" is out of range; write 5s to 10m, such as 30s",
    ];
    assert_eq!(found, expected.map(|text| format!("FlowCollector net/zone1: {text}")));
}
