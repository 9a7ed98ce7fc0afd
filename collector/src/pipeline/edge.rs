//! The edge: its receiving threads, the cutter that makes blocks of what they count, and the task that spools
//! and ships the blocks.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crds::config::{EdgeConfig, Transport};
use crds::fleet::{EdgeReport, Running};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{debug, info, warn};

use super::StartError;
use super::cutter::{Cutter, Hand, QUEUE, Trouble};
use super::stages::Stages;
use super::wanted::Wanted;
use super::worker::Worker;
use crate::decode::{Decoder, Limits};
use crate::enrich::Places;
use crate::export::{ExportOptions, Exports};
use crate::ship::{self, Spool, Status, Upstream};
use crate::slot::{self, Block, StreamFacts, StreamKey, StreamReport};
use crate::socket::{self, Bound, Receiver};
use crate::tls::Current;

/// After the last cut, blocks are sent for so long unless told otherwise.
const DRAIN: Duration = Duration::from_secs(5);

/// Between two questions to an aggregator that does not answer.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// A running edge.
#[derive(Debug)]
pub struct Edge {
    wanted: watch::Sender<Arc<Wanted>>,
    report: watch::Sender<EdgeReport>,
    stop: watch::Sender<bool>,
    cutting: JoinHandle<()>,
    shipping: JoinHandle<()>,
    reporting: JoinHandle<()>,
    drain: watch::Sender<Duration>,
    status: Arc<Mutex<Status>>,
    stalled: Trouble,
    listeners: Vec<Bound>,
    exports: Exports,
}

impl Edge {
    /// Opens the listeners and the spool in `folder`, and receives. Called `name`, it ships to `upstream`. To be
    /// called within a runtime of several threads.
    ///
    /// # Errors
    /// When a port is taken, the folder cannot be used, or the configuration cannot run.
    pub fn start<U: Upstream>(
        wanted: impl Into<Wanted>,
        folder: &Path,
        name: &str,
        upstream: Arc<U>,
    ) -> Result<Self, StartError> {
        Self::exporting(wanted, folder, name, upstream, ExportOptions::default())
    }

    /// The same, where what export targets need is elsewhere.
    ///
    /// # Errors
    /// As [`Edge::start`].
    pub fn exporting<U: Upstream>(
        wanted: impl Into<Wanted>,
        folder: &Path,
        name: &str,
        upstream: Arc<U>,
        options: ExportOptions,
    ) -> Result<Self, StartError> {
        Self::run(Opened::new(wanted.into(), folder)?, None, name, upstream, options)
    }

    /// As [`Edge::exporting`]; with a spool that was never used, it first asks the aggregator where the streams of this
    /// edge stood and what they taught, for at most as long as `patience` says. The kernel holds what comes meanwhile.
    ///
    /// # Errors
    /// As [`Edge::start`].
    pub async fn start_asking<U: Upstream>(
        wanted: impl Into<Wanted>,
        folder: &Path,
        name: &str,
        upstream: Arc<U>,
        options: ExportOptions,
        patience: Duration,
    ) -> Result<Self, StartError> {
        let opened = Opened::new(wanted.into(), folder)?;
        let known = if opened.spool.is_new() { ask(name, &*upstream, patience).await } else { None };
        Self::run(opened, known, name, upstream, options)
    }

    fn run<U: Upstream>(
        opened: Opened,
        known: Option<Block>,
        name: &str,
        upstream: Arc<U>,
        options: ExportOptions,
    ) -> Result<Self, StartError> {
        let Opened { wanted, bound, receivers, buffer, spool } = opened;
        let (marks, facts) = match known {
            Some(known) => (known.streams, known.facts),
            None => (spool.watermarks(), spool.facts()),
        };
        let exports = Exports::new(ExportOptions { threads: receivers.len(), ..options });
        let hands = hire(&Arc::new(wanted.config.clone()), receivers, (&marks, &facts), &exports)?;
        let (wanted, orders) = watch::channel(wanted);
        let (report, reports) = watch::channel(EdgeReport {
            node: name.to_owned(),
            running: Running { version: env!("CARGO_PKG_VERSION").to_owned(), ..Running::default() },
            buffer_short: buffer_short(&bound, buffer),
            ..EdgeReport::default()
        });
        let (output, input) = mpsc::channel(QUEUE);
        let (stop, mut stopped) = watch::channel(false);
        let cutter = Cutter::new(name, hands, orders, report.clone(), output, exports.clone());
        let stalled = cutter.trouble();
        let cutting = tokio::spawn(async move {
            // A sender that is gone stops too.
            let stopped = async { _ = stopped.wait_for(|stopped| *stopped).await };
            cutter.run(stopped).await;
        });
        let status = Arc::new(Mutex::new(Status::default()));
        let (drain, draining) = watch::channel(DRAIN);
        let reporting = tokio::spawn(ship::report(Arc::clone(&upstream), reports));
        let shipping = tokio::spawn(ship::run(spool, input, upstream, Arc::clone(&status), draining));
        Ok(Self {
            wanted,
            report,
            stop,
            cutting,
            shipping,
            reporting,
            drain,
            status,
            stalled,
            listeners: bound,
            exports,
        })
    }

    /// How each listener is called, over what and where it listens.
    pub fn listeners(&self) -> impl Iterator<Item = (&str, Transport, SocketAddr)> {
        self.listeners.iter().map(|bound| (bound.name.as_str(), bound.transport, bound.address))
    }

    /// Puts profiles, sources and targets into force at once, with a cut. Listeners and workers stay.
    pub fn reconfigure(&self, wanted: impl Into<Wanted>) {
        self.wanted.send_replace(Arc::new(wanted.into()));
    }

    /// Where plans are put into force, as [`Edge::reconfigure`] does, from elsewhere.
    #[cfg(test)]
    pub(super) fn orders(&self) -> watch::Sender<Arc<Wanted>> {
        self.wanted.clone()
    }

    /// Says in reports what certificate the edge shows and whom it trusts, as that changes.
    pub fn follow(&self, mut current: Current) {
        let report = self.report.clone();
        tokio::spawn(async move {
            loop {
                let credentials = current.borrow_and_update().clone();
                if let Some(credentials) = credentials {
                    report.send_if_modified(|report| credentials.name(&mut report.running));
                }
                tokio::select! {
                    changed = current.changed() => if changed.is_err() { return },
                    () = report.closed() => return,
                }
            }
        });
    }

    /// What the edge says of itself: of profiles, what is in force.
    pub fn report(&self) -> watch::Receiver<EdgeReport> {
        self.report.subscribe()
    }

    /// How the spool stands.
    pub fn status(&self) -> Status {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A spool that hangs does not say so itself.
        status.trouble = self.stalled.get().or(status.trouble);
        status
    }

    /// Whether a part has ended that should run: the process must end too.
    pub fn has_died(&self) -> bool {
        self.cutting.is_finished() || self.shipping.is_finished()
    }

    /// As [`Edge::stop_within`] five seconds.
    pub async fn stop(self) {
        self.stop_within(DRAIN).await;
    }

    /// Reads what the kernel holds (for at most a second), cuts once more and ships what is spooled for at most as
    /// long as `drain` says; the rest stays in the spool for the next start.
    pub async fn stop_within(self, drain: Duration) {
        self.drain.send_replace(drain);
        self.stop.send_replace(true);
        self.reporting.abort();
        for (part, ended) in [("the receiving part", self.cutting.await), ("the spool", self.shipping.await)]
        {
            if let Err(cause) = ended {
                warn!(%cause, "{part} ended badly");
            }
        }
        tokio::task::block_in_place(|| self.exports.stop());
        let left = self.status.lock().unwrap_or_else(PoisonError::into_inner).blocks;
        if left > 0 {
            info!(blocks = left, "what was not shipped stays in the spool");
        }
    }
}

/// What is open before anything is received.
struct Opened {
    wanted: Arc<Wanted>,
    bound: Vec<Bound>,
    receivers: Vec<Receiver>,
    buffer: usize,
    spool: Spool,
}

impl Opened {
    fn new(wanted: Wanted, folder: &Path) -> Result<Self, StartError> {
        let config = &wanted.config;
        let workers = workers(config);
        let buffer = usize::try_from(config.receive.buffer).unwrap_or(usize::MAX);
        let (bound, receivers) = socket::open(&config.listeners, buffer, workers)?;
        advise(&bound, buffer);
        let spool = Spool::open(folder, ship::Limits::default())?;
        Ok(Self { wanted: Arc::new(wanted), bound, receivers, buffer, spool })
    }
}

/// Asks until there is an answer.
async fn ask<U: Upstream>(name: &str, upstream: &U, patience: Duration) -> Option<Block> {
    let asked = async {
        loop {
            match upstream.known(name).await {
                Ok(bytes) => return bytes,
                Err(cause) => debug!(%cause, "the aggregator does not tell yet what it knows of this edge"),
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    };
    let Ok(bytes) = tokio::time::timeout(patience, asked).await else {
        warn!("nothing could be learned from the aggregator: data waits for fresh templates");
        return None;
    };
    match slot::decode(&bytes) {
        Ok(known) => {
            info!(streams = known.streams.len(), taught = known.facts.len(), "known from the aggregator");
            Some(known)
        }
        Err(cause) => {
            warn!(%cause, "what the aggregator tells cannot be read: data waits for fresh templates");
            None
        }
    }
}

/// How many threads receive. More than the machine has processors gain nothing, but do no harm.
fn workers(config: &EdgeConfig) -> usize {
    let workers = usize::from(config.receive.workers).clamp(1, socket::LANES);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    if workers > processors {
        warn!(
            workers,
            processors, "more receiving threads than processors: spec.edge.workers should be smaller"
        );
    }
    workers
}

/// Starts a thread for each receiver, which goes on from where the streams stood and what they had taught.
pub(super) fn hire(
    config: &Arc<EdgeConfig>,
    receivers: Vec<Receiver>,
    (marks, facts): (&[StreamReport], &[StreamFacts]),
    exports: &Exports,
) -> Result<Vec<Hand>, StartError> {
    let workers = receivers.len();
    let places = Places::default();
    let mut hands = Vec::with_capacity(workers);
    for (index, receiver) in receivers.into_iter().enumerate() {
        let mut decoder = Decoder::new(Limits::default().shared_by(workers));
        let own = |key: &StreamKey| socket::owner(key.exporter, workers) == index;
        decoder.restore_watermarks(&config.listeners, marks.iter().filter(|report| own(&report.key)));
        let over_tcp = |key: &StreamKey| {
            let mut tcp = config.listeners.iter().filter(|listener| listener.transport == Transport::Tcp);
            tcp.any(|listener| listener.name == key.listener)
        };
        let (ended, facts): (Vec<_>, Vec<_>) =
            facts.iter().filter(|facts| own(&facts.key)).partition(|facts| over_tcp(&facts.key));
        decoder.restore_facts(&config.listeners, facts.into_iter().cloned());
        let stages = Stages::sharing(config, &places, Some(exports))?;
        // One order at a time is under way; the second place is never taken.
        let (orders, taken) = sync_channel(2);
        let waker = receiver.waker();
        let mut connected = Decoder::of_connections(Limits::CONNECTIONS);
        connected.end_facts(&config.listeners, ended);
        let worker = Worker::new(receiver, (decoder, connected), stages, Arc::clone(config), taken);
        let thread = std::thread::Builder::new().name(format!("receive-{index}"));
        let thread = thread.spawn(move || worker.run()).map_err(StartError::Thread)?;
        hands.push(Hand { orders, waker, thread });
    }
    Ok(hands)
}

/// What the smallest receive buffer is short of what was wanted. The kernel doubles what it is asked for, for its own
/// overhead.
fn buffer_short(bound: &[Bound], wanted: usize) -> u64 {
    let smallest = bound.iter().filter_map(|bound| bound.buffer).min();
    smallest.map_or(0, |buffer| wanted.saturating_sub(buffer / 2) as u64)
}

/// Says when the kernel gave less than was asked for, and what to do.
fn advise(bound: &[Bound], wanted: usize) {
    for Bound { name, address, buffer, .. } in bound {
        let Some(buffer) = buffer else { continue };
        // The kernel doubles what it is asked for, for its own overhead.
        let usable = buffer / 2;
        if usable < wanted {
            warn!(
                listener = name,
                %address,
                buffer = usable,
                wanted,
                "small receive buffers: bursts will be lost; raise them with: sysctl -w net.core.rmem_max={wanted}"
            );
        }
    }
}
