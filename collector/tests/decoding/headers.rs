//! What a packet's headers said: ICMP, ports, label stacks, segments, VLANs, both families, tunnels.

use super::message::{Message, Spec, V5, record};
use super::rig::{Rig, Row, expect};

const VARIABLE: u16 = 65_535;
const V6_ONE: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const V6_TWO: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

/// One record behind its template.
#[track_caller]
fn row_of(fields: &[Spec], data: &[u8]) -> Row {
    let mut rig = Rig::new();
    rig.feed(&Message::ipfix(0).template(256, fields).data(256, &[data.to_vec()]).bytes());
    let counts = rig.report().counts;
    assert_eq!((counts.records, rig.rows.len()), (1, 1), "{:?}", counts.undecodable);
    rig.rows.remove(0)
}

/// The same with numbers.
#[track_caller]
fn row(fields: &[Spec], values: &[u64]) -> Row {
    let lengths = fields.iter().map(|(_, length, _)| usize::from(*length));
    row_of(fields, &record(&values.iter().copied().zip(lengths).collect::<Vec<_>>()))
}

#[test]
fn icmp_type_and_code_are_found_wherever_the_exporter_put_them() {
    let cases: [(&[Spec], &[u64]); 7] = [
        (&[(4, 1, 0), (32, 2, 0)], &[1, 0x0301]),
        (&[(4, 1, 0), (139, 2, 0)], &[58, 0x0301]),
        (&[(4, 1, 0), (176, 1, 0), (177, 1, 0)], &[1, 3, 1]),
        (&[(4, 1, 0), (178, 1, 0), (179, 1, 0)], &[58, 3, 1]),
        (&[(4, 1, 0), (7, 2, 0), (11, 2, 0)], &[1, 0, 0x0301]),
        (&[(4, 1, 0), (7, 2, 0), (11, 2, 0)], &[58, 0, 0x0301]),
        (&[(4, 1, 0), (11, 2, 0), (32, 2, 0), (139, 2, 0)], &[58, 9, 0, 0x0301]),
    ];
    for (fields, values) in cases {
        let row = row(fields, values);
        expect(&row, &[("icmp_type", "3"), ("icmp_code", "1"), ("src_port", "-"), ("dst_port", "-")]);
    }
}

#[test]
fn an_icmp_identifier_in_the_source_port_is_shown_and_no_port() {
    let ports = [(4, 1, 0), (7, 2, 0), (11, 2, 0)];
    let found = row(&ports, &[1, 0x1234, 0x0800]);
    expect(&found, &[("src_port", "-"), ("icmp_type", "8"), ("0.7", "[12, 34]")]);
    expect(&row(&ports, &[1, 0, 0x0800]), &[("0.7", "-")]);
    expect(&row(&ports, &[17, 0x1234, 53]), &[("src_port", "4660"), ("0.7", "-")]);
    let mut rig = Rig::new();
    rig.feed(&V5 { proto: 1, src_port: 0x1234, dst_port: 0x0800, ..V5::default() }.bytes());
    expect(&rig.rows[0], &[("src_port", "-"), ("icmp_type", "8"), ("0.7", "[12, 34]")]);
}

#[test]
fn only_protocols_with_ports_have_them_and_only_icmp_has_types() {
    let fields = [(4, 1, 0), (7, 2, 0), (11, 2, 0), (176, 1, 0), (177, 1, 0)];
    for proto in 0..=255 {
        let row = row(&fields, &[proto, 1000, 2000, 3, 1]);
        let (port, icmp) = (matches!(proto, 6 | 17 | 33 | 132 | 136), matches!(proto, 1 | 58));
        expect(&row, &[("src_port", if port { "1000" } else { "-" })]);
        expect(&row, &[("dst_port", if port { "2000" } else { "-" })]);
        expect(&row, &[("icmp_type", if icmp { "3" } else { "-" })]);
    }
}

#[test]
fn ports_by_protocol_serve_where_the_common_ones_are_zero_or_missing() {
    let udp = row(&[(4, 1, 0), (180, 2, 0), (181, 2, 0)], &[17, 1000, 53]);
    expect(&udp, &[("src_port", "1000"), ("dst_port", "53")]);
    let fields = [(4, 1, 0), (180, 2, 0), (181, 2, 0), (182, 2, 0), (183, 2, 0)];
    expect(&row(&fields, &[6, 0, 0, 1000, 443]), &[("src_port", "1000"), ("dst_port", "443")]);
}

#[test]
fn a_label_stack_ends_at_its_bottom_and_empty_entries_are_filling() {
    let stack: Vec<Spec> = (70..=79).map(|element| (element, 3, 0)).collect();
    let entries = [0x000640, 0x00066e, 0x000671, 0x000680, 0, 0, 0, 0, 0, 0];
    let found = row(&stack, &entries);
    expect(&found, &[("mpls_label_1", "1600"), ("mpls_label_2", "1646"), ("mpls_label_3", "1649")]);
    expect(&found, &[("mpls_label_4", "-"), ("mpls_label_10", "-")]);
    expect(&row(&stack, &[0; 10]), &[("mpls_label_1", "-")]);
    let full = row(&stack, &[16, 32, 48, 64, 80, 96, 112, 128, 144, 161]);
    expect(&full, &[("mpls_label_1", "16"), ("mpls_label_10", "161")]);
}

#[test]
fn a_label_stack_entry_with_its_ttl_is_the_same_label() {
    let row = row(&[(70, 4, 0), (71, 4, 0)], &[0x0006_40ff, 0x0006_6101]);
    expect(&row, &[("mpls_label_1", "1600"), ("mpls_label_2", "1633")]);
}

#[test]
fn the_top_label_has_its_kind_and_its_address_of_either_family() {
    let v4 = row(&[(46, 1, 0), (47, 4, 0)], &[5, 0xc000_0201]);
    expect(&v4, &[("mpls_top_label_type", "5"), ("mpls_top_label_addr", "192.0.2.1")]);
    let v6 = row_of(&[(47, 4, 0), (140, 16, 0)], &[&[0; 4][..], &V6_ONE].concat());
    expect(&v6, &[("mpls_top_label_addr", "2001:db8::1")]);
}

#[test]
fn segments_are_read_in_each_form_of_rfc_9487() {
    let list = [V6_ONE, V6_TWO].concat();
    let both = [("srh_segments", "2001:db8::1 2001:db8::2")];
    let section = [&[32][..], &list, &[1]].concat();
    let found = row_of(&[(497, VARIABLE, 0), (498, 1, 0)], &section);
    expect(&found, &[both[0], ("srh_segments_left", "1")]);
    let basic = [&[37, 3, 1, 0xee, 0, 16][..], &list].concat();
    expect(&row_of(&[(496, VARIABLE, 0)], &basic), &both);
    let header = [&[40, 43, 4, 4, 1, 1, 0, 0, 0][..], &list].concat();
    expect(&row_of(&[(499, VARIABLE, 0)], &header), &[both[0], ("srh_segments_left", "1")]);
    expect(&row_of(&[(494, 16, 0)], &V6_TWO), &[("srh_segments", "2001:db8::2")]);
    let empty = row_of(&[(497, VARIABLE, 0), (2, 4, 0)], &[0, 0, 0, 0, 9]);
    expect(&empty, &[("srh_segments", "-"), ("packets", "9")]);
}

#[test]
fn a_dscp_is_the_upper_part_of_the_tos_byte_where_there_is_no_other() {
    expect(&row(&[(195, 1, 0)], &[46]), &[("ip_tos", "184")]);
    expect(&row(&[(195, 1, 0), (5, 1, 0)], &[46, 1]), &[("ip_tos", "1")]);
    expect(&row(&[(55, 1, 0)], &[8]), &[("dst_tos", "8"), ("ip_tos", "-")]);
}

#[test]
fn one_ttl_is_the_smallest_and_the_largest() {
    expect(&row(&[(192, 1, 0)], &[64]), &[("min_ttl", "64"), ("max_ttl", "64")]);
    expect(&row(&[(52, 1, 0), (53, 1, 0)], &[60, 64]), &[("min_ttl", "60"), ("max_ttl", "64")]);
    expect(&row(&[(52, 1, 0), (192, 1, 0)], &[60, 64]), &[("min_ttl", "60"), ("max_ttl", "64")]);
}

#[test]
fn the_forwarding_status_is_the_lowest_byte_of_one_or_four() {
    for length in [1, 2, 4] {
        expect(&row(&[(89, length, 0)], &[0x84]), &[("forwarding_status", "132")]);
    }
}

#[test]
fn vlans_come_from_the_older_elements_or_the_8021q_ones() {
    expect(&row(&[(58, 2, 0), (59, 2, 0)], &[10, 20]), &[("src_vlan", "10"), ("dst_vlan", "20")]);
    let fields = [(243, 2, 0), (254, 2, 0), (245, 2, 0), (255, 2, 0), (244, 1, 0)];
    let tagged = row(&fields, &[10, 20, 30, 40, 5]);
    expect(&tagged, &[("src_vlan", "10"), ("dst_vlan", "20"), ("src_cvlan", "30"), ("dst_cvlan", "40")]);
    expect(&tagged, &[("0.244", "[05]")]);
    expect(&row(&[(58, 2, 0), (243, 2, 0)], &[0, 30]), &[("src_vlan", "30")]);
}

#[test]
fn macs_at_entry_and_exit_have_a_column_each() {
    let row = row(&[(56, 6, 0), (80, 6, 0), (81, 6, 0), (57, 6, 0)], &[1, 2, 3, 4]);
    expect(&row, &[("src_mac", "000000000001"), ("in_dst_mac", "000000000002")]);
    expect(&row, &[("out_src_mac", "000000000003"), ("dst_mac", "000000000004")]);
}

#[test]
fn physical_interfaces_serve_where_the_others_are_missing() {
    expect(&row(&[(252, 4, 0), (253, 4, 0)], &[7, 8]), &[("in_if", "7"), ("out_if", "8")]);
    let both = [(10, 4, 0), (14, 4, 0), (252, 4, 0), (253, 4, 0)];
    expect(&row(&both, &[1, 0, 7, 8]), &[("in_if", "1"), ("out_if", "0"), ("0.252", "[00, 00, 00, 07]")]);
}

#[test]
fn with_both_families_filled_the_ip_version_decides_and_else_it_is_ipv4() {
    let fields = [(60, 1, 0), (8, 4, 0), (12, 4, 0), (27, 16, 0), (28, 16, 0)];
    let data = |version: u8| [&[version, 192, 0, 2, 1, 192, 0, 2, 2][..], &V6_ONE, &V6_TWO].concat();
    expect(&row_of(&fields, &data(6)), &[("src_addr", "2001:db8::1"), ("etype", "34525")]);
    expect(&row_of(&fields, &data(4)), &[("src_addr", "192.0.2.1"), ("etype", "2048")]);
    expect(&row_of(&fields, &data(0)), &[("dst_addr", "192.0.2.2"), ("etype", "2048")]);
    let none = |version: u8| [&[version][..], &[0; 40]].concat();
    expect(&row_of(&fields, &none(6)), &[("src_addr", "::"), ("etype", "34525")]);
    expect(&row_of(&fields, &none(4)), &[("src_addr", "0.0.0.0"), ("etype", "2048")]);
}

#[test]
fn the_addresses_tell_the_family_and_the_ethernet_type_only_where_there_are_none() {
    let rubbish = row(&[(8, 4, 0), (12, 4, 0), (256, 2, 0)], &[1, 2, 0x1234]);
    expect(&rubbish, &[("etype", "2048")]);
    expect(&row(&[(256, 2, 0), (56, 6, 0)], &[0x0806, 1]), &[("etype", "2054")]);
    expect(&row(&[(60, 1, 0), (4, 1, 0)], &[6, 17]), &[("etype", "34525")]);
}

#[test]
fn header_elements_that_come_twice_are_the_outer_and_the_inner_packets() {
    let outer: [Spec; 5] = [(27, 16, 0), (28, 16, 0), (4, 1, 0), (5, 1, 0), (6, 1, 0)];
    let inner: [Spec; 6] = [(8, 4, 0), (12, 4, 0), (4, 1, 0), (5, 1, 0), (7, 2, 0), (11, 2, 0)];
    let fields = [&outer[..], &inner, &[(7, 2, 0), (11, 2, 0), (6, 1, 0)]].concat();
    let data =
        [&V6_ONE[..], &V6_TWO, &[4, 8, 0], &[192, 0, 2, 1, 192, 0, 2, 2, 6, 16, 3, 232, 1, 187]].concat();
    let data = [&data[..], &[7, 208, 0, 53, 2]].concat();
    let row = row_of(&fields, &data);
    expect(&row, &[("src_addr", "2001:db8::1"), ("dst_addr", "2001:db8::2"), ("proto", "4")]);
    expect(&row, &[("ip_tos", "8"), ("0.5", "[10]"), ("0.6", "[02]"), ("etype", "34525")]);
    expect(&row, &[("inner_src_addr", "192.0.2.1"), ("inner_dst_addr", "192.0.2.2"), ("inner_proto", "6")]);
    expect(&row, &[("inner_src_port", "2000"), ("inner_dst_port", "53")]);
}

#[test]
fn an_inner_packet_without_ports_has_none() {
    let fields = [(27, 16, 0), (28, 16, 0), (4, 1, 0), (7, 2, 0), (8, 4, 0), (4, 1, 0), (7, 2, 0)];
    let data = [&V6_ONE[..], &V6_TWO, &[4, 0, 0], &[192, 0, 2, 1], &[1, 0, 9]].concat();
    expect(&row_of(&fields, &data), &[("inner_proto", "1"), ("inner_src_port", "-")]);
}
