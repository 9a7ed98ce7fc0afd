//! Cuts a filter's text into tokens.

use super::TEXT_LIMIT;
use super::ast::Compare;
use super::error::{FilterError, Span};

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) span: Span,
}

/// What a token is. Which words are keywords depends on the place, so the parser decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind<'a> {
    Word(&'a str),
    Quoted(&'a str),
    Open,
    Close,
    ListOpen,
    ListClose,
    Comma,
    Slash,
    Compare(Compare),
    And,
    Or,
    Not,
    End,
}

/// Whether a character may stand in a word without quotes.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'.' | b'-')
}

/// All tokens of the text; the last one is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, FilterError> {
    if text.len() > TEXT_LIMIT {
        let start = (0..=TEXT_LIMIT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let problem = format!("the filter is {} bytes long; at most {TEXT_LIMIT} are taken", text.len());
        return Err(FilterError::at(text, Span { start, end: start }, problem)
            .hinting("a long list of addresses is shorter as networks"));
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(start) = skip_blank(text, at) {
        let (kind, end) = token(text, start)?;
        tokens.push(Token { kind, span: Span { start, end } });
        at = end;
    }
    tokens.push(Token { kind: Kind::End, span: Span { start: text.len(), end: text.len() } });
    Ok(tokens)
}

/// The next byte that is neither white space nor comment.
fn skip_blank(text: &str, mut at: usize) -> Option<usize> {
    loop {
        let rest = &text[at..];
        let blank = rest.len() - rest.trim_start().len();
        at += blank;
        match text[at..].chars().next()? {
            '#' => at += text[at..].find('\n')?,
            _ => return Some(at),
        }
    }
}

fn token(text: &str, start: usize) -> Result<(Kind<'_>, usize), FilterError> {
    let rest = &text.as_bytes()[start..];
    let (kind, len) = match rest {
        [b'&', b'&', ..] => (Kind::And, 2),
        [b'|', b'|', ..] => (Kind::Or, 2),
        [b'!', b'=', ..] => (Kind::Compare(Compare::Ne), 2),
        [b'>', b'=', ..] => (Kind::Compare(Compare::Ge), 2),
        [b'<', b'=', ..] => (Kind::Compare(Compare::Le), 2),
        [b'=', b'=', ..] => (Kind::Compare(Compare::Eq), 2),
        [b'=', ..] => (Kind::Compare(Compare::Eq), 1),
        [b'>', ..] => (Kind::Compare(Compare::Gt), 1),
        [b'<', ..] => (Kind::Compare(Compare::Lt), 1),
        [b'!', ..] => (Kind::Not, 1),
        [b'(', ..] => (Kind::Open, 1),
        [b')', ..] => (Kind::Close, 1),
        [b'[', ..] => (Kind::ListOpen, 1),
        [b']', ..] => (Kind::ListClose, 1),
        [b',', ..] => (Kind::Comma, 1),
        [b'/', ..] => (Kind::Slash, 1),
        [b'\'' | b'"', ..] => return quoted(text, start),
        [byte, ..] if is_word(*byte) => {
            let len = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
            (Kind::Word(&text[start..start + len]), len)
        }
        _ => return Err(stray(text, start)),
    };
    Ok((kind, start + len))
}

fn quoted(text: &str, start: usize) -> Result<(Kind<'_>, usize), FilterError> {
    let (mark, inner) = text[start..].split_at(1);
    match inner.find(mark) {
        Some(len) => Ok((Kind::Quoted(&inner[..len]), start + len + 2)),
        None => {
            let span = Span { start, end: text.len() };
            Err(FilterError::at(text, span, "this quote is never closed").expecting(format!("a `{mark}`")))
        }
    }
}

fn stray(text: &str, start: usize) -> FilterError {
    let character = text[start..].chars().next().unwrap_or_default();
    let span = Span { start, end: start + character.len_utf8() };
    let error =
        FilterError::at(text, span, format!("`{}` is not part of a filter", character.escape_debug()));
    match character {
        '&' => error.hinting("write `and` or `&&`"),
        '|' => error.hinting("write `or` or `||`"),
        _ => error.hinting("put text with other characters into quotes"),
    }
}
