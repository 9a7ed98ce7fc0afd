//! Where every stream stood at the last durable cut, and what its exporter had taught: from this a restarted edge
//! tells what it missed, and reads on without waiting for templates.
//!
//! The file `watermarks` is an encoded block that holds nothing but streams, their facts and the last number; it
//! is replaced by rename now and then, and the blocks after it are kept until the next one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use foldhash::{HashMap, HashMapExt};
use tracing::warn;

use crate::folder;
use crate::slot::{self, Block, KeptFacts, StreamCounts, StreamFacts, StreamKey, StreamReport};

/// Streams remembered; past it the one not seen for longest is forgotten.
const MAX_STREAMS: usize = 65_536;
/// Memory for what their exporters taught.
const FACTS: usize = 16 << 20;

#[derive(Debug)]
pub(super) struct Watermarks {
    path: PathBuf,
    streams: HashMap<StreamKey, StreamReport>,
    facts: KeptFacts<StreamKey>,
    /// The last block that the file knows of.
    pub(super) covered: u64,
}

impl Watermarks {
    /// Reads the file; one that cannot be read is set aside, and nothing is known.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join("watermarks");
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let mut marks = Self { path, streams: HashMap::new(), facts: KeptFacts::new(FACTS), covered: 0 };
        match slot::decode(&bytes) {
            Ok(block) => {
                marks.covered = block.number;
                marks.note(&block);
            }
            Err(_) if bytes.is_empty() => {}
            Err(cause) => marks.set_aside(&cause)?,
        }
        Ok(marks)
    }

    fn set_aside(&self, cause: &slot::DecodeError) -> io::Result<()> {
        let aside = self.path.with_extension("damaged");
        fs::rename(&self.path, &aside)?;
        warn!(
            file = %self.path.display(),
            aside = %aside.display(),
            %cause,
            "where streams stood is not readable and set aside: what was missed while the edge was down is not told, and data waits for fresh templates"
        );
        Ok(())
    }

    /// Takes over what a block says of its streams.
    pub(super) fn note(&mut self, block: &Block) {
        for report in &block.streams {
            let bare = StreamReport { counts: StreamCounts::default(), interfaces: vec![], ..report.clone() };
            self.streams.insert(report.key.clone(), bare);
        }
        for facts in &block.facts {
            self.facts.note(facts.key.clone(), facts);
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
        let facts = self.facts();
        let bytes = slot::encode(&Block { number, streams, facts, ..Block::default() });
        let fresh = self.path.with_extension("new");
        write_durably(&fresh, &bytes)?;
        fs::rename(&fresh, &self.path)?;
        if let Some(folder) = self.path.parent() {
            folder::sync(folder)?;
        }
        self.covered = number;
        Ok(())
    }

    pub(super) fn facts(&self) -> Vec<StreamFacts> {
        self.facts.iter().map(|(_, facts)| facts.clone()).collect()
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
