//! Which elements a record counts by, direction by direction.

use super::message::{Message, Spec, record};
use super::rig::{Rig, Row, expect};

const BIFLOW: u32 = 29_305;
const PROCERA: u32 = 15_397;
const IXIA: u32 = 3054;

/// Feeds one record behind its template, as IPFIX, and gives back its row.
#[track_caller]
fn row(fields: &[Spec], values: &[u64]) -> Row {
    let lengths = fields.iter().map(|(_, length, _)| usize::from(*length));
    let data = record(&values.iter().copied().zip(lengths).collect::<Vec<_>>());
    let mut rig = Rig::new();
    rig.feed(&Message::ipfix(0).template(256, fields).data(256, &[data]).bytes());
    assert_eq!(rig.rows.len(), 1);
    let counts = rig.report().counts;
    assert_eq!((counts.records, counts.received), (1, 1));
    assert!(counts.undecodable.is_empty());
    rig.rows.remove(0)
}

#[test]
fn deltas_are_the_counters_and_nothing_says_where_they_are_from() {
    let row = row(&[(1, 8, 0), (2, 8, 0)], &[5000, 50]);
    expect(&row, &[("bytes", "5000"), ("packets", "50"), ("counters_from", "-")]);
}

#[test]
fn totals_alone_are_the_counters_and_say_so() {
    let row = row(&[(85, 8, 0), (86, 8, 0)], &[5000, 50]);
    expect(&row, &[("bytes", "5000"), ("packets", "50"), ("counters_from", "0"), ("0.85", "-")]);
}

#[test]
fn totals_beside_deltas_stand_among_the_other_elements() {
    let row = row(&[(1, 4, 0), (2, 4, 0), (85, 2, 0), (86, 2, 0)], &[10, 1, 500, 50]);
    expect(&row, &[("bytes", "10"), ("packets", "1"), ("counters_from", "-")]);
    expect(&row, &[("0.85", "[01, f4]"), ("0.86", "[00, 32]")]);
}

#[test]
fn totals_take_the_place_of_deltas_that_are_zero_row_by_row() {
    let fields = [(1, 4, 0), (2, 4, 0), (85, 8, 0), (86, 8, 0)];
    let one = record(&[(10, 4), (1, 4), (5000, 8), (50, 8)]);
    let other = record(&[(0, 4), (0, 4), (5000, 8), (50, 8)]);
    let none = record(&[(0, 4), (0, 4), (0, 8), (0, 8)]);
    let mut rig = Rig::new();
    rig.feed(&Message::ipfix(0).template(256, &fields).data(256, &[one, other, none]).bytes());
    expect(&rig.rows[0], &[("bytes", "10"), ("packets", "1"), ("counters_from", "-")]);
    expect(&rig.rows[1], &[("bytes", "5000"), ("packets", "50"), ("counters_from", "0")]);
    expect(&rig.rows[2], &[("bytes", "0"), ("packets", "0"), ("counters_from", "-")]);
}

#[test]
fn initiator_and_responder_are_both_directions_with_packets_and_without() {
    let row_of = row(&[(231, 8, 0), (232, 8, 0), (298, 8, 0), (299, 8, 0)], &[100, 900, 1, 9]);
    expect(&row_of, &[("bytes", "100"), ("packets", "1"), ("rev_bytes", "900"), ("rev_packets", "9")]);
    expect(&row_of, &[("counters_from", "1")]);
    let row = row(&[(231, 4, 0), (232, 4, 0)], &[100, 0]);
    expect(&row, &[("bytes", "100"), ("packets", "-"), ("rev_bytes", "0"), ("rev_packets", "-")]);
}

#[test]
fn responder_octets_alone_are_a_direction_only_above_zero() {
    let fields = [(1, 4, 0), (2, 4, 0), (232, 4, 0)];
    expect(&row(&fields, &[100, 1, 0]), &[("bytes", "100"), ("rev_bytes", "-")]);
    expect(&row(&fields, &[100, 1, 900]), &[("bytes", "100"), ("rev_bytes", "900")]);
}

#[test]
fn reverse_elements_are_the_other_direction_with_its_flags() {
    let fields = [(1, 4, 0), (2, 4, 0), (6, 1, 0), (1, 4, BIFLOW), (2, 4, BIFLOW), (6, 2, BIFLOW)];
    let row_of = row(&fields, &[100, 1, 0x02, 900, 9, 0x0112]);
    expect(&row_of, &[("bytes", "100"), ("packets", "1"), ("tcp_flags", "2"), ("counters_from", "-")]);
    expect(&row_of, &[("rev_bytes", "900"), ("rev_packets", "9"), ("rev_tcp_flags", "274")]);
    let row = row(&[(85, 8, 0), (86, 8, 0), (85, 8, BIFLOW), (86, 8, BIFLOW)], &[100, 1, 900, 9]);
    expect(&row, &[("bytes", "100"), ("rev_bytes", "900"), ("rev_packets", "9"), ("counters_from", "0")]);
}

#[test]
fn post_counters_stand_apart_and_serve_where_there_are_no_others() {
    let row_of = row(&[(1, 4, 0), (2, 4, 0), (23, 4, 0), (24, 4, 0)], &[100, 1, 700, 7]);
    expect(&row_of, &[("bytes", "100"), ("packets", "1"), ("post_bytes", "700"), ("post_packets", "7")]);
    expect(&row_of, &[("rev_bytes", "-"), ("rev_packets", "-"), ("counters_from", "-")]);
    let row = row(&[(23, 4, 0), (24, 4, 0)], &[700, 7]);
    expect(&row, &[("bytes", "700"), ("packets", "7"), ("post_bytes", "700"), ("counters_from", "2")]);
}

#[test]
fn counters_of_a_vendor_count_where_there_are_no_others() {
    let fields = [(3, 8, PROCERA), (4, 8, PROCERA), (5, 8, PROCERA), (6, 8, PROCERA)];
    let row_of = row(&fields, &[7076, 3310, 70, 33]);
    expect(&row_of, &[("bytes", "7076"), ("packets", "70"), ("counters_from", "3")]);
    expect(&row_of, &[("rev_bytes", "3310"), ("rev_packets", "33")]);
    let row = row(&[(1, 8, 0), (2, 8, 0), (3, 8, PROCERA)], &[10, 1, 7076]);
    expect(&row, &[("bytes", "10"), ("counters_from", "-")]);
    assert!(row.contains_key("15397.3"), "{row:?}");
}

#[test]
fn a_vendors_counters_of_the_other_direction_are_the_reverse_ones() {
    let row = row(&[(1, 8, 0), (2, 8, 0), (176, 8, IXIA), (177, 8, IXIA)], &[100, 1, 900, 9]);
    expect(&row, &[("bytes", "100"), ("rev_bytes", "900"), ("rev_packets", "9"), ("counters_from", "-")]);
}

#[test]
fn firewall_and_translation_events_have_no_counters() {
    let nsel = row(&[(8, 4, 0), (12, 4, 0), (4, 1, 0), (233, 1, 0), (323, 8, 0)], &[1, 2, 6, 1, 1000]);
    expect(&nsel, &[("fw_event", "1"), ("bytes", "-"), ("packets", "-"), ("counters_from", "-")]);
    expect(&nsel, &[("time_start_ms", "1000"), ("time_end_ms", "1000"), ("flows", "1")]);
    let nat = row(&[(225, 4, 0), (227, 2, 0), (230, 1, 0)], &[0xc633_6401, 1024, 4]);
    expect(&nat, &[("nat_event", "4"), ("xlate_src_port", "1024"), ("bytes", "-"), ("packets", "-")]);
}

#[test]
fn four_byte_counters_reach_their_largest_value() {
    let row = row(&[(1, 4, 0), (2, 4, 0)], &[u64::from(u32::MAX), u64::from(u32::MAX)]);
    expect(&row, &[("bytes", "4294967295"), ("packets", "4294967295")]);
}

#[test]
fn a_record_stands_for_as_many_flows_as_it_says_and_for_one_at_least() {
    for (said, meant) in [(12, "12"), (0, "1"), (u64::from(u32::MAX) + 5, "4294967295")] {
        expect(&row(&[(3, 8, 0), (1, 8, 0)], &[said, 10]), &[("flows", meant)]);
    }
    expect(&row(&[(1, 8, 0)], &[10]), &[("flows", "1")]);
}
