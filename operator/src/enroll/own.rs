//! The operator's own certificate, and what it connects and answers with.

use std::sync::Arc;

use crds::identity::Identity;
use jiff::Timestamp;
use rcgen::KeyPair;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::certificate::{SignError, issue};
use super::rotation::{Policy, State};

/// TLS as of now; replaced as a whole.
#[derive(Clone, Debug)]
pub(super) struct Own {
    /// Answers on the enrolment port.
    pub(super) server: Arc<ServerConfig>,
    /// Asks aggregators.
    pub(super) client: ClientConfig,
    /// When to make the next one.
    pub(super) renew_at: Timestamp,
    root: String,
    bundle: String,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    /// It cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// What was signed cannot be used.
    #[error("the operator's own certificate cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// A root of the bundle cannot be read back.
    #[error("the bundle cannot be read: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
}

impl Own {
    /// Makes a key and a certificate for the names under which the enrolment port is reached.
    ///
    /// # Errors
    /// When the root has ended.
    pub(super) fn new(
        state: &State,
        names: &[String],
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Self, OwnError> {
        let key = KeyPair::generate().map_err(SignError::from)?;
        let (leaf, until) = issue(&state.signer, &key, (&Identity::Operator, names), policy, now)?;
        let chain = vec![CertificateDer::from_pem_slice(leaf.as_bytes())?];
        let key = || PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let bundle = state.bundle();
        let roots = roots(&bundle.pem)?;
        let provider = Arc::new(ring::default_provider());
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain.clone(), key())?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key())?;
        // At a third, as every program does: two thirds are left for a cluster that is not well.
        let renew_at = now + until.duration_since(now) / 3;
        let root = state.signer.root.certificate.clone();
        Ok(Self { server: Arc::new(server), client, renew_at, root, bundle: bundle.hash })
    }

    /// Whether another one is needed: the roots are others, its own is trusted no more, or it is time.
    pub(super) fn is_stale(&self, state: &State, now: Timestamp) -> bool {
        let bundle = state.bundle();
        now >= self.renew_at || bundle.hash != self.bundle || !bundle.pem.contains(&self.root)
    }
}

fn roots(bundle: &str) -> Result<RootCertStore, OwnError> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        store.add(certificate?)?;
    }
    Ok(store)
}
