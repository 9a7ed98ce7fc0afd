//! Templates and their records, for the two protocols that have them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{low_u16, times};
use crate::traffic::{Flow, Transport};

/// Template ids: one for each address family.
const IPV4_TEMPLATE: u16 = 256;
const IPV6_TEMPLATE: u16 = 257;
/// Templates go with the first datagram and then again after so many datagrams or milliseconds.
const AGAIN_AFTER: (u32, u64) = (500, 20_000);

/// An information element: its number and the octets it takes here.
type Field = (u16, u16);

/// The elements between the addresses and the times, in their order on the wire.
const MIDDLE: [Field; 15] = [
    (10, 4),
    (14, 4),
    (2, 8),
    (1, 8),
    (7, 2),
    (11, 2),
    (6, 1),
    (4, 1),
    (5, 1),
    (16, 4),
    (17, 4),
    (9, 1),
    (13, 1),
    (32, 2),
    (61, 1),
];
/// Elements that have another number in the IPv6 template.
const IPV6_NAMES: [(u16, u16); 5] = [(8, 27), (12, 28), (15, 62), (9, 29), (13, 30)];

/// Says when the templates are due.
#[derive(Debug, Default)]
pub(super) struct Announcer {
    last: Option<(u32, u64)>,
    once: bool,
}

impl Announcer {
    /// Never again after the first time.
    pub(super) fn once(&mut self) {
        self.once = true;
    }

    /// Whether the datagram with this number, sent at `now_ms`, must carry the templates.
    pub(super) fn due(&mut self, datagram: u32, now_ms: u64) -> bool {
        let due = self.last.is_none_or(|(number, at)| {
            let again =
                datagram.wrapping_sub(number) >= AGAIN_AFTER.0 || now_ms.saturating_sub(at) >= AGAIN_AFTER.1;
            again && !self.once
        });
        if due {
            self.last = Some((datagram, now_ms));
        }
        due
    }
}

/// Both templates as one set: NetFlow v9's set 0 or IPFIX's set 2, with the elements for the times at the end.
pub(super) fn template_set(out: &mut Vec<u8>, set_id: u16, times: [Field; 2]) -> usize {
    set(out, set_id, |out| {
        for (id, ipv6) in [(IPV4_TEMPLATE, false), (IPV6_TEMPLATE, true)] {
            let fields = fields(ipv6, times);
            out.extend(id.to_be_bytes());
            out.extend(low_u16(fields.len()).to_be_bytes());
            for (element, length) in fields {
                out.extend(element.to_be_bytes());
                out.extend(length.to_be_bytes());
            }
        }
    });
    2
}

/// The data sets for these flows, one for each family that occurs; `write_times` ends each record.
pub(super) fn data_sets(out: &mut Vec<u8>, flows: &[Flow], write_times: impl Fn(&mut Vec<u8>, &Flow)) {
    for (id, ipv6) in [(IPV4_TEMPLATE, false), (IPV6_TEMPLATE, true)] {
        let mut of_family = flows.iter().filter(|flow| flow.src_addr.is_ipv6() == ipv6).peekable();
        if of_family.peek().is_none() {
            continue;
        }
        set(out, id, |out| {
            for flow in of_family {
                record(out, flow);
                write_times(out, flow);
            }
        });
    }
}

/// Octets of one record with its times.
pub(super) fn record_size(flow: &Flow, times: [Field; 2]) -> usize {
    fields(flow.src_addr.is_ipv6(), times).iter().map(|(_, length)| usize::from(*length)).sum()
}

/// Octets for records when the templates and both data sets must fit as well.
pub(super) fn room(header: usize) -> usize {
    const TEMPLATES: usize = 4 + 2 * (4 + 20 * 4);
    const DATA_SETS: usize = 2 * (4 + 3);
    super::LARGEST_PAYLOAD - header - TEMPLATES - DATA_SETS
}

/// Unix milliseconds of the first and last packet, written by the protocol.
pub(super) fn start_and_end(flow: &Flow, now_ms: u64) -> (u64, u64) {
    times(flow, now_ms)
}

fn fields(ipv6: bool, times: [Field; 2]) -> Vec<Field> {
    let addresses = [(8, 4), (12, 4), (15, 4)];
    let ipv4 = addresses.into_iter().chain(MIDDLE).chain(times);
    if !ipv6 {
        return ipv4.collect();
    }
    let renamed = |(element, length): Field| {
        let ipv6_name = IPV6_NAMES.iter().find(|(ipv4, _)| *ipv4 == element);
        ipv6_name.map_or((element, length), |(_, name)| (*name, if length == 4 { 16 } else { length }))
    };
    ipv4.map(renamed).collect()
}

/// A set with its length, padded to four octets.
fn set(out: &mut Vec<u8>, id: u16, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(id.to_be_bytes());
    out.extend([0, 0]);
    write(out);
    while !(out.len() - start).is_multiple_of(4) {
        out.push(0);
    }
    let length = low_u16(out.len() - start).to_be_bytes();
    out[start + 2..start + 4].copy_from_slice(&length);
}

fn record(out: &mut Vec<u8>, flow: &Flow) {
    address(out, flow.src_addr);
    address(out, flow.dst_addr);
    next_hop(out, flow.src_addr);
    out.extend(flow.in_if.to_be_bytes());
    out.extend(flow.out_if.to_be_bytes());
    out.extend(flow.packets.to_be_bytes());
    out.extend(flow.bytes.to_be_bytes());
    out.extend(flow.src_port.to_be_bytes());
    out.extend(flow.dst_port.to_be_bytes());
    out.extend([flow.tcp_flags, flow.proto, flow.tos]);
    out.extend(flow.src_as.to_be_bytes());
    out.extend(flow.dst_as.to_be_bytes());
    out.extend([flow.src_mask, flow.dst_mask]);
    let icmp = if flow.proto == Transport::Icmp.number() { flow.dst_port } else { 0 };
    out.extend(icmp.to_be_bytes());
    out.push(0);
}

fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => out.extend(v4.octets()),
        IpAddr::V6(v6) => out.extend(v6.octets()),
    }
}

fn next_hop(out: &mut Vec<u8>, like: IpAddr) {
    match like {
        IpAddr::V4(_) => address(out, Ipv4Addr::new(192, 0, 2, 254).into()),
        IpAddr::V6(_) => address(out, Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0xfffe).into()),
    }
}
