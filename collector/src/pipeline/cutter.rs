//! Cuts for all workers at once: every two seconds, and at the end of each slot, each hands out what it counted,
//! and one block is made of it. So what streams report belongs to one slot, but for a look at the sockets.
//!
//! A new plan makes a cut at once, and takes effect in every worker right behind that cut: a block is counted by
//! one plan. The first worker's clock says which time is covered; the others add only what they counted.

use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crds::config::{EdgeConfig, Transport};
use crds::fleet::EdgeReport;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, info, warn};

use super::addresses::Addresses;
use super::stages::Stages;
use super::wanted::Wanted;
use super::worker::{Order, unix_ms};
use crate::export::Exports;
use crate::ship::{self, Handover};
use crate::slot::{Block, DropReason, Provisional};
use crate::socket::Waker;
use crate::telemetry::Repeated;

/// How often an edge cuts.
const CUT: Duration = Duration::from_secs(2);

/// How often the open slots' provisional values are sent; also how late a cut may be.
const TICK: Duration = Duration::from_secs(1);

/// After so long without a place in the spool, what was counted is given up, so that memory stays bounded.
const STALL: Duration = Duration::from_secs(600);

/// Cuts that wait for the spool; while it is full the workers go on counting into the next cut.
pub(super) const QUEUE: usize = 16;

/// How a worker is reached.
#[derive(Debug)]
pub(super) struct Hand {
    pub(super) orders: SyncSender<Order>,
    pub(super) waker: Waker,
    pub(super) thread: JoinHandle<()>,
}

/// A worker's thread has ended that should run.
#[derive(Debug)]
struct Gone;

/// What makes blocks of what the workers count.
#[derive(Debug)]
pub(super) struct Cutter {
    edge: String,
    hands: Vec<Hand>,
    running: Arc<EdgeConfig>,
    generation: u64,
    wanted: watch::Receiver<Arc<Wanted>>,
    report: watch::Sender<EdgeReport>,
    addresses: Addresses,
    output: mpsc::Sender<Handover>,
    exports: Exports,
    /// Of each target that runs, by name.
    target_generations: BTreeMap<String, i64>,
    last_cut: Instant,
    /// Unix ms of the end of the slot that the last cut lies in.
    slot_end_ms: u64,
    stalls: Repeated,
    /// How long what was counted waits for a place in the spool.
    pub(super) patience: Duration,
    /// The reports of what was given up since the spool took a cut last: they go with the next one.
    given_up: Option<Block>,
    trouble: Trouble,
}

/// What keeps cuts from the spool, in words; for health.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    /// The trouble now.
    pub(super) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, trouble: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

impl Cutter {
    /// A cutter for workers that count by what `wanted` holds now. What is in force stands in `report`.
    pub(super) fn new(
        edge: &str,
        hands: Vec<Hand>,
        mut wanted: watch::Receiver<Arc<Wanted>>,
        report: watch::Sender<EdgeReport>,
        output: mpsc::Sender<Handover>,
        exports: Exports,
    ) -> Self {
        let first = Arc::clone(&wanted.borrow_and_update());
        report.send_if_modified(|report| first.runs(report));
        let running = Arc::new(first.config.clone());
        Self {
            edge: edge.to_owned(),
            hands,
            generation: generation(&running),
            slot_end_ms: slot_end_ms(running.slot_ms),
            running,
            wanted,
            report,
            addresses: Addresses::default(),
            output,
            exports,
            target_generations: first.target_generations.clone(),
            last_cut: Instant::now(),
            stalls: Repeated::every(Duration::from_secs(10)),
            patience: STALL,
            given_up: None,
            trouble: Trouble::default(),
        }
    }

    /// Where it says what keeps cuts from the spool.
    pub(super) fn trouble(&self) -> Trouble {
        self.trouble.clone()
    }

    /// Cuts until `stop` ends; then once more, after the workers have read what the kernel held.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let until_slot_end = self.until_slot_end();
            let turned = tokio::select! {
                biased;
                () = &mut stop => break,
                Ok(()) = self.wanted.changed() => self.replan().await,
                () = sleep(until_slot_end) => self.end_slot().await,
                _ = ticks.tick() => self.turn().await,
            };
            if turned.is_err() {
                return error!("a receiving thread has ended");
            }
        }
        self.last().await;
    }

    /// What is due: a plan that found no place before, a cut, a provisional value.
    async fn turn(&mut self) -> Result<(), Gone> {
        if self.last_cut.elapsed() + TICK / 2 < CUT {
            self.tick().await
        } else {
            self.cut(None).await.map(|_| ())
        }
    }

    fn until_slot_end(&self) -> Duration {
        Duration::from_millis(self.slot_end_ms.saturating_sub(unix_ms()))
    }

    async fn end_slot(&mut self) -> Result<(), Gone> {
        // Also when the spool has no place: the next attempt is due at the next slot's end.
        self.slot_end_ms = slot_end_ms(self.running.slot_ms);
        self.cut(None).await.map(|_| ())
    }

    /// A plan that cannot run leaves the old one in force.
    async fn replan(&mut self) -> Result<(), Gone> {
        let wanted = Arc::clone(&self.wanted.borrow());
        let mut config = wanted.config.clone();
        // Sockets and threads stay as they are: a change of theirs needs a restart.
        config.listeners.clone_from(&self.running.listeners);
        config.receive = self.running.receive;
        if config == *self.running {
            self.target_generations.clone_from(&wanted.target_generations);
            self.report.send_if_modified(|report| wanted.runs(report));
            return Ok(());
        }
        if let Err(cause) = Stages::new(&config) {
            error!(%cause, "the new plan cannot run; the one before goes on");
            self.report.send_if_modified(|report| wanted.fails(report, &cause.to_string()));
            return Ok(());
        }
        let config = Arc::new(config);
        if self.cut(Some(&config)).await? {
            info!(profiles = config.profiles.len(), "a new plan is in force");
            self.generation = generation(&config);
            self.running = config;
            self.target_generations.clone_from(&wanted.target_generations);
            self.report.send_if_modified(|report| wanted.runs(report));
        } else {
            self.wanted.mark_changed();
        }
        Ok(())
    }

    /// Cuts, unless the spool has no place: then everything stays counted for a later cut. Returns whether it did.
    async fn cut(&mut self, next: Option<&Arc<EdgeConfig>>) -> Result<bool, Gone> {
        if let Ok(place) = self.output.clone().try_reserve_owned() {
            let block = self.block(|reply| Order::Cut(reply, next.cloned())).await?;
            self.note_addresses(&block);
            let block = self.with_given_up(block);
            self.note_targets();
            place.send(Handover::Cut(Box::new(block)));
            self.trouble.set(None);
            return Ok(true);
        }
        self.stall().await.map(|()| false)
    }

    /// The spool has no place.
    async fn stall(&mut self) -> Result<(), Gone> {
        let waiting = self.last_cut.elapsed().as_secs();
        if let Some(unsaid) = self.stalls.pass() {
            warn!(waiting, unsaid, "the spool is slow: this cut waits");
        }
        if self.given_up.is_none() {
            self.trouble.set(Some(format!("the spool is slow: what was counted waits for {waiting} s")));
        }
        if self.last_cut.elapsed() > self.patience {
            let lost = self.block(|reply| Order::Cut(reply, None)).await?;
            let lost = self.with_given_up(ship::without_counts(&lost, DropReason::SpoolStalled));
            let (blocks, records) = (lost.dropped.blocks(), lost.dropped.records());
            error!(blocks, records, "the spool stands still: what was counted is given up");
            let text = format!("the spool stands still: {records} records are given up so far");
            self.trouble.set(Some(text));
            self.given_up = Some(lost);
        }
        Ok(())
    }

    /// The block with the reports of what was given up before it.
    fn with_given_up(&mut self, block: Block) -> Block {
        let Some(given_up) = self.given_up.take() else { return block };
        let slot_ms = block.slot_ms;
        ship::merged(&[given_up, block], slot_ms).unwrap_or_default()
    }

    fn note_addresses(&mut self, block: &Block) {
        // Each connection has a port of its own: only datagrams tell anything.
        let datagrams = |listener: &str| {
            let mut listeners = self.running.listeners.iter();
            listeners.any(|l| l.name == listener && l.transport == Transport::Udp)
        };
        let active = block.streams.iter().map(|report| &report.key).filter(|key| datagrams(&key.listener));
        let shared = self.addresses.shared(active, block.made_ms);
        self.report.send_if_modified(|report| {
            let new = report.shared_addresses != shared;
            report.shared_addresses = shared;
            new
        });
    }

    fn note_targets(&self) {
        let generation = |name: &str| self.target_generations.get(name).copied().unwrap_or_default();
        let targets = self.exports.reports(generation);
        self.report.send_if_modified(|report| {
            let new = report.targets != targets;
            report.targets = targets;
            new
        });
    }

    async fn tick(&mut self) -> Result<(), Gone> {
        let Block { channels, sources, slot_ms, additions, .. } = merged(self.ask(Order::Peek).await?);
        let provisional = Provisional { spool: 0, after: 0, channels, sources, slot_ms, additions };
        // A provisional value that finds no place is simply not shown: the next one replaces it.
        let _ = self.output.try_send(Handover::Provisional(Box::new(provisional)));
        Ok(())
    }

    async fn last(mut self) {
        let Ok(block) = self.block(Order::Stop).await else { return error!("the last cut is lost") };
        let block = self.with_given_up(block);
        if self.output.send(Handover::Cut(Box::new(block))).await.is_err() {
            error!("the spool is gone: the last cut is lost");
        }
        for hand in self.hands {
            // It has answered for the last time: the join only takes its result.
            if tokio::task::block_in_place(|| hand.thread.join()).is_err() {
                warn!("a receiving thread ended badly");
            }
        }
    }

    async fn block(&mut self, order: impl Fn(oneshot::Sender<Block>) -> Order) -> Result<Block, Gone> {
        let parts = self.ask(order).await?;
        self.last_cut = Instant::now();
        self.slot_end_ms = slot_end_ms(self.running.slot_ms);
        let (edge, generation) = (self.edge.clone(), self.generation);
        let targets = self.exports.take_counts();
        Ok(Block { edge, generation, made_ms: unix_ms(), targets, ..merged(parts) })
    }

    /// Gives every worker an order and waits for all answers.
    async fn ask(&self, order: impl Fn(oneshot::Sender<Block>) -> Order) -> Result<Vec<Block>, Gone> {
        let mut replies = Vec::with_capacity(self.hands.len());
        for hand in &self.hands {
            let (reply, answer) = oneshot::channel();
            // The worker has answered every order before: there is a place.
            hand.orders.try_send(order(reply)).map_err(|_| Gone)?;
            hand.waker.wake();
            replies.push(answer);
        }
        let mut parts = Vec::with_capacity(replies.len());
        for answer in replies {
            parts.push(answer.await.map_err(|_| Gone)?);
        }
        Ok(parts)
    }
}

/// When the slot ends that is now.
fn slot_end_ms(slot_ms: u32) -> u64 {
    let (now, slot) = (unix_ms(), u64::from(slot_ms).max(1));
    now - now % slot + slot
}

/// One block for the parts of all workers.
fn merged(mut parts: Vec<Block>) -> Block {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let mut connections = vec![0; parts.first().map_or(0, |part| part.listeners.len())];
    for (index, part) in parts.iter_mut().enumerate() {
        // Merging takes the last part's connections, as it does for blocks that follow each other.
        for (report, open) in part.listeners.iter_mut().zip(&mut connections) {
            *open += report.connections;
            report.connections = *open;
        }
        if index > 0 {
            part.additions.retain(|addition| !addition.rows.is_empty());
            part.additions.iter_mut().for_each(|addition| addition.covered_ms = 0);
        }
    }
    let slot_ms = parts.first().map_or(0, |part| part.slot_ms);
    ship::merged(&parts, slot_ms).unwrap_or_default()
}

/// A number for what a configuration counts: equal where profiles and sources are equal.
fn generation(config: &EdgeConfig) -> u64 {
    let plan = serde_json::to_vec(&(&config.profiles, &config.sources)).unwrap_or_default();
    xxhash_rust::xxh3::xxh3_64(&plan)
}
