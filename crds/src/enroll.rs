//! How a pod gets its certificate: one request to the operator, over TLS, with the pod's own token.
//!
//! `POST /v1/enroll` with `Authorization: Bearer TOKEN` (a projected ServiceAccount token for [`AUDIENCE`]) and an
//! [`EnrollRequest`]; 200 with an [`EnrollAnswer`], or an RFC 9457 problem.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// For whom the token is.
pub const AUDIENCE: &str = "weir-enroll";
/// Where the operator takes requests.
pub const PORT: u16 = 8472;
/// The path of a request.
pub const PATH: &str = "/v1/enroll";
/// No request is larger.
pub const REQUEST_BYTES: usize = 16 << 10;

/// A request for a certificate. The names in it are ignored: who asks is read from the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnrollRequest {
    /// PKCS #10 (RFC 2986) as PEM, signed by the key that the pod keeps in memory.
    pub csr: String,
}

/// The certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrollAnswer {
    /// The certificate and what lies between it and the root, as PEM.
    pub chain: String,
    /// The roots to trust, as PEM; the text that the ConfigMap `COLLECTOR-ca` carries.
    pub bundle: String,
    /// Hash of the root that the certificate chains to, for [`crate::fleet::Running::root`].
    pub root: String,
}

/// What [`crate::fleet::Running`] calls trusted roots by: XXH3-64 over the PEM as it was received, as hexadecimal digits.
pub fn hash(pem: &str) -> String {
    format!("{:016x}", xxh3_64(pem.as_bytes()))
}
