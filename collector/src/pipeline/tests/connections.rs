//! IPFIX over TCP through the workers: what is counted, and what its option tables teach.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use flow_generator::arguments::Protocol as Spoken;

use super::{Exporter, QUEUE, Rig, flows_of, sent, sums};
use crate::slot::{Block, LIVE, NameFact, NameOf, StreamFacts, StreamKey, Tally, add_reasons};
use crate::socket;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ipfix_over_tcp_counts_beside_udp_up_to_the_last_message_with_any_number_of_workers() {
    let mut counted = Vec::new();
    for workers in [1, 4] {
        let rig = Rig::start(workers);
        let mut exporters: Vec<_> = (1..=4).map(|number| Exporter::new(Spoken::Ipfix, number)).collect();
        let mut beside = Exporter::new(Spoken::Netflow5, 5);
        let connect = |_| {
            let stream = TcpStream::connect(("127.0.0.1", rig.tcp)).unwrap();
            // Else the sender's kernel keeps the last part back until the one before is acknowledged.
            stream.set_nodelay(true).unwrap();
            stream
        };
        let mut streams: Vec<_> = (0..4).map(connect).collect();
        for round in 0..50 {
            for (exporter, stream) in exporters.iter_mut().zip(&mut streams) {
                let message = exporter.datagram(5);
                exporter.sent += 5;
                // Some messages come in two parts.
                let (head, tail) = message.split_at(if round % 3 == 0 { 30 } else { message.len() });
                stream.write_all(head).unwrap();
                stream.write_all(tail).unwrap();
            }
            beside.send(rig.port);
        }
        let blocks = rig.stop().await;
        let counts = sums(&blocks);
        assert_eq!(flows_of(LIVE, &counts), sent(&exporters) + beside.sent, "{workers} workers");
        let listener = |name: &str| {
            let all = blocks.iter().flat_map(|block| &block.listeners);
            let mut of_it = all.filter(|report| report.listener == name).cloned();
            let first = of_it.next().unwrap();
            of_it.fold(first, |mut sum, more| {
                sum.add(&more);
                sum
            })
        };
        let (tcp, udp) = (listener("tcp"), listener("any"));
        assert_eq!((tcp.datagrams, tcp.connections, tcp.kernel_drops.len()), (200, 4, 0));
        assert_eq!((udp.datagrams, udp.connections, udp.kernel_drops), (50, 0, vec![0; socket::LANES]));
        counted.push(counts);
    }
    assert_eq!(counted[0], counted[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_belongs_to_its_connection_and_goes_with_it() {
    let mut rig = Rig::start(1);
    let mut exporter = Exporter::new(Spoken::Ipfix, 1);
    let to = ("127.0.0.1", rig.tcp);
    let mut first = TcpStream::connect(to).unwrap();
    let mut other = TcpStream::connect(to).unwrap();
    // The first message alone announces the templates.
    first.write_all(&exporter.datagram(5)).unwrap();
    other.write_all(&exporter.datagram(6)).unwrap();
    first.write_all(&exporter.datagram(7)).unwrap();
    drop(first);
    let mut blocks = vec![rig.block().await.unwrap()];
    other.write_all(&exporter.datagram(8)).unwrap();
    drop(other);
    while !blocks
        .iter()
        .flat_map(|block| &block.listeners)
        .any(|l| l.closed.iter().any(|(_, count)| *count > 0))
    {
        blocks.push(rig.block().await.unwrap());
    }
    blocks.extend(rig.stop().await);
    assert_eq!(flows_of(LIVE, &sums(&blocks)), 12);
    let mut unknown: BTreeMap<u16, u64> = BTreeMap::new();
    for report in blocks.iter().flat_map(|block| &block.streams) {
        *unknown.entry(report.key.port).or_default() += report.counts.unknown_template_sets;
    }
    let mut unknown: Vec<u64> = unknown.into_values().collect();
    unknown.sort_unstable();
    assert_eq!(unknown, [0, 2], "both messages of the other connection");
}

/// What python-ipfix 0.9.7 writes to a connection: 200 IPv4 records with a field of variable length (some past 255
/// bytes) and 100 IPv6 records with counters of reduced size, the n-th of n packets and 100 n bytes.
const OTHERS_STREAM: &[u8] = include_bytes!("../../../tests/data/streams/python-ipfix-0.9.7.ipfix");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stream_of_another_implementation_is_counted_to_the_byte() {
    let rig = Rig::start(1);
    let mut stream = TcpStream::connect(("127.0.0.1", rig.tcp)).unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in OTHERS_STREAM.chunks(701) {
        stream.write_all(piece).unwrap();
    }
    drop(stream);
    let blocks = rig.stop().await;
    let counts = sums(&blocks);
    let live = counts.iter().filter(|((profile, ..), _)| profile == LIVE).map(|(_, counters)| counters);
    let (mut tcp, mut udp) = (Tally::default(), Tally::default());
    for counters in live {
        tcp.add(&counters.tcp);
        udp.add(&counters.udp);
    }
    assert_eq!((tcp.flows, udp.flows), (200, 100));
    assert_eq!((tcp.packets + udp.packets, tcp.bytes + udp.bytes), (45_150, 4_515_000));
    let mut unread = Vec::new();
    for report in blocks.iter().flat_map(|block| &block.streams) {
        assert_eq!(report.counts.missing, 0);
        add_reasons(&mut unread, &report.counts.faults);
    }
    assert_eq!(unread, [("set_too_short".to_owned(), 4)], "four messages end with a set without records");
}

/// A message of domain 7 with this sequence number and these sets, each with its number.
fn message(sequence: u32, sets: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (id, set) in sets {
        body.extend(id.to_be_bytes());
        body.extend((set.len() as u16 + 4).to_be_bytes());
        body.extend(*set);
    }
    let mut message = [&[0, 10][..], &(body.len() as u16 + 16).to_be_bytes(), &[0x65, 0, 0, 0]].concat();
    message.extend(sequence.to_be_bytes());
    message.extend(7_u32.to_be_bytes());
    message.extend(body);
    message
}

/// An options template (300: a name of 4 bytes by ingressInterface) and what it says of interface 9.
fn interface_name(sequence: u32) -> Vec<u8> {
    let template = [300_u16, 2, 1, 10, 4, 82, 4].map(u16::to_be_bytes).concat();
    message(sequence, &[(3, &template), (300, b"\0\0\0\x09ge-0")])
}

/// The facts of the TCP listener's streams in the blocks that come until `until` is content with the last of them.
async fn facts_until(rig: &mut Rig, until: impl Fn(&StreamFacts) -> bool) -> StreamFacts {
    loop {
        let Block { facts, .. } = rig.block().await.unwrap();
        if let Some(facts) = facts.into_iter().rfind(|facts| facts.key.listener == "tcp")
            && until(&facts)
        {
            return facts;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn option_tables_of_a_connection_are_reported_and_void_when_it_ends() {
    let mut rig = Rig::start(2);
    let mut stream = TcpStream::connect(("127.0.0.1", rig.tcp)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(&interface_name(0)).unwrap();
    stream.write_all(&interface_name(1)).unwrap();
    let told = facts_until(&mut rig, |facts| !facts.is_empty()).await;
    let name = NameFact { of: NameOf::Interface, number: 9, name: "ge-0".into() };
    assert_eq!((told.names, told.templates.len()), (vec![name], 1));
    assert_eq!((told.key.port, told.key.domain), (stream.local_addr().unwrap().port(), 7));
    drop(stream);
    let ended = facts_until(&mut rig, StreamFacts::is_empty).await;
    assert_eq!(ended.key, told.key);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_connection_taught_before_a_restart_is_void_and_what_a_port_taught_is_not() {
    let taught = |listener: &str| {
        let mut facts = StreamFacts::new(ended_key(listener), 1, None);
        facts.names.push(NameFact { of: NameOf::Interface, number: 9, name: "ge-0".into() });
        facts
    };
    let mut rig = Rig::resume(1, &[taught("tcp"), taught("any")], (QUEUE, Duration::from_secs(600)));
    let Block { facts, .. } = rig.block().await.unwrap();
    assert_eq!(facts, [StreamFacts::new(ended_key("tcp"), 0, None)]);
    rig.stop().await;
}

fn ended_key(listener: &str) -> StreamKey {
    StreamKey {
        listener: listener.into(),
        exporter: "192.0.2.1".parse().unwrap(),
        port: 4_000,
        protocol: "ipfix".into(),
        domain: 7,
        agent: None,
    }
}
