//! Batches of flows and plans of channels: 21 ports as in the quickstart, and larger plans of the mix that
//! operators have (70 % port, 20 % network and port, 10 % broad), 64 sources.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use collector::account::Accounts;
use collector::filter::Plan;
use collector::flow::{Batch, Column, ColumnSet, Hits, Protocol, ROWS, Run, SamplingFrom, TimeFrom};
use crds::config::{ChannelConfig, EdgeConfig, ProfileConfig, Sign, TopConfig, TopOrder};

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

/// One of a million addresses, each power of two of them as busy as the next, as Zipf found.
fn address(net: u128, random: &mut Random) -> u128 {
    let among = 1 << (4 + random.below(17));
    net | u128::from(random.below(among))
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
            batch.addrs_mut(Column::SrcAddr)[row] = address(0xffff_0a00_0000, random);
            batch.addrs_mut(Column::DstAddr)[row] = address(0xffff_c633_0000, random);
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

fn config(filters: Vec<String>, top: Vec<TopConfig>) -> EdgeConfig {
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
        targets: Vec::new(),
        profiles: vec![ProfileConfig {
            name: "default/bench".to_owned(),
            display_name: "bench".to_owned(),
            description: String::new(),
            group: String::new(),
            channels: filters.into_iter().enumerate().map(channel).collect(),
            top,
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

/// A plan with the batches that it is measured on.
pub(crate) struct Case {
    pub(crate) channels: &'static str,
    pub(crate) flows: u64,
    batches: Vec<Batch>,
    config: EdgeConfig,
}

/// A case with its stages.
pub(crate) struct Running {
    batches: Vec<Batch>,
    plan: Plan,
    accounts: Accounts,
    hits: Hits,
}

/// Every case, in the order of the report.
pub(crate) fn cases() -> Vec<Case> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let case = |channels, filters, batches: Vec<Batch>, top| Case {
        channels,
        flows: (batches.len() * ROWS) as u64,
        batches,
        config: config(filters, top),
    };
    let top = TopConfig { element: "srcip".to_owned(), orders: vec![TopOrder::Bytes], size: 20 };
    let mut quick =
        || (0..8).map(|_| batch(&mut random, |random| PORTS[random.below(20) as usize])).collect();
    let (one, some, ranked) = (quick(), quick(), quick());
    let mut spread = || (0..8).map(|_| batch(&mut random, |random| random.below(4000) as u16)).collect();
    let (many, most) = (spread(), spread());
    vec![
        case("1", quickstart(1), one, Vec::new()),
        case("21", quickstart(21), some, Vec::new()),
        case("21 ranked", quickstart(21), ranked, vec![top]),
        case("200", mixed(200), many, Vec::new()),
        case("2000", mixed(2000), most, Vec::new()),
    ]
}

impl Running {
    /// Compiles the plan.
    pub(crate) fn new(case: Case) -> Self {
        Self {
            plan: Plan::compile(&case.config).expect("these filters compile"),
            accounts: Accounts::new(case.config.slot_ms, &case.config.profiles).expect("the top table fits"),
            batches: case.batches,
            hits: Hits::default(),
        }
    }

    /// Finds the channels of every batch once.
    pub(crate) fn filter(&mut self) {
        for batch in &self.batches {
            self.hits.clear();
            self.plan.run(black_box(batch), &mut self.hits);
            black_box(&self.hits);
        }
    }

    /// Finds them and counts.
    pub(crate) fn filter_and_account(&mut self) {
        for batch in &self.batches {
            self.hits.clear();
            self.plan.run(black_box(batch), &mut self.hits);
            self.accounts.add(batch, &self.hits, 0);
        }
    }
}
