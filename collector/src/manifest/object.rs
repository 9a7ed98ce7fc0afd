//! One document of a file: is it one of ours, and does it keep to its schema and rules?

use std::path::Path;
use std::sync::{Arc, LazyLock};

use crds::collector::FlowCollector;
use crds::config::{Violation, identity};
use crds::profile::FlowProfile;
use crds::target::ExportTarget;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::problem::{Note, Position, Problem};
use super::schema;
use super::yaml::{Data, Node};

const GROUP: &str = "weir.dev";
const API_VERSION: &str = "weir.dev/v1alpha1";

/// An object that keeps to its schema, with everything that is needed to say where a field stands.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) file: Arc<Path>,
    /// What its CEL rules refuse, as (path, message): it is looked at for more problems, and not used.
    refused: Vec<(String, String)>,
    /// Kept from before its file broke: what is wrong with it is no news, and no longer stands where it stood.
    kept: bool,
    text: Arc<str>,
    node: Node,
}

/// What an object is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Collector(Box<FlowCollector>),
    Profile(Box<FlowProfile>),
    Target(Box<ExportTarget>),
}

/// What a file gives.
#[derive(Clone, Debug, Default)]
pub(super) struct Parsed {
    pub(super) objects: Vec<Object>,
    pub(super) problems: Vec<Problem>,
    pub(super) notes: Vec<Note>,
}

impl Object {
    /// `FlowProfile default/zone1`.
    pub(super) fn identity(&self) -> String {
        match &self.kind {
            Kind::Collector(_) => format!("FlowCollector {}", self.name()),
            Kind::Profile(_) => format!("FlowProfile {}", self.name()),
            Kind::Target(_) => format!("ExportTarget {}", self.name()),
        }
    }

    /// `default/zone1`.
    pub(super) fn name(&self) -> String {
        match &self.kind {
            Kind::Collector(collector) => identity(&collector.metadata),
            Kind::Profile(profile) => identity(&profile.metadata),
            Kind::Target(target) => identity(&target.metadata),
        }
    }

    /// Where it begins.
    pub(super) fn position(&self) -> Position {
        self.node.at
    }

    /// The same object, kept while its file is broken.
    pub(super) fn kept(&self) -> Self {
        Self { kept: true, ..self.clone() }
    }

    /// Whether its CEL rules accept it.
    pub(super) fn is_sound(&self) -> bool {
        self.refused.is_empty()
    }

    /// Everything that is wrong with it: the violations, and what its rules refuse at other places. (Where both
    /// speak the violation says more: it names the entry.)
    pub(super) fn problems(&self, violations: &[Violation]) -> Vec<Problem> {
        let covered = |path: &str| violations.iter().any(|violation| violation.path.starts_with(path));
        let refused = self.refused.iter().filter(|(path, _)| !covered(path));
        let refused = refused.filter_map(|(path, message)| self.problem_at(path, message.as_str()));
        let located = violations.iter().filter(|_| !self.kept).map(|violation| self.locate(violation));
        located.chain(refused).collect()
    }

    /// Says where in the file a violation stands.
    fn locate(&self, violation: &Violation) -> Problem {
        let node = self.node.nearest(&violation.path);
        let position = match violation.within {
            Some(within) => node.position_within(&self.text, within.offset),
            None => node.at,
        };
        self.problem(position, &violation.path, &violation.message)
    }

    /// A problem at a field; none while the object is only kept.
    pub(super) fn problem_at(&self, path: &str, message: impl Into<String>) -> Option<Problem> {
        (!self.kept).then(|| self.problem(self.node.nearest(path).at, path, message))
    }

    fn problem(&self, position: Position, path: &str, message: impl Into<String>) -> Problem {
        Problem { path: path.to_owned(), ..Problem::at(&*self.file, position, message) }
    }
}

impl Parsed {
    /// Reads one document.
    pub(super) fn document(&mut self, file: &Arc<Path>, text: &Arc<str>, node: Node) {
        if node.data == Data::Null {
            return;
        }
        let word = |key| node.get(key).and_then(Node::text).unwrap_or_default().to_owned();
        let (version, kind) = (word("apiVersion"), word("kind"));
        let mut note = |message: String| {
            self.notes.push(Note { file: file.to_path_buf(), position: Some(node.at), message });
        };
        match (version.as_str(), kind.as_str()) {
            (API_VERSION, "FlowCollector") => self.object(file, text, node, &COLLECTOR),
            (API_VERSION, "FlowProfile") => self.object(file, text, node, &PROFILE),
            (API_VERSION, "ExportTarget") => self.object(file, text, node, &TARGET),
            (version, kind) if version.split('/').next() == Some(GROUP) => {
                let message = format!(
                    "there is no {kind:?} in {version}; write apiVersion: {API_VERSION} and kind: FlowCollector, \
                     FlowProfile or ExportTarget"
                );
                self.problems.push(Problem::at(&**file, node.at, message));
            }
            ("", "FlowCollector" | "FlowProfile" | "ExportTarget") => {
                let path = "apiVersion".to_owned();
                let problem = Problem::at(&**file, node.at, format!("is missing; write {API_VERSION}"));
                self.problems.push(Problem { path, ..problem });
            }
            ("", _) | (_, "") => note("skipped: not a Kubernetes object (no apiVersion and kind)".to_owned()),
            (version, kind) => note(format!("skipped: {version} {kind} is none of Weir's kinds")),
        }
    }

    fn object(&mut self, file: &Arc<Path>, text: &Arc<str>, node: Node, definition: &Definition) {
        let walk = schema::check(&definition.schema, &node);
        for doubt in walk.doubts {
            let message = format!("{}: {}", doubt.path, doubt.message);
            self.notes.push(Note { file: file.to_path_buf(), position: Some(doubt.at), message });
        }
        if !walk.found.is_empty() {
            let blame = |finding: schema::Finding| Problem {
                path: finding.path,
                ..Problem::at(&**file, finding.at, finding.message)
            };
            self.problems.extend(walk.found.into_iter().map(blame));
            return;
        }
        match (definition.read)(as_received(node.to_json())) {
            Ok((kind, refused)) => {
                self.objects.push(Object {
                    kind,
                    file: Arc::clone(file),
                    refused,
                    kept: false,
                    text: Arc::clone(text),
                    node,
                });
            }
            Err(message) => self.problems.push(Problem::at(&**file, node.at, message)),
        }
    }
}

/// What the API server makes of a file: it takes no status from one, and a field without a value for absent.
fn as_received(mut object: Value) -> Value {
    object.as_object_mut().map(|fields| fields.remove("status"));
    without_null(&mut object);
    object
}

fn without_null(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// A typed object and what its CEL rules refuse: (path, message).
type Read = Result<(Kind, Vec<(String, String)>), String>;

/// How a kind is checked and read.
struct Definition {
    schema: Value,
    read: fn(Value) -> Read,
}

static COLLECTOR: LazyLock<Definition> = LazyLock::new(|| Definition {
    schema: schema_of("FlowCollector"),
    read: |value| {
        let object: Box<FlowCollector> = typed(value)?;
        let refused = object.validate_cel().err().into_iter().flatten();
        let refused = refused.map(|error| refusal(error.field_path, &error.rule, error.message)).collect();
        Ok((Kind::Collector(object), refused))
    },
});

static PROFILE: LazyLock<Definition> = LazyLock::new(|| Definition {
    schema: schema_of("FlowProfile"),
    read: |value| {
        let object: Box<FlowProfile> = typed(value)?;
        let refused = object.validate_cel().err().into_iter().flatten();
        let refused = refused.map(|error| refusal(error.field_path, &error.rule, error.message)).collect();
        Ok((Kind::Profile(object), refused))
    },
});

static TARGET: LazyLock<Definition> = LazyLock::new(|| Definition {
    schema: schema_of("ExportTarget"),
    read: |value| {
        let object: Box<ExportTarget> = typed(value)?;
        let refused = object.validate_cel().err().into_iter().flatten();
        let refused = refused.map(|error| refusal(error.field_path, &error.rule, error.message)).collect();
        Ok((Kind::Target(object), refused))
    },
});

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("cannot be read: {error}"))
}

/// A rule on the whole object names its field in its text only.
fn refusal(path: String, rule: &str, message: String) -> (String, String) {
    if path.is_empty() && rule.contains("self.metadata.name") {
        return ("metadata.name".to_owned(), message);
    }
    if path.is_empty() && rule.contains("self.spec.") {
        return ("spec".to_owned(), message);
    }
    (path, message)
}

/// The CRD's schema with what the API server adds: `apiVersion`, `kind` and `metadata`.
#[allow(clippy::expect_used, reason = "the CRDs are our own")]
pub(super) fn schema_of(kind: &str) -> Value {
    let definitions = crds::definitions();
    let definition = definitions.into_iter().find(|crd| crd.spec.names.kind == kind).expect("a kind of ours");
    let validation = definition.spec.versions.into_iter().next().and_then(|version| version.schema);
    let schema =
        validation.and_then(|validation| validation.open_api_v3_schema).expect("every version has one");
    let mut schema = serde_json::to_value(schema).expect("a schema is plain data");
    schema["properties"]["apiVersion"] = json!({ "type": "string" });
    schema["properties"]["kind"] = json!({ "type": "string" });
    schema["properties"]["metadata"] = metadata();
    schema["properties"]["status"] = json!({ "x-kubernetes-preserve-unknown-fields": true });
    schema["required"] = json!(["metadata", "spec"]);
    schema
}

/// What stands in `metadata` (`ObjectMeta`); what the API server writes there is let pass.
fn metadata() -> Value {
    let text = json!({ "type": "string" });
    let texts = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    let any = json!({ "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "description": "The object's name.",
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": { "description": "The object's name.", "type": "string", "minLength": 1, "maxLength": 253 },
            "namespace": {
                "type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            },
            "labels": texts, "annotations": texts,
            "uid": text, "resourceVersion": text, "creationTimestamp": text, "deletionTimestamp": text,
            "generateName": text, "selfLink": text,
            "generation": any, "finalizers": any, "ownerReferences": any, "managedFields": any,
            "deletionGracePeriodSeconds": any,
        },
    })
}
