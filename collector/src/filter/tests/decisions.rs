//! The decisions where nfdump's dialects disagree, by their numbers in the filter language. Those about text
//! alone (5, 6, 9, 10) are tested beside the parser, 12 beside the comparison with nfdump.

use super::rows::{Address, Number, Value, assert_fails, assert_passes};
use crate::flow::Column as C;

const fn tcp(flags: u64) -> [Value; 2] {
    [Number(C::Proto, 6), Number(C::TcpFlags, flags)]
}

const SYN: u64 = 0x02;
const SYN_ACK: u64 = 0x12;

#[test]
fn decision_1_a_negated_flags_test_means_that_none_of_the_flags_is_set() {
    assert_passes("flags SA", &tcp(SYN_ACK));
    assert_fails("flags SA", &tcp(SYN));
    assert_fails("not flags SA", &tcp(SYN_ACK));
    // Neither the test nor its negation: one of the two flags is set.
    assert_fails("not flags SA", &tcp(SYN));
    assert_passes("not flags SA", &tcp(0x01));
    assert_passes("flags S and not flags AFRPU", &tcp(SYN));
    assert_fails("flags S and not flags AFRPU", &tcp(SYN_ACK));
}

#[test]
fn decision_1_negation_goes_down_to_the_flags_through_parentheses_and_operators() {
    for filter in ["not (flags SA)", "not ((flags SA))", "not not not flags SA", "not (flags SA or port 1)"] {
        assert_fails(filter, &tcp(SYN));
        assert_passes(filter, &tcp(0x01));
    }
    assert_passes("not not flags SA", &tcp(SYN_ACK));
    assert_fails("not not flags SA", &tcp(SYN));
    assert_passes("not (flags SA and proto udp)", &tcp(SYN));
    assert_fails("not (flags SA and proto tcp)", &tcp(SYN));
}

#[test]
fn decision_1_a_negated_flags_test_passes_what_is_not_tcp() {
    assert_passes("not flags S", &[Number(C::Proto, 17), Number(C::TcpFlags, SYN)]);
    assert_fails("flags S", &[Number(C::Proto, 17), Number(C::TcpFlags, SYN)]);
    assert_passes("not flags S", &[Number(C::Proto, 6)]);
}

#[test]
fn decision_2_a_field_that_is_not_carried_fails_every_comparison_and_passes_its_negation() {
    for filter in [
        "port 0",
        "src port < 1",
        "as 0",
        "vlan != 5",
        "bytes < 1",
        "pps < 1",
        "duration < 1",
        "next ip 0.0.0.0",
        "src net 0.0.0.0/0",
        "mac 00:00:00:00:00:00",
        "icmp type 0",
        "fwdstat Ukwn",
        "dir ingress",
        "first seen > 1970-01-01",
        "mpls any < 16",
        "ingress acl 0",
        "as path contains 0",
        "port in [0]",
        "flows < 5",
        "min ttl 0",
        "flags = S",
        "flags 0",
        "src and dst port < 1",
        "inet",
        "proto hopopt",
    ] {
        assert_fails(filter, &[]);
        assert_passes(&format!("not {filter}"), &[]);
    }
}

#[test]
fn decision_3_overlapping_entries_of_a_list_are_a_union() {
    let source = |address| [Address(C::SrcAddr, address)];
    for list in ["[10.1.1.1 10.1.1.0/30]", "[10.1.1.0/30 10.1.1.1]", "[10.1.1.0/31 10.1.1.1 10.1.1.0/30]"] {
        let filter = format!("src ip in {list}");
        assert_passes(&filter, &source("10.1.1.1"));
        assert_passes(&filter, &source("10.1.1.3"));
        assert_fails(&filter, &source("10.1.1.4"));
    }
}

#[test]
fn decision_4_a_network_with_host_bits_is_masked() {
    assert_passes("net 10.1.9.9/16", &[Address(C::SrcAddr, "10.1.200.1")]);
    assert_passes("src ip in [10.1.9.9/16]", &[Address(C::SrcAddr, "10.1.200.1")]);
    assert_fails("net 10.1.9.9/16", &[Address(C::SrcAddr, "10.2.9.9")]);
}

#[test]
fn decision_7_port_never_matches_icmp_whose_type_travels_in_the_port_field() {
    let echo = [Number(C::Proto, 1), Number(C::IcmpType, 8), Number(C::IcmpCode, 0)];
    assert_fails("port 2048", &echo);
    assert_fails("port < 65535", &echo);
    assert_passes("not port 2048", &echo);
    assert_passes("icmp-type 8 and icmp-code 0", &echo);
}

#[test]
fn decision_8_a_forwarding_status_name_covers_its_values_and_a_number_is_the_byte() {
    let status = |byte| [Number(C::ForwardingStatus, byte)];
    for (name, inside, outside) in [
        ("Ukwn", [0, 0], 1),
        ("Forw", [64, 127], 128),
        ("Frag", [65, 65], 64),
        ("Drop", [128, 191], 192),
        ("DaclD", [129, 129], 130),
        ("Noroute", [131, 131], 132),
        ("Dhw", [143, 143], 142),
        ("Term", [192, 255], 191),
        ("Tforus", [195, 195], 194),
    ] {
        for byte in inside {
            assert_passes(&format!("fwdstat {name}"), &status(byte));
        }
        assert_fails(&format!("fwdstat {name}"), &status(outside));
    }
    assert_passes("fwdstat 66", &status(66));
    assert_fails("fwdstat 1", &status(64));
}

#[test]
fn decision_11_out_counters_are_the_reverse_ones_or_else_those_after_observation() {
    let reverse = [Number(C::RevPackets, 7), Number(C::PostPackets, 9), Number(C::Packets, 1)];
    assert_passes("out packets 7", &reverse);
    assert_passes("in packets 1", &reverse);
    assert_passes("out bytes 90", &[Number(C::PostBytes, 90), Number(C::Bytes, 10)]);
    assert_fails("out bytes 10", &[Number(C::Bytes, 10)]);
}
