//! Asks a server's API, for commands that run and end.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{StatusCode, Url};
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use crate::command::Failure;
use crate::serve::{Problem, Token};

const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// One server.
pub(super) struct Client {
    server: Url,
    token: Option<Token>,
    http: reqwest::Client,
    runtime: Runtime,
}

impl Client {
    /// Checks the address and reads the token; nothing is sent yet.
    pub(super) fn new(server: &str, token_file: Option<&Path>) -> Result<Self, Failure> {
        let form = "give an address such as http://127.0.0.1:8470";
        let url =
            Url::parse(server).map_err(|e| Failure::Usage(format!("--server {server}: {e}; {form}")))?;
        if !matches!(url.scheme(), "http") || url.host().is_none() {
            return Err(Failure::Usage(format!("--server {server}: not an http address; {form}")));
        }
        let token = token_file.map(Token::read).transpose().map_err(|e| Failure::Input(e.to_string()))?;
        let system = |e: String| Failure::System(format!("cannot make requests: {e}"));
        let http = reqwest::Client::builder()
            .timeout(ANSWER_WITHIN)
            .no_proxy()
            .build()
            .map_err(|e| system(e.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| system(e.to_string()))?;
        Ok(Self { server: url, token, http, runtime })
    }

    /// Asks for what lies at `path` below `/api/v1/`.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let bytes = self.runtime.block_on(self.ask(path))?;
        serde_json::from_slice(&bytes).map_err(|e| {
            Failure::System(format!("{} does not answer as this version of weir does: {e}", self.server))
        })
    }

    async fn ask(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let url = self
            .server
            .join(&format!("/api/v1/{path}"))
            .map_err(|e| Failure::Usage(format!("{path} makes no address: {e}")))?;
        let mut request = self.http.get(url).header(ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.reveal().as_str());
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
            return Failure::System(format!("{} answers {status}: is it a weir?", self.server));
        };
        match status {
            StatusCode::UNAUTHORIZED => {
                Failure::Input(format!("{} wants a token: give --token-file FILE", self.server))
            }
            status if status.is_client_error() => Failure::Input(problem.detail),
            _ => Failure::System(format!("{} answers {status}: {}", self.server, problem.detail)),
        }
    }

    fn away(&self, error: &reqwest::Error) -> Failure {
        let mut reason: &dyn std::error::Error = error;
        while let Some(source) = reason.source() {
            reason = source;
        }
        let server = self.server.as_str().trim_end_matches('/');
        Failure::System(format!(
            "{server} does not answer ({reason}): start weir there, or give --server URL"
        ))
    }
}
