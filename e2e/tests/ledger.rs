//! The loss ledger of a running Weir, for each protocol: a relay drops, repeats and holds back datagrams in known
//! numbers and lets the exporter start anew, and both balances are exact in the API, in `/metrics` and in
//! `weir decode --counters`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::deadline::wait_for;
use e2e::namespace::Namespace;
use e2e::program::{Program, own};
use e2e::relay::{Plan, Relay, Relayed};
use e2e::weir::{Weir, write_folder};
use serde_json::{Value, json};

/// Where datagrams have what.
struct Format {
    protocol: &'static str,
    generated: &'static str,
    /// The byte at which the sequence number begins.
    sequence: usize,
    /// The first number that the exporter sends.
    first: u32,
    /// The sequence units and the data records in a datagram.
    held: fn(&[u8]) -> (i64, i64),
    /// Begins the numbers anew that stand deeper in a datagram.
    restart: fn(&mut [u8], &mut BTreeMap<u32, u32>),
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn half(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))
}

/// The sets of a v9 or IPFIX message: id and body.
fn sets(message: &[u8], header: usize) -> Vec<(usize, &[u8])> {
    let (mut sets, mut at) = (Vec::new(), header);
    while at + 4 <= message.len() {
        let (id, length) = (half(message, at), half(message, at + 2));
        sets.push((id, &message[at + 4..at + length]));
        at += length;
    }
    sets
}

/// Templates in template sets whose templates have fields of four bytes each.
fn templates(message: &[u8], header: usize) -> i64 {
    let mut count = 0;
    for (_, mut body) in sets(message, header).into_iter().filter(|(id, _)| *id < 4) {
        while body.len() > 4 {
            assert_eq!(half(body, 2) & 0xff00, 0, "few fields");
            body = body.get(4 + 4 * half(body, 2)..).unwrap_or_default();
            count += 1;
        }
    }
    count
}

/// Sample numbers of a datagram with an IPv4 agent: data source, and where the number stands.
fn samples(datagram: &[u8]) -> Vec<(u32, usize)> {
    let (mut found, mut at) = (Vec::new(), 28);
    while at + 16 <= datagram.len() {
        found.push((word(datagram, at + 12), at + 8));
        at += 8 + word(datagram, at + 4) as usize;
    }
    found
}

fn restart_samples(datagram: &mut [u8], bases: &mut BTreeMap<u32, u32>) {
    for (source, at) in samples(datagram) {
        let number = word(datagram, at);
        let base = bases.entry(source).or_insert(number);
        datagram[at..at + 4].copy_from_slice(&(number - *base + 1).to_be_bytes());
    }
}

const V5: Format = Format {
    protocol: "netflow5",
    generated: "netflow5",
    sequence: 16,
    first: 0,
    held: |bytes| (half(bytes, 2) as i64, half(bytes, 2) as i64),
    restart: |_, _| {},
};

const V9: Format = Format {
    protocol: "netflow9",
    generated: "netflow9",
    sequence: 12,
    first: 0,
    held: |bytes| (1, half(bytes, 2) as i64 - templates(bytes, 20)),
    restart: |_, _| {},
};

const SFLOW: Format = Format {
    protocol: "sflow5",
    generated: "sflow",
    sequence: 16,
    first: 1,
    held: |bytes| (1, i64::from(word(bytes, 24))),
    restart: restart_samples,
};

/// The records that flow-generator's templates 256 and 257 describe.
const IPFIX_V4: usize = 72;
const IPFIX_V6: usize = 108;

const TARGET: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9996);
const RELAY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9000);
/// The datagrams of a run: the rest that the generator sends is left out.
const DATAGRAMS: usize = 40;
const RESTART: usize = 25;

/// Eleven things go wrong, none of them to the first or last datagram of an epoch.
fn plan() -> Plan {
    Plan {
        drop: BTreeSet::from([3, 9, 10, 30]),
        twice: BTreeSet::from([5, 33]),
        hold: BTreeMap::from([(7, 2), (14, 4), (15, 1), (35, 3)]),
        restart: Some(RESTART),
    }
}

/// What the ledger must say, from what was sent alone.
#[derive(Debug)]
struct Expected {
    expected: i64,
    received: i64,
    duplicates: i64,
    missing: i64,
    records: i64,
}

fn expected(format: &Format, relayed: &Relayed, plan: &Plan) -> Expected {
    let units = |at: &usize| (format.held)(&relayed.sent[*at]).0;
    let passed = relayed.passed.iter().map(|datagram| (format.held)(datagram));
    let duplicates: i64 = plan.twice.iter().map(units).sum();
    let twice: i64 = plan.twice.iter().map(|at| (format.held)(&relayed.sent[*at]).1).sum();
    Expected {
        expected: (0..DATAGRAMS).map(|at| units(&at)).sum(),
        received: passed.clone().map(|(units, _)| units).sum(),
        duplicates,
        missing: plan.drop.iter().map(units).sum(),
        records: passed.map(|(_, records)| records).sum::<i64>() - twice,
    }
}

/// Runs the generator through the relay.
fn relay(namespace: &Namespace, folder: &Path, format: &Format) -> Relayed {
    let source = ([127, 0, 0, 11], 0).into();
    let relay = Relay::start(namespace, RELAY, source, TARGET, plan());
    let mut command = namespace.command(own("flow-generator"));
    command.args(["-t", "127.0.0.1", "-p", &RELAY.port().to_string(), "--protocol", format.generated]);
    command.args(["--exporters", "1", "--rate", "2000", "--seed", "7", "--traffic", "uniform"]);
    let generator = Program::start("flow-generator", folder, command);
    let (mut base, mut bases) = (None, BTreeMap::new());
    let relayed = relay.run(DATAGRAMS, |datagram| {
        let number = word(datagram, format.sequence);
        let number = number - *base.get_or_insert(number) + format.first;
        datagram[format.sequence..format.sequence + 4].copy_from_slice(&number.to_be_bytes());
        (format.restart)(datagram, &mut bases);
    });
    drop(generator);
    relayed
}

fn stream(weir: &Weir<'_>) -> Value {
    weir.get("/api/v1/exporters")["exporters"][0].clone()
}

fn sum(reasons: &Value) -> i64 {
    reasons.as_object().expect("by reason").values().filter_map(Value::as_i64).sum()
}

fn check_api(stream: &Value, expected: &Expected, plan: &Plan) {
    for (name, value) in [
        ("expected", expected.expected),
        ("received", expected.received),
        ("duplicates", expected.duplicates),
        ("missing", expected.missing),
        ("reordered", plan.hold.len() as i64),
        ("restarts", 1),
        ("recordsReceived", expected.records),
        ("uncountedSets", 0),
    ] {
        assert_eq!(stream[name], value, "{name}: {expected:?}\n{stream:#}");
    }
    let number = |value: &Value| value.as_i64().expect("a number");
    let decoded = number(&stream["records"]) + number(&stream["optionsRecords"]);
    let rest = sum(&stream["undecodable"]) + number(&stream["waiting"]["records"]);
    assert_eq!(decoded + rest, expected.records, "{stream:#}");
    assert_eq!(rest, 0, "{stream:#}");
    let epoch = &stream["epoch"];
    let balance = number(&epoch["received"]) - number(&epoch["duplicates"]) + number(&epoch["missing"]);
    assert_eq!(number(&epoch["expected"]), balance, "{stream:#}");
}

fn check_metrics(weir: &Weir<'_>, expected: &Expected, format: &Format) {
    let text = weir.text("/metrics");
    for (name, value) in [
        ("weir_sequence_expected", expected.expected),
        ("weir_sequence_received", expected.received),
        ("weir_sequence_duplicates", expected.duplicates),
        ("weir_sequence_missing", expected.missing),
        ("weir_exporter_restarts", 1),
        ("weir_records_received", expected.records),
    ] {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name}{{")) && line.contains(format.protocol));
        let found = line.and_then(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        assert_eq!(found, Some(value as f64), "{name}: {line:?}");
    }
}

fn check_counters(folder: &Path, relayed: &Relayed, expected: &Expected, plan: &Plan) {
    let mut weir = Command::new(own("weir"));
    weir.args(["decode", "--counters", "-o", "json", "--exporter", "127.0.0.11"]);
    for (at, datagram) in relayed.passed.iter().enumerate() {
        let file = folder.join(format!("{at}.bin"));
        fs::write(&file, datagram).expect("the folder is writable");
        weir.arg(file);
    }
    let output = weir.output().expect("weir starts");
    let said: Value = serde_json::from_slice(&output.stderr).expect("JSON");
    let stream = &said["streams"][0];
    let sequence = json!({
        "unit": stream["sequence"]["unit"], "expected": expected.expected, "received": expected.received,
        "inferred": 0, "duplicates": expected.duplicates, "reordered": plan.hold.len(),
        "missing": expected.missing, "restarts": 1, "next": stream["sequence"]["next"],
    });
    assert_eq!(stream["sequence"], sequence);
    assert_eq!(stream["records_received"], expected.records);
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count() as i64, said["records"]);
}

/// What the numbers of samples say, by data source and epoch: received, and missing between first and last.
fn sampled(relayed: &Relayed) -> (i64, i64) {
    let mut seen: BTreeMap<(bool, u32), BTreeSet<u32>> = BTreeMap::new();
    let restarted: BTreeSet<&Vec<u8>> = relayed.sent[RESTART..].iter().collect();
    for datagram in &relayed.passed {
        for (source, at) in samples(datagram) {
            seen.entry((restarted.contains(datagram), source)).or_default().insert(word(datagram, at));
        }
    }
    let received = seen.values().map(|numbers| numbers.len() as i64).sum();
    let span = |numbers: &BTreeSet<u32>| Some(i64::from(numbers.last()? - numbers.first()?) + 1);
    let spans: i64 = seen.values().filter_map(span).sum();
    (received, spans - received)
}

fn balances(format: &Format) -> (Relayed, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("ledger");
    let yaml = folder.path().join("yaml");
    write_folder(&yaml, &[("all", "any")]);
    let weir = Weir::standalone(&namespace, &yaml, folder.path());
    let relayed = relay(&namespace, folder.path(), format);
    let plan = plan();
    let expected = expected(format, &relayed, &plan);
    let explain = || format!("{:#}\n{}", weir.get("/api/v1/exporters"), weir.output());
    let told = wait_for("every datagram in the ledger", Duration::from_secs(20), explain, || {
        let stream = stream(&weir);
        (stream["datagrams"].as_u64() == Some(relayed.passed.len() as u64)).then_some(stream)
    });
    assert_eq!(told["protocol"], format.protocol);
    assert_eq!(told["sequence"], "standard");
    check_api(&told, &expected, &plan);
    check_metrics(&weir, &expected, format);
    check_counters(folder.path(), &relayed, &expected, &plan);
    weir.stop();
    (relayed, told)
}

#[test]
fn netflow5_balances_in_flows() {
    let (_, told) = balances(&V5);
    assert_eq!(told["missingRecords"], json!({"records": told["missing"], "estimated": false}));
}

#[test]
fn netflow9_balances_in_packets_and_estimates_the_records_lost() {
    let (_, told) = balances(&V9);
    assert_eq!((&told["missing"], &told["missingRecords"]["estimated"]), (&json!(4), &json!(true)));
}

/// The units of an IPFIX message are those by which its number steps: its records, counted here by their template.
#[test]
fn ipfix_balances_in_data_records() {
    let held = |message: &[u8]| {
        let records: usize = sets(message, 16)
            .iter()
            .filter(|(id, _)| *id >= 256)
            .map(|(id, body)| body.len() / if *id == 256 { IPFIX_V4 } else { IPFIX_V6 })
            .sum();
        (records as i64, records as i64)
    };
    let format =
        Format { protocol: "ipfix", generated: "ipfix", sequence: 8, first: 0, held, restart: |_, _| {} };
    let (relayed, _) = balances(&format);
    for pair in relayed.sent[..RESTART].windows(2) {
        assert_eq!(
            word(&pair[1], 8) - word(&pair[0], 8),
            held(&pair[0]).0 as u32,
            "the exporter's own steps"
        );
    }
}

#[test]
fn sflow_balances_in_datagrams_and_in_samples_by_data_source() {
    let (relayed, told) = balances(&SFLOW);
    let (received, missing) = sampled(&relayed);
    assert_eq!(
        (&told["samples"]["received"], &told["samples"]["missing"]),
        (&json!(received), &json!(missing))
    );
    assert!(missing > 0, "{told:#}");
}
