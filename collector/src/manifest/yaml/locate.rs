//! Finds in the file a place within a text value: a filter's error is shown where the filter is written.
//!
//! White space is what YAML rewrites (folding, indentation), so the n-th other character of the value is looked
//! for as the n-th other character of what is written, escapes counted as what they stand for.

use saphyr_parser::ScalarStyle;

use super::super::problem::Position;

/// Where byte `offset` of `value` stands in `file`, whose character `first` begins the value.
pub(super) fn locate(
    file: &str,
    first: usize,
    style: ScalarStyle,
    value: &str,
    offset: usize,
) -> Option<Position> {
    let offset = (0..=offset.min(value.len())).rev().find(|at| value.is_char_boundary(*at))?;
    let visible = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
    let before = visible(&value[..offset]);
    let on_text = value[offset..].chars().next().is_some_and(|c| !c.is_whitespace());
    let file = file.strip_prefix('\u{feff}').unwrap_or(file);
    let start = file.char_indices().nth(first).map(|(at, _)| at)?;
    let begin = start + header(&file[start..], style);
    let written = Written { rest: &file[begin..], at: begin, style };
    let place = if on_text {
        written.filter(|unit| unit.visible).nth(before)?.start
    } else if before == 0 {
        begin
    } else {
        written.filter(|unit| unit.visible).nth(before - 1)?.end
    };
    Some(position(file, place))
}

/// Bytes in front of the content: a quote. (A block scalar's position is that of its content.)
fn header(text: &str, style: ScalarStyle) -> usize {
    let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
    usize::from(quoted && text.starts_with(['\'', '"']))
}

fn position(file: &str, at: usize) -> Position {
    let before = &file[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}

/// One character of the value, as it is written.
struct Unit {
    start: usize,
    end: usize,
    visible: bool,
}

/// Walks what is written, a unit of the value at a time.
struct Written<'a> {
    rest: &'a str,
    at: usize,
    style: ScalarStyle,
}

impl Iterator for Written<'_> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        let first = self.rest.chars().next()?;
        let (length, visible) = match (self.style, first) {
            (ScalarStyle::SingleQuoted, '\'') => {
                if !self.rest.starts_with("''") {
                    return None;
                }
                (2, true)
            }
            (ScalarStyle::DoubleQuoted, '"') => return None,
            (ScalarStyle::DoubleQuoted, '\\') => escape(self.rest),
            _ => (first.len_utf8(), !first.is_whitespace()),
        };
        let start = self.at;
        self.at += length;
        self.rest = self.rest.get(length..).unwrap_or_default();
        Some(Unit { start, end: self.at, visible })
    }
}

/// Bytes of an escape, and whether it stands for something other than white space.
fn escape(text: &str) -> (usize, bool) {
    let Some(kind) = text.chars().nth(1) else { return (text.len(), false) };
    let digits = match kind {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => 0,
    };
    let length = (1 + kind.len_utf8() + digits).min(text.len());
    if digits > 0 {
        let code = text.get(2..length).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        return (length, code.and_then(char::from_u32).is_none_or(|c| !c.is_whitespace()));
    }
    (length, !(kind.is_whitespace() || matches!(kind, 'n' | 't' | 'r' | 'v' | 'f' | 'N' | '_' | 'L' | 'P')))
}
