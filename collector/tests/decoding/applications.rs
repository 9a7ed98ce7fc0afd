//! Applications, latencies and names: vendors' elements by their published definitions, and what exporters tell
//! of their own elements.

use super::message::{Message, Spec, record};
use super::rig::{Rig, Row, expect};

const VARIABLE: u16 = 65_535;
const NPROBE: u32 = 35_632;
const CISCO: u32 = 9;
const CITRIX: u32 = 5951;
const CERT: u32 = 6871;

#[track_caller]
fn row(message: Message, fields: &[Spec], data: &[u8]) -> Row {
    let mut rig = Rig::new();
    rig.feed(&message.template(256, fields).data(256, &[data.to_vec()]).bytes());
    let counts = rig.report().counts;
    assert_eq!((counts.records, counts.received), (1, 1), "{:?}", counts.undecodable);
    rig.rows.remove(0)
}

/// Text in a field of fixed length.
fn padded(text: &str, length: usize) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(length, 0);
    bytes
}

#[test]
fn an_application_is_its_engine_and_its_selector() {
    let of = |length: u16, bytes: &[u8]| row(Message::v9(0), &[(95, length, 0)], bytes);
    expect(&of(4, &[13, 0, 1, 2]), &[("app_id", "13:258")]);
    expect(&of(2, &[3, 80]), &[("app_id", "3:80")]);
    expect(&of(9, &[20, 0, 0, 0, 9, 0, 0, 0, 7]), &[("app_id", "20:38654705671")]);
    let named = row(Message::v9(0), &[(96, 24, 0), (4, 1, 0)], &[padded("http", 24), vec![6]].concat());
    expect(&named, &[("app_name", "http"), ("app_id", "-")]);
}

#[test]
fn nprobes_elements_mean_the_same_in_ipfix_and_in_netflow_v9() {
    let lengths = [(123, 4), (124, 4), (125, 4), (109, 4), (119, 16), (187, 8), (181, 2), (188, 8)];
    let lengths: Vec<(u16, u16)> = lengths.into_iter().chain([(205, 8), (208, 1)]).collect();
    let mut data = record(&[(12, 4), (30, 4), (7, 4), (2, 4)]);
    data.extend([padded("TLS", 16), padded("a.test", 8), vec![0, 200], padded("b.test", 8)].concat());
    data.extend([padded("c.test", 8), vec![3]].concat());
    let ipfix: Vec<Spec> = lengths.iter().map(|(id, length)| (*id, *length, NPROBE)).collect();
    let v9: Vec<Spec> = lengths.iter().map(|(id, length)| (57_472 + id, *length, 0)).collect();
    for row in [row(Message::ipfix(0), &ipfix, &data), row(Message::v9(0), &v9, &data)] {
        expect(&row, &[("client_latency_us", "12000"), ("server_latency_us", "30000")]);
        expect(&row, &[("app_latency_us", "7000"), ("tcp_retransmits", "2"), ("app_name", "TLS")]);
        expect(&row, &[("http_host", "a.test"), ("http_status", "200"), ("tls_sni", "b.test")]);
        expect(&row, &[("dns_query", "c.test"), ("dns_rcode", "3")]);
    }
}

#[test]
fn a_latency_beyond_the_columns_range_is_the_largest_it_can_be() {
    let row = row(Message::ipfix(0), &[(123, 4, NPROBE)], &[0xff; 4]);
    expect(&row, &[("client_latency_us", "4294967295")]);
}

#[test]
fn registered_elements_win_over_a_vendors() {
    let fields = [(119, 4, NPROBE), (96, 4, 0), (187, VARIABLE, NPROBE), (460, VARIABLE, 0)];
    let data = [&b"nDPI"[..], b"http", b"\x06a.test", b"\x06b.test"].concat();
    let row = row(Message::ipfix(0), &fields, &data);
    expect(&row, &[("app_name", "http"), ("http_host", "b.test")]);
    assert!(row.contains_key("35632.119") && row.contains_key("35632.187"), "{row:?}");
}

#[test]
fn palo_altos_application_and_user_are_texts() {
    let fields = [(4, 1, 0), (56_701, 32, 0), (56_702, 64, 0)];
    let data = [vec![6], padded("web-browsing", 32), padded("example\\ann", 64)].concat();
    let row = row(Message::v9(0), &fields, &data);
    expect(&row, &[("app_name", "web-browsing"), ("username", "example\\ann")]);
}

#[test]
fn round_trips_and_retransmissions_of_other_vendors_are_read() {
    expect(&row(Message::ipfix(0), &[(21, 4, CERT)], &[0, 0, 0, 25]), &[("tcp_rtt_us", "25000")]);
    let citrix = row(Message::ipfix(0), &[(128, 4, CITRIX), (144, 2, CITRIX)], &[0, 0, 0, 40, 1, 144]);
    expect(&citrix, &[("tcp_rtt_us", "40000"), ("http_status", "400")]);
    let cisco = row(Message::ipfix(0), &[(9268, 4, CISCO)], &[0, 0, 0, 5]);
    expect(&cisco, &[("tcp_retransmits", "5")]);
    expect(&row(Message::v9(0), &[(42_036, 4, 0)], &[0, 0, 0, 5]), &[("tcp_retransmits", "5")]);
}

#[test]
fn sums_over_many_connections_are_no_latency() {
    let row = row(Message::ipfix(0), &[(9316, 4, CISCO)], &[0, 0, 1, 0]);
    expect(&row, &[("client_latency_us", "-"), ("9.9316", "[00, 00, 01, 00]")]);
}

/// What exporters tell of an element of enterprise 64496 (RFC 5610).
fn told(sequence: u32, element: u64, kind: u64, name: &str) -> Message {
    let scope = [(346, 4, 0), (303, 2, 0)];
    let options = Message::ipfix(sequence).options(300, &scope, &[(339, 1, 0), (341, VARIABLE, 0)]);
    let mut data = record(&[(64_496, 4), (element, 2), (kind, 1), (name.len() as u64, 1)]);
    data.extend(name.as_bytes());
    options.data(300, &[data])
}

#[test]
fn an_element_is_shown_by_the_name_that_its_exporter_gave_it() {
    let mut rig = Rig::new();
    rig.feed(&told(0, 0x8007, 2, "queueDepth").bytes());
    let fields = [(7, 4, 64_496), (8, 4, 64_496)];
    let data = Message::ipfix(1).template(256, &fields).data(256, &[record(&[(5, 4), (6, 4)])]);
    rig.feed(&data.bytes());
    expect(&rig.rows[0], &[("queueDepth", "[00, 00, 00, 05]"), ("64496.7", "-")]);
    expect(&rig.rows[0], &[("64496.8", "[00, 00, 00, 06]")]);
    let counts = rig.report().counts;
    assert_eq!((counts.options_records, counts.records, counts.missing), (1, 1, 0));
    rig.feed(&told(2, 7, 2, "depth").bytes()).feed(&Message::ipfix(3).data(256, &[vec![0; 8]]).bytes());
    expect(&rig.rows[1], &[("depth", "[00, 00, 00, 00]")]);
}

#[test]
fn what_one_exporter_told_of_its_elements_does_not_count_for_another() {
    let mut rig = Rig::new();
    rig.feed(&told(0, 7, 2, "queueDepth").bytes());
    let data = Message::ipfix(0).template(256, &[(7, 4, 64_496)]).data(256, &[vec![0, 0, 0, 5]]);
    rig.feed_from("192.0.2.2", 40_000, &data.bytes());
    rig.feed(&data.domain(8).bytes());
    for row in &rig.rows {
        expect(row, &[("queueDepth", "-"), ("64496.7", "[00, 00, 00, 05]")]);
    }
}
