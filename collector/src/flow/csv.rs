//! Flow records as CSV (RFC 4180): always the same columns, so that files can be joined.

use super::json::Extra;
use super::row::{Field, Row};

/// Appends the header line.
pub fn write_csv_header(out: &mut Vec<u8>) {
    for field in Field::all() {
        out.extend_from_slice(field.name().as_bytes());
        out.push(b',');
    }
    out.extend_from_slice(b"extra\r\n");
}

/// Appends the record as one line; a field that it does not have is empty, lists are separated by blanks,
/// `extra` is a JSON object.
pub fn write_csv(row: Row<'_>, out: &mut Vec<u8>) {
    for field in Field::all() {
        if let Some(value) = row.value(field) {
            push(&value.to_string(), out);
        }
        out.push(b',');
    }
    let extra = row.extra();
    if !extra.is_empty() {
        push(&serde_json::to_string(&Extra(&extra)).unwrap_or_default(), out);
    }
    out.extend_from_slice(b"\r\n");
}

/// A cell; quoted where it holds what separates cells or lines.
fn push(cell: &str, out: &mut Vec<u8>) {
    if !cell.contains([',', '"', '\r', '\n']) {
        return out.extend_from_slice(cell.as_bytes());
    }
    out.push(b'"');
    out.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}
