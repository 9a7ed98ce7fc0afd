//! What becomes of one request for a certificate: read, asked about, and signed or refused.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crds::enroll::{AUDIENCE, EnrollAnswer, EnrollRequest, PATH, REQUEST_BYTES};
use crds::identity::Identity;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use kube::Client;
use rcgen::SubjectPublicKeyInfo;
use rustls::ServerConfig;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::authority::Authority;
use super::certificate::{requested_key, service_names};
use super::limit::Limit;
use super::outcome::{Outcome, Outcomes, Refusal, answer};
use super::token::{Claims, Member, Role, TokenError, identity, review};

/// Whose ServiceAccount `(namespace, name)` is, if it is one of a FlowCollector's.
pub type Owners = Arc<dyn Fn(&str, &str) -> Option<Member> + Send + Sync>;

pub(super) type Answer = Response<Full<Bytes>>;

/// Where requests for certificates are answered.
pub struct Desk {
    authority: Authority,
    client: Client,
    owners: Owners,
    outcomes: Outcomes,
    reviews: Semaphore,
    pods: Limit<String>,
    strangers: Limit<IpAddr>,
}

/// Questions to the API server at once; further requests wait for their turn.
const REVIEWS: usize = 32;
/// Certificates for one pod in a window, and refused tokens of one address.
const TIMES: u32 = 10;
const WINDOW: Duration = Duration::from_mins(1);
/// As many pods and addresses are counted at once.
const ASKERS: usize = 32 << 10;
/// A request is answered by then.
const ANSWER: Duration = Duration::from_secs(20);
/// When something is away, asking again helps after so long.
const AWAY: Duration = Duration::from_secs(5);

impl Desk {
    /// Signs with `authority`, asks the API server with `client`, and takes only who `owners` knows.
    pub fn new(authority: Authority, client: Client, owners: Owners, outcomes: Outcomes) -> Self {
        let pods = Limit::new(TIMES, WINDOW, ASKERS);
        let strangers = Limit::new(TIMES, WINDOW, ASKERS);
        Self { authority, client, owners, outcomes, reviews: Semaphore::new(REVIEWS), pods, strangers }
    }

    pub(super) fn server_config(&self) -> Arc<ServerConfig> {
        self.authority.server_config()
    }

    pub(super) async fn answer<B>(&self, peer: IpAddr, request: Request<B>) -> Answer
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let late = || Refusal::after(AWAY, Outcome::Unavailable, "the API server takes too long to answer");
        let ended = timeout(ANSWER, self.enroll(peer, request)).await;
        match ended.unwrap_or_else(|_| Err(late())) {
            Ok((identity, certificate)) => {
                self.outcomes.add(Outcome::Issued);
                tracing::info!(%peer, %identity, "certificate issued");
                let body = serde_json::to_string(&certificate).expect("texts become JSON");
                answer(StatusCode::OK, "application/json", body)
            }
            Err(refusal) => {
                self.outcomes.add(refusal.outcome);
                // Who is told to wait was told why before: a flood writes no log.
                if refusal.outcome != Outcome::TooMany {
                    let (outcome, detail) = (refusal.outcome, refusal.detail.as_str());
                    tracing::warn!(%peer, ?outcome, detail, "no certificate");
                }
                refusal.into_response()
            }
        }
    }

    async fn enroll<B>(&self, peer: IpAddr, request: Request<B>) -> Result<(Identity, EnrollAnswer), Refusal>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if request.uri().path() != PATH || request.method() != Method::POST {
            return Err(Refusal::new(Outcome::NotFound, format!("this port answers POST {PATH}")));
        }
        if let Some(wait) = self.strangers.full(&peer, Instant::now()) {
            let detail = format!("too many refused requests from {peer}");
            return Err(Refusal::after(wait, Outcome::TooMany, detail));
        }
        let asked = self.asked(request).await;
        if let Err(refusal) = &asked
            && refusal.outcome != Outcome::Unavailable
        {
            // That an address cannot be counted refuses nobody: it costs the API server a question at most.
            let _ = self.strangers.count(&peer, Instant::now());
        }
        let (claims, member, key) = asked?;
        self.sign(&claims, &member, &key).await
    }

    /// Who asks, and for which key.
    async fn asked<B>(&self, request: Request<B>) -> Result<(Claims, Member, SubjectPublicKeyInfo), Refusal>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let token = bearer(request.headers())?;
        let key = key(request.into_body()).await?;
        let place = self.reviews.acquire().await;
        let claims = review(&self.client, &token).await.map_err(|error| refuse(&error))?;
        drop(place);
        let (namespace, account) = (claims.namespace.as_str(), claims.service_account.as_str());
        let member = (self.owners)(namespace, account).ok_or_else(|| {
            let detail = format!("ServiceAccount {namespace}/{account} is that of no FlowCollector");
            Refusal::new(Outcome::Forbidden, detail)
        })?;
        Ok((claims, member, key))
    }

    async fn sign(
        &self,
        claims: &Claims,
        member: &Member,
        key: &SubjectPublicKeyInfo,
    ) -> Result<(Identity, EnrollAnswer), Refusal> {
        self.pods.count(&claims.uid, Instant::now()).map_err(|wait| {
            let detail = format!("pod {}/{} asks too often", claims.namespace, claims.pod);
            Refusal::after(wait, Outcome::TooMany, detail)
        })?;
        let identity = identity(&self.client, claims, member).await.map_err(|error| refuse(&error))?;
        let names = match member.role {
            Role::Edge => Vec::new(),
            Role::Aggregator => service_names(&claims.service_account, &claims.namespace),
        };
        let signed = self.authority.sign(key, &identity, &names).await;
        let answer = signed.map_err(|error| Refusal::after(AWAY, Outcome::Unavailable, error.to_string()))?;
        Ok((identity, answer))
    }
}

fn bearer(headers: &HeaderMap) -> Result<String, Refusal> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = header.and_then(|value| value.split_once(' ')).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        let detail =
            format!("Authorization: Bearer TOKEN is missing, a ServiceAccount token for audience {AUDIENCE}");
        return Err(Refusal::new(Outcome::Unauthorized, detail));
    }
    Ok(token.to_owned())
}

async fn key<B>(body: B) -> Result<SubjectPublicKeyInfo, Refusal>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let body = Limited::new(body, REQUEST_BYTES).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            let detail = format!("a request has at most {REQUEST_BYTES} bytes");
            return Refusal::new(Outcome::TooLarge, detail);
        }
        Refusal::new(Outcome::BadRequest, format!("the request's body broke off: {error}"))
    })?;
    let request: EnrollRequest = serde_json::from_slice(&body.to_bytes()).map_err(|error| {
        let detail =
            format!(r#"the body is not {{"csr": "-----BEGIN CERTIFICATE REQUEST-----..."}}: {error}"#);
        Refusal::new(Outcome::BadRequest, detail)
    })?;
    requested_key(&request.csr).map_err(|error| Refusal::new(Outcome::BadRequest, error.to_string()))
}

fn refuse(error: &TokenError) -> Refusal {
    match error {
        TokenError::Refused(_) | TokenError::Unbound { .. } => {
            Refusal::new(Outcome::Unauthorized, error.to_string())
        }
        TokenError::Gone(_) | TokenError::Foreign { .. } => {
            Refusal::new(Outcome::Forbidden, error.to_string())
        }
        TokenError::Api(_) => Refusal::after(AWAY, Outcome::Unavailable, error.to_string()),
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("authority", &self.authority).finish_non_exhaustive()
    }
}
