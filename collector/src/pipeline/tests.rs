//! Real datagrams of every protocol over real sockets, through the workers and the cutter.

mod acknowledge;
mod another_disk;
mod connections;
mod coverage;
mod stall;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use allocation_counter::measure;
use crds::config::{
    CONFIG_VERSION, ChannelConfig, EdgeConfig, ListenerConfig, ProfileConfig, Protocol, ReceiveConfig, Sign,
    Transport,
};
use crds::fleet::EdgeReport;
use flow_generator::arguments::{Limit, Plan, Protocol as Spoken, Traffic};
use flow_generator::encode::{Encoder, Identity, encoder};
use flow_generator::traffic::Model;
use tokio::sync::{mpsc, oneshot, watch};

use super::cutter::{Cutter, QUEUE, Trouble};
use super::edge::hire;
use super::stages::Stages;
use super::wanted::Wanted;
use super::worker::{Order, Worker, unix_ms};
use crate::decode::{Decoder, Limits};
use crate::export::{ExportOptions, Exports};
use crate::ship::Handover;
use crate::slot::{Block, Counters, LIVE, StreamFacts};
use crate::socket;

const SPOKEN: [Spoken; 4] = [Spoken::Netflow5, Spoken::Netflow9, Spoken::Ipfix, Spoken::Sflow];

fn profile(name: &str, filters: &[&str]) -> ProfileConfig {
    let channel = |filter: &&str| ChannelConfig {
        name: filter.replace(' ', "-"),
        filter: (*filter).to_owned(),
        sources: Vec::new(),
        sign: Sign::Plus,
        color: "#000000".into(),
        order: 1,
    };
    ProfileConfig {
        name: format!("default/{name}"),
        display_name: name.into(),
        description: String::new(),
        group: String::new(),
        channels: filters.iter().map(channel).collect(),
        top: Vec::new(),
    }
}

fn config(profile: ProfileConfig) -> EdgeConfig {
    EdgeConfig {
        version: CONFIG_VERSION.into(),
        collector: "default/test".into(),
        slot_ms: 60_000,
        receive: ReceiveConfig { buffer: 4 << 20, ..ReceiveConfig::default() },
        listeners: vec![
            ListenerConfig {
                name: "any".into(),
                protocol: Protocol::Auto,
                transport: Transport::Udp,
                port: 0,
            },
            ListenerConfig {
                name: "tcp".into(),
                protocol: Protocol::Ipfix,
                transport: Transport::Tcp,
                port: 0,
            },
        ],
        sources: Vec::new(),
        targets: Vec::new(),
        profiles: vec![profile],
    }
}

fn services() -> ProfileConfig {
    profile("services", &["", "proto tcp", "dst port 53", "src net 10.0.0.0/8 and proto udp"])
}

/// An exporter on an address of its own, and the flows that it has sent.
struct Exporter {
    socket: UdpSocket,
    encoder: Box<dyn Encoder + Send>,
    model: Model,
    sent: u64,
}

impl Exporter {
    fn new(spoken: Spoken, number: u8) -> Self {
        let address = IpAddr::V4(Ipv4Addr::new(127, 1, 0, number));
        let plan = Plan {
            target: (address, 1).into(),
            protocol: spoken,
            transport: flow_generator::arguments::Transport::Udp,
            rate: 1,
            limit: Limit::Never,
            exporters: vec![address],
            traffic: Traffic::Uniform,
            seed: number.into(),
            active_timeout_ms: 8_000,
        };
        let identity = Identity { address, domain: number.into(), start_ms: unix_ms() };
        let socket = UdpSocket::bind((address, 0)).unwrap();
        Self { socket, encoder: encoder(spoken, identity), model: Model::new(&plan), sent: 0 }
    }

    /// Each number speaks one of the four.
    fn all(count: u8) -> Vec<Self> {
        (0..count).map(|number| Self::new(SPOKEN[usize::from(number) % 4], number + 1)).collect()
    }

    fn datagram(&mut self, flows: u64) -> Vec<u8> {
        let flows: Vec<_> = (0..flows).map(|_| self.model.next_flow()).collect();
        self.encoder.datagram(&flows, unix_ms())
    }

    fn send(&mut self, port: u16) {
        let datagram = self.datagram(5);
        self.socket.send_to(&datagram, ("127.0.0.1", port)).unwrap();
        self.sent += 5;
    }
}

fn sent(exporters: &[Exporter]) -> u64 {
    exporters.iter().map(|exporter| exporter.sent).sum()
}

/// Workers and their cutter, whose blocks come out here.
struct Rig {
    port: u16,
    tcp: u16,
    wanted: watch::Sender<Arc<Wanted>>,
    report: watch::Receiver<EdgeReport>,
    stop: oneshot::Sender<()>,
    blocks: mpsc::Receiver<Handover>,
    trouble: Trouble,
}

impl Rig {
    fn start(workers: usize) -> Self {
        Self::resume(workers, &[], (QUEUE, Duration::from_secs(600)))
    }

    /// With what exporters had taught an earlier run, and a cutter with so many places for cuts, which waits for one
    /// so long.
    fn resume(workers: usize, facts: &[StreamFacts], (places, patience): (usize, Duration)) -> Self {
        let config = Arc::new(config(services()));
        let (bound, receivers) = socket::open(&config.listeners, 4 << 20, workers).unwrap();
        let exports = Exports::new(ExportOptions::default());
        let hands = hire(&config, receivers, (&[], facts), &exports).unwrap();
        let (wanted, orders) = watch::channel(Arc::new(EdgeConfig::clone(&config).into()));
        let (told, report) = watch::channel(EdgeReport::default());
        let (output, blocks) = mpsc::channel(places);
        let (stop, stopped) = oneshot::channel();
        let mut cutter = Cutter::new("edge", hands, orders, told, output, exports);
        cutter.patience = patience;
        let trouble = cutter.trouble();
        tokio::spawn(cutter.run(async { _ = stopped.await }));
        let [port, tcp] = [bound[0].address.port(), bound[1].address.port()];
        Self { port, tcp, wanted, report, stop, blocks, trouble }
    }

    async fn block(&mut self) -> Option<Block> {
        loop {
            if let Handover::Cut(block) = self.blocks.recv().await? {
                return Some(*block);
            }
        }
    }

    /// Stops, and gives the blocks that were not taken yet.
    async fn stop(mut self) -> Vec<Block> {
        let (stop, _) = oneshot::channel();
        std::mem::replace(&mut self.stop, stop).send(()).unwrap();
        let mut blocks = Vec::new();
        while let Some(block) = self.block().await {
            blocks.push(block);
        }
        blocks
    }
}

type Sums = BTreeMap<(String, String, String), Counters>;

/// By profile, channel and source.
fn sums(blocks: &[Block]) -> Sums {
    let mut sums = Sums::new();
    for block in blocks {
        for row in block.additions.iter().flat_map(|addition| &addition.rows) {
            let channel = &block.channels[row.channel as usize];
            let source = block.sources[row.source as usize].clone();
            let key = (channel.profile.clone(), channel.channel.clone(), source);
            sums.entry(key).or_default().add(&row.counters);
        }
    }
    sums
}

fn flows_of(profile: &str, sums: &Sums) -> u64 {
    sums.iter().filter(|((of, ..), _)| of == profile).map(|(_, counters)| counters.all().flows).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_two_and_four_workers_count_the_same_of_every_protocol_up_to_the_last_datagram() {
    let mut counted = Vec::new();
    for workers in [1, 2, 4] {
        let rig = Rig::start(workers);
        let mut exporters = Exporter::all(24);
        for _ in 0..30 {
            exporters.iter_mut().for_each(|exporter| exporter.send(rig.port));
        }
        let blocks = rig.stop().await;
        let counts = sums(&blocks);
        assert_eq!(flows_of(LIVE, &counts), sent(&exporters), "{workers} workers");
        let streams: BTreeMap<_, u64> =
            blocks.iter().flat_map(|block| &block.streams).fold(BTreeMap::new(), |mut streams, report| {
                *streams.entry((report.key.exporter, report.key.protocol.clone())).or_default() +=
                    report.counts.datagrams;
                streams
            });
        assert_eq!(streams.len(), 24);
        assert!(streams.values().all(|datagrams| *datagrams == 30), "{streams:?}");
        let datagrams: u64 = blocks.iter().flat_map(|block| &block.listeners).map(|l| l.datagrams).sum();
        assert_eq!(datagrams, 24 * 30);
        counted.push(counts);
    }
    assert_eq!(counted[0], counted[1]);
    assert_eq!(counted[0], counted[2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_plan_cuts_all_workers_at_once_and_no_flow_is_lost_or_counted_by_both() {
    let mut rig = Rig::start(4);
    let mut exporters = Exporter::all(16);
    exporters.iter_mut().for_each(|exporter| exporter.send(rig.port));
    let before = sent(&exporters);
    let said = |rig: &Rig| rig.report.borrow().profiles.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
    assert_eq!(said(&rig), ["default/services"]);
    rig.wanted.send_replace(Arc::new(config(profile("everything", &[""])).into()));
    let mut blocks = Vec::new();
    while blocks
        .last()
        .is_none_or(|block: &Block| block.channels.iter().all(|key| key.profile != "default/everything"))
    {
        blocks.push(rig.block().await.unwrap());
        exporters.iter_mut().for_each(|exporter| exporter.send(rig.port));
    }
    assert_eq!(said(&rig), ["default/everything"]);
    blocks.extend(rig.stop().await);
    for block in &blocks {
        let profiles: Vec<_> = block.channels.iter().map(|key| key.profile.as_str()).collect();
        let old = profiles.contains(&"default/services");
        assert_ne!(old, profiles.contains(&"default/everything"), "one plan a block");
        assert_eq!(block.generation == blocks[0].generation, old);
    }
    let counts = sums(&blocks);
    assert_eq!(flows_of(LIVE, &counts), sent(&exporters));
    let everything = flows_of("default/everything", &counts);
    let old = counts.iter().filter(|((of, name, _), _)| of == "default/services" && name.is_empty());
    assert_eq!(old.map(|(_, c)| c.all().flows).sum::<u64>() + everything, sent(&exporters));
    assert!(everything <= sent(&exporters) - before + 16 * 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_workers_cover_time_once() {
    let start = unix_ms();
    let mut rig = Rig::start(4);
    let mut exporters = Exporter::all(16);
    exporters.iter_mut().for_each(|exporter| exporter.send(rig.port));
    let mut blocks = vec![rig.block().await.unwrap()];
    blocks.extend(rig.stop().await);
    let covered: u64 =
        blocks.iter().flat_map(|block| &block.additions).map(|a| u64::from(a.covered_ms)).sum();
    let elapsed = unix_ms() - start;
    // Each worker's clock begins a little after the start.
    assert!(covered > 1_000 && covered <= elapsed, "covered {covered} ms of {elapsed} ms");
}

/// A worker on this thread.
fn worker(exporters: &[Exporter]) -> (Worker, SyncSender<Order>, u16) {
    assert!(!exporters.is_empty());
    let config = Arc::new(config(services()));
    let (bound, mut receivers) = socket::open(&config.listeners, 4 << 20, 1).unwrap();
    let (orders, taken) = sync_channel(2);
    let stages = Stages::new(&config).unwrap();
    let decoders = (Decoder::new(Limits::default()), Decoder::of_connections(Limits::CONNECTIONS));
    let worker = Worker::new(receivers.remove(0), decoders, stages, config, taken);
    (worker, orders, bound[0].address.port())
}

#[test]
fn what_the_kernel_still_holds_at_the_stop_is_in_the_last_cut() {
    let mut exporters = Exporter::all(4);
    let (worker, orders, port) = worker(&exporters);
    for _ in 0..300 {
        exporters.iter_mut().for_each(|exporter| exporter.send(port));
    }
    let (reply, mut answer) = oneshot::channel();
    // The order is there before the first datagram is read: a worker reads 32 at a time from each socket.
    orders.try_send(Order::Stop(reply)).unwrap();
    worker.run();
    let block = answer.try_recv().unwrap();
    assert_eq!(flows_of(LIVE, &sums(&[block])), sent(&exporters));
}

#[test]
fn from_socket_to_account_no_memory_is_taken_once_the_exporters_are_known() {
    let mut exporters = Exporter::all(4);
    let (mut worker, _orders, port) = worker(&exporters);
    let mut round = |worker: &mut Worker| {
        let datagrams: Vec<_> =
            exporters.iter_mut().map(|exporter| (exporter.datagram(6), exporter)).collect();
        for (datagram, exporter) in &datagrams {
            exporter.socket.send_to(datagram, ("127.0.0.1", port)).unwrap();
        }
        measure(|| while worker.receive(Duration::ZERO) > 0 {}).count_total
    };
    assert!(round(&mut worker) > 0, "strangers take memory");
    for _ in 0..200 {
        round(&mut worker);
    }
    // A new slot takes memory: all that is measured has to happen within one.
    loop {
        let slot = unix_ms() / 60_000;
        for _ in 0..10 {
            round(&mut worker);
        }
        let taken: u64 = (0..50).map(|_| round(&mut worker)).sum();
        if unix_ms() / 60_000 == slot {
            return assert_eq!(taken, 0, "allocations for 200 datagrams of v5, v9, IPFIX and sFlow");
        }
    }
}
