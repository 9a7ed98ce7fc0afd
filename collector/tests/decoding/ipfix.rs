//! IPFIX.

use super::message::{Message, record};
use super::rig::{Rig, expect};

const VARIABLE: u16 = 65_535;
const V4: &[(u16, u16, u32)] = &[(8, 4, 0), (12, 4, 0), (4, 1, 0), (1, 8, 0), (2, 8, 0)];

fn v4(proto: u64, bytes: u64) -> Vec<u8> {
    record(&[(0xc000_0201, 4), (0xc633_6402, 4), (proto, 1), (bytes, 8), (2, 8)])
}

fn one(fields: &[(u16, u16, u32)], data: &[u8]) -> Rig {
    let mut rig = Rig::new();
    rig.feed(&Message::ipfix(0).template(256, fields).data(256, &[data.to_vec()]).bytes());
    assert_eq!(rig.rows.len(), 1, "{:?}", rig.report());
    rig
}

#[test]
fn variable_length_fields_are_read_and_may_be_empty() {
    let fields = [(371, VARIABLE, 0), (2, 4, 0), (96, VARIABLE, 0), (4, 1, 0)];
    let mut rig = Rig::new();
    let long = [vec![255, 1, 44], vec![b'x'; 300]].concat();
    let records = [
        [&b"\x03ann"[..], &[0, 0, 0, 5], b"\x04http", &[6]].concat(),
        [&b"\x00"[..], &[0, 0, 0, 6], b"\x00", &[17]].concat(),
        [&long[..], &[0, 0, 0, 7], b"\x01z", &[1]].concat(),
    ];
    rig.feed(&Message::ipfix(0).template(256, &fields).data(256, &records).bytes());
    expect(&rig.rows[0], &[("username", "ann"), ("packets", "5"), ("app_name", "http"), ("proto", "6")]);
    expect(&rig.rows[1], &[("username", "-"), ("packets", "6"), ("app_name", "-"), ("proto", "17")]);
    expect(
        &rig.rows[2],
        &[("username", &"x".repeat(255)), ("packets", "7"), ("app_name", "z"), ("proto", "1")],
    );
}

#[test]
fn a_variable_field_that_passes_its_set_is_counted_and_what_came_before_is_kept() {
    let mut rig = Rig::new();
    let fields = [(371, VARIABLE, 0), (2, 4, 0)];
    let records = [[&b"\x03ann"[..], &[0, 0, 0, 5]].concat(), b"\xc8broken".to_vec()];
    rig.feed(&Message::ipfix(0).template(256, &fields).data(256, &records).bytes());
    assert_eq!(rig.rows.len(), 1);
    assert_eq!(rig.report().counts.faults, [("field_length".to_owned(), 1)]);
}

#[test]
fn the_sequence_counts_data_records_and_options_records() {
    let mut rig = Rig::new();
    let options = Message::ipfix(100).options(300, &[(149, 4, 0)], &[(160, 8, 0)]);
    rig.feed(&options.data(300, &[record(&[(7, 4), (1, 8)])]).bytes());
    rig.feed(&Message::ipfix(101).template(256, V4).data(256, &[v4(6, 1), v4(6, 2)]).bytes());
    rig.feed(&Message::ipfix(103).data(256, &[v4(6, 1)]).bytes());
    let counts = rig.report().counts;
    assert_eq!((counts.received, counts.missing, counts.options_records), (4, 0, 1));
    rig.feed(&Message::ipfix(110).data(256, &[v4(6, 1)]).bytes());
    assert_eq!(rig.report().counts.missing, 6);
}

#[test]
fn records_of_unknown_templates_are_told_by_the_next_sequence_number_and_are_not_missing() {
    let mut rig = Rig::new();
    rig.feed(&Message::ipfix(0).data(256, &[v4(6, 1), v4(6, 2), v4(6, 3)]).bytes());
    rig.feed(&Message::ipfix(3).template(256, V4).data(256, &[v4(6, 1)]).bytes());
    let report = rig.report();
    let counts = report.counts;
    assert_eq!((counts.received, counts.inferred, counts.missing, counts.records), (1, 3, 0, 4));
    assert_eq!(report.next_sequence, 4);
}

#[test]
fn data_before_its_template_in_the_same_message_is_read() {
    let mut rig = Rig::new();
    rig.feed(&Message::ipfix(0).data(256, &[v4(6, 1), v4(6, 2)]).template(256, V4).bytes());
    rig.feed(&Message::ipfix(2).data(256, &[v4(6, 1)]).bytes());
    let counts = rig.report().counts;
    assert_eq!((rig.rows.len(), counts.received, counts.missing), (3, 3, 0));
}

#[test]
fn a_withdrawn_template_is_forgotten() {
    let mut rig = Rig::new();
    rig.feed(&Message::ipfix(0).template(256, V4).bytes());
    rig.feed(&Message::ipfix(0).set(2, &[1, 0, 0, 0]).data(256, &[v4(6, 1)]).bytes());
    assert!(rig.rows.is_empty());
    assert_eq!(rig.report().counts.unknown_template_sets, 1);
}

#[test]
fn numbers_of_reduced_size_are_read() {
    let rig = one(
        &[(1, 3, 0), (2, 5, 0), (10, 1, 0), (4, 1, 0)],
        &record(&[(70_000, 3), (1 << 33, 5), (9, 1), (6, 1)]),
    );
    expect(&rig.rows[0], &[("bytes", "70000"), ("packets", "8589934592"), ("in_if", "9")]);
}

#[test]
fn ipv6_records_have_their_family() {
    let mut data = vec![0x20, 1, 0x0d, 0xb8];
    data.extend([0; 11]);
    data.push(1);
    data.extend(data.clone());
    data.extend([58, 0x80, 0x00]);
    let rig = one(&[(27, 16, 0), (28, 16, 0), (4, 1, 0), (139, 2, 0)], &data);
    let icmp = [("etype", "34525"), ("src_addr", "2001:db8::1"), ("icmp_type", "128"), ("icmp_code", "0")];
    expect(&rig.rows[0], &icmp);
}

#[test]
fn with_both_families_in_one_record_the_one_that_is_not_zero_counts() {
    let fields = [(8, 4, 0), (12, 4, 0), (27, 16, 0), (28, 16, 0), (4, 1, 0)];
    let mut v6 = vec![0; 8];
    v6.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    v6.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    v6.push(17);
    let rig = one(&fields, &v6);
    expect(&rig.rows[0], &[("etype", "34525"), ("src_addr", "2001:db8::1"), ("dst_addr", "2001:db8::2")]);
    let mut v4 = vec![192, 0, 2, 1, 198, 51, 100, 1];
    v4.extend([0; 32]);
    v4.push(17);
    let rig = one(&fields, &v4);
    expect(&rig.rows[0], &[("etype", "2048"), ("src_addr", "192.0.2.1"), ("dst_addr", "198.51.100.1")]);
}

#[test]
fn header_elements_that_come_twice_are_the_inner_packet() {
    let fields =
        [(27, 16, 0), (28, 16, 0), (4, 1, 0), (8, 4, 0), (12, 4, 0), (4, 1, 0), (7, 2, 0), (11, 2, 0)];
    let mut data = vec![0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    data.extend(data.clone());
    data.extend([4, 192, 0, 2, 1, 198, 51, 100, 1, 6, 0, 80, 0, 81]);
    let rig = one(&fields, &data);
    expect(
        &rig.rows[0],
        &[
            ("src_addr", "2001:db8::1"),
            ("etype", "34525"),
            ("proto", "4"),
            ("inner_src_addr", "192.0.2.1"),
            ("inner_dst_addr", "198.51.100.1"),
            ("inner_proto", "6"),
        ],
    );
}

#[test]
fn icmp_elements_that_other_protocols_carry_are_filling() {
    let fields = [(4, 1, 0), (7, 2, 0), (11, 2, 0), (176, 1, 0), (177, 1, 0)];
    let rig = one(&fields, &record(&[(6, 1), (1000, 2), (80, 2), (3, 1), (1, 1)]));
    expect(&rig.rows[0], &[("icmp_type", "-"), ("src_port", "1000"), ("dst_port", "80")]);
    let rig = one(&fields, &record(&[(1, 1), (1000, 2), (0, 2), (3, 1), (1, 1)]));
    expect(&rig.rows[0], &[("icmp_type", "3"), ("icmp_code", "1"), ("src_port", "-"), ("dst_port", "-")]);
}

#[test]
fn packet_interval_and_space_tell_the_rate_of_a_selector() {
    let mut rig = Rig::new();
    let options = Message::ipfix(0).options(300, &[(302, 8, 0)], &[(304, 2, 0), (305, 4, 0), (306, 4, 0)]);
    rig.feed(&options.data(300, &[record(&[(5, 8), (1, 2), (2, 4), (1, 4)])]).bytes());
    let fields: Vec<_> = V4.iter().copied().chain([(302, 8, 0)]).collect();
    let data = [v4(6, 1), record(&[(5, 8)])].concat();
    rig.feed(&Message::ipfix(1).template(256, &fields).data(256, &[data]).bytes());
    expect(&rig.rows[0], &[("sampling_rate", "1.5")]);
}

#[test]
fn elements_without_a_column_are_kept_as_they_came() {
    let rig = one(&[(4, 1, 0), (99, 2, 0), (7, 3, 64_496)], &record(&[(6, 1), (0x0102, 2), (0xaabbcc, 3)]));
    expect(&rig.rows[0], &[("0.99", "[01, 02]"), ("64496.7", "[aa, bb, cc]")]);
}

#[test]
fn several_messages_in_one_datagram_are_all_read() {
    let mut rig = Rig::new();
    let mut bytes = Message::ipfix(0).template(256, V4).data(256, &[v4(6, 1)]).bytes();
    bytes.extend(Message::ipfix(1).data(256, &[v4(17, 2)]).bytes());
    rig.feed(&bytes);
    let counts = rig.report().counts;
    assert_eq!((rig.rows.len(), counts.datagrams, counts.missing), (2, 2, 0));
}

#[test]
fn a_message_that_is_longer_than_it_says_is_read_to_the_end_of_its_datagram() {
    let mut rig = Rig::new();
    let mut bytes = Message::ipfix(0).template(256, V4).data(256, &[v4(6, 1)]).bytes();
    bytes[3] -= 2;
    rig.feed(&bytes);
    assert_eq!(rig.rows.len(), 1);
    assert!(rig.report().counts.undecodable.is_empty());
}
