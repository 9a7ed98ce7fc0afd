//! Each way in which pods fail, as the API server tells it, becomes a reason and what to do.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};

use super::*;

fn yaml<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_yaml::from_str(text).unwrap()
}

/// Edges on two nodes, of which `ready` are ready, and an aggregator.
fn workloads(ready: i32, aggregator: i32) -> Workloads {
    let edges: DaemonSet = yaml(&format!(
        "{{metadata: {{generation: 3}}, status: {{observedGeneration: 3, desiredNumberScheduled: 2, currentNumberScheduled: 2, numberReady: {ready}, numberMisscheduled: 0}}}}"
    ));
    let aggregator: Deployment = yaml(&format!("{{status: {{availableReplicas: {aggregator}}}}}"));
    Workloads { edges: Some(edges), aggregator: Some(aggregator), ..Workloads::default() }
}

fn told(workloads: &Workloads) -> Option<(&'static str, String)> {
    let nodes = super::super::nodes(workloads);
    trouble(workloads, &nodes).map(|trouble| (trouble.reason, trouble.message))
}

fn with_pod(status: &str) -> Workloads {
    let pod: Pod = yaml(&format!("{{metadata: {{name: zone1-edge-x}}, status: {status}}}"));
    Workloads { pods: vec![pod], ..workloads(1, 1) }
}

#[test]
fn when_all_run_there_is_no_trouble_and_else_it_is_counted() {
    assert_eq!(told(&workloads(2, 1)), None);
    assert_eq!(told(&workloads(1, 1)), Some(("EdgesNotReady", "1 of 2 edges are ready".to_owned())));
    assert_eq!(told(&workloads(2, 0)).unwrap().0, "AggregatorNotReady");
    let mut none = workloads(0, 1);
    none.edges.as_mut().unwrap().status.as_mut().unwrap().desired_number_scheduled = 0;
    assert_eq!(told(&none).unwrap().0, "NoNodes");
    let mut rolling = workloads(2, 1);
    rolling.edges.as_mut().unwrap().metadata.generation = Some(4);
    assert!(told(&rolling).is_some(), "the DaemonSet's numbers are of an older spec");
}

#[test]
fn pods_that_the_api_server_refuses_come_with_the_label_or_the_exposure_that_helps() {
    let mut forbidden = workloads(0, 1);
    forbidden.refused_pods = vec![
        "pods \"zone1-edge-\" is forbidden: violates PodSecurity \"restricted:latest\": host namespaces"
            .to_owned(),
    ];
    let (reason, message) = told(&forbidden).unwrap();
    assert_eq!(reason, "PodSecurityForbids");
    assert!(message.contains("pod-security.kubernetes.io/enforce=privileged"), "{message}");
    forbidden.refused_pods = vec!["pods \"x\" is forbidden: exceeded quota: q".to_owned()];
    assert_eq!(told(&forbidden).unwrap().0, "QuotaExceeded");
    let mut deployment = workloads(2, 0);
    deployment.aggregator = Some(yaml(
        "{status: {conditions: [{type: ReplicaFailure, status: 'True', message: 'exceeded quota: q'}]}}",
    ));
    assert_eq!(told(&deployment).unwrap().0, "QuotaExceeded");
}

#[test]
fn a_pod_that_waits_says_for_what() {
    let waiting = |reason: &str| {
        format!(
            "{{containerStatuses: [{{name: edge, image: 'weir:9', imageID: '', ready: false, restartCount: 1, state: {{waiting: {{reason: {reason}, message: m}}}}, lastState: {{terminated: {{exitCode: 3}}}}}}]}}"
        )
    };
    for (status, reason, part) in [
        (waiting("ImagePullBackOff"), "ImageNotPulled", "image weir:9 cannot be had"),
        (waiting("CrashLoopBackOff"), "CrashLooping", "exit code 3: kubectl logs --previous zone1-edge-x"),
        (waiting("CreateContainerConfigError"), "ContainerNotStarted", "edge cannot be started"),
        ("{conditions: [{type: PodScheduled, status: 'False', message: \"0/2 nodes are available: 2 node(s) didn't have free ports\"}]}".to_owned(), "PortTaken", "spec.listeners"),
        ("{conditions: [{type: PodScheduled, status: 'False', message: 'pod has unbound immediate PersistentVolumeClaims'}]}".to_owned(), "VolumeNotBound", "storageClassName"),
        ("{conditions: [{type: PodScheduled, status: 'False', message: 'Insufficient cpu'}]}".to_owned(), "Unschedulable", "placement"),
    ] {
        let (told, message) = told(&with_pod(&status)).unwrap();
        assert_eq!(told, reason);
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(told(&with_pod(&waiting("ContainerCreating"))).unwrap().0, "EdgesNotReady");
}

#[test]
fn exporters_are_told_the_addresses_of_nodes_services_and_load_balancers() {
    let pod = |name: &str, ip: &str| -> Pod {
        yaml(&format!(
            "{{metadata: {{name: {name}, labels: {{app.kubernetes.io/component: edge}}}}, status: {{hostIPs: [{{ip: '{ip}'}}]}}}}"
        ))
    };
    let mut workloads =
        Workloads { pods: vec![pod("a", "192.0.2.2"), pod("b", "2001:db8::1")], ..Workloads::default() };
    let listener: ListenerConfig = yaml("{name: netflow, protocol: NetFlow, port: 2055}");
    let on = |exposure: &ExposureConfig, workloads: &Workloads| {
        addresses(exposure, &listener, workloads, "net/zone1")
    };
    assert_eq!(on(&ExposureConfig::HostNetwork, &workloads), ["192.0.2.2:2055", "[2001:db8::1]:2055"]);
    let service = ExposureConfig::Service(Default::default());
    assert!(on(&service, &workloads).is_empty());
    let mut put = |text: &str| workloads.services.insert("zone1-edge".to_owned(), yaml(text));
    put("{spec: {clusterIPs: ['198.51.100.7'], ports: [{name: netflow, port: 2055}]}}");
    let inside = workloads.clone();
    assert_eq!(on(&service, &inside), ["198.51.100.7:2055"]);
    let mut workloads = inside;
    let mut put = |text: &str| workloads.services.insert("zone1-edge".to_owned(), yaml(text));
    put("{spec: {clusterIPs: ['198.51.100.7'], ports: [{name: netflow, port: 2055, nodePort: 30055}]}}");
    assert_eq!(on(&service, &workloads), ["192.0.2.2:30055", "[2001:db8::1]:30055"]);
    let mut put = |text: &str| workloads.services.insert("zone1-edge".to_owned(), yaml(text));
    put("{status: {loadBalancer: {ingress: [{ip: 203.0.113.9}, {hostname: flows.example}]}}}");
    assert_eq!(on(&service, &workloads), ["203.0.113.9:2055", "flows.example:2055"]);
}
