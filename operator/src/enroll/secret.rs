//! The authority's state as the Secret `weir-ca` holds it.
//!
//! | key | what |
//! |---|---|
//! | `ca.crt` | all roots to trust, for people; never read |
//! | `signing.crt`, `signing.key` | the root that signs |
//! | `next.crt`, `next.key` | the root to come, while it is being published |
//! | `previous.crt` | the root to go, while certificates of it live |
//! | `state.json` | [`Written`] |

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use serde::{Deserialize, Serialize};

use super::certificate::{RootError, read_root, read_signer};
use super::rotation::{Phase, State};

/// The keys and values of the Secret.
pub(super) type Data = BTreeMap<String, ByteString>;

/// What `state.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    /// Of this form.
    version: u32,
    phase: PhaseName,
    /// When the phase began (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// Longest lifetime of a certificate of the root that signs.
    signing_leaf_seconds: u64,
    /// The same of the root to come or to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    other_leaf_seconds: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum PhaseName {
    Steady,
    Publishing,
    Retiring,
}

/// Why the Secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A key is not there, or no text.
    #[error("key {0}: missing, or not text")]
    Missing(&'static str),
    /// A certificate or key cannot be used.
    #[error("key {0}: {1}")]
    Root(&'static str, RootError),
    /// `state.json` cannot be read.
    #[error("key state.json: {0}")]
    State(String),
    /// A newer operator wrote it.
    #[error("key state.json: version {0} is of a newer operator; this one reads version {VERSION}")]
    Newer(u32),
}

const VERSION: u32 = 1;
const STATE: &str = "state.json";

/// The Secret's data for a state.
pub(super) fn write(state: &State) -> Data {
    let mut data = Data::new();
    let mut put = |key: &str, text: &str| data.insert(key.to_owned(), ByteString(text.as_bytes().to_vec()));
    put("ca.crt", &state.bundle().pem);
    put("signing.crt", &state.signer.root.certificate);
    put("signing.key", &state.signer.key);
    let (phase, since, other) = match &state.phase {
        Phase::Steady => (PhaseName::Steady, None, None),
        Phase::Publishing { next, since } => {
            put("next.crt", &next.root.certificate);
            put("next.key", &next.key);
            (PhaseName::Publishing, Some(since), Some(next.root.longest_leaf))
        }
        Phase::Retiring { previous, since } => {
            put("previous.crt", &previous.certificate);
            (PhaseName::Retiring, Some(since), Some(previous.longest_leaf))
        }
    };
    let written = Written {
        version: VERSION,
        phase,
        since: since.map(ToString::to_string),
        signing_leaf_seconds: seconds(state.signer.root.longest_leaf),
        other_leaf_seconds: other.map(seconds),
    };
    put(STATE, &serde_json::to_string(&written).expect("numbers and texts become JSON"));
    data
}

/// Rounded up: a promise that shrinks would be made again and again.
fn seconds(lifetime: Duration) -> u64 {
    lifetime.as_secs() + u64::from(lifetime.subsec_nanos() > 0)
}

/// The state that a Secret's data holds.
///
/// # Errors
/// Names the key and what is wrong with it.
pub(super) fn read(data: &Data) -> Result<State, SecretError> {
    let written = read_written(&text(data, STATE)?)?;
    let leaf = Duration::from_secs(written.signing_leaf_seconds);
    let signer = read_signer(text(data, "signing.crt")?, text(data, "signing.key")?, leaf)
        .map_err(|e| SecretError::Root("signing.crt, signing.key", e))?;
    let other =
        || written.other_leaf_seconds.map(Duration::from_secs).ok_or_else(|| lacks("otherLeafSeconds"));
    let phase = match written.phase {
        PhaseName::Steady => Phase::Steady,
        PhaseName::Publishing => {
            let next = read_signer(text(data, "next.crt")?, text(data, "next.key")?, other()?)
                .map_err(|e| SecretError::Root("next.crt, next.key", e))?;
            Phase::Publishing { next: Box::new(next), since: since(&written)? }
        }
        PhaseName::Retiring => {
            let previous = read_root(text(data, "previous.crt")?, other()?)
                .map_err(|e| SecretError::Root("previous.crt", e))?;
            Phase::Retiring { previous, since: since(&written)? }
        }
    };
    Ok(State { signer, phase })
}

fn read_written(text: &str) -> Result<Written, SecretError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let state = |error: serde_json::Error| SecretError::State(error.to_string());
    let Version { version } = serde_json::from_str(text).map_err(state)?;
    if version > VERSION {
        return Err(SecretError::Newer(version));
    }
    serde_json::from_str(text).map_err(state)
}

fn since(written: &Written) -> Result<Timestamp, SecretError> {
    let since = written.since.as_deref().ok_or_else(|| lacks("since"))?;
    since.parse().map_err(|error| SecretError::State(format!("since {since:?}: {error}")))
}

fn lacks(field: &str) -> SecretError {
    SecretError::State(format!("{field} is missing"))
}

fn text(data: &Data, key: &'static str) -> Result<String, SecretError> {
    let bytes = data.get(key).ok_or(SecretError::Missing(key))?;
    String::from_utf8(bytes.0.clone()).map_err(|_| SecretError::Missing(key))
}

#[cfg(test)]
mod tests;
