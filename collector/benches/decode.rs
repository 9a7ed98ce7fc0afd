//! What decoding a record costs: NetFlow v5, v9 and IPFIX with 20 fields each, datagrams of common size.
//!
//! Bars: v9 and IPFIX at most 10 ns a record, v5 at most 4 ns.

use std::hint::black_box;
use std::net::IpAddr;
use std::time::Duration;

use collector::decode::{Datagram, Decoder, Limits};
use collector::flow::Batch;
use crds::config::Protocol;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

#[expect(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/decoding/message.rs"]
mod message;

use message::{Message, V5};

/// Datagrams in a round: more than a cache line predictor learns by heart.
const DATAGRAMS: u32 = 256;

/// The 20 fields of a usual v9 export, 60 bytes a record.
const V9: &[(u16, u16, u32)] = &[
    (8, 4, 0),
    (12, 4, 0),
    (15, 4, 0),
    (10, 4, 0),
    (14, 4, 0),
    (2, 4, 0),
    (1, 4, 0),
    (22, 4, 0),
    (21, 4, 0),
    (7, 2, 0),
    (11, 2, 0),
    (6, 1, 0),
    (4, 1, 0),
    (5, 1, 0),
    (61, 1, 0),
    (16, 4, 0),
    (17, 4, 0),
    (9, 1, 0),
    (13, 1, 0),
    (56, 6, 0),
];

/// The same in IPFIX: 64-bit counters and millisecond times, 72 bytes a record.
const IPFIX: &[(u16, u16, u32)] = &[
    (8, 4, 0),
    (12, 4, 0),
    (15, 4, 0),
    (10, 4, 0),
    (14, 4, 0),
    (2, 8, 0),
    (1, 8, 0),
    (152, 8, 0),
    (153, 8, 0),
    (7, 2, 0),
    (11, 2, 0),
    (6, 1, 0),
    (4, 1, 0),
    (5, 1, 0),
    (61, 1, 0),
    (16, 4, 0),
    (17, 4, 0),
    (9, 1, 0),
    (13, 1, 0),
    (58, 2, 0),
];

/// Records of numbers that look random; protocols are TCP, UDP and now and then ICMP.
fn records(fields: &[(u16, u16, u32)], count: u32, seed: u32) -> Vec<Vec<u8>> {
    let mut state = u64::from(seed) | 1;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    let mut field = |element: u16, length: u16| match element {
        4 => vec![[6, 6, 17, 1][usize::from(byte() > 128) + usize::from(byte() > 230) * 2]],
        _ => (0..length).map(|_| byte()).collect(),
    };
    (0..count)
        .map(|_| fields.iter().flat_map(|(element, length, _)| field(*element, *length)).collect())
        .collect()
}

/// What this thread has used of a processor: a busy machine does not change it much.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split(' ').next().and_then(|field| field.parse().ok());
    Duration::from_nanos(nanoseconds.expect("Linux tells a thread's processor time"))
}

fn measure(c: &mut Criterion, name: &str, records: u64, template: &[u8], datagrams: &[Vec<u8>]) {
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(records));
    // Processor time is told in steps of some milliseconds: few samples, long ones.
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    let mut decoder = Decoder::new(Limits::default());
    let mut batch = Batch::default();
    let exporter: IpAddr = [192, 0, 2, 1].into();
    let mut feed = |decoder: &mut Decoder, payload: &[u8]| {
        let datagram = Datagram {
            listener: 0,
            accepts: Protocol::Auto,
            exporter,
            port: 40_000,
            received_ms: 1_700_000_000_000,
            payload,
        };
        decoder.decode(&datagram, &mut batch, &mut |batch| {
            black_box(&*batch);
        });
    };
    if !template.is_empty() {
        feed(&mut decoder, template);
    }
    group.bench_function(name, |b| {
        b.iter_custom(|rounds| {
            let before = cpu_time();
            for _ in 0..rounds {
                for datagram in datagrams {
                    feed(&mut decoder, black_box(datagram));
                }
            }
            cpu_time().saturating_sub(before)
        });
    });
    group.finish();
}

fn netflow5(c: &mut Criterion) {
    let datagrams: Vec<_> = (0..DATAGRAMS)
        .map(|at| V5 { sequence: at * 30, count: 30, dst_port: at as u16, ..V5::default() }.bytes())
        .collect();
    measure(c, "netflow5, 30 records", u64::from(DATAGRAMS) * 30, &[], &datagrams);
}

fn netflow9(c: &mut Criterion) {
    let template = Message::v9(0).template(256, V9).bytes();
    for count in [24, 3] {
        let datagrams: Vec<_> =
            (0..DATAGRAMS).map(|at| Message::v9(at).data(256, &records(V9, count, at)).bytes()).collect();
        let name = format!("netflow9, 20 fields, {count} records");
        measure(c, &name, u64::from(DATAGRAMS * count), &template, &datagrams);
    }
}

fn ipfix(c: &mut Criterion) {
    let template = Message::ipfix(0).template(256, IPFIX).bytes();
    let datagrams: Vec<_> =
        (0..DATAGRAMS).map(|at| Message::ipfix(at * 20).data(256, &records(IPFIX, 20, at)).bytes()).collect();
    measure(c, "ipfix, 20 fields, 20 records", u64::from(DATAGRAMS) * 20, &template, &datagrams);
}

criterion_group!(benches, netflow5, netflow9, ipfix);
criterion_main!(benches);
