//! Export targets as edges read them. Secret values never stand here: only the names of the files that hold them.

use serde::{Deserialize, Serialize};

use crate::target::{Compression, Format, Key, Mechanism};

/// Where an edge finds the files that [`SecretFile`] names, unless it is told otherwise.
pub const SECRETS_FOLDER: &str = "/etc/weir/targets";

/// One export target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetConfig {
    /// `namespace/name`.
    pub name: String,
    /// What goes where.
    pub export: ExportConfig,
}

/// What goes where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ExportConfig {
    /// Datagrams as they came.
    Replicate(ReplicateConfig),
    /// Flows to a topic of Apache Kafka.
    Kafka(KafkaConfig),
}

/// Each received datagram to other collectors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplicateConfig {
    /// Each gets every datagram.
    pub destinations: Vec<DestinationConfig>,
    /// Names of sources; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Names of listeners; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<String>,
    /// One of so many datagrams of each source; at least 1.
    pub one_in: u32,
    /// Whether `weir relay` sends them, with the exporter's address.
    #[serde(default)]
    pub preserve_source: bool,
}

/// Where datagrams go.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DestinationConfig {
    /// An address or a host name.
    pub address: String,
    /// The UDP port.
    pub port: u16,
}

/// The flows of channels to a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KafkaConfig {
    /// `host:port`.
    pub brokers: Vec<String>,
    /// The topic.
    pub topic: String,
    /// Whose flows.
    pub flows: Vec<FlowsConfig>,
    /// How a flow is written.
    pub format: Format,
    /// What chooses the partition.
    pub key: Key,
    /// How batches are compressed.
    pub compression: Compression,
    /// TLS to the brokers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    /// Who the edges say they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sasl: Option<SaslConfig>,
}

/// The flows of one profile's channels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FlowsConfig {
    /// `namespace/name` of the profile; one that does not run gives no flows.
    pub profile: String,
    /// Names of channels; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
}

/// TLS with files below the folder of secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsConfig {
    /// Trusted roots; none: the machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<SecretFile>,
    /// The client's certificate chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<SecretFile>,
    /// Its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretFile>,
}

/// SASL with a password in a file below the folder of secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SaslConfig {
    /// How the password is proved.
    pub mechanism: Mechanism,
    /// The user.
    pub username: String,
    /// The password.
    pub password: SecretFile,
}

/// The name of a file below the folder of secrets, and the key of the collector's own Secret:
/// `namespace.secret.key`. Neither of the first two has a dot: no two references give the same name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretFile(pub String);

impl SecretFile {
    /// The file for a key of a Secret.
    pub fn new(namespace: &str, secret: &str, key: &str) -> Self {
        Self(format!("{namespace}.{secret}.{key}"))
    }
}
