//! Input made to hurt: nothing panics, everything is counted.

use proptest::prelude::*;

use super::message::{Message, V5, record};
use super::rig::Rig;

/// A conversation that uses every part of v9 and IPFIX, and v5.
fn conversation() -> Vec<Vec<u8>> {
    let fields = [(8, 4, 0), (12, 4, 0), (4, 1, 0), (7, 2, 0), (11, 2, 0), (2, 4, 0), (1, 8, 0), (48, 1, 0)];
    let flow = record(&[(1, 4), (2, 4), (6, 1), (80, 2), (443, 2), (9, 4), (900, 8), (1, 1)]);
    let texts =
        [(371, 65_535, 0), (2, 4, 0), (96, 65_535, 0), (7, 3, 64_496), (160, 8, 0), (22, 4, 0), (21, 4, 0)];
    let text = [&b"\x03ann\0\0\0\x05\0abc"[..], &[7; 16]].concat();
    let options = record(&[(0, 4), (1, 1), (100, 4)]);
    vec![
        V5 { count: 3, ..V5::default() }.bytes(),
        Message::v9(1)
            .template(256, &fields)
            .options(300, &[(1, 4, 0)], &[(48, 1, 0), (50, 4, 0)])
            .data(300, std::slice::from_ref(&options))
            .data(256, &[flow.clone(), flow.clone()])
            .bytes(),
        Message::ipfix(1)
            .template(256, &fields)
            .template(257, &texts)
            .options(300, &[(149, 4, 0)], &[(302, 1, 0), (34, 4, 0)])
            .data(300, &[options])
            .data(257, &[text.clone(), text])
            .data(256, &[flow])
            .bytes(),
    ]
}

#[test]
fn a_datagram_cut_at_any_byte_is_read_as_far_as_it_goes() {
    for datagram in conversation() {
        for at in 0..datagram.len() {
            let mut rig = Rig::new();
            rig.feed(&datagram[..at]).feed(&datagram);
            assert!(!rig.rows.is_empty(), "cut at {at}");
        }
    }
}

#[test]
fn versions_that_are_none_are_refused() {
    for version in [0_u16, 1, 6, 8, 11, 10_000, 65_535] {
        let mut rig = Rig::new();
        let payload = [&version.to_be_bytes()[..], &[0xff; 1400]].concat();
        rig.feed(&payload);
        assert_eq!(rig.rejected(), [("unknown_version".to_owned(), 1)], "{version}");
    }
}

#[test]
fn the_largest_datagrams_are_taken() {
    let mut rig = Rig::new();
    for version in [5_u8, 7, 9, 10] {
        rig.feed(&[vec![0, version], vec![0xff; 65_505]].concat());
        rig.feed(&[vec![0, version], vec![0; 65_505]].concat());
    }
    let flow = record(&[(6, 1), (1, 1)]);
    let records = vec![flow; 32_000];
    let message = Message::ipfix(0).template(256, &[(4, 1, 0), (2, 1, 0)]).data(256, &records).bytes();
    let mut rig = Rig::new();
    rig.feed(&message);
    assert_eq!(rig.rows.len(), 32_000, "a set longer than a batch is split");
    assert_eq!(rig.report().counts.received, 32_000);
}

#[test]
fn a_template_of_ten_thousand_fields_is_refused_and_the_next_one_read() {
    let mut rig = Rig::new();
    let fields = vec![(4, 1, 0); 10_000];
    rig.feed(
        &Message::ipfix(0).template(256, &fields).template(257, &[(4, 1, 0)]).data(257, &[vec![6]]).bytes(),
    );
    assert_eq!(rig.rows.len(), 1);
    assert_eq!(rig.report().counts.faults, [("template_too_large".to_owned(), 1)]);
}

#[test]
fn templates_without_bytes_or_with_reserved_numbers_are_malformed() {
    for (id, fields) in [(256, vec![(4, 0, 0)]), (255, vec![(4, 1, 0)]), (0, vec![(4, 1, 0)])] {
        let mut rig = Rig::new();
        rig.feed(&Message::ipfix(0).template(id, &fields).data(256, &[vec![0; 40]]).bytes());
        assert!(rig.rows.is_empty());
        assert_eq!(rig.report().counts.faults, [("malformed_template".to_owned(), 1)]);
    }
}

#[test]
fn a_set_shorter_than_a_record_is_counted() {
    let mut rig = Rig::new();
    rig.feed(
        &Message::v9(0).template(256, &[(8, 4, 0), (12, 4, 0)]).data(256, &[vec![1, 2, 3, 4, 5]]).bytes(),
    );
    assert_eq!(rig.report().counts.undecodable, [("set_too_short".to_owned(), 1)]);
}

#[test]
fn reserved_sets_are_counted_and_passed_over() {
    let mut rig = Rig::new();
    rig.feed(
        &Message::ipfix(0).set(200, &[1, 2, 3, 4]).template(256, &[(4, 1, 0)]).data(256, &[vec![6]]).bytes(),
    );
    assert_eq!(rig.rows.len(), 1);
    assert_eq!(rig.report().counts.faults, [("reserved_set".to_owned(), 1)]);
}

#[test]
fn a_message_that_is_shorter_than_it_says_is_read_as_far_as_it_goes() {
    let mut rig = Rig::new();
    let bytes = Message::ipfix(0).template(256, &[(4, 1, 0)]).data(256, &[vec![6], vec![17]]).bytes();
    rig.feed(&[&bytes[..], &[]].concat());
    rig.feed(&[&bytes[..2], &[0xff, 0xff], &bytes[4..]].concat());
    let counts = rig.report().counts;
    assert!(counts.faults.contains(&("truncated".to_owned(), 1)), "{counts:?}");
    assert_eq!(rig.rows.len(), 4);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_decoder_panic(
        version in prop_oneof![Just([0, 5]), Just([0, 7]), Just([0, 9]), Just([0, 10]), any::<[u8; 2]>()],
        mut payload in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        payload.splice(0..0, version);
        Rig::new().feed(&payload);
    }

    #[test]
    fn no_change_to_a_conversation_makes_the_decoder_panic(
        changes in proptest::collection::vec((0..3_usize, any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut datagrams = conversation();
        for (datagram, at, value) in changes {
            let at = at.index(datagrams[datagram].len());
            datagrams[datagram][at] = value;
        }
        let mut rig = Rig::new();
        for _ in 0..2 {
            for datagram in &datagrams {
                rig.feed(datagram);
            }
        }
        rig.decoder.tick(rig.now_ms + 120_000);
        rig.reports();
    }

    #[test]
    fn the_ledger_of_a_stream_always_balances(
        steps in proptest::collection::vec((0..40_u32, 1..6_u16, any::<bool>()), 1..60),
    ) {
        // Datagrams of a steady exporter, some lost, some late, some twice.
        let mut rig = Rig::new();
        let mut next = 0_u32;
        let mut sent = vec![];
        for (dice, count, late) in steps {
            let bytes = V5 { sequence: next, count, ..V5::default() }.bytes();
            next = next.wrapping_add(u32::from(count));
            match dice {
                0..=4 => {}
                5..=8 if late && !sent.is_empty() => sent.insert(sent.len() - 1, bytes),
                9..=12 => sent.extend([bytes.clone(), bytes]),
                _ => sent.push(bytes),
            }
        }
        prop_assume!(!sent.is_empty());
        for bytes in &sent {
            rig.feed(bytes);
        }
        let numbers = sent.iter().map(|bytes| {
            let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
            (word(16), word(16) + u32::from(u16::from_be_bytes([bytes[2], bytes[3]])))
        });
        let first = numbers.clone().map(|(from, _)| from).min().unwrap();
        let last = numbers.map(|(_, to)| to).max().unwrap();
        let counts = rig.report().counts;
        let found = counts.received as i64 - counts.duplicates as i64 + counts.missing;
        prop_assert_eq!(i64::from(last - first), found, "{:?}", counts);
        prop_assert_eq!(counts.restarts, 0);
    }
}
