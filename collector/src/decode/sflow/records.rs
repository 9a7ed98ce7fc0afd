//! The records of a flow sample: the packet's header or what stands in for it, and what the device knows of it.

use std::fmt::Write;
use std::net::IpAddr;

use super::sample::Sample;
use super::tagged;
use crate::decode::packet::{Packet, Start};
use crate::decode::reader::Reader;
use crate::flow::{Batch, Column, ColumnSet, TEXT_LIMIT, address_bits};

/// Flow record formats of enterprise 0.
const RAW_HEADER: u32 = 1;
const ETHERNET: u32 = 2;
const IPV4: u32 = 3;
const IPV6: u32 = 4;
const SWITCH: u32 = 1001;
const ROUTER: u32 = 1002;
const GATEWAY: u32 = 1003;

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
                RAW_HEADER => self.raw_header(&mut body)?,
                ETHERNET => self.ethernet(&mut body)?,
                IPV4 => self.ip::<4>(&mut body)?,
                IPV6 => self.ip::<16>(&mut body)?,
                SWITCH => self.switch(&mut body)?,
                ROUTER => self.router(&mut body)?,
                GATEWAY => self.gateway(&mut body, text, batch)?,
                // Known or not: nothing in it has a column.
                _ => self.skipped += 1,
            }
        }
        Some(())
    }

    /// The first bytes of the packet.
    fn raw_header(&mut self, body: &mut Reader<'_>) -> Option<()> {
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
        self.packet.read(start, header);
        if kept.contains(Column::SrcVlan) {
            self.packet.src_vlan = vlan;
        }
        self.packet.present = self.packet.present.union(&kept);
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

    /// The VLANs on both sides of the switch; 4294967295 is unknown.
    fn switch(&mut self, body: &mut Reader<'_>) -> Option<()> {
        let [source, _, destination, _] = [body.u32()?, body.u32()?, body.u32()?, body.u32()?];
        if source < 4096 {
            self.packet.src_vlan = (source & 0x0fff) as u16;
            self.set(Column::SrcVlan);
        }
        if destination < 4096 {
            self.dst_vlan = (destination & 0x0fff) as u16;
            self.set(Column::DstVlan);
        }
        Some(())
    }

    fn router(&mut self, body: &mut Reader<'_>) -> Option<()> {
        if let Some(next_hop) = address(body)? {
            self.next_hop = address_bits(next_hop);
            self.set(Column::NextHop);
        }
        let [source, destination] = [body.u32()?, body.u32()?];
        self.src_mask = (source & 0xff) as u8;
        self.dst_mask = (destination & 0xff) as u8;
        self.set(Column::SrcMask);
        self.set(Column::DstMask);
        Some(())
    }

    /// What BGP says: AS 0 is unknown.
    fn gateway(&mut self, body: &mut Reader<'_>, text: &mut String, batch: &mut Batch) -> Option<()> {
        if let Some(next_hop) = address(body)? {
            self.bgp_next_hop = address_bits(next_hop);
            self.set(Column::BgpNextHop);
        }
        let _own = body.u32()?;
        let [source, previous] = [body.u32()?, body.u32()?];
        text.clear();
        let (mut first, mut last) = (None, 0);
        for _ in 0..body.u32()? {
            let set = body.u32()? == 1;
            let length = body.u32()?;
            for at in 0..length {
                let number = body.u32()?;
                first = first.or(Some(number));
                last = number;
                let open = if set && at == 0 { "{" } else { "" };
                let close = if set && at + 1 == length { "}" } else { "" };
                token(text, format_args!("{open}{number}{close}"));
            }
        }
        self.autonomous_systems(source, previous, first.unwrap_or(0), last);
        if !text.is_empty() {
            self.as_path = batch.keep_text(text.as_bytes());
            self.set(Column::AsPath);
        }
        text.clear();
        for _ in 0..body.u32()? {
            let community = body.u32()?;
            token(text, format_args!("{}:{}", community >> 16, community & 0xffff));
        }
        if !text.is_empty() {
            self.communities = batch.keep_text(text.as_bytes());
            self.set(Column::Communities);
        }
        Some(())
    }

    fn autonomous_systems(&mut self, source: u32, previous: u32, next: u32, destination: u32) {
        let numbers = [
            (&mut self.src_as, source, Column::SrcAs),
            (&mut self.prev_as, previous, Column::PrevAs),
            (&mut self.next_as, next, Column::NextAs),
            (&mut self.dst_as, destination, Column::DstAs),
        ];
        for (field, number, column) in numbers {
            if number != 0 {
                *field = number;
                self.packet.present.insert(column);
            }
        }
    }
}

/// Appends a word, unless the text would become longer than texts may be.
fn token(text: &mut String, word: std::fmt::Arguments<'_>) {
    let before = text.len();
    let separator = if before == 0 { "" } else { " " };
    // Writing to a String cannot fail.
    let _ = write!(text, "{separator}{word}");
    if text.len() > TEXT_LIMIT {
        text.truncate(before);
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
fn wide<const N: usize>(bytes: &[u8; N]) -> u128 {
    let number = bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte));
    if N == 4 { 0xffff_0000_0000 | number } else { number }
}
