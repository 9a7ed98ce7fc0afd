//! Filter and account, per flow: 21 port channels as in the quickstart, and larger plans of the mix that
//! operators have (70 % port, 20 % network and port, 10 % broad), 64 sources.
#![allow(missing_docs, reason = "criterion's macros make public items without them")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use collector::account::Accounts;
use collector::filter::Plan;
use collector::flow::{Batch, Column, ColumnSet, Hits, Protocol, ROWS, Run, SamplingFrom, TimeFrom};
use crds::config::{ChannelConfig, EdgeConfig, ProfileConfig, Sign};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// The ports of the quickstart's profile.
const PORTS: [u16; 20] =
    [19, 21, 22, 23, 53, 80, 110, 123, 135, 137, 161, 443, 445, 8080, 1433, 3306, 3389, 5060, 6681, 6682];

/// Rows of one set: a v9 datagram's worth.
const SET: usize = 24;

/// A number generator that gives the same flows on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn run(start: usize, len: usize, source: u16) -> Run {
    use Column as C;
    let present = [
        C::Packets,
        C::Bytes,
        C::Flows,
        C::Proto,
        C::SrcAddr,
        C::DstAddr,
        C::SrcPort,
        C::DstPort,
        C::TcpFlags,
    ];
    Run {
        start,
        len,
        protocol: Protocol::NetFlow9,
        stream: u32::from(source),
        listener: 0,
        exporter: IpAddr::V4(Ipv4Addr::new(192, 0, 2, source as u8)),
        exporter_port: 2055,
        agent: None,
        domain: 0,
        received_ms: 1_767_225_600_000,
        export_ms: 1_767_225_600_000,
        time_from: TimeFrom::Record,
        sampling_from: SamplingFrom::None,
        source,
        present: ColumnSet::of(&present),
        sparse: ColumnSet::default(),
    }
}

/// Full batches: a service port on one side of most flows, a high one on the other.
fn batch(random: &mut Random, service: impl Fn(&mut Random) -> u16) -> Batch {
    let mut batch = Batch::default();
    while batch.room() > 0 {
        let run = run(batch.len(), SET.min(batch.room()), random.below(64) as u16);
        for row in run.rows() {
            let pair = [service(random), 49_152 + random.below(16_384) as u16];
            let turned = random.below(2) as usize;
            batch.u16s_mut(Column::SrcPort)[row] = pair[turned];
            batch.u16s_mut(Column::DstPort)[row] = pair[1 - turned];
            batch.u8s_mut(Column::Proto)[row] = [6, 6, 6, 17][random.below(4) as usize];
            batch.addrs_mut(Column::SrcAddr)[row] = 0xffff_0a00_0000 | u128::from(random.below(1 << 20));
            batch.addrs_mut(Column::DstAddr)[row] = 0xffff_c633_0000 | u128::from(random.below(1 << 16));
            let packets = 1 + random.below(50);
            batch.u64s_mut(Column::Packets)[row] = packets;
            batch.u64s_mut(Column::Bytes)[row] = packets * (60 + random.below(1400));
            batch.u16s_mut(Column::TcpFlags)[row] = random.below(64) as u16;
            batch.u32s_mut(Column::Flows)[row] = 1;
        }
        batch.push_run(run);
    }
    batch
}

fn config(filters: Vec<String>) -> EdgeConfig {
    let channel = |(at, filter)| ChannelConfig {
        name: format!("c{at}"),
        filter,
        sources: Vec::new(),
        sign: Sign::Plus,
        color: "#000000".to_owned(),
        order: 1,
    };
    EdgeConfig {
        version: crds::config::CONFIG_VERSION.to_owned(),
        collector: "default/bench".to_owned(),
        slot_ms: 10_000,
        receive: crds::config::ReceiveConfig::default(),
        listeners: Vec::new(),
        sources: Vec::new(),
        profiles: vec![ProfileConfig {
            name: "default/bench".to_owned(),
            display_name: "bench".to_owned(),
            description: String::new(),
            group: String::new(),
            channels: filters.into_iter().enumerate().map(channel).collect(),
            top: Vec::new(),
        }],
    }
}

/// The quickstart's 21 channels, or fewer.
fn quickstart(count: usize) -> Vec<String> {
    let ports = PORTS.iter().map(|port| format!("port {port}"));
    ports.chain(["proto icmp".to_owned()]).take(count).collect()
}

/// The mix: each port has a channel, networks and ports overlap them, broad filters repeat.
fn mixed(count: usize) -> Vec<String> {
    let broad = [
        "proto tcp",
        "proto udp",
        "bytes > 10k",
        "packets < 3",
        "flags S and not flags A",
        "src port > 1024",
    ];
    let filter = |at: usize| match at % 10 {
        0..7 => format!("port {}", 1 + at),
        7 | 8 => format!("src net 10.{}.0.0/16 and port {}", at % 16, 1 + at / 2),
        _ => broad[at / 10 % broad.len()].to_owned(),
    };
    (0..count).map(filter).collect()
}

fn bench(criterion: &mut Criterion) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let service = |random: &mut Random| PORTS[random.below(20) as usize];
    let quick: Vec<Batch> = (0..8).map(|_| batch(&mut random, service)).collect();
    let spread: Vec<Batch> = (0..8).map(|_| batch(&mut random, |random| random.below(4000) as u16)).collect();
    let cases = [
        ("1", quickstart(1), &quick),
        ("21", quickstart(21), &quick),
        ("200", mixed(200), &spread),
        ("2000", mixed(2000), &spread),
    ];
    for (name, filters, batches) in cases {
        let config = config(filters);
        let mut group = criterion.benchmark_group(format!("filter/{name} channels"));
        group.throughput(Throughput::Elements((batches.len() * ROWS) as u64));
        group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3)).sample_size(20);
        let mut plan = Plan::compile(&config).expect("these filters compile");
        let mut hits = Hits::default();
        group.bench_function("filter", |bencher| {
            bencher.iter(|| {
                for batch in batches {
                    hits.clear();
                    plan.run(black_box(batch), &mut hits);
                    black_box(&hits);
                }
            });
        });
        let mut accounts = Accounts::new(config.slot_ms, &config.profiles).expect("no top tables");
        group.bench_function("filter and account", |bencher| {
            bencher.iter(|| {
                for batch in batches {
                    hits.clear();
                    plan.run(black_box(batch), &mut hits);
                    accounts.add(batch, &hits, 0);
                }
            });
        });
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
