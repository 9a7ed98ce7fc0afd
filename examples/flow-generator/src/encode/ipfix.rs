//! IPFIX (RFC 7011): the sequence counts data records sent before, times are Unix milliseconds.

use super::template::{self, Announcer};
use super::{Encoder, Identity, low_u16, low_u32};
use crate::traffic::Flow;

const HEADER: usize = 16;
const TEMPLATE_SET: u16 = 2;
/// flowStartMilliseconds and flowEndMilliseconds.
const TIMES: [(u16, u16); 2] = [(152, 8), (153, 8)];

pub(super) struct Ipfix {
    identity: Identity,
    sequence: u32,
    messages: u32,
    announcer: Announcer,
}

impl Ipfix {
    pub(super) fn new(identity: Identity) -> Self {
        Self { identity, sequence: 0, messages: 0, announcer: Announcer::default() }
    }

    fn header(&self, out: &mut Vec<u8>, now_ms: u64) {
        out.extend(10_u16.to_be_bytes());
        out.extend([0, 0]);
        out.extend(low_u32(now_ms / 1_000).to_be_bytes());
        out.extend(self.sequence.to_be_bytes());
        out.extend(self.identity.domain.to_be_bytes());
    }
}

impl Encoder for Ipfix {
    fn announce_once(&mut self) {
        self.announcer.once();
    }

    fn room(&self) -> usize {
        template::room(HEADER)
    }

    fn size(&self, flow: &Flow) -> usize {
        template::record_size(flow, TIMES)
    }

    fn datagram(&mut self, flows: &[Flow], now_ms: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(super::LARGEST_PAYLOAD);
        self.header(&mut out, now_ms);
        if self.announcer.due(self.messages, now_ms) {
            template::template_set(&mut out, TEMPLATE_SET, TIMES);
        }
        template::data_sets(&mut out, flows, |out, flow| {
            let (start, end) = template::start_and_end(flow, now_ms);
            out.extend(start.to_be_bytes());
            out.extend(end.to_be_bytes());
        });
        let length = low_u16(out.len());
        out[2..4].copy_from_slice(&length.to_be_bytes());
        self.messages = self.messages.wrapping_add(1);
        self.sequence = self.sequence.wrapping_add(low_u32(flows.len() as u64));
        out
    }
}
