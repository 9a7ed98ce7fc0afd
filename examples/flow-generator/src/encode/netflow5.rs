//! NetFlow version 5: a header of 24 octets and records of 48; the sequence counts flows.

use std::net::{IpAddr, Ipv4Addr};

use super::{Encoder, Identity, low_u16, low_u32, times};
use crate::traffic::Flow;

const RECORD: usize = 48;
const MOST_RECORDS: usize = 30;

pub(super) struct Netflow5 {
    identity: Identity,
    sequence: u32,
}

impl Netflow5 {
    pub(super) fn new(identity: Identity) -> Self {
        Self { identity, sequence: 0 }
    }

    fn header(&self, out: &mut Vec<u8>, count: usize, now_ms: u64) {
        out.extend(5_u16.to_be_bytes());
        out.extend(low_u16(count).to_be_bytes());
        out.extend(self.identity.uptime(now_ms).to_be_bytes());
        out.extend(low_u32(now_ms / 1_000).to_be_bytes());
        out.extend(low_u32(now_ms % 1_000 * 1_000_000).to_be_bytes());
        out.extend(self.sequence.to_be_bytes());
        // Engine type 0, the domain's low octet as engine id, and no sampling.
        out.extend([0, self.identity.domain.to_be_bytes()[3], 0, 0]);
    }

    fn record(&self, out: &mut Vec<u8>, flow: &Flow, now_ms: u64) {
        let (start, end) = times(flow, now_ms);
        out.extend(octets(flow.src_addr));
        out.extend(octets(flow.dst_addr));
        out.extend(Ipv4Addr::new(192, 0, 2, 254).octets());
        out.extend(low_u16(flow.in_if as usize).to_be_bytes());
        out.extend(low_u16(flow.out_if as usize).to_be_bytes());
        out.extend(low_u32(flow.packets).to_be_bytes());
        out.extend(low_u32(flow.bytes).to_be_bytes());
        out.extend(self.identity.uptime(start).to_be_bytes());
        out.extend(self.identity.uptime(end).to_be_bytes());
        out.extend(flow.src_port.to_be_bytes());
        out.extend(flow.dst_port.to_be_bytes());
        out.extend([0, flow.tcp_flags, flow.proto, flow.tos]);
        out.extend(low_u16(flow.src_as as usize).to_be_bytes());
        out.extend(low_u16(flow.dst_as as usize).to_be_bytes());
        out.extend([flow.src_mask, flow.dst_mask, 0, 0]);
    }
}

impl Encoder for Netflow5 {
    fn room(&self) -> usize {
        MOST_RECORDS * RECORD
    }

    fn size(&self, _flow: &Flow) -> usize {
        RECORD
    }

    fn datagram(&mut self, flows: &[Flow], now_ms: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(24 + flows.len() * RECORD);
        self.header(&mut out, flows.len(), now_ms);
        for flow in flows {
            self.record(&mut out, flow, now_ms);
        }
        self.sequence = self.sequence.wrapping_add(low_u32(flows.len() as u64));
        out
    }
}

/// The model makes IPv4 alone for this protocol, which knows nothing else.
fn octets(address: IpAddr) -> [u8; 4] {
    match address {
        IpAddr::V4(v4) => v4.octets(),
        IpAddr::V6(_) => unreachable!("the model makes no IPv6 flow for NetFlow v5"),
    }
}
