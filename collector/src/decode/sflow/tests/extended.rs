//! What the device knows of a packet beside its header.

use serde_json::json;

use super::*;
use crate::flow::Column;

#[test]
fn switch_router_and_gateway_records_add_what_they_know() {
    let switch = tagged(1001, &words(&[100, 0, 0xffff_ffff, 0]));
    let router = tagged(1002, &words(&[1, 0xc000_0201, 24, 16]));
    let path = [2, 2, 2, 64_496, 64_497, 1, 2, 64_498, 64_499];
    let head = [1, 0xc000_0202, 64_511, 64_500, 64_501];
    let communities = [2, 64_496 << 16 | 100, 64_497 << 16 | 200, 100];
    let gateway = tagged(1003, &words(&[&head[..], &path, &communities].concat()));
    let records = [switch, router, gateway, raw(1, 64, 4, &frame())];
    assert_has(
        &one(flow(3, 1, 3, 4, &records)),
        serde_json::json!({
            "src_vlan": 100, "dst_vlan": null, "next_hop": "192.0.2.1", "src_mask": 24, "dst_mask": 16,
            "bgp_next_hop": "192.0.2.2", "src_as": 64_500, "prev_as": 64_501, "next_as": 64_496, "dst_as": 64_499,
            "as_path": "64496 64497 {64498 64499}", "communities": "64496:100 64497:200", "dst_port": 443,
        }),
    );
}

#[test]
fn an_as_path_longer_than_a_text_ends_with_a_whole_number() {
    let path: Vec<u32> = (0..100).map(|at| 4_200_000_000 + at).collect();
    let body = [&[0, 1, 0, 0, 1, 2, 100][..], &path, &[0, 0]].concat();
    let line = one(flow(3, 1, 3, 4, &[tagged(1003, &words(&body)), raw(1, 64, 4, &frame())]));
    let text = line["as_path"].as_str().unwrap();
    assert!(text.len() <= 255 && text.split(' ').all(|number| number.len() == 10), "{text}");
    assert_has(
        &line,
        serde_json::json!({"src_as": null, "next_as": 4_200_000_000_u32, "dst_as": 4_200_000_099_u32}),
    );
}

/// Bytes with their number before them, filled up.
pub(super) fn text(text: &str) -> Vec<u8> {
    let mut out = words(&[text.len() as u32]);
    out.extend(text.as_bytes());
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

fn beside_the_frame(records: &[Vec<u8>]) -> serde_json::Value {
    one(flow(3, 1, 3, 4, &[records, &[raw(1, 1058, 4, &frame())]].concat()))
}

#[test]
fn translated_addresses_and_ports_stand_beside_those_of_the_header() {
    let addresses = tagged(1007, &words(&[1, 0xcb00_7101, 2, 0x2001_0db8, 0, 0, 9]));
    let ports = tagged(1020, &words(&[61_000, 8443]));
    assert_has(
        &beside_the_frame(&[addresses, ports]),
        json!({
            "src_addr": "192.0.2.1", "src_port": 4000, "xlate_src_addr": "203.0.113.1", "xlate_src_port": 61_000,
            "xlate_dst_addr": "2001:db8::9", "xlate_dst_port": 8443,
        }),
    );
    let unknown = tagged(1007, &words(&[0, 1, 0xcb00_7101]));
    assert_has(
        &beside_the_frame(&[unknown]),
        json!({"xlate_src_addr": null, "xlate_dst_addr": "203.0.113.1", "xlate_dst_port": null}),
    );
}

#[test]
fn the_sending_user_is_the_user_and_else_the_receiving_one() {
    let user = |source, destination| {
        let body = [words(&[106]), text(source), words(&[106]), text(destination)].concat();
        beside_the_frame(&[tagged(1004, &body)])["username"].clone()
    };
    assert_eq!(user("alice", "bob"), "alice");
    assert_eq!(user("", "bob"), "bob");
    assert_eq!(user("", ""), serde_json::Value::Null);
}

#[test]
fn the_host_of_a_url_record_is_kept() {
    let body = [words(&[1]), text("/index.html"), text("www.example.org")].concat();
    assert_has(&beside_the_frame(&[tagged(1005, &body)]), json!({"http_host": "www.example.org"}));
}

#[test]
fn labels_that_were_taken_off_before_sampling_come_from_the_mpls_record() {
    let record =
        tagged(1006, &words(&[1, 0xcb00_7102, 2, 16 << 12 | 5 << 9 | 64, 17 << 12 | 1 << 8, 1, 99 << 12]));
    let expected =
        json!({"mpls_labels": [16, 17], "mpls_exp": [5, 0], "next_hop": "203.0.113.2", "dst_port": 443});
    assert_has(&beside_the_frame(std::slice::from_ref(&record)), expected.clone());
    let header = raw(1, 1058, 4, &frame());
    assert_has(&one(flow(3, 1, 3, 4, &[header, record.clone()])), expected);
    // Labels in the header are those of the packet; a route's next hop is better than a label's.
    let mut labelled = frame();
    labelled.splice(12..14, [0x88, 0x47, 0, 3, 1, 64]);
    let router = tagged(1002, &words(&[1, 0xcb00_7103, 24, 16]));
    for records in [[record.clone(), raw(1, 1062, 4, &labelled)], [raw(1, 1062, 4, &labelled), record]] {
        let line = one(flow(3, 1, 3, 4, &[&records[..], std::slice::from_ref(&router)].concat()));
        assert_has(&line, json!({"mpls_labels": [48], "next_hop": "203.0.113.3", "dst_port": 443}));
    }
}

#[test]
fn tags_that_were_taken_off_before_sampling_stand_before_those_of_the_header() {
    let stripped = |tags: &[u32]| tagged(1012, &words(&[&[tags.len() as u32], tags].concat()));
    let mut with_tag = frame();
    with_tag.splice(12..12, [0x81, 0, 0x20, 30]);
    let header = raw(1, 1062, 4, &with_tag);
    let vlans = |records: &[Vec<u8>]| {
        let line = one(flow(3, 1, 3, 4, records));
        (line["src_vlan"].clone(), line["src_cvlan"].clone())
    };
    let two = stripped(&[0x88a8_e00a, 0x8100_0014]);
    let one_tag = stripped(&[0x88a8_000a]);
    assert_eq!(vlans(&[two.clone(), header.clone()]), (json!(10), json!(20)));
    assert_eq!(vlans(&[header.clone(), one_tag.clone()]), (json!(10), json!(30)));
    assert_eq!(vlans(&[stripped(&[]), header.clone()]), (json!(30), json!(null)));
    // What the switch says of the VLAN counts before any tag.
    let switch = tagged(1001, &words(&[500, 0, 0xffff_ffff, 0]));
    assert_eq!(vlans(&[two, switch.clone(), header.clone()]), (json!(500), json!(20)));
    assert_eq!(vlans(&[header, switch, one_tag]), (json!(500), json!(null)));
}

#[test]
fn the_tunnel_around_a_packet_comes_from_its_records_the_incoming_one_first() {
    let v4 = |format, source| tagged(format, &words(&[1500, 47, source, 0xcb00_7102, 0, 0, 0, 0]));
    let v6 = [1500, 17, 0x2001_0db8, 0, 0, 1, 0x2001_0db8, 0, 0, 2, 50_000, 4789, 0, 0];
    let [egress, ingress] = [v4(1023, 0xcb00_7101), v4(1024, 0xcb00_7103)];
    let tunnel = |source, proto| json!({"tun_src_addr": source, "tun_proto": proto, "src_addr": "192.0.2.1"});
    assert_has(&beside_the_frame(std::slice::from_ref(&egress)), tunnel("203.0.113.1", 47));
    assert_has(&beside_the_frame(&[egress.clone(), ingress.clone()]), tunnel("203.0.113.3", 47));
    assert_has(&beside_the_frame(&[ingress, egress]), tunnel("203.0.113.3", 47));
    for format in [1025, 1026] {
        assert_has(&beside_the_frame(&[tagged(format, &words(&v6))]), tunnel("2001:db8::1", 17));
    }
}

#[test]
fn a_packet_routed_by_segments_shows_its_path() {
    let segment = |last: u32| words(&[0x2001_0db8, 0, 0, last]);
    let mut packet = words(&[0x6000_0000, 0x0034_2b40]);
    packet.extend([segment(1), segment(2)].concat());
    packet.extend([17, 4, 4, 1, 1, 0, 0, 0]);
    packet.extend([segment(8), segment(9), vec![15, 160, 0, 53, 0, 12, 0, 0]].concat());
    assert_has(
        &one(flow(3, 1, 3, 4, &[raw(12, 92, 0, &packet)])),
        json!({
            "srh_segments": ["2001:db8::8", "2001:db8::9"], "srh_segments_left": 1, "dst_port": 53, "bytes": 92,
            "l2_bytes": null,
        }),
    );
}

#[test]
fn a_virtual_circuit_and_the_prefix_of_a_label_are_kept_by_the_elements_that_mean_them() {
    let circuit = tagged(1009, &[text("customer-a"), words(&[4_000_000_007, 5])].concat());
    let class = tagged(1011, &words(&[24]));
    assert_has(
        &beside_the_frame(&[circuit, class]),
        json!({"extra": {"pseudoWireId": 4_000_000_007_u32, "mplsTopLabelPrefixLength": 24}}),
    );
    assert_has(&beside_the_frame(&[tagged(1011, &words(&[300]))]), json!({"extra": null}));
}

#[test]
fn a_record_that_has_no_column_or_is_too_short_costs_nothing_but_itself() {
    let header = raw(1, 1058, 4, &frame());
    // MPLS tunnel and FTN, MACs of a tunnel, decapsulation, a vendor's; then each that is read, cut by its last word.
    let unread = [1008, 1010, 1021, 1022, 1027, 1028, 1037, 4413 << 12 | 1];
    let short: [(u32, &[u32]); 14] = [
        (1001, &[1, 0, 2]),
        (1002, &[1, 0xc000_0201, 24]),
        (1003, &[1, 0xc000_0202, 64_511, 64_500, 64_501, 1, 2, 5, 64_496]),
        (1004, &[106, 4, 0x6161_6161, 106]),
        (1005, &[1, 4, 0x6161_6161]),
        (1006, &[1, 1, 2, 1]),
        (1007, &[1, 0xcb00_7101, 1]),
        (1009, &[4, 0x6161_6161]),
        (1011, &[]),
        (1012, &[2, 1]),
        (1020, &[1]),
        (1024, &[1500, 47, 0xcb00_7101]),
        (1026, &[1500, 47, 1, 2, 3, 4, 1, 2, 3]),
        (1030, &[]),
    ];
    let records: Vec<Vec<u8>> = unread
        .iter()
        .map(|format| tagged(*format, &words(&[1, 2, 3])))
        .chain(short.iter().map(|(format, body)| tagged(*format, &words(body))))
        .chain([header.clone()])
        .collect();
    let (lines, counts) = decode(&datagram(1, &[flow(3, 1, 3, 4, &records)]));
    let counts = counts.unwrap();
    assert_eq!((counts.records, counts.skipped_records, counts.undecodable.len()), (1, 22, 0));
    assert_eq!(lines[0], one(flow(3, 1, 3, 4, &[header])));
}

#[test]
fn the_tunnels_that_an_exporters_source_names_are_taken_off_and_no_others() {
    use crds::config::{ListenerConfig, SourceConfig, Tunnel};

    let listeners = [ListenerConfig {
        name: "sflow".into(),
        protocol: Accepts::SFlow,
        transport: crds::config::Transport::Udp,
        port: 6343,
    }];
    let source = |name: &str, prefix: &str, decapsulate| SourceConfig {
        name: name.into(),
        prefixes: vec![prefix.parse().unwrap()],
        decapsulate,
        ..SourceConfig::default()
    };
    let sources = [
        source("overlay", "192.0.2.0/24", vec![Tunnel::Vxlan, Tunnel::Ipip]),
        source("one", "192.0.2.9/32", vec![Tunnel::Gre]),
    ];
    let mut decoder = Decoder::new(Limits::default());
    decoder.set_sources(&listeners, &sources);
    let mut packet = Vec::new();
    PacketBuilder::ipv4([203, 0, 113, 1], [203, 0, 113, 2], 9)
        .udp(1, 2)
        .write(&mut packet, &frame()[14..])
        .unwrap();
    packet.drain(20..28);
    packet[9] = 4;
    let mut seen = |sequence, exporter: [u8; 4]| {
        let payload = datagram(sequence, &[flow(3, 1, 3, 4, &[raw(11, 1060, 0, &packet)])]);
        let mut batch = Batch::default();
        let datagram = Datagram {
            listener: 0,
            accepts: Accepts::SFlow,
            exporter: exporter.into(),
            port: 6000,
            received_ms: 0,
            payload: &payload,
        };
        decoder.decode(&datagram, &mut batch, &mut |_| panic!("one datagram fits"));
        let column = |column| crate::flow::address_of(batch.addrs(column)[0]).to_string();
        let off = batch.runs()[0].present.contains(Column::TunProto);
        off.then(|| column(Column::TunDstAddr))
            .into_iter()
            .chain([column(Column::DstAddr)])
            .collect::<Vec<_>>()
    };
    for sequence in 1..3 {
        assert_eq!(seen(sequence, [192, 0, 2, 8]), ["203.0.113.2", "198.51.100.2"]);
        assert_eq!(seen(sequence, [192, 0, 2, 9]), ["203.0.113.2"]);
        assert_eq!(seen(sequence, [198, 51, 100, 1]), ["203.0.113.2"]);
    }
}
