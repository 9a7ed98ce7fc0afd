//! Received blocks on disk, in order, until the store holds them: the point of acknowledgement.
//!
//! Segment files `journal-<sequence of the first record, 16 hex digits>.log`: the mark `WEIRJNL1`, then records:
//! length (u32 little endian), XXH3-64 of sequence and content, sequence (u64), content. What a crash cut short
//! at the end of the newest segment was never acknowledged and is cut off.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use crate::folder;

const MAGIC: &[u8; 8] = b"WEIRJNL1";
const HEAD: usize = 20;

/// A record read back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Its number: one more than the record before.
    pub(super) sequence: u64,
    /// The block's bytes.
    pub(super) content: Vec<u8>,
}

/// What was found on opening.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Every whole record, oldest first.
    pub(super) records: Vec<Record>,
    /// Records whose content did not match its hash, though a good one followed.
    pub(super) damaged: u64,
    /// Bytes after the last whole record.
    pub(super) torn_bytes: u64,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    last: u64,
    newest_slot: u64,
    bytes: u64,
}

/// The journal, open for appending.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    closed: Vec<Segment>,
    open: Option<(File, Segment)>,
    next: u64,
}

impl Journal {
    /// Reads what is there. `slot_of` tells a block's newest slot, for [`Journal::forget`].
    pub(super) fn open(
        folder: &Path,
        first: u64,
        slot_of: impl Fn(&[u8]) -> u64,
    ) -> io::Result<(Self, Found)> {
        let mut found = Found::default();
        let mut closed = Vec::new();
        for path in segments(folder)? {
            let before = found.records.len();
            let bytes = read_segment(&path, &mut found)?;
            let read = &found.records[before..];
            let newest_slot = read.iter().map(|r| slot_of(&r.content)).max().unwrap_or(0);
            closed.push(Segment { path, last: read.last().map_or(0, |r| r.sequence), newest_slot, bytes });
        }
        let next = found.records.last().map_or(first, |r| first.max(r.sequence + 1));
        Ok((Self { folder: folder.to_owned(), closed, open: None, next }, found))
    }

    /// The sequence of the next record.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.closed.iter().chain(self.open.as_ref().map(|(_, s)| s)).map(|s| s.bytes).sum()
    }

    /// Appends blocks, each with its newest slot, and makes them durable: all, or after an error none.
    pub(super) fn append(&mut self, blocks: &[(u64, &[u8])]) -> io::Result<()> {
        if self.open.is_none() {
            self.open = Some(create(&self.folder, self.next)?);
        }
        let Some((file, segment)) = &mut self.open else { return Err(io::ErrorKind::NotFound.into()) };
        let mut bytes = Vec::new();
        for (at, (_, block)) in blocks.iter().enumerate() {
            frame(&mut bytes, self.next + at as u64, block);
        }
        if let Err(error) = file.write_all(&bytes).and_then(|()| file.sync_data()) {
            self.abandon();
            return Err(error);
        }
        segment.bytes += bytes.len() as u64;
        self.next += blocks.len() as u64;
        segment.last = self.next - 1;
        segment.newest_slot = blocks.iter().map(|b| b.0).fold(segment.newest_slot, u64::max);
        Ok(())
    }

    /// After an error nobody knows what of the segment's end is on the disk: it is cut to what was durable,
    /// and the next append begins a new one.
    fn abandon(&mut self) {
        let Some((file, segment)) = self.open.take() else { return };
        if segment.last == 0 {
            drop(std::fs::remove_file(&segment.path));
            return;
        }
        drop(file.set_len(segment.bytes).and_then(|()| file.sync_data()));
        self.closed.push(segment);
    }

    /// Ends the open segment, so that it can be forgotten as a whole.
    pub(super) fn rotate(&mut self) {
        if self.open.as_ref().is_some_and(|(_, s)| s.last > 0) {
            self.closed.extend(self.open.take().map(|(_, s)| s));
        }
    }

    /// Deletes closed segments that the store holds in full: every record is at most `sequence`, and no slot
    /// is at or past `open_slot`.
    pub(super) fn forget(&mut self, sequence: u64, open_slot: u64) -> io::Result<()> {
        let (gone, kept) = std::mem::take(&mut self.closed)
            .into_iter()
            .partition::<Vec<_>, _>(|s| s.last <= sequence && s.newest_slot < open_slot);
        self.closed = kept;
        gone.iter().try_for_each(|segment| std::fs::remove_file(&segment.path))
    }
}

fn segments(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if name.starts_with("journal-") && name.ends_with(".log") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn create(folder: &Path, first: u64) -> io::Result<(File, Segment)> {
    let path = folder.join(format!("journal-{first:016x}.log"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
    let made = file.write_all(MAGIC).and_then(|()| folder::sync(folder));
    if let Err(error) = made {
        drop(std::fs::remove_file(&path));
        return Err(error);
    }
    Ok((file, Segment { path, last: 0, newest_slot: 0, bytes: MAGIC.len() as u64 }))
}

fn hash(sequence: u64, content: &[u8]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(&sequence.to_le_bytes());
    hasher.update(content);
    hasher.digest()
}

fn frame(bytes: &mut Vec<u8>, sequence: u64, content: &[u8]) {
    bytes.extend_from_slice(&(content.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&hash(sequence, content).to_le_bytes());
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(content);
}

/// Reads the records of a segment, cuts off what is torn, and returns the bytes that stay.
fn read_segment(path: &Path, found: &mut Found) -> io::Result<u64> {
    let bytes = std::fs::read(path)?;
    let mut at = MAGIC.len();
    let mut good = at.min(bytes.len());
    let mut suspect = 0;
    if bytes.len() >= MAGIC.len() && !bytes.starts_with(MAGIC) {
        let text =
            format!("{}: not a journal of this version of weir; move it away to go on", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    while let Some((record, next)) = read_record(&bytes, at) {
        match record {
            Some(record) => {
                found.damaged += std::mem::take(&mut suspect);
                found.records.push(record);
                good = next;
            }
            None => suspect += 1,
        }
        at = next;
    }
    if good < bytes.len() {
        found.torn_bytes += (bytes.len() - good) as u64;
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(good as u64).and_then(|()| file.sync_data())?;
    }
    Ok(good as u64)
}

/// The record at `at`, none in its place when its hash does not fit, and where the next one begins.
fn read_record(bytes: &[u8], at: usize) -> Option<(Option<Record>, usize)> {
    let head: &[u8; HEAD] = bytes.get(at..at + HEAD)?.first_chunk()?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let expected = u64::from_le_bytes(*head[4..12].first_chunk()?);
    let sequence = u64::from_le_bytes(*head[12..20].first_chunk()?);
    let end = at + HEAD + length;
    let content = bytes.get(at + HEAD..end)?;
    let record =
        (hash(sequence, content) == expected).then(|| Record { sequence, content: content.to_vec() });
    Some((record, end))
}
