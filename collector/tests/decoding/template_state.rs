//! Templates: changed, withdrawn, shared between ports, contradicting each other, and data that comes too early.

use super::message::{Message, Spec, record};
use super::rig::{Rig, expect};

const FLOW: &[Spec] = &[(8, 4, 0), (12, 4, 0), (4, 1, 0), (2, 4, 0)];
/// As long as [`FLOW`], with the addresses changed over.
const OTHER: &[Spec] = &[(12, 4, 0), (8, 4, 0), (4, 1, 0), (2, 4, 0)];

fn flow(packets: u64) -> Vec<u8> {
    record(&[(0xc000_0201, 4), (0xc633_6402, 4), (6, 1), (packets, 4)])
}

/// Undecodable records of the only stream that has any, by reason.
fn undecodable(rig: &mut Rig) -> Vec<(String, u64)> {
    rig.reports().into_iter().flat_map(|report| report.counts.undecodable).collect()
}

#[test]
fn a_changed_shape_under_one_number_is_counted_and_used_from_then_on() {
    for version in [9, 10] {
        let message = |at| if version == 9 { Message::v9(at) } else { Message::ipfix(at) };
        let mut rig = Rig::new();
        rig.feed(&message(0).template(256, FLOW).data(256, &[flow(1)]).bytes());
        rig.feed(&message(1).template(256, FLOW).data(256, &[flow(2)]).bytes());
        rig.feed(&message(2).template(256, OTHER).data(256, &[flow(3)]).bytes());
        expect(&rig.rows[1], &[("src_addr", "192.0.2.1"), ("packets", "2")]);
        expect(&rig.rows[2], &[("src_addr", "198.51.100.2"), ("packets", "3")]);
        let counts = rig.report().counts;
        assert_eq!((counts.records, counts.templates, counts.template_changes), (3, 3, 1));
        assert_eq!((counts.template_conflicts, counts.missing, counts.undecodable.len()), (0, 0, 0));
    }
}

#[test]
fn the_newest_definition_of_a_number_counts_be_it_of_flows_or_of_options() {
    for version in [9, 10] {
        let message = |at| if version == 9 { Message::v9(at) } else { Message::ipfix(at) };
        let mut rig = Rig::new();
        let scope: Spec = if version == 9 { (1, 4, 0) } else { (149, 4, 0) };
        let options = record(&[(7, 4), (100, 4)]);
        rig.feed(&message(0).template(256, FLOW).data(256, &[flow(1)]).bytes());
        rig.feed(&message(1).options(256, &[scope], &[(34, 4, 0)]).data(256, &[options]).bytes());
        rig.feed(&message(2).template(256, FLOW).data(256, &[flow(2)]).bytes());
        assert_eq!(rig.rows.len(), 2, "version {version}");
        expect(&rig.rows[1], &[("packets", "2"), ("sampling_rate", "100")]);
        let counts = rig.report().counts;
        assert_eq!((counts.records, counts.options_records, counts.template_changes), (2, 1, 2));
        assert!(counts.undecodable.is_empty());
    }
}

#[test]
fn a_withdrawal_takes_one_template_and_a_withdrawal_of_all_takes_those_of_its_kind() {
    let mut rig = Rig::new();
    let all = Message::ipfix(0).template(256, FLOW).template(257, FLOW);
    rig.feed(&all.options(300, &[(149, 4, 0)], &[(34, 4, 0)]).bytes());
    rig.feed(&Message::ipfix(0).set(2, &[1, 0, 0, 0]).bytes());
    rig.feed(&Message::ipfix(0).data(257, &[flow(1)]).bytes());
    assert_eq!(rig.rows.len(), 1, "only 256 was withdrawn");
    rig.feed(&Message::ipfix(1).set(2, &[0, 2, 0, 0]).bytes());
    rig.feed(&Message::ipfix(1).data(257, &[flow(2)]).bytes());
    assert_eq!(rig.rows.len(), 1, "all templates of flows were");
    let options = record(&[(7, 4), (100, 4)]);
    rig.feed(&Message::ipfix(2).data(300, std::slice::from_ref(&options)).bytes());
    rig.feed(&Message::ipfix(3).set(3, &[0, 3, 0, 0]).data(300, &[options]).bytes());
    let counts = rig.report().counts;
    assert_eq!((counts.options_records, counts.unknown_template_sets, counts.templates), (1, 2, 3));
    assert_eq!((counts.template_changes, counts.missing), (0, 0), "nothing has another shape");
}

#[test]
fn the_ports_of_a_chassis_have_sequences_of_their_own_and_one_shape() {
    let mut rig = Rig::new();
    for (at, port) in (0..).zip([1000, 2000, 3000]) {
        let sequence = at * 1_000_000;
        rig.feed_from("192.0.2.1", port, &Message::ipfix(sequence).template(256, FLOW).bytes());
        rig.feed_from("192.0.2.1", port, &Message::ipfix(sequence).data(256, &[flow(1), flow(2)]).bytes());
        rig.feed_from("192.0.2.1", port, &Message::ipfix(sequence + 3).data(256, &[flow(3)]).bytes());
    }
    assert_eq!(rig.rows.len(), 9);
    let reports = rig.reports();
    assert_eq!(reports.len(), 3);
    for report in reports {
        let counts = report.counts;
        assert_eq!((counts.received, counts.missing, counts.restarts), (3, 1, 0), "port {}", report.key.port);
        assert_eq!(counts.template_conflicts, 0);
    }
}

#[test]
fn behind_a_balancer_a_template_on_one_port_reads_data_on_another_also_what_came_before_it() {
    let mut rig = Rig::new();
    rig.feed_from("192.0.2.1", 2000, &Message::v9(0).data(256, &[flow(1), flow(2)]).bytes());
    rig.now_ms += 5000;
    rig.feed_from("192.0.2.1", 1000, &Message::v9(0).template(256, FLOW).bytes());
    assert_eq!(rig.rows.len(), 2);
    assert_eq!(rig.runs[0].received_ms + 5000, rig.now_ms, "it counts in the slot in which it came");
    rig.feed_from("192.0.2.1", 3000, &Message::v9(0).data(256, &[flow(3)]).bytes());
    let counts: Vec<_> = rig
        .reports()
        .into_iter()
        .map(|r| (r.key.port, r.counts.records, r.counts.unknown_template_sets, r.counts.templates))
        .collect();
    assert_eq!(counts, [(2000, 2, 1, 0), (1000, 0, 0, 1), (3000, 1, 0, 0)]);
}

#[test]
fn two_routers_behind_one_address_that_disagree_about_a_number_each_keep_their_own() {
    let mut rig = Rig::new();
    rig.feed_from("192.0.2.1", 1000, &Message::v9(0).template(256, FLOW).data(256, &[flow(1)]).bytes());
    rig.feed_from("192.0.2.1", 2000, &Message::v9(0).template(256, OTHER).data(256, &[flow(2)]).bytes());
    rig.feed_from("192.0.2.1", 3000, &Message::v9(0).data(256, &[flow(3)]).bytes());
    rig.feed_from("192.0.2.1", 1000, &Message::v9(1).data(256, &[flow(4)]).bytes());
    let rows: Vec<_> = rig.rows.iter().map(|row| (&*row["packets"], &*row["src_addr"])).collect();
    assert_eq!(rows, [("1", "192.0.2.1"), ("2", "198.51.100.2"), ("4", "192.0.2.1")]);
    let conflicts: Vec<_> = rig
        .reports()
        .into_iter()
        .map(|r| (r.key.port, r.counts.template_conflicts, r.counts.unknown_template_sets))
        .collect();
    assert_eq!(conflicts, [(1000, 0, 0), (2000, 1, 0), (3000, 0, 1)], "the third port guesses nothing");
    rig.now_ms += 60_000;
    rig.decoder.tick(rig.now_ms);
    assert_eq!(undecodable(&mut rig), [("unknown_template".to_owned(), 1)]);
}

#[test]
fn a_conflict_ends_when_nobody_contradicts_for_half_an_hour() {
    let mut rig = Rig::new();
    rig.feed_from("192.0.2.1", 1000, &Message::v9(0).template(256, FLOW).bytes());
    rig.feed_from("192.0.2.1", 2000, &Message::v9(0).template(256, OTHER).bytes());
    rig.now_ms += 1_800_001;
    rig.feed_from("192.0.2.1", 1000, &Message::v9(1).template(256, FLOW).bytes());
    rig.feed_from("192.0.2.1", 3000, &Message::v9(0).data(256, &[flow(3)]).bytes());
    expect(&rig.rows[0], &[("src_addr", "192.0.2.1")]);
}

#[test]
fn data_that_waits_is_bounded_in_bytes_and_what_finds_no_room_is_counted() {
    let mut rig = Rig::new();
    let body = vec![0; 60_000];
    for at in 0..100 {
        rig.feed(&Message::v9(at).set(256, &body).bytes());
    }
    let counts = rig.report().counts;
    let full = counts.faults.iter().find(|(reason, _)| reason == "waiting_full").map_or(0, |r| r.1);
    let kept = counts.unknown_template_sets - full;
    assert_eq!(counts.unknown_template_sets, 100);
    assert!((60..=69).contains(&kept), "{kept} sets of 60,000 bytes in the 4 MiB of one stream");
    rig.decoder.tick(rig.now_ms + 60_000);
    let counts = rig.report().counts;
    assert_eq!(counts.uncounted_sets, kept, "their headers promise no records");
}
