//! What each path of the ingest port answers.

use std::convert::Infallible;
use std::sync::Arc;

use crds::fleet::{EdgeReport, FLEET_PATH, REPORT_PATH};
use crds::identity::Identity;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::super::{Aggregator, ApplyError};
use super::admit::{Refusal, admit};
use super::{Options, PATIENCE, fleet};
use crate::slot::MAX_BLOCK_BYTES;
use crate::telemetry::Metric;

/// KiB of all bodies that are being read or applied.
const BODIES_KIB: usize = 256 << 10;
/// No report is larger.
const REPORT_BYTES: usize = 1 << 20;
const BLOCKS: &str = "/v1/blocks";
const PROVISIONAL: &str = "/v1/provisional";
const KNOWN: &str = "/v1/known";

/// An answer's body: whole, or a stream without end.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Answers requests.
#[derive(Debug)]
pub(super) struct Desk {
    aggregator: Arc<Aggregator>,
    pub(super) options: Options,
    bodies: Arc<Semaphore>,
}

impl Desk {
    pub(super) fn new(aggregator: Arc<Aggregator>, options: Options) -> Self {
        Self { aggregator, options, bodies: Arc::new(Semaphore::new(BODIES_KIB)) }
    }

    /// Answers a request of `peer`; a stream ends at `ends`.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        peer: Option<&Identity>,
        ends: Instant,
    ) -> Answer {
        let path = request.uri().path().to_owned();
        let (method, limit) = match path.as_str() {
            FLEET_PATH | KNOWN => (Method::GET, 0),
            BLOCKS | PROVISIONAL => (Method::POST, MAX_BLOCK_BYTES),
            REPORT_PATH => (Method::POST, REPORT_BYTES),
            _ => {
                let all = [BLOCKS, PROVISIONAL, REPORT_PATH, KNOWN, FLEET_PATH].join(", ");
                return text(StatusCode::NOT_FOUND, &format!("this is the ingest port: {all}"));
            }
        };
        if request.method() != method {
            return text(StatusCode::METHOD_NOT_ALLOWED, &format!("use {method}"));
        }
        let node = match admit(&path, peer, &self.aggregator.collector()) {
            Ok(node) => node,
            Err(refusal) => return self.forbid(&refusal),
        };
        if path == FLEET_PATH {
            return fleet::stream(Arc::clone(&self.aggregator), ends);
        }
        if path == KNOWN {
            let asked = request.uri().query().and_then(|query| query.strip_prefix("node="));
            return self.known(node.or(asked));
        }
        let (body, _permit) = match self.read(request, limit).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        match path.as_str() {
            REPORT_PATH => self.report(&body, peer),
            PROVISIONAL => match self.aggregator.provisional_of(&body, node) {
                Ok(()) => text(StatusCode::NO_CONTENT, ""),
                Err(error) => self.refuse(&error),
            },
            _ => self.blocks(&body, node).await,
        }
    }

    fn known(&self, node: Option<&str>) -> Answer {
        let Some(node) = node else { return text(StatusCode::BAD_REQUEST, "say which node: ?node=NAME") };
        Response::new(Full::new(Bytes::from(self.aggregator.known(node))).boxed_unsync())
    }

    fn report(&self, body: &[u8], peer: Option<&Identity>) -> Answer {
        let mut report: EdgeReport = match serde_json::from_slice(body) {
            Ok(report) => report,
            Err(error) => return text(StatusCode::BAD_REQUEST, &format!("this is no report: {error}")),
        };
        if let Some(Identity::Edge { node, pod, .. }) = peer {
            if report.node != *node {
                let text = format!("the certificate is of {node}, but the report of {}", report.node);
                return self.forbid(&Refusal { reason: "other_node", text });
            }
            report.running.pod.clone_from(pod);
        }
        match self.aggregator.fleet().hear(report) {
            Ok(()) => text(StatusCode::NO_CONTENT, ""),
            Err(full) => text(StatusCode::SERVICE_UNAVAILABLE, &full.to_string()),
        }
    }

    async fn blocks(&self, body: &[u8], node: Option<&str>) -> Answer {
        let Some(blocks) = split(body) else {
            return text(StatusCode::BAD_REQUEST, "the lengths of the blocks do not fit the body");
        };
        match self.aggregator.apply_of(blocks, node).await.map(|ack| postcard::to_stdvec(&ack)) {
            Ok(Ok(ack)) => Response::new(Full::new(Bytes::from(ack)).boxed_unsync()),
            Ok(Err(error)) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
            Err(error) => self.refuse(&error),
        }
    }

    fn refuse(&self, error: &ApplyError) -> Answer {
        let status = match error {
            ApplyError::Refused(_) => StatusCode::BAD_REQUEST,
            ApplyError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            ApplyError::Foreign(text) => {
                return self.forbid(&Refusal { reason: "other_node", text: text.clone() });
            }
        };
        text(status, &error.to_string())
    }

    fn forbid(&self, refusal: &Refusal) -> Answer {
        self.options.metrics.lock().add(Metric::IngestRefused, &[refusal.reason], 1);
        tracing::debug!(reason = refusal.reason, "{}", refusal.text);
        text(StatusCode::FORBIDDEN, &refusal.text)
    }

    /// The body, and the hold on memory that it needs.
    async fn read(
        &self,
        request: Request<Incoming>,
        limit: usize,
    ) -> Result<(Bytes, OwnedSemaphorePermit), Answer> {
        let Some(length) = request.body().size_hint().exact() else {
            return Err(text(StatusCode::LENGTH_REQUIRED, "state the Content-Length"));
        };
        if length > limit as u64 {
            let limit = format!("{length} bytes; at most {limit} are taken: send less at a time");
            return Err(text(StatusCode::PAYLOAD_TOO_LARGE, &limit));
        }
        let late = |_| text(StatusCode::REQUEST_TIMEOUT, "the body did not come within 30 s");
        let bodies = Arc::clone(&self.bodies);
        let read = async {
            let permit = bodies.acquire_many_owned((length as u32).div_ceil(1_024).max(1)).await;
            (request.into_body().collect().await, permit)
        };
        match tokio::time::timeout(PATIENCE, read).await.map_err(late)? {
            (Ok(body), Ok(permit)) => Ok((body.to_bytes(), permit)),
            _ => Err(text(StatusCode::BAD_REQUEST, "the body ended early")),
        }
    }
}

/// The blocks of a body, each after its length; none when the lengths lie, or there is no block.
fn split(mut body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut blocks = Vec::new();
    loop {
        let (length, rest) = body.split_first_chunk::<4>()?;
        let (block, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        blocks.push(block.to_vec());
        if rest.is_empty() {
            return Some(blocks);
        }
        body = rest;
    }
}

pub(super) fn text(status: StatusCode, text: &str) -> Answer {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())).boxed_unsync());
    *response.status_mut() = status;
    response
}
