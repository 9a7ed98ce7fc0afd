//! Checks an object against its CRD's schema as the API server does: types, limits, enums, unknown fields, keys of
//! list maps.
//!
//! An own walker, because Kubernetes' schemas are no plain JSON Schema (`nullable`, list maps and sets, fields that
//! are unknown unless listed) and because it knows the YAML: each message says what is written there and what
//! would be right. A test holds it against the `jsonschema` crate.

use std::collections::HashMap;

use serde_json::Value;

use super::problem::Position;
use super::yaml::{Data, Entry, Node};

mod hint;
mod scalar;

/// Something that the schema does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) path: String,
    pub(super) at: Position,
    pub(super) message: String,
}

/// What a walk finds.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// What the schema does not allow.
    pub(super) found: Vec<Finding>,
    /// What it allows and nobody means.
    pub(super) doubts: Vec<Finding>,
}

/// Holds an object against its schema.
pub(super) fn check(schema: &Value, object: &Node) -> Walk {
    let mut walk = Walk::default();
    walk.value(schema, object, "");
    walk
}

impl Walk {
    fn report(&mut self, path: &str, at: Position, message: impl Into<String>) {
        self.found.push(Finding { path: path.to_owned(), at, message: message.into() });
    }

    fn value(&mut self, schema: &Value, node: &Node, path: &str) {
        match (schema["type"].as_str(), &node.data) {
            (None, data) if schema["x-kubernetes-int-or-string"] == true => {
                let whole = matches!(data, Data::Number(number) if !number.is_f64());
                let wanted = if whole { "integer" } else { "string" };
                for message in scalar::wrong(schema, wanted, data) {
                    self.report(path, node.at, message);
                }
            }
            (None, _) => {}
            (Some("object"), Data::Map(entries)) => self.object(schema, node, entries, path),
            (Some("array"), Data::List(items)) => self.list(schema, node, items, path),
            (Some(wanted), data) => {
                for message in scalar::wrong(schema, wanted, data) {
                    self.report(path, node.at, message);
                }
            }
        }
    }

    fn object(&mut self, schema: &Value, node: &Node, entries: &[Entry], path: &str) {
        let limit = schema["maxProperties"].as_u64();
        if limit.is_some_and(|most| entries.len() as u64 > most) {
            let message =
                format!("{} entries; at most {} are possible", entries.len(), limit.unwrap_or_default());
            self.report(path, node.at, message);
        }
        for entry in entries {
            let inner = join(path, &entry.key);
            if let Some(property) = schema["properties"].get(&entry.key) {
                if entry.value.data == Data::Null && !is_required(schema, &entry.key) {
                    // The API server takes it for absent.
                    let empty = hint::empty(property);
                    self.doubts.extend(empty.map(|message| Finding {
                        path: inner,
                        at: entry.value.at,
                        message,
                    }));
                } else {
                    self.value(property, &entry.value, &inner);
                }
            } else if schema["additionalProperties"].is_object() {
                self.value(&schema["additionalProperties"], &entry.value, &inner);
            } else if schema["x-kubernetes-preserve-unknown-fields"] != true {
                self.report(&inner, entry.at, hint::unknown_field(schema, &entry.key));
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !entries.iter().any(|entry| entry.key == name) {
                let message = format!("is missing; {}", hint::wanted(&schema["properties"][name]));
                self.report(&join(path, name), node.at, message);
            }
        }
    }

    fn list(&mut self, schema: &Value, node: &Node, items: &[Node], path: &str) {
        let count = items.len() as u64;
        if schema["maxItems"].as_u64().is_some_and(|most| count > most) {
            self.report(
                path,
                node.at,
                format!("{count} entries; at most {} are possible", schema["maxItems"]),
            );
        }
        if schema["minItems"].as_u64().is_some_and(|least| count < least) {
            self.report(path, node.at, format!("{count} entries; at least {} is needed", schema["minItems"]));
        }
        for (index, item) in items.iter().enumerate() {
            self.value(&schema["items"], item, &format!("{path}[{index}]"));
        }
        match schema["x-kubernetes-list-type"].as_str() {
            Some("set") => {
                self.unique(items, path, |item| item.text().map(|text| (text.to_owned(), item.at)));
            }
            Some("map") => {
                let keys: Vec<&str> = schema["x-kubernetes-list-map-keys"]
                    .as_array()
                    .map(|keys| keys.iter().filter_map(Value::as_str).collect())
                    .unwrap_or_default();
                self.unique(items, path, |item| of_keys(item, &keys));
            }
            _ => {}
        }
    }

    fn unique(&mut self, items: &[Node], path: &str, key: impl Fn(&Node) -> Option<(String, Position)>) {
        let mut seen: HashMap<String, Position> = HashMap::new();
        for (index, item) in items.iter().enumerate() {
            let Some((text, at)) = key(item) else { continue };
            if let Some(first) = seen.get(&text) {
                let message = format!(
                    "{text:?} stands here already, at {}:{}; each stands once",
                    first.line, first.column
                );
                self.report(&format!("{path}[{index}]"), at, message);
            } else {
                seen.insert(text, at);
            }
        }
    }
}

/// What tells an entry of a list map from the others: the values of all its keys, at the first one's place.
fn of_keys(item: &Node, keys: &[&str]) -> Option<(String, Position)> {
    let values: Vec<&Node> = keys.iter().filter_map(|key| item.get(key)).collect();
    let texts: Option<Vec<&str>> = values.iter().map(|value| value.text()).collect();
    let complete = values.len() == keys.len();
    Some((texts?.join(":"), values.first()?.at)).filter(|_| complete)
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().is_some_and(|required| required.iter().any(|field| field == name))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{object, yaml};
    use super::*;

    /// The same rules as plain JSON Schema, for another validator.
    fn plain(schema: &Value) -> Value {
        let mut made = schema.clone();
        let Some(fields) = made.as_object_mut() else { return made };
        if let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) {
            for (name, property) in properties {
                let strict = plain(property);
                let absent = json!({ "anyOf": [strict, { "type": "null" }] });
                *property = if is_required(schema, name) { strict } else { absent };
            }
            fields.insert("additionalProperties".to_owned(), json!(false));
        }
        for key in ["items", "additionalProperties"] {
            if schema[key].is_object() {
                fields.insert(key.to_owned(), plain(&schema[key]));
            }
        }
        if schema["x-kubernetes-int-or-string"] == true {
            fields.insert("type".to_owned(), json!(["integer", "string"]));
        }
        if schema["x-kubernetes-list-type"] == "set" {
            fields.insert("uniqueItems".to_owned(), json!(true));
        }
        made
    }

    fn samples() -> Vec<(&'static str, Value)> {
        let profile = json!({
            "apiVersion": "weir.dev/v1alpha1", "kind": "FlowProfile",
            "metadata": {"name": "a", "labels": {"x": "y"}},
            "spec": {
                "displayName": "A",
                "channels": [{"name": "x", "filter": "port 80", "sources": ["p", "q"], "sign": "-", "order": 3}],
                "top": [{"element": "ip", "orders": ["bytes", "flows"], "size": 5}],
                "collectorRef": {"name": "c"},
            },
        });
        let collector = json!({
            "apiVersion": "weir.dev/v1alpha1", "kind": "FlowCollector", "metadata": {"name": "a"},
            "spec": {
                "listeners": [{"name": "any", "protocol": "Auto", "port": 9996}],
                "sources": [{"name": "p", "prefixes": ["192.0.2.0/24"], "sampling": {"default": 10}, "color": "#012345"}],
                "slotLength": "10s",
                "aggregator": {"retention": [{"step": "1d", "keep": "3y"}], "storage": {"path": "/a"}},
                "profileSelector": {"matchLabels": {"a": "b"}},
                "exposure": {"type": "NodePort", "service": {"nodePorts": [{"listener": "any", "port": 30000}]}},
                "edge": {"resources": {"limits": {"cpu": 2, "memory": "1Gi"}}},
                "networkPolicy": {"enabled": true, "from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]},
                "tenants": [{"namespace": "shop", "sources": ["p", "q"], "limits": {"channels": 5}}],
            },
        });
        vec![("FlowProfile", profile), ("FlowCollector", collector)]
    }

    /// Each kind's schema and the other validator made of it.
    static KINDS: LazyLock<Vec<(Value, jsonschema::Validator)>> = LazyLock::new(|| {
        let schemas = samples().into_iter().map(|(kind, _)| object::schema_of(kind));
        let other = |schema: &Value| jsonschema::draft4::new(&plain(schema)).unwrap();
        schemas.map(|schema| (schema.clone(), other(&schema))).collect()
    });

    /// Every place in a value.
    fn places(value: &Value, path: &str, found: &mut Vec<String>) {
        found.push(path.to_owned());
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(key, inner)| places(inner, &format!("{path}/{key}"), found));
            }
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(at, inner)| places(inner, &format!("{path}/{at}"), found));
            }
            _ => {}
        }
    }

    fn replacement() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(json!(null)),
            Just(json!({})),
            Just(json!([])),
            Just(json!(["p", "p"])),
            Just(json!([{"name": "x"}])),
            Just(json!({"name": "x", "nmae": 1})),
            any::<bool>().prop_map(Value::from),
            (-2i64..70_000).prop_map(Value::from),
            (0.0f64..20.0).prop_map(|n| json!(n + 0.5)),
            "[a-z#0-9/]{0,20}".prop_map(Value::from),
            proptest::sample::select(vec!["IPFIX", "+", "-", "1m", "48h", "#A0B1C2", "flows", "srcip", "/x"])
                .prop_map(Value::from),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn the_walker_and_the_jsonschema_crate_accept_the_same_objects(
            which in 0usize..2, place in any::<proptest::sample::Index>(), value in replacement(), add in any::<bool>()
        ) {
            let mut sample = samples().swap_remove(which).1;
            let mut all = Vec::new();
            places(&sample, "", &mut all);
            let target = sample.pointer_mut(&all[place.index(all.len())]).unwrap();
            match target {
                Value::Array(items) if add => items.push(value),
                Value::Object(fields) if add => _ = fields.insert("extra".to_owned(), value),
                other => *other = value,
            }
            let (schema, other) = &KINDS[which];
            let (read, error) = yaml::documents(&sample.to_string());
            prop_assert!(error.is_none());
            let found = check(schema, &read[0]).found;
            // Keys of list maps are Kubernetes' own; the other validator does not know them. They stand in the
            // outermost lists, sets in lists inside of those.
            let ours = found.iter().all(|finding| {
                finding.message.contains("stands here already") && finding.path.matches('[').count() == 1
            });
            let theirs = other.is_valid(&sample);
            prop_assert_eq!(ours, theirs, "{} {:?}", sample, found);
        }
    }
}
