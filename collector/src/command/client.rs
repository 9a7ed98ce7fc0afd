//! Asks a server's API, for commands that run and end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Certificate, StatusCode, Url};
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use super::Failure;
use crate::serve::Problem;

const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Where a server is, and how to get in.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// `http://...` or `https://...`.
    pub(super) address: String,
    /// What it is asked with.
    pub(super) token: Option<Arc<String>>,
    /// The roots that its certificate has to chain to, as PEM. Absent: those of the system.
    pub(super) roots: Option<Vec<u8>>,
    /// Where connections to it go, whatever its name resolves to.
    pub(super) forwarded: Option<SocketAddr>,
    /// What to do when nothing answers.
    pub(super) when_away: &'static str,
    /// What to do when the token is missing or wrong.
    pub(super) when_unauthorized: &'static str,
}

impl Server {
    /// The address, checked.
    pub(super) fn url(&self) -> Result<Url, Failure> {
        let form = "give an address such as http://127.0.0.1:8470";
        let refused = |why: String| Failure::Usage(format!("--server {}: {why}; {form}", self.address));
        let url = Url::parse(&self.address).map_err(|error| refused(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(refused("not an http address".to_owned()));
        }
        Ok(url)
    }

    /// What makes requests; nothing is sent yet.
    pub(super) fn http(&self, answer_within: Option<Duration>) -> Result<reqwest::Client, Failure> {
        // Whoever was first has set the same provider.
        _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder().no_proxy();
        if let Some(limit) = answer_within {
            builder = builder.timeout(limit);
        }
        if let Some(pem) = &self.roots {
            let roots = Certificate::from_pem_bundle(pem).map_err(|error| {
                Failure::Input(format!("the roots of {} are no PEM: {error}", self.address))
            })?;
            builder = builder.tls_certs_only(roots);
        }
        if let (Some(address), Some(host)) = (self.forwarded, self.url()?.host_str()) {
            builder = builder.resolve(host, address);
        }
        builder.build().map_err(|error| Failure::System(format!("cannot make requests: {error}")))
    }
}

/// One server, asked by a command.
pub(super) struct Client {
    server: Server,
    url: Url,
    http: reqwest::Client,
    runtime: Runtime,
}

impl Client {
    /// Checks the address; nothing is sent yet.
    pub(super) fn new(server: Server) -> Result<Self, Failure> {
        let (url, http) = (server.url()?, server.http(Some(ANSWER_WITHIN))?);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::System(format!("cannot make requests: {error}")))?;
        Ok(Self { server, url, http, runtime })
    }

    /// Asks for what lies at `path` below `/api/v1/`.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let bytes = self.runtime.block_on(self.ask(path))?;
        serde_json::from_slice(&bytes).map_err(|e| {
            Failure::System(format!("{} does not answer as this version of weir does: {e}", self.url))
        })
    }

    /// Lets a while pass before the next question.
    pub(super) fn pause(&self, time: Duration) {
        self.runtime.block_on(tokio::time::sleep(time));
    }

    async fn ask(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let url = self
            .url
            .join(&format!("/api/v1/{path}"))
            .map_err(|e| Failure::Usage(format!("{path} makes no address: {e}")))?;
        let mut request = self.http.get(url).header(ACCEPT, "application/json");
        if let Some(token) = &self.server.token {
            request = request.bearer_auth(token.as_str());
        }
        let answer = request.send().await.map_err(|e| self.away(&e))?;
        let status = answer.status();
        let is_problem =
            answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
        let bytes = answer.bytes().await.map_err(|e| self.away(&e))?;
        if status.is_success() {
            return Ok(bytes.into());
        }
        Err(self.refused(status, is_problem.then(|| serde_json::from_slice(&bytes).ok()).flatten()))
    }

    fn refused(&self, status: StatusCode, problem: Option<Problem>) -> Failure {
        let Some(problem) = problem else {
            return Failure::System(format!("{} answers {status}: is it a weir?", self.url));
        };
        match status {
            StatusCode::UNAUTHORIZED => {
                Failure::Input(format!("{} wants a token: {}", self.url, self.server.when_unauthorized))
            }
            status if status.is_client_error() => Failure::Input(problem.detail),
            _ => Failure::System(format!("{} answers {status}: {}", self.url, problem.detail)),
        }
    }

    fn away(&self, error: &reqwest::Error) -> Failure {
        let server = self.url.as_str().trim_end_matches('/');
        let (reason, advice) = (innermost(error), self.server.when_away);
        Failure::System(format!("{server} does not answer ({reason}): {advice}"))
    }
}

/// What really went wrong.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}
