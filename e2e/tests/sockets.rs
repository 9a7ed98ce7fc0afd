//! What reaches the sockets is counted, whatever carries it and however many threads receive.

use std::fs;
use std::path::Path;

use e2e::namespace::Namespace;
use e2e::nfdump::Sums;
use e2e::program::{output_of, own};
use e2e::weir::{Weir, write_folder};
use serde_json::Value;

fn generate(namespace: &Namespace, port: &str, arguments: &[&str]) -> Value {
    let mut command = namespace.command(own("flow-generator"));
    command.args(["-t", "127.0.0.1", "-p", port, "--flows", "6000", "--rate", "6000", "--exporters", "12"]);
    command.args(arguments);
    serde_json::from_str(&output_of(command)).expect("the summary is JSON")
}

fn add(sums: &mut Sums, said: &Value) {
    let number = |name: &str| said[name].as_u64().expect("a number");
    sums.flows += number("flows");
    sums.packets += number("packets");
    sums.bytes += number("bytes");
}

/// A folder with the profile `default/proof`, whose one channel is everything.
fn folder(root: &Path, spec: &str) {
    write_folder(root, &[("all", "any")]);
    let collector = format!(
        "apiVersion: weir.dev/v1alpha1\nkind: FlowCollector\nmetadata: {{name: proof}}\nspec:\n  slotLength: 2s\n{spec}"
    );
    fs::write(root.join("collector.yaml"), collector).expect("the folder is writable");
}

#[test]
fn one_two_and_four_threads_count_what_was_sent_in_every_protocol() {
    for workers in ["1", "2", "4"] {
        let temporary = tempfile::tempdir().expect("a folder");
        let namespace = Namespace::create("workers");
        let yaml = temporary.path().join("yaml");
        folder(&yaml, &format!("  edge: {{workers: {workers}}}\n"));
        let weir = Weir::standalone(&namespace, &yaml, temporary.path());
        let mut sent = Sums::default();
        for protocol in ["netflow5", "netflow9", "ipfix", "sflow"] {
            add(&mut sent, &generate(&namespace, "9996", &["--protocol", protocol, "--seed", "3"]));
        }
        weir.expect("default/proof", "all", sent);
        weir.stop();
    }
}

#[test]
fn ipfix_over_tcp_is_counted_beside_ipfix_over_udp_on_the_same_port() {
    let temporary = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("tcp");
    let yaml = temporary.path().join("yaml");
    let listeners = "  listeners:
    - {name: ipfix, protocol: IPFIX, port: 4739}
    - {name: ipfix-tcp, protocol: IPFIX, transport: TCP, port: 4739}
";
    folder(&yaml, listeners);
    let weir = Weir::standalone(&namespace, &yaml, temporary.path());
    assert!(weir.output().contains("ipfix-tcp tcp port 4739"), "{}", weir.output());
    let mut sent = Sums::default();
    add(
        &mut sent,
        &generate(&namespace, "4739", &["--protocol", "ipfix", "--transport", "tcp", "--seed", "4"]),
    );
    add(&mut sent, &generate(&namespace, "4739", &["--protocol", "ipfix", "--seed", "5"]));
    weir.expect("default/proof", "all", sent);
    let answer = weir.get("/api/v1/exporters");
    let listeners = answer["listeners"].as_array().expect("a list");
    let tcp = listeners.iter().find(|listener| listener["listener"] == "ipfix-tcp").expect("the listener");
    assert_eq!(tcp["closed"]["ended"], 12, "{tcp}");
    let exporters = answer["exporters"].as_array().expect("a list");
    let missing: Vec<_> = exporters.iter().filter(|exporter| exporter["missing"] != 0).collect();
    assert!(missing.is_empty(), "{missing:?}");
    weir.stop();
}
