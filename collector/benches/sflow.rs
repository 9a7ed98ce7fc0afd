//! What decoding an sFlow sample costs: datagrams of seven samples, each with 128 bytes of a TCP or UDP packet
//! and the switch's VLANs.
//!
//! Bar: at most 15 ns a sample.

use std::hint::black_box;
use std::time::Duration;

use collector::decode::{Datagram, Decoder, Limits};
use collector::flow::Batch;
use crds::config::Protocol;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etherparse::PacketBuilder;

/// Different datagrams in a round: more than a branch predictor learns by heart.
const DATAGRAMS: u32 = 256;
const SAMPLES: u32 = 7;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// The first 128 bytes of a frame; `number` varies addresses, ports and, if `mixed`, the kind of packet.
fn header(number: u32, mixed: bool) -> Vec<u8> {
    let [a, b, c, d] = number.wrapping_mul(2_654_435_761).to_be_bytes();
    let port = u16::from_be_bytes([c, d]);
    let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let mut frame = Vec::new();
    let built = match number.count_ones() % 3 {
        1 if mixed => {
            link.ipv4([192, 0, 2, a], [198, 51, 100, b], 61).udp(53, port).write(&mut frame, &[0; 400])
        }
        2 if mixed => link.ipv6([a; 16], [b; 16], 61).tcp(443, port, 1, 2).write(&mut frame, &[0; 400]),
        _ => {
            link.ipv4([192, 0, 2, a], [198, 51, 100, b], 61).tcp(443, port, 1, 2).write(&mut frame, &[0; 400])
        }
    };
    built.expect("the packet fits");
    frame.truncate(128);
    frame
}

fn datagram(sequence: u32, mixed: bool) -> Vec<u8> {
    let mut out = words(&[5, 1, 0xc000_020a, 0, sequence, 1000, SAMPLES]);
    for at in 0..SAMPLES {
        let body = [1, 3, 512, 1000, 0, 3, 4, 2];
        let switch = [1001, 16, 100, 0, 200, 0];
        out.extend(words(&[1, 4 * 8 + 24 + 24 + 128]));
        out.extend(words(&body));
        out.extend(words(&[1, 16 + 128, 1, 458, 4, 128]));
        out.extend(header(sequence * SAMPLES + at, mixed));
        out.extend(words(&switch));
    }
    out
}

fn received(payload: &[u8]) -> Datagram<'_> {
    Datagram {
        listener: 0,
        accepts: Protocol::Auto,
        exporter: [192, 0, 2, 9].into(),
        port: 6000,
        received_ms: 1_767_225_600_000,
        payload,
    }
}

/// What this thread has used of a processor: on a shared machine the clock on the wall says little.
fn cpu_time() -> Duration {
    let stat =
        std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux accounts for its threads");
    let nanoseconds = stat.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.expect("the first number is the time on a processor"))
}

fn samples(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sflow");
    group.throughput(Throughput::Elements(u64::from(DATAGRAMS * SAMPLES)));
    for (name, mixed) in [("tcp", false), ("mixed", true)] {
        let mut payloads: Vec<Vec<u8>> = (0..DATAGRAMS).map(|sequence| datagram(sequence, mixed)).collect();
        let mut decoder = Decoder::new(Limits::default());
        let mut batch = Batch::default();
        let mut sequence = 0_u32;
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let start = cpu_time();
                for _ in 0..rounds {
                    for payload in &mut payloads {
                        // Each datagram is the next of its stream, as on the wire.
                        payload[16..20].copy_from_slice(&sequence.to_be_bytes());
                        sequence = sequence.wrapping_add(1);
                        decoder.decode(&received(payload), &mut batch, &mut |full| {
                            black_box(full.len());
                        });
                    }
                }
                cpu_time() - start
            });
        });
    }
    group.finish();
}

criterion_group!(benches, samples);
criterion_main!(benches);
