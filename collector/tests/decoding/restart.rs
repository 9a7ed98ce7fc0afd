//! A restart of the edge: what exporters had taught is used by streams that go on as they were, and by no others.

use collector::slot::{NameFact, NameOf, RateFact, RateOf, StreamFacts, StreamReport, TemplateFact};
use proptest::collection::vec;
use proptest::prelude::*;

use super::message::{Message, Spec, record};
use super::rig::{Rig, expect, listeners};

const FLOW: &[Spec] = &[(10, 4, 0), (4, 1, 0), (48, 2, 0), (2, 4, 0)];

fn flow(packets: u64) -> Vec<u8> {
    record(&[(10, 4), (6, 1), (1, 2), (packets, 4)])
}

fn message(version: u16, sequence: u32) -> Message {
    if version == 9 { Message::v9(sequence) } else { Message::ipfix(sequence) }
}

/// An edge that is about to end: it knows a template, a rate and a name.
fn first(version: u16) -> Rig {
    let mut rig = Rig::new();
    let scope: Spec = if version == 9 { (2, 4, 0) } else { (10, 4, 0) };
    let options = message(version, 100).options(300, &[scope], &[(48, 2, 0), (50, 4, 0), (82, 8, 0)]);
    let told = [record(&[(10, 4), (1, 2), (512, 4)]), b"ge-0/0/0".to_vec()].concat();
    rig.feed(&options.data(300, &[told]).bytes());
    rig.feed(&message(version, 101).template(256, FLOW).data(256, &[flow(1)]).bytes());
    rig
}

/// What it leaves behind.
fn left(rig: &mut Rig) -> (Vec<StreamReport>, Vec<StreamFacts>) {
    let facts = rig.decoder.take_facts(&listeners());
    (rig.reports(), facts)
}

/// The edge that is started after it, `later` milliseconds later.
fn second((marks, facts): (Vec<StreamReport>, Vec<StreamFacts>), now_ms: u64) -> Rig {
    let mut rig = Rig::new();
    rig.now_ms = now_ms;
    rig.decoder.restore_watermarks(&listeners(), &marks);
    rig.decoder.restore_facts(&listeners(), facts);
    rig
}

fn restarted(version: u16, down_ms: u64) -> Rig {
    let mut before = first(version);
    let now_ms = before.now_ms + down_ms;
    second(left(&mut before), now_ms)
}

#[test]
fn a_stream_that_goes_on_is_read_at_once_with_its_rates_and_names() {
    for version in [9, 10] {
        let mut rig = restarted(version, 5000);
        rig.feed(&message(version, 140).data(256, &[flow(2)]).bytes());
        let values = [("packets", "2"), ("sampling_rate", "512"), ("in_if_name", "ge-0/0/0")];
        expect(&rig.rows[0], &values);
        let counts = rig.report().counts;
        assert_eq!((counts.unknown_template_sets, counts.templates, counts.restarts), (0, 0, 0));
        assert_eq!(counts.missing, 38, "what was sent while the edge was down");
    }
}

#[test]
fn a_stream_whose_sequence_starts_anew_waits_for_a_fresh_template() {
    for version in [9, 10] {
        let mut rig = restarted(version, 5000);
        rig.feed(&message(version, 0).data(256, &[flow(2)]).bytes());
        assert!(rig.rows.is_empty(), "version {version}");
        let counts = rig.report().counts;
        assert_eq!((counts.unknown_template_sets, counts.restarts), (1, 1));
        rig.feed(&message(version, 1).template(256, FLOW).bytes());
        expect(&rig.rows[0], &[("packets", "2"), ("sampling_rate", "-")]);
    }
}

#[test]
fn a_v9_exporter_that_has_started_since_is_not_read_by_its_old_template() {
    let mut rig = restarted(9, 30_000);
    let mut bytes = Message::v9(140).data(256, &[flow(2)]).bytes();
    // Its uptime is 20 s where half a minute more than before would be right.
    bytes[4..8].copy_from_slice(&20_000_u32.to_be_bytes());
    rig.feed(&bytes);
    assert!(rig.rows.is_empty());
    assert_eq!(rig.report().counts.unknown_template_sets, 1);
}

#[test]
fn the_uptime_of_a_v9_exporter_that_goes_on_may_wrap_while_the_edge_is_down() {
    let mut before = Rig::new();
    let at = |sequence, uptime: u32, seconds: u32| {
        let mut bytes = Message::v9(sequence).template(256, FLOW).data(256, &[flow(1)]).bytes();
        bytes[4..8].copy_from_slice(&uptime.to_be_bytes());
        bytes[8..12].copy_from_slice(&seconds.to_be_bytes());
        bytes
    };
    before.feed(&at(1, u32::MAX - 1000, 1_700_000_000)).feed(&at(2, u32::MAX - 900, 1_700_000_000));
    let mut rig = second(left(&mut before), before.now_ms + 11_000);
    let mut bytes = at(3, 10_000, 1_700_000_011);
    // Without the template, whose set has 4 + 4 + 4 * 4 bytes behind the header of 20.
    bytes.drain(20..20 + 24);
    rig.feed(&bytes);
    assert_eq!(rig.rows.len(), 1, "{:?}", rig.report());
}

#[test]
fn after_half_an_hour_of_silence_a_template_may_be_another_one() {
    let mut rig = restarted(10, 1_800_001);
    rig.feed(&Message::ipfix(102).data(256, &[flow(2)]).bytes());
    assert!(rig.rows.is_empty());
    let mut rig = restarted(10, 1_799_000);
    rig.feed(&Message::ipfix(102).data(256, &[flow(2)]).bytes());
    assert_eq!(rig.rows.len(), 1);
}

#[test]
fn a_stranger_gets_nothing_of_what_another_stream_left() {
    let mut rig = restarted(9, 5000);
    rig.feed_from("192.0.2.1", 50_000, &Message::v9(140).data(256, &[flow(2)]).bytes());
    rig.feed_from("192.0.2.9", 40_000, &Message::v9(140).data(256, &[flow(2)]).bytes());
    assert!(rig.rows.is_empty());
    rig.feed(&Message::v9(140).data(256, &[flow(3)]).bytes());
    assert_eq!(rig.rows.len(), 2, "the other port of its domain reads by it once the stream goes on");
}

#[test]
fn what_is_known_from_before_a_restart_is_told_with_its_age_until_it_is_announced_again() {
    let mut rig = restarted(9, 5000);
    let then = rig.now_ms - 5000;
    rig.feed(&Message::v9(102).data(256, &[flow(2)]).bytes()).feed(&Message::v9(103).bytes());
    let facts = rig.decoder.take_facts(&listeners());
    assert_eq!(facts.len(), 1);
    assert!(facts[0].templates.iter().all(|t| t.restored && t.announced_ms == then), "{facts:?}");
    assert!(facts[0].rates[0].restored && facts[0].names_restored);
    rig.feed(&Message::v9(104).template(256, FLOW).bytes());
    let facts = rig.decoder.take_facts(&listeners()).remove(0);
    let restored: Vec<_> = facts.templates.iter().map(|t| (t.id, t.restored)).collect();
    assert_eq!(restored, [(256, false), (300, true)]);
    assert!(rig.decoder.take_facts(&listeners()).is_empty(), "nothing has changed since");
}

#[test]
fn an_exporter_that_starts_anew_later_loses_what_it_has_not_announced_since() {
    let mut rig = restarted(10, 5000);
    rig.feed(&Message::ipfix(102).data(256, &[flow(2)]).bytes());
    rig.feed(&Message::ipfix(0).data(256, &[flow(3)]).bytes());
    assert_eq!(rig.rows.len(), 1);
    let mut rig = restarted(10, 5000);
    rig.feed(&Message::ipfix(102).template(256, FLOW).data(256, &[flow(2)]).bytes());
    rig.feed(&Message::ipfix(0).data(256, &[flow(3)]).bytes());
    assert_eq!(rig.rows.len(), 2, "what was announced to this edge stays, as ever");
}

#[test]
fn who_sent_a_single_datagram_is_not_remembered() {
    let mut rig = Rig::new();
    rig.feed(&Message::v9(1).template(256, FLOW).bytes());
    assert!(rig.decoder.take_facts(&listeners()).is_empty());
    rig.feed(&Message::v9(2).data(256, &[flow(1)]).bytes());
    assert_eq!(rig.decoder.take_facts(&listeners()).len(), 1);
}

#[test]
fn templates_that_no_exporter_can_announce_are_not_taken_from_a_file() {
    let mut before = first(10);
    let (marks, mut facts) = left(&mut before);
    facts[0].templates[0].fields = vec![(0, 1, 40_000), (0, 2, 40_000)];
    facts[0].templates[1].scope = 99;
    let mut rig = second((marks, facts), before.now_ms);
    rig.feed(&Message::ipfix(102).data(256, &[flow(2)]).bytes());
    assert!(rig.rows.is_empty());
    assert_eq!(rig.report().counts.unknown_template_sets, 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_a_file_may_hold_makes_the_decoder_panic(
        templates in vec((any::<u16>(), 0..5_u16, vec((0..3_u32, any::<u16>(), any::<u16>()), 0..6)), 0..4),
        (rate, number, name) in (any::<f32>(), any::<u64>(), ".{0,300}"),
        body in vec(any::<u8>(), 0..200),
    ) {
        let mut before = first(10);
        let (marks, mut facts) = left(&mut before);
        let ids: Vec<u16> = templates.iter().map(|(id, ..)| *id).collect();
        let template = |(id, scope, fields)| TemplateFact { id, scope, fields, announced_ms: number, restored: true };
        facts[0].templates.extend(templates.into_iter().map(template));
        let told = RateFact { domain: 7, of: RateOf::Any, rate, told_ms: number, restored: false };
        facts[0].rates.push(told);
        facts[0].names.push(NameFact { of: NameOf::Interface, number, name });
        let mut rig = second((marks, facts), before.now_ms);
        rig.feed(&Message::ipfix(102).data(256, &[flow(2)]).bytes());
        for id in ids {
            rig.feed(&Message::ipfix(103).set(id.max(256), &body).bytes());
        }
        rig.reports();
        let told = rig.decoder.take_facts(&listeners());
        prop_assert!(told.iter().flat_map(|facts| &facts.rates).all(|fact| fact.rate > 0.0 && fact.rate.is_finite()));
    }
}
