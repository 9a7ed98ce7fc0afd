//! NetFlow v9.

use super::message::{EXPORTED, Message, UPTIME, record};
use super::rig::{Rig, expect};

const FLOW: &[(u16, u16, u32)] =
    &[(8, 4, 0), (12, 4, 0), (7, 2, 0), (11, 2, 0), (4, 1, 0), (1, 4, 0), (2, 4, 0), (22, 4, 0), (21, 4, 0)];

fn flow(proto: u64, dst_port: u64) -> Vec<u8> {
    let uptime = u64::from(UPTIME);
    record(&[
        (0xc000_0201, 4),
        (0xc633_6402, 4),
        (50_000, 2),
        (dst_port, 2),
        (proto, 1),
        (1500, 4),
        (3, 4),
        (uptime - 8000, 4),
        (uptime - 2000, 4),
    ])
}

#[test]
fn a_template_makes_its_data_readable() {
    let mut rig = Rig::new();
    rig.feed(&Message::v9(1).template(256, FLOW).bytes());
    rig.feed(&Message::v9(2).data(256, &[flow(6, 443), flow(17, 53)]).bytes());
    assert_eq!(rig.rows.len(), 2);
    let exported = u64::from(EXPORTED) * 1000;
    expect(
        &rig.rows[1],
        &[
            ("src_addr", "192.0.2.1"),
            ("dst_addr", "198.51.100.2"),
            ("src_port", "50000"),
            ("dst_port", "53"),
            ("proto", "17"),
            ("bytes", "1500"),
            ("packets", "3"),
            ("flows", "1"),
            ("etype", "2048"),
            ("time_start_ms", &(exported - 8000).to_string()),
            ("time_end_ms", &(exported - 2000).to_string()),
            ("sampling_rate", "-"),
            ("next_hop", "-"),
        ],
    );
    let report = rig.report();
    assert_eq!(report.key.domain, 7);
    let counts = report.counts;
    assert_eq!((counts.records, counts.templates, counts.received, counts.missing), (2, 1, 2, 0));
}

#[test]
fn data_before_its_template_waits_and_keeps_its_time() {
    let mut rig = Rig::new();
    rig.feed(&Message::v9(1).data(256, &vec![flow(6, 443); 3]).bytes());
    let then = rig.now_ms;
    let counts = rig.report().counts;
    assert_eq!((counts.records, counts.unknown_template_sets), (0, 1));
    rig.now_ms += 20_000;
    rig.feed(&Message::v9(2).template(256, FLOW).bytes());
    assert_eq!(rig.rows.len(), 3);
    assert_eq!(rig.runs[0].received_ms, then);
    assert_eq!(rig.report().counts.records, 3);
}

#[test]
fn data_whose_template_never_comes_is_counted_by_records() {
    let mut rig = Rig::new();
    rig.feed(&Message::v9(1).data(256, &vec![flow(6, 443); 3]).bytes());
    rig.reports();
    rig.decoder.tick(rig.now_ms + 60_001);
    assert_eq!(rig.report().counts.undecodable, [("unknown_template".to_owned(), 3)]);
    rig.feed(&Message::v9(2).template(256, FLOW).bytes());
    assert!(rig.rows.is_empty());
}

#[test]
fn a_sampler_in_options_gives_the_rate_of_records_that_refer_to_it() {
    let mut rig = Rig::new();
    let sampled: Vec<_> = FLOW.iter().copied().chain([(48, 1, 0)]).collect();
    let refer = |sampler| [flow(6, 443), vec![sampler]].concat();
    let options = Message::v9(1).options(300, &[(1, 4, 0)], &[(48, 1, 0), (49, 1, 0), (50, 4, 0)]).data(
        300,
        &[record(&[(0, 4), (1, 1), (2, 1), (100, 4)]), record(&[(0, 4), (2, 1), (2, 1), (500, 4)])],
    );
    rig.feed(&options.bytes());
    let flows = Message::v9(2).template(256, &sampled).data(256, &[refer(1), refer(2), refer(9)]);
    rig.feed(&flows.bytes());
    expect(&rig.rows[0], &[("sampling_rate", "100")]);
    expect(&rig.rows[1], &[("sampling_rate", "500")]);
    expect(&rig.rows[2], &[("sampling_rate", "-")]);
    assert_eq!(rig.runs[0].sampling_from.name(), "options");
    assert_eq!(rig.report().counts.options_records, 2);
}

#[test]
fn a_rate_for_the_whole_exporter_applies_to_all_its_records() {
    let mut rig = Rig::new();
    let options = Message::v9(1).options(300, &[(1, 4, 0)], &[(34, 4, 0), (35, 1, 0)]);
    rig.feed(&options.data(300, &[record(&[(0, 4), (1000, 4), (1, 1)])]).bytes());
    rig.feed(&Message::v9(2).template(256, FLOW).data(256, &[flow(6, 443)]).bytes());
    expect(&rig.rows[0], &[("sampling_rate", "1000")]);
    assert_eq!(rig.report().sampling_rate, Some(1000.0));
}

#[test]
fn a_rate_in_the_record_wins_and_a_rate_of_zero_is_none() {
    let mut rig = Rig::new();
    let fields: Vec<_> = FLOW.iter().copied().chain([(34, 4, 0)]).collect();
    let with = |rate| [flow(6, 443), record(&[(rate, 4)])].concat();
    rig.feed(&Message::v9(1).template(256, &fields).data(256, &[with(64), with(0)]).bytes());
    expect(&rig.rows[0], &[("sampling_rate", "64")]);
    expect(&rig.rows[1], &[("sampling_rate", "-")]);
    assert_eq!(rig.runs[0].sampling_from.name(), "record");
}

#[test]
fn another_port_of_an_exporter_reads_by_the_same_template_until_ports_disagree() {
    let mut rig = Rig::new();
    rig.feed_from("192.0.2.1", 1000, &Message::v9(1).template(256, FLOW).bytes());
    rig.feed_from("192.0.2.1", 2000, &Message::v9(1).data(256, &[flow(6, 443)]).bytes());
    assert_eq!(rig.rows.len(), 1);
    rig.feed_from("192.0.2.1", 3000, &Message::v9(1).template(256, &FLOW[..5]).bytes());
    rig.feed_from("192.0.2.1", 2000, &Message::v9(2).data(256, &[flow(6, 443)]).bytes());
    assert_eq!(rig.rows.len(), 1, "never decoded by a guess");
    rig.feed_from("192.0.2.1", 1000, &Message::v9(2).data(256, &[flow(6, 443)]).bytes());
    assert_eq!(rig.rows.len(), 2, "each port still has its own");
}

#[test]
fn templates_of_another_domain_or_exporter_are_not_used() {
    let mut rig = Rig::new();
    rig.feed(&Message::v9(1).template(256, FLOW).bytes());
    rig.feed(&Message::v9(1).domain(8).data(256, &[flow(6, 443)]).bytes());
    rig.feed_from("192.0.2.2", 40_000, &Message::v9(1).data(256, &[flow(6, 443)]).bytes());
    assert!(rig.rows.is_empty());
}

#[test]
fn a_changed_template_is_used_from_then_on() {
    let mut rig = Rig::new();
    rig.feed(&Message::v9(1).template(256, FLOW).data(256, &[flow(6, 443)]).bytes());
    rig.feed(&Message::v9(2).template(256, &[(4, 1, 0), (2, 2, 0)]).data(256, &[vec![17, 0, 9]]).bytes());
    expect(&rig.rows[1], &[("proto", "17"), ("packets", "9"), ("src_addr", "-"), ("bytes", "-")]);
}

#[test]
fn a_set_with_a_length_that_lies_ends_the_message_and_is_counted() {
    let mut rig = Rig::new();
    let mut bytes = Message::v9(1).template(256, FLOW).data(256, &[flow(6, 443)]).bytes();
    bytes.extend([1, 0, 0xff, 0xff, 1, 2, 3]);
    rig.feed(&bytes);
    assert_eq!(rig.rows.len(), 1);
    let counts = rig.report().counts;
    assert_eq!(counts.faults, [("set_length".to_owned(), 1)]);
    assert_eq!(
        (counts.uncounted_sets, counts.uncounted_bytes),
        (1, 3),
        "the header promises no record there"
    );
}

#[test]
fn several_messages_in_one_datagram_are_all_read() {
    let mut rig = Rig::new();
    let mut bytes = Message::v9(1).template(256, FLOW).data(256, &[flow(6, 443)]).bytes();
    bytes.extend(Message::v9(2).data(256, &[flow(17, 53)]).bytes());
    rig.feed(&bytes);
    assert_eq!(rig.rows.len(), 2);
    assert_eq!(rig.report().counts.received, 2);
}

#[test]
fn padding_and_a_set_of_length_zero_are_no_error() {
    let mut rig = Rig::new();
    let mut bytes = Message::v9(1).template(256, FLOW).bytes();
    let padded = [flow(6, 443), vec![0, 0]].concat();
    bytes.extend(&Message::v9(1).set(256, &padded).bytes()[20..]);
    bytes.extend([0; 8]);
    rig.feed(&bytes);
    assert_eq!(rig.rows.len(), 1);
    assert!(rig.report().counts.undecodable.is_empty());
}
