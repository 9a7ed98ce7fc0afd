//! Data on its way out beside the aggregator: datagrams as they came.
//!
//! ```text
//! receiving thread: Feed ==bounded buffers==> a thread for each target ==> other collectors
//! ```
//!
//! A [`Feed`] belongs to one receiving thread and never waits: what finds no buffer is dropped and counted. Behind it a
//! target may be slow, refuse or be away; collection does not notice. Without targets a feed is empty, and costs a
//! comparison for each datagram.

mod account;
mod choose;
mod queue;
pub mod relay;
mod replicate;
mod resolve;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crds::config::target::{ExportConfig, ReplicateConfig, TargetConfig};
use crds::config::{EdgeConfig, Transport};
use crds::fleet::TargetReport;
use tracing::error;

use crate::slot::TargetCounts;
use account::{Account, lock};
use choose::Choice;
use queue::{Buffer, Queue, arrivals};
use replicate::Replicator;

/// For how long what is queued may still be sent when an edge ends.
const DRAIN: Duration = Duration::from_secs(5);

/// Where an edge finds what its targets need.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// Where `weir relay` listens.
    pub relay: PathBuf,
    /// How many threads receive, at most.
    pub threads: usize,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self { relay: relay::SOCKET.into(), threads: 1 }
    }
}

/// Every target of an edge, with the threads that send; shared by all that receive.
#[derive(Clone, Debug)]
pub struct Exports(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: ExportOptions,
    table: Mutex<Table>,
    /// Ends with the last thread that sends.
    ended: Mutex<Receiver<()>>,
}

#[derive(Debug)]
struct Table {
    running: BTreeMap<String, Running>,
    /// Accounts of targets that are gone, until everything in them is told.
    leaving: Vec<Arc<Account>>,
    /// None once the edge ends.
    alive: Option<SyncSender<()>>,
}

#[derive(Debug)]
struct Running {
    config: ExportConfig,
    account: Arc<Account>,
    output: SyncSender<Buffer>,
}

impl Exports {
    /// No target yet.
    pub fn new(options: ExportOptions) -> Self {
        let (alive, ended) = sync_channel(1);
        let table = Table { running: BTreeMap::new(), leaving: Vec::new(), alive: Some(alive) };
        Self(Arc::new(Shared { options, table: Mutex::new(table), ended: Mutex::new(ended) }))
    }

    /// What a receiving thread gives to the targets of a configuration. Targets that are new or differ are started;
    /// those that are no longer there end when no feed leads to them any more.
    pub fn feed(&self, config: &EdgeConfig) -> Feed {
        let mut table = lock(&self.0.table);
        table.retire(&config.targets);
        let mut feed = Feed::default();
        for target in &config.targets {
            if table.running.get(&target.name).is_none_or(|running| running.config != target.export) {
                table.start(target, config, &self.0.options);
            }
            let Some(running) = table.running.get(&target.name) else { continue };
            let ExportConfig::Replicate(replicate) = &target.export else { continue };
            feed.taps.push(Tap::new(replicate, config, running));
        }
        feed
    }

    /// What was counted since the last call, for targets of which something was.
    pub fn take_counts(&self) -> Vec<TargetCounts> {
        let mut table = lock(&self.0.table);
        let running = table.running.values().map(|running| &running.account);
        let counts: Vec<TargetCounts> = running.chain(&table.leaving).map(|account| account.take()).collect();
        table.leaving.retain(|account| Arc::strong_count(account) > 1);
        counts.into_iter().filter(|counts| counts.sent > 0 || !counts.dropped.is_empty()).collect()
    }

    /// How each target stands, by name; `generation` tells which of the object runs.
    pub fn reports(&self, generation: impl Fn(&str) -> i64) -> Vec<TargetReport> {
        let table = lock(&self.0.table);
        table.running.iter().map(|(name, running)| running.account.report(generation(name))).collect()
    }

    /// Waits until what is queued is sent, at most five seconds; to be called when no feed is left.
    pub fn stop(&self) {
        let mut table = lock(&self.0.table);
        table.retire(&[]);
        table.alive = None;
        drop(table);
        if lock(&self.0.ended).recv_timeout(DRAIN) == Err(RecvTimeoutError::Timeout) {
            error!("an export target did not take what was left within {DRAIN:?}: it is dropped");
        }
    }
}

impl Table {
    /// Lets go of targets that are not among `wanted`.
    fn retire(&mut self, wanted: &[TargetConfig]) {
        let is_wanted = |name: &String| wanted.iter().any(|target| target.name == *name);
        let gone: Vec<String> = self.running.keys().filter(|name| !is_wanted(name)).cloned().collect();
        for name in gone {
            self.leaving.extend(self.running.remove(&name).map(|running| running.account));
        }
    }

    /// Starts a target's thread. One that ran with another configuration ends when its last feed is replaced; its
    /// account goes on.
    fn start(&mut self, target: &TargetConfig, config: &EdgeConfig, options: &ExportOptions) {
        let Some(alive) = self.alive.clone() else { return };
        let ExportConfig::Replicate(replicate) = &target.export else { return };
        let kept = self.running.remove(&target.name).map(|running| running.account);
        let account = kept.unwrap_or_else(|| Arc::new(Account::new(&target.name)));
        let udp = config.listeners.iter().filter(|listener| listener.transport == Transport::Udp);
        let own_ports: Arc<[u16]> = udp.map(|listener| listener.port).collect();
        let mut replicator = Replicator::new(replicate, &own_ports, &options.relay, Arc::clone(&account));
        let (output, input) = arrivals(options.threads);
        let work = move || {
            let _alive = alive;
            for buffer in input {
                replicator.send(&buffer);
                buffer.give_back();
            }
        };
        match std::thread::Builder::new().name("export".to_owned()).spawn(work) {
            Ok(_) => {
                let running = Running { config: target.export.clone(), account, output };
                self.running.insert(target.name.clone(), running);
            }
            Err(cause) => error!(target = target.name, %cause, "cannot start a thread: nothing is exported"),
        }
    }
}

/// What one receiving thread gives to every target.
#[derive(Debug, Default)]
pub struct Feed {
    taps: Vec<Tap>,
}

/// A datagram as it was received.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// Index of the listener.
    pub listener: u16,
    /// Who sent it.
    pub from: SocketAddr,
    /// Unix ms when it was read.
    pub received_ms: u64,
    /// What it carries.
    pub payload: &'a [u8],
}

impl Feed {
    /// Whether any target wants datagrams.
    #[inline]
    pub fn wants_datagrams(&self) -> bool {
        !self.taps.is_empty()
    }

    /// Gives a datagram to the targets that choose it; `source` is asked only when one of them wants to know.
    pub fn datagram(&mut self, datagram: &Original<'_>, source: impl FnOnce() -> u16) {
        let by_source = self.taps.iter().any(|tap| tap.choice.is_by_source());
        let source = if by_source { source() } else { 0 };
        for tap in &mut self.taps {
            if tap.choice.takes(datagram.listener, source) {
                tap.queue.push(datagram.from, datagram.payload, datagram.received_ms);
            }
        }
    }

    /// Hands over what was given; to be called after each pass.
    pub fn flush(&mut self) {
        self.taps.iter_mut().for_each(|tap| tap.queue.flush());
    }
}

/// The way to one target.
#[derive(Debug)]
struct Tap {
    choice: Choice,
    queue: Queue,
}

impl Tap {
    fn new(replicate: &ReplicateConfig, config: &EdgeConfig, running: &Running) -> Self {
        let copies = replicate.destinations.len() as u64;
        Self {
            choice: Choice::new(replicate, &config.listeners, &config.sources),
            queue: Queue::new(running.output.clone(), Arc::clone(&running.account), copies),
        }
    }
}

#[cfg(test)]
mod tests;
