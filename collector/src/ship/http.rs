//! The aggregator over HTTP/2.

use std::time::Duration;

use crds::fleet::{EdgeReport, REPORT_PATH};
use reqwest::{Client, RequestBuilder, Response};

use super::{SendError, Upstream};
use crate::slot::Ack;

/// An answer that takes longer counts as none.
const DEADLINE: Duration = Duration::from_secs(30);

/// An aggregator at a URL such as `http://127.0.0.1:8471`.
#[derive(Debug)]
pub struct HttpUpstream {
    client: Client,
    base: String,
}

impl HttpUpstream {
    /// Connects when first needed; one connection carries everything.
    ///
    /// # Errors
    /// When the URL is not `http://host:port`.
    pub fn new(url: &str) -> Result<Self, String> {
        let parsed = reqwest::Url::parse(url)
            .map_err(|error| format!("{url:?} is no URL ({error}); write http://ADDRESS:8471"))?;
        if parsed.scheme() != "http" || parsed.host().is_none() {
            return Err(format!("{url:?}: write http://ADDRESS:8471"));
        }
        crate::cryptography::provide();
        let client = Client::builder()
            .http2_prior_knowledge()
            .timeout(DEADLINE)
            .connect_timeout(Duration::from_secs(5))
            .no_proxy()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client, base: parsed.as_str().trim_end_matches('/').to_owned() })
    }

    async fn post(&self, path: &str, body: Vec<u8>) -> Result<Response, SendError> {
        let request: RequestBuilder = self.client.post(format!("{}{path}", self.base)).body(body);
        let answer = request.send().await.map_err(|error| SendError::Unreachable(chain(&error)))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        Err(SendError::Refused(format!("{status} {}", text.chars().take(300).collect::<String>())))
    }
}

impl Upstream for HttpUpstream {
    async fn send(&self, blocks: Vec<Vec<u8>>) -> Result<Ack, SendError> {
        let mut body = Vec::with_capacity(blocks.iter().map(|block| block.len() + 4).sum());
        for block in &blocks {
            body.extend_from_slice(&u32::try_from(block.len()).unwrap_or(u32::MAX).to_le_bytes());
            body.extend_from_slice(block);
        }
        let answer = self.post("/v1/blocks", body).await?;
        let bytes = answer.bytes().await.map_err(|error| SendError::Unreachable(chain(&error)))?;
        postcard::from_bytes(&bytes).map_err(|error| SendError::Refused(error.to_string()))
    }

    async fn provisional(&self, value: Vec<u8>) -> Result<(), SendError> {
        self.post("/v1/provisional", value).await.map(drop)
    }

    async fn report(&self, report: &EdgeReport) -> Result<(), SendError> {
        let body = serde_json::to_vec(report).map_err(|error| SendError::Refused(error.to_string()))?;
        self.post(REPORT_PATH, body).await.map(drop)
    }
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
