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

/// Everything in `node` that `schema` does not allow; `path` names the node.
pub(super) fn check(schema: &Value, node: &Node, path: &str) -> Vec<Finding> {
    let mut walk = Walk { found: Vec::new() };
    walk.value(schema, node, path);
    walk.found
}

struct Walk {
    found: Vec<Finding>,
}

impl Walk {
    fn report(&mut self, path: &str, at: Position, message: impl Into<String>) {
        self.found.push(Finding { path: path.to_owned(), at, message: message.into() });
    }

    fn value(&mut self, schema: &Value, node: &Node, path: &str) {
        if node.data == Data::Null && schema["nullable"] == true {
            return;
        }
        match (schema["type"].as_str(), &node.data) {
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
                self.value(property, &entry.value, &inner);
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
                let key = schema["x-kubernetes-list-map-keys"][0].as_str().unwrap_or_default().to_owned();
                self.unique(items, path, |item| {
                    let value = item.get(&key)?;
                    Some((value.text()?.to_owned(), value.at))
                });
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

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
