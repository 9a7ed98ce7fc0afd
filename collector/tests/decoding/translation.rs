//! Address translation and firewalls: records of events, in the elements of several vendors.

use super::message::{Message, Spec, record};
use super::rig::{Rig, Row, expect};

#[track_caller]
fn row(message: Message, fields: &[Spec], data: &[u8]) -> Row {
    let mut rig = Rig::new();
    rig.feed(&message.template(256, fields).data(256, &[data.to_vec()]).bytes());
    let counts = rig.report().counts;
    assert_eq!((counts.records, counts.received), (1, 1), "{:?}", counts.undecodable);
    rig.rows.remove(0)
}

#[test]
fn a_port_block_event_names_the_subscriber_the_address_and_the_block() {
    let fields: [Spec; 9] = [
        (8, 4, 0),
        (225, 4, 0),
        (230, 1, 0),
        (234, 4, 0),
        (235, 4, 0),
        (361, 2, 0),
        (362, 2, 0),
        (363, 2, 0),
        (364, 2, 0),
    ];
    let values =
        [(0x0a00_0001, 4), (0xc633_6401, 4), (16, 1), (5, 4), (6, 4), (1024, 2), (1535, 2), (1, 2), (512, 2)];
    for message in [Message::v9(0), Message::ipfix(0)] {
        let row = row(message, &fields, &record(&values));
        expect(&row, &[("src_addr", "10.0.0.1"), ("xlate_src_addr", "198.51.100.1"), ("nat_event", "16")]);
        expect(&row, &[("port_block_start", "1024"), ("port_block_end", "1535")]);
        expect(&row, &[("port_block_step", "1"), ("port_block_size", "512")]);
        expect(&row, &[("vrf_in", "5"), ("vrf_out", "6"), ("packets", "-"), ("bytes", "-")]);
    }
}

#[test]
fn translated_addresses_are_those_of_the_family_that_is_there() {
    let v6 = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    let fields = [(225, 4, 0), (226, 4, 0), (281, 16, 0), (282, 16, 0), (227, 2, 0), (228, 2, 0)];
    let data = [&[0; 4][..], &[198, 51, 100, 7], &v6, &[0; 16], &[4, 0, 0, 80]].concat();
    let row = row(Message::ipfix(0), &fields, &data);
    expect(&row, &[("xlate_src_addr", "2001:db8::9"), ("xlate_dst_addr", "198.51.100.7")]);
    expect(&row, &[("xlate_src_port", "1024"), ("xlate_dst_port", "80")]);
}

#[test]
fn an_asa_event_has_its_lists_its_reason_and_its_user() {
    let fields = [
        (8, 4, 0),
        (4, 1, 0),
        (233, 1, 0),
        (33_002, 2, 0),
        (33_000, 12, 0),
        (33_001, 12, 0),
        (40_000, 20, 0),
    ];
    let mut data = record(&[(0x0a00_0001, 4), (6, 1), (3, 1), (1001, 2)]);
    data.extend([0xaa, 0xbb, 0xcc, 0xdd, 0x11, 0x22, 0x33, 0x44, 0, 0, 0, 0]);
    data.extend([0; 12]);
    data.extend(b"LOCAL\\ann\0\0\0\0\0\0\0\0\0\0\0");
    let row = row(Message::v9(0), &fields, &data);
    expect(&row, &[("fw_event", "3"), ("fw_ext_event", "1001"), ("username", "LOCAL\\ann")]);
    expect(&row, &[("acl_in", "aabbccdd-11223344-00000000")]);
    expect(&row, &[("acl_out", "00000000-00000000-00000000"), ("packets", "-"), ("bytes", "-")]);
}

#[test]
fn the_numbers_of_older_asa_versions_mean_the_same() {
    let fields = [(40_001, 4, 0), (40_002, 4, 0), (40_003, 2, 0), (40_004, 2, 0), (40_005, 1, 0)];
    let data = record(&[(0xc633_6401, 4), (0xc633_6402, 4), (1024, 2), (80, 2), (2, 1)]);
    let row = row(Message::v9(0), &fields, &data);
    expect(&row, &[("xlate_src_addr", "198.51.100.1"), ("xlate_dst_addr", "198.51.100.2")]);
    expect(&row, &[("xlate_src_port", "1024"), ("xlate_dst_port", "80"), ("fw_event", "2")]);
}

#[test]
fn numbers_that_vendors_took_in_netflow_v9_mean_nothing_in_ipfix() {
    // An IPFIX template's numbers have 15 bits: 33002 would be 234 with an enterprise.
    let row = row(Message::ipfix(0), &[(233, 1, 0), (7234, 2, 0)], &[2, 3, 233]);
    expect(&row, &[("fw_event", "2"), ("fw_ext_event", "-"), ("0.7234", "[03, e9]")]);
}

#[test]
fn an_empty_user_name_is_absent() {
    let row = row(Message::v9(0), &[(4, 1, 0), (40_000, 8, 0)], &[6, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(&row, &[("username", "-")]);
}

#[test]
fn a_teardown_with_bytes_counts_in_both_directions() {
    let fields = [(4, 1, 0), (233, 1, 0), (231, 4, 0), (232, 4, 0)];
    let row = row(Message::v9(0), &fields, &record(&[(6, 1), (2, 1), (100, 4), (900, 4)]));
    expect(&row, &[("fw_event", "2"), ("bytes", "100"), ("rev_bytes", "900"), ("packets", "-")]);
}
