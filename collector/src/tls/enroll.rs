//! How a program gets its certificate, and a new one in time.
//!
//! The key is made in memory, for each certificate another one. The request goes to the operator over TLS, with the
//! token that Kubernetes gave the pod, read anew each time because it is renewed in place. A third of the lifetime
//! later it begins again; an operator that is away has the other two thirds to come back.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crds::enroll::{EnrollAnswer, EnrollRequest, PATH};
use crds::identity::Identity;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use super::credentials::without_certificate;
use super::{Credentials, CredentialsError, Current, Issued};
use crate::telemetry::Health;

/// How often the roots file is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// The first wait after a failure; doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// An answer that takes longer counts as none.
const DEADLINE: Duration = Duration::from_secs(20);
/// What health calls it.
const PART: &str = "certificate";
const TOKEN_BYTES: usize = 64 << 10;
const ROOTS_BYTES: usize = 1 << 20;

/// Who the certificate has to be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The edge of a collector (`namespace/name`) on a node.
    Edge {
        /// The collector.
        collector: String,
        /// The node.
        node: String,
    },
    /// A collector's aggregator.
    Aggregator {
        /// The collector.
        collector: String,
    },
}

/// Where certificates come from.
#[derive(Clone, Debug)]
pub struct Enrollment {
    /// The operator: `https://HOST:PORT`.
    pub url: String,
    /// The file with the pod's token.
    pub token: PathBuf,
    /// The file with the trusted roots.
    pub roots: PathBuf,
    /// Who the certificate has to be for.
    pub expected: Expected,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
enum EnrollError {
    #[error("cannot read {}: {reason}", .path.display())]
    File { path: PathBuf, reason: String },
    #[error("cannot make a request: {0}")]
    Request(#[from] rcgen::Error),
    #[error("the operator cannot be reached: {0}")]
    Unreachable(String),
    #[error("the operator refused: {0}")]
    Refused(String),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error("the operator gave a certificate of {found}, but this is {expected}")]
    Other { found: Identity, expected: String },
}

impl Enrollment {
    /// Begins to enroll and goes on until nobody listens. `health` is told how that is.
    pub fn follow(self, health: Health) -> Current {
        health.starting(PART);
        let (tell, told) = watch::channel(None);
        tokio::spawn(async move {
            let keeper =
                Keeper { enrollment: self, health, tell, roots: String::new(), held: None, failed: None };
            keeper.run().await;
        });
        told
    }

    /// The roots as the file has them now.
    fn read_roots(&self) -> Result<String, EnrollError> {
        read(&self.roots, ROOTS_BYTES)
    }

    async fn request(&self, roots: &str) -> Result<(Issued, Credentials), EnrollError> {
        let token = read(&self.token, TOKEN_BYTES)?;
        let key = KeyPair::generate()?;
        let mut names = CertificateParams::default();
        // Who asks is in the token.
        names.distinguished_name = DistinguishedName::new();
        let request = EnrollRequest { csr: names.serialize_request(&key)?.pem()? };
        let client = reqwest::Client::builder().tls_backend_preconfigured(without_certificate(roots)?);
        let client = client.no_proxy().timeout(DEADLINE).build();
        let client = client.map_err(|error| EnrollError::Unreachable(chain(&error)))?;
        let asked = client.post(format!("{}{PATH}", self.url)).bearer_auth(token.trim()).json(&request);
        let answer = asked.send().await.map_err(|error| EnrollError::Unreachable(chain(&error)))?;
        if !answer.status().is_success() {
            let status = answer.status();
            let text: String = answer.text().await.unwrap_or_default().chars().take(300).collect();
            return Err(EnrollError::Refused(format!("{status} {text}")));
        }
        let answer: EnrollAnswer =
            answer.json().await.map_err(|error| EnrollError::Refused(chain(&error)))?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let issued = Issued { chain: answer.chain, key, root: answer.root };
        let credentials = Credentials::new(&issued, roots)?;
        self.expected.check(&credentials.identity)?;
        Ok((issued, credentials))
    }
}

impl Expected {
    fn check(&self, found: &Identity) -> Result<(), EnrollError> {
        let fits = match (self, found) {
            (Self::Edge { collector, node }, Identity::Edge { collector: of, node: on, .. }) => {
                collector == of && node == on
            }
            (Self::Aggregator { collector }, Identity::Aggregator { collector: of, .. }) => collector == of,
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let expected = match self {
            Self::Edge { collector, node } => format!("the edge of {collector} on {node}"),
            Self::Aggregator { collector } => format!("the aggregator of {collector}"),
        };
        Err(EnrollError::Other { found: found.clone(), expected })
    }
}

/// Keeps the credentials new.
struct Keeper {
    enrollment: Enrollment,
    health: Health,
    tell: watch::Sender<Option<Arc<Credentials>>>,
    roots: String,
    held: Option<Issued>,
    /// What was said last of a failure.
    failed: Option<String>,
}

impl Keeper {
    async fn run(mut self) {
        let (mut due, mut wait) = (Instant::now(), FIRST_WAIT);
        loop {
            self.look_at_roots();
            if Instant::now() >= due {
                due = Instant::now()
                    + match self.enroll().await {
                        Ok(lifetime) => {
                            wait = FIRST_WAIT;
                            (lifetime / 3).max(FIRST_WAIT)
                        }
                        Err(error) => {
                            self.say(&error);
                            wait = (wait * 2).min(LONGEST_WAIT);
                            wait / 2 + spread(wait / 4)
                        }
                    };
            }
            tokio::select! {
                () = self.tell.closed() => return,
                () = sleep_until(due) => {}
                () = sleep(LOOK) => {}
            }
        }
    }

    /// Roots that changed hold at once, with the certificate that there is.
    fn look_at_roots(&mut self) {
        let roots = match self.enrollment.read_roots() {
            Ok(roots) if roots != self.roots => roots,
            Ok(_) => return,
            // Without any, enrolling says it.
            Err(_) if self.roots.is_empty() => return,
            Err(error) => return self.say(&error),
        };
        if let Some(issued) = &self.held {
            match Credentials::new(issued, &roots) {
                Ok(credentials) => {
                    info!(bundle = credentials.bundle, "new trusted roots are in force");
                    self.tell.send_replace(Some(Arc::new(credentials)));
                }
                Err(error) => return self.say(&error.into()),
            }
        }
        self.roots = roots;
    }

    /// Returns for how long the new certificate holds.
    async fn enroll(&mut self) -> Result<Duration, EnrollError> {
        if self.roots.is_empty() {
            self.roots = self.enrollment.read_roots()?;
        }
        let (issued, credentials) = self.enrollment.request(&self.roots).await?;
        let lifetime = credentials.expires.duration_since(SystemTime::now()).unwrap_or_default();
        info!(identity = %credentials.identity, seconds = lifetime.as_secs(), "a new certificate");
        self.held = Some(issued);
        self.tell.send_replace(Some(Arc::new(credentials)));
        self.health.ok(PART);
        self.failed = None;
        Ok(lifetime)
    }

    fn say(&mut self, error: &EnrollError) {
        let text = error.to_string();
        let current = self.tell.borrow().clone();
        match current {
            Some(held) if held.expires > SystemTime::now() => {}
            Some(_) => self.health.failing(PART, format!("it is over: {text}")),
            None => self.health.failing(PART, text.clone()),
        }
        if self.failed.as_ref() != Some(&text) {
            warn!("no new certificate: {text}");
            self.failed = Some(text);
        }
    }
}

fn read(path: &std::path::Path, limit: usize) -> Result<String, EnrollError> {
    let failed = |reason: String| EnrollError::File { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    if text.len() > limit {
        return Err(failed(format!("larger than {limit} bytes")));
    }
    if text.trim().is_empty() { Err(failed("it is empty".to_owned())) } else { Ok(text) }
}

/// Up to `most`, another one each time, so that a fleet does not return in one instant.
fn spread(most: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0_u8) % 1_024;
    most.mul_f64(random as f64 / 1_024.0)
}

/// An error with its causes: reqwest's own text leaves out what happened.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
