//! The port as a client meets it: real TLS over a real socket.

use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::super::authority::tests::alone;
use super::super::outcome::{Outcome, Outcomes};
use super::*;

const NAME: &str = "weir-operator-enroll.weir-system.svc";

struct Port {
    address: SocketAddr,
    roots: String,
    outcomes: Outcomes,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Port {
    async fn open() -> Self {
        let (authority, client) = alone();
        let roots = authority.bundle().borrow().pem.clone();
        let outcomes = Outcomes::default();
        let desk = Desk::new(authority, client, Arc::new(|_, _| None), outcomes.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(listener, desk, async { drop(stopped.await) }));
        Self { address, roots, outcomes, stop, served }
    }

    /// The answer's head and body to one request, or why there was none.
    async fn ask(&self, name: &str, roots: &str, request: &str) -> std::io::Result<String> {
        let mut store = RootCertStore::empty();
        store.add(rustls::pki_types::CertificateDer::from_pem_slice(roots.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(store)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let stream = TcpStream::connect(self.address).await?;
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    async fn post(&self, token: Option<&str>, body: &str) -> String {
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let length = body.len();
        let head =
            format!("POST /v1/enroll HTTP/1.1\r\nHost: weir\r\n{token}Content-Length: {length}\r\n\r\n");
        self.ask(NAME, &self.roots, &(head + body)).await.unwrap()
    }

    async fn close(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
    }
}

fn request() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let csr = rcgen::CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    serde_json::to_string(&crds::enroll::EnrollRequest { csr }).unwrap()
}

fn assert_problem(answer: &str, status: u16, text: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(head.to_lowercase().contains("content-type: application/problem+json"), "{answer}");
    let problem: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(problem["status"], status);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(text)), "{answer}");
}

#[tokio::test]
async fn the_port_is_the_services_under_each_of_its_names_and_under_no_other() {
    let port = Port::open().await;
    let get = "GET / HTTP/1.1\r\nHost: weir\r\n\r\n";
    for name in [
        "weir-operator-enroll",
        "weir-operator-enroll.weir-system",
        NAME,
        "weir-operator-enroll.weir-system.svc.cluster.local",
    ] {
        let answer = port.ask(name, &port.roots, get).await.unwrap();
        assert_problem(&answer, 404, "POST /v1/enroll");
    }
    assert!(port.ask("weir-operator-enroll.other.svc", &port.roots, get).await.is_err());
    let stranger = alone().0.bundle().borrow().pem.clone();
    assert!(port.ask(NAME, &stranger, get).await.is_err(), "another root's client does not trust it");
    port.close().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_and_counted() {
    let port = Port::open().await;
    let none = port.post(None, &request()).await;
    assert_problem(&none, 401, "weir-enroll");
    assert!(none.to_lowercase().contains("www-authenticate: bearer"));
    assert_problem(&port.post(Some("t"), "{").await, 400, "csr");
    assert_problem(&port.post(Some("t"), r#"{"csr":"no","node":"b"}"#).await, 400, "unknown field");
    assert_problem(&port.post(Some("t"), r#"{"csr":"no"}"#).await, 400, "PKCS #10");
    assert_problem(&port.post(Some("t"), &"x".repeat(20_000)).await, 413, "16384 bytes");
    let counted = [Outcome::Unauthorized, Outcome::BadRequest, Outcome::TooLarge, Outcome::Issued]
        .map(|outcome| port.outcomes.count(outcome));
    assert_eq!(counted, [1, 3, 1, 0]);
    port.close().await;
}

#[tokio::test]
async fn while_the_api_server_is_away_nobody_gets_a_certificate_and_everybody_may_ask_again() {
    let port = Port::open().await;
    for _ in 0..12 {
        let answer = port.post(Some("token"), &request()).await;
        assert_problem(&answer, 503, "API server");
        assert!(answer.to_lowercase().contains("retry-after: 5"), "{answer}");
    }
    port.close().await;
}

#[tokio::test]
async fn an_address_that_was_refused_ten_times_waits() {
    let port = Port::open().await;
    for _ in 0..10 {
        assert_problem(&port.post(None, &request()).await, 401, "Bearer");
    }
    let answer = port.post(Some("token"), &request()).await;
    assert_problem(&answer, 429, "too many");
    assert!(answer.to_lowercase().contains("retry-after: "), "{answer}");
    assert_eq!(port.outcomes.count(Outcome::TooMany), 1);
    port.close().await;
}

#[tokio::test]
async fn what_speaks_no_tls_is_let_go() {
    let port = Port::open().await;
    let mut stream = TcpStream::connect(port.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    assert!(read.is_err() || !answer.starts_with(b"HTTP"), "{answer:?}");
    port.close().await;
}
