//! Data on its way out beside the aggregator: datagrams as they came, and the flows of chosen channels.
//!
//! ```text
//! receiving thread: Feed ==bounded buffers of datagrams==> a thread for each target ==> other collectors
//!                        ==bounded batches of flows=====> a thread for each target ==> Apache Kafka
//! ```
//!
//! A [`Feed`] belongs to one receiving thread and never waits: what finds no buffer is dropped and counted. Behind it a
//! target may be slow, refuse or be away; collection does not notice. Without targets a feed is empty, and costs a
//! comparison for each datagram and each batch. Kafka is there with the cargo feature `kafka`.

mod account;
mod choose;
#[cfg(feature = "kafka")]
mod flows;
#[cfg(feature = "kafka")]
mod goflow;
#[cfg(feature = "kafka")]
mod kafka;
mod queue;
pub mod relay;
mod replicate;
mod resolve;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crds::config::target::{ExportConfig, ReplicateConfig, SECRETS_FOLDER, TargetConfig};
use crds::config::{EdgeConfig, Transport};
use crds::fleet::TargetReport;
use tracing::error;

use crate::flow::{Batch, Hits};
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
    /// The folder with the files that targets' secrets are in.
    pub secrets: PathBuf,
    /// How many threads receive, at most.
    pub threads: usize,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self { relay: relay::SOCKET.into(), secrets: SECRETS_FOLDER.into(), threads: 1 }
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
    output: Output,
}

/// Where a target's thread takes what it sends.
#[derive(Debug)]
enum Output {
    Datagrams(SyncSender<Buffer>),
    #[cfg(feature = "kafka")]
    Flows(SyncSender<flows::Flows>),
    /// This program was built without what the target needs.
    #[cfg(not(feature = "kafka"))]
    Nothing,
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
            if let Some(running) = table.running.get(&target.name) {
                feed.add(&target.export, config, running);
            }
        }
        feed
    }

    /// What was counted since the last call, for targets of which something was. The log hears of targets that stand
    /// otherwise than they did.
    pub fn take_counts(&self) -> Vec<TargetCounts> {
        let mut table = lock(&self.0.table);
        let running = table.running.values().map(|running| &running.account);
        running.clone().for_each(|account| account.log_change());
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
        let kept = self.running.remove(&target.name).map(|running| running.account);
        let account = kept.unwrap_or_else(|| Arc::new(Account::new(&target.name)));
        let started = match &target.export {
            ExportConfig::Replicate(replicate) => replicating(replicate, config, options, &account, alive),
            #[cfg(feature = "kafka")]
            ExportConfig::Kafka(kafka) => writing(kafka, options, &account, alive),
            #[cfg(not(feature = "kafka"))]
            ExportConfig::Kafka(_) => {
                let message = "this weir was built without Kafka: build it with `--features kafka`";
                account.hopeless("Unsupported", message);
                Ok(Output::Nothing)
            }
        };
        match started {
            Ok(output) => {
                let running = Running { config: target.export.clone(), account, output };
                self.running.insert(target.name.clone(), running);
            }
            Err(cause) => error!(export = target.name, %cause, "cannot start a thread: nothing is exported"),
        }
    }
}

/// Starts a thread that replicates datagrams.
fn replicating(
    replicate: &ReplicateConfig,
    config: &EdgeConfig,
    options: &ExportOptions,
    account: &Arc<Account>,
    alive: SyncSender<()>,
) -> io::Result<Output> {
    let udp = config.listeners.iter().filter(|listener| listener.transport == Transport::Udp);
    let own_ports: Arc<[u16]> = udp.map(|listener| listener.port).collect();
    let mut replicator = Replicator::new(replicate, &own_ports, &options.relay, Arc::clone(account));
    let (output, input) = arrivals(options.threads);
    let work = move || {
        let _alive = alive;
        for buffer in input {
            replicator.send(&buffer);
            buffer.give_back();
        }
    };
    std::thread::Builder::new().name("export".to_owned()).spawn(work)?;
    Ok(Output::Datagrams(output))
}

/// Starts a thread that writes flows to Kafka.
#[cfg(feature = "kafka")]
fn writing(
    kafka: &crds::config::target::KafkaConfig,
    options: &ExportOptions,
    account: &Arc<Account>,
    alive: SyncSender<()>,
) -> io::Result<Output> {
    let writer = kafka::Writer::new(kafka, &options.secrets, Arc::clone(account));
    let (output, input) = sync_channel(flows::BATCHES * options.threads);
    let work = move || {
        let _alive = alive;
        writer.run(&input);
    };
    std::thread::Builder::new().name("kafka".to_owned()).spawn(work)?;
    Ok(Output::Flows(output))
}

/// What one receiving thread gives to every target.
#[derive(Debug, Default)]
pub struct Feed {
    taps: Vec<Tap>,
    #[cfg(feature = "kafka")]
    flows: flows::FlowTap,
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

    fn add(&mut self, export: &ExportConfig, config: &EdgeConfig, running: &Running) {
        match (export, &running.output) {
            (ExportConfig::Replicate(replicate), Output::Datagrams(output)) => {
                self.taps.push(Tap::new(replicate, config, output.clone(), &running.account));
            }
            #[cfg(feature = "kafka")]
            (ExportConfig::Kafka(kafka), Output::Flows(output)) => {
                let way = flows::Way { output: output.clone(), account: Arc::clone(&running.account) };
                self.flows.add(&kafka.flows, &config.profiles, way);
            }
            _ => {}
        }
    }

    /// Hands over what was given; to be called after each pass.
    pub fn flush(&mut self) {
        self.taps.iter_mut().for_each(|tap| tap.queue.flush());
    }
}

#[cfg(feature = "kafka")]
impl Feed {
    /// Whether any target wants flows: then every column must be filled.
    #[inline]
    pub fn wants_flows(&self) -> bool {
        !self.flows.is_empty()
    }

    /// Gives the rows that targets want of a batch, told by the channels they belong to. Where there are any, the
    /// batch itself changes hands, and is an empty one afterwards.
    pub fn flows(&mut self, batch: &mut Batch, hits: &Hits) {
        self.flows.take(batch, hits);
    }
}

#[cfg(not(feature = "kafka"))]
impl Feed {
    /// Whether any target wants flows: none that this program was built with does.
    #[inline]
    pub const fn wants_flows(&self) -> bool {
        false
    }

    /// Nobody takes them.
    pub const fn flows(&mut self, _: &mut Batch, _: &Hits) {}
}

/// The way to one target.
#[derive(Debug)]
struct Tap {
    choice: Choice,
    queue: Queue,
}

impl Tap {
    fn new(
        replicate: &ReplicateConfig,
        config: &EdgeConfig,
        output: SyncSender<Buffer>,
        account: &Arc<Account>,
    ) -> Self {
        let copies = replicate.destinations.len() as u64;
        Self {
            choice: Choice::new(replicate, &config.listeners, &config.sources),
            queue: Queue::new(output, Arc::clone(account), copies),
        }
    }
}

#[cfg(test)]
mod tests;
