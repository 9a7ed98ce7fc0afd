//! What was sent, counted as a collector should count it.

use std::net::IpAddr;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::arguments::{Protocol, Traffic};
use crate::traffic::{Flow, SERVICES};

/// Sums over flows. Packets and bytes are scaled by the sampling rate; bytes count layer 3.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// Flow records, or samples for sFlow.
    pub flows: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes from the IP header on.
    pub bytes: u64,
    /// Bytes of whole frames with their checksum; sFlow only, 0 elsewhere.
    #[serde(skip_serializing_if = "is_zero")]
    pub l2_bytes: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Sums {
    fn add(&mut self, flow: &Flow, sampling_rate: u64) {
        self.flows += 1;
        self.packets += flow.packets * sampling_rate;
        self.bytes += flow.bytes * sampling_rate;
        self.l2_bytes += flow.frame_length.map_or(0, u64::from) * sampling_rate;
    }
}

/// The sums by channel of `zone1_profile`, in its order; every channel is there, also an idle one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channels(Vec<Sums>);

impl Channels {
    /// The sums of one channel by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Sums> {
        SERVICES.iter().position(|service| service.channel == name).and_then(|index| self.0.get(index))
    }
}

impl Default for Channels {
    fn default() -> Self {
        Self(vec![Sums::default(); SERVICES.len()])
    }
}

impl Serialize for Channels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (service, sums) in SERVICES.iter().zip(&self.0) {
            map.serialize_entry(service.channel, sums)?;
        }
        map.end()
    }
}

/// What one exporter sent.
#[derive(Debug, Clone, Serialize)]
pub struct ExporterSummary {
    /// The source address of its datagrams.
    pub address: IpAddr,
    /// The source port of its datagrams.
    pub port: u16,
    /// Source id (v9), observation domain (IPFIX), engine id (v5) or sub-agent (sFlow).
    pub domain: u32,
    /// Datagrams.
    pub datagrams: u64,
    /// All flows.
    #[serde(flatten)]
    pub sums: Sums,
    /// The same by channel.
    pub channels: Channels,
}

impl ExporterSummary {
    /// An exporter that has sent nothing yet.
    #[must_use]
    pub fn new(address: IpAddr, port: u16, domain: u32) -> Self {
        Self { address, port, domain, datagrams: 0, sums: Sums::default(), channels: Channels::default() }
    }

    /// Counts one datagram that left, with its flows.
    pub fn add(&mut self, flows: &[Flow], sampling_rate: u64) {
        self.datagrams += 1;
        for flow in flows {
            self.sums.add(flow, sampling_rate);
            self.channels.0[flow.service].add(flow, sampling_rate);
        }
    }
}

/// What all exporters sent: the JSON object on standard output.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// What they spoke.
    pub protocol: Protocol,
    /// How the flows were mixed.
    pub traffic: Traffic,
    /// The seed that gives the same flows again.
    pub seed: u64,
    /// Unix milliseconds before the first datagram.
    pub from_ms: u64,
    /// Unix milliseconds after the last one.
    pub to_ms: u64,
    /// Packets that a sampled one stands for; 1 where nothing is sampled.
    pub sampling_rate: u64,
    /// Datagrams.
    pub datagrams: u64,
    /// All flows.
    #[serde(flatten)]
    pub sums: Sums,
    /// The same by channel.
    pub channels: Channels,
    /// The same by exporter.
    pub exporters: Vec<ExporterSummary>,
}

/// Adds up datagrams, sums and channels over exporters.
#[must_use]
pub fn total(exporters: &[ExporterSummary]) -> (u64, Sums, Channels) {
    let (mut datagrams, mut sums, mut channels) = (0, Sums::default(), Channels::default());
    for exporter in exporters {
        datagrams += exporter.datagrams;
        merge(&mut sums, &exporter.sums);
        for (into, from) in channels.0.iter_mut().zip(&exporter.channels.0) {
            merge(into, from);
        }
    }
    (datagrams, sums, channels)
}

fn merge(into: &mut Sums, from: &Sums) {
    into.flows += from.flows;
    into.packets += from.packets;
    into.bytes += from.bytes;
    into.l2_bytes += from.l2_bytes;
}
