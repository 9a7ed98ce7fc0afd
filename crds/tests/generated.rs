//! The CRDs in the chart are what the types say.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "a test that panics has failed")]

use std::path::Path;

use serde_json::{Value, json};

fn charts() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/weir-crds/templates"))
}

#[test]
fn the_committed_crds_are_fresh() {
    for (name, text) in crds::manifests() {
        let committed = std::fs::read_to_string(charts().join(&name)).unwrap_or_default();
        assert!(committed == text, "charts/weir-crds/templates/{name} is stale: run `make generate`");
    }
}

#[test]
fn no_other_file_stands_beside_the_crds() {
    let made: Vec<String> = crds::manifests().into_iter().map(|(name, _)| name).collect();
    for entry in std::fs::read_dir(charts()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(made.contains(&name), "{name} is made from no type: remove it");
    }
}

#[test]
fn each_crd_is_under_100_kb() {
    for (name, text) in crds::manifests() {
        assert!(text.len() < 100_000, "{name}: {} bytes", text.len());
    }
}

/// Calls `check` with every schema in the CRDs and its path.
fn walk(check: &mut impl FnMut(&str, &Value)) {
    for crd in crds::definitions() {
        let kind = crd.spec.names.kind.clone();
        let schema = crd.spec.versions[0].schema.clone().unwrap().open_api_v3_schema.unwrap();
        into(&kind, &serde_json::to_value(schema).unwrap(), check);
    }
}

fn into(path: &str, schema: &Value, check: &mut impl FnMut(&str, &Value)) {
    check(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        into(&format!("{path}.{name}"), property, check);
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[key].is_object() {
            into(&format!("{path}{mark}"), &schema[key], check);
        }
    }
}

#[test]
fn every_field_is_documented() {
    walk(&mut |path, schema| {
        let scalar = path.ends_with("[]") || path.ends_with("{}");
        assert!(scalar || schema["description"].is_string(), "{path} has no description");
    });
}

#[test]
fn every_list_map_and_string_has_a_limit_and_every_number_a_range() {
    walk(&mut |path, schema| match schema["type"].as_str() {
        None if schema["x-kubernetes-int-or-string"] == true => {
            assert!(schema["pattern"].is_string() && schema["maxLength"].is_u64(), "{path} is unbounded");
        }
        Some("array") => {
            assert!(schema["maxItems"].is_u64(), "{path} is unbounded");
            assert!(schema["x-kubernetes-list-type"].is_string(), "{path} has no list type");
        }
        Some("string") => {
            assert!(schema["maxLength"].is_u64() || schema["enum"].is_array(), "{path} is unbounded");
        }
        Some("integer" | "number") => {
            assert!(schema["minimum"].is_number() && schema["maximum"].is_number(), "{path} is unbounded");
        }
        Some("object") if schema["additionalProperties"].is_object() => {
            assert!(schema["maxProperties"].is_u64(), "{path} is unbounded");
        }
        Some("object" | "boolean") => {}
        other => panic!("{path} has type {other:?}"),
    });
}

#[test]
fn no_schema_has_a_default_because_render_fills_them_in_but_the_status_that_nobody_wrote() {
    walk(&mut |path, schema| match path.split_once('.') {
        Some((_, "status")) => assert_eq!(schema["default"], json!({ "observedGeneration": -1 }), "{path}"),
        _ => assert!(schema.get("default").is_none(), "{path} has a default"),
    });
}

#[test]
fn every_rule_compiles_and_stays_within_the_cost_that_kube_estimates() {
    use kube::core::cel::{WarningKind, compile_schema, estimate_rule_cost};
    let mut seen = 0;
    walk(&mut |path, schema| {
        let compiled = compile_schema(schema);
        assert_eq!(compiled.compilation_errors().len(), 0, "{path}");
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let warnings = estimate_rule_cost(rule["rule"].as_str().unwrap(), &compiled);
            assert!(warnings.iter().all(|w| w.kind != WarningKind::CostExceeded), "{path}: {warnings:?}");
            seen += 1;
        }
    });
    assert!(seen > 8, "only {seen} rules were found");
}
