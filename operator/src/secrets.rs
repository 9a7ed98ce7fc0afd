//! The Secrets that targets name: read one by one, with the smallest right, and only those that say that they are
//! meant for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt};
use tokio::time::Instant;

/// The label that lets a Secret be read, and its value.
pub const USE: (&str, &str) = ("weir.dev/use", "export-target");
/// A Secret is asked for again after so long: the operator has no right to watch it.
pub const FRESH: Duration = Duration::from_secs(30);

/// What a Secret holds.
pub type Data = BTreeMap<String, ByteString>;

/// Why a Secret gives nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is none.
    #[error(
        "there is no Secret {0} in the target's namespace; create it, with the label weir.dev/use: export-target"
    )]
    Missing(String),
    /// It is not meant for this.
    #[error(
        "Secret {0} is not labeled weir.dev/use: export-target; label it so if export targets may use it"
    )]
    Unlabeled(String),
    /// It lacks a key.
    #[error("Secret {secret} has no key {key:?}; it has {held}")]
    NoKey {
        /// The Secret.
        secret: String,
        /// The key that is named.
        key: String,
        /// Those that are there.
        held: String,
    },
    /// The API server cannot be asked.
    #[error("Secret {0} cannot be read: {1}")]
    Away(String, String),
}

impl SecretError {
    /// CamelCase, for conditions.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing(_) => "SecretMissing",
            Self::Unlabeled(_) => "SecretNotLabeled",
            Self::NoKey { .. } => "SecretKeyMissing",
            Self::Away(..) => "SecretNotReadable",
        }
    }
}

type Read = (Instant, Result<Data, SecretError>);

/// Reads Secrets, and remembers them for a while. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Arc<Mutex<BTreeMap<(String, String), Read>>>);

impl Secrets {
    /// The value of a key.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn key(
        &self,
        client: &Client,
        (namespace, name): (&str, &str),
        key: &str,
    ) -> Result<ByteString, SecretError> {
        let data = self.data(client, namespace, name).await?;
        data.get(key).cloned().ok_or_else(|| SecretError::NoKey {
            secret: name.to_owned(),
            key: key.to_owned(),
            held: data.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        })
    }

    async fn data(&self, client: &Client, namespace: &str, name: &str) -> Result<Data, SecretError> {
        let place = (namespace.to_owned(), name.to_owned());
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        match known {
            Some((at, Ok(data))) if at.elapsed() < FRESH => return Ok(data),
            _ => {}
        }
        let read = read(client, namespace, name).await;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A silent API server must not stop what runs.
        if let (Err(SecretError::Away(..)), Some((_, Ok(data)))) = (&read, all.get(&place)) {
            return Ok(data.clone());
        }
        all.retain(|_, (at, _)| at.elapsed() < 10 * FRESH);
        all.insert(place, (Instant::now(), read.clone()));
        read
    }
}

async fn read(client: &Client, namespace: &str, name: &str) -> Result<Data, SecretError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = match api.get_opt(name).await {
        Ok(Some(secret)) => secret,
        Ok(None) => return Err(SecretError::Missing(name.to_owned())),
        Err(error) => return Err(SecretError::Away(name.to_owned(), error.to_string())),
    };
    match secret.labels().get(USE.0) {
        Some(value) if value == USE.1 => Ok(secret.data.unwrap_or_default()),
        _ => Err(SecretError::Unlabeled(name.to_owned())),
    }
}
