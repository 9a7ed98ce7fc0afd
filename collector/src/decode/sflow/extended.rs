//! What the device knows of a sampled packet beside its header: VLANs, routes, labels, translations, tunnels.

use super::records::{address, wide};
use super::sample::Sample;
use crate::decode::list::push;
use crate::decode::reader::Reader;
use crate::flow::{Batch, Column, address_bits};

/// Flow record formats of enterprise 0 (sFlow.org, "sFlow Version 5", "sFlow Port NAT Structures", "sFlow Tunnel
/// Structures").
const SWITCH: u32 = 1001;
const ROUTER: u32 = 1002;
const GATEWAY: u32 = 1003;
const USER: u32 = 1004;
const URL: u32 = 1005;
const MPLS: u32 = 1006;
const NAT: u32 = 1007;
const MPLS_VC: u32 = 1009;
const MPLS_LDP_FEC: u32 = 1011;
const VLAN_TUNNEL: u32 = 1012;
const NAT_PORT: u32 = 1020;
const IPV4_TUNNEL_EGRESS: u32 = 1023;
const IPV4_TUNNEL_INGRESS: u32 = 1024;
const IPV6_TUNNEL_EGRESS: u32 = 1025;
const IPV6_TUNNEL_INGRESS: u32 = 1026;
const VNI_EGRESS: u32 = 1029;
const VNI_INGRESS: u32 = 1030;

impl Sample {
    /// Reads one record. `None` for a format that has no column, and when the record is too short for its format.
    pub(super) fn extended(
        &mut self,
        format: u32,
        body: &mut Reader<'_>,
        text: &mut String,
        batch: &mut Batch,
    ) -> Option<()> {
        match format {
            SWITCH => self.switch(body),
            ROUTER => self.router(body),
            GATEWAY => self.gateway(body, text, batch),
            USER => self.user(body, batch),
            URL => self.url(body, batch),
            MPLS => self.label_stack(body),
            NAT => self.translation(body),
            NAT_PORT => self.translated_ports(body),
            MPLS_VC => self.virtual_circuit(body),
            MPLS_LDP_FEC => self.forwarding_class(body),
            VLAN_TUNNEL => self.vlan_tunnel(body),
            IPV4_TUNNEL_INGRESS => self.around::<4>(true, body),
            IPV4_TUNNEL_EGRESS => self.around::<4>(false, body),
            IPV6_TUNNEL_INGRESS => self.around::<16>(true, body),
            IPV6_TUNNEL_EGRESS => self.around::<16>(false, body),
            VNI_INGRESS => self.network(true, body),
            VNI_EGRESS => self.network(false, body),
            _ => None,
        }
    }

    /// The VLANs on both sides of the switch; 4294967295 is unknown.
    fn switch(&mut self, body: &mut Reader<'_>) -> Option<()> {
        let [source, _, destination, _] = [body.u32()?, body.u32()?, body.u32()?, body.u32()?];
        if source < 4096 {
            self.switched = true;
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
                push(text, format_args!("{open}{number}{close}"));
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
            push(text, format_args!("{}:{}", community >> 16, community & 0xffff));
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

    /// Who sent the packet, or else who receives it.
    fn user(&mut self, body: &mut Reader<'_>, batch: &mut Batch) -> Option<()> {
        let _charset = body.u32()?;
        let source = string(body)?;
        let _charset = body.u32()?;
        let destination = string(body)?;
        let name = if source.is_empty() { destination } else { source };
        if !name.is_empty() {
            self.username = batch.keep_text(name);
            self.set(Column::Username);
        }
        Some(())
    }

    fn url(&mut self, body: &mut Reader<'_>, batch: &mut Batch) -> Option<()> {
        let _direction = body.u32()?;
        let _url = string(body)?;
        let host = string(body)?;
        if !host.is_empty() {
            self.http_host = batch.keep_text(host);
            self.set(Column::HttpHost);
        }
        Some(())
    }

    /// The stack with which the packet came, for agents that take it off before they sample: entries as in RFC
    /// 3032. A header with labels of its own says it better.
    fn label_stack(&mut self, body: &mut Reader<'_>) -> Option<()> {
        let next_hop = address(body)?;
        let depth = body.u32()? as usize;
        let entries = body.take(depth.checked_mul(4)?)?;
        if let (Some(next_hop), false) = (next_hop, self.packet.present.contains(Column::NextHop)) {
            self.next_hop = address_bits(next_hop);
            self.set(Column::NextHop);
        }
        if !self.packet.present.contains(Column::MplsLabel1) {
            let (entries, _) = entries.as_chunks::<4>();
            let places = self.packet.labels.iter_mut().zip(Column::MPLS_LABELS);
            for ((label, column), entry) in places.zip(entries) {
                *label = u32::from_be_bytes(*entry) >> 8;
                self.packet.present.insert(column);
            }
        }
        Some(())
    }

    /// The name, the number and the class of service of a virtual circuit.
    fn virtual_circuit(&mut self, body: &mut Reader<'_>) -> Option<()> {
        let _name = string(body)?;
        self.circuit = Some(body.u32()?);
        Some(())
    }

    /// The length of the prefix for which LDP gave out the label.
    fn forwarding_class(&mut self, body: &mut Reader<'_>) -> Option<()> {
        self.class_length = Some(u8::try_from(body.u32()?).ok()?);
        Some(())
    }

    fn translation(&mut self, body: &mut Reader<'_>) -> Option<()> {
        if let Some(source) = address(body)? {
            self.xlate_src_addr = address_bits(source);
            self.set(Column::XlateSrcAddr);
        }
        if let Some(destination) = address(body)? {
            self.xlate_dst_addr = address_bits(destination);
            self.set(Column::XlateDstAddr);
        }
        Some(())
    }

    fn translated_ports(&mut self, body: &mut Reader<'_>) -> Option<()> {
        let [source, destination] = [body.u32()?, body.u32()?];
        self.xlate_src_port = u16::try_from(source).ok()?;
        self.xlate_dst_port = u16::try_from(destination).ok()?;
        self.set(Column::XlateSrcPort);
        self.set(Column::XlateDstPort);
        Some(())
    }

    /// The tags that were taken off before the header was sampled, the outermost first: TPID and TCI each.
    fn vlan_tunnel(&mut self, body: &mut Reader<'_>) -> Option<()> {
        let depth = body.u32()? as usize;
        let (tags, _) = body.take(depth.checked_mul(4)?)?.as_chunks::<4>();
        let mut vlans = tags.iter().map(|[_, _, high, low]| u16::from_be_bytes([*high, *low]) & 0x0fff);
        self.stripped = vlans.next().map(|outer| (outer, vlans.next()));
        Some(())
    }

    /// Puts the stripped tags before those of the header; what the switch record says of the first stands.
    pub(super) fn stripped_tags(&mut self) {
        let Some((outer, second)) = self.stripped.take() else { return };
        let own =
            (!self.switched && self.packet.present.contains(Column::SrcVlan)).then_some(self.packet.src_vlan);
        if let Some(second) = second.or(own) {
            self.packet.src_cvlan = second;
            self.set(Column::SrcCvlan);
        }
        if !self.switched {
            self.packet.src_vlan = outer;
            self.set(Column::SrcVlan);
        }
    }

    /// The header that was around the packet when it came, or is when it goes; the former counts.
    fn around<const N: usize>(&mut self, came: bool, body: &mut Reader<'_>) -> Option<()> {
        let _length = body.u32()?;
        let proto = u8::try_from(body.u32()?).ok()?;
        let source = wide(body.array::<N>()?);
        let destination = wide(body.array::<N>()?);
        if !came && self.packet.present.contains(Column::TunProto) {
            return Some(());
        }
        self.packet.tun_src_addr = source;
        self.packet.tun_dst_addr = destination;
        self.packet.tun_proto = proto;
        for column in [Column::TunSrcAddr, Column::TunDstAddr, Column::TunProto] {
            self.set(column);
        }
        Some(())
    }

    /// The virtual network: 24 bits.
    fn network(&mut self, came: bool, body: &mut Reader<'_>) -> Option<()> {
        let number = body.u32()?;
        if came || self.network.is_none() {
            self.network = Some(number);
        }
        Some(())
    }
}

/// Bytes with their number before them, filled up to a multiple of four.
fn string<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = reader.u32()? as usize;
    reader.take(length.checked_next_multiple_of(4)?)?.get(..length)
}
