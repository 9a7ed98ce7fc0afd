//! What profiles of a namespace may see and use.

#![allow(unreachable_pub, reason = "KubeSchema's derive repeats the types inside a function")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the profiles of one namespace may see and use.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// The namespace. An entry selects nothing: profileNamespaceSelector says whose profiles run here.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub namespace: String,

    /// A filter of at most 16 KiB that every flow must pass which a channel of this namespace counts: it is joined to
    /// each channel's filter with `and`. Absent: every flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16384))]
    pub scope: Option<String>,

    /// Names of the sources that channels of this namespace may name; a channel that names none counts these alone.
    /// Absent: all, and the exporters that no source matches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub sources: Vec<String>,

    /// How much its profiles may take of the collector. Absent: as much as there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<TenantLimits>,
}

/// How much the profiles of one namespace may take of the collector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantLimits {
    /// Channels of all its profiles together. The oldest profiles come first; one that does not fit any more is not
    /// accepted. Absent: the collector's 2000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2000), extend("format" = "int32"))]
    pub channels: Option<u32>,
}
