//! Flows that are made up: which service, between whom, how large.
//!
//! Everything but the times follows from the seed and from the number of flows made so far, so that a run can
//! be repeated. Addresses come from the documentation ranges (RFC 5737, RFC 3849), AS numbers from RFC 5398.

mod mix;
mod service;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::arguments::{Plan, Protocol, Traffic};
use mix::Mix;
pub use mix::rate_factor;
pub use service::{SERVICES, Service, Transport};

/// Ethernet, without VLAN.
pub const ETHERNET_HEADER: u16 = 14;
/// The frame check sequence, which sFlow counts and strips.
pub const FRAME_CHECK: u16 = 4;
const LARGEST_PACKET: u64 = 1_500;
/// How long the imagined exporters wait after a flow's last packet.
const INACTIVE_TIMEOUT_MS: u32 = 1_500;

/// One flow as an exporter saw it; for sFlow one sampled packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Index into [`SERVICES`].
    pub service: usize,
    /// Who sent it.
    pub src_addr: IpAddr,
    /// Who got it; of the same family as the source.
    pub dst_addr: IpAddr,
    /// TCP or UDP port; 0 for ICMP.
    pub src_port: u16,
    /// TCP or UDP port; type * 256 + code for ICMP.
    pub dst_port: u16,
    /// IP protocol.
    pub proto: u8,
    /// IP type of service.
    pub tos: u8,
    /// All flags seen; 0 but for TCP.
    pub tcp_flags: u8,
    /// Packets; 1 for a sample.
    pub packets: u64,
    /// Bytes from the IP header on.
    pub bytes: u64,
    /// Octets of the sampled frame with its checksum; sFlow only.
    pub frame_length: Option<u16>,
    /// Milliseconds from the first to the last packet.
    pub lasted_ms: u32,
    /// Milliseconds from the last packet to its export.
    pub waited_ms: u32,
    /// ifIndex in.
    pub in_if: u32,
    /// ifIndex out.
    pub out_if: u32,
    /// Origin AS of the source.
    pub src_as: u32,
    /// Origin AS of the destination.
    pub dst_as: u32,
    /// Prefix length of the source's route.
    pub src_mask: u8,
    /// Prefix length of the destination's route.
    pub dst_mask: u8,
}

/// Makes flows from a seed.
#[derive(Debug, Clone)]
pub struct Model {
    random: Xoshiro256PlusPlus,
    mix: Mix,
    traffic: Traffic,
    sampled: bool,
    allow_ipv6: bool,
    active_timeout_ms: u32,
}

impl Model {
    /// A model for what the plan asks for.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            random: Xoshiro256PlusPlus::seed_from_u64(plan.seed),
            mix: Mix::new(plan.traffic, u64::from(plan.rate)),
            traffic: plan.traffic,
            sampled: plan.protocol == Protocol::Sflow,
            active_timeout_ms: plan.active_timeout_ms,
            allow_ipv6: plan.protocol != Protocol::Netflow5 && plan.traffic == Traffic::Demo,
        }
    }

    /// Which of `count` exporters the next flow passes; the first ones see the most.
    pub fn exporter(&mut self, count: usize) -> usize {
        match self.traffic {
            Traffic::Uniform => self.random.random_range(0..count),
            Traffic::Demo => self.random.random_range(0..count).min(self.random.random_range(0..count)),
        }
    }

    /// The next flow.
    pub fn next_flow(&mut self) -> Flow {
        let index = self.mix.next(&mut self.random);
        let service = &SERVICES[index];
        let transport = self.transport(service);
        let ipv6 = self.allow_ipv6 && service.ipv6 && self.random.random_bool(0.15);
        let to_client = self.random.random_bool(0.5);
        let (client, server) = self.addresses(ipv6);
        let (packets, bytes) = self.size(service, smallest(transport, ipv6), to_client);
        let mut flow = Flow {
            service: index,
            src_addr: client,
            dst_addr: server,
            src_port: 0,
            dst_port: 0,
            proto: transport.number(),
            tos: service.tos,
            tcp_flags: 0,
            packets,
            bytes,
            frame_length: self.sampled.then(|| frame_length(bytes)),
            lasted_ms: if packets == 1 { 0 } else { self.random.random_range(1..=self.active_timeout_ms) },
            waited_ms: self.random.random_range(0..INACTIVE_TIMEOUT_MS),
            in_if: 1,
            out_if: 2,
            src_as: 64_496,
            dst_as: 64_500,
            src_mask: if ipv6 { 48 } else { 24 },
            dst_mask: if ipv6 { 64 } else { 25 },
        };
        self.fill_ports(&mut flow, service, transport);
        if to_client { reversed(&flow) } else { flow }
    }

    fn transport(&mut self, service: &Service) -> Transport {
        match service.transport {
            Transport::Mixed { udp_percent } => {
                if self.random.random_range(0..100) < udp_percent {
                    Transport::Udp
                } else {
                    Transport::Tcp
                }
            }
            fixed => fixed,
        }
    }

    /// Clients live in 198.51.100.0/24 and 2001:db8:1::/48, servers in 192.0.2.0/25, 203.0.113.0/25 and
    /// 2001:db8:2::/64; low numbers are busier.
    fn addresses(&mut self, ipv6: bool) -> (IpAddr, IpAddr) {
        let client = self.random.random_range(1..255_u8).min(self.random.random_range(1..255));
        let server = self.random.random_range(1..127_u8).min(self.random.random_range(1..127));
        if ipv6 {
            let site = u16::from(client) % 16;
            return (
                Ipv6Addr::new(0x2001, 0xdb8, 1, site, 0, 0, 0, u16::from(client)).into(),
                Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, u16::from(server)).into(),
            );
        }
        let near = self.random.random_bool(0.6);
        let server = if near { Ipv4Addr::new(192, 0, 2, server) } else { Ipv4Addr::new(203, 0, 113, server) };
        (Ipv4Addr::new(198, 51, 100, client).into(), server.into())
    }

    /// Packets and layer 3 bytes. The heavy tail is that of a power of a uniform number.
    fn size(&mut self, service: &Service, smallest: u64, to_client: bool) -> (u64, u64) {
        let typical = if to_client { service.answer_bytes } else { service.request_bytes };
        let largest = if self.traffic == Traffic::Uniform { 1_400 } else { typical.max(smallest) };
        if self.sampled {
            return (1, self.random.random_range(smallest..=largest).min(LARGEST_PACKET));
        }
        let packets = match self.traffic {
            Traffic::Uniform => self.random.random_range(1..=100),
            Traffic::Demo => heavy_tail(self.random.random(), service.packets),
        };
        let mean = self.random.random_range(smallest..=largest);
        (packets, packets * mean + self.random.random_range(0..packets))
    }

    fn fill_ports(&mut self, flow: &mut Flow, service: &Service, transport: Transport) {
        if transport == Transport::Icmp {
            // Echo requests from the client, echo replies back: type 8 or 0, code 0.
            flow.dst_port = 8 << 8;
            return;
        }
        flow.src_port = self.random.random_range(49_152..=65_535);
        flow.dst_port = service.port;
        if transport == Transport::Tcp {
            const FLAGS: [u8; 6] = [0x1b, 0x1b, 0x1b, 0x1a, 0x18, 0x02];
            flow.tcp_flags = FLAGS[self.random.random_range(0..FLAGS.len())];
        }
    }
}

fn smallest(transport: Transport, ipv6: bool) -> u64 {
    let transport = if transport == Transport::Tcp { 20 } else { 8 };
    transport + if ipv6 { 40 } else { 20 }
}

/// A frame has at least 64 octets; shorter packets are padded.
fn frame_length(bytes: u64) -> u16 {
    let packet = u16::try_from(bytes).unwrap_or(u16::MAX - ETHERNET_HEADER - FRAME_CHECK);
    (packet + ETHERNET_HEADER + FRAME_CHECK).max(64)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 100 times `typical`")]
fn heavy_tail(uniform: f64, typical: u32) -> u64 {
    let factor = (0.1 / (1.0 - uniform).max(1e-3)).min(100.0);
    (f64::from(typical) * factor).round().max(1.0) as u64
}

fn reversed(flow: &Flow) -> Flow {
    let icmp = flow.proto == Transport::Icmp.number();
    Flow {
        src_addr: flow.dst_addr,
        dst_addr: flow.src_addr,
        src_port: if icmp { 0 } else { flow.dst_port },
        dst_port: if icmp { 0 } else { flow.src_port },
        in_if: flow.out_if,
        out_if: flow.in_if,
        src_as: flow.dst_as,
        dst_as: flow.src_as,
        src_mask: flow.dst_mask,
        dst_mask: flow.src_mask,
        ..flow.clone()
    }
}
