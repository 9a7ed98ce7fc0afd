//! Numbers under which names stand.

use super::super::records::number;

/// An application's number (95): the engine's byte on top, then the selector (RFC 6759, 4.1).
pub(crate) fn application(bytes: &[u8]) -> Option<u64> {
    let (engine, selector) = bytes.split_first()?;
    let fits = (1..=8).contains(&selector.len()) && number(selector) < 1 << 56;
    fits.then(|| u64::from(*engine) << 56 | number(selector))
}
