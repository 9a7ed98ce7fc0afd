//! Records that carry the start of a packet.

use collector::flow::{Column, ColumnSet};
use crds::config::{SourceConfig, Tunnel};
use etherparse::PacketBuilder;

use super::message::{Message, Spec, record};
use super::rig::{Rig, Row, listeners};

const FRAME: u16 = 315;
const SECTION: u16 = 104;
const IP: u16 = 313;
const LABELS: u16 = 314;
const VARIABLE: u16 = u16::MAX;

fn ip() -> Vec<u8> {
    let mut packet = vec![];
    let tcp = PacketBuilder::ipv4([192, 0, 2, 1], [198, 51, 100, 2], 61).tcp(4000, 443, 1, 2).syn();
    tcp.write(&mut packet, &[0; 500]).expect("it fits");
    packet
}

fn frame(packet: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 7, 8, 0][..], packet].concat()
}

/// A variable-length value in the form with one byte of length.
fn variable(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).expect("it is short")][..], bytes].concat()
}

/// The rows of one IPFIX message with these records.
fn rows(fields: &[Spec], records: &[Vec<u8>]) -> Vec<Row> {
    let mut rig = Rig::new();
    rig.feed(&Message::ipfix(0).template(256, fields).data(256, records).bytes());
    assert_eq!(rig.report().counts.undecodable, []);
    rig.rows
}

fn has(row: &Row, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(row.get(name).map(String::as_str), Some(*value), "{name} in {row:?}");
    }
}

#[test]
fn a_sampled_frame_is_one_packet_of_its_ip_length_with_the_columns_of_its_headers() {
    let fields = [(10, 4, 0), (14, 4, 0), (312, 2, 0), (FRAME, VARIABLE, 0)];
    let head = record(&[(3, 4), (4, 4), (558, 2)]);
    let rows = rows(&fields, &[[head, variable(&frame(&ip())[..96])].concat()]);
    has(
        &rows[0],
        &[
            ("packets", "1"),
            ("bytes", "540"),
            ("l2_bytes", "558"),
            ("in_if", "3"),
            ("out_if", "4"),
            ("etype", "2048"),
            ("proto", "6"),
            ("src_addr", "192.0.2.1"),
            ("dst_addr", "198.51.100.2"),
            ("src_port", "4000"),
            ("dst_port", "443"),
            ("tcp_flags", "2"),
            ("src_vlan", "7"),
            ("min_ttl", "61"),
            ("src_mac", "020000000001"),
            ("flows", "1"),
        ],
    );
    assert!(!rows[0].contains_key("0.315"));
}

#[test]
fn an_ip_packet_section_and_a_label_stack_section_are_read_from_their_first_byte() {
    let labelled = [&[0, 1, 1, 64][..], &ip()[..40]].concat();
    for (element, bytes) in [(IP, ip()[..40].to_vec()), (LABELS, labelled)] {
        let rows = rows(&[(element, VARIABLE, 0)], &[variable(&bytes)]);
        has(&rows[0], &[("packets", "1"), ("bytes", "540"), ("dst_port", "443"), ("proto", "6")]);
        assert_eq!(rows[0].contains_key("mpls_label_1"), element == LABELS);
        assert!(!rows[0].contains_key("src_mac"));
    }
}

#[test]
fn netflow_9_sends_layer_2_sections_of_fixed_length_of_which_some_bytes_are_filling() {
    let fields = [(103, 2, 0), (SECTION, 64, 0), (2, 4, 0), (1, 4, 0)];
    let mut bytes = frame(&ip())[..64].to_vec();
    // Ports, and what follows them, are filling.
    bytes[18 + 20..].fill(0xff);
    let body = [record(&[(38, 2)]), bytes, record(&[(9, 4), (900, 4)])].concat();
    let mut rig = Rig::new();
    rig.feed(&Message::v9(1).template(256, &fields).data(256, &[body]).bytes());
    has(&rig.rows[0], &[("packets", "9"), ("bytes", "900"), ("src_addr", "192.0.2.1"), ("proto", "6")]);
    assert!(!rig.rows[0].contains_key("dst_port"));
}

#[test]
fn a_field_of_the_template_counts_before_the_headers() {
    let fields = [(8, 4, 0), (FRAME, VARIABLE, 0), (192, 1, 0)];
    let body = [vec![203, 0, 113, 9], variable(&frame(&ip())[..58]), vec![7]].concat();
    has(
        &rows(&fields, &[body])[0],
        &[("src_addr", "203.0.113.9"), ("dst_addr", "198.51.100.2"), ("min_ttl", "7"), ("max_ttl", "7")],
    );
}

#[test]
fn packets_of_different_kinds_in_one_set_keep_their_own_columns() {
    let mut udp = vec![];
    PacketBuilder::ipv6([0x20; 16], [0x21; 16], 9).udp(1, 53).write(&mut udp, &[0; 9]).expect("it fits");
    let mut arp = frame(&[0; 28]);
    arp[16..18].copy_from_slice(&[8, 6]);
    let mut six = frame(&udp);
    six[16..18].copy_from_slice(&[0x86, 0xdd]);
    let kinds = [frame(&ip())[..58].to_vec(), six, arp, vec![]];
    // More than are looked at together, so that a kind comes first in a later part.
    let frames: Vec<Vec<u8>> = (0..50).map(|at| kinds[at / 13].clone()).collect();
    let records: Vec<Vec<u8>> =
        frames.iter().map(|frame| [record(&[(1000, 2)]), variable(frame)].concat()).collect();
    let rows = rows(&[(312, 2, 0), (FRAME, VARIABLE, 0)], &records);
    let alone = |frame: &[u8]| rows_of_one(&[record(&[(1000, 2)]), variable(frame)].concat());
    for (row, frame) in rows.iter().zip(&frames) {
        assert_eq!(row, &alone(frame));
    }
    has(&rows[26], &[("etype", "2054"), ("bytes", "982"), ("packets", "1")]);
    has(&rows[49], &[("packets", "1"), ("bytes", "1000")]);
    assert!(!rows[49].contains_key("etype"));
}

fn rows_of_one(body: &[u8]) -> Row {
    rows(&[(312, 2, 0), (FRAME, VARIABLE, 0)], &[body.to_vec()]).remove(0)
}

#[test]
fn a_section_that_does_not_begin_at_the_packets_start_or_is_of_another_link_is_not_read() {
    let fields = [(408, 2, 0), (409, 2, 0), (FRAME, VARIABLE, 0)];
    let read = |kind, offset| {
        let body = [record(&[(kind, 2), (offset, 2)]), variable(&frame(&ip())[..58])].concat();
        rows(&fields, &[body])[0].contains_key("src_addr")
    };
    assert_eq!([read(1, 0), read(2, 0), read(1, 14)], [true, false, false]);
}

#[test]
fn tunnels_in_sections_are_taken_off_where_the_source_asks() {
    let mut outer = ip()[..20].to_vec();
    outer[9] = 4;
    outer[12..20].copy_from_slice(&[203, 0, 113, 1, 203, 0, 113, 2]);
    let body = variable(&[outer, ip()[..40].to_vec()].concat());
    let message = Message::ipfix(0).template(256, &[(IP, VARIABLE, 0)]).data(256, &[body]).bytes();
    let source = |tunnels| SourceConfig {
        name: "edge".into(),
        prefixes: vec!["192.0.2.0/24".parse().expect("a prefix")],
        decapsulate: tunnels,
        ..SourceConfig::default()
    };
    let read = |tunnels| {
        let mut rig = Rig::new();
        rig.decoder.set_sources(&listeners(), &[source(tunnels)]);
        rig.feed(&message);
        rig.rows.remove(0)
    };
    has(&read(vec![]), &[("src_addr", "203.0.113.1"), ("proto", "4"), ("inner_src_addr", "192.0.2.1")]);
    let off = read(vec![Tunnel::Ipip]);
    has(
        &off,
        &[("src_addr", "192.0.2.1"), ("proto", "6"), ("tun_src_addr", "203.0.113.1"), ("tun_proto", "4")],
    );
    assert!(!off.contains_key("inner_src_addr"));
}

#[test]
fn only_the_wanted_columns_of_a_packet_are_filled() {
    let mut rig = Rig::new();
    rig.want(&ColumnSet::of(&[Column::SrcAddr]));
    let body = [record(&[(558, 2)]), variable(&frame(&ip())[..58])].concat();
    rig.feed(
        &Message::ipfix(0).template(256, &[(312, 2, 0), (FRAME, VARIABLE, 0)]).data(256, &[body]).bytes(),
    );
    has(&rig.rows[0], &[("src_addr", "192.0.2.1"), ("bytes", "540"), ("dst_port", "443")]);
    assert!(!rig.rows[0].contains_key("dst_addr") && !rig.rows[0].contains_key("src_vlan"));
}
