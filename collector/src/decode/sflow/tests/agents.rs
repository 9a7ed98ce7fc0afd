//! Who sends: agents, their sub-agents, and what they say that they lost.

use super::*;
use crate::slot::StreamReport;

/// A datagram of any agent and sub-agent.
fn of(agent: u32, sub_agent: u32, sequence: u32, samples: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(samples.len()).unwrap();
    [words(&[5, 1, agent, sub_agent, sequence, 1000, count]), samples.concat()].concat()
}

fn numbered(number: u32, drops: u32) -> Vec<u8> {
    let head = words(&[number, 3, 512, 512 * number, drops, 3, 4, 1]);
    tagged(1, &[head, raw(1, 64, 4, &frame())].concat())
}

/// What streams report after these payloads from one address and port.
fn reports(payloads: &[Vec<u8>]) -> Vec<StreamReport> {
    let mut decoder = Decoder::new(Limits::default());
    for payload in payloads {
        let datagram = Datagram {
            listener: 0,
            accepts: Accepts::SFlow,
            exporter: [192, 0, 2, 9].into(),
            port: 6000,
            received_ms: 0,
            payload,
        };
        decoder.decode(&datagram, &mut Batch::default(), &mut |_| panic!("one datagram fits"));
    }
    decoder.take_reports(&[]).0
}

#[test]
fn agents_and_sub_agents_behind_one_address_have_sequences_and_interfaces_of_their_own() {
    let who = [(0xc000_020a, 0, 5), (0xc000_020a, 1, 900), (0x7f00_0001, 0, 70)];
    let payloads: Vec<_> = (0..3)
        .flat_map(|step| {
            who.map(|(agent, sub, first)| of(agent, sub, first + step, &[numbered(first + step, 0)]))
        })
        .collect();
    let reports = reports(&payloads);
    assert_eq!(reports.len(), 3);
    for report in reports {
        let counts = &report.counts;
        assert_eq!((counts.received, counts.missing, counts.samples_missing), (3, 0, 0));
        assert_eq!(
            (report.interfaces.len(), report.interfaces[0].samples, report.interfaces[0].pool),
            (1, 2, 1024)
        );
    }
}

#[test]
fn what_the_agent_dropped_for_lack_of_resources_is_its_own_loss_beside_what_is_missing() {
    let payloads = [of(1, 0, 1, &[numbered(1, 5)]), of(1, 0, 2, &[numbered(4, 9)])];
    let counts = reports(&payloads).remove(0).counts;
    assert_eq!((counts.exporter_drops, counts.samples_missing, counts.missing), (4, 2, 0));
}

#[test]
fn samples_of_formats_that_are_not_read_are_counted_and_passed() {
    // InMon's rtmetric and rtflow (4300), and a number of sFlow.org that is not given out.
    let unread = [4300 << 12 | 1002, 4300 << 12 | 1003, 77].map(|format| tagged(format, &words(&[1, 2, 3])));
    let counts = reports(&[of(1, 0, 1, &[&unread[..], &[numbered(1, 0)]].concat())]).remove(0).counts;
    assert_eq!((counts.records, counts.undecodable), (1, vec![(String::from("unknown_sample"), 3)]));
}
