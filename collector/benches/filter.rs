//! What filter and account cost a flow, by the number of channels.
//!
//! Bars: both together at most 20 ns with 21 channels, at most 60 with 2,000.
#![allow(missing_docs, reason = "criterion's macros make public items without them")]

#[path = "load/flows.rs"]
mod load;

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use load::{Running, cases};

fn bench(criterion: &mut Criterion) {
    for case in cases() {
        let mut group = criterion.benchmark_group(format!("filter/{} channels", case.channels));
        group.throughput(Throughput::Elements(case.flows));
        group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3)).sample_size(20);
        let mut running = Running::new(case);
        group.bench_function("filter", |bencher| bencher.iter(|| running.filter()));
        group.bench_function("filter and account", |bencher| bencher.iter(|| running.filter_and_account()));
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
