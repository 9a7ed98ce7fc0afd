//! SRv6 segment lists in the forms that RFC 9487 gives them: addresses from the first segment of the list on.

use std::net::Ipv6Addr;

use super::fields::Read;
use super::reader::Reader;

/// Bytes of a segment routing header before its list (RFC 8754, 2).
const HEADER: usize = 8;
/// Where a segment routing header says how many segments are left.
pub(super) const LEFT_AT: usize = 3;

/// The segments that a field of this form holds; none when it holds something else.
pub(super) fn addresses(read: Read, field: &[u8]) -> impl Iterator<Item = Ipv6Addr> {
    let list = match read {
        Read::SegmentList => basic_list(field).unwrap_or_default(),
        Read::SegmentHeader => header(field),
        _ => field,
    };
    list.as_chunks::<16>().0.iter().map(|segment| Ipv6Addr::from(*segment))
}

/// The list inside a segment routing header: it has one segment more than the header's "last entry".
fn header(field: &[u8]) -> &[u8] {
    let Some(last) = field.get(4) else { return &[] };
    let list = field.get(HEADER..).unwrap_or_default();
    list.get(..16 * (usize::from(*last) + 1)).unwrap_or(list)
}

/// The content of a basicList of addresses (RFC 6313, 4.5.1): semantics, element, its length, the values.
fn basic_list(field: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(field);
    reader.take(1)?;
    let element = reader.u16()?;
    let length = reader.u16()?;
    if element & 0x8000 != 0 {
        reader.u32()?;
    }
    (length == 16).then(|| reader.rest())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(last: u8) -> Vec<u8> {
        [&[0x20, 1, 0x0d, 0xb8][..], &[0; 11], &[last]].concat()
    }

    fn text(read: Read, field: &[u8]) -> String {
        addresses(read, field).map(|one| one.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_form_of_a_segment_list_gives_the_same_text() {
        let list = [segment(1), segment(2)].concat();
        let of_elements = [&[3, 1, 0xee, 0, 16][..], &list].concat();
        let of_header = [&[43, 4, 4, 1, 1, 0, 0, 0][..], &list, &[5, 1, 0]].concat();
        for (read, field) in
            [(Read::Segments, &list), (Read::SegmentList, &of_elements), (Read::SegmentHeader, &of_header)]
        {
            assert_eq!(text(read, field), "2001:db8::1 2001:db8::2", "{read:?}");
        }
    }

    #[test]
    fn a_list_that_is_cut_or_of_something_else_gives_its_whole_addresses_or_none() {
        assert_eq!(text(Read::Segments, &[&segment(1)[..], &[1, 2]].concat()), "2001:db8::1");
        assert_eq!(text(Read::SegmentList, &[3, 1, 0xee, 0, 4, 192, 0, 2, 1]), "");
        assert_eq!(text(Read::SegmentHeader, &[43, 4]), "");
    }
}
