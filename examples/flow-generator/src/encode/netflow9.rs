//! NetFlow version 9 (RFC 3954): the sequence counts datagrams, times are sysUptime.

use super::template::{self, Announcer};
use super::{Encoder, Identity, low_u16, low_u32};
use crate::traffic::Flow;

const HEADER: usize = 20;
const TEMPLATE_SET: u16 = 0;
/// FIRST_SWITCHED and LAST_SWITCHED.
const TIMES: [(u16, u16); 2] = [(22, 4), (21, 4)];

pub(super) struct Netflow9 {
    identity: Identity,
    sequence: u32,
    announcer: Announcer,
}

impl Netflow9 {
    pub(super) fn new(identity: Identity) -> Self {
        Self { identity, sequence: 0, announcer: Announcer::default() }
    }

    fn header(&self, out: &mut Vec<u8>, now_ms: u64) {
        out.extend(9_u16.to_be_bytes());
        out.extend([0, 0]);
        out.extend(self.identity.uptime(now_ms).to_be_bytes());
        out.extend(low_u32(now_ms / 1_000).to_be_bytes());
        out.extend(self.sequence.to_be_bytes());
        out.extend(self.identity.domain.to_be_bytes());
    }
}

impl Encoder for Netflow9 {
    fn room(&self) -> usize {
        template::room(HEADER)
    }

    fn size(&self, flow: &Flow) -> usize {
        template::record_size(flow, TIMES)
    }

    fn datagram(&mut self, flows: &[Flow], now_ms: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(super::LARGEST_PAYLOAD);
        self.header(&mut out, now_ms);
        let mut count = flows.len();
        if self.announcer.due(self.sequence, now_ms) {
            count += template::template_set(&mut out, TEMPLATE_SET, TIMES);
        }
        let identity = self.identity;
        template::data_sets(&mut out, flows, |out, flow| {
            let (start, end) = template::start_and_end(flow, now_ms);
            out.extend(identity.uptime(start).to_be_bytes());
            out.extend(identity.uptime(end).to_be_bytes());
        });
        // The count is that of all records in the datagram, templates included.
        out[2..4].copy_from_slice(&low_u16(count).to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
        out
    }
}
