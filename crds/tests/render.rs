//! What the kinds become.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "a test that panics has failed")]

use crds::collector::FlowCollector;
use crds::config::{Sign, TopOrder, Violation, check_profile, render};
use crds::profile::FlowProfile;
use serde_json::{Value, json};

fn collector(spec: Value) -> FlowCollector {
    serde_json::from_value(json!({
        "apiVersion": "weir.dev/v1alpha1", "kind": "FlowCollector", "metadata": {"name": "zone1"}, "spec": spec,
    }))
    .unwrap()
}

fn profile(spec: Value) -> FlowProfile {
    serde_json::from_value(json!({
        "apiVersion": "weir.dev/v1alpha1", "kind": "FlowProfile",
        "metadata": {"name": "services", "labels": {"team": "net"}}, "spec": spec,
    }))
    .unwrap()
}

fn wrong(violations: &[Violation]) -> Vec<String> {
    violations.iter().map(ToString::to_string).collect()
}

#[test]
fn an_empty_collector_gets_every_default() {
    let made = render(&collector(json!({})), &[]).unwrap();
    let ports: Vec<_> = made.edge.listeners.iter().map(|l| (l.name.as_str(), l.port)).collect();
    assert_eq!(ports, [("netflow", 2055), ("ipfix", 4739), ("sflow", 6343), ("any", 9996)]);
    assert_eq!((made.edge.slot_ms, made.aggregator.slot_ms), (10_000, 10_000));
    assert_eq!(made.edge.collector, "default/zone1");
    let day = 86_400_000;
    let kept: Vec<_> = made.aggregator.retention.iter().map(|r| (r.step_ms, r.keep_ms / day)).collect();
    let years = 365;
    let expected = [(10_000, 2), (60_000, 14), (300_000, 400), (3_600_000, 3 * years), (day, 10 * years)];
    assert_eq!(kept, expected);
}

#[test]
fn a_channel_gets_sign_color_and_order_by_position_and_a_table_its_order_and_size() {
    let channels =
        json!([{"name": "a"}, {"name": "b", "filter": "proto tcp", "sign": "-", "color": "#010203"}]);
    let spec = json!({"channels": channels, "top": [{"element": "srcip"}]});
    let made = check_profile(Some(&collector(json!({}))), &profile(spec)).unwrap();
    assert_eq!((made.name.as_str(), made.display_name.as_str()), ("default/services", "services"));
    let (a, b) = (&made.channels[0], &made.channels[1]);
    assert_eq!((a.filter.as_str(), a.sign, a.order), ("", Sign::Plus, 1));
    assert!(a.color.starts_with('#') && a.color.len() == 7);
    assert_eq!(
        (b.filter.as_str(), b.sign, b.color.as_str(), b.order),
        ("proto tcp", Sign::Minus, "#010203", 2)
    );
    assert_eq!((made.top[0].orders.as_slice(), made.top[0].size), ([TopOrder::Bytes].as_slice(), 10));
}

#[test]
fn channels_stand_in_stack_order_and_equal_orders_keep_their_position() {
    let channels = json!([{"name": "c", "order": 9}, {"name": "a", "order": 2}, {"name": "b", "order": 2}]);
    let made = check_profile(Some(&collector(json!({}))), &profile(json!({"channels": channels}))).unwrap();
    let names: Vec<_> = made.channels.iter().map(|channel| channel.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn a_listed_step_replaces_its_default_and_leaves_the_others() {
    let retention = json!([{"step": "5m", "keep": "2y"}]);
    let made = render(&collector(json!({"aggregator": {"retention": retention}})), &[]).unwrap();
    let days: Vec<_> = made.aggregator.retention.iter().map(|r| r.keep_ms / 86_400_000).collect();
    assert_eq!(days, [2, 14, 730, 1095, 3650]);
}

#[test]
fn a_slot_of_a_minute_is_the_minute_step_kept_as_long_as_the_longer() {
    let made = render(&collector(json!({"slotLength": "1m"})), &[]).unwrap();
    let first = &made.aggregator.retention[0];
    assert_eq!((made.aggregator.retention.len(), first.step_ms, first.keep_ms / 86_400_000), (4, 60_000, 14));
}

#[test]
fn every_violation_of_every_object_is_reported_at_once() {
    let collector = collector(json!({
        "slotLength": "7s",
        "listeners": [{"name": "any", "protocol": "Auto", "port": 9996}],
        "sources": [
            {"name": "a", "listeners": ["any"], "prefixes": ["192.0.2.1"]},
            {"name": "b", "listeners": ["nowhere"]},
            {"name": "c", "prefixes": ["192.0.2.1/24", "::ffff:192.0.2.0/120"]},
            {"name": "d", "prefixes": ["2001:db8::/32"]},
            {"name": "e", "prefixes": ["2001:db8::/32"]},
        ],
        "aggregator": {"retention": [{"step": "1d", "keep": "1d"}]},
    }));
    let profile = profile(json!({"channels": [{"name": "x", "sources": ["a", "f"]}, {"name": "x"}]}));
    let found = wrong(&render(&collector, &[profile]).unwrap_err());
    let expected = [
        "FlowCollector default/zone1: spec.slotLength: \"7s\" is no slot length; it must divide a minute: 1s, 2s, 3s, 4s, 5s, 6s, 10s, 12s, 15s, 20s, 30s or 60s",
        "FlowCollector default/zone1: spec.sources[0].prefixes[0]: \"192.0.2.1\" is no prefix; write 192.0.2.1/32",
        "FlowCollector default/zone1: spec.sources[1].listeners[0]: there is no listener \"nowhere\"; there are any",
        "FlowCollector default/zone1: spec.sources[2].prefixes[0]: \"192.0.2.1/24\" has bits set past its length; write 192.0.2.0/24",
        "FlowCollector default/zone1: spec.sources[2].prefixes[1]: \"::ffff:192.0.2.0/120\" is an IPv4 prefix in IPv6 form; write it as IPv4",
        "FlowCollector default/zone1: spec.aggregator.retention[0].keep: \"1d\" is too short; write at least 2d, such as 48h, 14d or 3y",
        "FlowCollector default/zone1: spec.sources[4]: sources \"d\" and \"e\" match 2001:db8::/32 equally well; give one of them a longer prefix or other listeners",
        "FlowProfile default/services: spec.channels[0].sources[1]: FlowCollector default/zone1 has no source \"f\"; it has a, b, c, d, e",
        "FlowProfile default/services: spec.channels[1].name: there is a channel \"x\" already; each name stands once",
    ];
    assert_eq!(found, expected);
}

#[test]
fn more_channels_than_a_collector_can_count_are_refused() {
    let channels: Vec<Value> = (0..128).map(|n| json!({"name": format!("c{n}")})).collect();
    let spec = json!({"channels": channels});
    let profiles = vec![profile(spec); 16];
    let found = wrong(&render(&collector(json!({})), &profiles).unwrap_err());
    assert!(found[0].contains("have 2048 channels together; a collector counts at most 2000"), "{found:?}");
}

#[test]
fn both_configurations_read_back_as_they_were_written() {
    let spec = json!({"channels": [{"name": "a", "filter": "port 80"}], "top": [{"element": "ip"}]});
    let made =
        render(&collector(json!({"sources": [{"name": "a", "listeners": ["any"]}]})), &[profile(spec)])
            .unwrap();
    let edge = serde_yaml::to_string(&made.edge).unwrap();
    assert_eq!(serde_yaml::from_str::<crds::config::EdgeConfig>(&edge).unwrap(), made.edge);
    let aggregator = serde_yaml::to_string(&made.aggregator).unwrap();
    assert_eq!(serde_yaml::from_str::<crds::config::AggregatorConfig>(&aggregator).unwrap(), made.aggregator);
}
