//! Sampling rates: every way in which exporters tell them, and what counts when several do.

use collector::flow::{Column, ColumnSet};

use super::message::{Message, Spec, V5, record};
use super::rig::Rig;

const FLOW: &[Spec] = &[(8, 4, 0), (12, 4, 0), (10, 4, 0), (14, 4, 0), (4, 1, 0), (1, 4, 0), (2, 4, 0)];

/// A flow from one interface to another.
fn flow(input: u64, output: u64) -> Vec<u8> {
    record(&[(0xc000_0201, 4), (0xc633_6402, 4), (input, 4), (output, 4), (6, 1), (1500, 4), (3, 4)])
}

/// A flow that names a sampler behind its other fields.
fn sampled(sampler: u64) -> Vec<u8> {
    [flow(1, 2), record(&[(sampler, 2)])].concat()
}

fn with(more: &[Spec]) -> Vec<Spec> {
    FLOW.iter().chain(more).copied().collect()
}

/// The rates of all rows so far; `-` where there is none.
fn rates(rig: &Rig) -> Vec<&str> {
    rig.rows.iter().map(|row| row.get("sampling_rate").map_or("-", String::as_str)).collect()
}

/// One options record with these fields, then a flow: the flow's rate.
fn told(fields: &[Spec], values: &[(u64, usize)]) -> String {
    let mut rig = Rig::new();
    let options = Message::ipfix(0).options(300, &[(149, 4, 0)], fields);
    let values = [&[(7, 4)], values].concat();
    rig.feed(&options.data(300, &[record(&values)]).bytes());
    rig.feed(&Message::ipfix(1).template(256, FLOW).data(256, &[flow(1, 2)]).bytes());
    rates(&rig)[0].to_owned()
}

#[test]
fn a_rate_scoped_by_interface_holds_for_flows_through_it_and_in_counts_before_out() {
    for version in [9, 10] {
        let mut rig = Rig::new();
        let message = |at| if version == 9 { Message::v9(at) } else { Message::ipfix(at) };
        let scope = if version == 9 { (2, 4, 0) } else { (10, 4, 0) };
        let options = message(0).options(300, &[scope], &[(34, 4, 0), (35, 1, 0)]);
        let rate = |interface, rate| record(&[(interface, 4), (rate, 4), (1, 1)]);
        rig.feed(&options.data(300, &[rate(10, 100), rate(20, 200)]).bytes());
        let flows = [flow(10, 20), flow(20, 10), flow(1, 20), flow(1, 2)];
        rig.feed(&message(if version == 9 { 1 } else { 2 }).template(256, FLOW).data(256, &flows).bytes());
        assert_eq!(rates(&rig), ["100", "200", "200", "-"], "version {version}");
        let counts = rig.report().counts;
        assert_eq!((counts.records, counts.options_records, counts.missing), (4, 2, 0));
    }
}

#[test]
fn two_samplers_of_one_exporter_have_a_rate_each() {
    let mut rig = Rig::new();
    let options = Message::v9(0).options(300, &[(1, 4, 0)], &[(48, 2, 0), (49, 1, 0), (50, 4, 0)]);
    let sampler = |id, rate| record(&[(0, 4), (id, 2), (2, 1), (rate, 4)]);
    rig.feed(&options.data(300, &[sampler(1, 1000), sampler(2, 4096)]).bytes());
    let flows = [sampled(2), sampled(1), sampled(2), sampled(0)];
    rig.feed(&Message::v9(1).template(256, &with(&[(48, 2, 0)])).data(256, &flows).bytes());
    assert_eq!(rates(&rig), ["4096", "1000", "4096", "-"], "sampler 0 is none");
    assert!(!rig.report().rate_unknown);
}

#[test]
fn a_rate_scoped_by_template_holds_for_its_records_only() {
    for (version, scope) in [(9, (5, 2, 0)), (10, (145, 2, 0))] {
        let mut rig = Rig::new();
        let message = |at| if version == 9 { Message::v9(at) } else { Message::ipfix(at) };
        let options = message(0).options(300, &[scope], &[(34, 4, 0)]);
        rig.feed(&options.data(300, &[record(&[(257, 2), (64, 4)])]).bytes());
        let both = message(1).template(256, FLOW).template(257, FLOW);
        rig.feed(&both.data(256, &[flow(1, 2)]).data(257, &[flow(1, 2)]).bytes());
        assert_eq!(rates(&rig), ["-", "64"], "version {version}");
    }
}

#[test]
fn rates_that_are_no_whole_numbers_are_kept_as_fractions() {
    assert_eq!(told(&[(305, 4, 0), (306, 4, 0)], &[(4, 4), (6, 4)]), "2.5");
    assert_eq!(told(&[(309, 4, 0), (310, 4, 0)], &[(3, 4), (10, 4)]), "3.3333333");
    assert_eq!(told(&[(311, 8, 0)], &[(0.4_f64.to_bits(), 8)]), "2.5");
    assert_eq!(told(&[(311, 4, 0)], &[(u64::from(0.125_f32.to_bits()), 4)]), "8");
}

#[test]
fn size_and_population_win_over_interval_and_space_and_an_interval_alone_says_nothing() {
    let all = [(305, 4, 0), (306, 4, 0), (309, 4, 0), (310, 4, 0)];
    assert_eq!(told(&all, &[(1, 4), (99, 4), (1, 4), (50, 4)]), "50");
    assert_eq!(told(&[(305, 4, 0)], &[(100, 4)]), "-");
    assert_eq!(told(&[(306, 4, 0)], &[(100, 4)]), "-");
    assert_eq!(told(&[(309, 4, 0), (310, 4, 0)], &[(0, 4), (10, 4)]), "-", "none of ten is no rate");
}

#[test]
fn a_rate_of_zero_in_options_is_none_and_an_interval_of_zero_in_v5_is_one() {
    assert_eq!(told(&[(34, 4, 0), (35, 1, 0)], &[(0, 4), (0, 1)]), "-");
    assert_eq!(told(&[(311, 8, 0)], &[(0, 8)]), "-");
    let mut rig = Rig::new();
    for (at, sampling) in (0..).zip([0, 0x4000, 0x8000, 0x4064]) {
        rig.feed(&V5 { sequence: at, sampling, ..V5::default() }.bytes());
    }
    assert_eq!(rates(&rig), ["1", "1", "1", "100"]);
}

#[test]
fn the_record_s_own_rate_wins_over_what_options_told() {
    let mut rig = Rig::new();
    let options = Message::v9(0).options(300, &[(1, 4, 0)], &[(34, 4, 0)]);
    rig.feed(&options.data(300, &[record(&[(0, 4), (1000, 4)])]).bytes());
    let own = |rate| [flow(1, 2), record(&[(rate, 4)])].concat();
    rig.feed(&Message::v9(1).template(256, &with(&[(34, 4, 0)])).data(256, &[own(64), own(0)]).bytes());
    assert_eq!(rates(&rig), ["64", "1000"], "0 is no rate");
}

#[test]
fn options_of_another_source_id_hold_for_domains_about_which_nobody_told_anything() {
    let mut rig = Rig::new();
    let options = |domain, rate| {
        let options = Message::v9(0).domain(domain).options(300, &[(1, 4, 0)], &[(48, 2, 0), (50, 4, 0)]);
        options.data(300, &[record(&[(0, 4), (1, 2), (rate, 4)])]).bytes()
    };
    let flows = |sequence, domain| {
        let flows = Message::v9(sequence).domain(domain).template(256, &with(&[(48, 2, 0)]));
        flows.data(256, &[sampled(1)]).bytes()
    };
    rig.feed(&options(0, 100)).feed(&flows(0, 7));
    assert_eq!(rates(&rig), ["100"]);
    rig.feed(&options(8, 500)).feed(&flows(1, 7)).feed(&flows(1, 8));
    assert_eq!(rates(&rig), ["100", "-", "500"], "two domains tell two rates: 7 guesses none");
    let reports = rig.reports();
    let unknown: Vec<u32> = reports.iter().filter(|r| r.rate_unknown).map(|r| r.key.domain).collect();
    assert_eq!(unknown, [7]);
}

#[test]
fn options_that_name_a_domain_in_their_scope_are_about_that_one() {
    let mut rig = Rig::new();
    let options = Message::ipfix(0).domain(0).options(300, &[(149, 4, 0)], &[(34, 4, 0)]);
    rig.feed(&options.data(300, &[record(&[(7, 4), (70, 4)]), record(&[(8, 4), (80, 4)])]).bytes());
    for domain in [7, 8, 9] {
        let flows = Message::ipfix(0).domain(domain).template(256, FLOW).data(256, &[flow(1, 2)]);
        rig.feed(&flows.bytes());
    }
    assert_eq!(rates(&rig), ["70", "80", "-"]);
}

#[test]
fn options_in_the_same_packet_as_data_hold_for_what_follows_them() {
    let mut rig = Rig::new();
    let options = Message::v9(0)
        .options(300, &[(1, 4, 0)], &[(34, 4, 0)])
        .template(256, FLOW)
        .data(256, &[flow(1, 2)])
        .data(300, &[record(&[(0, 4), (16, 4)])])
        .data(256, &[flow(1, 2)]);
    rig.feed(&options.bytes());
    assert_eq!(rates(&rig), ["-", "16"]);
    assert_eq!([rig.runs[0], rig.runs[1]].map(|run| run.sampling_from.name()), ["none", "options"]);
}

#[test]
fn a_stream_that_names_a_sampler_without_a_rate_is_marked_until_options_tell_it() {
    let mut rig = Rig::new();
    rig.feed(&Message::v9(0).template(256, &with(&[(48, 2, 0)])).data(256, &[sampled(3)]).bytes());
    let report = rig.report();
    assert!(report.rate_unknown && report.sampling_rate.is_none());
    rig.feed(&Message::v9(1).options(300, &[(1, 4, 0)], &[(48, 2, 0), (50, 4, 0)]).bytes());
    assert!(rig.report().rate_unknown, "nothing came that says otherwise");
    rig.feed(&Message::v9(2).data(300, &[record(&[(0, 4), (3, 2), (512, 4)])]).bytes());
    rig.feed(&Message::v9(3).data(256, &[sampled(3)]).bytes());
    assert_eq!(rates(&rig), ["-", "512"], "a rate learned later holds from then on");
    assert!(!rig.report().rate_unknown);
}

#[test]
fn behind_a_balancer_options_of_one_port_hold_for_data_of_another_while_ports_agree() {
    let mut rig = Rig::new();
    let options = |sequence, rate| {
        let options = Message::v9(sequence).options(300, &[(1, 4, 0)], &[(34, 4, 0)]);
        options.data(300, &[record(&[(0, 4), (rate, 4)])]).bytes()
    };
    let flows = |sequence| Message::v9(sequence).template(256, FLOW).data(256, &[flow(1, 2)]).bytes();
    rig.feed_from("192.0.2.1", 1000, &options(0, 100)).feed_from("192.0.2.1", 3000, &flows(0));
    rig.feed_from("192.0.2.1", 2000, &options(0, 200)).feed_from("192.0.2.1", 3000, &flows(1));
    rig.feed_from("192.0.2.1", 1000, &flows(1)).feed_from("192.0.2.1", 2000, &flows(1));
    assert_eq!(rates(&rig), ["100", "-", "100", "200"], "each port keeps what it told itself");
    rig.now_ms += 1_800_001;
    rig.feed_from("192.0.2.1", 2000, &options(2, 200)).feed_from("192.0.2.1", 3000, &flows(2));
    assert_eq!(rates(&rig)[4], "200", "who has said nothing for half an hour disagrees no longer");
}

#[test]
fn rates_of_one_exporter_never_reach_another() {
    let mut rig = Rig::new();
    let options = Message::v9(0).options(300, &[(1, 4, 0)], &[(34, 4, 0)]);
    rig.feed_from("192.0.2.1", 1000, &options.data(300, &[record(&[(0, 4), (9, 4)])]).bytes());
    let flows = Message::v9(0).template(256, FLOW).data(256, &[flow(1, 2)]).bytes();
    rig.feed_from("192.0.2.2", 1000, &flows).feed_from("192.0.2.1", 1000, &flows);
    assert_eq!(rates(&rig), ["-", "9"]);
}

#[test]
fn a_rate_of_an_interface_holds_where_nobody_asks_for_interfaces() {
    let mut rig = Rig::new();
    rig.want(&ColumnSet::of(&[Column::Bytes, Column::SamplingRate]));
    let options = Message::v9(0).options(300, &[(2, 4, 0)], &[(34, 4, 0)]);
    rig.feed(&options.data(300, &[record(&[(10, 4), (100, 4)])]).bytes());
    rig.feed(&Message::v9(1).template(256, FLOW).data(256, &[flow(10, 20), flow(20, 10)]).bytes());
    assert_eq!(rates(&rig), ["100", "100"]);
}
