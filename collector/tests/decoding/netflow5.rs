//! NetFlow v5 and v7.

use super::message::V5;
use super::rig::{Rig, expect};

#[test]
fn a_v5_record_fills_its_columns() {
    let mut rig = Rig::new();
    rig.feed(&V5 { count: 2, ..V5::default() }.bytes());
    assert_eq!(rig.rows.len(), 2);
    expect(
        &rig.rows[1],
        &[
            ("src_addr", "192.0.2.10"),
            ("dst_addr", "198.51.100.1"),
            ("next_hop", "203.0.113.1"),
            ("in_if", "3"),
            ("out_if", "4"),
            ("packets", "11"),
            ("bytes", "1500"),
            ("time_start_ms", "1699999990500"),
            ("time_end_ms", "1699999995500"),
            ("src_port", "50000"),
            ("dst_port", "443"),
            ("icmp_type", "-"),
            ("tcp_flags", "27"),
            ("proto", "6"),
            ("ip_tos", "72"),
            ("src_as", "64496"),
            ("dst_as", "64497"),
            ("src_mask", "24"),
            ("dst_mask", "25"),
            ("etype", "2048"),
            ("flows", "1"),
            ("sampling_rate", "1"),
            ("engine_type", "1"),
            ("engine_id", "2"),
        ],
    );
    assert_eq!(rig.runs[0].domain, 0x0102);
}

#[test]
fn the_sampling_interval_counts_whatever_the_mode_bits_say() {
    let mut rig = Rig::new();
    rig.feed(&V5 { sampling: 0x4064, ..V5::default() }.bytes());
    rig.feed(&V5 { sampling: 0x0064, sequence: 1, ..V5::default() }.bytes());
    assert!(rig.rows.iter().all(|row| row["sampling_rate"] == "100"));
    assert_eq!(rig.report().sampling_rate, Some(100.0));
}

#[test]
fn icmp_type_and_code_come_from_the_destination_port_and_then_ports_are_absent() {
    let mut rig = Rig::new();
    rig.feed(&V5 { proto: 1, src_port: 0, dst_port: 0x0301, ..V5::default() }.bytes());
    expect(&rig.rows[0], &[("icmp_type", "3"), ("icmp_code", "1"), ("src_port", "-"), ("dst_port", "-")]);
}

#[test]
fn protocols_without_ports_have_none() {
    let mut rig = Rig::new();
    rig.feed(&V5 { proto: 47, ..V5::default() }.bytes());
    expect(&rig.rows[0], &[("src_port", "-"), ("dst_port", "-"), ("icmp_type", "-")]);
}

#[test]
fn uptime_wraps_and_records_younger_than_the_header_keep_their_time() {
    let mut rig = Rig::new();
    rig.feed(&V5 { uptime: 1000, first: 0xffff_ff00, last: 2000, ..V5::default() }.bytes());
    let exported = 1_700_000_000_500_u64;
    expect(
        &rig.rows[0],
        &[("time_start_ms", &(exported - 1256).to_string()), ("time_end_ms", &(exported + 1000).to_string())],
    );
}

#[test]
fn a_datagram_longer_than_a_batch_is_split_and_complete() {
    let mut rig = Rig::new();
    for at in 0..10 {
        rig.feed(&V5 { count: 1000, sequence: at * 1000, ..V5::default() }.bytes());
    }
    assert_eq!(rig.rows.len(), 10_000);
    assert_eq!(rig.report().counts.missing, 0);
}

#[test]
fn a_count_that_promises_more_than_came_is_counted_and_the_rest_decoded() {
    let mut rig = Rig::new();
    let bytes = V5 { count: 5, ..V5::default() }.bytes();
    rig.feed(&bytes[..24 + 3 * 48 + 20]);
    assert_eq!(rig.rows.len(), 3);
    let counts = rig.report().counts;
    assert_eq!(counts.undecodable, [("truncated".to_owned(), 2)]);
    assert_eq!((counts.records, counts.received), (3, 5));
}

#[test]
fn several_messages_in_one_datagram_are_all_read() {
    let mut rig = Rig::new();
    let mut bytes = V5::default().bytes();
    bytes.extend(V5 { sequence: 1, ..V5::default() }.bytes());
    bytes.extend([9, 9, 9]);
    rig.feed(&bytes);
    assert_eq!(rig.rows.len(), 2);
    let counts = rig.report().counts;
    assert_eq!(counts.faults, [("trailing_bytes".to_owned(), 1)]);
    assert_eq!((counts.received, counts.missing), (2, 0));
}

#[test]
fn what_a_listener_does_not_take_is_refused_by_reason() {
    let mut rig = Rig::new();
    rig.accepts = crds::config::Protocol::SFlow;
    rig.feed(&V5::default().bytes()).feed(&[0, 5]).feed(&[0x27, 0x10, 0, 0, 0]).feed(&[0, 1, 0, 1]);
    assert_eq!(
        rig.rejected(),
        [("too_short".to_owned(), 1), ("unknown_version".to_owned(), 2), ("wrong_protocol".to_owned(), 1)]
    );
    assert!(rig.reports().is_empty() && rig.rows.is_empty());
}
