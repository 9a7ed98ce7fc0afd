//! What tunnels carry: GRE, VXLAN, Geneve, IP in IP, and IP or Ethernet behind a segment routing header.

use crds::config::Tunnel;

use super::{BRIDGING, IPV4, IPV6, MPLS, Packet};
use crate::decode::reader::Reader;
use crate::flow::{Column, ColumnSet};

/// IANA's port, and the one that Linux' driver had before it was assigned.
const VXLAN_PORTS: [u16; 2] = [4789, 8472];
const GENEVE_PORT: u16 = 6081;

/// Kinds of tunnel, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::decode) struct Tunnels(u8);

impl Tunnels {
    /// The kinds in the list.
    pub(in crate::decode) fn of(kinds: &[Tunnel]) -> Self {
        Self(kinds.iter().fold(0, |bits, kind| bits | 1 << *kind as u8))
    }

    fn contains(self, kind: Tunnel) -> bool {
        self.0 >> kind as u8 & 1 == 1
    }
}

/// Where a tunnelled header's fields go.
const INNER: [(Column, Column); 5] = [
    (Column::SrcAddr, Column::InnerSrcAddr),
    (Column::DstAddr, Column::InnerDstAddr),
    (Column::Proto, Column::InnerProto),
    (Column::SrcPort, Column::InnerSrcPort),
    (Column::DstPort, Column::InnerDstPort),
];

/// What stays the outer packet's when it is taken off: that of the link, and of the path that was laid for it.
const OUTER: [Column; 6] = [
    Column::SrcMac,
    Column::DstMac,
    Column::SrcVlan,
    Column::SrcCvlan,
    Column::SrhSegments,
    Column::SrhSegmentsLeft,
];

impl Packet {
    /// VXLAN (RFC 7348) and Geneve (RFC 8926).
    pub(super) fn udp_tunnel(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        match self.dst_port {
            port if VXLAN_PORTS.contains(&port) => {
                let [flags, r0, r1, r2, .., reserved] = *reader.array::<8>()?;
                // The identifier must be there; on the old port, which is nobody's, nothing else may.
                if flags & 0x08 == 0
                    || port != VXLAN_PORTS[0] && [flags, r0, r1, r2, reserved] != [8, 0, 0, 0, 0]
                {
                    return None;
                }
                self.inner(Tunnel::Vxlan, BRIDGING, reader)
            }
            GENEVE_PORT => {
                let [lead, _, p0, p1, ..] = *reader.array::<8>()?;
                if lead >> 6 != 0 {
                    return None;
                }
                reader.take(usize::from(lead & 0x3f) * 4)?;
                self.inner(Tunnel::Geneve, u16::from_be_bytes([p0, p1]), reader)
            }
            _ => None,
        }
    }

    /// GRE with its optional fields (RFC 2784, 2890); version 1 carries PPP and is left alone.
    pub(super) fn gre(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let flags = reader.u16()?;
        let kind = reader.u16()?;
        if flags & 0x0007 != 0 {
            return None;
        }
        let optional = [0x8000, 0x2000, 0x1000].iter().filter(|bit| flags & **bit != 0).count();
        reader.take(optional * 4)?;
        self.inner(Tunnel::Gre, kind, reader)
    }

    /// A packet that follows the IP header at once. Behind a segment routing header it is SRv6's (RFC 8986, 5.1);
    /// a path of one segment goes without that header and is told from nothing.
    pub(super) fn ip_in_ip(&mut self, kind: u16, reader: &mut Reader<'_>) -> Option<()> {
        let routed = self.present.contains(Column::SrhSegmentsLeft);
        self.inner(if routed { Tunnel::SRv6 } else { Tunnel::Ipip }, kind, reader)
    }

    /// The first tunnelled IP header: of it addresses, protocol and ports, or all if it takes the packet's place.
    fn inner(&mut self, tunnel: Tunnel, kind: u16, reader: &mut Reader<'_>) -> Option<()> {
        if self.tunnelled {
            return None;
        }
        let takes_place = self.decapsulate.contains(tunnel);
        let mut inner = Self { tunnelled: !takes_place, ..Self::default() };
        let total = reader.len();
        let _ = match kind {
            BRIDGING => inner.ethernet(reader, total),
            IPV4 | IPV6 | MPLS => inner.protocol(kind, reader, total),
            _ => None,
        };
        if takes_place && inner.has_ip() {
            self.unwrap(inner);
            return Some(());
        }
        for (own, moved) in INNER {
            if inner.present.contains(own) {
                self.set(moved);
            }
        }
        self.inner_src_addr = inner.src_addr;
        self.inner_dst_addr = inner.dst_addr;
        self.inner_proto = inner.proto;
        self.inner_src_port = inner.src_port;
        self.inner_dst_port = inner.dst_port;
        Some(())
    }

    /// Puts what was carried in this packet's place. The length stays: it is what the link carried.
    fn unwrap(&mut self, inner: Self) {
        let mut outer = ColumnSet::of(&OUTER).union(&ColumnSet::of(&Column::MPLS_LABELS));
        let carried = inner.present.difference(&outer);
        outer = outer.intersection(&self.present);
        let around = [Column::TunSrcAddr, Column::TunDstAddr, Column::TunProto];
        *self = Self {
            present: outer.union(&carried).union(&ColumnSet::of(&around)),
            tun_src_addr: self.src_addr,
            tun_dst_addr: self.dst_addr,
            tun_proto: self.proto,
            src_mac: self.src_mac,
            dst_mac: self.dst_mac,
            src_vlan: self.src_vlan,
            src_cvlan: self.src_cvlan,
            labels: self.labels,
            segments: self.segments,
            segments_left: self.segments_left,
            ip_length: self.ip_length,
            network_at: self.network_at,
            decapsulate: self.decapsulate,
            tunnelled: false,
            ..inner
        };
    }
}
