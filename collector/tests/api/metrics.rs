//! `/metrics`, read as a scraper reads it.

use std::collections::{BTreeMap, BTreeSet};

use crate::server::Server;

/// One family of an OpenMetrics exposition.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    help: String,
    /// (name, labels) to value.
    samples: BTreeMap<(String, String), f64>,
}

/// Parses an exposition and refuses what a scraper or `promtool check metrics` would: families that are not
/// declared or declared twice, samples outside their family, counters without `_total`, a missing end.
fn parse(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    let body = text.strip_suffix("# EOF\n").expect("the exposition has an end");
    for line in body.lines() {
        if let Some(declared) = line.strip_prefix("# HELP ") {
            let (name, help) = declared.split_once(' ').unwrap();
            assert!(!families.contains_key(name), "{name} is declared twice");
            name.clone_into(&mut current);
            families.insert(current.clone(), Family { help: help.to_owned(), ..Family::default() });
        } else if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            assert_eq!(name, current, "the type follows the help");
            kind.clone_into(&mut families.get_mut(name).unwrap().kind);
        } else {
            let family = families.get_mut(&current).unwrap_or_else(|| panic!("{line}: no family"));
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let suffix =
                name.strip_prefix(current.as_str()).unwrap_or_else(|| panic!("{line}: not of {current}"));
            let fits = match family.kind.as_str() {
                "counter" => suffix == "_total",
                "gauge" => suffix.is_empty(),
                "histogram" => matches!(suffix, "_bucket" | "_sum" | "_count"),
                other => panic!("{current} has the type {other}"),
            };
            assert!(fits, "{line}: wrong suffix for a {}", family.kind);
            let value: f64 = value.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
            let before = family.samples.insert((name.to_owned(), labels.to_owned()), value);
            assert!(before.is_none(), "{line}: the same series twice");
        }
    }
    families
}

fn value(families: &BTreeMap<String, Family>, name: &str, label: &str) -> f64 {
    let family = name.trim_end_matches("_total").trim_end_matches("_count");
    let family = families.get(family).unwrap_or_else(|| panic!("{name} is missing"));
    let found = family.samples.iter().find(|((sample, labels), _)| sample == name && labels.contains(label));
    *found.unwrap_or_else(|| panic!("{name} has no {label}: {family:?}")).1
}

#[tokio::test]
async fn a_scraper_can_read_every_line_and_finds_what_the_edges_counted() {
    let server = Server::start().await;
    server.get("/api/v1/profiles/default/zone1/series").await;
    let answer = server.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("application/openmetrics-text; version=1.0.0"));
    let families = parse(&answer.body);
    for (name, family) in &families {
        assert!(name.starts_with("weir_") && family.help.ends_with('.'), "{name}: {family:?}");
    }
    for (name, label, expected) in [
        ("weir_datagrams_total", "listener=\"netflow\"", 13.0),
        ("weir_kernel_drops_total", "socket=\"2\"", 2.0),
        ("weir_rejected_datagrams_total", "reason=\"wrong_protocol\"", 1.0),
        ("weir_records_total", "source=\"netflow-global\"", 30.0),
        ("weir_records_received", "source=\"netflow-global\"", 37.0),
        ("weir_undecodable_records_total", "reason=\"truncated\"", 2.0),
        ("weir_faults_total", "reason=\"truncated\"", 1.0),
        ("weir_template_changes_total", "protocol=\"netflow9\"", 2.0),
        ("weir_template_conflicts_total", "protocol=\"netflow9\"", 1.0),
        ("weir_waiting_records", "protocol=\"netflow9\"", 5.0),
        ("weir_sequence_expected", "protocol=\"netflow9\"", 15.0),
        ("weir_sequence_received", "protocol=\"netflow9\"", 12.0),
        ("weir_sequence_duplicates", "protocol=\"netflow9\"", 1.0),
        ("weir_sequence_missing", "protocol=\"netflow9\"", 4.0),
        ("weir_streams", "protocol=\"netflow9\"", 1.0),
        ("weir_blocks_applied_total", "", 1.0),
        ("weir_block_number", "edge=\"node-a\"", 1.0),
        ("weir_profiles", "", 1.0),
        ("weir_http_requests_total", "route=\"/api/v1/profiles/{profile}/series\"", 1.0),
        ("weir_http_request_duration_seconds_count", "route=\"/api/v1/profiles/{profile}/series\"", 1.0),
    ] {
        assert_eq!(value(&families, name, label), expected, "{name} {label}");
    }
    assert!(value(&families, "weir_points_served_total", "") > 700.0);
    assert!(value(&families, "weir_store_bytes", "") > 0.0);
    assert!(value(&families, "weir_resident_memory_bytes", "") > 1e6);
}

#[tokio::test]
async fn a_second_scrape_has_the_same_families_and_counters_that_did_not_fall() {
    let server = Server::start().await;
    let first = parse(&server.get("/metrics").await.body);
    server.apply(&server.block(2)).await;
    let second = parse(&server.get("/metrics").await.body);
    for (name, family) in &first {
        for (series, value) in &family.samples {
            let later = second[name].samples[series];
            assert!(family.kind != "counter" || later >= *value, "{series:?} fell from {value} to {later}");
        }
    }
    assert_eq!(value(&second, "weir_datagrams_total", "listener=\"netflow\""), 26.0);
}

#[tokio::test]
async fn whatever_clients_ask_for_the_routes_stay_few() {
    let server = Server::start().await;
    for n in 0..200 {
        server.get(&format!("/api/v1/profiles/space-{n}/name/series")).await;
        server.get(&format!("/{n}")).await;
    }
    let families = parse(&server.get("/metrics").await.body);
    let routes: BTreeSet<&str> = families["weir_http_requests"]
        .samples
        .keys()
        .map(|(_, labels)| labels.split('"').nth(1).unwrap())
        .collect();
    assert_eq!(routes, BTreeSet::from(["/api/v1/profiles/{profile}/series", "other"]));
}
