//! The aggregator's file: one redb database, its tables, and what to do when the disk fails.

use std::path::{Path, PathBuf};

use parking::Held;
use redb::{
    Builder, Database, DatabaseError, ReadTransaction, ReadableTable, TableDefinition, WriteTransaction,
};

mod parking;

/// A bucket's rows: (level, bucket start in Unix ms, part) to a grid. Time-major: writing goes forward.
pub(super) const ROWS: TableDefinition<'static, (u8, u64, u64), &[u8]> = TableDefinition::new("rows");
/// Who collected what in a raw slot: slot start to a grid of (edge, plan, covered ms).
pub(super) const COVER: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("cover");
/// Streams expected and heard: (level, bucket start) to a grid of a row a source.
pub(super) const PRESENCE: TableDefinition<'static, (u8, u64), &[u8]> = TableDefinition::new("presence");
/// Top-N windows: (level, start, channel, "element/order") to postcard.
pub(super) const TOPS: TableDefinition<'static, (u8, u64, u32, &str), &[u8]> = TableDefinition::new("tops");
/// Names by (kind, id).
pub(super) const NAMES: TableDefinition<'static, (u8, u32), &[u8]> = TableDefinition::new("names");
/// Spools by id.
pub(super) const SPOOLS: TableDefinition<'static, u128, &[u8]> = TableDefinition::new("spools");
/// Streams by (spool, key in postcard).
pub(super) const STREAMS: TableDefinition<'static, (u128, &[u8]), &[u8]> = TableDefinition::new("streams");
/// The rhythm of a spool's streams: postcard in zstd.
pub(super) const PULSES: TableDefinition<'static, u128, &[u8]> = TableDefinition::new("pulses");
/// Listeners by (spool, name).
pub(super) const LISTENERS: TableDefinition<'static, (u128, &str), &[u8]> = TableDefinition::new("listeners");
/// Export targets by (spool, name).
pub(super) const TARGETS: TableDefinition<'static, (u128, &str), &[u8]> = TableDefinition::new("targets");
/// What streams taught, by (spool, key in postcard).
pub(super) const FACTS: TableDefinition<'static, (u128, &[u8]), &[u8]> = TableDefinition::new("facts");
/// When a channel's filter changed: (Unix ms, channel) to nothing.
pub(super) const MARKERS: TableDefinition<'static, (u64, u32), ()> = TableDefinition::new("markers");
/// Everything that is there once.
pub(super) const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("meta");

/// The version of all tables together; a change that this version cannot read makes a new one.
const FORMAT: &[u8] = b"weir aggregator 1";
const CACHE_BYTES: usize = 64 << 20;
const FILE: &str = "series.redb";

/// Why the store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Written by a version of Weir with another layout.
    #[error("{} has the format '{found}', and this version of weir reads 'weir aggregator 1': use the version that wrote it, or another folder", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// The disk or the file.
    #[error("the series store failed: {0}")]
    Disk(#[from] redb::Error),
    /// A value is not what was written.
    #[error("the series store is damaged: {0}")]
    Damaged(String),
    /// It is being opened again after an error.
    #[error("the series store is closed after an error; it is tried again every few seconds")]
    Closed,
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                Self::Disk(error.into())
            }
        }
    )*};
}
from_redb!(CommitError, DatabaseError, StorageError, TableError, TransactionError);

impl From<super::grid::GridError> for StoreError {
    fn from(error: super::grid::GridError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<postcard::Error> for StoreError {
    fn from(error: postcard::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// How the file at a path becomes a database.
pub(super) type Create = fn(&Builder, &Path) -> Result<Database, DatabaseError>;

/// The database; closed and opened again after an error, because redb refuses to go on after one.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    create: Create,
    database: Held<Database>,
}

impl Store {
    /// Opens or makes the file in `folder`.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_by(folder, |builder, path| builder.create(path))
    }

    /// As [`Store::open`], on whatever `create` takes for the disk.
    pub(super) fn open_by(folder: &Path, create: Create) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        let database = open(&path, create)?;
        Ok(Self { path, create, database: Held::new(database) })
    }

    /// A consistent view of what is durable.
    pub(super) fn read(&self) -> Result<ReadTransaction, StoreError> {
        use redb::ReadableDatabase;
        if let Some(transaction) = self.database.with(|database| Ok(database.begin_read()?)) {
            return transaction;
        }
        // Whoever comes first after an error opens it again; while that fails, the error says why. The caller
        // may hold the state, for which a writer waits in here: no waiting.
        self.database.put_if_free(|| open(&self.path, self.create))?;
        self.database.with(|database| Ok(database.begin_read()?)).unwrap_or(Err(StoreError::Closed))
    }

    /// Runs `change` in one transaction and makes it durable: all of it, or nothing.
    pub(super) fn write<T>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_under(change, || (), |value, ()| value)
    }

    /// As [`Store::write`], but takes a lock before the change can be seen, and runs `after` under it.
    pub(super) fn write_under<C, L, T>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<C, StoreError>,
        lock: impl FnOnce() -> L,
        after: impl FnOnce(C, L) -> T,
    ) -> Result<T, StoreError> {
        self.database.put_if_empty(|| open(&self.path, self.create))?;
        let done = self.database.with(|database| commit(database, change, lock, after));
        let done = done.unwrap_or(Err(StoreError::Closed));
        if matches!(done, Err(StoreError::Disk(_))) {
            self.database.take();
        }
        done
    }

    /// Bytes of the file.
    pub(super) fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |m| m.len())
    }
}

fn commit<C, L, T>(
    database: &Database,
    change: impl FnOnce(&WriteTransaction) -> Result<C, StoreError>,
    lock: impl FnOnce() -> L,
    after: impl FnOnce(C, L) -> T,
) -> Result<T, StoreError> {
    let mut transaction = database.begin_write()?;
    // Opening after a crash then takes no walk over the whole file.
    transaction.set_quick_repair(true);
    let value = change(&transaction)?;
    let lock = lock();
    transaction.commit()?;
    Ok(after(value, lock))
}

fn open(path: &Path, create: Create) -> Result<Database, StoreError> {
    let database = create(Database::builder().set_cache_size(CACHE_BYTES), path)?;
    commit(&database, |transaction| make_tables(transaction, path), || (), |(), ()| ())?;
    Ok(database)
}

fn make_tables(transaction: &WriteTransaction, path: &Path) -> Result<(), StoreError> {
    let mut meta = transaction.open_table(META)?;
    let found: Option<Vec<u8>> = meta.get("format")?.map(|value| value.value().to_vec());
    match found {
        Some(found) if found.as_slice() != FORMAT => {
            let found = String::from_utf8_lossy(&found).into_owned();
            return Err(StoreError::Format { path: path.to_owned(), found });
        }
        Some(_) => {}
        None => {
            meta.insert("format", FORMAT)?;
        }
    }
    transaction.open_table(ROWS)?;
    transaction.open_table(COVER)?;
    transaction.open_table(PRESENCE)?;
    transaction.open_table(PULSES)?;
    transaction.open_table(TOPS)?;
    transaction.open_table(NAMES)?;
    transaction.open_table(SPOOLS)?;
    transaction.open_table(STREAMS)?;
    transaction.open_table(LISTENERS)?;
    transaction.open_table(TARGETS)?;
    transaction.open_table(FACTS)?;
    transaction.open_table(MARKERS)?;
    Ok(())
}
