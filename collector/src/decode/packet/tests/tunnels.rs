//! What tunnels carry: beside the packet, or in its place.

use std::net::Ipv6Addr;

use crds::config::Tunnel;

use super::*;

const OUTSIDE: ([u8; 4], [u8; 4]) = ([203, 0, 113, 1], [203, 0, 113, 2]);

/// An IPv4 packet between the tunnel's ends.
fn around(proto: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::ipv4(OUTSIDE.0, OUTSIDE.1, 9).udp(50_000, 0).write(&mut packet, payload).unwrap();
    packet.drain(20..28);
    packet[9] = proto;
    packet
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::ipv4(OUTSIDE.0, OUTSIDE.1, 9).udp(50_000, port).write(&mut packet, payload).unwrap();
    packet
}

/// An IPv6 header of 2001:db8::1 to 2001:db8::2 around it.
fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    packet.extend([next, 9]);
    packet.extend(segment(1));
    packet.extend(segment(2));
    packet.extend(payload);
    packet
}

fn segment(last: u16) -> [u8; 16] {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).octets()
}

/// A segment routing header of three segments, with a TLV behind them if asked for.
fn routed(next: u8, tlv: bool, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![next, 6 + u8::from(tlv), 4, 1, 2, 0, 0, 0];
    (11..14).for_each(|last| header.extend(segment(last)));
    if tlv {
        header.extend([4, 6, 0, 0, 0, 0, 0, 0]);
    }
    header.extend(payload);
    ipv6(43, &header)
}

fn bridged() -> Vec<u8> {
    [&[0x0e, 0, 0, 0, 0, 9, 0x0e, 0, 0, 0, 0, 8, 8, 0][..], &ipv4_udp(53, b"x")].concat()
}

fn gre(kind: [u8; 2], payload: &[u8]) -> Vec<u8> {
    // Checksum, key and sequence number.
    around(47, &[&[0xb0, 0][..], &kind, &[0; 12], payload].concat())
}

/// Each tunnel around the datagram, with its EtherType.
fn tunnels() -> Vec<(Tunnel, u16, Vec<u8>)> {
    let inner = ipv4_udp(53, b"x");
    let vxlan = [&[8, 0, 0, 0, 0, 0, 1, 0][..], &bridged()].concat();
    let geneve = [&[1, 0, 0x65, 0x58, 0, 0, 1, 0, 1, 2, 3, 4][..], &bridged()].concat();
    let labelled = [&[0, 1, 1, 64][..], &inner].concat();
    vec![
        (Tunnel::Vxlan, IPV4, udp(4789, &vxlan)),
        (Tunnel::Vxlan, IPV4, udp(8472, &vxlan)),
        (Tunnel::Geneve, IPV4, udp(6081, &geneve)),
        (Tunnel::Geneve, IPV4, udp(6081, &[&[0, 0, 8, 0, 0, 0, 1, 0][..], &inner].concat())),
        (Tunnel::Gre, IPV4, gre([8, 0], &inner)),
        (Tunnel::Gre, IPV4, gre([0x65, 0x58], &bridged())),
        (Tunnel::Gre, IPV4, gre([0x88, 0x47], &labelled)),
        (Tunnel::Ipip, IPV4, around(4, &inner)),
        (Tunnel::Ipip, IPV6, ipv6(4, &inner)),
        (Tunnel::SRv6, IPV6, routed(4, false, &inner)),
        (Tunnel::SRv6, IPV6, routed(143, true, &bridged())),
    ]
}

#[test]
fn the_first_tunnelled_header_goes_to_the_inner_columns() {
    for (tunnel, kind, bytes) in tunnels() {
        let packet = read(&frame(kind, &bytes));
        assert_eq!(packet.etype, kind, "{tunnel:?}");
        assert_eq!((packet.inner_src_addr, packet.inner_dst_addr), (mapped(SOURCE), mapped(DESTINATION)));
        assert_eq!((packet.inner_proto, packet.inner_src_port, packet.inner_dst_port), (17, 4000, 53));
        assert!(packet.present.contains(Column::InnerDstPort), "{tunnel:?}");
        assert!(!packet.present.contains(Column::TunProto), "{tunnel:?}");
    }
}

#[test]
fn ipv6_in_ipv4_and_in_ipv6_are_tunnels_too() {
    let inner = ipv6(17, &[15, 160, 0, 53, 0, 8, 0, 0]);
    for (kind, bytes) in [(IPV4, around(41, &inner)), (IPV6, ipv6(41, &inner))] {
        let packet = read(&frame(kind, &bytes));
        assert_eq!(packet.inner_src_addr, u128::from_be_bytes(segment(1)));
        assert_eq!((packet.proto, packet.inner_proto, packet.inner_dst_port), (41, 17, 53));
    }
}

#[test]
fn a_segment_routing_header_gives_its_list_and_how_many_are_left() {
    for tlv in [false, true] {
        let bytes = frame(IPV6, &routed(17, tlv, &[15, 160, 0, 53, 0, 8, 0, 0]));
        let packet = read(&bytes);
        assert_eq!(packet.segments(&bytes), [segment(11), segment(12), segment(13)]);
        assert_eq!((packet.segments_left, packet.proto, packet.dst_port), (1, 17, 53));
    }
    // Cut inside the list, and a list that is longer than its header: no half a path.
    let mut bytes = frame(IPV6, &routed(17, false, &[0; 8]));
    assert!(!read(&bytes[..14 + 40 + 8 + 47]).present.contains(Column::SrhSegmentsLeft));
    bytes[14 + 40 + 4] = 3;
    assert!(!read(&bytes).present.contains(Column::SrhSegmentsLeft));
    // Another type of routing header is passed.
    (bytes[14 + 40 + 4], bytes[14 + 40 + 2]) = (2, 2);
    let packet = read(&bytes);
    assert!(packet.segments(&bytes).is_empty() && packet.proto == 17);
}

fn unwrapped(kinds: &[Tunnel], frame: &[u8]) -> Packet {
    let mut packet = Packet { decapsulate: Tunnels::of(kinds), ..Packet::default() };
    packet.read(Start::Ethernet, frame);
    packet
}

#[test]
fn a_tunnel_that_is_taken_off_leaves_its_ends_and_the_carried_packet() {
    for (tunnel, kind, bytes) in tunnels() {
        let tagged = frame(0x8100, &[&[0, 7][..], &kind.to_be_bytes(), &bytes].concat());
        let outer = read(&tagged);
        let packet = unwrapped(&[tunnel], &tagged);
        assert_is_the_datagram(&packet, 53);
        assert_eq!((packet.ttl, packet.src_vlan), (61, 7), "{tunnel:?}");
        assert_eq!(
            (packet.tun_src_addr, packet.tun_dst_addr),
            (outer.src_addr, outer.dst_addr),
            "{tunnel:?}"
        );
        assert_eq!((packet.tun_proto, packet.ip_length), (outer.proto, outer.ip_length), "{tunnel:?}");
        assert!(!packet.present.contains(Column::InnerSrcAddr), "{tunnel:?}");
        assert!(packet.present.contains(Column::TunProto) && packet.present.contains(Column::SrcVlan));
        assert_eq!(packet.present.contains(Column::SrhSegmentsLeft), tunnel == Tunnel::SRv6);
    }
}

#[test]
fn a_tunnel_of_another_kind_stays_on() {
    let all = [Tunnel::Gre, Tunnel::Vxlan, Tunnel::Geneve, Tunnel::Ipip, Tunnel::SRv6];
    for (tunnel, kind, bytes) in tunnels() {
        let others: Vec<Tunnel> = all.into_iter().filter(|other| *other != tunnel).collect();
        let packet = unwrapped(&others, &frame(kind, &bytes));
        assert_eq!(values(&packet), values(&read(&frame(kind, &bytes))), "{tunnel:?}");
    }
}

#[test]
fn of_nested_tunnels_one_is_taken_off_and_the_next_is_beside_the_packet() {
    let nested = around(4, &gre([8, 0], &ipv4_udp(53, b"x")));
    let packet = unwrapped(&[Tunnel::Ipip, Tunnel::Gre], &frame(IPV4, &nested));
    assert_eq!((packet.tun_proto, packet.proto, packet.inner_dst_port), (4, 47, 53));
    let plain = read(&frame(IPV4, &nested));
    assert_eq!((plain.proto, plain.inner_proto), (4, 47));
    assert!(!plain.present.contains(Column::InnerDstPort));
}

#[test]
fn a_tunnel_whose_content_was_not_sampled_stays_on() {
    let bytes = frame(IPV4, &udp(4789, &[&[8, 0, 0, 0, 0, 0, 1, 0][..], &bridged()].concat()));
    // The last byte of the inner addresses is cut.
    let cut = &bytes[..14 + 20 + 8 + 8 + 14 + 19];
    let packet = unwrapped(&[Tunnel::Vxlan], cut);
    assert_eq!((packet.dst_port, packet.present.contains(Column::TunProto)), (4789, false));
}

#[test]
fn what_only_looks_like_a_tunnel_is_none() {
    let udp_of = |port, bytes: &[u8]| read(&frame(IPV4, &udp(port, &[bytes, &bridged()].concat())));
    let not = [
        udp_of(4789, &[0; 8]),
        udp_of(8472, &[0x88, 0, 0, 0, 0, 0, 1, 0]),
        udp_of(6081, &[0x41, 0, 0x65, 0x58, 0, 0, 1, 0, 1, 2, 3, 4]),
        read(&frame(IPV4, &around(47, &[&[0x30, 1, 0x88, 0x0b][..], &[0; 60]].concat()))),
    ];
    for packet in not {
        assert!(!packet.present.contains(Column::InnerProto));
    }
}
