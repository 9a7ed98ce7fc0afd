//! The records of a flow sample: the packet's header, or what stands in for it. What the device knows of the
//! packet beside it is read in `extended`.

use std::net::IpAddr;

use super::sample::Sample;
use super::tagged;
use crate::decode::packet::{Packet, Start};
use crate::decode::reader::Reader;
use crate::flow::{Batch, Column, ColumnSet};

/// Flow record formats of enterprise 0.
const RAW_HEADER: u32 = 1;
const ETHERNET: u32 = 2;
const IPV4: u32 = 3;
const IPV6: u32 = 4;

/// Records in one sample; more than fit into a datagram are a lie.
const MOST_RECORDS: u32 = 8192;

/// The columns that the records for frames and IP packets fill.
const DESCRIPTION: [Column; 10] = [
    Column::SrcMac,
    Column::DstMac,
    Column::EType,
    Column::SrcAddr,
    Column::DstAddr,
    Column::Proto,
    Column::IpTos,
    Column::SrcPort,
    Column::DstPort,
    Column::TcpFlags,
];

impl Sample {
    /// Reads the records of the sample. `None` when their lengths contradict each other.
    pub(super) fn records(
        &mut self,
        reader: &mut Reader<'_>,
        text: &mut String,
        batch: &mut Batch,
    ) -> Option<()> {
        for _ in 0..reader.u32()?.min(MOST_RECORDS) {
            let (format, body) = tagged(reader)?;
            let mut body = Reader::new(body);
            match format {
                RAW_HEADER => self.raw_header(&mut body, text, batch)?,
                ETHERNET => self.ethernet(&mut body)?,
                IPV4 => self.ip::<4>(&mut body)?,
                IPV6 => self.ip::<16>(&mut body)?,
                _ => self.beside(format, &mut body, text, batch),
            }
        }
        self.stripped_tags();
        Some(())
    }

    /// A record that describes no packet: one that is too short for its format adds nothing.
    fn beside(&mut self, format: u32, body: &mut Reader<'_>, text: &mut String, batch: &mut Batch) {
        let present = self.packet.present;
        if self.extended(format, body, text, batch).is_none() {
            self.packet.present = present;
            self.skipped += 1;
        }
    }

    /// The first bytes of the packet.
    fn raw_header(&mut self, body: &mut Reader<'_>, text: &mut String, batch: &mut Batch) -> Option<()> {
        let protocol = body.u32()?;
        let frame_length = body.u32()?;
        let stripped = body.u32()?;
        let length = body.u32()? as usize;
        let header = body.take(length)?;
        if self.raw {
            return Some(());
        }
        self.raw = true;
        let start = match protocol {
            1 => Some(Start::Ethernet),
            7 | 14 => Some(Start::Ppp),
            11 | 12 => Some(Start::Ip),
            13 => Some(Start::Mpls),
            _ => None,
        };
        if let Some(start) = start {
            self.headers(start, header);
            self.segments(header, text, batch);
        }
        self.described = true;
        if !matches!(protocol, 11 | 12) {
            self.l2_bytes = frame_length.into();
            self.set(Column::L2Bytes);
        }
        let below = frame_length.saturating_sub(stripped).saturating_sub(self.packet.network_at);
        let ip_length = self.packet.ip_length;
        self.bytes = if ip_length > 0 { ip_length.into() } else { below.into() };
        self.set(Column::Bytes);
        Some(())
    }

    /// Takes what the headers say, unless the other records said more: they describe a packet that the header
    /// record holds too little of.
    fn headers(&mut self, start: Start, header: &[u8]) {
        let mut kept = self.packet.present;
        if self.described {
            if self.packet.has_ip() && !Packet::of(start, header).has_ip() {
                return;
            }
            kept = kept.difference(&ColumnSet::of(&DESCRIPTION));
        }
        let vlan = self.packet.src_vlan;
        let labels = kept.contains(Column::MplsLabel1).then_some(self.packet.labels);
        self.packet.read(start, header);
        if kept.contains(Column::SrcVlan) {
            self.packet.src_vlan = vlan;
        }
        if let Some(labels) = labels {
            if self.packet.present.contains(Column::MplsLabel1) {
                kept = kept.difference(&ColumnSet::of(&Column::MPLS_LABELS));
            } else {
                self.packet.labels = labels;
            }
        }
        self.packet.present = self.packet.present.union(&kept);
    }

    /// The path of a packet that is routed by segments.
    fn segments(&mut self, header: &[u8], text: &mut String, batch: &mut Batch) {
        if self.packet.path(header, text) {
            self.srh_segments = batch.keep_text(text.as_bytes());
        }
    }

    /// The frame's addresses and type: what a switch without a copy of the packet sends.
    fn ethernet(&mut self, body: &mut Reader<'_>) -> Option<()> {
        let length = body.u32()?;
        let mut mac = || {
            let [a, b, c, d, e, f, _, _] = *body.array::<8>()?;
            Some(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
        };
        let (source, destination) = (mac()?, mac()?);
        let kind = body.u32()?;
        if self.raw {
            return Some(());
        }
        self.described = true;
        self.packet.src_mac = source;
        self.packet.dst_mac = destination;
        self.l2_bytes = length.into();
        self.set(Column::SrcMac);
        self.set(Column::DstMac);
        self.set(Column::L2Bytes);
        if let (Ok(kind), false) = (u16::try_from(kind), self.packet.has_ip()) {
            self.packet.etype = kind;
            self.set(Column::EType);
            self.bytes = length.saturating_sub(14).into();
            self.set(Column::Bytes);
        }
        Some(())
    }

    /// The packet's addresses, protocol and ports, in place of its header.
    fn ip<const N: usize>(&mut self, body: &mut Reader<'_>) -> Option<()> {
        let length = body.u32()?;
        let proto = u8::try_from(body.u32()?).ok()?;
        let source = wide(body.array::<N>()?);
        let destination = wide(body.array::<N>()?);
        let [src_port, dst_port, flags, tos] = [body.u32()?, body.u32()?, body.u32()?, body.u32()?];
        if self.raw && self.packet.has_ip() {
            return Some(());
        }
        self.described = true;
        let packet = &mut self.packet;
        (packet.src_addr, packet.dst_addr, packet.proto) = (source, destination, proto);
        packet.etype = if N == 4 { 0x0800 } else { 0x86dd };
        packet.tos = (tos & 0xff) as u8;
        self.bytes = length.into();
        for column in
            [Column::SrcAddr, Column::DstAddr, Column::Proto, Column::EType, Column::IpTos, Column::Bytes]
        {
            self.set(column);
        }
        if matches!(proto, 6 | 17 | 33 | 132 | 136) {
            self.packet.src_port = (src_port & 0xffff) as u16;
            self.packet.dst_port = (dst_port & 0xffff) as u16;
            self.set(Column::SrcPort);
            self.set(Column::DstPort);
        }
        if proto == 6 {
            self.packet.tcp_flags = (flags & 0x0fff) as u16;
            self.set(Column::TcpFlags);
        }
        Some(())
    }
}

/// An address with its type before it: 0 unknown, 1 IPv4, 2 IPv6.
pub(super) fn address(reader: &mut Reader<'_>) -> Option<Option<IpAddr>> {
    match reader.u32()? {
        0 => Some(None),
        1 => Some(Some(IpAddr::from(*reader.array::<4>()?))),
        2 => Some(Some(IpAddr::from(*reader.array::<16>()?).to_canonical())),
        _ => None,
    }
}

/// Address bytes as the address columns hold them.
pub(super) fn wide<const N: usize>(bytes: &[u8; N]) -> u128 {
    let number = bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte));
    if N == 4 { 0xffff_0000_0000 | number } else { number }
}
