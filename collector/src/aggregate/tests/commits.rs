//! Commits that fail: at their last fsync, when everything is on the disk all the same, and at their first.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageBackend};

use super::super::checkpoint::Progress;
use super::super::store::{META, Store};
use super::model::copy;
use super::{DAY0, Hand, SLOT, block, config, line, open, query};
use crate::aggregate::view::Value;
use crate::aggregate::{Aggregator, Limits};
use crate::folder::FolderLock;
use crate::slot::encode;

/// A real file whose fsync fails when it is told to.
#[derive(Debug)]
struct Failing {
    file: FileBackend,
    disk: &'static Disk,
}

/// What all opened files of one test share.
#[derive(Debug)]
struct Disk {
    syncs: AtomicU64,
    /// Fsyncs until one fails; negative: none does.
    left: AtomicI64,
}

impl Disk {
    const fn new() -> Self {
        Self { syncs: AtomicU64::new(0), left: AtomicI64::new(-1) }
    }
}

impl StorageBackend for Failing {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()?;
        self.disk.syncs.fetch_add(1, Ordering::SeqCst);
        match self.disk.left.fetch_sub(1, Ordering::SeqCst) {
            1 => Err(io::Error::other("the disk does not answer")),
            _ => Ok(()),
        }
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }
}

fn on(disk: &'static Disk, builder: &Builder, path: &Path) -> Result<Database, DatabaseError> {
    let options = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let file = FileBackend::new(options.map_err(redb::StorageError::from)?)?;
    builder.create_with_backend(Failing { file, disk })
}

/// An aggregator on such a disk.
fn start(folder: &Path, hand: &Hand, create: super::super::store::Create) -> Arc<Aggregator> {
    let lock = FolderLock::take(folder).unwrap();
    let store = Store::open_by(folder, create).unwrap();
    Aggregator::start(&config(), (folder, lock), store, Limits::default(), hand.clock()).unwrap()
}

/// How far the store in a folder is, as somebody finds it who opens the file now.
fn stored(folder: &Path) -> Progress {
    let copy = copy(folder);
    let database = Database::create(copy.path().join("series.redb")).unwrap();
    let meta = database.begin_read().unwrap().open_table(META).unwrap();
    let value = meta.get("progress").unwrap();
    value.map(|value| postcard::from_bytes(value.value()).unwrap()).unwrap_or_default()
}

/// Fails a checkpoint at its first or its last fsync, goes on, and checks that every block counts once.
async fn fail(disk: &'static Disk, create: super::super::store::Create, last: bool) {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::at(DAY0 + 25_000);
    let aggregator = start(folder.path(), &hand, create);
    aggregator.apply(encode(&block(1, 1, DAY0, 10_000, 1))).await.unwrap();
    let before = disk.syncs.load(Ordering::SeqCst);
    aggregator.checkpoint().await.unwrap();
    let syncs = disk.syncs.load(Ordering::SeqCst) - before;
    let done = stored(folder.path());

    aggregator.apply(encode(&block(1, 2, DAY0 + SLOT, 10_000, 20))).await.unwrap();
    hand.set(DAY0 + 35_000);
    disk.left.store(if last { syncs as i64 } else { 1 }, Ordering::SeqCst);
    let failed = aggregator.checkpoint().await.unwrap_err();
    assert!(failed.to_string().contains("does not answer"), "{failed}");
    assert!(aggregator.reader().trouble().unwrap().contains("does not answer"));
    assert_eq!(stored(folder.path()).sequence > done.sequence, last, "whether the commit is on the disk");

    // Blocks go on coming for the same slots; what was stored must not be stored again.
    aggregator.apply(encode(&block(1, 3, DAY0 + SLOT, 0, 300))).await.unwrap();
    let ask = query(DAY0, DAY0 + 60_000, SLOT, Value::Sum);
    let sums = [Some(100.0), Some(32_000.0), None, None, None, None];
    assert_eq!(line(&aggregator.reader().series(&ask).unwrap(), "http"), sums);
    hand.set(DAY0 + 95_000);
    aggregator.checkpoint().await.unwrap();
    assert_eq!(aggregator.reader().trouble(), None);
    assert_eq!(line(&aggregator.reader().series(&ask).unwrap(), "http"), sums);
    assert!(aggregator.reader().counts().failed_writes == 0, "a checkpoint that was asked for tells itself");
    let left = copy(folder.path());
    aggregator.close();
    let again = open(left.path(), &hand);
    assert_eq!(line(&again.reader().series(&ask).unwrap(), "http"), sums);
    let minute = query(DAY0, DAY0 + 60_000, 60_000, Value::Sum);
    assert_eq!(line(&again.reader().series(&minute).unwrap(), "http"), [Some(32_100.0)]);
    again.close();
}

#[tokio::test]
async fn a_commit_that_failed_at_its_last_fsync_but_is_on_the_disk_counts_once() {
    static DISK: Disk = Disk::new();
    fail(&DISK, |builder, path| on(&DISK, builder, path), true).await;
}

#[tokio::test]
async fn a_commit_that_failed_before_it_was_on_the_disk_is_made_again_and_counts_once() {
    static DISK: Disk = Disk::new();
    fail(&DISK, |builder, path| on(&DISK, builder, path), false).await;
}
