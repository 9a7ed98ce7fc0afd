//! A block's bytes, on disk and on the wire.
//!
//! `"WEIRBLK1"`, the XXH3-64 of the rest (little endian), then a zstd frame that holds the postcard form of
//! [`Block`](super::Block). A format change makes a new magic; old blocks stay readable by it. A
//! [`Provisional`](super::Provisional) is written alike, as `"WEIRPRV1"`.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Block, Provisional};

const BLOCK: &[u8; 8] = b"WEIRBLK1";
const PROVISIONAL: &[u8; 8] = b"WEIRPRV1";
const HEADER: usize = 16;

/// No block is larger than this, compressed or not: a peer that claims more is refused.
pub const MAX_BLOCK_BYTES: usize = 64 << 20;

/// Why bytes are not a block.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Neither this format nor an older one.
    #[error("not a block: it begins with another mark than WEIRBLK1 or WEIRPRV1")]
    Magic,
    /// The hash does not fit: the file was cut short or damaged.
    #[error("damaged block: its hash does not match its content")]
    Hash,
    /// The content is too large, or no valid zstd or postcard.
    #[error("unreadable block: {0}")]
    Content(String),
}

/// Encodes a block.
pub fn encode(block: &Block) -> Vec<u8> {
    pack(BLOCK, block)
}

/// Decodes a block.
///
/// # Errors
/// When the bytes are of another format, damaged, or larger than [`MAX_BLOCK_BYTES`].
pub fn decode(bytes: &[u8]) -> Result<Block, DecodeError> {
    unpack(BLOCK, bytes)
}

/// Encodes a provisional value.
pub fn encode_provisional(provisional: &Provisional) -> Vec<u8> {
    pack(PROVISIONAL, provisional)
}

/// Decodes a provisional value.
///
/// # Errors
/// As [`decode`].
pub fn decode_provisional(bytes: &[u8]) -> Result<Provisional, DecodeError> {
    unpack(PROVISIONAL, bytes)
}

#[allow(clippy::expect_used, reason = "plain data, written to memory: neither postcard nor zstd can fail")]
fn pack(magic: &[u8; 8], value: &impl Serialize) -> Vec<u8> {
    let plain = postcard::to_stdvec(value).expect("a block is plain data");
    let body = zstd::bulk::compress(&plain, 1).expect("compressing to memory");
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(magic);
    bytes.extend_from_slice(&xxhash_rust::xxh3::xxh3_64(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

fn unpack<T: DeserializeOwned>(expected: &[u8; 8], bytes: &[u8]) -> Result<T, DecodeError> {
    let (magic, rest) = bytes.split_first_chunk::<8>().ok_or(DecodeError::Magic)?;
    let (hash, body) = rest.split_first_chunk::<8>().ok_or(DecodeError::Hash)?;
    if magic != expected {
        return Err(DecodeError::Magic);
    }
    if u64::from_le_bytes(*hash) != xxhash_rust::xxh3::xxh3_64(body) {
        return Err(DecodeError::Hash);
    }
    let plain = inflate(body, MAX_BLOCK_BYTES).map_err(DecodeError::Content)?;
    postcard::from_bytes(&plain).map_err(|e| DecodeError::Content(e.to_string()))
}

/// Decompresses a zstd frame that states its size, which is at most `limit`: nothing is allocated on a lie.
pub(crate) fn inflate(frame: &[u8], limit: usize) -> Result<Vec<u8>, String> {
    let size = match zstd::zstd_safe::get_frame_content_size(frame) {
        Ok(Some(size)) if size <= limit as u64 => size as usize,
        Ok(Some(size)) => return Err(format!("{size} bytes, where at most {limit} are allowed")),
        _ => return Err("no zstd frame that states its size".into()),
    };
    zstd::bulk::decompress(frame, size).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::{Addition, ChannelKey};

    fn sample() -> Block {
        Block {
            spool: 7,
            number: 3,
            channels: vec![ChannelKey { profile: "default/a".into(), channel: "http".into() }],
            additions: vec![Addition { slot_start_ms: 10_000, covered_ms: 2_000, rows: vec![] }],
            ..Block::default()
        }
    }

    #[test]
    fn a_block_reads_back_as_it_was_written() {
        assert_eq!(decode(&encode(&sample())).unwrap(), sample());
    }

    #[test]
    fn a_block_with_any_byte_changed_or_cut_is_refused() {
        let good = encode(&sample());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            assert!(decode(&bad).is_err(), "byte {at} changed");
            assert!(decode(&good[..at]).is_err(), "cut at {at}");
        }
    }
}
