//! Memory: none is taken to decode once an exporter is known, and strangers can never take more than a bound.

use std::net::IpAddr;

use allocation_counter::measure;
use collector::decode::{Datagram, Decoder, Limits};
use collector::flow::Batch;
use crds::config::{ListenerConfig, Protocol, SourceConfig};

#[expect(dead_code, reason = "shared with the decoding tests, which use all of it")]
#[path = "decoding/message.rs"]
mod message;

use message::{Message, V5, record};

const FLOW: &[(u16, u16, u32)] =
    &[(8, 4, 0), (12, 4, 0), (4, 1, 0), (7, 2, 0), (11, 2, 0), (2, 4, 0), (1, 4, 0)];
const TEXT: &[(u16, u16, u32)] = &[(371, 65_535, 0), (2, 4, 0), (96, 65_535, 0), (4, 1, 0)];

fn datagram(exporter: u32, payload: &[u8]) -> Datagram<'_> {
    Datagram {
        listener: 0,
        accepts: Protocol::Auto,
        exporter: IpAddr::from(exporter.to_be_bytes()),
        port: 40_000,
        received_ms: 1_700_000_000_000,
        payload,
    }
}

fn flows(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|n| record(&[(n, 4), (n, 4), (6, 1), (80, 2), (443, 2), (9, 4), (900, 4)])).collect()
}

#[test]
fn decoding_takes_no_memory_once_the_exporter_is_known() {
    let mut decoder = Decoder::new(Limits::default());
    let mut batch = Batch::default();
    let mut feed = |decoder: &mut Decoder, payload: &[u8]| {
        decoder.decode(&datagram(0xc000_0201, payload), &mut batch, &mut |_| {});
    };
    let texts = vec![[&b"\x03ann"[..], &[0, 0, 0, 5], b"\x04http", &[6]].concat(); 20];
    let mut round = |decoder: &mut Decoder, at: u32| {
        [
            V5 { sequence: at * 30, count: 30, ..V5::default() }.bytes(),
            Message::v9(at).data(256, &flows(24)).bytes(),
            Message::ipfix(at * 40).data(257, &texts).data(256, &flows(20)).bytes(),
        ]
        .iter()
        .map(|payload| measure(|| feed(decoder, payload)).count_total)
        .sum::<u64>()
    };
    let templates = [
        Message::v9(0).template(256, FLOW).bytes(),
        Message::ipfix(0).template(256, FLOW).template(257, TEXT).bytes(),
    ];
    let mut other = Batch::default();
    for payload in &templates {
        decoder.decode(&datagram(0xc000_0201, payload), &mut other, &mut |_| {});
    }
    // Batches fill up several times until all memory is at hand.
    for at in 1..400 {
        round(&mut decoder, at);
    }
    let taken: u64 = (400..800).map(|at| round(&mut decoder, at)).sum();
    assert_eq!(taken, 0, "allocations in 400 rounds of v5, v9 and IPFIX");
}

#[test]
fn a_million_spoofed_exporters_take_a_bounded_memory_and_disturb_nobody_named() {
    let listeners = [ListenerConfig {
        name: "any".into(),
        protocol: Protocol::Auto,
        transport: crds::config::Transport::Udp,
        port: 0,
    }];
    let named = SourceConfig {
        name: "core".into(),
        prefixes: vec!["192.0.2.0/24".parse().unwrap()],
        ..SourceConfig::default()
    };
    let template = Message::v9(1).template(256, FLOW).bytes();
    let unknown = Message::v9(2).data(300, &flows(20)).bytes();
    let mut batch = Batch::default();
    let mut decoder = Decoder::new(Limits::default());
    decoder.set_sources(&listeners, &[named]);
    let mut reported = 0;
    let used = measure(|| {
        for exporter in 0..1_000_000_u32 {
            let payload = if exporter % 2 == 0 { &template } else { &unknown };
            decoder.decode(&datagram(exporter.wrapping_mul(2_654_435_761), payload), &mut batch, &mut |_| {});
            if exporter % 100_000 == 0 {
                let reports = decoder.take_reports(&listeners).0;
                reported += reports.iter().map(|report| report.counts.datagrams).sum::<u64>();
            }
        }
    });
    reported += decoder.take_reports(&listeners).0.iter().map(|report| report.counts.datagrams).sum::<u64>();
    assert_eq!(reported, 1_000_000, "every datagram is counted on some stream");
    // 1,024 newcomers with their templates and what waits for one.
    assert!(used.bytes_max < 8 << 20, "{used:?}");
    assert!(batch.is_empty());
    decoder.decode(&datagram(0xc000_0201, &template), &mut batch, &mut |_| {});
    for at in 2..12 {
        let flows = Message::v9(at).data(256, &flows(20)).bytes();
        decoder.decode(&datagram(0xc000_0201, &flows), &mut batch, &mut |_| {});
    }
    assert_eq!(batch.len(), 200, "an exporter of a named source has its place after all that");
}

#[test]
fn endless_new_template_numbers_of_one_exporter_take_a_bounded_memory() {
    let mut batch = Batch::default();
    let mut decoder = Decoder::new(Limits::default());
    let fields = vec![(1, 4, 0); 1000];
    let used = measure(|| {
        for at in 0..4000_u32 {
            let id = 256 + (at % 65_000) as u16;
            let payload = Message::ipfix(0).domain(at / 2000).template(id, &fields).bytes();
            decoder.decode(&datagram(0xc000_0201, &payload), &mut batch, &mut |_| {});
        }
    });
    assert!(used.bytes_max < 20 << 20, "{used:?}");
}
