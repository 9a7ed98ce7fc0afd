//! How requests for certificates end: counted by kind, told to who asked as RFC 9457 problems.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use serde_json::json;

/// How a request ended, as the label `result` of `weir_operator_enrolments_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Outcome {
    /// With a certificate.
    Issued,
    /// Another path or method.
    NotFound,
    /// No request that can be read.
    BadRequest,
    /// Too large.
    TooLarge,
    /// No token, or one that the API server does not accept.
    Unauthorized,
    /// A good token of somebody who gets no certificate.
    Forbidden,
    /// Too often.
    TooMany,
    /// The API server or the authority cannot be asked.
    Unavailable,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    result: Outcome,
}

/// Counts requests by how they ended.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    total: Family<Labels, Counter>,
}

/// A request that ended without a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// What is counted.
    pub(super) outcome: Outcome,
    /// What is wrong, and what would be right.
    pub(super) detail: String,
    /// When asking again may help.
    pub(super) retry: Option<Duration>,
}

impl Outcomes {
    /// Counters that `registry`, whose names begin with `weir_operator`, shows as `weir_operator_enrolments_total`.
    pub fn register(registry: &mut Registry) -> Self {
        let outcomes = Self::default();
        let help = "Requests for certificates, by how they ended";
        registry.register("enrolments", help, outcomes.total.clone());
        outcomes
    }

    /// How many ended so.
    pub fn count(&self, result: Outcome) -> u64 {
        self.total.get_or_create(&Labels { result }).get()
    }

    pub(super) fn add(&self, result: Outcome) {
        self.total.get_or_create(&Labels { result }).inc();
    }
}

impl Outcome {
    fn status(self) -> StatusCode {
        match self {
            Self::Issued => StatusCode::OK,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The problem's type and title.
    fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Issued => ("issued", "issued"),
            Self::NotFound => ("not-found", "not found"),
            Self::BadRequest => ("bad-request", "bad request"),
            Self::TooLarge => ("too-large", "request too large"),
            Self::Unauthorized => ("unauthorized", "token not accepted"),
            Self::Forbidden => ("forbidden", "no certificate for this pod"),
            Self::TooMany => ("too-many-requests", "too many requests"),
            Self::Unavailable => ("unavailable", "certificates cannot be issued now"),
        }
    }
}

impl Refusal {
    pub(super) fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: detail.into(), retry: None }
    }

    pub(super) fn after(retry: Duration, outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { retry: Some(retry), ..Self::new(outcome, detail) }
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let (kind, title) = self.outcome.name();
        let status = self.outcome.status();
        let problem = json!({
            "type": format!("tag:weir.dev,2026:{kind}"),
            "title": title,
            "status": status.as_u16(),
            "detail": self.detail,
        });
        let mut response = answer(status, "application/problem+json", problem.to_string());
        let headers = response.headers_mut();
        if let Some(retry) = self.retry {
            headers.insert(RETRY_AFTER, HeaderValue::from(retry.as_secs().max(1)));
        }
        match self.outcome {
            Outcome::Unauthorized => headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Outcome::NotFound => headers.insert(ALLOW, HeaderValue::from_static("POST")),
            _ => None,
        };
        response
    }
}

pub(super) fn answer(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
