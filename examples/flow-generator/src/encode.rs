//! Flows as datagrams, the way an exporter of each protocol writes them.

mod frame;
mod ipfix;
mod netflow5;
mod netflow9;
mod sflow;
mod template;

use std::net::IpAddr;

use crate::arguments::Protocol;
use crate::traffic::Flow;

/// Packets that one sampled packet stands for.
pub const SFLOW_SAMPLING_RATE: u32 = 256;
/// What fits into an Ethernet frame of 1,500 octets behind IPv6 and UDP headers.
const LARGEST_PAYLOAD: usize = 1_452;
/// How long the imagined exporter has been up when it starts.
const UPTIME_AT_START_MS: u64 = 3_600_000;

/// Writes the datagrams of one exporter and keeps its sequence.
pub trait Encoder {
    /// Octets for flows that one datagram has room for.
    fn room(&self) -> usize;
    /// Octets that a flow takes of that room.
    fn size(&self, flow: &Flow) -> usize;
    /// Has templates sent once alone, as over a connection (RFC 7011 8.1).
    fn announce_once(&mut self) {}
    /// One datagram that holds these flows, sent at `now_ms` (Unix). The flows must fit into [`Encoder::room`].
    fn datagram(&mut self, flows: &[Flow], now_ms: u64) -> Vec<u8>;
}

/// Who an exporter says it is.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// The address from which it sends; sFlow's agent address.
    pub address: IpAddr,
    /// Source id, observation domain, engine id (its low octet) or sub-agent.
    pub domain: u32,
    /// Unix milliseconds at which it starts to send.
    pub start_ms: u64,
}

impl Identity {
    /// sysUptime at a time: milliseconds since the imagined boot, wrapping after 49 days.
    fn uptime(&self, at_ms: u64) -> u32 {
        let boot = self.start_ms.saturating_sub(UPTIME_AT_START_MS);
        low_u32(at_ms.saturating_sub(boot))
    }
}

/// The encoder for a protocol.
#[must_use]
pub fn encoder(protocol: Protocol, identity: Identity) -> Box<dyn Encoder + Send> {
    match protocol {
        Protocol::Netflow5 => Box::new(netflow5::Netflow5::new(identity)),
        Protocol::Netflow9 => Box::new(netflow9::Netflow9::new(identity)),
        Protocol::Ipfix => Box::new(ipfix::Ipfix::new(identity)),
        Protocol::Sflow => Box::new(sflow::Sflow::new(identity)),
    }
}

/// What the counters of a flow must be multiplied with.
#[must_use]
pub fn sampling_rate(protocol: Protocol) -> u64 {
    if protocol == Protocol::Sflow { u64::from(SFLOW_SAMPLING_RATE) } else { 1 }
}

/// Unix milliseconds of a flow's first and last packet, when exported at `now_ms`.
fn times(flow: &Flow, now_ms: u64) -> (u64, u64) {
    let end = now_ms.saturating_sub(u64::from(flow.waited_ms));
    (end.saturating_sub(u64::from(flow.lasted_ms)), end)
}

/// The low 32 bits, as counters and clocks on the wire wrap.
#[expect(clippy::cast_possible_truncation, reason = "wraps as the field on the wire does")]
fn low_u32(value: u64) -> u32 {
    value as u32
}

#[expect(clippy::cast_possible_truncation, reason = "wraps as the field on the wire does")]
fn low_u16(value: usize) -> u16 {
    value as u16
}
