//! The aggregator over HTTP/2.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use crds::fleet::{EdgeReport, REPORT_PATH};
use reqwest::{Client, RequestBuilder, Response};
use rustls::ClientConfig;

use super::{SendError, Upstream};
use crate::slot::Ack;
use crate::tls::{Credentials, Current};

/// An answer that takes longer counts as none.
const DEADLINE: Duration = Duration::from_secs(30);

/// How often a silent aggregator is asked whether it is there, and for how long it may not answer.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// An aggregator at a URL such as `http://127.0.0.1:8471`, or over TLS `https://HOST:8471`.
#[derive(Debug)]
pub struct HttpUpstream {
    base: String,
    link: Link,
}

/// How it is reached.
#[derive(Debug)]
enum Link {
    Plain(Client),
    /// With the newest certificate, and the client made of it.
    Tls(Current, ArcSwapOption<(Arc<Credentials>, Client)>),
}

impl HttpUpstream {
    /// Connects when first needed; one connection carries everything.
    ///
    /// # Errors
    /// When the URL is not `http://host:port`.
    pub fn new(url: &str) -> Result<Self, String> {
        crate::cryptography::provide();
        let base = base(url, "http")?;
        let client = client(None).map_err(|error| error.to_string())?;
        Ok(Self { base, link: Link::Plain(client) })
    }

    /// As [`HttpUpstream::new`], over TLS with the credentials that `current` has when a connection is made.
    ///
    /// # Errors
    /// When the URL is not `https://host:port`.
    pub fn secured(url: &str, current: Current) -> Result<Self, String> {
        Ok(Self { base: base(url, "https")?, link: Link::Tls(current, ArcSwapOption::empty()) })
    }

    /// A client with the newest credentials. What another one has begun ends with that one.
    fn client(&self) -> Result<Client, SendError> {
        let (current, made) = match &self.link {
            Link::Plain(client) => return Ok(client.clone()),
            Link::Tls(current, made) => (current, made),
        };
        let not_yet = || SendError::Unreachable("there is no certificate yet".to_owned());
        let credentials = current.borrow().clone().ok_or_else(not_yet)?;
        if let Some(made) = &*made.load()
            && Arc::ptr_eq(&made.0, &credentials)
        {
            return Ok(made.1.clone());
        }
        let client = client(Some(credentials.client()));
        let client = client.map_err(|error| SendError::Unreachable(chain(&error)))?;
        made.store(Some(Arc::new((credentials, client.clone()))));
        Ok(client)
    }

    async fn post(&self, path: &str, body: Vec<u8>) -> Result<Response, SendError> {
        answered(self.client()?.post(format!("{}{path}", self.base)).body(body)).await
    }
}

async fn answered(request: RequestBuilder) -> Result<Response, SendError> {
    let answer = request.send().await.map_err(|error| SendError::Unreachable(chain(&error)))?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    Err(SendError::Refused(format!("{status} {}", text.chars().take(300).collect::<String>())))
}

fn base(url: &str, scheme: &str) -> Result<String, String> {
    let right = format!("write {scheme}://ADDRESS:8471");
    let parsed = reqwest::Url::parse(url).map_err(|error| format!("{url:?} is no URL ({error}); {right}"))?;
    if parsed.scheme() != scheme || parsed.host().is_none() {
        return Err(format!("{url:?}: {right}"));
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

fn client(tls: Option<ClientConfig>) -> reqwest::Result<Client> {
    let client = Client::builder()
        .http2_prior_knowledge()
        .timeout(DEADLINE)
        .connect_timeout(Duration::from_secs(5))
        // An aggregator whose node is gone says nothing: the next connection finds where it has moved to.
        .http2_keep_alive_interval(KEEP_ALIVE)
        .http2_keep_alive_timeout(KEEP_ALIVE)
        .http2_keep_alive_while_idle(true)
        .no_proxy();
    match tls {
        Some(tls) => client.tls_backend_preconfigured(tls).build(),
        None => client.build(),
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

    async fn known(&self, node: &str) -> Result<Vec<u8>, SendError> {
        let mut url = reqwest::Url::parse(&format!("{}/v1/known", self.base))
            .map_err(|error| SendError::Unreachable(error.to_string()))?;
        url.set_query(Some(&format!("node={node}")));
        let answer = answered(self.client()?.get(url)).await?;
        let bytes = answer.bytes().await.map_err(|error| SendError::Unreachable(chain(&error)))?;
        Ok(bytes.to_vec())
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
