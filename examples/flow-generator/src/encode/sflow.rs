//! sFlow version 5: flow samples with the raw header of one packet each; datagrams and samples have sequences.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Encoder, Identity, SFLOW_SAMPLING_RATE, frame, low_u32};
use crate::traffic::{FRAME_CHECK, Flow};

/// Version to number of samples, with an IPv6 agent.
const HEADER: usize = 40;
/// A flow sample and its raw header record, without the header itself.
const SAMPLE: usize = 8 + 32 + 8 + 16;
const MOST_HEADER: usize = 128;
const FLOW_SAMPLE: u32 = 1;
const RAW_HEADER: u32 = 1;
const ETHERNET: u32 = 1;

/// Sequence and pool of one data source: an interface.
#[derive(Default)]
struct DataSource {
    samples: u32,
    pool: u32,
}

pub(super) struct Sflow {
    identity: Identity,
    sequence: u32,
    sources: BTreeMap<u32, DataSource>,
}

impl Sflow {
    pub(super) fn new(identity: Identity) -> Self {
        Self { identity, sequence: 0, sources: BTreeMap::new() }
    }

    fn header(&self, out: &mut Vec<u8>, samples: usize, now_ms: u64) {
        word(out, 5);
        match self.identity.address {
            IpAddr::V4(v4) => {
                word(out, 1);
                out.extend(v4.octets());
            }
            IpAddr::V6(v6) => {
                word(out, 2);
                out.extend(v6.octets());
            }
        }
        word(out, self.identity.domain);
        word(out, self.sequence);
        word(out, self.identity.uptime(now_ms));
        word(out, low_u32(samples as u64));
    }

    fn sample(&mut self, out: &mut Vec<u8>, flow: &Flow) {
        let source = self.sources.entry(flow.in_if).or_default();
        source.samples = source.samples.wrapping_add(1);
        source.pool = source.pool.wrapping_add(SFLOW_SAMPLING_RATE);
        let header = sampled_header(flow);
        let padded = header.len().next_multiple_of(4);
        word(out, FLOW_SAMPLE);
        word(out, low_u32((SAMPLE - 8 + padded) as u64));
        word(out, source.samples);
        word(out, flow.in_if);
        word(out, SFLOW_SAMPLING_RATE);
        word(out, source.pool);
        word(out, 0);
        word(out, flow.in_if);
        word(out, flow.out_if);
        word(out, 1);
        word(out, RAW_HEADER);
        word(out, low_u32((16 + padded) as u64));
        word(out, ETHERNET);
        word(out, u32::from(flow.frame_length.unwrap_or(0)));
        word(out, u32::from(FRAME_CHECK));
        word(out, low_u32(header.len() as u64));
        out.extend(&header);
        out.resize(out.len() + padded - header.len(), 0);
    }
}

impl Encoder for Sflow {
    fn room(&self) -> usize {
        super::LARGEST_PAYLOAD - HEADER
    }

    fn size(&self, _flow: &Flow) -> usize {
        SAMPLE + MOST_HEADER
    }

    fn datagram(&mut self, flows: &[Flow], now_ms: u64) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut out = Vec::with_capacity(super::LARGEST_PAYLOAD);
        self.header(&mut out, flows.len(), now_ms);
        for flow in flows {
            self.sample(&mut out, flow);
        }
        out
    }
}

/// What a switch copies: the first 128 octets of the frame with the padding of a short one.
fn sampled_header(flow: &Flow) -> Vec<u8> {
    let mut header = frame::frame(flow);
    let on_the_wire = usize::from(flow.frame_length.unwrap_or(0).saturating_sub(FRAME_CHECK));
    header.resize(on_the_wire.min(MOST_HEADER), 0);
    header
}

fn word(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_be_bytes());
}
