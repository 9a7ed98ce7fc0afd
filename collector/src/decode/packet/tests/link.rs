//! What stands below IP: tags, 802.3, PPPoE, PPP, MPLS and the frames in it.

use super::*;

#[test]
fn mpls_is_passed_and_its_labels_are_kept() {
    let labels = [0x00_01_04_40, 0xff_ff_f1_40_u32].map(u32::to_be_bytes).concat();
    let packet = read(&frame(MPLS, &[labels, ipv4_udp(53, b"x")].concat()));
    assert_is_the_datagram(&packet, 53);
    assert_eq!(packet.labels[..2], [0x00_01_04, 0xff_ff_f1]);
    assert!(packet.present.contains(Column::MplsLabel2) && !packet.present.contains(Column::MplsLabel3));
    assert_eq!(packet.network_at, 22);
}

#[test]
fn ethernet_over_mpls_is_passed_with_and_without_a_control_word() {
    let inner = [&[0x4e, 0, 0, 0, 0, 9, 0x0e, 0, 0, 0, 0, 8, 8, 0][..], &ipv4_udp(53, b"x")].concat();
    let bottom = [0x00, 0x01, 0x01, 0x40];
    // The control word's flags, length and sequence bits say anything.
    for word in [&[][..], &[0, 0, 0, 0], &[0x0f, 0xff, 0x12, 0x34]] {
        for first in [0x4e, 0x62, 0x06] {
            let mut inner = inner.clone();
            inner[0] = first;
            let packet = read(&frame(MPLS, &[&bottom[..], word, &inner].concat()));
            assert_is_the_datagram(&packet, 53);
        }
    }
}

#[test]
fn pppoe_and_snap_are_passed() {
    let ip = ipv4_udp(53, b"x");
    let session = [&[0x11, 0, 0, 1, 0, 40, 0x00, 0x21][..], &ip].concat();
    assert_is_the_datagram(&read(&frame(PPPOE_SESSION, &session)), 53);
    let snap = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0][..], &ip].concat();
    assert_is_the_datagram(&read(&frame(37, &snap)), 53);
}

#[test]
fn ppp_mpls_and_bare_ip_samples_are_read() {
    let ip = ipv4_udp(53, b"x");
    let starts = [
        (Start::Ppp, [&[0xff, 3, 0, 0x21][..], &ip].concat()),
        (Start::Mpls, [&[0, 1, 1, 64][..], &ip].concat()),
        (Start::Ip, ip),
    ];
    for (start, bytes) in starts {
        let packet = Packet::of(start, &bytes);
        assert_eq!((packet.src_addr, packet.dst_port), (mapped(SOURCE), 53), "{start:?}");
    }
}

#[test]
fn frames_without_ip_tell_their_type_and_where_their_payload_starts() {
    let packet = read(&[&frame(0x8100, &[0x20, 7]), &[8, 6, 0, 1, 8, 0][..]].concat());
    assert_eq!((packet.etype, packet.src_vlan, packet.network_at), (ARP, 7, 18));
    assert!(!packet.has_ip());
}

#[test]
fn the_outer_tag_is_the_vlan_and_the_second_the_customers() {
    let ip = ipv4_udp(53, b"x");
    // Priority and drop bits before the 12 bits of the number; each of the tag types in use.
    for [outer, inner] in [[0x88a8_u16, 0x8100], [0x8100, 0x8100], [0x9100, 0x8100]] {
        let tags = [&[0xe0, 100][..], &inner.to_be_bytes(), &[0x3f, 0xff, 8, 0], &ip].concat();
        let packet = read(&frame(outer, &tags));
        assert_is_the_datagram(&packet, 53);
        assert_eq!((packet.src_vlan, packet.src_cvlan, packet.network_at), (100, 4095, 22));
    }
    let third = [&[0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 8, 0][..], &ip].concat();
    let packet = read(&frame(0x88a8, &third));
    assert_is_the_datagram(&packet, 53);
    assert_eq!((packet.src_vlan, packet.src_cvlan), (1, 2));
}

#[test]
fn a_frame_of_802_3_without_snap_has_no_type() {
    let packet = read(&frame(38, &[0x42, 0x42, 3, 0, 0, 0, 0, 0]));
    assert!(!packet.present.contains(Column::EType));
    assert_eq!(packet.network_at, 14);
}

#[test]
fn tags_inside_a_pseudowire_are_not_those_of_this_link() {
    let inner = [&[0x0e, 0, 0, 0, 0, 9, 0x0e, 0, 0, 0, 0, 8, 0x81, 0, 0, 77, 8, 0][..], &ipv4_udp(53, b"x")];
    let bytes = [&[0, 100, 0x88, 0x47, 0x00, 0x01, 0x01, 0x40, 0, 0, 0, 0][..], &inner.concat()].concat();
    let packet = read(&frame(0x8100, &bytes));
    assert_is_the_datagram(&packet, 53);
    assert_eq!((packet.src_vlan, packet.present.contains(Column::SrcCvlan)), (100, false));
}

#[test]
fn a_stack_deeper_than_the_columns_is_passed_and_its_first_ten_labels_are_kept() {
    let stack: Vec<u8> =
        (1..=12_u32).flat_map(|at| (at << 12 | u32::from(at == 12) << 8).to_be_bytes()).collect();
    let packet = read(&frame(MPLS, &[stack, ipv4_udp(53, b"x")].concat()));
    assert_is_the_datagram(&packet, 53);
    assert_eq!(packet.labels.map(|entry| entry >> 4), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
}
