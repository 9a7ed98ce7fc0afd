//! When a flow began and ended, in every form in which exporters say it.

use super::message::{EXPORTED, Message, Spec, UPTIME, record};
use super::rig::{NOW, Rig, expect};

const EXPORT_MS: u64 = EXPORTED as u64 * 1000;

/// Feeds one record behind its template and expects its start and end.
#[track_caller]
fn times(message: Message, fields: &[Spec], values: &[u64], start: u64, end: u64) -> Rig {
    let lengths = fields.iter().map(|(_, length, _)| usize::from(*length));
    let data = record(&values.iter().copied().zip(lengths).collect::<Vec<_>>());
    let mut rig = Rig::new();
    rig.feed(&message.template(256, fields).data(256, &[data]).bytes());
    let expected = [("time_start_ms", &*start.to_string()), ("time_end_ms", &*end.to_string())];
    expect(&rig.rows[0], &expected);
    assert!(rig.report().counts.undecodable.is_empty());
    rig
}

fn ipfix(fields: &[Spec], values: &[u64], start: u64, end: u64) {
    times(Message::ipfix(0), fields, values, start, end);
}

fn v9(fields: &[Spec], values: &[u64], start: u64, end: u64) {
    times(Message::v9(0), fields, values, start, end);
}

const UP: &[Spec] = &[(22, 4, 0), (21, 4, 0)];

#[test]
fn uptimes_are_differences_to_the_headers_uptime() {
    let now = u64::from(UPTIME);
    v9(UP, &[now - 8000, now - 2000], EXPORT_MS - 8000, EXPORT_MS - 2000);
}

#[test]
fn uptimes_before_the_counter_wrapped_are_in_the_past() {
    v9(UP, &[0xffff_ff00, UPTIME.into()], EXPORT_MS - u64::from(UPTIME) - 256, EXPORT_MS);
}

#[test]
fn uptimes_after_the_headers_are_in_the_future() {
    let now = u64::from(UPTIME);
    v9(UP, &[now - 10, now + 300], EXPORT_MS - 10, EXPORT_MS + 300);
}

#[test]
fn absolute_times_of_every_precision_are_read() {
    let (start, end) = (EXPORT_MS - 9500, EXPORT_MS - 500);
    ipfix(
        &[(150, 4, 0), (151, 4, 0)],
        &[(EXPORT_MS - 9000) / 1000, EXPORT_MS / 1000],
        EXPORT_MS - 9000,
        EXPORT_MS,
    );
    ipfix(&[(152, 8, 0), (153, 8, 0)], &[start, end], start, end);
    let half = |ms: u64| (ms / 1000 + 2_208_988_800) << 32 | 1 << 31;
    ipfix(&[(154, 8, 0), (155, 8, 0)], &[half(start), half(end)], start, end);
    ipfix(&[(156, 8, 0), (157, 8, 0)], &[half(start), half(end)], start, end);
    v9(&[(152, 8, 0), (153, 8, 0)], &[start, end], start, end);
}

#[test]
fn fractions_of_ntp_times_are_of_a_second() {
    let quarter = (u64::from(EXPORTED) + 2_208_988_800) << 32 | 0x4000_0000;
    ipfix(&[(154, 8, 0), (155, 8, 0)], &[quarter, quarter], EXPORT_MS + 250, EXPORT_MS + 250);
}

#[test]
fn microseconds_before_the_export_are_subtracted_from_it() {
    ipfix(&[(158, 4, 0), (159, 4, 0)], &[5_000_000, 1_500_000], EXPORT_MS - 5000, EXPORT_MS - 1500);
}

#[test]
fn uptimes_in_ipfix_count_from_the_records_start_of_the_system() {
    let fields = [(160, 8, 0), (22, 4, 0), (21, 4, 0)];
    ipfix(&fields, &[1_000_000, 10, 20], 1_000_010, 1_000_020);
}

#[test]
fn uptimes_in_ipfix_count_from_the_start_of_the_system_that_options_told() {
    let mut rig = Rig::new();
    let options = Message::ipfix(0).options(300, &[(149, 4, 0)], &[(160, 8, 0)]);
    rig.feed(&options.data(300, &[record(&[(7, 4), (1_000_000, 8)])]).bytes());
    rig.feed(&Message::ipfix(1).template(256, UP).data(256, &[record(&[(10, 4), (20, 4)])]).bytes());
    expect(&rig.rows[0], &[("time_start_ms", "1000010"), ("time_end_ms", "1000020")]);
    let counts = rig.report().counts;
    assert_eq!((counts.options_records, counts.records, counts.missing), (1, 1, 0));
}

#[test]
fn uptimes_in_ipfix_wrap_after_49_days_and_below_the_start_of_the_system() {
    let fields = [(160, 8, 0), (22, 4, 0), (21, 4, 0)];
    let days = 60 * 86_400_000;
    let up = |ago: u64| (days - ago) % (1 << 32);
    let init = EXPORT_MS - days;
    ipfix(&fields, &[init, up(9000), up(2000)], EXPORT_MS - 9000, EXPORT_MS - 2000);
    // softflowd counts from its own start, and reads packets from a file that are older.
    let before = (1 << 32) - 5000;
    ipfix(&fields, &[EXPORT_MS - 1000, before, 500], EXPORT_MS - 6000, EXPORT_MS - 500);
}

#[test]
fn uptimes_in_ipfix_without_a_start_of_the_system_end_at_the_export() {
    ipfix(UP, &[0xffff_fff0, 0x10], EXPORT_MS - 32, EXPORT_MS);
    ipfix(&[(22, 4, 0)], &[77], EXPORT_MS, EXPORT_MS);
}

#[test]
fn a_missing_end_or_start_is_the_other_one_and_the_duration() {
    ipfix(&[(152, 8, 0), (161, 4, 0)], &[EXPORT_MS, 250], EXPORT_MS, EXPORT_MS + 250);
    ipfix(&[(153, 8, 0), (162, 4, 0)], &[EXPORT_MS, 250_000], EXPORT_MS - 250, EXPORT_MS);
    ipfix(&[(161, 4, 0)], &[250], EXPORT_MS - 250, EXPORT_MS);
    ipfix(&[(152, 8, 0)], &[EXPORT_MS - 9], EXPORT_MS - 9, EXPORT_MS - 9);
    ipfix(&[(153, 8, 0)], &[EXPORT_MS - 9], EXPORT_MS - 9, EXPORT_MS - 9);
    v9(&[(21, 4, 0)], &[u64::from(UPTIME) - 9], EXPORT_MS - 9, EXPORT_MS - 9);
}

#[test]
fn a_duration_beside_both_times_changes_neither() {
    let fields = [(152, 8, 0), (153, 8, 0), (161, 4, 0)];
    ipfix(&fields, &[EXPORT_MS - 9, EXPORT_MS, 5000], EXPORT_MS - 9, EXPORT_MS);
}

#[test]
fn the_time_of_an_event_is_its_start_and_end() {
    ipfix(&[(323, 8, 0), (233, 1, 0)], &[EXPORT_MS - 7, 2], EXPORT_MS - 7, EXPORT_MS - 7);
    let quarter = (u64::from(EXPORTED) + 2_208_988_800) << 32 | 0x4000_0000;
    for element in [324, 325] {
        ipfix(&[(element, 8, 0)], &[quarter], EXPORT_MS + 250, EXPORT_MS + 250);
    }
    ipfix(&[(322, 4, 0)], &[u64::from(EXPORTED) - 3], EXPORT_MS - 3000, EXPORT_MS - 3000);
}

#[test]
fn a_record_without_any_time_has_that_of_the_export() {
    let rig = times(Message::v9(0), &[(1, 4, 0), (2, 4, 0)], &[10, 1], EXPORT_MS, EXPORT_MS);
    assert_eq!(rig.runs[0].time_from, collector::flow::TimeFrom::Export);
}

#[test]
fn an_exporters_clock_that_is_an_hour_off_moves_no_flow_and_is_shown_as_skew() {
    let mut rig = Rig::new();
    rig.now_ms = NOW + 3_600_000;
    let fields = [(152, 8, 0), (153, 8, 0)];
    let data = record(&[(EXPORT_MS - 1000, 8), (EXPORT_MS, 8)]);
    rig.feed(&Message::ipfix(0).template(256, &fields).data(256, &[data]).bytes());
    assert_eq!(rig.runs[0].received_ms, NOW + 3_600_000);
    expect(&rig.rows[0], &[("time_end_ms", &*EXPORT_MS.to_string())]);
    let report = rig.report();
    assert_eq!((report.clock_skew_ms, report.counts.records), (Some(3_600_000), 1));
}
