//! Templates and sets in every shape in which exporters send them.

use super::message::{Message, Spec, record};
use super::rig::{Rig, expect};

const VARIABLE: u16 = 65_535;
const SHORT: &[Spec] = &[(8, 4, 0), (12, 4, 0), (4, 1, 0), (2, 4, 0)];

fn short(packets: u64) -> Vec<u8> {
    record(&[(0xc000_0201, 4), (0xc633_6402, 4), (6, 1), (packets, 4)])
}

/// Expects these packets of these rows, and nothing undecodable.
#[track_caller]
fn packets(rig: &mut Rig, expected: &[&str]) {
    let found: Vec<_> = rig.rows.iter().map(|row| row["packets"].as_str()).collect();
    assert_eq!(found, expected);
    let counts = rig.report().counts;
    assert_eq!((counts.records, counts.missing), (expected.len() as u64, 0));
    assert!(counts.undecodable.is_empty(), "{:?}", counts.undecodable);
}

#[test]
fn padding_of_one_to_seven_bytes_behind_the_records_is_passed_over() {
    for length in 0..8 {
        for message in [Message::v9(0), Message::ipfix(0)] {
            let padded = [short(1), short(2), vec![0; length]].concat();
            let mut rig = Rig::new();
            rig.feed(&message.template(256, SHORT).set(256, &padded).bytes());
            packets(&mut rig, &["1", "2"]);
        }
    }
}

#[test]
fn padding_behind_a_template_is_passed_over() {
    let mut template = vec![1, 0, 0, 1, 0, 2, 0, 4];
    for length in 1..8 {
        template.push(0);
        for (message, set) in [(Message::v9(0), 0), (Message::ipfix(0), 2)] {
            let mut rig = Rig::new();
            rig.feed(&message.set(set, &template).data(256, &[record(&[(length, 4)])]).bytes());
            packets(&mut rig, &[&length.to_string()]);
        }
    }
}

#[test]
fn padding_as_an_element_of_its_own_is_no_value() {
    let fields = [(2, 4, 0), (210, 3, 0), (4, 1, 0)];
    let mut rig = Rig::new();
    let data = record(&[(5, 4), (0xaabbcc, 3), (17, 1)]);
    rig.feed(&Message::ipfix(0).template(256, &fields).data(256, &[data]).bytes());
    expect(&rig.rows[0], &[("packets", "5"), ("proto", "17"), ("0.210", "-")]);
}

#[test]
fn zeros_that_fill_the_rest_of_a_datagram_are_no_sets() {
    for length in [1, 3, 4, 8, 900] {
        let mut bytes = Message::v9(0).template(256, SHORT).data(256, &[short(1)]).bytes();
        bytes.extend(vec![0; length]);
        let mut rig = Rig::new();
        rig.feed(&bytes);
        packets(&mut rig, &["1"]);
    }
}

#[test]
fn a_set_of_odd_length_is_followed_by_the_next_one() {
    let fields = [(2, 4, 0), (4, 1, 0)];
    for message in [Message::v9(0), Message::ipfix(0)] {
        let odd = [vec![0, 0, 0, 1, 6], vec![0, 0, 0, 2, 6], vec![0, 0, 0, 3, 6]].concat();
        let mut rig = Rig::new();
        let message = message.template(256, &fields).set(256, &odd).set(256, &[0, 0, 0, 4, 6]);
        rig.feed(&message.bytes());
        packets(&mut rig, &["1", "2", "3", "4"]);
    }
}

#[test]
fn fields_of_length_zero_take_no_bytes() {
    let fields = [(8, 4, 0), (82, 0, 0), (2, 4, 0), (1, 0, 0), (4, 1, 0)];
    for message in [Message::v9(0), Message::ipfix(0)] {
        let mut rig = Rig::new();
        let data = record(&[(0xc000_0201, 4), (9, 4), (17, 1)]);
        rig.feed(&message.template(256, &fields).data(256, &[data]).bytes());
        expect(&rig.rows[0], &[("src_addr", "192.0.2.1"), ("proto", "17"), ("bytes", "-")]);
        packets(&mut rig, &["9"]);
    }
}

#[test]
fn a_field_that_stands_twice_counts_once_and_its_second_value_is_shown() {
    let fields = [(2, 4, 0), (10, 2, 0), (10, 2, 0), (1, 4, 0), (1, 4, 0)];
    let mut rig = Rig::new();
    let data = record(&[(9, 4), (1, 2), (2, 2), (100, 4), (101, 4)]);
    rig.feed(&Message::v9(0).template(256, &fields).data(256, &[data]).bytes());
    expect(&rig.rows[0], &[("in_if", "1"), ("0.10", "[00, 02]")]);
    expect(&rig.rows[0], &[("bytes", "100"), ("0.1", "[00, 00, 00, 65]")]);
    packets(&mut rig, &["9"]);
}

#[test]
fn field_type_zero_is_passed_by_its_length() {
    let mut rig = Rig::new();
    let fields = [(0, 3, 0), (2, 4, 0)];
    rig.feed(&Message::v9(0).template(256, &fields).data(256, &[record(&[(7, 3), (9, 4)])]).bytes());
    packets(&mut rig, &["9"]);
}

#[test]
fn integers_are_read_in_every_reduced_size() {
    for length in 1..=8_u16 {
        let mut rig = Rig::new();
        let fields = [(1, length, 0), (2, length, 0), (10, length, 0), (4, 1, 0)];
        let size = usize::from(length);
        let data = record(&[(200, size), (9, size), (3, size), (6, 1)]);
        rig.feed(&Message::ipfix(0).template(256, &fields).data(256, &[data]).bytes());
        expect(&rig.rows[0], &[("bytes", "200"), ("in_if", "3"), ("proto", "6")]);
        packets(&mut rig, &["9"]);
    }
}

#[test]
fn lengths_in_front_of_variable_fields_take_one_byte_or_three() {
    for message in [Message::v9(0), Message::ipfix(0)] {
        let of_length = |length: usize, packets: u8| match length {
            0..255 => [&[length as u8][..], &vec![b'x'; length], &[packets]].concat(),
            _ => [&[255, (length >> 8) as u8, length as u8][..], &vec![b'x'; length], &[packets]].concat(),
        };
        let escaped = [&[255, 0, 2][..], b"ab", &[5]].concat();
        let records = [of_length(0, 1), of_length(254, 2), of_length(300, 3), of_length(0, 4), escaped];
        let mut rig = Rig::new();
        let fields = [(371, VARIABLE, 0), (2, 1, 0)];
        rig.feed(&message.template(256, &fields).data(256, &records).bytes());
        for (row, length) in [(0, None), (1, Some(254)), (2, Some(255)), (3, None)] {
            assert_eq!(rig.rows[row].get("username").map(String::len), length);
        }
        expect(&rig.rows[4], &[("username", "ab")]);
        packets(&mut rig, &["1", "2", "3", "4", "5"]);
    }
}

#[test]
fn records_of_nothing_but_variable_fields_end_where_padding_begins() {
    let mut rig = Rig::new();
    let fields = [(96, VARIABLE, 0), (371, VARIABLE, 0)];
    let body = [&b"\x02dn\x01a"[..], &[0], b"\x02no", &[0, 0, 0]].concat();
    rig.feed(&Message::ipfix(0).template(256, &fields).set(256, &body).bytes());
    expect(&rig.rows[0], &[("app_name", "dn"), ("username", "a")]);
    expect(&rig.rows[1], &[("app_name", "-"), ("username", "no")]);
    assert_eq!((rig.rows.len(), rig.report().counts.records), (2, 2));
}

#[test]
fn enterprise_fields_that_mean_nothing_here_are_passed_by_their_length() {
    let mut rig = Rig::new();
    let fields = [(1, 4, 64_496), (2, 4, 0), (2, VARIABLE, 64_496), (4, 1, 0)];
    let data = [&[1, 2, 3, 4, 0, 0, 0, 9, 3][..], b"abc", &[17]].concat();
    rig.feed(&Message::ipfix(0).template(256, &fields).data(256, &[data]).bytes());
    expect(&rig.rows[0], &[("proto", "17"), ("64496.1", "[01, 02, 03, 04]"), ("bytes", "-")]);
    packets(&mut rig, &["9"]);
}

#[test]
fn structured_data_is_passed_by_its_length_and_counted() {
    let mut rig = Rig::new();
    let list = [&[3, 0, 10, 0, 4][..], &[0, 0, 0, 1, 0, 0, 0, 2]].concat();
    let of = |packets: u8| {
        let basic = [&[list.len() as u8][..], &list].concat();
        let of_templates = [&[255, 0, 7][..], &[3, 1, 1, 6, 17, 6, 17]].concat();
        let multi = vec![1, 3];
        [basic, of_templates, multi, vec![packets]].concat()
    };
    let fields = [(291, VARIABLE, 0), (292, VARIABLE, 0), (293, VARIABLE, 0), (2, 1, 0)];
    rig.feed(&Message::ipfix(0).template(256, &fields).data(256, &[of(8), of(9)]).bytes());
    assert!(rig.rows[0].contains_key("0.291"));
    let counts = rig.report().counts;
    assert_eq!((counts.records, counts.skipped_records), (2, 6));
    assert_eq!((&*rig.rows[0]["packets"], &*rig.rows[1]["packets"]), ("8", "9"));
}

#[test]
fn options_with_several_scopes_are_counted_as_options_and_never_as_flows() {
    let mut rig = Rig::new();
    let scopes = [(1, 4, 0), (2, 4, 0), (5, 2, 0)];
    let options = Message::v9(0).options(300, &scopes, &[(34, 4, 0), (35, 1, 0)]);
    let data = record(&[(1, 4), (2, 4), (256, 2), (100, 4), (2, 1)]);
    rig.feed(&options.data(300, &[data.clone(), data]).bytes());
    let ipfix = Message::ipfix(0).options(300, &[(149, 4, 0), (10, 4, 0)], &[(82, 4, 0)]);
    rig.feed(&ipfix.data(300, &[record(&[(7, 4), (3, 4), (0x6574_6830, 4)])]).bytes());
    let counts: Vec<_> = rig.reports().into_iter().map(|report| report.counts).collect();
    assert!(rig.rows.is_empty());
    assert_eq!((counts[0].options_records, counts[1].options_records), (2, 1));
}

#[test]
fn scopes_of_length_zero_and_options_without_any_scope_are_options() {
    let mut rig = Rig::new();
    let empty = Message::v9(0).options(300, &[(1, 0, 0)], &[(34, 4, 0)]);
    rig.feed(&empty.data(300, &[record(&[(100, 4)])]).bytes());
    let none = Message::v9(1).options(301, &[], &[(34, 4, 0), (35, 1, 0)]);
    rig.feed(&none.data(301, &[record(&[(100, 4), (1, 1)])]).bytes());
    let none = Message::ipfix(0).options(301, &[], &[(34, 4, 0), (35, 1, 0)]);
    rig.feed(&none.data(301, &[record(&[(100, 4), (1, 1)])]).bytes());
    let counts: Vec<_> = rig.reports().into_iter().map(|report| report.counts).collect();
    assert!(rig.rows.is_empty(), "{:?}", rig.rows);
    assert_eq!((counts[0].options_records, counts[1].options_records), (2, 1));
    assert!(counts.iter().all(|counts| counts.undecodable.is_empty()));
}

#[test]
fn a_set_of_length_zero_and_zeros_ends_a_message_and_other_bytes_there_are_counted() {
    let mut rig = Rig::new();
    let mut bytes = Message::ipfix(0).template(256, SHORT).data(256, &[short(1)]).bytes();
    bytes.extend([0; 12]);
    bytes[3] += 12;
    rig.feed(&bytes);
    packets(&mut rig, &["1"]);
    let mut rig = Rig::new();
    let mut bytes = Message::v9(0).template(256, SHORT).data(256, &[short(1)]).bytes();
    bytes.extend([0, 0, 0, 0, 9, 9, 9, 9]);
    rig.feed(&bytes);
    assert_eq!(rig.rows.len(), 1);
    assert_eq!(rig.report().counts.faults, [("set_length".to_owned(), 1)]);
}
