//! Errors as clients see them: RFC 9457 problem documents that say what to do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use warp::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use warp::http::{HeaderValue, StatusCode};
use warp::reply::Response;
use warp::{Rejection, Reply};

use crate::aggregate::view::ReadError;

/// A problem document (RFC 9457), `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Which problem: `tag:weir.dev,2026:` and a name that does not change.
    #[serde(rename = "type")]
    pub kind: String,
    /// The problem's name for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request, and what would be right.
    pub detail: String,
    /// The query parameter that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// For `too-many-points`: the smallest step in milliseconds that this window allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest_step: Option<u64>,
}

impl Problem {
    /// A parameter that is unknown, unreadable or out of range.
    pub(super) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::BAD_REQUEST, "bad-parameter", "bad parameter", detail);
        Self { parameter: Some(name.to_owned()), ..problem }
    }

    /// More points than one answer holds.
    pub(super) fn too_many_points(smallest_step: u64, detail: String) -> Self {
        let problem = Self::new(StatusCode::BAD_REQUEST, "too-many-points", "too many points", detail);
        Self { parameter: Some("step".to_owned()), smallest_step: Some(smallest_step), ..problem }
    }

    /// A body that cannot be used.
    pub(super) fn body(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::new(status, "bad-body", "bad request body", detail)
    }

    /// A path, profile, channel or source that is not there.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "not found", detail)
    }

    /// A method that the path does not know.
    pub(super) fn method(allowed: &str) -> Self {
        let detail = format!("this path answers {allowed}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "method not allowed", detail)
    }

    /// No token, or not the right one.
    pub(super) fn unauthorized(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "a token is needed", detail)
    }

    /// Somebody who may not see this.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "not allowed", detail)
    }

    /// Kubernetes cannot be asked who may see this.
    pub(super) fn unreviewed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unreviewed", "rights cannot be checked", detail)
    }

    /// A `Host` that is not ours: a browser that was led here by a foreign name.
    pub(super) fn foreign_host(detail: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, "foreign-host", "foreign Host header", detail)
    }

    /// Too much at once, or too slow; to be asked again.
    pub(super) fn busy(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "busy", detail)
    }

    /// A failure of our own; the log says more.
    pub(super) fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "internal error", detail)
    }

    /// The store cannot be read now (a full disk, a damaged file); it is tried again at the next request.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the store cannot be read", detail)
    }

    /// What a rejection of the routes means: by then host, token and method are checked.
    pub(super) fn of_rejection(rejection: &Rejection) -> Self {
        if rejection.is_not_found() {
            return Self::not_found("there is nothing at this path; GET /openapi.json lists what there is");
        }
        if rejection.find::<warp::reject::InvalidQuery>().is_some() {
            return Self::parameter("", "the query string is not made of name=value pairs");
        }
        Self::parameter("", format!("the request cannot be read: {rejection:?}"))
    }

    fn new(status: StatusCode, name: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("tag:weir.dev,2026:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            parameter: None,
            smallest_step: None,
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        let detail = error.to_string();
        match error {
            ReadError::Profile { .. } => Self::not_found(detail),
            ReadError::Channel { .. } => Self::parameter("channels", detail),
            ReadError::Source { .. } => Self::parameter("sources", detail),
            ReadError::Range => Self::parameter("from", detail),
            ReadError::Step { .. } | ReadError::Maximum => Self::parameter("step", detail),
            ReadError::TooFine { smallest_ms, .. } => Self::too_many_points(smallest_ms, detail),
            ReadError::Top { .. } => Self::parameter("element", detail),
            ReadError::Store(_) => Self::unavailable(detail),
        }
    }
}

impl Reply for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = warp::reply::with_status(warp::reply::json(&self), status).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"weir\""));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
