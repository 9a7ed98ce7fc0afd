//! flow-generator says exactly what it sent: nfcapd and sfcapd count the same, channel by channel.

use std::net::SocketAddr;
use std::time::Duration;

use e2e::namespace::Namespace;
use e2e::nfdump::{Capture, Kind, Stored, Sums};
use e2e::program::{Program, output_of, own};
use rustix::process::Signal;
use serde_json::Value;

const TARGET: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9996);

fn generate(namespace: &Namespace, arguments: &[&str]) -> Value {
    let mut command = namespace.command(own("flow-generator"));
    command.args(["-t", "127.0.0.1", "-p", "9996"]).args(arguments);
    serde_json::from_str(&output_of(command)).expect("the summary is JSON")
}

/// sfcapd counts whole frames.
fn sums(of: &Value, bytes: &str) -> Sums {
    let number = |name: &str| of[name].as_u64().unwrap_or(0);
    Sums { flows: number("flows"), packets: number("packets"), bytes: number(bytes) }
}

fn assert_stored(stored: &Stored, said: &Value, bytes: &str) {
    assert_eq!(stored.sums(""), sums(said, bytes), "in all");
    for (channel, port) in [
        ("ftp", 21),
        ("ssh", 22),
        ("dns", 53),
        ("http", 80),
        ("https", 443),
        ("sip", 5060),
        ("bittorrent", 6682),
    ] {
        assert_eq!(
            stored.sums(&format!("port {port}")),
            sums(&said["channels"][channel], bytes),
            "{channel}"
        );
    }
    assert_eq!(stored.sums("proto icmp"), sums(&said["channels"]["icmp"], bytes), "icmp");
    for exporter in said["exporters"].as_array().expect("a list") {
        let address = exporter["address"].as_str().expect("an address");
        assert_eq!(stored.sums(&format!("router ip {address}")), sums(exporter, bytes), "{address}");
    }
}

fn counts_the_same(kind: Kind, protocol: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("generator");
    let capture = Capture::start(kind, &namespace, TARGET, folder.path());
    let words =
        ["--protocol", protocol, "--flows", "20000", "--rate", "20000", "--exporters", "3", "--seed", "5"];
    let said = generate(&namespace, &words);
    assert_eq!(said["flows"], 20_000);
    let stored = capture.stop();
    assert_stored(&stored, &said, if kind == Kind::Sfcapd { "l2_bytes" } else { "bytes" });
}

#[test]
fn netflow5_is_what_nfcapd_counts() {
    counts_the_same(Kind::Nfcapd, "netflow5");
}

#[test]
fn netflow9_is_what_nfcapd_counts() {
    counts_the_same(Kind::Nfcapd, "netflow9");
}

#[test]
fn ipfix_is_what_nfcapd_counts() {
    counts_the_same(Kind::Nfcapd, "ipfix");
}

#[test]
fn sflow_is_what_sfcapd_counts() {
    counts_the_same(Kind::Sfcapd, "sflow");
}

#[test]
fn the_same_seed_gives_the_same_flows() {
    let namespace = Namespace::create("generator");
    let words = ["--protocol", "ipfix", "--flows", "3000", "--rate", "30000", "--seed", "11"];
    let (first, second) = (generate(&namespace, &words), generate(&namespace, &words));
    assert_eq!(first["channels"], second["channels"]);
    let other = generate(&namespace, &[&words[..7], &["12"]].concat());
    assert_ne!(first["channels"], other["channels"]);
}

#[test]
fn an_interrupted_run_still_says_what_it_sent() {
    let folder = tempfile::tempdir().unwrap();
    let namespace = Namespace::create("generator");
    let mut capture = Capture::start(Kind::Nfcapd, &namespace, TARGET, folder.path());
    let mut command = namespace.command(own("flow-generator"));
    command.args(["-t", "127.0.0.1", "-p", "9996", "--rate", "2000"]);
    let mut generator = Program::start("flow-generator", folder.path(), command);
    capture.wait_for_exporter();
    generator.signal(Signal::INT);
    assert!(generator.wait(Duration::from_secs(5)).success());
    let output = generator.output();
    let said: Value = serde_json::from_str(&output[output.find('{').unwrap()..]).unwrap();
    assert_stored(&capture.stop(), &said, "bytes");
}

#[test]
fn a_target_outside_loopback_is_refused_with_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let namespace = Namespace::create("generator");
    let mut command = namespace.command(own("flow-generator"));
    command.args(["-t", "192.0.2.1", "-p", "9996"]);
    let mut generator = Program::start("flow-generator", folder.path(), command);
    assert_eq!(generator.wait(Duration::from_secs(5)).code(), Some(2));
    assert!(generator.output().contains("--allow-remote"));
}
