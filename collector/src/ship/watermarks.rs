//! Where every stream stood at the last durable cut: from this a restarted edge tells what it missed.
//!
//! The file `watermarks` is an encoded block that holds nothing but streams and the last number; it is replaced
//! by rename now and then, and the blocks after it are kept until the next one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use foldhash::{HashMap, HashMapExt};

use crate::folder;
use crate::slot::{self, Block, StreamCounts, StreamKey, StreamReport};

/// Streams remembered; past it the one not seen for longest is forgotten.
const MAX_STREAMS: usize = 65_536;

#[derive(Debug)]
pub(super) struct Watermarks {
    path: PathBuf,
    streams: HashMap<StreamKey, StreamReport>,
    /// The last block that the file knows of.
    pub(super) covered: u64,
}

impl Watermarks {
    /// Reads the file; one that is missing or damaged is an empty one.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join("watermarks");
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let mut marks = Self { path, streams: HashMap::new(), covered: 0 };
        if let Ok(block) = slot::decode(&bytes) {
            marks.covered = block.number;
            marks.note(&block);
        }
        Ok(marks)
    }

    /// Takes over what a block says of its streams.
    pub(super) fn note(&mut self, block: &Block) {
        for report in &block.streams {
            let bare = StreamReport { counts: StreamCounts::default(), interfaces: vec![], ..report.clone() };
            self.streams.insert(report.key.clone(), bare);
        }
        while self.streams.len() > MAX_STREAMS {
            let oldest = self.streams.values().min_by_key(|report| report.last_seen_ms);
            let Some(key) = oldest.map(|report| report.key.clone()) else { break };
            self.streams.remove(&key);
        }
    }

    /// Makes the file durable: it then covers the blocks up to `number`.
    pub(super) fn write(&mut self, number: u64) -> io::Result<()> {
        let streams = self.streams.values().cloned().collect();
        let bytes = slot::encode(&Block { number, streams, ..Block::default() });
        let fresh = self.path.with_extension("new");
        write_durably(&fresh, &bytes)?;
        fs::rename(&fresh, &self.path)?;
        if let Some(folder) = self.path.parent() {
            folder::sync(folder)?;
        }
        self.covered = number;
        Ok(())
    }

    pub(super) fn reports(&self) -> Vec<StreamReport> {
        self.streams.values().cloned().collect()
    }
}

/// Writes a file and waits until its content is on the disk.
pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}
