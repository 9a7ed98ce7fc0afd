//! A block's bytes, on disk and on the wire.
//!
//! `"WEIRBLK1"`, the XXH3-64 of the rest (little endian), then a zstd frame that holds the postcard form of
//! [`Block`](super::Block). A format change makes a new magic; old blocks stay readable by it.

use super::Block;

const MAGIC: &[u8; 8] = b"WEIRBLK1";
const HEADER: usize = 16;

/// No block is larger than this, compressed or not: a peer that claims more is refused.
pub const MAX_BLOCK_BYTES: usize = 64 << 20;

/// Why bytes are not a block.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Neither this format nor an older one.
    #[error("not a block: it begins with neither WEIRBLK1 nor an older format's mark")]
    Magic,
    /// The hash does not fit: the file was cut short or damaged.
    #[error("damaged block: its hash does not match its content")]
    Hash,
    /// The content is too large, or no valid zstd or postcard.
    #[error("unreadable block: {0}")]
    Content(String),
}

/// Encodes a block.
///
/// # Panics
/// Never: a block holds only types that postcard can write, and zstd writes to memory.
#[allow(clippy::expect_used, reason = "see Panics")]
pub fn encode(block: &Block) -> Vec<u8> {
    let plain = postcard::to_stdvec(block).expect("a block is plain data");
    let body = zstd::bulk::compress(&plain, 1).expect("compressing to memory");
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&xxhash_rust::xxh3::xxh3_64(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// Decodes a block.
///
/// # Errors
/// When the bytes are of another format, damaged, or larger than [`MAX_BLOCK_BYTES`].
pub fn decode(bytes: &[u8]) -> Result<Block, DecodeError> {
    let (magic, rest) = bytes.split_first_chunk::<8>().ok_or(DecodeError::Magic)?;
    let (hash, body) = rest.split_first_chunk::<8>().ok_or(DecodeError::Hash)?;
    if magic != MAGIC {
        return Err(DecodeError::Magic);
    }
    if u64::from_le_bytes(*hash) != xxhash_rust::xxh3::xxh3_64(body) {
        return Err(DecodeError::Hash);
    }
    let plain =
        zstd::bulk::decompress(body, MAX_BLOCK_BYTES).map_err(|e| DecodeError::Content(e.to_string()))?;
    postcard::from_bytes(&plain).map_err(|e| DecodeError::Content(e.to_string()))
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
