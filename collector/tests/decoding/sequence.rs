//! Sequence numbers: missing, twice, late, anew.

use super::message::V5;
use super::rig::{NOW, Rig};
use collector::slot::SequenceUnit;

fn v5(sequence: u32, count: u16) -> Vec<u8> {
    V5 { sequence, count, ..V5::default() }.bytes()
}

#[test]
fn a_gap_is_missing_exactly_and_a_late_datagram_fills_it() {
    let mut rig = Rig::new();
    rig.feed(&v5(100, 10)).feed(&v5(130, 10));
    let counts = rig.report().counts;
    assert_eq!((counts.received, counts.missing, counts.reordered), (20, 20, 0));
    rig.feed(&v5(120, 10));
    let counts = rig.report().counts;
    assert_eq!((counts.received, counts.missing, counts.reordered), (10, -10, 1));
    assert_eq!(rig.rows.len(), 30);
}

#[test]
fn the_sequence_wraps() {
    let mut rig = Rig::new();
    rig.feed(&v5(u32::MAX - 4, 10)).feed(&v5(5, 10)).feed(&v5(25, 10));
    let report = rig.report();
    assert_eq!((report.counts.missing, report.counts.restarts), (10, 0));
    assert_eq!(report.next_sequence, 35);
}

#[test]
fn a_repeated_datagram_is_counted_and_not_decoded_again() {
    let mut rig = Rig::new();
    for at in 0..70 {
        rig.feed(&v5(at * 2, 2));
    }
    rig.feed(&v5(69 * 2, 2)).feed(&v5(6 * 2, 2));
    let counts = rig.report().counts;
    assert_eq!((counts.received, counts.duplicates, counts.missing, counts.restarts), (144, 4, 0, 0));
    assert_eq!(rig.rows.len(), 140);
}

#[test]
fn the_same_sequence_with_other_bytes_is_a_new_start() {
    let mut rig = Rig::new();
    rig.feed(&v5(0, 5));
    rig.feed(&V5 { dst_port: 80, count: 5, ..V5::default() }.bytes());
    let counts = rig.report().counts;
    assert_eq!((counts.duplicates, counts.restarts), (0, 1));
    assert_eq!(rig.rows.len(), 10);
}

#[test]
fn an_exporter_that_restarts_begins_an_epoch_without_loss() {
    let mut rig = Rig::new();
    rig.feed(&v5(3_000_000_000, 10)).feed(&v5(3_000_000_010, 10));
    rig.feed(&v5(0, 10)).feed(&v5(10, 10));
    let counts = rig.report().counts;
    assert_eq!((counts.received, counts.missing, counts.restarts), (40, 0, 1));
}

#[test]
fn a_datagram_that_precedes_the_first_one_seen_is_late_and_nothing_is_missing() {
    let mut rig = Rig::new();
    rig.feed(&v5(20, 10)).feed(&v5(0, 10)).feed(&v5(10, 10)).feed(&v5(30, 10));
    let counts = rig.report().counts;
    assert_eq!((counts.received, counts.missing, counts.reordered, counts.restarts), (40, 0, 2, 0));
}

#[test]
fn an_exporter_that_restarts_soon_after_it_was_first_heard_makes_no_false_loss() {
    let mut rig = Rig::new();
    // Long before this it had begun at 0.
    for at in 0..50 {
        rig.feed(&v5(500 + at * 10, 10));
    }
    for at in 0..50 {
        rig.feed(&V5 { sequence: at * 10, count: 10, uptime: 500 + at, ..V5::default() }.bytes());
    }
    let counts = rig.report().counts;
    assert_eq!((counts.restarts, counts.missing, counts.reordered), (1, 0, 0));
}

#[test]
fn what_was_sent_while_the_edge_was_down_is_told_as_missing() {
    let mut rig = Rig::new();
    rig.feed(&v5(0, 10));
    let reports = rig.reports();
    let mut rig = Rig::new();
    rig.decoder.restore_watermarks(&super::rig::listeners(), &reports);
    rig.now_ms = NOW + 3_600_000;
    rig.feed(&v5(50, 10));
    let counts = rig.report().counts;
    assert_eq!((counts.received, counts.missing), (10, 40));
}

#[test]
fn numbers_in_another_unit_are_judged_by_it_once_they_fit_for_a_hundred_datagrams() {
    let mut rig = Rig::new();
    for at in 0..150 {
        rig.feed(&v5(1000 + at, 7));
    }
    let report = rig.report();
    assert_eq!(report.unit, SequenceUnit::Packets);
    assert_eq!(report.counts.missing, 0, "what was taken for restarts and loss is taken back");
    rig.feed(&v5(1155, 7));
    assert_eq!(rig.report().counts.missing, 5, "five datagrams");
    assert_eq!(rig.rows.len(), 151 * 7);
}

#[test]
fn numbers_that_stand_still_tell_no_loss_and_duplicates_are_still_seen() {
    let mut rig = Rig::new();
    for at in 0..150 {
        rig.feed(&V5 { uptime: 100_000 + at, ..V5::default() }.bytes());
    }
    rig.reports();
    rig.feed(&V5 { uptime: 200_000, ..V5::default() }.bytes());
    rig.feed(&V5 { uptime: 200_000, ..V5::default() }.bytes());
    let counts = rig.report().counts;
    assert_eq!((counts.missing, counts.restarts), (0, 0));
    assert_eq!(rig.rows.len(), 151);
}

#[test]
fn a_loss_now_and_then_does_not_make_another_habit() {
    let mut rig = Rig::new();
    for at in 0..500_u32 {
        if at % 90 != 89 {
            rig.feed(&v5(at * 2, 2));
        }
    }
    let report = rig.report();
    assert_eq!((report.unit, report.counts.missing, report.counts.restarts), (SequenceUnit::Flows, 10, 0));
}
