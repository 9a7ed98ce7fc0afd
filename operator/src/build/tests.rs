//! What is built from a spec, as YAML beside the spec: a change shows as a difference in a golden file.

use std::collections::BTreeMap;
use std::path::Path;

use crds::profile::FlowProfile;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;

use super::*;
use crate::dereference::Workloads;
use crate::fleet::View;
use crate::revision::Revisions;
use crate::validate::judge;

fn options() -> Options {
    Options {
        controller: "weir-system.weir".to_owned(),
        image: "registry.example/weir:0.1.0".to_owned(),
        allowed_images: Vec::new(),
        host_path_prefix: "/var/lib/weir".to_owned(),
        allowed_priority_classes: vec!["network-critical".to_owned()],
        enroll: "https://weir-operator-enroll.weir-system.svc:8472".to_owned(),
        aggregator: "https://{name}-aggregator.{namespace}.svc:8471".to_owned(),
        version: "0.1.0".to_owned(),
    }
}

fn collector(spec: &str) -> FlowCollector {
    let text = format!(
        "{{apiVersion: weir.dev/v1alpha1, kind: FlowCollector, metadata: {{namespace: net, name: zone1, uid: u-c, generation: 1}}, spec: {spec}}}"
    );
    serde_yaml::from_str(&text).unwrap()
}

fn profile(name: &str, filter: &str) -> FlowProfile {
    let text = format!(
        "{{apiVersion: weir.dev/v1alpha1, kind: FlowProfile, metadata: {{namespace: net, name: {name}, uid: u-{name}, generation: 1}}, spec: {{channels: [{{name: a, filter: {filter:?}}}]}}}}"
    );
    serde_yaml::from_str(&text).unwrap()
}

fn observed(collector: FlowCollector, profiles: Vec<FlowProfile>) -> Observed {
    let workloads = Workloads::default();
    Observed {
        collector,
        profiles,
        targets: Vec::new(),
        revisions: Revisions::default(),
        workloads,
        fleet: View::default(),
        knows_service_monitors: false,
    }
}

fn built(observed: &Observed) -> Result<Built, Refusal> {
    let verdict = judge(observed);
    let (collector, fleet) = verdict.collector.as_ref().expect("the spec is good");
    build(observed, (collector, fleet), &verdict, "-----BEGIN CERTIFICATE-----\n", &options())
}

fn of<'a>(built: &'a Built, kind: Kind, name: &str) -> &'a serde_json::Value {
    let found = built.objects.iter().find(|one| one.place.kind == kind && one.place.name == name);
    &found.unwrap_or_else(|| panic!("no {kind:?} {name}")).object
}

#[test]
fn what_each_spec_becomes_stands_in_its_golden_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for (name, spec) in [
        ("host-network", "{}"),
        (
            "load-balancer",
            "{exposure: {type: LoadBalancer, service: {loadBalancerClass: example.org/flows}}, listeners: [{name: netflow, protocol: NetFlow, port: 2055}]}",
        ),
        (
            "host-port-forced",
            "{exposure: {type: HostPort}, edge: {bufferMode: Forced, placement: {nodeSelector: {role: edge}, priorityClassName: network-critical}}, aggregator: {storage: {type: EmptyDir, size: 1Gi}}, networkPolicy: {enabled: false}}",
        ),
    ] {
        let built = built(&observed(collector(spec), vec![profile("p", "port 80")])).unwrap();
        let texts =
            built.objects.iter().map(|one| format!("---\n{}", serde_yaml::to_string(&one.object).unwrap()));
        let text: String = texts.collect();
        let path = folder.join(format!("{name}.yaml"));
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            text, golden,
            "{name} changed: UPDATE_GOLDEN=1 writes the file, and git shows the difference"
        );
    }
}

#[test]
fn the_same_spec_gives_the_same_bytes_and_a_profile_changes_no_pod() {
    let text = |filter: &str| -> BTreeMap<Place, String> {
        let built =
            built(&observed(collector("{}"), vec![profile("p", filter), profile("q", "any")])).unwrap();
        built.objects.into_iter().map(|one| (one.place, one.object.to_string())).collect()
    };
    assert_eq!(text("port 80"), text("port 80"));
    let (before, after) = (text("port 80"), text("port 443"));
    let changed: Vec<&Place> = before
        .iter()
        .filter(|(place, text)| after.get(place) != Some(text))
        .map(|(place, _)| place)
        .collect();
    let hot = |place: &&&Place| place.kind == Kind::ConfigMap && place.name.starts_with("zone1-hot-");
    let rest: Vec<_> = changed.iter().filter(|place| !hot(place)).map(|place| place.kind).collect();
    assert_eq!(rest, [Kind::ControllerRevision], "{changed:?}");
    assert!(changed.iter().filter(hot).count() <= 2, "its shard, and the one with the index: {changed:?}");
}

#[test]
fn a_listener_rolls_the_edges_and_nothing_else_of_the_aggregator_than_nothing() {
    let hash = |spec: &str, kind, name| {
        let built = built(&observed(collector(spec), Vec::new())).unwrap();
        of(&built, kind, name)["spec"]["template"]["metadata"]["annotations"]["weir.dev/static-config"]
            .to_string()
    };
    let other = "{listeners: [{name: netflow, protocol: NetFlow, port: 2056}]}";
    assert_ne!(hash("{}", Kind::DaemonSet, "zone1-edge"), hash(other, Kind::DaemonSet, "zone1-edge"));
    let aggregator = (Kind::Deployment, "zone1-aggregator");
    assert_eq!(hash("{}", aggregator.0, aggregator.1), hash(other, aggregator.0, aggregator.1));
}

#[test]
fn what_the_installation_does_not_allow_is_refused_with_what_it_does() {
    let refused = |spec: &str| built(&observed(collector(spec), Vec::new())).unwrap_err();
    let class = refused("{edge: {placement: {priorityClassName: system-node-critical}}}");
    assert_eq!(class.reason, "PriorityClassNotAllowed");
    assert!(class.message.contains("allowed are network-critical"), "{}", class.message);
    let folder = refused("{edge: {storage: {type: HostPath, path: /etc}}}");
    assert_eq!(folder.reason, "FolderNotAllowed");
    let image = refused("{version: 0.9.0}");
    assert_eq!(image.reason, "ImageNotAllowed");
    assert!(image.message.contains("registry.example/weir:0.9.0"), "{}", image.message);
}

#[test]
fn a_service_monitor_is_made_where_the_cluster_knows_the_kind_and_it_is_wanted() {
    let monitored = |spec: &str, known: bool| {
        let mut observed = observed(collector(spec), Vec::new());
        observed.knows_service_monitors = known;
        let found =
            built(&observed).unwrap().objects.into_iter().find(|one| one.place.kind == Kind::ServiceMonitor);
        found.map(|one| one.object)
    };
    assert_eq!(monitored("{}", false), None);
    assert_eq!(monitored("{monitoring: {serviceMonitor: Disabled}}", true), None);
    let made = monitored("{monitoring: {labels: {release: prometheus}, interval: 1m}}", true).unwrap();
    assert_eq!(made["metadata"]["labels"]["release"], "prometheus");
    assert_eq!(made["spec"]["endpoints"][0]["interval"], "60s");
    assert_eq!(made["spec"]["endpoints"][0]["tlsConfig"]["serverName"], "zone1-aggregator.net.svc");
}

#[test]
fn a_target_that_keeps_the_exporters_addresses_brings_the_relay_and_no_other_does() {
    let containers = |preserve: bool| -> Vec<String> {
        let text = format!(
            "{{apiVersion: weir.dev/v1alpha1, kind: ExportTarget, metadata: {{namespace: net, name: t, uid: u-t, generation: 1}}, spec: {{type: Replicate, replicate: {{preserveSource: {preserve}, destinations: [{{address: 192.0.2.9, port: 2055}}]}}}}}}"
        );
        let mut observed = observed(collector("{}"), Vec::new());
        observed.targets = vec![(serde_yaml::from_str(&text).unwrap(), Ok(Default::default()))];
        let built = built(&observed).unwrap();
        let spec = &of(&built, Kind::DaemonSet, "zone1-edge")["spec"]["template"]["spec"];
        let containers = spec["containers"].as_array().unwrap();
        containers.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(containers(false), ["edge"]);
    assert_eq!(containers(true), ["edge", "relay"]);
}

#[test]
fn a_volume_grows_and_does_not_shrink() {
    let claim: PersistentVolumeClaim =
        serde_yaml::from_str("{spec: {resources: {requests: {storage: 10Gi}}}}").unwrap();
    let with = |size: &str| {
        let mut observed =
            observed(collector(&format!("{{aggregator: {{storage: {{size: {size}}}}}}}")), Vec::new());
        observed.workloads.claim = Some(claim.clone());
        built(&observed)
    };
    let refused = with("5Gi").unwrap_err();
    assert_eq!(refused.reason, "VolumeCannotShrink");
    assert!(refused.message.contains("10Gi"), "{}", refused.message);
    let larger = with("20Gi").unwrap();
    let storage = &of(&larger, Kind::PersistentVolumeClaim, "zone1-aggregator")["spec"]["resources"]["requests"]
        ["storage"];
    assert_eq!(storage, "20Gi");
    assert!(
        of(&larger, Kind::PersistentVolumeClaim, "zone1-aggregator")["metadata"]
            .get("ownerReferences")
            .is_none()
    );
}

#[test]
fn a_bad_profile_leaves_its_last_good_one_running_and_the_others_alone() {
    let mut bad = profile("p", "port eighty");
    bad.metadata.generation = Some(2);
    let good = built(&observed(collector("{}"), vec![profile("p", "port 80")])).unwrap();
    let revisions = good.objects.iter().filter(|one| one.place.kind == Kind::ControllerRevision);
    let revisions = Revisions::new(revisions.map(|one| serde_json::from_value(one.object.clone()).unwrap()));
    let mut observed = observed(collector("{}"), vec![bad, profile("q", "any")]);
    observed.revisions = revisions;
    let verdict = judge(&observed);
    let of = |name: &str| verdict.profiles.iter().find(|one| one.name == name).unwrap();
    let judged = of("net/p");
    let message = &judged.refused.as_ref().unwrap().message;
    assert!(message.starts_with("spec.channels[0].filter: line 1, column 6: "), "{message}");
    assert_eq!(judged.runs.as_ref().unwrap().generation, 1);
    assert_eq!(judged.runs.as_ref().unwrap().profile.channels[0].filter, "port 80");
    assert_eq!(of("net/q").refused, None);
}
