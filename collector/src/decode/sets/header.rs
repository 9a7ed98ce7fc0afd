//! The headers of NetFlow v9 (RFC 3954, 5.1) and IPFIX (RFC 7011, 3.1) messages.

use super::super::execute::Clock;
use super::super::reader::Reader;

/// The parts of a header.
pub(super) struct Header<'a> {
    pub(super) sequence: u32,
    pub(super) domain: u32,
    pub(super) clock: Clock,
    pub(super) promised: Option<u32>,
    pub(super) body: &'a [u8],
    pub(super) rest: &'a [u8],
    /// The bytes that its length promises and that are not there.
    pub(super) absent: usize,
}

/// Reads the header of NetFlow v9.
pub(super) fn v9_header(payload: &[u8]) -> Option<Header<'_>> {
    let mut reader = Reader::new(payload);
    let _version = reader.u16()?;
    let count = reader.u16()?;
    let uptime = reader.u32()?;
    let seconds = reader.u32()?;
    let sequence = reader.u32()?;
    let domain = reader.u32()?;
    let clock = Clock { export_ms: u64::from(seconds) * 1000, uptime_ms: Some(uptime), init_ms: None };
    let (body, rest) = split_v9(reader.rest(), seconds);
    Some(Header { sequence, domain, clock, promised: Some(count.into()), body, rest, absent: 0 })
}

/// v9 has no length. A "set" with the reserved number 9 that reads as a header of about the same time begins
/// another message.
fn split_v9(body: &[u8], seconds: u32) -> (&[u8], &[u8]) {
    let mut reader = Reader::new(body);
    while let (Some(id), Some(length)) = (reader.u16(), reader.u16()) {
        let at = body.len() - reader.len() - 4;
        if id == 9 {
            let mut header = reader;
            let (_uptime, time) = (header.u32(), header.u32());
            if header.len() >= 8 && time.is_some_and(|time| time.abs_diff(seconds) < 86_400) {
                return body.split_at(at);
            }
        }
        if length < 4 || reader.take(usize::from(length) - 4).is_none() {
            break;
        }
    }
    (body, &[])
}

/// Reads the header of IPFIX.
pub(super) fn ipfix_header(payload: &[u8]) -> Option<Header<'_>> {
    let mut reader = Reader::new(payload);
    let _version = reader.u16()?;
    let length = usize::from(reader.u16()?);
    let seconds = reader.u32()?;
    let sequence = reader.u32()?;
    let domain = reader.u32()?;
    let clock = Clock { export_ms: u64::from(seconds) * 1000, uptime_ms: None, init_ms: None };
    let truncated = length > payload.len() || length < 16;
    let absent = if truncated { length.saturating_sub(payload.len()).max(1) } else { 0 };
    let (body, rest) =
        reader.rest().split_at_checked(length.saturating_sub(16)).unwrap_or((reader.rest(), &[]));
    // What follows without being a message belongs to this one, whose length is wrong.
    let follows = rest.len() >= 16 && rest.starts_with(&[0, 10]);
    let (body, rest) = if follows && !truncated { (body, rest) } else { (reader.rest(), &[][..]) };
    Some(Header { sequence, domain, clock, promised: None, body, rest, absent })
}
