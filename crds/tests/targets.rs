//! What an ExportTarget becomes, and what it may not ask for.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "a test that panics has failed")]

use crds::collector::FlowCollector;
use crds::config::selection::{Choice, exports, least_labels};
use crds::config::target::{ExportConfig, SecretFile, TargetConfig};
use crds::config::{EdgeConfig, Surroundings, check_target, render, secrets};
use crds::profile::FlowProfile;
use crds::target::{Compression, ExportTarget, Format, Key};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn object<T: DeserializeOwned>(kind: &str, namespace: &str, name: &str, spec: Value) -> T {
    serde_json::from_value(json!({
        "apiVersion": "weir.dev/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }))
    .unwrap()
}

fn collector() -> FlowCollector {
    let listeners = json!([
        {"name": "any", "protocol": "Auto", "port": 9996},
        {"name": "tcp", "protocol": "IPFIX", "transport": "TCP", "port": 4739},
    ]);
    let sources = json!([{"name": "core", "prefixes": ["192.0.2.1/32"]}]);
    object("FlowCollector", "net", "zone1", json!({"listeners": listeners, "sources": sources}))
}

fn profile(namespace: &str) -> FlowProfile {
    object("FlowProfile", namespace, "services", json!({"channels": [{"name": "web"}, {"name": "dns"}]}))
}

fn target(namespace: &str, spec: Value) -> ExportTarget {
    object("ExportTarget", namespace, "out", spec)
}

fn kafka(flows: Value) -> Value {
    json!({"type": "Kafka", "kafka": {"brokers": ["192.0.2.9:9092"], "topic": "flows", "flows": flows}})
}

/// What is wrong with a target beside a collector in `net` and profiles in `net` and `team`.
fn wrong(target: &ExportTarget) -> Vec<String> {
    let (collector, profiles) = (collector(), [profile("net"), profile("team")]);
    let profiles: Vec<&FlowProfile> = profiles.iter().collect();
    let around = Surroundings { collector: &collector, profiles: &profiles };
    let found = check_target(Some(around), target).err().into_iter().flatten();
    found.map(|violation| format!("{}: {}", violation.path, violation.message)).collect()
}

#[test]
fn an_absent_field_of_a_target_gets_what_its_text_says() {
    let destinations = json!([{"address": "192.0.2.9", "port": 2055}]);
    let spec = json!({"type": "Replicate", "replicate": {"destinations": destinations}});
    let ExportConfig::Replicate(made) = check_target(None, &target("net", spec)).unwrap().export else {
        panic!("another type")
    };
    assert_eq!((made.one_in, made.preserve_source, made.sources.len()), (1, false, 0));
    let made = check_target(None, &target("net", kafka(json!([{"profile": "services"}])))).unwrap();
    let ExportConfig::Kafka(made) = made.export else { panic!("another type") };
    assert_eq!((made.format, made.key, made.compression), (Format::Json, Key::Exporter, Compression::Zstd));
    assert_eq!(made.flows[0].profile, "net/services");
}

#[test]
fn exactly_the_field_of_the_type_is_taken() {
    let both = json!({"type": "Replicate", "replicate": {"destinations": [{"address": "192.0.2.9", "port": 1}]},
        "kafka": {"brokers": [], "topic": "t", "flows": []}});
    assert_eq!(wrong(&target("net", both)), ["spec.kafka: type Replicate does not take it"]);
    let none = json!({"type": "Kafka"});
    assert_eq!(wrong(&target("net", none)), ["spec: type Kafka needs the field kafka"]);
}

#[test]
fn replication_names_what_the_collector_has_and_can_reach() {
    let spec = json!({"type": "Replicate", "replicate": {
        "destinations": [{"address": "192.0.2.300", "port": 1}, {"address": "collector.example.net", "port": 1},
            {"address": "::", "port": 1}, {"address": "2001:db8::1", "port": 1}],
        "sources": ["core", "edge"], "listeners": ["any", "tcp"],
    }});
    let right = "write 192.0.2.10, 2001:db8::10 or collector.example.net";
    assert_eq!(
        wrong(&target("net", spec)),
        [
            "spec.replicate.sources[1]: the FlowCollector has no source \"edge\"; it has core".to_owned(),
            "spec.replicate.listeners[1]: the FlowCollector has no UDP listener \"tcp\"; it has any"
                .to_owned(),
            format!(
                "spec.replicate.destinations[0].address: \"192.0.2.300\" is neither an address nor a host name; {right}"
            ),
            format!("spec.replicate.destinations[2].address: :: is the address of no one; {right}"),
        ]
    );
}

#[test]
fn a_target_outside_the_collectors_namespace_exports_its_own_profiles_only_and_replicates_nothing() {
    let own = kafka(json!([{"profile": "services", "channels": ["web"]}]));
    assert_eq!(wrong(&target("team", own.clone())), [""; 0]);
    let foreign = kafka(json!([{"profile": "net/services"}]));
    assert_eq!(
        wrong(&target("team", foreign)),
        [
            "spec.kafka.flows[0].profile: a target outside the collector's namespace exports only profiles of its \
          own: team/..., not net/services"
        ]
    );
    assert_eq!(wrong(&target("net", kafka(json!([{"profile": "team/services"}])))), [""; 0]);
    let spec =
        json!({"type": "Replicate", "replicate": {"destinations": [{"address": "192.0.2.9", "port": 1}]}});
    assert_eq!(
        wrong(&target("team", spec)),
        [
            "spec.type: datagrams of all teams are replicated only from the collector's namespace: move the target \
          to \"net\""
        ]
    );
    let choice = |space: &str| exports(&collector(), &target(space, own.clone()), &least_labels(space));
    assert_eq!((choice("net"), choice("team")), (Choice::Chosen, Choice::Namespace));
}

#[test]
fn a_profile_or_channel_that_is_not_there_is_named_with_what_there_is() {
    let spec = kafka(json!([{"profile": "services", "channels": ["web", "mail"]}, {"profile": "absent"}]));
    assert_eq!(
        wrong(&target("net", spec)),
        [
            "spec.kafka.flows[0].channels[1]: FlowProfile net/services has no channel \"mail\"; it has web, dns",
            "spec.kafka.flows[1].profile: no FlowProfile net/absent runs on FlowCollector net/zone1",
        ]
    );
}

#[test]
fn an_exporters_address_is_preserved_only_in_the_nodes_own_network() {
    let spec = json!({"type": "Replicate", "replicate": {"preserveSource": true,
        "destinations": [{"address": "192.0.2.9", "port": 1}]}});
    assert_eq!(wrong(&target("net", spec.clone())), [""; 0]);
    let behind: FlowCollector =
        object("FlowCollector", "net", "zone1", json!({"exposure": {"type": "NodePort"}}));
    let around = Surroundings { collector: &behind, profiles: &[] };
    let found = check_target(Some(around), &target("net", spec)).unwrap_err();
    assert_eq!(found[0].path, "spec.replicate.preserveSource");
    assert!(found[0].message.contains("spec.exposure.type to HostNetwork"), "{}", found[0].message);
}

#[test]
fn a_password_is_sent_as_it_is_only_over_tls() {
    let mut spec = kafka(json!([{"profile": "services"}]));
    spec["kafka"]["sasl"] = json!({"mechanism": "PLAIN", "username": "weir",
        "passwordRef": {"name": "kafka", "key": "password"}});
    let found = wrong(&target("net", spec.clone()));
    assert!(
        found[0].starts_with("spec.kafka.sasl.mechanism: PLAIN sends the password as it is"),
        "{found:?}"
    );
    spec["kafka"]["tls"] = json!({});
    assert_eq!(wrong(&target("net", spec)), [""; 0]);
}

#[test]
fn secrets_stand_in_the_configuration_as_names_of_files_only() {
    let mut spec = kafka(json!([{"profile": "services"}]));
    spec["kafka"]["tls"] =
        json!({"caRef": {"name": "roots", "key": "ca.crt"}, "clientCertificateRef": {"name": "pair"}});
    spec["kafka"]["sasl"] = json!({"mechanism": "SCRAM-SHA-256", "username": "weir",
        "passwordRef": {"name": "kafka", "key": "password"}});
    let target = target("net", spec);
    let files: Vec<SecretFile> = secrets(&target).into_iter().map(|secret| secret.file).collect();
    let expected = ["net.roots.ca.crt", "net.pair.tls.crt", "net.pair.tls.key", "net.kafka.password"];
    assert_eq!(files, expected.map(|name| SecretFile(name.to_owned())));
    let ExportConfig::Kafka(made) = check_target(None, &target).unwrap().export else {
        panic!("another type")
    };
    let tls = made.tls.unwrap();
    assert_eq!(
        [tls.ca, tls.certificate, tls.key, made.sasl.map(|sasl| sasl.password)],
        [0, 1, 2, 3].map(|at| Some(files[at].clone()))
    );
}

#[test]
fn a_paused_target_and_one_of_another_collector_are_exported_to_by_no_one() {
    let with = |key: &str, value: Value| {
        let mut spec = kafka(json!([{"profile": "services"}]));
        spec[key] = value;
        exports(&collector(), &target("net", spec), &least_labels("net"))
    };
    assert_eq!(with("paused", json!(false)), Choice::Chosen);
    assert_eq!(with("paused", json!(true)), Choice::Paused);
    assert_eq!(with("collectorRef", json!({"name": "zone1"})), Choice::Chosen);
    assert_eq!(with("collectorRef", json!({"name": "zone2"})), Choice::Elsewhere);
}

#[test]
fn targets_read_back_as_they_were_written_and_are_at_most_32() {
    let made = |count: usize| -> Vec<TargetConfig> {
        let spec = kafka(json!([{"profile": "services"}]));
        (0..count).map(|_| check_target(None, &target("net", spec.clone())).unwrap()).collect()
    };
    let edge = render(&collector(), &[]).unwrap().exporting(made(32)).unwrap().edge;
    let text = serde_yaml::to_string(&edge).unwrap();
    assert_eq!(serde_yaml::from_str::<EdgeConfig>(&text).unwrap(), edge);
    let full = render(&collector(), &[]).unwrap().exporting(made(33)).unwrap_err();
    assert!(full.message.contains("33 ExportTargets; a collector exports to at most 32"), "{full}");
}
