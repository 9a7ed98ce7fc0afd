//! The aggregator: applies blocks once, keeps series and top-N, answers questions about them.
//!
//! A block is decoded, checked against the last number of its spool, appended to the journal (the point of
//! acknowledgement) and counted in memory. Every slot, what has been counted goes into the store in one
//! transaction that also says which journal record it holds; roll-ups are derived in the same transaction.
//! After a crash the journal is read again from there. So a block counts once, whatever is killed when.

mod bucket;
mod cell;
mod checkpoint;
mod cover;
mod facts;
mod fleet;
mod grid;
pub mod ingest;
mod journal;
mod known;
mod lags;
mod ledger;
mod level;
mod markers;
mod names;
mod presence;
mod pulse;
mod read;
mod rollup;
mod state;
mod store;
mod tops;
pub mod view;
mod windows;
mod writer;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use crds::config::AggregatorConfig;
use tokio::sync::{broadcast, oneshot};

use self::checkpoint::Progress;
pub use self::fleet::{Fleet, FleetFull};
use self::level::Levels;
pub use self::read::{LIVE, ReadError, Reader};
pub use self::state::Limits;
use self::state::State;
use self::store::Store;
pub use self::store::StoreError;
use self::writer::Command;
use crate::folder::{FolderError, FolderLock};
use crate::slot::{self, Ack, Block, DecodeError, Provisional, SpoolId};

/// Commands that wait for the writer; a sender that finds the queue full is told to come back.
const QUEUE: usize = 1_024;
/// Changes that a slow listener may be behind by before it misses some.
const TICKS: usize = 256;

/// Why an aggregator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The series store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal.
    #[error("the journal of received blocks cannot be read: {0}")]
    Journal(std::io::Error),
    /// No thread.
    #[error("cannot start the aggregator's writer: {0}")]
    Thread(std::io::Error),
}

/// Why a block was not applied.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApplyError {
    /// It will never be: these bytes are no block.
    #[error("{0}")]
    Refused(String),
    /// Not from whom it came: it is another's.
    #[error("{0}")]
    Foreign(String),
    /// It cannot be now; send it again later.
    #[error("{0}")]
    Unavailable(String),
}

impl From<DecodeError> for ApplyError {
    fn from(error: DecodeError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Something changed: what a listener of live values waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The last commit: the number of the newest journal record; it never goes back.
    pub commit: u64,
    /// Whether only provisional values changed.
    pub provisional: bool,
    /// Starts of the slots that changed, Unix ms, in order.
    pub slots: Vec<u64>,
}

/// What the aggregator counts about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Blocks applied.
    pub applied: u64,
    /// Blocks that had been applied before.
    pub repeated: u64,
    /// Blocks that came before one that is missing.
    pub early: u64,
    /// Checkpoints written.
    pub checkpoints: u64,
    /// Writes to the journal or the store that failed.
    pub failed_writes: u64,
    /// Journal records found damaged when the aggregator started: their blocks are lost.
    pub damaged_records: u64,
}

/// A provisional value that nothing replaced is shown for this long: its edge has gone.
const PROVISIONAL_MS: u64 = 10_000;

/// What the writer and the readers share.
struct Shared {
    config: ArcSwap<AggregatorConfig>,
    state: RwLock<State>,
    progress: RwLock<Progress>,
    provisional: RwLock<HashMap<SpoolId, (u64, Provisional)>>,
    counts: RwLock<Counts>,
    /// What keeps journal or store from being written.
    trouble: RwLock<Trouble>,
    store: Store,
    /// The number of the newest journal record.
    commit: AtomicU64,
    limits: Limits,
    clock: Clock,
    ticks: broadcast::Sender<Tick>,
    fleet: Fleet,
}

/// What failed at the last attempt, in words; cleared by one that works.
#[derive(Clone, Debug, Default)]
struct Trouble {
    journal: Option<String>,
    store: Option<String>,
    /// When the store was last written; none: not yet.
    stored: Option<Instant>,
}

/// Tells Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    })
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn levels(&self) -> Levels {
        Levels::new(&self.config.load())
    }
}

/// Applies blocks. Everything that changes goes through one thread; reading goes through [`Reader`].
pub struct Aggregator {
    shared: Arc<Shared>,
    commands: mpsc::SyncSender<Command>,
    writer: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Aggregator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aggregator").finish_non_exhaustive()
    }
}

impl Aggregator {
    /// Opens or makes the store in `folder`, reads back what was acknowledged, and starts.
    ///
    /// # Errors
    /// When the folder is in use or cannot be written, or was written by a version with another format.
    pub fn open(config: &AggregatorConfig, folder: &Path) -> Result<Arc<Self>, OpenError> {
        Self::open_with(config, folder, Limits::default(), system_clock())
    }

    /// As [`Aggregator::open`], with other bounds and another clock.
    ///
    /// # Errors
    /// As [`Aggregator::open`].
    pub fn open_with(
        config: &AggregatorConfig,
        folder: &Path,
        limits: Limits,
        clock: Clock,
    ) -> Result<Arc<Self>, OpenError> {
        let lock = FolderLock::take(folder)?;
        Self::start(config, (folder, lock), Store::open(folder)?, limits, clock)
    }

    fn start(
        config: &AggregatorConfig,
        (folder, lock): (&Path, FolderLock),
        store: Store,
        limits: Limits,
        clock: Clock,
    ) -> Result<Arc<Self>, OpenError> {
        let transaction = store.read()?;
        let state = State::load(&transaction)?;
        let progress = Progress::load(&transaction)?;
        drop(transaction);
        let shared = Arc::new(Shared {
            config: ArcSwap::from_pointee(config.clone()),
            state: RwLock::new(state),
            progress: RwLock::new(progress),
            provisional: RwLock::default(),
            counts: RwLock::default(),
            trouble: RwLock::default(),
            store,
            commit: AtomicU64::new(0),
            limits,
            clock,
            ticks: broadcast::channel(TICKS).0,
            fleet: Fleet::default(),
        });
        let (commands, queue) = mpsc::sync_channel(QUEUE);
        let writer = writer::start(folder, lock, Arc::clone(&shared), queue)?;
        let aggregator = Self { shared, commands, writer: std::sync::Mutex::new(Some(writer)) };
        // The queue is empty.
        drop(aggregator.reconfigure(config));
        Ok(Arc::new(aggregator))
    }

    /// Applies a block: once, whatever comes twice or in the wrong order. The answer says how far the spool is.
    ///
    /// # Errors
    /// When the bytes are no block, or cannot be made durable now.
    pub async fn apply(&self, bytes: impl Into<Vec<u8>>) -> Result<Ack, ApplyError> {
        self.apply_all(vec![bytes.into()]).await
    }

    /// Applies blocks of one spool in the order given, in one commit.
    ///
    /// # Errors
    /// As [`Aggregator::apply`]; then none of them is applied.
    pub async fn apply_all(&self, blocks: Vec<Vec<u8>>) -> Result<Ack, ApplyError> {
        self.apply_of(blocks, None).await
    }

    /// As [`Aggregator::apply_all`], from whom may deliver for `node` alone.
    ///
    /// # Errors
    /// As [`Aggregator::apply`], and when the blocks or their spool are another node's.
    pub async fn apply_of(&self, blocks: Vec<Vec<u8>>, node: Option<&str>) -> Result<Ack, ApplyError> {
        let mut decoded = Vec::with_capacity(blocks.len());
        for bytes in blocks {
            decoded.push((slot::decode(&bytes)?, bytes));
        }
        if decoded.windows(2).any(|pair| pair[0].0.spool != pair[1].0.spool) {
            return Err(ApplyError::Refused("blocks of two spools in one request: send them apart".into()));
        }
        if let Some((block, _)) = decoded.iter().find(|(block, _)| !is_sound(block)) {
            let (first, number) = (block.first, block.number);
            return Err(ApplyError::Refused(format!(
                "block {number} says that it stands for {first} to {number}"
            )));
        }
        if let Some(node) = node {
            if let Some((block, _)) = decoded.iter().find(|(block, _)| block.edge != node) {
                return Err(foreign(node, &format!("the blocks of {}", block.edge)));
            }
            if let Some((block, _)) = decoded.first() {
                self.check_spool(block.spool, node)?;
            }
        }
        let (reply, answer) = oneshot::channel();
        self.send(Command::Apply { blocks: decoded, reply })?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Shows a spool's open slots until its next block comes.
    ///
    /// # Errors
    /// When the bytes are no provisional value.
    pub fn provisional(&self, bytes: &[u8]) -> Result<(), ApplyError> {
        self.provisional_of(bytes, None)
    }

    /// As [`Aggregator::provisional`], from whom may deliver for `node` alone.
    ///
    /// # Errors
    /// When the bytes are no provisional value, or the spool is another node's.
    pub fn provisional_of(&self, bytes: &[u8], node: Option<&str>) -> Result<(), ApplyError> {
        let provisional = slot::decode_provisional(bytes)?;
        if let Some(node) = node {
            self.check_spool(provisional.spool, node)?;
        }
        let mut slots: Vec<u64> = provisional.additions.iter().map(|a| a.slot_start_ms).collect();
        slots.sort_unstable();
        if read(&self.shared.state).last(provisional.spool) != Some(provisional.after) {
            return Ok(());
        }
        let now_ms = (self.shared.clock)();
        let mut held = self.shared.provisional.write().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, (came_ms, _)| now_ms.saturating_sub(*came_ms) < PROVISIONAL_MS);
        held.insert(provisional.spool, (now_ms, provisional));
        drop(held);
        let commit = self.shared.commit.load(Ordering::Acquire);
        drop(self.shared.ticks.send(Tick { commit, provisional: true, slots }));
        Ok(())
    }

    fn check_spool(&self, spool: SpoolId, node: &str) -> Result<(), ApplyError> {
        let state = read(&self.shared.state);
        match state.spools.get(&spool) {
            Some(known) if known.edge != node => Err(foreign(node, &format!("a spool of {}", known.edge))),
            _ => Ok(()),
        }
    }

    /// `namespace/name` of the FlowCollector.
    pub fn collector(&self) -> String {
        self.shared.config.load().collector.clone()
    }

    /// Takes a new configuration; it holds for everything that is shown and kept after what waits already. Changed
    /// filters leave a marker.
    ///
    /// # Errors
    /// When too much waits.
    pub fn reconfigure(&self, config: &AggregatorConfig) -> Result<(), ApplyError> {
        self.send(Command::Configure(Box::new(config.clone())))
    }

    /// Where the streams of an edge stood and what they taught, as an encoded block that is never applied: what an
    /// edge on another disk begins with.
    pub fn known(&self, node: &str) -> Vec<u8> {
        let known = known::known(&read(&self.shared.state), node);
        slot::encode(&known)
    }

    /// Who runs what.
    pub fn fleet(&self) -> &Fleet {
        &self.shared.fleet
    }

    /// Reads what is there.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.shared))
    }

    /// Stores now what would be stored within the next slot: the slots that are over, and the reports.
    ///
    /// # Errors
    /// When the store cannot be written, or the queue is full.
    pub async fn checkpoint(&self) -> Result<(), ApplyError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Checkpoint(reply))?;
        answer
            .await
            .unwrap_or_else(|_| Err("the aggregator is stopping".into()))
            .map_err(ApplyError::Unavailable)
    }

    /// Stores everything and stops; later blocks are refused. Waits for the disk.
    pub fn close(&self) {
        drop(self.send(Command::Stop));
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && writer.join().is_err()
        {
            tracing::error!("the aggregator's writer had ended with a panic");
        }
    }

    fn send(&self, command: Command) -> Result<(), ApplyError> {
        self.commands.try_send(command).map_err(|error| match error {
            mpsc::TrySendError::Full(_) => {
                ApplyError::Unavailable("too many blocks wait: send it again".into())
            }
            mpsc::TrySendError::Disconnected(_) => stopped(),
        })
    }
}

fn is_sound(block: &Block) -> bool {
    block.first >= 1 && block.first <= block.number
}

fn foreign(node: &str, what: &str) -> ApplyError {
    ApplyError::Foreign(format!("the certificate is of {node}, but these are {what}"))
}

fn stopped() -> ApplyError {
    ApplyError::Unavailable("the aggregator is stopping".into())
}

/// How long the writer waits for a block before it looks whether a checkpoint is due.
const IDLE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
