//! What each kind of test means.

use super::rows::{Address, Number, Text, Value, assert_fails, assert_passes};
use crate::flow::Column as C;

const fn ports(source: u64, destination: u64) -> [Value; 3] {
    [Number(C::Proto, 6), Number(C::SrcPort, source), Number(C::DstPort, destination)]
}

#[test]
fn without_a_direction_either_side_counts_also_with_a_comparator() {
    assert_passes("port 53", &ports(53, 1));
    assert_passes("port > 1024", &ports(80, 2000));
    assert_fails("not port > 1024", &ports(80, 2000));
    assert_passes("not port > 1024", &ports(80, 53));
    assert_passes("src and dst port > 1024", &ports(2000, 3000));
    assert_fails("src and dst port > 1024", &ports(80, 3000));
    assert_passes("src or dst port 80", &ports(80, 3000));
}

#[test]
fn unequal_passes_when_no_side_is_equal() {
    assert_passes("port != 22", &ports(80, 3000));
    assert_fails("port != 22", &ports(22, 3000));
    assert_passes("src port != 22", &ports(80, 22));
    assert_passes("as != 64496", &[Number(C::SrcAs, 64497)]);
}

#[test]
fn packets_and_bytes_are_scaled_by_the_sampling_rate() {
    let flow = [Number(C::Packets, 3), Number(C::Bytes, 180), Number(C::SamplingRate, 100)];
    assert_passes("packets 300 and bytes 18000", &flow);
    assert_fails("packets 3", &flow);
    assert_passes("bpp 60", &flow);
}

#[test]
fn rates_are_whole_numbers_and_zero_when_the_divisor_is_zero() {
    let flow = |start, end| {
        [Number(C::Packets, 10), Number(C::Bytes, 999), Number(C::TimeStart, start), Number(C::TimeEnd, end)]
    };
    assert_passes("pps 3 and bps 2664 and bpp 99 and duration 3000", &flow(1000, 4000));
    assert_passes("pps 0 and bps 0 and duration 0", &flow(1000, 1000));
    assert_passes("duration 0", &flow(1000, 900));
    assert_passes("bpp 0", &[Number(C::Packets, 0), Number(C::Bytes, 10)]);
}

#[test]
fn flags_imply_tcp_and_all_that_are_named() {
    let tcp = |flags| [Number(C::Proto, 6), Number(C::TcpFlags, flags)];
    assert_passes("flags X", &tcp(0x3f));
    assert_fails("flags X", &tcp(0x1f));
    assert_passes("flags = SA", &tcp(0x12));
    assert_fails("flags = SA", &tcp(0x1a));
    assert_passes("not flags = SA", &tcp(0x1a));
    assert_passes("flags EC", &tcp(0xc0));
    assert_passes("flags > 16", &tcp(0x12));
    assert_fails("flags < 3", &[Number(C::Proto, 17), Number(C::TcpFlags, 2)]);
    assert_fails("flags = S", &[Number(C::Proto, 17), Number(C::TcpFlags, 2)]);
}

#[test]
fn addresses_networks_and_lists_match_their_own_family() {
    let pair = [Address(C::SrcAddr, "192.0.2.1"), Address(C::DstAddr, "198.51.100.7")];
    assert_passes("ip 192.0.2.1", &pair);
    assert_passes("dst host 198.51.100.7", &pair);
    assert_fails("src ip 198.51.100.7", &pair);
    assert_passes("src net 192.0.2.0/24 and dst net 198.51.100.0 255.255.255.0", &pair);
    assert_passes("net 192.0.2/24", &pair);
    assert_fails("net ::/0", &pair);
    assert_passes("net 0.0.0.0/0", &pair);
    assert_passes("src and dst ip in [192.0.2.1 198.51.100.0/24]", &pair);
    assert_fails("src and dst ip in [192.0.2.1 203.0.113.0/24]", &pair);
    let six = [Address(C::SrcAddr, "2001:db8::1"), Address(C::DstAddr, "2001:db8:1::1")];
    assert_passes("net ::/0 and src net 2001:db8::/48 and ip 2001:db8:1::1", &six);
    assert_fails("net 0.0.0.0/0", &six);
    assert_passes("ip in [192.0.2.0/24 2001:db8:1::/48]", &six);
}

#[test]
fn the_family_is_that_of_the_ether_type() {
    assert_passes("inet and etherType 0x800 and not inet6", &[Number(C::EType, 0x0800)]);
    assert_passes("ipv6", &[Number(C::EType, 0x86dd)]);
}

#[test]
fn macs_follow_cisco_s_four_fields() {
    let (a, b, c, d) = (0x5e00_5301, 0x5e00_5302, 0x5e00_5303, 0x5e00_5304);
    let flow = [Number(C::SrcMac, a), Number(C::InDstMac, b), Number(C::OutSrcMac, c), Number(C::DstMac, d)];
    assert_passes("in src mac 00:00:5e:00:53:01 and in dst mac 00:00:5e:00:53:02", &flow);
    assert_passes("out src mac 00:00:5e:00:53:03 and out dst mac 00:00:5e:00:53:04", &flow);
    assert_passes("mac 00:00:5e:00:53:03 and in mac 00:00:5e:00:53:02 and src mac 00:00:5e:00:53:03", &flow);
    assert_fails("in mac 00:00:5e:00:53:03", &flow);
    assert_fails("dst mac 00:00:5e:00:53:01", &flow);
}

#[test]
fn numbers_of_one_field_compare_with_their_column() {
    let flow = [
        Number(C::SrcAs, 64496),
        Number(C::DstAs, 64497),
        Number(C::PrevAs, 64498),
        Number(C::NextAs, 64499),
        Number(C::SrcMask, 24),
        Number(C::DstMask, 16),
        Number(C::InIf, 3),
        Number(C::OutIf, 4),
        Number(C::SrcVlan, 100),
        Number(C::DstVlan, 200),
        Number(C::IpTos, 16),
        Number(C::DstTos, 8),
        Number(C::Flows, 2),
        Number(C::EngineType, 1),
        Number(C::EngineId, 2),
        Number(C::ObservationPointId, 9),
        Number(C::MinTtl, 3),
        Number(C::MaxTtl, 64),
    ];
    for filter in [
        "as 64496",
        "dst as 64497",
        "prev as 64498",
        "next as 64499",
        "as in [1 64497]",
        "src mask 24",
        "mask 16",
        "in if 3",
        "out if 4",
        "if 4",
        "src vlan 100",
        "vlan 200",
        "tos 8",
        "src tos 16",
        "flows 2",
        "flows > 1",
        "engine-type 1",
        "engine id 2",
        "observation domain id 5",
        "observation point id 9",
        "min ttl < 5",
        "max ttl >= 64",
        "router ip 192.0.2.254",
        "exporter ip in [192.0.2.0/24]",
    ] {
        assert_passes(filter, &flow);
        assert_fails(&format!("not {filter}"), &flow);
    }
    for filter in
        ["as 64498", "src as 64497", "if 5", "in if 4", "dst vlan 100", "next as 64498", "as in [1 2]"]
    {
        assert_fails(filter, &flow);
    }
}

#[test]
fn times_compare_with_the_first_and_the_last_packet() {
    let flow = [Number(C::TimeStart, 1_767_225_600_000), Number(C::TimeEnd, 1_767_225_601_500)];
    assert_passes("first seen 2026-01-01T00:00:00Z", &flow);
    assert_passes("last seen > 2026-01-01T00:00:01 and last seen < 2026-01-01T00:00:02", &flow);
    assert_fails("first seen > 2026-01-01", &flow);
}

#[test]
fn mpls_tests_look_into_the_stack() {
    let entry = |label: u64, exp: u64, bottom: u64| label << 4 | exp << 1 | bottom;
    let flow = [Number(C::MplsLabel1, entry(100, 3, 0)), Number(C::MplsLabel2, entry(200, 5, 1))];
    assert_passes("mpls label1 100 and mpls exp1 3 and mpls label2 > 150 and mpls exp2 5", &flow);
    assert_passes("mpls eos 200 and mpls any 100 and mpls any 200", &flow);
    assert_fails("mpls eos 100", &flow);
    assert_fails("mpls label3 < 1000", &flow);
    assert_fails("mpls any != 100", &flow);
}

#[test]
fn nat_firewall_and_performance_fields_compare() {
    let flow = [
        Address(C::XlateSrcAddr, "203.0.113.5"),
        Number(C::XlateSrcPort, 4000),
        Number(C::XlateDstPort, 80),
        Number(C::NatEvent, 4),
        Number(C::VrfIn, 10),
        Number(C::VrfOut, 11),
        Number(C::PortBlockStart, 1024),
        Number(C::PortBlockEnd, 2047),
        Number(C::PortBlockStep, 1),
        Number(C::PortBlockSize, 1024),
        Number(C::SrcPort, 1500),
        Number(C::DstPort, 80),
        Number(C::FwEvent, 3),
        Number(C::FwExtEvent, 1001),
        Text(C::AclIn, "0000001f-00000002-00000003"),
        Number(C::ClientLatency, 5500),
    ];
    for filter in [
        "xip 203.0.113.5",
        "src nat ip 203.0.113.5",
        "xnet 203.0.113.0/24",
        "nport 80",
        "src xport 4000",
        "nat event add44",
        "nat event > 3",
        "ingress vrf 10",
        "egress vrf 11",
        "pblock start 1024",
        "nat pblock end 2047",
        "nat pblock step 1",
        "nat pblock size 1024",
        "port in pblock",
        "src port in pblock",
        "asa event deny",
        "asa event denied ingress",
        "asa xevent > 1000",
        "ingress acl 0x1f",
        "ingress ace 2",
        "ingress xace 3",
        "client latency > 5",
        "client latency < 6",
    ] {
        assert_passes(filter, &flow);
    }
    for filter in ["dst port in pblock", "src and dst port in pblock", "egress acl 31", "client latency 5"] {
        assert_fails(filter, &flow);
    }
}

#[test]
fn routes_of_sflow_gateway_records_can_be_searched() {
    let flow = [Text(C::AsPath, "64496 64497 {64498 64499}"), Text(C::Communities, "64496:100 64496:200")];
    assert_passes("as path contains 64497 and as path contains 64499", &flow);
    assert_fails("as path contains 6449", &flow);
    assert_passes("community 64496:200", &flow);
    assert_fails("community 64496:20", &flow);
}

#[test]
fn ident_is_the_name_of_the_source() {
    assert_passes("ident lab", &[]);
    assert_fails("ident other", &[]);
    assert_fails("ident nobody", &[]);
    assert_passes("any", &[]);
    assert_passes("", &[]);
}
