//! An ExportTarget of type Replicate does what samplicator does: the next collector counts what it would have counted
//! itself, and one that is away is noticed by nobody else.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use e2e::deadline::wait_for;
use e2e::namespace::Namespace;
use e2e::nfdump::{Capture, Kind, Stored, Sums};
use e2e::program::{Program, output_of, own};
use e2e::weir::{Weir, write_folder};
use serde_json::Value;

const NEXT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9995);
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder with the profile `default/proof` and a target with this `replicate`.
fn folder(root: &Path, replicate: &str) {
    write_folder(root, &[("all", "any")]);
    let target = format!(
        "apiVersion: weir.dev/v1alpha1\nkind: ExportTarget\nmetadata: {{name: next}}\nspec:\n  type: Replicate\n  replicate: {replicate}\n"
    );
    fs::write(root.join("target.yaml"), target).expect("the folder is writable");
}

fn generate(namespace: &Namespace, protocol: &str) -> Value {
    let mut command = namespace.command(own("flow-generator"));
    command.args([
        "-t",
        "127.0.0.1",
        "-p",
        "9996",
        "--flows",
        "20000",
        "--rate",
        "20000",
        "--exporters",
        "3",
    ]);
    command.args(["--seed", "5", "--protocol", protocol]);
    serde_json::from_str(&output_of(command)).expect("the summary is JSON")
}

fn sums(of: &Value) -> Sums {
    let number = |name: &str| of[name].as_u64().expect("a number");
    Sums { flows: number("flows"), packets: number("packets"), bytes: number("bytes") }
}

/// Waits until everything that a target with so many destinations was due is accounted for, and gives what was sent.
fn settled(weir: &Weir<'_>, destinations: u64) -> u64 {
    let counts = || {
        let due = weir.metric("weir_datagrams_total", "") * destinations;
        let sent = weir.metric("weir_export_sent_total", "default/next");
        (due, sent, weir.metric("weir_export_dropped_total", "default/next"))
    };
    let explain = || format!("(due, sent, dropped) is {:?}\n{}", counts(), weir.output());
    wait_for("an account that adds up", PATIENCE, explain, || {
        let (due, sent, dropped) = counts();
        (due > 0 && due == sent + dropped).then_some(sent)
    })
}

#[test]
fn nfcapd_behind_a_target_counts_what_was_sent_in_every_protocol() {
    for protocol in ["netflow5", "netflow9", "ipfix"] {
        let temporary = tempfile::tempdir().expect("a folder");
        let namespace = Namespace::create("replicate");
        let yaml = temporary.path().join("yaml");
        folder(&yaml, "{destinations: [{address: 127.0.0.1, port: 9995}]}");
        let capture = Capture::start(Kind::Nfcapd, &namespace, NEXT, temporary.path());
        let weir = Weir::standalone(&namespace, &yaml, temporary.path());
        let said = generate(&namespace, protocol);
        weir.expect("default/proof", "all", sums(&said));
        let sent = settled(&weir, 1);
        assert_eq!(sent, weir.metric("weir_datagrams_total", ""), "{protocol}: nothing was dropped");
        assert_eq!(capture.stop().sums(""), sums(&said), "{protocol}");
        weir.stop();
    }
}

#[test]
fn with_preserve_source_the_next_collector_knows_each_exporter_by_its_address() {
    let temporary = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("relay");
    let yaml = temporary.path().join("yaml");
    folder(&yaml, "{preserveSource: true, destinations: [{address: 127.0.0.1, port: 9995}]}");
    let capture = Capture::start(Kind::Nfcapd, &namespace, NEXT, temporary.path());
    let socket = temporary.path().join("relay.sock");
    let mut command = namespace.command(own("weir"));
    command.arg("relay").arg("--socket").arg(&socket);
    let mut relay = Program::start("relay", temporary.path(), command);
    relay.wait_for_line(PATIENCE, |line| line.starts_with("weir is ready").then_some(()));
    let words = ["--relay-socket".as_ref(), socket.as_os_str()];
    let weir = Weir::standalone_with(&namespace, &yaml, temporary.path(), &words);
    let said = generate(&namespace, "netflow9");
    weir.expect("default/proof", "all", sums(&said));
    assert_eq!(settled(&weir, 1), weir.metric("weir_datagrams_total", ""), "nothing was dropped");
    let stored: Stored = capture.stop();
    for exporter in said["exporters"].as_array().expect("a list") {
        let address = exporter["address"].as_str().expect("an address");
        assert_eq!(stored.sums(&format!("router ip {address}")), sums(exporter), "{address}");
    }
    weir.stop();
    assert!(relay.stop().success());
    assert!(!socket.exists(), "the relay takes its socket with it");
}

#[test]
fn one_in_three_is_every_third_datagram_of_each_source_unchanged() {
    let temporary = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("one-in");
    let yaml = temporary.path().join("yaml");
    folder(&yaml, "{oneIn: 3, destinations: [{address: 127.0.0.1, port: 9995}]}");
    let next = namespace.run(|| UdpSocket::bind(NEXT).expect("the port is free"));
    let weir = Weir::standalone(&namespace, &yaml, temporary.path());
    for exporter in [11, 12] {
        let from = SocketAddr::from(([127, 0, 0, exporter], 5000));
        let socket = namespace.run(|| UdpSocket::bind(from).expect("the port is free"));
        for number in 0..10 {
            socket.send_to(&[exporter, number], ("127.0.0.1", 9996)).expect("loopback takes it");
        }
    }
    next.set_read_timeout(Some(PATIENCE)).expect("a socket has a timeout");
    let mut came: Vec<[u8; 2]> = Vec::new();
    while came.len() < 8 {
        let mut bytes = [0; 16];
        assert_eq!(next.recv(&mut bytes).expect("a datagram"), 2);
        came.push([bytes[0], bytes[1]]);
    }
    came.sort_unstable();
    let expected: Vec<[u8; 2]> = [11, 12].into_iter().flat_map(|e| [0, 3, 6, 9].map(|n| [e, n])).collect();
    assert_eq!(came, expected);
    weir.stop();
}

#[test]
fn destinations_that_refuse_or_are_not_there_delay_nothing_and_are_counted() {
    let temporary = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("away");
    let yaml = temporary.path().join("yaml");
    // Nobody listens on the first, no route leads to the second, no such name exists, and the last is the edge itself.
    let destinations = "[{address: 127.0.0.1, port: 9994}, {address: 192.0.2.1, port: 9995}, \
                        {address: collector.invalid, port: 9995}, {address: 127.0.0.1, port: 9996}, \
                        {address: 127.0.0.1, port: 9995}]";
    folder(&yaml, &format!("{{destinations: {destinations}}}"));
    let capture = Capture::start(Kind::Nfcapd, &namespace, NEXT, temporary.path());
    let weir = Weir::standalone(&namespace, &yaml, temporary.path());
    let said = generate(&namespace, "netflow5");
    weir.expect("default/proof", "all", sums(&said));
    settled(&weir, 5);
    let each = weir.metric("weir_datagrams_total", "");
    for (reason, at_least) in [("unreachable", each), ("unresolved", each), ("loop", each)] {
        let dropped = weir.metric("weir_export_dropped_total", &format!("reason=\"{reason}\""));
        assert!(dropped >= at_least, "{reason}: {dropped} of {each}");
    }
    assert_eq!(capture.stop().sums(""), sums(&said), "the one that is there gets everything");
    weir.stop();
}

#[test]
fn a_relay_that_stands_still_costs_what_the_queue_cannot_hold_and_not_one_flow() {
    let temporary = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("stuck");
    let yaml = temporary.path().join("yaml");
    folder(&yaml, "{preserveSource: true, destinations: [{address: 127.0.0.1, port: 9995}]}");
    let socket = temporary.path().join("relay.sock");
    let stuck = UnixListener::bind(&socket).expect("the folder is writable");
    // Takes every connection, reads nothing, says nothing.
    let holder = std::thread::spawn(move || stuck.incoming().take(2).flatten().collect::<Vec<_>>());
    let words = ["--relay-socket".as_ref(), socket.as_os_str()];
    let weir = Weir::standalone_with(&namespace, &yaml, temporary.path(), &words);
    let said = generate(&namespace, "netflow5");
    weir.expect("default/proof", "all", sums(&said));
    let held = holder.join().expect("two connections came");
    drop(held);
    // From here on nobody is there at all: what is queued is given up at once.
    assert_eq!(settled(&weir, 1), 0);
    assert!(weir.metric("weir_export_dropped_total", "reason=\"relay_away\"") > 0);
    weir.stop();
}
