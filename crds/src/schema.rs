//! Schemas of Kubernetes' own types, with limits and texts: those that the kinds take over word for word.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

const LABEL_VALUE: u32 = 63;
/// A label's prefix (253), a slash and a name (63).
const LABEL_KEY: u32 = 317;

/// A label selector.
pub(crate) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    selector().try_into().unwrap_or_default()
}

fn selector() -> Value {
    json!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "description": "Labels that must all have these values.",
                "type": "object",
                "maxProperties": 32,
                "additionalProperties": { "type": "string", "maxLength": LABEL_VALUE },
            },
            "matchExpressions": {
                "description": "Conditions that must all hold.",
                "type": "array",
                "maxItems": 32,
                "x-kubernetes-list-type": "atomic",
                "items": expression(),
            },
        },
    })
}

fn expression() -> Value {
    json!({
        "description": "A condition on one label.",
        "type": "object",
        "required": ["key", "operator"],
        "properties": {
            "key": {
                "description": "The label.",
                "type": "string", "minLength": 1, "maxLength": LABEL_KEY,
            },
            "operator": {
                "description": "In and NotIn compare with values; Exists and DoesNotExist take none.",
                "type": "string",
                "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
            },
            "values": {
                "description": "What the label may be (In) or may not be (NotIn).",
                "type": "array",
                "maxItems": 64,
                "x-kubernetes-list-type": "atomic",
                "items": { "type": "string", "maxLength": LABEL_VALUE },
            },
        },
    })
}

/// Labels of an object.
pub(crate) fn labels(_: &mut SchemaGenerator) -> Schema {
    map(LABEL_VALUE)
}

/// Labels of nodes.
pub(crate) fn node_selector(_: &mut SchemaGenerator) -> Schema {
    map(LABEL_VALUE)
}

/// Annotations of an object.
pub(crate) fn annotations(_: &mut SchemaGenerator) -> Schema {
    map(4096)
}

fn map(length: u32) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": { "type": "string", "maxLength": length },
    })
}

/// A quantity: a whole number, or text with a fraction or a unit.
pub(crate) fn quantity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "minimum": 0,
        "maximum": 9_007_199_254_740_991_u64,
        "maxLength": 20,
        "pattern": r"^[0-9]+(\.[0-9]{1,3})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$",
    })
}

/// A pod's tolerations.
pub(crate) fn tolerations(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "atomic",
        "items": {
            "description": "A taint that keeps the pods away no longer.",
            "type": "object",
            "properties": {
                "key": {
                    "description": "The taint's key. Absent: every taint, with operator Exists.",
                    "type": "string", "maxLength": LABEL_KEY,
                },
                "operator": {
                    "description": "Equal compares the taint's value with `value`; Exists does not look at it. Absent: Equal.",
                    "type": "string", "enum": ["Equal", "Exists"],
                },
                "value": {
                    "description": "The taint's value, for Equal.",
                    "type": "string", "maxLength": LABEL_VALUE,
                },
                "effect": {
                    "description": "The taint's effect. Absent: any.",
                    "type": "string", "enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"],
                },
                "tolerationSeconds": {
                    "description": "How long a pod stays once there is a taint NoExecute. Absent: for good.",
                    "type": "integer", "format": "int64", "minimum": 0, "maximum": 31_536_000,
                },
            },
        },
    })
}

/// Those whom an ingress rule of a NetworkPolicy lets in.
pub(crate) fn network_policy_peers(_: &mut SchemaGenerator) -> Schema {
    let described = |text: &str| {
        let mut schema = selector();
        schema["description"] = json!(text);
        schema
    };
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "atomic",
        "items": {
            "description": "Pods by label, or a block of addresses.",
            "type": "object",
            "x-kubernetes-validations": [{
                "rule": "has(self.ipBlock) != (has(self.podSelector) || has(self.namespaceSelector))",
                "message": "an entry is an ipBlock, or a podSelector, a namespaceSelector or both of them",
            }],
            "properties": {
                "podSelector": described("Pods, in the collector's namespace unless namespaceSelector says others. {} is all."),
                "namespaceSelector": described("Namespaces whose pods are meant. {} is all."),
                "ipBlock": {
                    "description": "Addresses outside the cluster.",
                    "type": "object",
                    "required": ["cidr"],
                    "properties": {
                        "cidr": {
                            "description": "Prefix, such as 192.0.2.0/24.",
                            "type": "string", "maxLength": 43,
                            "x-kubernetes-validations": [{
                                "rule": "isCIDR(self)",
                                "message": "cidr must be an address and a length: 192.0.2.0/24 or 2001:db8::/48",
                            }],
                        },
                        "except": {
                            "description": "Prefixes inside of it that are not meant.",
                            "type": "array",
                            "maxItems": 16,
                            "x-kubernetes-list-type": "atomic",
                            "items": { "type": "string", "maxLength": 43 },
                        },
                    },
                },
            },
        },
    })
}

/// A status' conditions, by type.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "description": "One thing that holds or does not.",
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "description": "What it is about, such as Ready.",
                    "type": "string", "minLength": 1, "maxLength": 316,
                },
                "status": {
                    "description": "Whether it holds.",
                    "type": "string", "enum": ["True", "False", "Unknown"],
                },
                "observedGeneration": {
                    "description": "The generation of the object that it speaks of.",
                    "type": "integer", "format": "int64", "minimum": 0, "maximum": 9_007_199_254_740_991_u64,
                },
                "lastTransitionTime": {
                    "description": "Since when the status is what it is.",
                    "type": "string", "format": "date-time", "maxLength": 64,
                },
                "reason": {
                    "description": "Why, in one word for programs.",
                    "type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": {
                    "description": "Why, for people.",
                    "type": "string", "maxLength": 32_768,
                },
            },
        },
    })
}
