//! Checks a filter before somebody puts it into a profile.

use crds::filter::{Context, FilterError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use warp::http::StatusCode;

use super::problem::Problem;

/// The longest body: the longest filter with every character escaped, and the name around it.
pub(super) const BODY_LIMIT: usize = 6 * crds::filter::TEXT_LIMIT + 1_024;
/// The most errors that one answer lists.
const ERRORS: usize = 100;

/// A filter to check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FilterText {
    /// The filter in nfdump's language.
    #[schema(example = "proto tcp and port in [80 443]")]
    pub filter: String,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilterVerdict {
    /// Whether a profile can use it.
    pub ok: bool,
    /// The same filter in canonical form, when it is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonical: Option<String>,
    /// What is wrong with it, in the order of the text; at most 100 errors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FilterFault>,
}

/// One error in a filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilterFault {
    /// All of it in one line.
    pub message: String,
    /// Bytes (UTF-8) from the start of the text to the error.
    pub offset: usize,
    /// The line, from 1.
    pub line: u32,
    /// The character in its line, from 1.
    pub column: u32,
    /// The stretch of the text that is wrong.
    pub span: FaultSpan,
    /// What would have been accepted there; absent where the message says it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The right form, for a slip that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A stretch of text, in bytes (UTF-8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaultSpan {
    /// The first byte.
    pub start: usize,
    /// The byte behind the last one.
    pub end: usize,
}

/// Reads the body and checks its filter as a profile's.
pub(super) fn check(body: &[u8]) -> Result<FilterVerdict, Problem> {
    let text: FilterText = serde_json::from_slice(body).map_err(|e| {
        let detail = format!("the body is not {{\"filter\": \"...\"}}: {e}");
        Problem::body(StatusCode::BAD_REQUEST, detail)
    })?;
    Ok(match crds::filter::check(&text.filter, Context::PROFILE) {
        Ok(expr) => FilterVerdict { ok: true, canonical: Some(expr.to_string()), errors: Vec::new() },
        Err(errors) => {
            let errors = errors.into_iter().take(ERRORS).map(FilterFault::from).collect();
            FilterVerdict { ok: false, canonical: None, errors }
        }
    })
}

impl From<FilterError> for FilterFault {
    fn from(error: FilterError) -> Self {
        Self {
            message: error.to_string(),
            offset: error.span.start,
            line: error.line,
            column: error.column,
            span: FaultSpan { start: error.span.start, end: error.span.end },
            expected: Some(error.expected).filter(|expected| !expected.is_empty()),
            hint: error.hint,
        }
    }
}
