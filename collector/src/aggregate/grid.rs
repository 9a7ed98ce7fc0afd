//! A bucket's bytes: columns of unsigned numbers, each as narrow as its largest value, then zstd.
//!
//! `[format 1]` and a zstd frame of: number of columns and rows (u32 little endian each), the width of each
//! column in bytes (0, 1, 2, 4 or 8; 0: all zero), then the columns. A row of a *grid* is what its table says.

use crate::slot::inflate;

const FORMAT: u8 = 1;
/// No bucket is larger than this once decompressed.
const MAX_BYTES: usize = 256 << 20;

/// Columns of equal length.
pub(super) type Columns = Vec<Vec<u64>>;

/// Why bytes are not a grid: written by another version of Weir, or damaged.
#[derive(Debug, thiserror::Error)]
#[error("unreadable bucket: {0}")]
pub(super) struct GridError(String);

/// Encodes columns of equal length.
pub(super) fn encode(columns: &[Vec<u64>]) -> Vec<u8> {
    let rows = columns.first().map_or(0, Vec::len);
    let widths: Vec<u8> = columns.iter().map(|c| width(c.iter().fold(0, |all, v| all | v))).collect();
    let bytes_a_row: usize = widths.iter().map(|w| usize::from(*w)).sum();
    let mut plain = Vec::with_capacity(8 + widths.len() + rows * bytes_a_row);
    plain.extend_from_slice(&(columns.len() as u32).to_le_bytes());
    plain.extend_from_slice(&(rows as u32).to_le_bytes());
    plain.extend_from_slice(&widths);
    for (column, width) in columns.iter().zip(&widths) {
        for value in column {
            plain.extend_from_slice(&value.to_le_bytes()[..usize::from(*width)]);
        }
    }
    compress(&plain)
}

#[allow(clippy::expect_used, reason = "zstd cannot fail into memory of its own bound")]
fn compress(plain: &[u8]) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    bytes.extend(zstd::bulk::compress(plain, 1).expect("compressing to memory"));
    bytes
}

fn width(all_bits: u64) -> u8 {
    match all_bits {
        0 => 0,
        0x1..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

/// Decodes columns; there are exactly `expected` of them.
///
/// # Errors
/// When the bytes are of another format, damaged, or have another number of columns.
pub(super) fn decode(bytes: &[u8], expected: usize) -> Result<Columns, GridError> {
    let (format, frame) = bytes.split_first().ok_or_else(|| GridError("empty".into()))?;
    if *format != FORMAT {
        return Err(GridError(format!("format {format}, this version reads format {FORMAT}")));
    }
    let plain = inflate(frame, MAX_BYTES).map_err(GridError)?;
    unpack(&plain, expected).ok_or_else(|| GridError("its columns do not fit its length".into()))
}

fn unpack(plain: &[u8], expected: usize) -> Option<Columns> {
    let (count, rest) = plain.split_first_chunk::<4>()?;
    let (rows, rest) = rest.split_first_chunk::<4>()?;
    let rows = u32::from_le_bytes(*rows) as usize;
    if u32::from_le_bytes(*count) as usize != expected || rest.len() < expected {
        return None;
    }
    let (widths, mut rest) = rest.split_at(expected);
    let mut columns = Vec::with_capacity(expected);
    for width in widths {
        let (column, after) = rest.split_at_checked(rows.checked_mul(usize::from(*width))?)?;
        columns.push(widen(column, usize::from(*width), rows)?);
        rest = after;
    }
    (rest.is_empty() && rows <= MAX_BYTES / 8).then_some(columns)
}

fn widen(bytes: &[u8], width: usize, rows: usize) -> Option<Vec<u64>> {
    Some(match width {
        0 if rows <= MAX_BYTES / 8 => vec![0; rows],
        1 => bytes.iter().map(|b| u64::from(*b)).collect(),
        2 => bytes.as_chunks().0.iter().map(|b| u64::from(u16::from_le_bytes(*b))).collect(),
        4 => bytes.as_chunks().0.iter().map(|b| u64::from(u32::from_le_bytes(*b))).collect(),
        8 => bytes.as_chunks().0.iter().map(|b| u64::from_le_bytes(*b)).collect(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = u64> {
        prop_oneof![Just(0), 0..300u64, 0..70_000u64, any::<u64>()]
    }

    proptest! {
        #[test]
        fn columns_read_back_as_they_were_written(
            columns in (0usize..40).prop_flat_map(|rows| prop::collection::vec(prop::collection::vec(value(), rows), 5)),
        ) {
            prop_assert_eq!(decode(&encode(&columns), 5).unwrap(), columns);
        }

        #[test]
        fn damaged_bytes_are_refused_or_read_but_never_panic(
            at in 0usize..200, flip in 1u8..255, columns in prop::collection::vec(prop::collection::vec(value(), 9), 3),
        ) {
            let mut bytes = encode(&columns);
            let at = at % bytes.len();
            bytes[at] ^= flip;
            let _ = decode(&bytes, 3);
            prop_assert!(decode(&bytes[..at], 3).is_err());
        }
    }

    #[test]
    fn another_format_is_named() {
        let mut bytes = encode(&[vec![1]]);
        bytes[0] = 9;
        assert!(decode(&bytes, 1).unwrap_err().to_string().contains("format 9, this version reads format 1"));
    }
}
