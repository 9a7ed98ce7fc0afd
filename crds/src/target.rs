//! ExportTarget: where data goes beside the aggregator.
//!
//! No field has a default in the schema: what is absent is said in the field's text and filled in by
//! [`crate::config::check_target`].

#![allow(unreachable_pub, reason = "KubeSchema's derive repeats the types inside a function")]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::{NAME_LENGTH_RULE, NAME_RULE};
use crate::profile::CollectorRef;
use crate::status::ExportTargetStatus;

/// Sends what edges receive to somewhere else: datagrams as they came, or the flows of chosen channels.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "weir.dev",
    version = "v1alpha1",
    kind = "ExportTarget",
    plural = "exporttargets",
    shortname = "wet",
    category = "weir",
    namespaced,
    status = "ExportTargetStatus",
    selectable = ".spec.collectorRef.name",
    selectable = ".spec.type",
    cel,
    derive = "Default",
    derive = "PartialEq",
    doc = "An ExportTarget sends what the edges receive to somewhere else: each datagram as it came, or the flows of chosen channels. A target that is down never delays collection.",
    validation = Rule::new(NAME_RULE).message("metadata.name must be lower case letters, digits and dashes, and start with a letter: old-collector"),
    validation = Rule::new(NAME_LENGTH_RULE).message("metadata.name must have at most 40 characters"),
    validation = Rule::new("has(self.spec.replicate) == (self.spec.type == 'Replicate') && has(self.spec.kafka) == (self.spec.type == 'Kafka')").message("exactly the field of the type must be set: replicate for Replicate, kafka for Kafka"),
    printcolumn(json_path = ".status.conditions[?(@.type==\"Ready\")].status", name = "Ready", type_ = "string", description = "Whether data goes there as written."),
    printcolumn(json_path = ".spec.type", name = "Type", type_ = "string", description = "What kind of target this is."),
    printcolumn(json_path = ".status.columns.delivering", name = "Delivering", type_ = "string", description = "Nodes from which the target takes data, and all."),
    printcolumn(json_path = ".metadata.creationTimestamp", name = "Age", type_ = "date", description = "Since when this object is there."),
    printcolumn(json_path = ".status.columns.collector", name = "Collector", type_ = "string", priority = 1, description = "The FlowCollector whose edges send."),
    printcolumn(json_path = ".status.columns.message", name = "Message", type_ = "string", priority = 1, description = "What is most urgent.")
)]
#[serde(rename_all = "camelCase")]
pub struct ExportTargetSpec {
    /// What kind of target this is: Replicate or Kafka. The field of that name must be set, and no other.
    #[serde(rename = "type")]
    pub target_type: TargetType,

    /// The FlowCollector whose edges export to this target. Absent: every one whose targetSelector matches. Either way
    /// the collector says, by its targetNamespaceSelector, to whose targets it exports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collector_ref: Option<CollectorRef>,

    /// Whether nothing is exported for now. Absent: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,

    /// Each received datagram, unchanged, to other collectors; only from the FlowCollector's own namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicate: Option<Replicate>,

    /// The flows of chosen channels to a topic of Apache Kafka.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kafka: Option<Kafka>,
}

/// A kind of target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TargetType {
    /// Datagrams as they came.
    #[default]
    Replicate,
    /// Flows to a topic of Apache Kafka.
    Kafka,
}

impl TargetType {
    /// As written in YAML.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Replicate => "Replicate",
            Self::Kafka => "Kafka",
        }
    }
}

/// Each datagram that a UDP listener receives, unchanged, to other collectors.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replicate {
    /// Where every datagram goes, to each of them once.
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["address".into(), "port".into()]))]
    pub destinations: Vec<Destination>,

    /// Names of the FlowCollector's sources whose datagrams are sent. Absent: all, also those of exporters without a
    /// name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub sources: Vec<String>,

    /// Names of the FlowCollector's listeners whose datagrams are sent. Absent: all that listen on UDP.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 15)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub listeners: Vec<String>,

    /// One of so many datagrams of each source is sent, the first of each such group. Datagrams with templates are
    /// left out like others: use it for NetFlow v5 and sFlow. Absent: 1, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000), extend("format" = "int32"))]
    pub one_in: Option<u32>,

    /// Whether datagrams carry the exporter's address and port as their source, as if it had sent them itself. This
    /// needs a raw socket, which `weir relay` holds; in a cluster it runs beside the edge where the exposure is
    /// HostNetwork. Absent: false, datagrams come from the edge's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preserve_source: Option<bool>,
}

/// A collector that datagrams are sent to.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    /// Its address (192.0.2.10, 2001:db8::10) or host name, which each edge resolves by itself, again every minute.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[A-Za-z0-9:]([-A-Za-z0-9.:]*[A-Za-z0-9:])?$"))]
    pub address: String,

    /// Its UDP port.
    #[schemars(range(min = 1, max = 65535), extend("format" = "int32"))]
    pub port: u16,
}

/// Flows as messages of a topic, one each. Messages are written idempotently and acknowledged by all in-sync
/// replicas: a broker that fails makes none come twice.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kafka {
    /// Brokers to begin with, as host:port; the others are learned from them.
    #[schemars(
        length(min = 1, max = 16),
        inner(
            length(min = 3, max = 261),
            regex(pattern = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?):[0-9]{1,5}$")
        )
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub brokers: Vec<String>,

    /// The topic, which must exist unless the brokers make topics by themselves.
    #[schemars(length(min = 1, max = 249), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    pub topic: String,

    /// Whose flows are sent: those of channels of profiles that run on the FlowCollector. A flow is sent once,
    /// however many of them it belongs to.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["profile".into()]))]
    pub flows: Vec<ProfileFlows>,

    /// How a flow is written: JSON (an object with the columns of docs/fields.md) or GoFlow2Protobuf (GoFlow2's
    /// FlowMessage with its length in front, as GoFlow2 itself writes it). Absent: JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,

    /// The messages' key, which chooses the partition: Exporter (its address as text, so that the flows of an exporter
    /// stay in order) or None. Absent: Exporter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,

    /// How batches of messages are compressed. Absent: Zstd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,

    /// TLS to the brokers. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TargetTls>,

    /// How the edges say who they are. Absent: they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sasl: Option<Sasl>,
}

/// The flows of one profile's channels.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileFlows {
    /// The FlowProfile: a name in the target's namespace, or namespace/name. Other namespaces can be named only from
    /// the FlowCollector's own.
    #[schemars(
        length(min = 1, max = 104),
        regex(pattern = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub profile: String,

    /// Names of its channels. Absent: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub channels: Vec<String>,
}

/// How a flow is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// An object with the columns of docs/fields.md.
    #[default]
    #[serde(rename = "JSON")]
    Json,
    /// The message FlowMessage of GoFlow2.
    GoFlow2Protobuf,
}

/// What chooses a message's partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Key {
    /// The exporter's address.
    #[default]
    Exporter,
    /// Nothing: messages are spread.
    None,
}

/// How batches of messages are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4.
    #[serde(rename = "LZ4")]
    Lz4,
    /// Zstandard.
    #[default]
    Zstd,
}

impl Compression {
    /// librdkafka's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// TLS to a target, whose name is always checked.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetTls {
    /// The roots that the target's certificate must chain to (PEM). Absent: those of the edge's image or machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_ref: Option<SecretKeyRef>,

    /// The certificate that the edges show: a Secret of type kubernetes.io/tls. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate_ref: Option<SecretRef>,
}

/// Authentication by SASL.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sasl {
    /// How the password is proved. PLAIN sends it, and needs tls.
    pub mechanism: Mechanism,

    /// The user.
    #[schemars(length(min = 1, max = 255))]
    pub username: String,

    /// The password, without a line's end. A changed one is used within a minute.
    pub password_ref: SecretKeyRef,
}

/// How a password is proved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Mechanism {
    /// RFC 4616.
    #[serde(rename = "PLAIN")]
    Plain,
    /// RFC 7677.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// The same with SHA-512.
    #[default]
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl Mechanism {
    /// As written in YAML and as SASL calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// A key of a Secret in the target's namespace that is labeled `weir.dev/use: export-target`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,

    /// The key in it.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// A Secret in the target's namespace that is labeled `weir.dev/use: export-target`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
}
