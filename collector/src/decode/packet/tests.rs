//! Packets built by etherparse or by hand, read back whole and cut at every byte.

use etherparse::{LaxNetSlice, LaxSlicedPacket, PacketBuilder, TransportSlice, VlanId};
use proptest::prelude::*;

use super::*;
use crate::flow::address_bits;

mod link;
mod tunnels;

const SOURCE: [u8; 4] = [192, 0, 2, 1];
const DESTINATION: [u8; 4] = [198, 51, 100, 2];

fn ipv4_udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::ipv4(SOURCE, DESTINATION, 61).udp(4000, port).write(&mut packet, payload).unwrap();
    packet
}

fn frame(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&[0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1][..], &kind.to_be_bytes(), payload].concat()
}

fn read(frame: &[u8]) -> Packet {
    Packet::of(Start::Ethernet, frame)
}

fn mapped(address: [u8; 4]) -> u128 {
    address_bits(address.into())
}

fn assert_is_the_datagram(packet: &Packet, port: u16) {
    assert_eq!((packet.etype, packet.proto), (IPV4, 17));
    assert_eq!((packet.src_addr, packet.dst_addr), (mapped(SOURCE), mapped(DESTINATION)));
    assert_eq!((packet.src_port, packet.dst_port), (4000, port));
    assert_eq!((packet.src_mac, packet.dst_mac), (0x0200_0000_0001, 0x0200_0000_0002));
}

/// Values of the columns that are present, to compare packets.
fn values(packet: &Packet) -> Vec<(Column, u128)> {
    let value = |column| match column {
        Column::SrcAddr => packet.src_addr,
        Column::DstAddr => packet.dst_addr,
        Column::InnerSrcAddr => packet.inner_src_addr,
        Column::InnerDstAddr => packet.inner_dst_addr,
        Column::TunSrcAddr => packet.tun_src_addr,
        Column::TunDstAddr => packet.tun_dst_addr,
        Column::SrcMac => packet.src_mac.into(),
        Column::DstMac => packet.dst_mac.into(),
        Column::FragmentId => packet.fragment_id.into(),
        Column::Ipv6FlowLabel => packet.flow_label.into(),
        Column::EType => packet.etype.into(),
        Column::SrcVlan => packet.src_vlan.into(),
        Column::SrcCvlan => packet.src_cvlan.into(),
        Column::SrcPort => packet.src_port.into(),
        Column::DstPort => packet.dst_port.into(),
        Column::InnerSrcPort => packet.inner_src_port.into(),
        Column::InnerDstPort => packet.inner_dst_port.into(),
        Column::TcpFlags => packet.tcp_flags.into(),
        Column::FragmentOffset => packet.fragment_offset.into(),
        Column::Proto => packet.proto.into(),
        Column::InnerProto => packet.inner_proto.into(),
        Column::TunProto => packet.tun_proto.into(),
        Column::SrhSegmentsLeft => packet.segments_left.into(),
        Column::IpTos => packet.tos.into(),
        Column::MinTtl | Column::MaxTtl => packet.ttl.into(),
        Column::IpFlags => packet.ip_flags.into(),
        Column::IcmpType => packet.icmp_type.into(),
        Column::IcmpCode => packet.icmp_code.into(),
        label => packet.labels[LABELS.iter().position(|column| *column == label).unwrap()].into(),
    };
    packet.present.iter().map(|column| (column, value(column))).collect()
}

#[test]
fn a_fragment_has_no_ports_unless_it_is_the_first() {
    let mut ip = ipv4_udp(53, b"12345678");
    ip[6] = 0x20;
    let first = read(&frame(IPV4, &ip));
    assert_eq!((first.dst_port, first.ip_flags), (53, 0x20));
    assert!(first.present.contains(Column::FragmentId));
    ip[7] = 185;
    let later = read(&frame(IPV4, &ip));
    assert!(!later.present.contains(Column::DstPort));
    assert_eq!(later.fragment_offset, 185);
}

#[test]
fn an_identification_that_means_nothing_is_left_out() {
    // RFC 6864, 4.1: of a datagram that neither is nor may be fragmented.
    let atomic = read(&frame(IPV4, &ipv4_udp(53, b"x")));
    assert_eq!((atomic.ip_flags, atomic.present.contains(Column::FragmentId)), (0x40, false));
}

#[test]
fn ipv6_extension_headers_lead_to_the_transport() {
    let udp = [15, 160, 0, 53, 0, 8, 0, 0];
    let chain = [
        &[60, 0, 1, 4, 0, 0, 0, 0][..],
        &[43, 0, 1, 4, 0, 0, 0, 0],
        &[51, 0, 0, 0, 0, 0, 0, 0],
        &[44, 1, 0, 0, 0, 0, 0, 1],
        &[0, 0, 0, 0],
        &[17, 0, 0, 1, 0, 0, 0, 99],
        &udp,
    ]
    .concat();
    let mut header = [0_u8; 40];
    header[0] = 0x6a;
    header[1] = 0xb1;
    header[3] = 7;
    header[5] = u8::try_from(chain.len()).unwrap();
    header[7] = 61;
    let packet = read(&frame(IPV6, &[&header[..], &chain].concat()));
    assert_eq!((packet.proto, packet.src_port, packet.dst_port), (17, 4000, 53));
    assert_eq!((packet.fragment_id, packet.ip_flags, packet.tos), (99, 0x20, 0xab));
    assert_eq!((packet.flow_label, packet.ttl), (0x1_0007, 61));
    assert_eq!(packet.ip_length as usize, 40 + chain.len());
}

/// What a builder was told, and what it built.
fn built() -> impl Strategy<Value = Vec<u8>> {
    let addresses = (any::<[u8; 16]>(), any::<[u8; 16]>());
    let tags = prop::collection::vec(0_u16..4096, 0..3);
    let ends = (any::<u16>(), 0_u16..4000);
    (any::<bool>(), addresses, tags, 0_u8..3, ends, prop::collection::vec(any::<u8>(), 0..40)).prop_map(
        |(v6, (source, destination), tags, transport, (from, to), payload)| {
            let id = |at: usize| VlanId::try_new(tags[at]).unwrap();
            let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
            let four = |bytes: [u8; 16]| [bytes[0], bytes[1], bytes[2], bytes[3]];
            macro_rules! ip {
                ($link:expr) => {
                    if v6 {
                        $link.ipv6(source, destination, 64)
                    } else {
                        $link.ipv4(four(source), four(destination), 64)
                    }
                };
            }
            let ip = match tags.len() {
                0 => ip!(link),
                1 => ip!(link.single_vlan(id(0))),
                _ => ip!(link.double_vlan(id(0), id(1))),
            };
            let mut frame = Vec::new();
            match transport {
                0 => ip.tcp(from, to, 1, 2).syn().ack(3).write(&mut frame, &payload),
                1 => ip.udp(from, to).write(&mut frame, &payload),
                _ if v6 => ip.icmpv6_echo_request(1, 2).write(&mut frame, &payload),
                _ => ip.icmpv4_echo_request(1, 2).write(&mut frame, &payload),
            }
            .unwrap();
            frame
        },
    )
}

/// (addresses, ports, flags) as etherparse reads them.
type Seen = (Option<(u128, u128)>, Option<(u16, u16)>, Option<u16>);

fn etherparse_reads(frame: &[u8]) -> Seen {
    let Ok(sliced) = LaxSlicedPacket::from_ethernet(frame) else { return (None, None, None) };
    let addresses = match &sliced.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            Some((ip.header().source_addr().into(), ip.header().destination_addr().into()))
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            Some((ip.header().source_addr().into(), ip.header().destination_addr().into()))
        }
        _ => None,
    };
    let addresses = addresses.map(|(source, destination)| (address_bits(source), address_bits(destination)));
    match sliced.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            let bits =
                [tcp.cwr(), tcp.ece(), tcp.urg(), tcp.ack(), tcp.psh(), tcp.rst(), tcp.syn(), tcp.fin()];
            let flags = bits.iter().fold(0, |flags, bit| flags << 1 | u16::from(*bit));
            (addresses, Some((tcp.source_port(), tcp.destination_port())), Some(flags))
        }
        Some(TransportSlice::Udp(udp)) => {
            (addresses, Some((udp.source_port(), udp.destination_port())), None)
        }
        _ => (addresses, None, None),
    }
}

proptest! {
    #[test]
    fn etherparse_reads_the_same_and_a_cut_header_shows_no_more_and_nothing_else(frame in built()) {
        let whole = read(&frame);
        let known = values(&whole);
        for end in 0..=frame.len() {
            let cut = read(&frame[..end]);
            for value in values(&cut) {
                prop_assert!(known.contains(&value), "{:?} after {} bytes", value, end);
            }
            let (addresses, ports, flags) = etherparse_reads(&frame[..end]);
            let has = |column| cut.present.contains(column);
            if let Some(addresses) = addresses {
                prop_assert_eq!(has(Column::SrcAddr).then_some((cut.src_addr, cut.dst_addr)), Some(addresses));
            }
            if let Some(ports) = ports {
                prop_assert_eq!(has(Column::DstPort).then_some((cut.src_port, cut.dst_port)), Some(ports));
            }
            if flags.is_some() {
                prop_assert_eq!(has(Column::TcpFlags).then_some(cut.tcp_flags), flags);
            }
        }
        prop_assert!(etherparse_reads(&frame).0.is_some());
    }

    #[test]
    fn no_bytes_make_it_panic(start in 0_u8..4, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let start = [Start::Ethernet, Start::Ppp, Start::Ip, Start::Mpls][usize::from(start)];
        let packet = Packet::of(start, &bytes);
        prop_assert!(packet.network_at as usize <= bytes.len());
    }

    #[test]
    fn no_change_to_a_packet_makes_it_panic(
        frame in built(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        kind in prop::sample::select(vec![IPV4, IPV6, MPLS, PPPOE_SESSION, 0x8100, 8]),
    ) {
        let mut frame = frame;
        frame[12..14].copy_from_slice(&kind.to_be_bytes());
        for (at, value) in flips {
            let at = at.index(frame.len());
            frame[at] = value;
        }
        let packet = read(&frame);
        prop_assert!(packet.network_at as usize <= frame.len());
    }
}
