//! A thread that receives: socket > decode > stages, and what it counted when the cutter asks for it.
//!
//! Every exporter's datagrams reach one worker only, which therefore owns all of its state and shares nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use crds::config::{EdgeConfig, ListenerConfig, Transport};
use tokio::sync::oneshot;
use tracing::error;

use super::stages::Stages;
use crate::decode::{Datagram, Decoder};
use crate::export::Original;
use crate::flow::Batch;
use crate::slot::{Block, ListenerReport, StreamReport, add_reasons};
use crate::socket::{Closed, Event, Packet, Received, Receiver};
use crate::telemetry::Repeated;

/// How long a worker waits for datagrams before it looks up; orders wake it before.
const WAIT: Duration = Duration::from_secs(1);

/// For how long the last cut waits while the kernel still holds datagrams.
const DRAIN: Duration = Duration::from_secs(1);

/// What a worker is told to do, at the next batch boundary. It answers with what it counted.
#[derive(Debug)]
pub(super) enum Order {
    /// Hand out what was counted since the last cut, then count by another configuration if one is given.
    Cut(oneshot::Sender<Block>, Option<Arc<EdgeConfig>>),
    /// Tell what a cut would hand out; only the counts matter.
    Peek(oneshot::Sender<Block>),
    /// Read what the kernel holds, cut for the last time, and end.
    Stop(oneshot::Sender<Block>),
}

/// Everything that one receiving thread owns.
#[derive(Debug)]
pub(super) struct Worker {
    receiver: Receiver,
    decoder: Decoder,
    /// For what comes over TCP, where a template belongs to its connection.
    connected: Decoder,
    stages: Stages,
    batch: Batch,
    running: Arc<EdgeConfig>,
    orders: mpsc::Receiver<Order>,
    last_cut: Instant,
    read_errors: Repeated,
}

impl Worker {
    /// A worker that counts by `config` and obeys `orders`. The first decoder is for datagrams, the other one for
    /// connections.
    pub(super) fn new(
        receiver: Receiver,
        (mut decoder, mut connected): (Decoder, Decoder),
        stages: Stages,
        config: Arc<EdgeConfig>,
        orders: mpsc::Receiver<Order>,
    ) -> Self {
        decoder.set_sources(&config.listeners, &config.sources);
        connected.set_sources(&config.listeners, &config.sources);
        let mut batch = Batch::default();
        batch.want(&stages.columns());
        Self {
            receiver,
            decoder,
            connected,
            stages,
            batch,
            running: config,
            orders,
            last_cut: Instant::now(),
            read_errors: Repeated::every(Duration::from_secs(10)),
        }
    }

    /// Receives until told to stop, or until nobody is left to give orders.
    pub(super) fn run(mut self) {
        loop {
            self.receive(WAIT);
            match self.orders.try_recv() {
                Ok(order) => {
                    if self.obey(order) {
                        return;
                    }
                }
                Err(mpsc::TryRecvError::Empty) => {}
                Err(mpsc::TryRecvError::Disconnected) => return,
            }
        }
    }

    /// Waits at most `wait`, and takes what came through all stages. Returns 0 when the kernel holds nothing
    /// more.
    pub(super) fn receive(&mut self, wait: Duration) -> usize {
        let Self { receiver, decoder, connected, stages, batch, running, .. } = self;
        let listeners = &running.listeners;
        let read = receiver.receive(wait, |event| match event {
            Event::Packet(packet) => {
                let Some(listener) = listeners.get(usize::from(packet.peer.listener)) else { return };
                let decoder =
                    if packet.transport == Transport::Udp { &mut *decoder } else { &mut *connected };
                if stages.feed.wants_datagrams() && packet.transport == Transport::Udp {
                    let Stages { feed, enrich, .. } = stages;
                    feed.datagram(&original(&packet), || {
                        enrich.source(packet.peer.listener, packet.peer.from)
                    });
                }
                decoder.decode(&datagram(&packet, listener), batch, &mut |batch| stages.run(batch));
            }
            Event::Closed(peer) => connected.close(peer.listener, peer.from, peer.port),
        });
        stages.run(batch);
        stages.feed.flush();
        read.unwrap_or_else(|cause| {
            if let Some(unsaid) = self.read_errors.pass() {
                error!(%cause, unsaid, "cannot read from the sockets");
            }
            0
        })
    }

    /// Returns whether that was the last order. A reply that nobody waits for is dropped.
    fn obey(&mut self, order: Order) -> bool {
        match order {
            Order::Cut(reply, next) => {
                let _ = reply.send(self.cut(false));
                if let Some(config) = next {
                    self.replan(config);
                }
                false
            }
            Order::Peek(reply) => {
                let _ = reply.send(self.peek());
                false
            }
            Order::Stop(reply) => {
                let _ = reply.send(self.last());
                true
            }
        }
    }

    /// Sockets stay as they are: changed listeners need a restart.
    fn replan(&mut self, config: Arc<EdgeConfig>) {
        match self.stages.replace(&config) {
            Ok(()) => {
                self.batch.want(&self.stages.columns());
                self.decoder.set_sources(&config.listeners, &config.sources);
                self.connected.set_sources(&config.listeners, &config.sources);
                self.running = config;
            }
            Err(cause) => error!(%cause, "the new plan cannot run; the one before goes on"),
        }
    }

    fn last(&mut self) -> Block {
        let drained = Instant::now();
        while self.receive(Duration::ZERO) > 0 && drained.elapsed() < DRAIN {}
        self.cut(true)
    }

    fn peek(&self) -> Block {
        let Stages { enrich, accounts, .. } = &self.stages;
        Block {
            slot_ms: self.running.slot_ms,
            channels: accounts.channels(enrich.names()),
            sources: enrich.names().to_vec(),
            additions: accounts.peek(unix_ms(), elapsed_ms(self.last_cut)),
            ..Block::default()
        }
    }

    fn cut(&mut self, last: bool) -> Block {
        let now = unix_ms();
        let elapsed = elapsed_ms(self.last_cut);
        self.last_cut = Instant::now();
        self.decoder.tick(now);
        self.connected.tick(now);
        let (mut streams, mut rejected) = self.decoder.take_reports(&self.running.listeners);
        let (connected, refused) = self.connected.take_reports(&self.running.listeners);
        streams.extend(connected);
        for (reasons, more) in rejected.iter_mut().zip(&refused) {
            add_reasons(reasons, more);
        }
        let mut facts = self.decoder.take_facts(&self.running.listeners);
        facts.extend(self.connected.take_facts(&self.running.listeners));
        self.name_sources(&mut streams);
        let listeners = self.listeners(rejected);
        let Stages { enrich, accounts, .. } = &mut self.stages;
        let counted = accounts.cut(now, elapsed, enrich.names(), last);
        Block {
            slot_ms: self.running.slot_ms,
            channels: counted.channels,
            sources: enrich.names().to_vec(),
            additions: counted.additions,
            tops: counted.tops,
            lags: counted.lags,
            streams,
            listeners,
            facts,
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
        let report = |(listener, received): (&ListenerConfig, Received)| ListenerReport {
            listener: listener.name.clone(),
            datagrams: received.packets,
            kernel_drops: match listener.transport {
                Transport::Udp => received.kernel_drops.to_vec(),
                Transport::Tcp => Vec::new(),
            },
            connections: received.connections,
            closed: closed(&received),
            rejected: rejected.next().unwrap_or_default(),
        };
        self.running.listeners.iter().zip(received).map(report).collect()
    }
}

fn datagram<'a>(packet: &Packet<'a>, listener: &ListenerConfig) -> Datagram<'a> {
    Datagram {
        listener: packet.peer.listener,
        accepts: listener.protocol,
        exporter: packet.peer.from,
        port: packet.peer.port,
        received_ms: packet.received_ms,
        payload: packet.payload,
    }
}

fn original<'a>(packet: &Packet<'a>) -> Original<'a> {
    Original {
        listener: packet.peer.listener,
        from: SocketAddr::new(packet.peer.from, packet.peer.port),
        received_ms: packet.received_ms,
        payload: packet.payload,
    }
}

/// The reasons that occurred.
fn closed(received: &Received) -> Vec<(String, u64)> {
    let counted = Closed::ALL.iter().zip(received.closed).filter(|(_, count)| *count > 0);
    counted.map(|(reason, count)| (reason.name().to_owned(), count)).collect()
}

/// The wall clock.
pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
