//! Blocks in a folder.
//!
//! | file | holds |
//! |---|---|
//! | `id` | the spool's identity, 32 hex digits |
//! | `<first>-<number>.block` | one block, whole: written beside and renamed |
//! | `sent` | the highest number that may have left: blocks up to it are never merged |
//! | `watermarks` | where each stream stood, and what its exporter taught |
//! | `*.damaged` | what was found cut short after a power loss, set aside |

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::{error, warn};

use super::merge::{merged, without_counts};
use super::watermarks::{Watermarks, write_durably};
use crate::folder::{self, FolderError, FolderLock};
use crate::slot::{self, Block, DropReason, Dropped, Lost, SpoolId, StreamFacts, StreamReport};

/// Blocks between two writings of the watermarks.
const CHECKPOINT: u64 = 30;

/// Cuts that are kept in memory while the disk takes none: five minutes of them.
const UNSAVED: usize = 150;

/// What a full spool merges into: (blocks at a time, slots of, only blocks with shorter slots).
const LEVELS: [(usize, u32); 2] = [(30, 60_000), (5, 300_000)];

/// How much a spool may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all blocks.
    pub bytes: u64,
    /// Age of the oldest block.
    pub age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 1 << 30, age: Duration::from_secs(24 * 3600) }
    }
}

/// Why a spool cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file in it cannot be read or written.
    #[error("spool {}: {source}", .folder.display())]
    Io {
        /// The spool's folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The identity is not one: numbers would start anew under it.
    #[error("{}: not a spool's identity; move the folder away to begin a new spool", .0.display())]
    Identity(PathBuf),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    first: u64,
    number: u64,
    bytes: u64,
    made_ms: u64,
    slot_ms: u32,
}

/// The spool of one edge, locked while it is open.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    _lock: FolderLock,
    id: SpoolId,
    limits: Limits,
    /// On disk, oldest first.
    entries: VecDeque<Entry>,
    /// Cut, but not on disk.
    unsaved: VecDeque<Block>,
    next: u64,
    sent: u64,
    acknowledged: u64,
    /// Given up, and not yet told in a block.
    dropped: Dropped,
    /// Numbers of blocks set aside while the folder is read.
    damaged: Vec<u64>,
    pub(super) given_up: u64,
    marks: Watermarks,
    pub(super) trouble: Option<String>,
}

impl Spool {
    /// Opens the spool in `folder`, or makes one. Blocks of an earlier run are sent before new ones.
    ///
    /// # Errors
    /// When another process has it, or it cannot be read or written.
    pub fn open(folder: &Path, limits: Limits) -> Result<Self, SpoolError> {
        let lock = FolderLock::take(folder)?;
        let io = |source| SpoolError::Io { folder: folder.to_owned(), source };
        let id = identity(folder)?;
        let mut spool = Self {
            folder: folder.to_owned(),
            _lock: lock,
            id,
            limits,
            entries: VecDeque::new(),
            unsaved: VecDeque::new(),
            next: 1,
            sent: 0,
            acknowledged: 0,
            dropped: Dropped::default(),
            damaged: Vec::new(),
            given_up: 0,
            marks: Watermarks::open(folder).map_err(io)?,
            trouble: None,
        };
        spool.read_back().map_err(io)?;
        Ok(spool)
    }

    /// The spool's identity.
    pub fn id(&self) -> SpoolId {
        self.id
    }

    /// The number of the last block; 0 before the first.
    pub fn last(&self) -> u64 {
        self.next - 1
    }

    /// Whether it was never used.
    pub fn is_new(&self) -> bool {
        self.next == 1 && self.marks.reports().is_empty()
    }

    /// How each stream stood at the last durable cut.
    pub fn watermarks(&self) -> Vec<StreamReport> {
        self.marks.reports()
    }

    /// What each stream's exporter had taught by then.
    pub fn facts(&self) -> Vec<StreamFacts> {
        self.marks.facts()
    }

    /// Blocks and bytes that wait, the acknowledged number.
    pub(super) fn waiting(&self) -> (u64, u64, u64) {
        let bytes = self.entries.iter().map(|entry| entry.bytes).sum();
        ((self.entries.len() + self.unsaved.len()) as u64, bytes, self.acknowledged)
    }

    /// Numbers a block and makes it durable. While the disk takes nothing, blocks wait in memory; past five
    /// minutes of them the oldest's counts are given up, and told in a later block.
    pub fn append(&mut self, mut block: Block) {
        block.spool = self.id;
        self.unsaved.push_back(block);
        if self.unsaved.len() > UNSAVED {
            self.forget_oldest_unsaved();
        }
        while let Some(block) = self.unsaved.pop_front() {
            if let Err((block, cause)) = self.save(block) {
                self.trouble = Some(format!("{}: {cause}", self.folder.display()));
                self.unsaved.push_front(*block);
                return;
            }
            self.trouble = None;
        }
    }

    /// The oldest blocks, at most 64 or 4 MiB, as they are to be sent; they count as sent from now on.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn oldest(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        for entry in self.entries.iter().take(64) {
            if !batch.is_empty() && bytes + entry.bytes > 4 << 20 {
                break;
            }
            bytes += entry.bytes;
            batch.push(fs::read(self.path(entry))?);
        }
        let last = batch.len().checked_sub(1).map_or(0, |at| self.entries[at].number);
        if last > self.sent {
            self.sent = last;
            fs::write(self.folder.join("sent"), last.to_string())?;
        }
        Ok(batch)
    }

    /// The aggregator has everything up to `last`.
    pub fn acknowledge(&mut self, last: u64) {
        self.acknowledged = self.acknowledged.max(last);
        while self.entries.front().is_some_and(|entry| entry.number <= last) {
            if let Some(entry) = self.entries.pop_front() {
                self.remove(&entry);
            }
        }
        if self.entries.front().is_some_and(|entry| entry.first <= last) {
            self.cut_overlap(last);
        }
        if self.entries.front().is_some_and(|entry| entry.first > last + 1) {
            self.close_gap(last);
        }
        if last >= self.next {
            self.skip_to(last);
        }
    }

    /// Writes the watermarks, so that every acknowledged block can go. To be called before the process ends.
    pub fn checkpoint(&mut self) {
        if let Err(cause) = self.marks.write(self.last()) {
            warn!(%cause, "cannot write the spool's watermarks");
            return;
        }
        self.sweep();
    }

    fn save(&mut self, mut block: Block) -> Result<(), (Box<Block>, io::Error)> {
        block.number = self.next;
        block.first = self.next;
        let given_up = block.dropped;
        block.dropped.add(&self.dropped);
        let bytes = slot::encode(&block);
        if let Err(cause) = self.write(self.next, self.next, &bytes) {
            block.dropped = given_up;
            return Err((Box::new(block), cause));
        }
        self.dropped = Dropped::default();
        self.entries.push_back(entry(&block, bytes.len()));
        self.next += 1;
        self.marks.note(&block);
        if self.next > self.marks.covered + CHECKPOINT {
            self.checkpoint();
        }
        self.keep_to_limits(block.made_ms);
        Ok(())
    }

    /// Writes a block beside and renames it into place: a file is whole, or it is not there.
    fn write(&self, first: u64, number: u64, bytes: &[u8]) -> io::Result<()> {
        let fresh = self.folder.join("block.new");
        write_durably(&fresh, bytes)?;
        fs::rename(&fresh, self.folder.join(file_name(first, number)))?;
        folder::sync(&self.folder)
    }

    fn keep_to_limits(&mut self, now_ms: u64) {
        let age = u64::try_from(self.limits.age.as_millis()).unwrap_or(u64::MAX);
        while self.entries.iter().map(|entry| entry.bytes).sum::<u64>() > self.limits.bytes {
            if !self.merge_some() && !self.give_up_oldest() {
                return;
            }
        }
        while self.unsent().is_some_and(|at| self.entries[at].made_ms.saturating_add(age) < now_ms) {
            if !self.give_up_oldest() {
                return;
            }
        }
    }

    /// The oldest block that surely never left.
    fn unsent(&self) -> Option<usize> {
        self.entries.iter().position(|entry| entry.first > self.sent)
    }

    /// Merges the oldest run of blocks with short slots into one with longer ones.
    fn merge_some(&mut self) -> bool {
        let Some(from) = self.unsent() else { return false };
        for (most, slot_ms) in LEVELS {
            let short = |at: &usize| self.entries[*at].slot_ms < slot_ms;
            let Some(start) = (from..self.entries.len()).find(short) else { continue };
            let run = (start..self.entries.len()).take_while(short).take(most).count();
            if run > 1 && self.replace(start, run, |blocks| merged(blocks, slot_ms)).is_ok() {
                return true;
            }
        }
        false
    }

    /// Gives up the counts of the oldest unsent block; its reports go on in the next one.
    fn give_up_oldest(&mut self) -> bool {
        let Some(at) = self.unsent().filter(|at| at + 1 < self.entries.len()) else { return false };
        let done = self.replace(at, 2, |blocks| {
            let [oldest, next] = blocks else { return None };
            let oldest = without_counts(oldest, DropReason::SpoolFull);
            merged(&[oldest, next.clone()], next.slot_ms)
        });
        self.given_up += 1;
        error!("the spool is full: the counts of its oldest block are given up");
        done.is_ok()
    }

    /// Puts what `make` makes of `count` blocks from `at` in their place.
    fn replace(
        &mut self,
        at: usize,
        count: usize,
        make: impl FnOnce(&[Block]) -> Option<Block>,
    ) -> io::Result<()> {
        let old: Vec<Entry> = self.entries.range(at..at + count).copied().collect();
        let mut blocks = Vec::with_capacity(count);
        for entry in &old {
            blocks.push(slot::decode(&fs::read(self.path(entry))?).map_err(io::Error::other)?);
        }
        let Some(block) = make(&blocks) else { return Err(io::ErrorKind::InvalidData.into()) };
        let bytes = slot::encode(&block);
        self.write(block.first, block.number, &bytes)?;
        self.entries.drain(at..at + count);
        self.entries.insert(at, entry(&block, bytes.len()));
        for gone in old.iter().filter(|gone| (gone.first, gone.number) != (block.first, block.number)) {
            self.remove(gone);
        }
        Ok(())
    }

    /// The aggregator has a part of a merged block (the order of things on disk was lost with the power): its
    /// counts are given up rather than added twice.
    fn cut_overlap(&mut self, last: u64) {
        error!("a merged block overlaps what the aggregator has: its counts are given up");
        self.given_up += 1;
        let done = self.replace(0, 1, |blocks| {
            let bare = without_counts(blocks.first()?, DropReason::Overlap);
            Some(Block { first: last + 1, ..bare })
        });
        if let Err(cause) = done {
            self.trouble = Some(cause.to_string());
        }
    }

    /// The aggregator misses blocks that are no longer here (a damaged file, or an aggregator restored from an
    /// older copy): the oldest block stands for them too, and says how many they were.
    fn close_gap(&mut self, last: u64) {
        error!(last, "the aggregator misses blocks that are no longer in the spool: their counts are lost");
        let done = self.replace(0, 1, |blocks| {
            let mut oldest = blocks.first()?.clone();
            let missing = Lost { blocks: oldest.first - last - 1, records: 0 };
            oldest.dropped.give_up(DropReason::Gap, missing);
            oldest.first = last + 1;
            Some(oldest)
        });
        if let Err(cause) = done {
            self.trouble = Some(cause.to_string());
        }
    }

    /// The aggregator knows numbers that this folder does not (it was restored from an older copy): new blocks
    /// continue after them.
    fn skip_to(&mut self, last: u64) {
        warn!(last, "the aggregator has later blocks than this spool made; continuing after them");
        self.next = last + 1;
        self.checkpoint();
    }

    /// The oldest cut's counts are given up; its reports join the next one's.
    fn forget_oldest_unsaved(&mut self) {
        let (Some(oldest), Some(next)) = (self.unsaved.pop_front(), self.unsaved.pop_front()) else { return };
        self.given_up += 1;
        let slot_ms = next.slot_ms;
        if let Some(joined) = merged(&[without_counts(&oldest, DropReason::DiskRefused), next], slot_ms) {
            self.unsaved.push_front(joined);
        }
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        self.folder.join(file_name(entry.first, entry.number))
    }

    /// Deletes an acknowledged or replaced block, unless the watermarks still need it.
    fn remove(&self, entry: &Entry) {
        if entry.number <= self.marks.covered || self.entries.iter().any(|kept| kept.number >= entry.number) {
            drop(fs::remove_file(self.path(entry)));
        }
    }

    /// Deletes files of blocks that neither wait nor are needed for the watermarks.
    fn sweep(&self) {
        for (first, number, path) in block_files(&self.folder).unwrap_or_default() {
            let waits = self.entries.iter().any(|entry| (entry.first, entry.number) == (first, number));
            if !waits && number <= self.marks.covered {
                drop(fs::remove_file(path));
            }
        }
    }

    fn read_back(&mut self) -> io::Result<()> {
        let sent = fs::read_to_string(self.folder.join("sent")).unwrap_or_default();
        self.sent = sent.trim().parse().unwrap_or_default();
        // Numbers that were sent are taken, also when the file that covers them is lost.
        self.next = self.marks.covered.max(self.sent) + 1;
        let mut files = block_files(&self.folder)?;
        // Of two files for one number the one that covers more is the newer.
        files.sort_by_key(|(first, number, _)| (*number, *first));
        for (_, number, path) in files {
            let bytes = fs::read(&path)?;
            match slot::decode(&bytes).ok().filter(|block| block.number == number) {
                Some(block) => self.take_back(&block, bytes.len()),
                None => self.set_aside(number, &path),
            }
        }
        // One that was followed by another leaves a gap, which is told when the aggregator turns out to miss it.
        let blocks = self.damaged.drain(..).filter(|number| *number >= self.next).count() as u64;
        self.dropped.give_up(DropReason::Damaged, Lost { blocks, records: 0 });
        Ok(())
    }

    fn take_back(&mut self, block: &Block, bytes: usize) {
        if self.entries.back().is_some_and(|entry| entry.number >= block.first) {
            return;
        }
        self.marks.note(block);
        self.next = self.next.max(block.number + 1);
        self.entries.push_back(entry(block, bytes));
    }

    fn set_aside(&mut self, number: u64, path: &Path) {
        warn!(file = %path.display(), "a damaged block is set aside");
        self.damaged.push(number);
        self.given_up += 1;
        drop(fs::rename(path, path.with_extension("damaged")));
    }
}

fn entry(block: &Block, bytes: usize) -> Entry {
    let Block { first, number, made_ms, slot_ms, .. } = *block;
    Entry { first, number, bytes: bytes as u64, made_ms, slot_ms }
}

fn file_name(first: u64, number: u64) -> String {
    format!("{first:020}-{number:020}.block")
}

fn block_files(folder: &Path) -> io::Result<Vec<(u64, u64, PathBuf)>> {
    let mut files = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let numbers = name.strip_suffix(".block").and_then(|stem| stem.split_once('-'));
        if let Some((Ok(first), Ok(number))) = numbers.map(|(first, number)| (first.parse(), number.parse()))
        {
            files.push((first, number, path));
        }
    }
    Ok(files)
}

/// The identity in the folder, or a new one of 128 random bits.
fn identity(folder: &Path) -> Result<SpoolId, SpoolError> {
    let path = folder.join("id");
    match fs::read_to_string(&path) {
        Ok(text) => u128::from_str_radix(text.trim(), 16)
            .map_err(|_| SpoolError::Identity(path))
            .and_then(|id| if id == 0 { Err(SpoolError::Identity(folder.join("id"))) } else { Ok(id) }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = random().and_then(|id| {
                write_durably(&path, format!("{id:032x}\n").as_bytes())?;
                folder::sync(folder).map(|()| id)
            });
            made.map_err(|source| SpoolError::Io { folder: folder.to_owned(), source })
        }
        Err(source) => Err(SpoolError::Io { folder: folder.to_owned(), source }),
    }
}

fn random() -> io::Result<SpoolId> {
    use std::io::Read;
    let mut bits = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bits)?;
    Ok(u128::from_le_bytes(bits))
}

#[cfg(test)]
mod tests;
