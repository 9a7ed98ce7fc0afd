//! What decoding a record costs, by protocol and template shape, in processor time of this thread.
//!
//! Bars: v9 and IPFIX of 20 fields at most 10 ns a record, v5 at most 4, sFlow at most 15 a sample.
#![allow(missing_docs, reason = "criterion's macros make public items without them")]

#[path = "load/decode.rs"]
mod load;

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use load::{Running, cases};

/// What this thread has used of a processor: a busy machine does not change it much.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split(' ').next().and_then(|field| field.parse().ok());
    Duration::from_nanos(nanoseconds.expect("Linux tells a thread's processor time"))
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    // Processor time is told in steps of some milliseconds: few samples, long ones.
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for case in cases() {
        let name = case.name;
        group.throughput(Throughput::Elements(case.records));
        let mut running = Running::new(case);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let before = cpu_time();
                (0..rounds).for_each(|_| running.round());
                cpu_time().saturating_sub(before)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
