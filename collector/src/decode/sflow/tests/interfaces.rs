//! What counter samples and the samples' own numbers tell of interfaces.

use super::*;
use crate::slot::{InterfaceReport, Octets, StreamReport};

const START: u64 = 1_767_225_600_000;

fn port_name(name: &str) -> Vec<u8> {
    tagged(1005, &extended::text(name))
}

/// A generic interface record: speed, status, octets in and out.
fn generic(speed: u64, status: u32, octets: [u64; 2]) -> Vec<u8> {
    let wide = |value: u64| [(value >> 32) as u32, value as u32];
    let head = [&[3, 6][..], &wide(speed), &[1, status], &wide(octets[0])].concat();
    tagged(1, &words(&[&head[..], &[0; 6], &wide(octets[1]), &[0; 6]].concat()))
}

fn counters(source: u32, records: &[Vec<u8>]) -> Vec<u8> {
    let head = words(&[1, source, u32::try_from(records.len()).unwrap()]);
    tagged(2, &[head, records.concat()].concat())
}

/// A sample of interface 3 with a frame of 1,000 bytes, the `number`th, of so many packets.
fn sample(number: u32, rate: u32, pool: u32, output: u32) -> Vec<u8> {
    let head = words(&[number, 3, rate, pool, 0, if output == 3 { 9 } else { 3 }, output, 1]);
    tagged(1, &[head, raw(1, 1000, 4, &frame())].concat())
}

/// Feeds datagrams, each its milliseconds after the start, from an exporter; the last report.
struct Agent {
    decoder: Decoder,
    sequence: u32,
}

impl Agent {
    fn new() -> Self {
        Self { decoder: Decoder::new(Limits::default()), sequence: 0 }
    }

    fn send(&mut self, after_ms: u64, samples: &[Vec<u8>]) -> &mut Self {
        self.sequence += 1;
        let payload = datagram(self.sequence, samples);
        let datagram = Datagram {
            listener: 0,
            accepts: Accepts::SFlow,
            exporter: [192, 0, 2, 9].into(),
            port: 6000,
            received_ms: START + after_ms,
            payload: &payload,
        };
        self.decoder.decode(&datagram, &mut Batch::default(), &mut |_| panic!("one datagram fits"));
        self
    }

    fn report(&mut self) -> StreamReport {
        let mut reports = self.decoder.take_reports(&[]).0;
        assert_eq!(reports.len(), 1);
        reports.remove(0)
    }

    fn interfaces(&mut self) -> Vec<InterfaceReport> {
        self.report().interfaces
    }
}

#[test]
fn counter_samples_tell_name_speed_and_status_of_their_interface() {
    let mut agent = Agent::new();
    agent.send(0, &[counters(3, &[generic(10_000_000_000, 1, [5, 6]), port_name("swp3")])]);
    let report = agent.report();
    assert_eq!((report.counts.options_records, report.counts.undecodable.len()), (1, 0));
    let known = InterfaceReport {
        index: 3,
        name: Some("swp3".into()),
        speed: Some(10_000_000_000),
        up: Some([true, false]),
        last_seen_ms: START,
        ..InterfaceReport::default()
    };
    assert_eq!(report.interfaces, [known]);
}

#[test]
fn a_host_is_known_by_its_name_and_what_a_device_does_not_count_is_unknown() {
    let host = tagged(2000, &[extended::text("leaf1"), vec![0; 24], extended::text("6.1")].concat());
    let processor = tagged(1001, &[0; 28]);
    let expanded = [words(&[1, 2, 1, 2]), host, processor].concat();
    let mut agent = Agent::new();
    agent.send(0, &[tagged(4, &expanded), counters(7, &[generic(0, 3, [u64::MAX, 1])])]);
    agent.send(10, &[counters(7, &[generic(0, 3, [u64::MAX, 9])])]);
    let seen = agent.interfaces();
    assert_eq!((seen[0].class, seen[0].index, seen[0].name.as_deref()), (2, 1, Some("leaf1")));
    assert_eq!((seen[1].index, seen[1].speed, seen[1].octets), (7, None, None));
}

#[test]
fn octets_by_the_counters_stand_beside_the_scaled_samples_of_the_same_time() {
    let mut agent = Agent::new();
    // Before the first counter sample nothing is compared.
    agent.send(0, &[sample(1, 100, 100, 4), counters(3, &[generic(1, 3, [1000, 2000])])]);
    assert_eq!(agent.interfaces()[0].octets, None);
    agent.send(1000, &[sample(2, 100, 200, 4), sample(3, 100, 300, 4), sample(4, 100, 400, 3)]);
    agent.send(20_000, &[counters(3, &[generic(1, 3, [211_000, 99_000])])]);
    let octets = Octets {
        since_ms: START,
        until_ms: START + 20_000,
        counted: [210_000, 97_000],
        sampled: [200_000, 100_000],
    };
    assert_eq!(agent.interfaces()[0].octets, Some(octets));
    // A counter that goes back begins anew.
    agent.send(40_000, &[counters(3, &[generic(1, 3, [10, 10])])]);
    agent.send(60_000, &[sample(5, 100, 500, 4), counters(3, &[generic(1, 3, [90_010, 10])])]);
    let octets = agent.interfaces()[0].octets.unwrap();
    assert_eq!(
        (octets.since_ms, octets.counted, octets.sampled),
        (START + 40_000, [90_000, 0], [100_000, 0])
    );
}

#[test]
fn a_comparison_begins_anew_after_an_hour() {
    let mut agent = Agent::new();
    for minute in 0..=61 {
        let counted = [minute * 1000, 0];
        agent.send(minute * 60_000, &[counters(3, &[generic(1, 3, counted)])]);
    }
    let octets = agent.interfaces()[0].octets.unwrap();
    assert_eq!((octets.since_ms, octets.counted[0]), (START + 3_600_000, 1000));
}

#[test]
fn the_effective_rate_is_the_pool_over_the_sequence_and_survives_loss_and_restarts() {
    let mut agent = Agent::new();
    // Every other sample is lost on the way; the agent takes one of 400 packets and states 100.
    for number in 0..100 {
        agent.send(number, &[sample(2 * number as u32, 100, (800 * number as u32).wrapping_sub(500), 4)]);
    }
    let seen = agent.interfaces().remove(0);
    assert_eq!((seen.samples, seen.pool, seen.stated_rate), (198, 198 * 400, 100));
    assert_eq!((seen.effective_rate(), seen.rate_differs()), (Some(400.0), true));
    // The agent starts anew: its numbers go back.
    agent.send(60_100, &[sample(1, 100, 100, 4)]);
    agent.send(60_200, &[sample(2, 100, 500, 4)]);
    let seen = agent.interfaces().remove(0);
    assert_eq!((seen.samples, seen.pool), (199, 199 * 400));
    // Another stated rate: what was before tells nothing of it.
    agent.send(120_300, &[sample(3, 400, 900, 4)]);
    let seen = agent.interfaces().remove(0);
    assert_eq!((seen.samples, seen.stated_rate, seen.rate_differs()), (1, 400, false));
}

#[test]
fn flow_samples_alone_are_reported_once_a_minute_and_counters_at_once() {
    let mut agent = Agent::new();
    let counter = counters(3, &[generic(1, 3, [1, 1])]);
    assert_eq!(agent.send(0, &[sample(1, 1, 1, 4)]).interfaces().len(), 1);
    assert_eq!(agent.send(2000, &[sample(2, 1, 2, 4)]).interfaces().len(), 0);
    assert_eq!(agent.send(4000, &[counter]).interfaces().len(), 1);
    assert_eq!(agent.send(63_999, &[sample(3, 1, 3, 4)]).interfaces().len(), 0);
    assert_eq!(agent.send(64_000, &[sample(4, 1, 4, 4)]).interfaces().len(), 1);
}

#[test]
fn an_agent_with_endless_interfaces_has_a_bounded_number() {
    let mut agent = Agent::new();
    for group in 0..50 {
        let samples: Vec<_> = (0..100).map(|at| counters(group * 100 + at, &[])).collect();
        agent.send(group.into(), &samples);
    }
    let report = agent.report();
    assert_eq!((report.counts.options_records, report.interfaces.len()), (5000, 2048));
}

#[test]
fn a_counter_sample_whose_lengths_contradict_each_other_is_counted_as_malformed() {
    let mut lying = counters(3, &[generic(1, 3, [1, 1])]);
    lying[8 + 12 + 7] = 200;
    let short = counters(3, &[tagged(1, &[0; 40])]);
    let mut agent = Agent::new();
    agent.send(0, &[lying, short, counters(3, &[port_name("swp3")])]);
    let report = agent.report();
    assert_eq!(report.counts.options_records, 1);
    assert_eq!(report.counts.undecodable, [(String::from("malformed_sample"), 2)]);
    assert_eq!(report.interfaces[0].name.as_deref(), Some("swp3"));
}
