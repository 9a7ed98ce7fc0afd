//! Limits and rules that both kinds share.

use schemars::{Schema, SchemaGenerator, json_schema};

/// Channels of one profile.
pub const CHANNELS_PER_PROFILE: usize = 128;
/// Channels of all profiles of one collector.
pub const CHANNELS_PER_COLLECTOR: usize = 2_000;
/// Export targets of one collector.
pub const TARGETS_PER_COLLECTOR: usize = 32;
/// Bytes of one filter.
pub const FILTER_BYTES: usize = 16 << 10;
/// Bytes of one profile, rendered.
pub const RENDERED_PROFILE_BYTES: usize = 256 << 10;

/// CEL: what an object may be called. Names become parts of other objects' names, hence the narrow form.
pub(crate) const NAME_RULE: &str = "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')";
/// CEL: how long an object's name may be.
pub(crate) const NAME_LENGTH_RULE: &str = "size(self.metadata.name) <= 40";

/// Kubernetes' label selector, with limits.
pub(crate) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "Which FlowProfiles of this namespace run here, by label. Absent: all of them. A profile with a collectorRef follows that instead.",
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "description": "Labels that must all have these values.",
                "type": "object",
                "maxProperties": 32,
                "additionalProperties": { "type": "string", "maxLength": 63 },
            },
            "matchExpressions": {
                "description": "Conditions that must all hold.",
                "type": "array",
                "maxItems": 32,
                "x-kubernetes-list-type": "atomic",
                "items": {
                    "description": "A condition on one label.",
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {
                            "description": "The label.",
                            "type": "string", "minLength": 1, "maxLength": 317,
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
                            "items": { "type": "string", "maxLength": 63 },
                        },
                    },
                },
            },
        },
    })
}
