//! What is sent: a ring of ready datagrams of each protocol, from several exporters, each with its own sequence.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use flow_generator::arguments::{Limit, Plan, Protocol, Traffic};
use flow_generator::encode::{Encoder, Identity, encoder};
use flow_generator::traffic::{Flow, Model};

/// Exporters, each with an address of its own.
const EXPORTERS: u32 = 8;
/// Datagrams that each exporter repeats, with sequence numbers that go on.
const RING: usize = 500;
/// Sockets are sent to in turn, so many datagrams each.
const TURN: usize = 4;

const V5_HEADER: usize = 24;
const V5_RECORD: usize = 48;

/// The protocols, with what the tables call them, their port and who else collects them.
pub(crate) const PROTOCOLS: [(Protocol, &str, u16); 4] = [
    (Protocol::Netflow5, "v5", 2055),
    (Protocol::Netflow9, "v9", 2055),
    (Protocol::Ipfix, "IPFIX", 4739),
    (Protocol::Sflow, "sFlow", 6343),
];

/// How datagrams are spread over time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Its name in the table.
    pub(crate) name: &'static str,
    /// Datagrams that leave together.
    pub(crate) burst: usize,
    /// From one burst to the next.
    pub(crate) every: Duration,
    /// How long.
    pub(crate) lasts: Duration,
}

/// 20,000 datagrams a second, one by one: every one wakes the receiver.
pub(crate) const PACED: Pace =
    Pace { name: "P", burst: 1, every: Duration::from_micros(50), lasts: Duration::from_secs(3) };
/// 100,000 datagrams a second in bursts of a millisecond: wake-ups are shared.
pub(crate) const BURSTS: Pace =
    Pace { name: "B", burst: 100, every: Duration::from_millis(1), lasts: Duration::from_secs(2) };

/// One datagram of the ring.
struct Datagram {
    bytes: Vec<u8>,
    flows: u64,
}

struct Exporter {
    socket: UdpSocket,
    ring: Vec<Datagram>,
    next: usize,
    sequence: u32,
    /// The source address of the next flow, where each has another.
    address: Option<u32>,
}

/// The exporters of one protocol.
pub(crate) struct Load {
    protocol: Protocol,
    exporters: Vec<Exporter>,
    turn: usize,
}

impl Load {
    /// Makes the datagrams; they go to `port` on loopback.
    pub(crate) fn new(protocol: Protocol, port: u16) -> Self {
        let exporters = (0..EXPORTERS).map(|at| Exporter::new(protocol, at, port)).collect();
        Self { protocol, exporters, turn: 0 }
    }

    /// NetFlow v5 of which no two records have the same source address, up to 2^32 of them.
    pub(crate) fn distinct(port: u16) -> Self {
        let mut load = Self::new(Protocol::Netflow5, port);
        for (exporter, first) in load.exporters.iter_mut().zip((0..).step_by(1 << 28)) {
            exporter.address = Some(first);
        }
        load
    }

    /// Sends one datagram and gives the flows in it.
    pub(crate) fn send(&mut self) -> u64 {
        let at = self.turn / TURN % self.exporters.len();
        self.turn += 1;
        self.exporters[at].send(self.protocol)
    }

    /// Sends `datagrams` as fast as the system takes them; gives the flows in them.
    pub(crate) fn send_all(&mut self, datagrams: usize) -> u64 {
        (0..datagrams).map(|_| self.send()).sum()
    }

    /// Sends at a pace; gives (datagrams, flows, how long it took).
    pub(crate) fn send_paced(&mut self, pace: Pace) -> (u64, u64, Duration) {
        let start = Instant::now();
        let (mut datagrams, mut flows) = (0, 0);
        let mut due = start;
        while start.elapsed() < pace.lasts {
            while Instant::now() < due {
                std::hint::spin_loop();
            }
            flows += self.send_all(pace.burst);
            datagrams += pace.burst as u64;
            due += pace.every;
        }
        (datagrams, flows, start.elapsed())
    }
}

impl Exporter {
    fn new(protocol: Protocol, at: u32, port: u16) -> Self {
        let address = Ipv4Addr::from_bits(Ipv4Addr::new(127, 0, 0, 11).to_bits() + at);
        let socket = UdpSocket::bind((address, 0)).expect("all of 127.0.0.0/8 is ours");
        socket.connect((Ipv4Addr::LOCALHOST, port)).expect("loopback is up");
        let ring = ring(protocol, IpAddr::V4(address), at, port);
        Self { socket, ring, next: 0, sequence: 0, address: None }
    }

    fn send(&mut self, protocol: Protocol) -> u64 {
        let datagram = &mut self.ring[self.next];
        self.next = (self.next + 1) % RING;
        let flows = u32::try_from(datagram.flows).expect("few flows fit into a datagram");
        let (place, step) = match protocol {
            Protocol::Netflow5 => (16, flows),
            Protocol::Netflow9 => (12, 1),
            Protocol::Ipfix => (8, flows),
            Protocol::Sflow => (16, 1),
        };
        if let Some(address) = &mut self.address {
            for record in datagram.bytes[V5_HEADER..].chunks_exact_mut(V5_RECORD) {
                record[..4].copy_from_slice(&address.to_be_bytes());
                *address = address.wrapping_add(1);
            }
        }
        datagram.bytes[place..place + 4].copy_from_slice(&self.sequence.to_be_bytes());
        self.sequence = self.sequence.wrapping_add(step);
        // Nobody listens yet, or a full queue: the receiver's counts tell.
        let _ = self.socket.send(&datagram.bytes);
        datagram.flows
    }
}

/// Uniform traffic over the services of zone1, so that about every flow is in a channel.
fn ring(protocol: Protocol, address: IpAddr, domain: u32, port: u16) -> Vec<Datagram> {
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let plan = Plan {
        target,
        protocol,
        transport: flow_generator::arguments::Transport::Udp,
        rate: 1,
        limit: Limit::Never,
        exporters: vec![address],
        traffic: Traffic::Uniform,
        seed: u64::from(domain),
        active_timeout_ms: 60_000,
    };
    let now_ms = 1_780_000_000_000;
    let mut model = Model::new(&plan);
    let mut encoder = encoder(protocol, Identity { address, domain, start_ms: now_ms });
    let mut waiting = model.next_flow();
    (0..RING).map(|_| datagram(encoder.as_mut(), &mut model, &mut waiting, now_ms)).collect()
}

/// As many flows as fit into an Ethernet frame.
fn datagram(encoder: &mut dyn Encoder, model: &mut Model, waiting: &mut Flow, now_ms: u64) -> Datagram {
    let mut flows: Vec<Flow> = Vec::new();
    let mut octets = encoder.size(waiting);
    while octets <= encoder.room() {
        flows.push(std::mem::replace(waiting, model.next_flow()));
        octets += encoder.size(waiting);
    }
    Datagram { bytes: encoder.datagram(&flows, now_ms), flows: flows.len() as u64 }
}
