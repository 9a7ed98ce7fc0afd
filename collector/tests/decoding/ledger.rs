//! The two balances of the loss ledger, exactly: by sequence number and in records, whatever comes in whatever order.

use collector::slot::{Numbering, StreamCounts, StreamReport};
use crds::config::{Sequence, SourceConfig};
use proptest::prelude::*;

use super::message::{Message, Spec, V5, record};
use super::rig::{Rig, listeners};

const FLOW: &[Spec] = &[(8, 4, 0), (12, 4, 0), (4, 1, 0), (7, 2, 0), (11, 2, 0), (2, 4, 0), (1, 4, 0)];
const SCOPE: &[Spec] = &[(149, 4, 0)];
const OPTION: &[Spec] = &[(160, 8, 0)];

/// Flows that differ from all others by `mark`.
fn flows(count: u32, mark: u32) -> Vec<Vec<u8>> {
    let one = |at| record(&[(at, 4), (2, 4), (6, 1), (80, 2), (443, 2), (mark.into(), 4), (900, 4)]);
    (0..count.into()).map(one).collect()
}

/// What a stream reported so far, added up as an aggregator does.
#[derive(Default)]
struct Account {
    counts: StreamCounts,
    last: Option<StreamReport>,
}

impl Account {
    /// Takes a cut of the only stream, and checks what holds at every cut.
    fn cut(&mut self, rig: &mut Rig) {
        for report in rig.reports() {
            let before = self.last.as_ref().map_or(report.nonstandard, |last| last.nonstandard);
            report.add_to(&mut self.counts, before);
            self.last = Some(report);
            self.check();
        }
    }

    fn check(&self) {
        let last = self.last.as_ref().expect("a report");
        let counts = &self.counts;
        let undecodable: u64 = counts.undecodable.iter().map(|(_, records)| records).sum();
        let known = counts.records + counts.options_records + undecodable + last.waiting.records;
        assert_eq!(counts.records_received, known as i64, "{counts:?} {:?}", last.waiting);
        if last.nonstandard.is_none_or(Numbering::is_judged) {
            let span = last.next_sequence.wrapping_sub(last.epoch.first);
            assert_eq!(last.epoch.expected() as u32, span, "{:?} {counts:?}", last.epoch);
        }
    }
}

fn account(rig: &mut Rig) -> Account {
    let mut account = Account::default();
    account.cut(rig);
    account
}

#[test]
fn sets_of_one_v9_message_that_wait_are_counted_together_by_its_header_and_apart_once_they_are_read() {
    let mut rig = Rig::new();
    let mut account = Account::default();
    let two = Message::v9(1).data(256, &flows(3, 1)).data(257, &flows(4, 2));
    rig.feed(&two.bytes());
    account.cut(&mut rig);
    assert_eq!((account.counts.records_received, account.last.as_ref().unwrap().waiting.sets), (7, 2));
    rig.feed(&Message::v9(2).template(257, FLOW).bytes());
    account.cut(&mut rig);
    assert_eq!(account.last.as_ref().unwrap().waiting.records, 3);
    rig.decoder.tick(rig.now_ms + 60_001);
    account.cut(&mut rig);
    assert_eq!(account.counts.undecodable, [("unknown_template".to_owned(), 3)]);
    assert_eq!((account.counts.records, account.counts.uncounted_sets), (4, 0));
}

#[test]
fn what_a_number_told_of_waiting_sets_is_corrected_by_their_template() {
    let mut rig = Rig::new();
    let mut account = Account::default();
    rig.feed(&Message::ipfix(0).data(256, &flows(3, 1)).bytes());
    // Records 3 to 6 are lost: the number alone cannot tell them from those that wait.
    rig.feed(&Message::ipfix(7).data(256, &flows(2, 2)).bytes());
    account.cut(&mut rig);
    assert_eq!((account.counts.inferred, account.counts.missing), (7, 0));
    rig.feed(&Message::ipfix(9).template(256, FLOW).bytes());
    account.cut(&mut rig);
    let counts = &account.counts;
    assert_eq!((counts.records, counts.inferred, counts.missing, counts.expected()), (5, 5, 4, 9));
    assert_eq!(counts.records_received, 5);
}

#[test]
fn a_datagram_that_comes_late_into_what_was_taken_for_waiting_records_is_no_restart() {
    let mut rig = Rig::new();
    let mut account = Account::default();
    rig.feed(&Message::ipfix(0).data(256, &flows(3, 1)).bytes());
    rig.feed(&Message::ipfix(6).template(257, FLOW).data(257, &flows(2, 2)).bytes());
    rig.feed(&Message::ipfix(3).data(257, &flows(3, 3)).bytes());
    rig.feed(&Message::ipfix(8).template(256, FLOW).bytes());
    account.cut(&mut rig);
    let counts = &account.counts;
    assert_eq!((counts.restarts, counts.reordered, counts.missing, counts.expected()), (0, 1, 0, 8));
    assert_eq!(counts.records_received, 8);
}

#[test]
fn records_that_can_be_counted_nowhere_are_told_as_sets_and_bytes() {
    let mut rig = Rig::new();
    rig.feed(&Message::ipfix(0).data(256, &flows(3, 1)).bytes());
    rig.decoder.finish();
    let account = account(&mut rig);
    let counts = &account.counts;
    assert_eq!((counts.records_received, counts.uncounted_sets, counts.uncounted_bytes), (0, 1, 63));
    assert_eq!(counts.faults, [("unknown_template".to_owned(), 1)]);
}

#[test]
fn what_waited_when_the_edge_was_killed_is_lost_and_said_so() {
    let mut rig = Rig::new();
    rig.feed(&Message::v9(1).data(256, &flows(3, 1)).bytes());
    let reports = rig.reports();
    let mut account = Account { counts: reports[0].counts.clone(), last: Some(reports[0].clone()) };
    let mut rig = Rig::new();
    rig.decoder.restore_watermarks(&listeners(), &reports);
    account.cut(&mut rig);
    assert_eq!(account.counts.undecodable, [("lost_at_restart".to_owned(), 3)]);
    assert_eq!(account.last.unwrap().waiting.sets, 0);
}

/// Feeds 300 datagrams, then one after which ten units are missing; gives what is counted once the unit is known.
fn judged(unit: Numbering, datagram: impl Fn(u32, u32) -> (Vec<u8>, u32), loss: u32) -> StreamCounts {
    let mut rig = Rig::new();
    let mut account = Account::default();
    let mut number = 5000;
    for at in 0..300 {
        let (bytes, step) = datagram(number, at);
        rig.feed(&bytes);
        number += step;
        if at % 40 == 0 {
            account.cut(&mut rig);
        }
    }
    rig.feed(&datagram(number + loss, 300).0);
    account.cut(&mut rig);
    assert_eq!(account.last.map(|last| last.nonstandard), Some(Some(unit)));
    account.counts
}

#[test]
fn open_vswitch_numbers_a_v5_datagram_by_its_last_flow() {
    let datagram = |number: u32, at: u32| {
        let count = 1 + (at * 7 % 5) as u16;
        let bytes = V5 { sequence: number + u32::from(count), count, uptime: at, ..V5::default() }.bytes();
        (bytes, u32::from(count))
    };
    let counts = judged(Numbering::LastFlow, datagram, 10);
    assert_eq!((counts.missing, counts.restarts, counts.reordered), (10, 0, 0));
}

#[test]
fn v9_that_counts_flows_is_judged_by_flows() {
    let datagram = |number: u32, at: u32| {
        let count = 2 + at % 5;
        let message = Message::v9(number).template(256, FLOW).options(300, &[(1, 4, 0)], OPTION);
        let message = message.data(300, &[record(&[(7, 4), (1, 8)])]);
        (message.data(256, &flows(count, at)).bytes(), count)
    };
    let counts = judged(Numbering::Flows, datagram, 10);
    assert_eq!((counts.missing, counts.restarts), (10, 0));
}

#[test]
fn ipfix_that_counts_templates_too_is_judged_by_all_records() {
    let datagram = |number: u32, at: u32| {
        let count = 2 + at % 5;
        (Message::ipfix(number).template(256, FLOW).data(256, &flows(count, at)).bytes(), count + 1)
    };
    let counts = judged(Numbering::AllRecords, datagram, 10);
    assert_eq!((counts.missing, counts.restarts), (10, 0));
}

/// An sFlow datagram with samples numbered from `first` on.
fn sflow(number: u32, first: u32, count: u32) -> Vec<u8> {
    let mut words = vec![5, 1, 0xc633_6401, 0, number, 1000, count];
    for at in first..first + count {
        words.extend([1, 8 * 4 + 40, at, 3, 10, at * 10, 0, 3, 4, 1]);
        words.extend([3, 32, 100, 17, 0xc000_0201, 0xc633_6402, 53, 5353, 0, 0]);
    }
    words.into_iter().flat_map(u32::to_be_bytes).collect()
}

#[test]
fn gaps_of_sflow_that_the_samples_contradict_are_no_loss_and_the_samples_still_tell_it() {
    let datagram = |number: u32, at: u32| (sflow(number, if at < 300 { 2 * at } else { 650 }, 2), 1 + at % 2);
    let counts = judged(Numbering::Contradicted, datagram, 0);
    assert_eq!((counts.missing, counts.samples, counts.samples_missing), (0, 602, 50));
}

#[test]
fn a_real_loss_of_sflow_is_never_taken_for_a_habit() {
    let mut rig = Rig::new();
    for at in (0..1000).filter(|at| at % 3 != 1) {
        rig.feed(&sflow(at, 2 * at, 2));
    }
    let report = rig.report();
    assert_eq!((report.nonstandard, report.counts.missing, report.counts.samples_missing), (None, 333, 666));
}

fn stated(sequence: Sequence) -> Rig {
    let mut rig = Rig::new();
    let prefixes = vec!["192.0.2.0/24".parse().expect("a prefix")];
    let source =
        SourceConfig { name: "r".into(), prefixes, sequence: Some(sequence), ..SourceConfig::default() };
    rig.decoder.set_sources(&listeners(), &[source]);
    rig
}

#[test]
fn a_stated_unit_counts_from_the_first_datagram() {
    let mut rig = stated(Sequence::LastFlow);
    for (number, count) in [(9, 10), (12, 3), (20, 5)] {
        rig.feed(&V5 { sequence: number, count, ..V5::default() }.bytes());
    }
    let report = rig.report();
    assert_eq!(report.nonstandard, Some(Numbering::LastFlow));
    assert_eq!((report.counts.received, report.counts.missing, report.counts.restarts), (18, 3, 0));
}

#[test]
fn stated_to_be_ignored_numbers_tell_no_loss_and_duplicates_are_still_found() {
    let mut rig = stated(Sequence::Ignore);
    for number in [500, 7, 7, 90_000_000] {
        rig.feed(&V5 { sequence: number, count: 2, ..V5::default() }.bytes());
    }
    let report = rig.report();
    assert_eq!((report.counts.missing, report.counts.restarts, report.counts.duplicates), (0, 0, 2));
    assert_eq!(report.nonstandard, Some(Numbering::Ignored));
}

#[test]
fn a_changed_statement_begins_the_balance_anew() {
    let mut rig = Rig::new();
    rig.feed(&V5 { sequence: 0, count: 2, ..V5::default() }.bytes());
    rig.feed(&V5 { sequence: 1, count: 2, ..V5::default() }.bytes());
    let account = account(&mut rig);
    assert_eq!(account.counts.restarts, 1, "a step of one where two are due");
    let source = SourceConfig {
        name: "r".into(),
        listeners: vec!["any".into()],
        sequence: Some(Sequence::Packets),
        ..SourceConfig::default()
    };
    rig.decoder.set_sources(&listeners(), &[source]);
    for number in [2, 3, 6] {
        rig.feed(&V5 { sequence: number, count: 2, ..V5::default() }.bytes());
    }
    let mut account = account;
    account.cut(&mut rig);
    let counts = &account.counts;
    assert_eq!((counts.received, counts.missing, counts.restarts, counts.records), (3, 2, 0, 10));
}

#[test]
fn what_an_exporter_says_that_it_lost_is_the_growth_of_its_totals() {
    let mut rig = Rig::new();
    let lost: &[Spec] = &[(164, 8, 0), (166, 4, 0), (168, 8, 0)];
    let options = |sequence, ignored, flows, bytes| {
        let values = [(1, 4), (ignored, 8), (flows, 4), (bytes, 8)];
        Message::ipfix(sequence).options(300, &[(144, 4, 0)], lost).data(300, &[record(&values)]).bytes()
    };
    rig.feed(&options(0, 100, 5, 1000)).feed(&options(1, 130, 5, 1500));
    // It started anew.
    rig.feed(&options(2, 4, 0, 0));
    let declared = rig.report().counts.declared;
    assert_eq!((declared.ignored_packets, declared.not_sent_flows, declared.not_sent_bytes), (34, 0, 500));
    assert_eq!((declared.ignored_bytes, declared.not_sent_packets), (0, 0));
}

/// What becomes of a datagram on its way.
#[derive(Clone, Copy, Debug)]
enum Way {
    Pass,
    Drop,
    Twice,
    /// It comes after so many later ones.
    Late(usize),
}

fn ways() -> impl Strategy<Value = Way> {
    prop_oneof![
        8 => Just(Way::Pass),
        1 => Just(Way::Drop),
        1 => Just(Way::Twice),
        1 => (1..5_usize).prop_map(Way::Late),
    ]
}

/// A datagram of an honest exporter.
#[derive(Clone, Debug)]
struct Sent {
    bytes: Vec<u8>,
    /// Its number, and how many units it holds.
    from: u32,
    units: u32,
    /// Data records, options data included; samples.
    records: u32,
}

/// A datagram of a protocol; `all` templates come with it. `mark` makes it different from all others.
fn honest(protocol: u8, from: u32, mark: u32, count: u32, all: bool) -> Sent {
    let kinds = mark % 3;
    let message = |message: Message| {
        let message = if all {
            message.template(256, FLOW).template(257, FLOW).options(300, SCOPE, OPTION)
        } else {
            message
        };
        let message = message.data(256, &flows(count, mark));
        let message = if kinds > 0 { message.data(257, &flows(count + 1, mark)) } else { message };
        if kinds > 1 { message.data(300, &[record(&[(7, 4), (mark.into(), 8)])]) } else { message }
    };
    let records = count + if kinds > 0 { count + 1 } else { 0 } + u32::from(kinds > 1);
    let (bytes, units, records) = match protocol {
        5 => {
            let v5 = V5 { sequence: from, count: count as u16, uptime: mark, ..V5::default() };
            (v5.bytes(), count, count)
        }
        9 => (message(Message::v9(from)).bytes(), 1, records),
        10 => (message(Message::ipfix(from)).bytes(), records, records),
        _ => (sflow(from, mark * 6, count), 1, count),
    };
    Sent { bytes, from, units, records }
}

/// The datagrams in the order in which they arrive.
fn relayed(sent: &[Sent], ways: &[Way]) -> Vec<Sent> {
    let mut arriving = Vec::new();
    let mut held: Vec<(usize, Sent)> = Vec::new();
    for (at, (sent, way)) in sent.iter().zip(ways).enumerate() {
        match way {
            Way::Pass => arriving.push(sent.clone()),
            Way::Drop => {}
            Way::Twice => arriving.extend([sent.clone(), sent.clone()]),
            Way::Late(steps) => held.push((at + steps, sent.clone())),
        }
        let (due, still): (Vec<_>, Vec<_>) = held.into_iter().partition(|(due, _)| *due <= at);
        arriving.extend(due.into_iter().map(|(_, sent)| sent));
        held = still;
    }
    arriving.extend(held.into_iter().map(|(_, sent)| sent));
    arriving
}

/// Units from the first number that arrived to the last one's end.
fn span(arrived: &[Sent]) -> i64 {
    let base = arrived[0].from.wrapping_sub(1 << 16);
    let ends = arrived.iter().map(|sent| sent.from.wrapping_add(sent.units).wrapping_sub(base));
    let starts = arrived.iter().map(|sent| sent.from.wrapping_sub(base));
    i64::from(ends.max().expect("some")) - i64::from(starts.min().expect("some"))
}

fn distinct(arrived: &[Sent]) -> i64 {
    let mut once: Vec<&Sent> = arrived.iter().collect();
    once.sort_by(|a, b| a.bytes.cmp(&b.bytes));
    once.dedup_by(|a, b| a.bytes == b.bytes);
    once.iter().map(|sent| i64::from(sent.records)).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Templates come seldom, and at the end: what waited is read at last, and every number is known.
    #[test]
    fn both_balances_are_exact_for_every_protocol_whatever_the_network_does(
        protocol in prop_oneof![Just(5_u8), Just(9), Just(10), Just(6)],
        steps in proptest::collection::vec((1..6_u32, ways(), 0..8_u8), 2..50),
        restart in proptest::option::of(5..45_usize),
        every in 1..20_usize,
    ) {
        let mut number = 3_000_000_000_u32;
        let mut epochs: Vec<(Vec<Sent>, Vec<Way>)> = vec![Default::default()];
        for (at, (count, way, templates)) in steps.iter().enumerate() {
            if restart == Some(at) {
                epochs.push(Default::default());
                number = 0;
            }
            let sent = honest(protocol, number, at as u32 + 1, *count, *templates == 0);
            number = number.wrapping_add(sent.units);
            let epoch = epochs.last_mut().unwrap();
            epoch.0.push(sent);
            epoch.1.push(*way);
        }
        let last = honest(protocol, number, 1000, 1, true);
        let epoch = epochs.last_mut().unwrap();
        epoch.0.push(last.clone());
        epoch.1.push(Way::Pass);

        let (mut rig, mut account) = (Rig::new(), Account::default());
        let arrived: Vec<Vec<Sent>> = epochs.iter().map(|(sent, ways)| relayed(sent, ways)).collect();
        for (at, sent) in arrived.iter().flatten().enumerate() {
            rig.now_ms += 10;
            rig.feed(&sent.bytes);
            if at % every == 0 {
                account.cut(&mut rig);
            }
        }
        // What came late may have come after the last template.
        rig.feed(&honest(protocol, number.wrapping_add(last.units), 1001, 1, true).bytes);
        account.cut(&mut rig);

        let mut whole = arrived.clone();
        whole.last_mut().unwrap().push(honest(protocol, number.wrapping_add(last.units), 1001, 1, true));
        let counts = &account.counts;
        let expected: i64 = whole.iter().filter(|epoch| !epoch.is_empty()).map(|epoch| span(epoch)).sum();
        let records: i64 = whole.iter().map(|epoch| distinct(epoch)).sum();
        let starts = whole.iter().filter(|epoch| !epoch.is_empty()).count() as u64;
        prop_assert_eq!(counts.restarts + 1, starts, "{:?}", counts);
        prop_assert_eq!(counts.expected(), expected, "{:?}", counts);
        prop_assert_eq!(counts.records_received, records, "{:?}", counts);
        prop_assert_eq!(account.last.as_ref().unwrap().waiting.sets, 0);
        prop_assert_eq!(counts.uncounted_sets, 0);
        if protocol == 10 || protocol == 5 {
            let received = counts.received as i64 + counts.inferred - counts.duplicates as i64;
            prop_assert_eq!(received, records, "the sequence counts records: {:?}", counts);
        }
        if protocol == 6 {
            prop_assert_eq!(counts.samples as i64, records);
        }
    }

    /// Datagrams of all protocols, some damaged, to one decoder: each stream's balances hold after every cut.
    #[test]
    fn both_balances_hold_after_every_cut_whatever_is_damaged(
        steps in proptest::collection::vec(
            (
                prop_oneof![Just(5_u8), Just(9), Just(10), Just(6)],
                (1..6_u32, 0..4_u8, 0..5_u8),
                proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
                proptest::option::of(any::<prop::sample::Index>()),
            ),
            1..60,
        ),
        every in 1..10_usize,
    ) {
        let mut rig = Rig::new();
        let mut accounts: std::collections::HashMap<_, Account> = Default::default();
        let mut numbers = [0_u32; 11];
        for (at, (protocol, (count, templates, jump), flips, cut)) in steps.iter().enumerate() {
            let number = &mut numbers[usize::from(*protocol)];
            *number = number.wrapping_add(u32::from(*jump / 4));
            let mut sent = honest(*protocol, *number, at as u32 + 1, *count, *templates == 0);
            *number = number.wrapping_add(sent.units);
            for (at, value) in flips {
                let at = at.index(sent.bytes.len());
                sent.bytes[at] = *value;
            }
            if let Some(cut) = cut {
                sent.bytes.truncate(cut.index(sent.bytes.len()).max(1));
            }
            rig.now_ms += 7_000;
            rig.feed(&sent.bytes);
            rig.decoder.tick(rig.now_ms);
            if at % every == 0 || at + 1 == steps.len() {
                for report in rig.reports() {
                    let account = accounts.entry(report.key.clone()).or_default();
                    let before = account.last.as_ref().map_or(report.nonstandard, |last| last.nonstandard);
                    report.add_to(&mut account.counts, before);
                    account.last = Some(report);
                    account.check();
                }
            }
        }
        let records: u64 = accounts.values().map(|account| account.counts.records).sum();
        prop_assert_eq!(records, rig.rows.len() as u64);
    }
}

#[test]
fn a_gap_of_v9_is_so_many_packets_and_its_records_are_unknown() {
    let mut rig = Rig::new();
    rig.feed(&Message::v9(10).template(256, FLOW).data(256, &flows(5, 1)).bytes());
    rig.feed(&Message::v9(14).data(256, &flows(7, 2)).bytes());
    let account = account(&mut rig);
    let counts = &account.counts;
    assert_eq!((counts.received, counts.missing, counts.expected()), (2, 3, 5));
    assert_eq!((counts.records, counts.records_received, rig.rows.len()), (12, 12, 12));
}
