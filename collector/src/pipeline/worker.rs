//! The thread that receives: socket > decode > stages, and a cut every two seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crds::config::EdgeConfig;
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use super::stages::{PlanError, Stages};
use crate::decode::{Datagram, Decoder, Limits};
use crate::flow::Batch;
use crate::ship::Handover;
use crate::slot::{Block, ListenerReport, Provisional, StreamReport};
use crate::socket::Receiver;
use crate::telemetry::Repeated;

/// How often an edge cuts.
const CUT: Duration = Duration::from_secs(2);

/// How often the open slots' provisional values are sent.
const TICK: Duration = Duration::from_secs(1);

/// After so long without a place in the spool, what was counted is dropped, so that memory stays bounded.
const STALL: Duration = Duration::from_secs(600);

/// Cuts that wait for the spool; while it is full the worker goes on counting into its next cut.
pub(super) const QUEUE: usize = 16;

/// Everything that one receiving thread owns.
#[derive(Debug)]
pub(super) struct Worker {
    edge: String,
    receiver: Receiver,
    decoder: Decoder,
    stages: Stages,
    batch: Batch,
    config: watch::Receiver<Arc<EdgeConfig>>,
    running: Arc<EdgeConfig>,
    output: mpsc::Sender<Handover>,
    stop: Arc<AtomicBool>,
    last_cut: Instant,
    last_tick: Instant,
    read_errors: Repeated,
    stalls: Repeated,
}

impl Worker {
    /// A worker for the configuration that `config` holds now.
    pub(super) fn new(
        edge: &str,
        receiver: Receiver,
        watermarks: &[StreamReport],
        mut config: watch::Receiver<Arc<EdgeConfig>>,
        output: mpsc::Sender<Handover>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, PlanError> {
        let running = Arc::clone(&config.borrow_and_update());
        let mut decoder = Decoder::new(Limits::default());
        decoder.set_sources(&running.sources);
        decoder.restore_watermarks(&running.listeners, watermarks);
        let stages = Stages::new(&running)?;
        let mut batch = Batch::default();
        batch.want(&stages.columns());
        Ok(Self {
            edge: edge.to_owned(),
            receiver,
            decoder,
            stages,
            batch,
            config,
            running,
            output,
            stop,
            last_cut: Instant::now(),
            last_tick: Instant::now(),
            read_errors: Repeated::every(Duration::from_secs(10)),
            stalls: Repeated::every(Duration::from_secs(10)),
        })
    }

    /// Receives until told to stop; then drains what the kernel holds and makes a last cut.
    pub(super) fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            let until_tick = TICK.saturating_sub(self.last_tick.elapsed());
            // Bounded so that a changed plan and the order to stop are seen soon.
            self.receive(until_tick.min(Duration::from_millis(100)));
            self.turn();
        }
        let drained = Instant::now();
        while self.receive(Duration::ZERO) > 0 && drained.elapsed() < Duration::from_secs(1) {}
        let block = self.cut(true);
        if self.output.blocking_send(Handover::Cut(Box::new(block))).is_err() {
            error!("the spool is gone: the last cut is lost");
        }
    }

    fn receive(&mut self, wait: Duration) -> usize {
        let Self { receiver, decoder, stages, batch, running, .. } = self;
        let listeners = &running.listeners;
        let read = receiver.receive(wait, |packet| {
            let Some(listener) = listeners.get(usize::from(packet.listener)) else { return };
            let datagram = Datagram {
                listener: packet.listener,
                accepts: listener.protocol,
                exporter: packet.from,
                port: packet.port,
                received_ms: packet.received_ms,
                payload: packet.payload,
            };
            decoder.decode(&datagram, batch, &mut |batch| stages.run(batch));
        });
        stages.run(batch);
        read.unwrap_or_else(|cause| {
            if let Some(unsaid) = self.read_errors.pass() {
                error!(%cause, unsaid, "cannot read from the sockets");
            }
            0
        })
    }

    /// What is due beside receiving: a new plan, a cut, a provisional value.
    fn turn(&mut self) {
        if self.config.has_changed().unwrap_or(false) {
            self.replan();
        } else if self.last_cut.elapsed() >= CUT {
            self.hand_over();
        } else if self.last_tick.elapsed() >= TICK {
            self.tick();
        }
    }

    /// A new plan makes a cut at once; a plan that cannot run leaves the old one in force.
    fn replan(&mut self) {
        if !self.hand_over() {
            return;
        }
        let config = Arc::clone(&self.config.borrow_and_update());
        match self.stages.replace(&config) {
            Ok(()) => {
                self.batch.want(&self.stages.columns());
                self.decoder.set_sources(&config.sources);
                let mut running = EdgeConfig::clone(&config);
                // Sockets stay as they are: changed listeners need a restart.
                running.listeners.clone_from(&self.running.listeners);
                self.running = Arc::new(running);
                info!(profiles = config.profiles.len(), "a new plan is in force");
            }
            Err(cause) => error!(%cause, "the new plan cannot run; the one before goes on"),
        }
    }

    /// Cuts, unless the spool has no place: then everything stays counted for a later cut.
    fn hand_over(&mut self) -> bool {
        if let Ok(place) = self.output.clone().try_reserve_owned() {
            let block = self.cut(false);
            place.send(Handover::Cut(Box::new(block)));
            return true;
        }
        if let Some(unsaid) = self.stalls.pass() {
            let waiting = self.last_cut.elapsed().as_secs();
            warn!(waiting, unsaid, "the spool is slow: this cut waits");
        }
        if self.last_cut.elapsed() > STALL {
            let lost = self.cut(false);
            error!(slots = lost.additions.len(), "the spool stands still: what was counted is dropped");
        }
        false
    }

    fn tick(&mut self) {
        self.last_tick = Instant::now();
        let additions = self.stages.accounts.peek(unix_ms(), elapsed_ms(self.last_cut));
        let channels = self.stages.accounts.channels(self.stages.enrich.names());
        let provisional = Provisional {
            spool: 0,
            after: 0,
            channels,
            sources: self.stages.enrich.names().to_vec(),
            slot_ms: self.running.slot_ms,
            additions,
        };
        // A provisional value that finds no place is simply not shown: the next one replaces it.
        let _ = self.output.try_send(Handover::Provisional(Box::new(provisional)));
    }

    fn cut(&mut self, last: bool) -> Block {
        let now = unix_ms();
        let elapsed = elapsed_ms(self.last_cut);
        self.last_cut = Instant::now();
        self.last_tick = self.last_cut;
        self.decoder.tick(now);
        let (mut streams, rejected) = self.decoder.take_reports(&self.running.listeners);
        self.name_sources(&mut streams);
        let listeners = self.listeners(rejected);
        let Stages { enrich, accounts, .. } = &mut self.stages;
        let counted = accounts.cut(now, elapsed, enrich.names(), last);
        Block {
            edge: self.edge.clone(),
            generation: generation(&self.running),
            made_ms: now,
            slot_ms: self.running.slot_ms,
            channels: counted.channels,
            sources: enrich.names().to_vec(),
            additions: counted.additions,
            tops: counted.tops,
            streams,
            listeners,
            ..Block::default()
        }
    }

    fn name_sources(&mut self, streams: &mut [StreamReport]) {
        for report in streams {
            let listener = self.running.listeners.iter().position(|l| l.name == report.key.listener);
            let listener = listener.and_then(|at| u16::try_from(at).ok()).unwrap_or(u16::MAX);
            let source = self.stages.enrich.source(listener, report.key.exporter);
            report.source.clone_from(&self.stages.enrich.names()[usize::from(source)]);
            report.rate_unknown &= !self.stages.enrich.states_rate(source);
        }
    }

    fn listeners(&mut self, rejected: Vec<Vec<(String, u64)>>) -> Vec<ListenerReport> {
        let received = self.receiver.report().into_iter();
        let mut rejected = rejected.into_iter();
        let report = |received: crate::socket::Received| ListenerReport {
            listener: received.listener,
            datagrams: received.datagrams,
            kernel_drops: received.kernel_drops,
            rejected: rejected.next().unwrap_or_default(),
        };
        received.map(report).collect()
    }
}

/// A number for what a configuration counts: equal where profiles and sources are equal.
pub(super) fn generation(config: &EdgeConfig) -> u64 {
    let plan = serde_json::to_vec(&(&config.profiles, &config.sources)).unwrap_or_default();
    xxhash_rust::xxh3::xxh3_64(&plan)
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
