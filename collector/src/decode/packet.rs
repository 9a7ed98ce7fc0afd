//! The headers of one sampled packet: sFlow's raw header, IPFIX's packet sections.
//!
//! A sample is cut after some bytes, mostly 128, so every layer may end anywhere: what was seen until there
//! counts. VLAN tags, MPLS and PPPoE are passed; the first IP header is the packet's, and what it tunnels goes
//! to the `inner_*` columns, or takes the packet's place where the exporter's source asks for it.

mod columns;
mod internet;
mod link;
mod tunnel;

pub(super) use columns::write;
pub(super) use tunnel::Tunnels;

use std::net::Ipv6Addr;

use super::list;
use super::reader::Reader;
use crate::flow::{Column, ColumnSet};

/// EtherTypes.
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ARP: u16 = 0x0806;
const MPLS: u16 = 0x8847;
const MPLS_MULTICAST: u16 = 0x8848;
const PPPOE_SESSION: u16 = 0x8864;
const BRIDGING: u16 = 0x6558;

/// The label stack entries that have a column, from the top.
const LABELS: [Column; 10] = Column::MPLS_LABELS;

/// How a sampled header starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Ethernet,
    Ppp,
    Ip,
    Mpls,
}

/// What a packet's headers said. Only what `present` holds is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) present: ColumnSet,
    pub(super) src_addr: u128,
    pub(super) dst_addr: u128,
    pub(super) inner_src_addr: u128,
    pub(super) inner_dst_addr: u128,
    pub(super) tun_src_addr: u128,
    pub(super) tun_dst_addr: u128,
    pub(super) src_mac: u64,
    pub(super) dst_mac: u64,
    /// Label stack entries without TTL, from the top: 20 bits label, 3 bits class, 1 bit bottom.
    pub(super) labels: [u32; LABELS.len()],
    pub(super) fragment_id: u32,
    pub(super) flow_label: u32,
    /// The IP packet's length with its header; 0 where it is missing.
    pub(super) ip_length: u32,
    /// How many bytes stand before the IP header, or before what is no IP.
    pub(super) network_at: u32,
    pub(super) etype: u16,
    pub(super) src_vlan: u16,
    pub(super) src_cvlan: u16,
    pub(super) src_port: u16,
    pub(super) dst_port: u16,
    pub(super) inner_src_port: u16,
    pub(super) inner_dst_port: u16,
    pub(super) tcp_flags: u16,
    pub(super) fragment_offset: u16,
    pub(super) proto: u8,
    pub(super) inner_proto: u8,
    pub(super) tun_proto: u8,
    pub(super) tos: u8,
    pub(super) ttl: u8,
    pub(super) ip_flags: u8,
    pub(super) icmp_type: u8,
    pub(super) icmp_code: u8,
    pub(super) segments_left: u8,
    /// Where the segment routing header's list stands: bytes from its start to the end of what was sampled, and
    /// how many segments.
    segments: (u16, u8),
    /// The tunnels whose content takes the packet's place.
    pub(super) decapsulate: Tunnels,
    /// This is what another packet carries: a tunnel in it is not followed.
    tunnelled: bool,
}

impl Packet {
    /// Nothing yet; what it will read comes without these tunnels.
    pub(super) fn without(tunnels: Tunnels) -> Self {
        Self { decapsulate: tunnels, ..Self::default() }
    }

    /// What the headers at the start of `bytes` say.
    pub(super) fn of(start: Start, bytes: &[u8]) -> Self {
        let mut packet = Self::default();
        packet.read(start, bytes);
        packet
    }

    /// Reads the headers at the start of `bytes` in place of what was known. Fields that they do not hold keep
    /// whatever stood there: clearing them all would cost more than reading.
    pub(super) fn read(&mut self, start: Start, bytes: &[u8]) {
        self.clear();
        let mut reader = Reader::new(bytes);
        // What follows the layers that end early is not there to be read.
        let _ = match start {
            Start::Ethernet => self.ethernet(&mut reader, bytes.len()),
            Start::Ppp => self.ppp(&mut reader, bytes.len()),
            Start::Mpls => self.mpls(&mut reader, bytes.len()),
            Start::Ip => self.version(&mut reader, bytes.len()),
        };
    }

    /// The list of the segment routing header in `bytes`, which are those that were read: 16 bytes a segment, the
    /// last segment of the path first (RFC 8754, 2).
    fn segments<'a>(&self, bytes: &'a [u8]) -> &'a [[u8; 16]] {
        if !self.present.contains(Column::SrhSegmentsLeft) {
            return &[];
        }
        let (back, count) = self.segments;
        let start = bytes.len().saturating_sub(usize::from(back));
        let (segments, _) = bytes.get(start..).unwrap_or_default().as_chunks();
        segments.get(..usize::from(count)).unwrap_or_default()
    }

    /// Writes the list to `text`, if there is one: the column is then present, and to be filled with it.
    pub(super) fn path(&mut self, bytes: &[u8], text: &mut String) -> bool {
        let segments = self.segments(bytes);
        text.clear();
        for segment in segments {
            list::push(text, format_args!("{}", Ipv6Addr::from(*segment)));
        }
        if !segments.is_empty() {
            self.set(Column::SrhSegments);
        }
        !segments.is_empty()
    }

    /// Forgets what is known.
    pub(super) fn clear(&mut self) {
        self.present = ColumnSet::default();
        self.ip_length = 0;
        self.network_at = 0;
    }

    /// Whether the IP header with its addresses was seen.
    pub(super) fn has_ip(&self) -> bool {
        self.present.contains(Column::SrcAddr)
    }

    fn set(&mut self, column: Column) {
        self.present.insert(column);
    }

    /// Whatever comes next starts here.
    fn mark(&mut self, reader: &Reader<'_>, total: usize) {
        self.network_at = u32::try_from(total - reader.len()).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests;
