//! What is wrong with a filter, where, and what would be right.

use serde::Serialize;

/// A stretch of the filter's text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte behind the last one.
    pub end: usize,
}

impl Span {
    /// From the start of this span to the end of the other.
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }
}

/// An error in a filter. `Display` says all of it in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("line {line}, column {column}: {problem}{}", self.advice())]
#[serde(rename_all = "camelCase")]
pub struct FilterError {
    /// Where, in bytes from the start of the text.
    pub span: Span,
    /// The line, from 1.
    pub line: u32,
    /// The character in its line, from 1.
    pub column: u32,
    /// What is wrong, in words.
    pub problem: String,
    /// The text that was found there; empty at the end of the filter.
    pub found: String,
    /// What would have been accepted there; empty where the problem says it all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub expected: String,
    /// The right form, for a slip that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl FilterError {
    pub(super) fn at(text: &str, span: Span, problem: impl Into<String>) -> Self {
        let before = &text[..span.start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            span,
            line: from_one(before.matches('\n').count()),
            column: from_one(before[line_start..].chars().count()),
            problem: problem.into(),
            found: text[span.start..span.end].to_owned(),
            expected: String::new(),
            hint: None,
        }
    }

    pub(super) fn expecting(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    pub(super) fn hinting(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn advice(&self) -> String {
        let mut advice = String::new();
        if !self.expected.is_empty() {
            advice.push_str(", expected ");
            advice.push_str(&self.expected);
        }
        if let Some(hint) = &self.hint {
            advice.push_str("; ");
            advice.push_str(hint);
        }
        advice
    }
}

/// A count from 0 as a place from 1; a filter is never long enough to pass the limit.
fn from_one(count: usize) -> u32 {
    u32::try_from(count).map_or(u32::MAX, |count| count.saturating_add(1))
}
