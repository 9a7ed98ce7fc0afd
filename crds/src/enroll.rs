//! How a pod gets its certificate: one request to the operator, over TLS, with the pod's own token.
//!
//! `POST /v1/enroll` with `Authorization: Bearer TOKEN` (a projected ServiceAccount token for [`AUDIENCE`]) and an
//! [`EnrollRequest`]; 200 with an [`EnrollAnswer`], or an RFC 9457 problem.

use serde::{Deserialize, Serialize};

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
    /// The roots to trust, as PEM.
    pub bundle: String,
}
