//! Who a certificate speaks for, and until when.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crds::identity::{Identity, NoIdentity};
use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Why a certificate is none of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// Not an X.509 certificate.
    #[error("the certificate cannot be read: {0}")]
    Form(String),
    /// No URI among its alternative names, or several.
    #[error("the certificate has {0} URIs where one tells whose it is")]
    Uris(usize),
    /// A URI that names nobody.
    #[error("the certificate's {0}")]
    Nobody(#[from] NoIdentity),
}

/// The other end of a connection, by the certificate that it showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who it is.
    pub identity: Identity,
    /// When the certificate ends.
    pub expires: SystemTime,
}

impl Peer {
    /// Reads a certificate that was verified before.
    ///
    /// # Errors
    /// When it does not say whose it is.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, PeerError> {
        let form = |reason: String| PeerError::Form(reason);
        let (_, read) = X509Certificate::from_der(certificate).map_err(|error| form(error.to_string()))?;
        let names = read.subject_alternative_name().map_err(|error| form(error.to_string()))?;
        let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
        let uris: Vec<&str> = names
            .iter()
            .filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None })
            .collect();
        let [uri] = uris[..] else { return Err(PeerError::Uris(uris.len())) };
        let seconds = u64::try_from(read.validity().not_after.timestamp()).unwrap_or_default();
        Ok(Self { identity: uri.parse()?, expires: UNIX_EPOCH + Duration::from_secs(seconds) })
    }
}
