//! The committed captures of real exporters: `weir decode` and nfdump read the same flows from them.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::namespace::Namespace;
use e2e::nfdump::{Capture, Kind};
use e2e::program::{output_of, own};
use etherparse::{SlicedPacket, TransportSlice};
use pcap_parser::{LegacyPcapSlice, PcapBlockOwned};
use serde_json::Value;

/// Protocol, source, destination, source port, destination port, packets, bytes: as text, to be sorted.
type Flow = [String; 7];

const TARGET: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9996);
const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../collector/tests/data/captures");

/// Its counters stand beside the running totals of the bridge, which nfcapd 1.7.1 takes for the flow's.
const COUNTERS_MISREAD_BY_NFCAPD: &str = "openvswitch-ipfix";

/// What nfcapd and sfcapd 1.7.1 do not take: a sample with tunnel records (it ends the datagram), sampled frames in
/// IPFIX.
const NOT_TAKEN: [&str; 2] = ["openvswitch-sflow-vxlan", "softflowd-psamp"];

fn payloads(file: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(file).expect("the capture is there");
    let blocks = LegacyPcapSlice::from_slice(&bytes).expect("a pcap file");
    let packets = blocks.map(|block| match block.expect("a whole packet") {
        PcapBlockOwned::Legacy(packet) => packet.data,
        _ => panic!("a pcap file has packets only"),
    });
    let payload = |packet| match SlicedPacket::from_ethernet(packet).expect("a packet").transport {
        Some(TransportSlice::Udp(udp)) => udp.payload().to_vec(),
        other => panic!("captures hold UDP only, not {other:?}"),
    };
    packets.map(payload).collect()
}

/// What nfcapd or sfcapd stores of these datagrams.
fn by_nfdump(kind: Kind, payloads: &[Vec<u8>]) -> Vec<Flow> {
    let folder = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("captures");
    let capture = Capture::start(kind, &namespace, TARGET, folder.path());
    let socket = namespace.run(|| UdpSocket::bind("127.0.0.1:0")).expect("a socket");
    for payload in payloads {
        socket.send_to(payload, TARGET).expect("loopback takes a datagram");
    }
    let mut nfdump = Command::new("nfdump");
    nfdump.arg("-r").arg(capture.stop().file());
    nfdump.args(["-q", "-N", "-6", "-o", "fmt:%pr,%sa,%da,%sp,%dp,%pkt,%byt"]);
    output_of(nfdump).lines().map(parse).collect()
}

fn parse(line: &str) -> Flow {
    let fields: Vec<_> = line.split(',').map(|field| field.trim().to_owned()).collect();
    let mut flow: Flow = fields.try_into().unwrap_or_else(|fields| panic!("seven fields, not {fields:?}"));
    // ICMP has no ports; where nfdump shows its type differs by protocol.
    if flow[0] == "1" || flow[0] == "58" {
        flow[3] = "0".to_owned();
        flow[4] = "0".to_owned();
    }
    flow
}

fn by_weir(file: &Path, bytes: &str) -> Vec<Flow> {
    let mut weir = Command::new(own("weir"));
    weir.args(["decode", "-o", "json"]).arg(file);
    let text = |record: &Value, name: &str, absent: &str| match &record[name] {
        Value::Null => absent.to_owned(),
        Value::String(text) => text.clone(),
        number => number.to_string(),
    };
    let flow = |line: &str| {
        let record: Value = serde_json::from_str(line).expect("a line of JSON");
        [
            ("proto", "0"),
            ("src_addr", "0.0.0.0"),
            ("dst_addr", "0.0.0.0"),
            ("src_port", "0"),
            ("dst_port", "0"),
        ]
        .map(|(name, absent)| text(&record, name, absent))
        .into_iter()
        .chain([text(&record, "packets", "0"), text(&record, bytes, "0")])
        .collect::<Vec<_>>()
        .try_into()
        .expect("seven fields")
    };
    output_of(weir).lines().map(flow).collect()
}

fn compare(file: &Path) {
    let name = file.file_stem().expect("a file").to_string_lossy();
    let (kind, bytes) =
        if name.contains("sflow") { (Kind::Sfcapd, "l2_bytes") } else { (Kind::Nfcapd, "bytes") };
    let (mut theirs, mut ours) = (by_nfdump(kind, &payloads(file)), by_weir(file, bytes));
    for flow in theirs.iter_mut().chain(&mut ours) {
        if name.starts_with(COUNTERS_MISREAD_BY_NFCAPD) {
            flow[5].clear();
            flow[6].clear();
        }
    }
    theirs.sort();
    ours.sort();
    assert!(!ours.is_empty(), "{name}");
    assert_eq!(ours, theirs, "{name}");
}

#[test]
fn weir_and_nfdump_read_the_same_flows_from_every_capture() {
    let files = fs::read_dir(CAPTURES).expect("the captures are there").flatten().map(|entry| entry.path());
    let mut real: Vec<PathBuf> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "pcap"))
        .filter(|file| !file.ends_with("sflow-quirks.pcap"))
        .filter(|file| !NOT_TAKEN.iter().any(|name| file.file_stem().is_some_and(|stem| stem == *name)))
        .collect();
    real.sort();
    assert!(real.len() >= 12, "{real:?}");
    real.iter().for_each(|file| compare(file));
}
