//! Lists that a column holds as one text.

use std::fmt::Write;

use crate::flow::TEXT_LIMIT;

/// Appends a word, unless the text would become longer than texts may be.
pub(super) fn push(text: &mut String, word: std::fmt::Arguments<'_>) {
    let before = text.len();
    let separator = if before == 0 { "" } else { " " };
    // Writing to a String cannot fail.
    let _ = write!(text, "{separator}{word}");
    if text.len() > TEXT_LIMIT {
        text.truncate(before);
    }
}
