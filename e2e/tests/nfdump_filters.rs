//! Filters mean what they mean to nfdump: Debian's real one and Weir's plan and plain evaluation count the same
//! flows, filter by filter, on one capture that nfcapd and Weir both took. Each difference is listed with why.

#[path = "nfdump_filters/filters.rs"]
mod filters;
#[path = "nfdump_filters/traffic.rs"]
mod traffic;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use collector::decode::{Datagram, Decoder, Limits};
use collector::filter::{Plan, RowFilter};
use collector::flow::{Batch, Hits};
use crds::config::{CONFIG_VERSION, ChannelConfig, EdgeConfig, ProfileConfig, Protocol, Sign};
use crds::filter::{Context, check};
use e2e::namespace::Namespace;
use e2e::nfdump::{Capture, Kind, Stored};
use filters::{DIFFERENT, DIFFERENT_V5, Instead, SAME, SAME_V5, Why};
use tempfile::TempDir;

const COLLECTOR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2055);
const DATAGRAMS: u32 = 400;

/// Sends the datagrams to a real nfcapd; what it stored lies in the folder.
fn capture(datagrams: &[Vec<u8>]) -> (Stored, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("filters");
    let capture = Capture::start(Kind::Nfcapd, &namespace, COLLECTOR, folder.path());
    let socket = namespace.run(|| UdpSocket::bind("127.0.0.1:0").expect("a socket"));
    // As many at a time as its socket surely holds.
    for some in datagrams.chunks(20) {
        for datagram in some {
            socket.send_to(datagram, COLLECTOR).expect("the datagram is sent");
        }
        capture.wait_until_drained();
    }
    (capture.stop(), folder)
}

/// What Weir counts under each filter, by its plan and row by row.
struct Counts {
    plan: Plan,
    rows: Vec<RowFilter>,
    by_plan: Vec<u64>,
    by_row: Vec<u64>,
    records: u64,
}

impl Counts {
    fn new(filters: &[&str]) -> Self {
        let channel = |(at, filter): (usize, &&str)| ChannelConfig {
            name: at.to_string(),
            filter: (*filter).to_owned(),
            sources: Vec::new(),
            sign: Sign::Plus,
            color: "#000000".to_owned(),
            order: 1,
        };
        let profile = ProfileConfig {
            name: "default/filters".to_owned(),
            display_name: "filters".to_owned(),
            description: String::new(),
            group: String::new(),
            channels: filters.iter().enumerate().map(channel).collect(),
            top: Vec::new(),
        };
        let config = EdgeConfig {
            version: CONFIG_VERSION.to_owned(),
            collector: "default/filters".to_owned(),
            slot_ms: 10_000,
            receive: crds::config::ReceiveConfig::default(),
            listeners: Vec::new(),
            sources: Vec::new(),
            profiles: vec![profile],
            targets: Vec::new(),
        };
        let row_filter = |filter: &&str| {
            let expr = check(filter, Context::PROFILE);
            RowFilter::new(&expr.unwrap_or_else(|errors| panic!("{filter}: {}", errors[0])), &[])
        };
        Self {
            plan: Plan::compile(&config).expect("the filters compile"),
            rows: filters.iter().map(row_filter).collect(),
            by_plan: vec![0; filters.len()],
            by_row: vec![0; filters.len()],
            records: 0,
        }
    }

    fn of(filters: &[&str], datagrams: &[Vec<u8>]) -> Self {
        let mut counts = Self::new(filters);
        let mut decoder = Decoder::new(Limits::default());
        let mut batch = Batch::default();
        for payload in datagrams {
            let datagram = Datagram {
                listener: 0,
                accepts: Protocol::NetFlow,
                exporter: IpAddr::V4(Ipv4Addr::LOCALHOST),
                port: 50_000,
                received_ms: 1_767_225_600_000,
                payload,
            };
            decoder.decode(&datagram, &mut batch, &mut |full| counts.take(full));
        }
        counts.take(&batch);
        counts
    }

    fn take(&mut self, batch: &Batch) {
        self.records += batch.len() as u64;
        let mut hits = Hits::default();
        self.plan.run(batch, &mut hits);
        for (_, channel) in &hits.forward.pairs {
            self.by_plan[usize::from(*channel)] += 1;
        }
        for (channel, mask) in hits.forward.broad() {
            let rows: u32 = mask.words().iter().map(|word| word.count_ones()).sum();
            self.by_plan[usize::from(channel)] += u64::from(rows);
        }
        for run in batch.runs() {
            for row in run.rows() {
                for (count, filter) in self.by_row.iter_mut().zip(&self.rows) {
                    *count += u64::from(filter.matches(batch, run, row));
                }
            }
        }
    }
}

/// Compares both programs on one capture.
fn compare(datagrams: &[Vec<u8>], same: &[&str], different: &[(&str, Why, Instead)]) {
    let sent = (datagrams.len() * traffic::RECORDS) as u64;
    let (stored, _folder) = capture(datagrams);
    assert_eq!(stored.flows("any"), Ok(sent), "nfcapd took everything");

    let filters: Vec<&str> =
        same.iter().copied().chain(different.iter().map(|(filter, ..)| *filter)).collect();
    let counts = Counts::of(&filters, datagrams);
    assert_eq!(counts.records, sent, "weir decoded everything");
    assert_eq!(counts.by_plan, counts.by_row, "the plan and the plain evaluation");

    let mut wrong = Vec::new();
    for (filter, weir) in same.iter().zip(&counts.by_plan) {
        let nfdump = stored.flows(filter);
        if nfdump.as_ref() != Ok(weir) {
            wrong.push(format!("`{filter}`: weir {weir}, nfdump {nfdump:?}"));
        }
    }
    for ((filter, why, instead), weir) in different.iter().zip(&counts.by_plan[same.len()..]) {
        let nfdump = stored.flows(filter);
        let as_listed = match instead {
            Instead::Refuses => nfdump.is_err(),
            Instead::Counts => nfdump.as_ref().is_ok_and(|flows| flows != weir),
        };
        if !as_listed {
            wrong.push(format!("`{filter}` ({why}: nfdump {instead:?}): weir {weir}, nfdump {nfdump:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} filters:\n{}", wrong.len(), filters.len(), wrong.join("\n"));
    let met = counts.by_plan.iter().filter(|count| (1..sent).contains(*count)).count();
    assert!(met * 10 >= filters.len() * 6, "only {met} filters tell some flows from others");
}

#[test]
fn filters_count_the_flows_that_nfdump_counts_but_for_the_differences_listed() {
    assert!(SAME.len() >= 150, "{} filters", SAME.len());
    compare(&traffic::netflow9(DATAGRAMS), SAME, DIFFERENT);
}

#[test]
fn on_netflow5_filters_count_the_same_too() {
    compare(&traffic::netflow5(DATAGRAMS), SAME_V5, DIFFERENT_V5);
}
