//! What the operator does for certificates, as `crds::enroll` says it: a token in, a certificate out.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use collector::telemetry::Health;
use collector::tls::{Current, Enrollment, Expected};
use crds::enroll::{self, EnrollAnswer, EnrollRequest, PATH};
use crds::identity::Identity;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, SanType,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(crate) const COLLECTOR: &str = "net/zone1";

/// A root with its key.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }
}

/// An enrolment port on loopback, with the folder in which pods find their roots and tokens.
pub(crate) struct Operator {
    pub(crate) url: String,
    pub(crate) issued: AtomicU64,
    folder: tempfile::TempDir,
    signing: Mutex<Authority>,
    lifetime: Duration,
}

impl Operator {
    /// Gives certificates of `lifetime`.
    pub(crate) async fn start(lifetime: Duration) -> Arc<Self> {
        collector::cryptography::provide();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let operator = Arc::new(Self {
            url: format!("https://localhost:{}", listener.local_addr().unwrap().port()),
            issued: AtomicU64::new(0),
            folder: tempfile::tempdir().unwrap(),
            signing: Mutex::new(Authority::new()),
            lifetime,
        });
        operator.publish(&[&operator.root()]);
        let serving = Arc::clone(&operator);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(Arc::clone(&serving).serve(stream));
            }
        });
        operator
    }

    /// The root that signs now.
    pub(crate) fn root(&self) -> String {
        self.signing.lock().unwrap().pem.clone()
    }

    /// Another root signs from now on.
    pub(crate) fn sign_with(&self, authority: Authority) {
        *self.signing.lock().unwrap() = authority;
    }

    /// What pods find as trusted roots. Returns its hash.
    pub(crate) fn publish(&self, roots: &[&str]) -> String {
        let (file, text) = (self.roots(), roots.concat());
        std::fs::write(file.with_extension("new"), &text).unwrap();
        std::fs::rename(file.with_extension("new"), file).unwrap();
        enroll::hash(&text)
    }

    pub(crate) fn roots(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// A pod's way to its certificate; its token says who it is.
    pub(crate) fn enrollment(&self, identity: &Identity, expected: Expected) -> Enrollment {
        let token = self.folder.path().join(identity.to_string().replace('/', "_"));
        std::fs::write(&token, format!("{identity}\n")).unwrap();
        Enrollment { url: self.url.clone(), token, roots: self.roots(), expected }
    }

    /// Credentials of an edge, once they are there.
    pub(crate) async fn edge(&self, collector: &str, node: &str) -> Current {
        let (collector, node) = (collector.to_owned(), node.to_owned());
        let identity =
            Identity::Edge { collector: collector.clone(), node: node.clone(), pod: "pod-e".into() };
        self.enrolled(&identity, Expected::Edge { collector, node }).await
    }

    /// Credentials of the aggregator, once they are there.
    pub(crate) async fn aggregator(&self) -> Current {
        let collector = COLLECTOR.to_owned();
        let identity = Identity::Aggregator { collector: collector.clone(), pod: "pod-a".into() };
        self.enrolled(&identity, Expected::Aggregator { collector }).await
    }

    async fn enrolled(&self, identity: &Identity, expected: Expected) -> Current {
        let mut current = self.enrollment(identity, expected).follow(Health::default());
        let wait = tokio::time::timeout(Duration::from_secs(20), current.wait_for(Option::is_some));
        wait.await.expect("a certificate comes").unwrap();
        current
    }

    /// A key with a certificate of the authority that signs now.
    pub(crate) fn certificate(&self, identity: &Identity) -> (String, PrivatePkcs8KeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let signing = self.signing.lock().unwrap();
        let made =
            named(CertificateParams::default(), identity, self.lifetime).signed_by(&key, &signing.issuer);
        (made.unwrap().pem(), PrivatePkcs8KeyDer::from(key.serialize_der()))
    }

    async fn serve(self: Arc<Self>, stream: tokio::net::TcpStream) {
        let (pem, key) = self.certificate(&Identity::Operator);
        let chain = vec![pem_of(&pem)];
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = config.with_single_cert(chain, PrivateKeyDer::Pkcs8(key)).unwrap();
        let Ok(stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return };
        let service = hyper::service::service_fn(move |request| {
            let operator = Arc::clone(&self);
            async move { Ok::<_, Infallible>(operator.answer(request).await) }
        });
        drop(Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        assert_eq!(request.uri().path(), PATH);
        let token =
            request.headers()["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
        let Ok(identity) = token.parse::<Identity>() else {
            let mut refused = Response::new(Full::new("no pod has this token".into()));
            *refused.status_mut() = StatusCode::UNAUTHORIZED;
            return refused;
        };
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let asked: EnrollRequest = serde_json::from_slice(&body).unwrap();
        let mut csr = CertificateSigningRequestParams::from_pem(&asked.csr).unwrap();
        csr.params = named(csr.params, &identity, self.lifetime);
        let signing = self.signing.lock().unwrap();
        let chain = csr.signed_by(&signing.issuer).unwrap().pem();
        self.issued.fetch_add(1, Ordering::SeqCst);
        let bundle = std::fs::read_to_string(self.roots()).unwrap();
        let answer = EnrollAnswer { chain, bundle, root: enroll::hash(&signing.pem) };
        Response::new(Full::new(serde_json::to_vec(&answer).unwrap().into()))
    }
}

fn named(mut params: CertificateParams, identity: &Identity, lifetime: Duration) -> CertificateParams {
    params.not_before = (SystemTime::now() - Duration::from_secs(300)).into();
    params.not_after = (SystemTime::now() + lifetime).into();
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = vec![SanType::URI(identity.to_string().try_into().unwrap())];
    if !matches!(identity, Identity::Edge { .. }) {
        params.subject_alt_names.push(SanType::DnsName("localhost".try_into().unwrap()));
    }
    params
}

pub(crate) fn pem_of(pem: &str) -> CertificateDer<'static> {
    use rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}
