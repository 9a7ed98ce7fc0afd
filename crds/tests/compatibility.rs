//! Nobody's YAML breaks: the kinds accept what they accepted at the last release.
//!
//! `compatibility/` holds the CRDs as they were released. After a release, and whenever a field was added that others
//! are to rely on: `UPDATE_GOLDEN=1 cargo test -p crds --test compatibility`; it refuses to write down a breaking
//! change.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "a test that panics has failed")]

use std::path::PathBuf;

use serde_json::{Value, json};

fn released(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compatibility")).join(name)
}

#[test]
fn every_object_that_the_released_kinds_accept_is_accepted_still() {
    let mut names = Vec::new();
    for (name, text) in crds::manifests() {
        let path = released(&name);
        if let Ok(before) = std::fs::read_to_string(&path) {
            let [before, now] = [&before, &text].map(|text| serde_yaml::from_str::<Value>(text).unwrap());
            assert_eq!(breaks(&before, &now), Vec::<String>::new(), "{name}");
        }
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert!(path.is_file(), "{name} was never released: UPDATE_GOLDEN=1 writes it down");
        names.push(name);
    }
    for entry in std::fs::read_dir(released("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(&name), "the kind of {name} is gone");
    }
}

/// What an object or a client could rely on, and can no longer.
fn breaks(before: &Value, now: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for at in ["/spec/group", "/spec/scope", "/spec/names"] {
        if before.pointer(at) != now.pointer(at) {
            found.push(format!("{at} changed"));
        }
    }
    let versions = |crd: &Value| crd["spec"]["versions"].as_array().unwrap().clone();
    for old in versions(before) {
        let new = versions(now).into_iter().find(|new| new["name"] == old["name"] && new["served"] == true);
        match new {
            Some(new) => {
                schema(&old["schema"]["openAPIV3Schema"], &new["schema"]["openAPIV3Schema"], "", &mut found);
            }
            None => found.push(format!("version {} is gone", old["name"])),
        }
    }
    found
}

fn schema(before: &Value, now: &Value, path: &str, found: &mut Vec<String>) {
    let same = [
        "type",
        "format",
        "pattern",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-map-type",
        "default",
    ];
    for key in same {
        // What had no form before has more to lose than to gain by one.
        if before[key] != now[key] && !(key == "pattern" && now[key].is_null()) {
            found.push(format!("{path}: {key} was {}, is {}", before[key], now[key]));
        }
    }
    choices(before, now, path, found);
    limits(before, now, path, found);
    required(before, now, path, found);
    rules(before, now, path, found);
    for (name, old) in before["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        match now["properties"].get(name) {
            Some(new) => schema(old, new, &path, found),
            None => found.push(format!("{path} is gone")),
        }
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if before[key].is_object() {
            schema(&before[key], &now[key], &format!("{path}{mark}"), found);
        }
    }
}

fn choices(before: &Value, now: &Value, path: &str, found: &mut Vec<String>) {
    let Some(new) = now["enum"].as_array() else { return };
    match before["enum"].as_array() {
        None => found.push(format!("{path}: not every text is possible any more")),
        Some(old) => {
            let gone = old.iter().filter(|choice| !new.contains(choice));
            found.extend(gone.map(|choice| format!("{path}: {choice} is no choice any more")));
        }
    }
}

fn limits(before: &Value, now: &Value, path: &str, found: &mut Vec<String>) {
    for key in ["maxLength", "maxItems", "maxProperties", "maximum"] {
        let limit = |schema: &Value| schema[key].as_f64().unwrap_or(f64::INFINITY);
        if limit(now) < limit(before) {
            found.push(format!("{path}: {key} was {}, is {}", before[key], now[key]));
        }
    }
    for key in ["minLength", "minItems", "minProperties", "minimum"] {
        let limit = |schema: &Value| schema[key].as_f64().unwrap_or(f64::NEG_INFINITY);
        if limit(now) > limit(before).max(if key == "minimum" { f64::NEG_INFINITY } else { 0.0 }) {
            found.push(format!("{path}: {key} was {}, is {}", before[key], now[key]));
        }
    }
}

fn required(before: &Value, now: &Value, path: &str, found: &mut Vec<String>) {
    let old = before["required"].as_array().cloned().unwrap_or_default();
    let new = now["required"].as_array().cloned().unwrap_or_default();
    let added = new.iter().filter(|name| !old.contains(name));
    found.extend(added.map(|name| format!("{path}: {name} is required now")));
}

/// A rule may be new where it speaks of a field that is new.
fn rules(before: &Value, now: &Value, path: &str, found: &mut Vec<String>) {
    let all = |schema: &Value| schema["x-kubernetes-validations"].as_array().cloned().unwrap_or_default();
    let old: Vec<Value> = all(before).iter().map(|rule| rule["rule"].clone()).collect();
    let is_new = |name: &&String| before["properties"].get(name.as_str()).is_none();
    let fields: Vec<&String> =
        now["properties"].as_object().into_iter().flat_map(|p| p.keys()).filter(is_new).collect();
    for rule in all(now).iter().map(|rule| &rule["rule"]).filter(|rule| !old.contains(rule)) {
        let text = rule.as_str().unwrap_or_default();
        if !fields.iter().any(|field| text.contains(&format!("self.{field}"))) {
            found.push(format!("{path}: there is a new rule, {text}"));
        }
    }
}

/// A kind with a bit of everything.
fn sample() -> Value {
    json!({"spec": {
        "group": "weir.dev", "scope": "Namespaced", "names": {"kind": "A", "plural": "as"},
        "versions": [{"name": "v1", "served": true, "schema": {"openAPIV3Schema": {
            "type": "object",
            "required": ["name"],
            "x-kubernetes-validations": [{"rule": "self.name != 'b'"}],
            "properties": {
                "name": {"type": "string", "maxLength": 9, "minLength": 1},
                "mode": {"type": "string", "enum": ["On", "Off"]},
                "many": {"type": "array", "maxItems": 4, "x-kubernetes-list-type": "set",
                    "items": {"type": "integer", "minimum": 0, "maximum": 9}},
                "free": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 5}},
            },
        }}}],
    }})
}

/// What the checker says when one place of the sample is another.
fn said(place: &str, value: Value) -> Vec<String> {
    let mut now = sample();
    let at = match place.starts_with("/spec/") {
        true => place.to_owned(),
        false => format!("/spec/versions/0/schema/openAPIV3Schema{place}"),
    };
    let (parent, key) = at.rsplit_once('/').unwrap();
    match now.pointer_mut(parent).unwrap() {
        Value::Object(fields) if value.is_null() => _ = fields.remove(key),
        Value::Object(fields) => _ = fields.insert(key.to_owned(), value),
        other => other[key.parse::<usize>().unwrap()] = value,
    }
    assert_ne!(now, sample(), "{place} is no change");
    breaks(&sample(), &now)
}

#[test]
fn each_kind_of_breaking_change_is_found_and_named() {
    let cases = [
        ("/properties/mode", json!(null), ".mode is gone"),
        ("/required", json!(["name", "mode"]), ": \"mode\" is required now"),
        ("/properties/mode/enum", json!(["On"]), ".mode: \"Off\" is no choice any more"),
        ("/properties/name/enum", json!(["a"]), ".name: not every text is possible any more"),
        ("/properties/name/type", json!("integer"), ".name: type was \"string\", is \"integer\""),
        ("/properties/name/maxLength", json!(8), ".name: maxLength was 9, is 8"),
        ("/properties/name/minLength", json!(2), ".name: minLength was 1, is 2"),
        ("/properties/name/pattern", json!("^a"), ".name: pattern was null, is \"^a\""),
        ("/properties/many/maxItems", json!(3), ".many: maxItems was 4, is 3"),
        ("/properties/many/minItems", json!(1), ".many: minItems was null, is 1"),
        ("/properties/many/items/maximum", json!(8), ".many[]: maximum was 9, is 8"),
        ("/properties/many/items/minimum", json!(1), ".many[]: minimum was 0, is 1"),
        (
            "/properties/many/x-kubernetes-list-type",
            json!("atomic"),
            ".many: x-kubernetes-list-type was \"set\", is \"atomic\"",
        ),
        ("/properties/free/maxProperties", json!(3), ".free: maxProperties was null, is 3"),
        ("/properties/free/additionalProperties/maxLength", json!(4), ".free{}: maxLength was 5, is 4"),
        (
            "/x-kubernetes-validations",
            json!([{"rule": "self.name != 'c'"}]),
            ": there is a new rule, self.name != 'c'",
        ),
        ("/spec/versions/0/name", json!("v2"), "version \"v1\" is gone"),
        ("/spec/versions/0/served", json!(false), "version \"v1\" is gone"),
        ("/spec/names/plural", json!("aas"), "/spec/names changed"),
    ];
    for (place, value, expected) in cases {
        assert_eq!(said(place, value), [expected], "{place}");
    }
}

#[test]
fn what_takes_nothing_away_is_no_breaking_change() {
    let cases = [
        ("/properties/more", json!({"type": "string", "enum": ["a"]})),
        ("/properties/mode/enum", json!(["On", "Off", "Auto"])),
        ("/properties/name/maxLength", json!(10)),
        ("/properties/name/minLength", json!(null)),
        ("/properties/many/maxItems", json!(null)),
        ("/properties/many/items/maximum", json!(10)),
        ("/properties/mode/description", json!("On or off.")),
        ("/x-kubernetes-validations", json!(null)),
        ("/required", json!([])),
    ];
    for (place, value) in cases {
        assert_eq!(said(place, value), Vec::<String>::new(), "{place}");
    }
    let mut now = sample();
    let schema = now.pointer_mut("/spec/versions/0/schema/openAPIV3Schema").unwrap();
    schema["properties"]["more"] = json!({"type": "string"});
    schema["x-kubernetes-validations"] =
        json!([{"rule": "self.name != 'b'"}, {"rule": "!has(self.more) || self.name != 'c'"}]);
    assert_eq!(breaks(&sample(), &now), Vec::<String>::new(), "a rule on a new field");
}
