//! Which profiles run where, what a tenant's profiles see, and who has room.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "a test that panics has failed")]

use crds::collector::FlowCollector;
use crds::config::admission::{Admission, admit};
use crds::config::selection::{Choice, exports, least_labels, runs};
use crds::config::{ProfileConfig, Violation, check_collector, check_profile};
use crds::profile::FlowProfile;
use crds::target::ExportTarget;
use serde_json::{Value, json};

fn collector(spec: Value) -> FlowCollector {
    serde_json::from_value(json!({
        "apiVersion": "weir.dev/v1alpha1", "kind": "FlowCollector",
        "metadata": {"name": "zone1", "namespace": "net"}, "spec": spec,
    }))
    .unwrap()
}

fn profile(namespace: &str, spec: Value) -> FlowProfile {
    serde_json::from_value(json!({
        "apiVersion": "weir.dev/v1alpha1", "kind": "FlowProfile",
        "metadata": {"name": "web", "namespace": namespace, "labels": {"team": "net"}}, "spec": spec,
    }))
    .unwrap()
}

fn wrong<T: std::fmt::Debug>(result: Result<T, Vec<Violation>>) -> Vec<String> {
    result.unwrap_err().iter().map(ToString::to_string).collect()
}

/// What becomes of a profile in the collector's namespace, and of one in another, each without and with a reference.
fn choices(spec: Value) -> [Choice; 4] {
    let collector = collector(spec);
    let channels = json!([{"name": "all"}]);
    let reference = json!({"name": "zone1", "namespace": "net"});
    let free = json!({"channels": channels});
    let bound = json!({"channels": channels, "collectorRef": reference});
    let pairs = [("net", &free), ("net", &bound), ("shop", &free), ("shop", &bound)];
    pairs.map(|(namespace, spec)| {
        runs(&collector, &profile(namespace, spec.clone()), &least_labels(namespace))
    })
}

#[test]
fn without_a_namespace_selector_the_collectors_own_namespace_alone_is_let_in_whatever_a_profile_refers_to() {
    use Choice::{Chosen, Labels, Namespace};
    assert_eq!(choices(json!({})), [Chosen, Chosen, Namespace, Namespace]);
    let security = json!({"profileSelector": {"matchLabels": {"team": "security"}}});
    assert_eq!(choices(security), [Labels, Chosen, Namespace, Namespace]);
}

#[test]
fn an_empty_namespace_selector_lets_all_in_and_another_those_that_match_alone() {
    use Choice::{Chosen, Namespace};
    assert_eq!(choices(json!({"profileNamespaceSelector": {}})), [Chosen; 4]);
    let shop = json!({"profileNamespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}});
    assert_eq!(choices(shop), [Namespace, Namespace, Chosen, Chosen]);
}

#[test]
fn a_reference_means_the_profiles_own_namespace_unless_it_names_one() {
    let every = collector(json!({"profileNamespaceSelector": {}}));
    let choice = |namespace: &str, reference: Value| {
        let profile = profile(namespace, json!({"channels": [{"name": "all"}], "collectorRef": reference}));
        runs(&every, &profile, &least_labels(namespace))
    };
    assert_eq!(choice("net", json!({"name": "zone1"})), Choice::Chosen);
    assert_eq!(choice("shop", json!({"name": "zone1"})), Choice::Elsewhere);
    assert_eq!(choice("net", json!({"name": "zone2"})), Choice::Elsewhere);
}

#[test]
fn targets_are_chosen_by_selectors_of_their_own() {
    let collector = collector(json!({
        "profileSelector": {"matchLabels": {"team": "none"}},
        "targetSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["net"]}]},
        "targetNamespaceSelector": {},
    }));
    let target = |labels: Value, reference: Value| -> ExportTarget {
        let kafka = json!({"brokers": ["192.0.2.9:9092"], "topic": "flows", "flows": [{"profile": "web"}]});
        serde_json::from_value(json!({
            "apiVersion": "weir.dev/v1alpha1", "kind": "ExportTarget",
            "metadata": {"name": "lake", "namespace": "shop", "labels": labels},
            "spec": {"type": "Kafka", "kafka": kafka, "collectorRef": reference},
        }))
        .unwrap()
    };
    let choice = |labels: Value, reference: Value| {
        exports(&collector, &target(labels, reference), &least_labels("shop"))
    };
    let zone1 = json!({"namespace": "net", "name": "zone1"});
    assert_eq!(choice(json!({"team": "net"}), json!(null)), Choice::Chosen);
    assert_eq!(choice(json!({}), json!(null)), Choice::Labels);
    assert_eq!(choice(json!({}), zone1), Choice::Chosen);
    assert_eq!(choice(json!({"team": "net"}), json!({"name": "zone1"})), Choice::Elsewhere);
}

fn two_tenants() -> FlowCollector {
    collector(json!({
        "sources": [
            {"name": "core", "listeners": ["any"]}, {"name": "edge", "listeners": ["ipfix"]},
            {"name": "lab", "listeners": ["sflow"]},
        ],
        "profileNamespaceSelector": {},
        "tenants": [
            {"namespace": "shop", "scope": "net 192.0.2.0/24 or net 198.51.100.0/24 # ours", "sources": ["core", "edge"],
             "limits": {"channels": 3}},
        ],
    }))
}

#[test]
fn a_tenants_channels_count_within_its_scope_and_sources_and_others_are_left_alone() {
    let spec = json!({"channels": [
        {"name": "a", "filter": "port 80 or port 443 # web"}, {"name": "b"}, {"name": "c", "sources": ["edge"]},
    ]});
    let tenants = two_tenants();
    let made = check_profile(Some(&tenants), &profile("shop", spec.clone())).unwrap();
    let tree = |text: &str| crds::filter::parse(text).unwrap().to_string();
    let scope = "(net 192.0.2.0/24 or net 198.51.100.0/24)";
    assert_eq!(tree(&made.channels[0].filter), tree(&format!("{scope} and (port 80 or port 443)")));
    assert_eq!(tree(&made.channels[1].filter), tree(scope));
    let sources: Vec<_> = made.channels.iter().map(|channel| channel.sources.join(" ")).collect();
    assert_eq!(sources, ["core edge", "core edge", "edge"]);
    let free = check_profile(Some(&tenants), &profile("net", spec)).unwrap();
    assert_eq!(free.channels[0].filter, "port 80 or port 443 # web");
    assert_eq!(free.channels[0].sources, [""; 0]);
}

#[test]
fn a_tenant_can_leave_its_scope_by_no_filter_and_use_no_source_of_others() {
    let spec = json!({"channels": [
        {"name": "a", "filter": "port 80) or (any"}, {"name": "b", "sources": ["core", "lab"]},
    ]});
    let found = wrong(check_profile(Some(&two_tenants()), &profile("shop", spec)));
    assert!(found[0].contains("spec.channels[0].filter: line 1, column 8: "), "{found:?}");
    assert_eq!(
        found[1],
        "FlowProfile shop/web: spec.channels[1].sources[1]: source \"lab\" is not for this profile; namespace shop may name core, edge"
    );
    assert_eq!(found.len(), 2);
}

#[test]
fn what_is_wrong_with_a_tenant_is_said_of_the_collector() {
    let collector = collector(json!({"tenants": [
        {"namespace": "shop", "scope": "port 80 and", "sources": ["core"]}, {"namespace": "shop"},
    ]}));
    let found = wrong(check_collector(&collector));
    assert!(found[0].contains("spec.tenants[0].scope: line 1, column 12: "), "{found:?}");
    assert!(
        found[1]
            .ends_with("spec.tenants[0].sources[0]: there is no source \"core\"; spec.sources names none")
    );
    assert!(
        found[2]
            .ends_with("spec.tenants[1].namespace: namespace \"shop\" is listed already; each stands once")
    );
}

fn made_at(namespace: &str, name: &str, second: i64, channels: usize) -> (FlowProfile, ProfileConfig) {
    let channels: Vec<_> = (0..channels).map(|n| json!({"name": format!("c{n}")})).collect();
    let mut profile = profile(namespace, json!({"channels": channels}));
    profile.metadata.name = Some(name.to_owned());
    let time = serde_json::from_value(json!(format!("2026-01-01T00:00:{second:02}Z"))).unwrap();
    profile.metadata.creation_timestamp = Some(time);
    let config = check_profile(None, &profile).unwrap();
    (profile, config)
}

#[test]
fn the_oldest_profiles_have_room_and_a_limit_of_one_namespace_holds_no_other_back() {
    let tenants = two_tenants();
    let made = [
        made_at("shop", "new", 9, 2),
        made_at("shop", "old", 1, 2),
        made_at("shop", "small", 10, 1),
        made_at("net", "large", 5, 128),
    ];
    let asked: Vec<_> = made.iter().map(|(profile, config)| (profile, config)).collect();
    let answers = admit(&tenants, &asked);
    let Admission::TenantFull(violation) = &answers[0] else { panic!("{answers:?}") };
    assert_eq!(
        violation.to_string(),
        "FlowProfile shop/new: spec.channels: namespace shop may have 3 channels on FlowCollector net/zone1, 1 are left, and this profile has 2; remove channels here or in an older profile"
    );
    assert_eq!(answers[1..], [Admission::Admitted, Admission::Admitted, Admission::Admitted]);
}

#[test]
fn a_collector_that_is_full_refuses_the_newest_profiles() {
    let made: Vec<_> = (0..16).map(|n| made_at("net", &format!("p{n}"), 59 - n, 128)).collect();
    let asked: Vec<_> = made.iter().map(|(profile, config)| (profile, config)).collect();
    let answers = admit(&two_tenants(), &asked);
    let full = |answer: &Admission| matches!(answer, Admission::CollectorFull(_));
    assert_eq!(answers.iter().position(full), Some(0), "the first of the list is the newest");
    assert_eq!(answers.iter().filter(|answer| full(answer)).count(), 1, "2000 hold 15 times 128");
}
