//! Domains of one port that share a sequence, and such as do not.

use std::collections::BTreeMap;

use collector::slot::{Numbering, StreamCounts, StreamReport};
use proptest::prelude::*;

use super::message::{Message, Spec, record};
use super::rig::{Rig, listeners};

const FLOW: &[Spec] = &[(8, 4, 0), (2, 4, 0)];

fn template(domain: u32, sequence: u32) -> Vec<u8> {
    Message::ipfix(sequence).domain(domain).template(300, FLOW).bytes()
}

/// A message with so many records, none of which any other has.
fn data(domain: u32, sequence: u32, records: u32) -> Vec<u8> {
    let flow = |at: u32| record(&[((sequence + at).into(), 4), (domain.into(), 4)]);
    let flows: Vec<_> = (0..records).map(flow).collect();
    Message::ipfix(sequence).domain(domain).data(300, &flows).bytes()
}

/// The totals of each domain, added up as an aggregator does.
#[derive(Default)]
struct Ledger(BTreeMap<u32, (StreamCounts, Option<StreamReport>)>);

impl Ledger {
    fn cut(&mut self, rig: &mut Rig) {
        for report in rig.reports() {
            let (counts, last) = self.0.entry(report.key.domain).or_default();
            let before = last.as_ref().map_or(report.nonstandard, |last| last.nonstandard);
            report.add_to(counts, before);
            *last = Some(report);
        }
    }

    fn of(&self, domain: u32) -> (&StreamCounts, &StreamReport) {
        let (counts, last) = &self.0[&domain];
        (counts, last.as_ref().expect("a report"))
    }

    fn numbering(&self, domain: u32) -> Option<Numbering> {
        self.of(domain).1.nonstandard
    }
}

/// An exporter as Open vSwitch is: domain 7 has the flows, domain 0 tells of the switch now and then.
fn recognized() -> (Rig, Ledger) {
    let (mut rig, mut ledger) = (Rig::new(), Ledger::default());
    rig.feed(&template(7, 1)).feed(&template(0, 1)).feed(&data(0, 1, 1)).feed(&data(7, 2, 3));
    ledger.cut(&mut rig);
    (rig, ledger)
}

#[test]
fn one_sequence_over_all_domains_is_told_from_a_loss_at_once() {
    let (_, ledger) = recognized();
    assert_eq!(ledger.numbering(7), Some(Numbering::Shared));
    assert_eq!(ledger.numbering(0), Some(Numbering::Elsewhere));
    let (counts, report) = ledger.of(7);
    assert_eq!((counts.records, counts.missing, report.next_sequence), (3, 0, 5));
    assert_eq!(ledger.of(0).0.records, 1);
}

#[test]
fn what_is_lost_late_and_repeated_of_a_shared_sequence_is_counted_on_one_stream_exactly() {
    let (mut rig, mut ledger) = recognized();
    // 5 and 6 of domain 7 come late, 7 of domain 0 never, 8 of domain 7 twice, and then domain 0 again.
    rig.feed(&data(7, 8, 2)).feed(&data(7, 5, 2)).feed(&data(7, 8, 2)).feed(&data(0, 10, 1));
    rig.feed(&data(7, 11, 1)).feed(&data(0, 12, 2)).feed(&data(7, 14, 1));
    ledger.cut(&mut rig);
    let (counts, report) = ledger.of(7);
    assert_eq!((counts.received, counts.duplicates, counts.missing), (14, 2, 1), "{counts:?}");
    assert_eq!((counts.expected(), counts.reordered, counts.restarts), (13, 1, 0));
    assert_eq!((report.epoch.first, report.next_sequence), (2, 15));
    assert_eq!((counts.records, ledger.of(0).0.records), (9, 4));
    assert_eq!(ledger.of(0).0.received, 0, "it is counted with domain 7");
}

#[test]
fn records_that_wait_for_a_template_are_told_by_the_next_number_of_whatever_domain() {
    let (mut rig, mut ledger) = recognized();
    // Domain 3 has not announced its template yet: two records.
    rig.feed(&data(3, 5, 2)).feed(&data(0, 7, 1));
    ledger.cut(&mut rig);
    assert_eq!((ledger.of(3).1.waiting.records, ledger.of(7).0.missing), (2, 0));
    rig.feed(&template(3, 8)).feed(&data(7, 8, 1));
    ledger.cut(&mut rig);
    assert_eq!((ledger.of(3).0.records, ledger.of(3).1.waiting.records), (2, 0));
    let counts = ledger.of(7).0;
    assert_eq!((counts.received, counts.inferred, counts.missing), (5, 2, 0));
}

#[test]
fn an_exporter_that_shares_a_sequence_goes_on_where_it_was_after_a_restart_of_the_edge() {
    let (mut rig, ledger) = recognized();
    let facts = rig.decoder.take_facts(&listeners());
    let reports = [ledger.of(7).1.clone(), ledger.of(0).1.clone()];
    let mut rig = Rig::new();
    rig.decoder.restore_watermarks(&listeners(), &reports);
    rig.decoder.restore_facts(&listeners(), facts);
    let mut ledger = Ledger::default();
    rig.feed(&data(7, 9, 1)).feed(&data(0, 10, 1)).feed(&data(7, 11, 1));
    ledger.cut(&mut rig);
    let counts = ledger.of(7).0;
    assert_eq!((counts.records, counts.missing, counts.restarts), (2, 4, 0), "5 to 8 were sent meanwhile");
    assert_eq!(ledger.numbering(0), Some(Numbering::Elsewhere));
}

#[test]
fn domains_that_only_seemed_to_share_a_sequence_are_judged_by_themselves_again() {
    let (mut rig, mut ledger) = (Rig::new(), Ledger::default());
    // In step, and of each one message is lost just so that the other's number follows.
    for domain in [1, 2] {
        rig.feed(&template(domain, 0)).feed(&data(domain, 0, 1));
    }
    rig.feed(&data(1, 1, 1)).feed(&data(2, 2, 1)).feed(&data(1, 3, 1));
    ledger.cut(&mut rig);
    assert_eq!(ledger.numbering(1), Some(Numbering::Shared));
    for sequence in 4..10 {
        rig.feed(&data(2, sequence - 1, 1)).feed(&data(1, sequence, 1));
    }
    ledger.cut(&mut rig);
    assert_eq!((ledger.numbering(1), ledger.numbering(2)), (None, None));
    rig.feed(&data(1, 12, 1)).feed(&data(2, 14, 1));
    ledger.cut(&mut rig);
    assert_eq!((ledger.of(1).0.missing, ledger.of(2).0.missing), (2, 5));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// (domain, records, lost) of messages; each domain's first and last come.
    #[test]
    fn domains_with_sequences_of_their_own_lose_what_they_lose(
        begins in prop::array::uniform3(0_u32..1 << 30),
        messages in prop::collection::vec((0_usize..3, 1_u32..4, prop::bool::weighted(0.2)), 1..120),
    ) {
        let (mut rig, mut ledger) = (Rig::new(), Ledger::default());
        let (mut next, mut lost, mut gap) = (begins, [0_i64; 3], [0_i64; 3]);
        for (domain, start) in (0..).zip(begins) {
            rig.feed(&template(domain, start));
        }
        for (domain, records, is_lost) in messages {
            if is_lost {
                gap[domain] += i64::from(records);
            } else {
                rig.feed(&data(domain as u32, next[domain], records));
                lost[domain] += std::mem::take(&mut gap[domain]);
            }
            next[domain] += records;
        }
        ledger.cut(&mut rig);
        for (domain, lost) in (0..).zip(lost) {
            prop_assert_eq!(ledger.numbering(domain), None);
            prop_assert_eq!(ledger.of(domain).0.missing, lost);
        }
    }
}
