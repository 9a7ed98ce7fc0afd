//! An ExportTarget of type Kafka against a real broker: flows arrive, each once, as what they were; a broker that is
//! away costs what is counted, and collection nothing.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use e2e::deadline::wait_for;
use e2e::kafka::{Kafka, PASSWORD, PLAIN, SECURE, USER};
use e2e::namespace::Namespace;
use e2e::nfdump::Sums;
use e2e::program::{output_of, own};
use e2e::weir::{Weir, write_folder};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(90);

fn target(root: &Path, name: &str, kafka: &str) {
    let text = format!(
        "apiVersion: weir.dev/v1alpha1\nkind: ExportTarget\nmetadata: {{name: {name}}}\nspec:\n  type: Kafka\n  kafka: {kafka}\n"
    );
    fs::write(root.join(format!("{name}.yaml")), text).expect("the folder is writable");
}

fn generate(namespace: &Namespace, protocol: &str, flows: &str, seed: &str) -> Value {
    let mut command = namespace.command(own("flow-generator"));
    command.args(["-t", "127.0.0.1", "-p", "9996", "--rate", "5000", "--exporters", "3", "--flows", flows]);
    command.args(["--seed", seed, "--protocol", protocol]);
    serde_json::from_str(&output_of(command)).expect("the summary is JSON")
}

fn sums(of: &Value) -> Sums {
    let number = |name: &str| of[name].as_u64().expect("a number");
    Sums { flows: number("flows"), packets: number("packets"), bytes: number("bytes") }
}

/// A number in JSON, or in protojson, where 64 bits are text and 0 is absent.
fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default()
}

fn counts(weir: &Weir<'_>, target: &str) -> (u64, u64) {
    let label = format!("target=\"default/{target}\"");
    (weir.metric("weir_export_sent_total", &label), weir.metric("weir_export_dropped_total", &label))
}

/// Waits until a target has accounted for so many flows, and gives (sent, dropped).
fn settled(weir: &Weir<'_>, target: &str, flows: u64) -> (u64, u64) {
    let explain = || format!("(sent, dropped) is {:?} of {flows}\n{}", counts(weir, target), weir.output());
    wait_for(&format!("{flows} flows of {target}"), PATIENCE, explain, || {
        let (sent, dropped) = counts(weir, target);
        (sent + dropped == flows).then_some((sent, dropped))
    })
}

#[test]
fn flows_arrive_once_as_json_and_as_goflow2_writes_them_keyed_by_their_exporter() {
    let temporary = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("kafka");
    let yaml = temporary.path().join("yaml");
    write_folder(&yaml, &[("all", "any"), ("dns", "port 53")]);
    let all = "flows: [{profile: proof, channels: [all, dns]}]";
    target(&yaml, "json", &format!("{{brokers: ['{PLAIN}'], topic: json, {all}}}"));
    target(
        &yaml,
        "goflow",
        &format!("{{brokers: ['{PLAIN}'], topic: goflow, {all}, format: GoFlow2Protobuf, compression: LZ4}}"),
    );
    let dns = "flows: [{profile: default/proof, channels: [dns]}]";
    target(&yaml, "dns", &format!("{{brokers: ['{PLAIN}'], topic: dns, {dns}, key: None}}"));
    let kafka = Kafka::start(&namespace, temporary.path());
    let weir = Weir::standalone(&namespace, &yaml, temporary.path());
    let said = generate(&namespace, "ipfix", "6000", "5");
    weir.expect("default/proof", "all", sums(&said));
    for topic in ["json", "goflow"] {
        assert_eq!(settled(&weir, topic, 6_000), (6_000, 0), "{topic}");
        let messages = kafka.read(topic, if topic == "json" { "json" } else { "goflow2" }, 6_000);
        assert_eq!(messages.len(), 6_000, "{topic}: each flow once");
        let of = |name: &str| messages.iter().map(|(_, flow)| number(&flow[name])).sum::<u64>();
        assert_eq!((of("packets"), of("bytes")), (sums(&said).packets, sums(&said).bytes), "{topic}");
        for exporter in said["exporters"].as_array().expect("a list") {
            let of_exporter = messages.iter().filter(|(key, _)| exporter["address"] == key.as_str()).count();
            assert_eq!(of_exporter as u64, sums(exporter).flows, "{topic}: {exporter}");
        }
        let ports = if topic == "json" { ["src_port", "dst_port"] } else { ["srcPort", "dstPort"] };
        let dns = |flow: &&Value| ports.iter().any(|port| number(&flow[*port]) == 53);
        let dns = messages.iter().map(|(_, flow)| flow).filter(dns).count() as u64;
        assert_eq!(dns, sums(&said["channels"]["dns"]).flows, "{topic}");
        assert!(
            messages.iter().all(|(key, flow)| topic != "json" || flow["exporter"] == key.as_str()),
            "the key is the exporter"
        );
    }
    let dns = sums(&said["channels"]["dns"]).flows;
    assert_eq!(settled(&weir, "dns", dns), (dns, 0));
    let messages = kafka.read("dns", "json", usize::try_from(dns).expect("few"));
    assert!(messages.len() as u64 == dns && messages.iter().all(|(key, _)| key.is_empty()));
    weir.stop();
}

#[test]
fn a_broker_that_is_away_is_counted_and_told_and_delivery_goes_on_when_it_is_back() {
    let temporary = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("kafka-away");
    let yaml = temporary.path().join("yaml");
    write_folder(&yaml, &[("all", "any")]);
    target(&yaml, "out", &format!("{{brokers: ['{PLAIN}'], topic: out, flows: [{{profile: proof}}]}}"));
    let mut kafka = Kafka::start(&namespace, temporary.path());
    let weir = Weir::standalone(&namespace, &yaml, temporary.path());
    let mut sent = sums(&generate(&namespace, "netflow5", "2000", "1"));
    weir.expect("default/proof", "all", sent);
    assert_eq!(settled(&weir, "out", 2_000), (2_000, 0));
    kafka.kill();
    let more = sums(&generate(&namespace, "netflow9", "2000", "2"));
    sent = Sums {
        flows: sent.flows + more.flows,
        packets: sent.packets + more.packets,
        bytes: sent.bytes + more.bytes,
    };
    weir.expect("default/proof", "all", sent);
    let told = || weir.output().contains("default/out does not deliver: Unreachable").then_some(());
    wait_for("a word of the broker that is away", PATIENCE, || weir.output(), told);
    let lost = settled(&weir, "out", 4_000).1;
    assert!(lost > 0, "what waited for half a minute is given up");
    kafka.resume();
    generate(&namespace, "ipfix", "2000", "3");
    let (came, dropped) = settled(&weir, "out", 6_000);
    assert!(dropped == lost && came == 6_000 - lost, "{dropped} dropped, {lost} of them before");
    let told = || weir.output().contains("default/out delivers").then_some(());
    wait_for("a word of the broker that is back", PATIENCE, || weir.output(), told);
    let messages = kafka.read("out", "json", usize::try_from(came).expect("few"));
    assert_eq!(messages.len() as u64, came, "each acknowledged flow is there once");
    weir.stop();
}

#[test]
fn with_tls_and_scram_a_corrected_password_is_used_without_a_restart() {
    let temporary = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::create("kafka-secure");
    let (yaml, secrets) = (temporary.path().join("yaml"), temporary.path().join("secrets"));
    write_folder(&yaml, &[("all", "any")]);
    fs::create_dir(&secrets).expect("the folder is writable");
    let kafka = Kafka::start(&namespace, temporary.path());
    let access = format!(
        "tls: {{caRef: {{name: kafka, key: ca.crt}}}}, sasl: {{mechanism: SCRAM-SHA-512, username: {USER}, passwordRef: {{name: kafka, key: password}}}}"
    );
    target(
        &yaml,
        "out",
        &format!("{{brokers: ['{SECURE}'], topic: out, flows: [{{profile: proof}}], {access}}}"),
    );
    let words: [&OsStr; 2] = ["--target-secrets".as_ref(), secrets.as_os_str()];
    let weir = Weir::standalone_with(&namespace, &yaml, temporary.path(), &words);
    let told = |word: &str| {
        let line = format!("default/out does not deliver: {word}");
        wait_for(word, PATIENCE, || weir.output(), || weir.output().contains(&line).then_some(()));
    };
    told("SecretMissing");
    fs::copy(kafka.roots(), secrets.join("default.kafka.ca.crt")).expect("the folder is writable");
    fs::write(secrets.join("default.kafka.password"), "wrong").expect("the folder is writable");
    told("AuthenticationFailed");
    fs::write(secrets.join("default.kafka.password"), format!("{PASSWORD}\n"))
        .expect("the folder is writable");
    let said = generate(&namespace, "sflow", "500", "4");
    weir.expect("default/proof", "all", sums(&said));
    let (came, _) = settled(&weir, "out", 500);
    let before = came;
    generate(&namespace, "netflow5", "500", "5");
    let (came, _) = settled(&weir, "out", 1_000);
    assert!(came >= before + 500, "the second password is right: {came} came, {before} of them before");
    assert_eq!(kafka.read("out", "json", usize::try_from(came).expect("few")).len() as u64, came);
    assert!(!weir.output().contains(PASSWORD), "no log holds a password");
    weir.stop();
}
