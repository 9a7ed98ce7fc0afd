//! The one thread that changes anything: journal, memory, store.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLockWriteGuard, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crds::config::AggregatorConfig;
use foldhash::HashMap;
use tokio::sync::oneshot;

use super::checkpoint::{Checkpoint, LATE_MS, Progress};
use super::journal::{Found, Journal};
use super::level::Levels;
use super::state::{Admission, Open, State};
use super::store::StoreError;
use super::{ApplyError, IDLE, OpenError, Shared, Tick, Trouble, markers, read};
use crate::folder::FolderLock;
use crate::slot::{self, Ack, Block, SpoolId};

/// Blocks that share one fsync, at most.
const GROUP: usize = 1_024;
/// Their bytes, about.
const GROUP_BYTES: usize = 16 << 20;
/// The journal is never larger than this plus one group: past it the store must catch up first.
const JOURNAL_BYTES: u64 = 1 << 30;
/// A journal past this makes a checkpoint at once.
const CHECKPOINT_BYTES: u64 = 64 << 20;
/// After a failed checkpoint.
const RETRY: Duration = Duration::from_secs(5);
/// A clock that jumped by more than this ...
const JUMP_MS: u64 = 3_600_000;
/// ... stops deletion by age until it went on without a jump for so long.
const STEADY_MS: u64 = 600_000;

/// Blocks of one spool with the bytes that they were decoded from.
type Blocks = Vec<(Block, Vec<u8>)>;
type Reply = oneshot::Sender<Result<Ack, ApplyError>>;

/// What the thread is asked to do.
pub(super) enum Command {
    /// Apply blocks of one spool, in order, and say how far it is.
    Apply {
        /// In order.
        blocks: Blocks,
        /// Where the answer goes.
        reply: Reply,
    },
    /// Take a configuration.
    Configure(Box<AggregatorConfig>),
    /// Store everything that is over.
    Checkpoint(oneshot::Sender<Result<(), String>>),
    /// Store everything and end.
    Stop,
}

struct Writer {
    shared: Arc<Shared>,
    journal: Journal,
    due: Instant,
    clock_seen: (Instant, u64),
    delete_from_ms: u64,
    /// What a commit that failed was to make of the store.
    suspect: Option<Stored>,
    _lock: FolderLock,
}

/// What a commit makes of the store: how far it is, and the series that expired.
type Stored = (Progress, Vec<u32>);

/// Reads the journal back and starts the thread.
pub(super) fn start(
    folder: &Path,
    lock: FolderLock,
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Command>,
) -> Result<JoinHandle<()>, OpenError> {
    let first = read(&shared.progress).sequence + 1;
    let (journal, found) = Journal::open(folder, first, newest_slot).map_err(OpenError::Journal)?;
    replay(&shared, &found);
    shared.commit.store(journal.next() - 1, Ordering::Release);
    let now = Instant::now();
    let clock_seen = (now, (shared.clock)());
    let mut writer =
        Writer { shared, journal, due: now, clock_seen, delete_from_ms: 0, suspect: None, _lock: lock };
    let thread = std::thread::Builder::new().name("aggregate".into());
    thread.spawn(move || writer.run(&queue)).map_err(OpenError::Thread)
}

/// The newest slot that a journalled block adds to.
fn newest_slot(bytes: &[u8]) -> u64 {
    slot::decode(bytes).map_or(0, |block| newest(&block))
}

fn newest(block: &Block) -> u64 {
    block.additions.iter().map(|a| a.slot_start_ms).max().unwrap_or(0)
}

/// Counts what the store does not hold yet.
fn replay(shared: &Shared, found: &Found) {
    let (progress, levels) = (read(&shared.progress).clone(), shared.levels());
    let mut state = shared.state.write().unwrap_or_else(PoisonError::into_inner);
    let mut damaged = found.damaged;
    for record in &found.records {
        let Ok(block) = slot::decode(&record.content) else {
            damaged += 1;
            continue;
        };
        let only = (record.sequence <= progress.sequence).then_some(progress.open);
        let admission = Admission { now_ms: (shared.clock)(), limits: shared.limits, only };
        state.add(&block, &levels, &admission);
    }
    drop(state);
    if damaged > 0 {
        tracing::error!(records = damaged, "the journal is damaged: these acknowledged blocks are lost");
    }
    if found.torn_bytes > 0 {
        tracing::warn!(
            bytes = found.torn_bytes,
            "cut off the end of the journal, which was not acknowledged"
        );
    }
    shared.counts.write().unwrap_or_else(PoisonError::into_inner).damaged_records = damaged;
}

/// Takes what the store holds out of the memory.
fn saved(
    shared: &Shared,
    (progress, expired): Stored,
    mut state: RwLockWriteGuard<'_, State>,
    active_ms: u64,
) -> Open {
    let open = progress.open;
    state.saved(&open);
    state.names.remove(active_ms, &expired);
    *shared.progress.write().unwrap_or_else(PoisonError::into_inner) = progress;
    open
}

impl Writer {
    fn run(&mut self, queue: &mpsc::Receiver<Command>) {
        loop {
            let command = queue.recv_timeout(IDLE);
            self.watch_clock();
            let stop = match command {
                Ok(command) => self.take(command, queue),
                Err(mpsc::RecvTimeoutError::Timeout) => false,
                Err(mpsc::RecvTimeoutError::Disconnected) => true,
            };
            if stop {
                self.checkpoint(true).unwrap_or_else(|error| self.report(&error));
                return;
            }
            if Instant::now() >= self.due || self.journal.bytes() > CHECKPOINT_BYTES {
                self.checkpoint(false).unwrap_or_else(|error| self.report(&error));
            }
        }
    }

    /// Runs a command, and with an `Apply` all that wait behind it. Whether to stop.
    fn take(&mut self, command: Command, queue: &mpsc::Receiver<Command>) -> bool {
        let mut group = Vec::new();
        let (mut next, mut bytes) = (Some(command), 0);
        while let Some(Command::Apply { blocks, reply }) = next {
            bytes += blocks.iter().map(|(_, b)| b.len()).sum::<usize>();
            group.push((blocks, reply));
            next = if group.len() < GROUP && bytes < GROUP_BYTES { queue.try_recv().ok() } else { None };
        }
        if !group.is_empty() {
            self.apply(group);
        }
        match next {
            Some(Command::Configure(config)) => markers::configure(&self.shared, *config),
            Some(Command::Checkpoint(reply)) => {
                let done = self.checkpoint(false);
                drop(reply.send(done));
            }
            Some(Command::Stop) => return true,
            Some(Command::Apply { .. }) | None => {}
        }
        false
    }

    /// Makes a group of blocks durable, counts them, answers.
    fn apply(&mut self, group: Vec<(Blocks, Reply)>) {
        let mut last: HashMap<SpoolId, u64> = HashMap::default();
        let (mut accepted, mut answers) = (Vec::new(), Vec::new());
        for (blocks, reply) in group {
            let spool = blocks.first().map_or(0, |(block, _)| block.spool);
            for (block, bytes) in blocks {
                if self.accept(&block, &mut last) {
                    accepted.push((block, bytes));
                }
            }
            answers.push((spool, reply));
        }
        let done = self.commit(&accepted);
        let state = read(&self.shared.state);
        for (spool, reply) in answers {
            let ack = done.clone().map(|()| Ack { last: state.last(spool).unwrap_or(0) });
            drop(reply.send(ack));
        }
    }

    /// Whether a block is the next one of its spool. A spool never heard of may begin anywhere: the
    /// aggregator may have lost its store.
    fn accept(&self, block: &Block, last: &mut HashMap<SpoolId, u64>) -> bool {
        let state = read(&self.shared.state);
        let known = last.get(&block.spool).copied().or_else(|| state.last(block.spool));
        if known.is_none() && state.spools.len() + last.len() >= self.shared.limits.spools {
            return false;
        }
        let before = known.unwrap_or(block.first - 1);
        let mut counts = self.shared.counts.write().unwrap_or_else(PoisonError::into_inner);
        if block.first == before + 1 {
            counts.applied += 1;
            last.insert(block.spool, block.number);
            return true;
        }
        *(if block.number <= before { &mut counts.repeated } else { &mut counts.early }) += 1;
        false
    }

    fn commit(&mut self, accepted: &[(Block, Vec<u8>)]) -> Result<(), ApplyError> {
        if accepted.is_empty() {
            return Ok(());
        }
        self.settle().map_err(|error| {
            self.report(&error);
            ApplyError::Unavailable(error.to_string())
        })?;
        if self.journal.bytes() > JOURNAL_BYTES {
            return Err(ApplyError::Unavailable("the series store cannot be written: see the log".into()));
        }
        let records: Vec<_> =
            accepted.iter().map(|(block, bytes)| (newest(block), bytes.as_slice())).collect();
        let appended = self.journal.append(&records).map_err(|error| {
            self.report(&error);
            format!("the journal cannot be written: {error}")
        });
        self.trouble().journal = appended.clone().err();
        appended.map_err(ApplyError::Unavailable)?;
        self.count(accepted);
        Ok(())
    }

    fn count(&mut self, accepted: &[(Block, Vec<u8>)]) {
        let levels = self.shared.levels();
        let admission = Admission { now_ms: (self.shared.clock)(), limits: self.shared.limits, only: None };
        let mut state = self.shared.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut slots: Vec<u64> =
            accepted.iter().flat_map(|(block, _)| state.add(block, &levels, &admission)).collect();
        drop(state);
        slots.sort_unstable();
        slots.dedup();
        if slots.first().is_some_and(|slot| *slot < read(&self.shared.progress).deleted[0]) {
            self.due = Instant::now();
        }
        let commit = self.journal.next() - 1;
        self.shared.commit.store(commit, Ordering::Release);
        drop(self.shared.ticks.send(Tick { commit, provisional: false, slots }));
    }

    /// Puts what is over into the store.
    fn checkpoint(&mut self, last: bool) -> Result<(), String> {
        let levels = self.shared.levels();
        self.due = Instant::now() + Duration::from_millis(levels.step[0]).min(RETRY * 2);
        let (now_ms, sequence) = ((self.shared.clock)(), self.journal.next() - 1);
        let stored = self.store(&levels, sequence, now_ms, last);
        let mut trouble = self.trouble();
        trouble.store = stored.as_ref().err().map(ToString::to_string);
        trouble.stored = if stored.is_ok() { Some(Instant::now()) } else { trouble.stored };
        drop(trouble);
        let open = stored.map_err(|error| {
            self.due = Instant::now() + RETRY;
            error.to_string()
        })?;
        self.shared.counts.write().unwrap_or_else(PoisonError::into_inner).checkpoints += 1;
        self.journal.rotate();
        self.journal.forget(sequence, open.from_ms).map_err(|error| error.to_string())
    }

    /// One transaction; what it holds leaves the memory before anybody can see it in the store.
    fn store(&mut self, levels: &Levels, sequence: u64, now_ms: u64, last: bool) -> Result<Open, StoreError> {
        self.settle()?;
        let shared = &self.shared;
        self.judge(levels, now_ms);
        let delete = now_ms >= self.delete_from_ms;
        let mut written = None;
        let change = |transaction: &redb::WriteTransaction| {
            let (state, progress) = (read(&shared.state), read(&shared.progress));
            let (state, progress) = (&*state, &*progress);
            let stored =
                Checkpoint { state, levels, progress, sequence, now_ms, last, delete }.write(transaction)?;
            written = Some(stored.clone());
            Ok(stored)
        };
        let lock = || shared.state.write().unwrap_or_else(PoisonError::into_inner);
        let active_ms = now_ms.saturating_sub(levels.keep[0]);
        let done =
            shared.store.write_under(change, lock, |stored, state| saved(shared, stored, state, active_ms));
        if done.is_err() {
            self.suspect = written;
        }
        done
    }

    /// Says which streams were silent in the slots that are over.
    fn judge(&self, levels: &Levels, now_ms: u64) {
        let mut state = self.shared.state.write().unwrap_or_else(PoisonError::into_inner);
        let State { pulses, presence, .. } = &mut *state;
        pulses.judge(now_ms.saturating_sub(LATE_MS), levels.step[0], presence);
    }

    /// A commit that failed at its very end may be on the disk all the same: then what it holds leaves the
    /// memory now. Until this is known nothing more is counted, or it would be stored twice.
    fn settle(&mut self) -> Result<(), StoreError> {
        let Some((progress, _)) = &self.suspect else { return Ok(()) };
        let on_disk = Progress::load(&self.shared.store.read()?)?;
        let arrived = on_disk == *progress;
        if let Some(stored) = self.suspect.take().filter(|_| arrived) {
            tracing::warn!("a commit that had failed is on the disk: it counts");
            let state = self.shared.state.write().unwrap_or_else(PoisonError::into_inner);
            let active_ms = (self.shared.clock)().saturating_sub(self.shared.levels().keep[0]);
            saved(&self.shared, stored, state, active_ms);
        }
        Ok(())
    }

    /// A clock that jumps ahead must not delete what is young.
    fn watch_clock(&mut self) {
        let (now, now_ms) = (Instant::now(), (self.shared.clock)());
        let (then, then_ms) = std::mem::replace(&mut self.clock_seen, (now, now_ms));
        let passed = u64::try_from((now - then).as_millis()).unwrap_or(u64::MAX);
        if now_ms.abs_diff(then_ms.saturating_add(passed)) > JUMP_MS {
            tracing::warn!("the clock jumped by over an hour: nothing is deleted by age for ten minutes");
            self.delete_from_ms = now_ms.saturating_add(STEADY_MS);
        }
    }

    fn trouble(&self) -> RwLockWriteGuard<'_, Trouble> {
        self.shared.trouble.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, error: &impl std::fmt::Display) {
        self.shared.counts.write().unwrap_or_else(PoisonError::into_inner).failed_writes += 1;
        tracing::error!(%error, "the aggregator cannot write; it tries again, and edges keep their blocks");
    }
}
