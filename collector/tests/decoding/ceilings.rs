//! Ceilings: strangers compete for few places, who is known keeps his, and what finds no place is counted.

use collector::decode::Limits;
use crds::config::SourceConfig;

use super::message::{Message, Spec, V5, record};
use super::rig::{Rig, listeners};

const FLOW: &[Spec] = &[(8, 4, 0), (2, 4, 0)];

fn few() -> Rig {
    Rig::with(Limits { streams: 8, newcomers: 4, ..Limits::default() })
}

fn v5(sequence: u32) -> Vec<u8> {
    V5 { sequence, ..V5::default() }.bytes()
}

/// The records of each stream by its exporter; `unknown` is 0.0.0.0.
fn records(rig: &mut Rig) -> Vec<(String, u64)> {
    let reports = rig.reports().into_iter();
    let mut records: Vec<_> =
        reports.map(|report| (report.key.exporter.to_string(), report.counts.records)).collect();
    records.sort();
    records
}

#[test]
fn newcomers_past_their_places_are_decoded_as_far_as_that_needs_no_state_and_counted_as_unknown() {
    let mut rig = few();
    for last in 1..=6 {
        rig.feed_from(&format!("198.51.100.{last}"), 1, &v5(0));
    }
    rig.feed_from("198.51.100.7", 1, &Message::v9(0).template(256, FLOW).bytes());
    rig.feed_from("198.51.100.7", 1, &Message::v9(1).data(256, &[record(&[(1, 4), (2, 4)])]).bytes());
    assert_eq!(rig.rows.len(), 6, "v5 needs no template");
    let reports = rig.reports();
    assert_eq!(reports.len(), 5);
    let unknown = reports.iter().find(|report| report.key.listener == "unknown").expect("one for all");
    assert_eq!((unknown.counts.records, unknown.counts.datagrams), (2, 4));
    let reasons = [("template_table_full".to_owned(), 1), ("waiting_full".to_owned(), 1)];
    assert_eq!(unknown.counts.faults, reasons);
}

#[test]
fn a_silent_newcomer_gives_its_place_to_another_once_its_counts_are_taken() {
    let mut rig = few();
    for last in 1..=4 {
        rig.feed_from(&format!("198.51.100.{last}"), 1, &v5(0));
    }
    rig.now_ms += 10_000;
    rig.feed_from("198.51.100.5", 1, &v5(0));
    assert_eq!(records(&mut rig)[0], ("0.0.0.0".to_owned(), 1), "nothing was taken yet");
    rig.feed_from("198.51.100.5", 1, &v5(1));
    assert_eq!(records(&mut rig), [("198.51.100.5".to_owned(), 1)]);
}

#[test]
fn exporters_of_named_sources_have_their_place_whatever_strangers_send() {
    let mut rig = few();
    let ours = serde_json::json!([{"name": "ours", "prefixes": ["192.0.2.0/24"]}]);
    rig.decoder
        .set_sources(&listeners(), &serde_json::from_value::<Vec<SourceConfig>>(ours).expect("a source"));
    rig.feed_from("192.0.2.1", 1, &Message::v9(0).template(256, FLOW).bytes());
    rig.reports();
    for round in 0..20 {
        rig.now_ms += 10_000;
        for last in 1..=20 {
            rig.feed_from(&format!("198.51.100.{last}"), 1, &v5(round));
        }
        rig.reports();
    }
    let before = rig.rows.len();
    rig.feed_from("192.0.2.1", 1, &Message::v9(1).data(256, &[record(&[(1, 4), (2, 4)])]).bytes());
    rig.feed_from("192.0.2.2", 1, &Message::v9(0).template(256, FLOW).bytes());
    assert_eq!(rig.rows.len(), before + 1, "its template is still there");
    let known: Vec<_> = records(&mut rig).into_iter().map(|(exporter, _)| exporter).collect();
    assert_eq!(known, ["192.0.2.1", "192.0.2.2"], "also one that comes later");
}
