//! What a program shows, whom it trusts, and what connections are made of it.

use std::sync::Arc;
use std::time::SystemTime;

use crds::enroll;
use crds::fleet::Running;
use crds::identity::Identity;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig, version};

use super::peer::{Peer, PeerError};

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Not what PEM is.
    #[error("{what} cannot be read as PEM: {reason}")]
    Pem {
        /// The roots or the chain.
        what: &'static str,
        /// What does not fit.
        reason: String,
    },
    /// There is no certificate in it.
    #[error("{0} has no certificate")]
    Empty(&'static str),
    /// The leaf does not say whose it is.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The TLS library refuses them.
    #[error("the certificates cannot be used: {0}")]
    Tls(String),
}

impl From<rustls::Error> for CredentialsError {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(error.to_string())
    }
}

/// A certificate with its key.
#[derive(Debug)]
pub struct Issued {
    /// The certificate and what lies between it and the root, as PEM.
    pub chain: String,
    /// PKCS #8.
    pub key: PrivatePkcs8KeyDer<'static>,
    /// The root by hash.
    pub root: String,
}

/// Everything that connections need.
#[derive(Debug)]
pub struct Credentials {
    /// Who this program is.
    pub identity: Identity,
    /// The trusted roots by hash.
    pub bundle: String,
    /// The root of its certificate by hash.
    pub root: String,
    /// When its certificate ends.
    pub expires: SystemTime,
    client: ClientConfig,
    ingest: Arc<ServerConfig>,
    api: Arc<ServerConfig>,
}

impl Credentials {
    /// Of a certificate and the text of a roots file.
    ///
    /// # Errors
    /// When one of them cannot be read, or they are no certificates of ours.
    pub fn new(issued: &Issued, roots: &str) -> Result<Self, CredentialsError> {
        let chain = certificates("the chain", &issued.chain)?;
        let leaf = chain.first().ok_or(CredentialsError::Empty("the chain"))?;
        let Peer { identity, expires } = Peer::of(leaf)?;
        let trusted = Arc::new(trusted(roots)?);
        let key = || PrivateKeyDer::Pkcs8(issued.key.clone_key());
        let own =
            ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&version::TLS13])?;
        let own = own.with_root_certificates(Arc::clone(&trusted));
        let mut client = own.with_client_auth_cert(chain.clone(), key())?;
        client.alpn_protocols = vec![b"h2".to_vec()];
        // A resumed session would go on with a certificate that is over, or a root that is no longer trusted.
        client.resumption = Resumption::disabled();
        let verifier = WebPkiClientVerifier::builder_with_provider(trusted, provider()).build();
        let verifier = verifier.map_err(|error| CredentialsError::Tls(error.to_string()))?;
        let ingest =
            ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&version::TLS13])?;
        let mut ingest = ingest.with_client_cert_verifier(verifier).with_single_cert(chain.clone(), key())?;
        ingest.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        ingest.session_storage = Arc::new(NoServerSessionStorage {});
        ingest.send_tls13_tickets = 0;
        Ok(Self {
            identity,
            bundle: enroll::hash(roots),
            root: issued.root.clone(),
            expires,
            client,
            ingest: Arc::new(ingest),
            api: Arc::new(for_api(chain, key())?),
        })
    }

    /// Says in a report who this is and whom it trusts; returns whether that is new.
    pub fn name(&self, running: &mut Running) -> bool {
        let pod = match &self.identity {
            Identity::Edge { pod, .. } | Identity::Aggregator { pod, .. } => pod.clone(),
            Identity::Operator => String::new(),
        };
        let (bundle, root) = (self.bundle.clone(), self.root.clone());
        let named = Running { pod, bundle, root, ..running.clone() };
        let new = named != *running;
        *running = named;
        new
    }

    /// For connections to another of our programs.
    pub fn client(&self) -> ClientConfig {
        self.client.clone()
    }

    /// For the port on which our programs deliver: they must show a certificate.
    pub(super) fn ingest(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.ingest)
    }

    /// For the port on which people ask: they show a token instead.
    pub(super) fn api(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.api)
    }
}

/// For the first request, that shows no certificate.
pub(super) fn without_certificate(roots: &str) -> Result<ClientConfig, CredentialsError> {
    let client = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(client.with_root_certificates(Arc::new(trusted(roots)?)).with_no_client_auth())
}

/// A certificate that nobody trusts: with it, a kubelet's probe is answered before the operator was reached.
pub(super) fn stopgap() -> Result<ServerConfig, CredentialsError> {
    let failed = |error: rcgen::Error| CredentialsError::Tls(error.to_string());
    let made = rcgen::generate_simple_self_signed(Vec::new()).map_err(failed)?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    for_api(vec![made.cert.der().clone()], key.into())
}

fn for_api(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, CredentialsError> {
    let api = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut api = api.with_no_client_auth().with_single_cert(chain, key)?;
    api.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(api)
}

fn trusted(roots: &str) -> Result<RootCertStore, CredentialsError> {
    let mut store = RootCertStore::empty();
    for root in certificates("the trusted roots", roots)? {
        store.add(root)?;
    }
    if store.is_empty() { Err(CredentialsError::Empty("the trusted roots")) } else { Ok(store) }
}

fn certificates(what: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    all.map_err(|error| CredentialsError::Pem { what, reason: error.to_string() })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
