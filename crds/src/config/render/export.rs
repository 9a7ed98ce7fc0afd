//! From an ExportTarget: its defaults, the files of its Secrets, and whether it may do what it asks for.

use std::collections::HashSet;
use std::net::IpAddr;

use super::super::target::{
    DestinationConfig, ExportConfig, FlowsConfig, KafkaConfig, ReplicateConfig, SaslConfig, SecretFile,
    TargetConfig, TlsConfig,
};
use super::super::{ListenerConfig, Transport};
use super::{Report, fleet, identity, namespace};
use crate::collector::{ExposureType, FlowCollector};
use crate::profile::FlowProfile;
use crate::target::{
    Destination, ExportTarget, Kafka, Mechanism, ProfileFlows, Replicate, Sasl, SecretKeyRef, TargetTls,
    TargetType,
};

/// A collector and the profiles that run on it: what a target's references are checked against.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The collector.
    pub collector: &'a FlowCollector,
    /// Everything that [runs](super::super::selection::runs) there, good or not.
    pub profiles: &'a [&'a FlowProfile],
}

/// A key of a Secret that a target needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretUse {
    /// Where the target names it.
    pub path: &'static str,
    /// The Secret, in the target's namespace.
    pub secret: String,
    /// The key in it.
    pub key: String,
    /// Under which name edges read it.
    pub file: SecretFile,
}

/// One target as edges read it.
pub(super) fn target(
    at: Option<Surroundings<'_>>,
    target: &ExportTarget,
    report: &mut Report,
) -> TargetConfig {
    let spec = &target.spec;
    for (set, field, wanted) in [
        (spec.replicate.is_some(), "replicate", TargetType::Replicate),
        (spec.kafka.is_some(), "kafka", TargetType::Kafka),
    ] {
        let name = spec.target_type.name();
        match (set, wanted == spec.target_type) {
            (false, true) => report.at("spec", format!("type {name} needs the field {field}")),
            (true, false) => report.at(format!("spec.{field}"), format!("type {name} does not take it")),
            _ => {}
        }
    }
    let export = match spec.target_type {
        TargetType::Replicate => {
            let given = spec.replicate.clone().unwrap_or_default();
            ExportConfig::Replicate(replicate(at, target, &given, report))
        }
        TargetType::Kafka => {
            let given = spec.kafka.clone().unwrap_or_default();
            ExportConfig::Kafka(kafka(at, target, &given, report))
        }
    };
    TargetConfig { name: identity(&target.metadata), export }
}

/// Every key of a Secret that a target needs; what edges read under [`SecretUse::file`].
pub fn secrets(target: &ExportTarget) -> Vec<SecretUse> {
    let Some(kafka) = &target.spec.kafka else { return Vec::new() };
    let mut uses = Vec::new();
    let mut wants = |path, secret: &str, key: &str| {
        let file = SecretFile::new(namespace(&target.metadata), secret, key);
        uses.push(SecretUse { path, secret: secret.to_owned(), key: key.to_owned(), file });
    };
    let tls = kafka.tls.clone().unwrap_or_default();
    if let Some(SecretKeyRef { name, key }) = &tls.ca_ref {
        wants("spec.kafka.tls.caRef", name, key);
    }
    if let Some(secret) = &tls.client_certificate_ref {
        wants("spec.kafka.tls.clientCertificateRef", &secret.name, "tls.crt");
        wants("spec.kafka.tls.clientCertificateRef", &secret.name, "tls.key");
    }
    if let Some(Sasl { password_ref: SecretKeyRef { name, key }, .. }) = &kafka.sasl {
        wants("spec.kafka.sasl.passwordRef", name, key);
    }
    uses
}

fn replicate(
    at: Option<Surroundings<'_>>,
    target: &ExportTarget,
    given: &Replicate,
    report: &mut Report,
) -> ReplicateConfig {
    if let Some(Surroundings { collector, .. }) = at {
        if namespace(&collector.metadata) != namespace(&target.metadata) {
            let message = format!(
                "datagrams of all teams are replicated only from the collector's namespace: move the target to {:?}",
                namespace(&collector.metadata)
            );
            report.at("spec.type", message);
        }
        let known: Vec<&str> = collector.spec.sources.iter().map(|source| source.name.as_str()).collect();
        named("source", &given.sources, &known, "spec.replicate.sources", report);
        let listeners = fleet::listening(collector);
        let udp = |listener: &&ListenerConfig| listener.transport == Transport::Udp;
        let known: Vec<&str> = listeners.iter().filter(udp).map(|listener| listener.name.as_str()).collect();
        named("UDP listener", &given.listeners, &known, "spec.replicate.listeners", report);
        let exposure = collector.spec.exposure.as_ref().map(|exposure| exposure.type_).unwrap_or_default();
        if given.preserve_source == Some(true) && exposure != ExposureType::HostNetwork {
            let message = "datagrams with an exporter's address leave a node only from its own network: leave it out, \
                           or set the FlowCollector's spec.exposure.type to HostNetwork";
            report.at("spec.replicate.preserveSource", message);
        }
    }
    ReplicateConfig {
        destinations: destinations(&given.destinations, report),
        sources: given.sources.clone(),
        listeners: given.listeners.clone(),
        one_in: given.one_in.unwrap_or(1),
        preserve_source: given.preserve_source.unwrap_or_default(),
    }
}

fn named(what: &str, given: &[String], known: &[&str], path: &str, report: &mut Report) {
    for (index, name) in given.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            let right = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let message = format!("the FlowCollector has no {what} {name:?}; it has {right}");
            report.at(format!("{path}[{index}]"), message);
        }
    }
}

fn destinations(given: &[Destination], report: &mut Report) -> Vec<DestinationConfig> {
    let mut seen = HashSet::new();
    let mut made = Vec::with_capacity(given.len());
    for (index, destination) in given.iter().enumerate() {
        let path = format!("spec.replicate.destinations[{index}]");
        let Destination { address, port } = destination;
        if !seen.insert((address, port)) {
            report.at(&path, format!("{address} port {port} stands twice; keep one"));
        }
        if let Err(message) = reachable(address) {
            report.at(format!("{path}.address"), message);
        }
        made.push(DestinationConfig { address: address.clone(), port: *port });
    }
    made
}

/// Whether datagrams can be sent to what is written as an address.
fn reachable(text: &str) -> Result<(), String> {
    let right = "write 192.0.2.10, 2001:db8::10 or collector.example.net";
    match text.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() => Err(format!("{text} is the address of no one; {right}")),
        Ok(_) => Ok(()),
        Err(_) if is_host_name(text) => Ok(()),
        Err(_) => Err(format!("{text:?} is neither an address nor a host name; {right}")),
    }
}

/// RFC 1123 2.1; the last label is no number, or 192.0.2.300 would be a name.
fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        inner && !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.split('.').all(label) && !last.bytes().all(|b| b.is_ascii_digit())
}

fn kafka(
    at: Option<Surroundings<'_>>,
    target: &ExportTarget,
    given: &Kafka,
    report: &mut Report,
) -> KafkaConfig {
    for (index, broker) in given.brokers.iter().enumerate() {
        let port = broker.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none_or(|port| port == 0) {
            let message = format!("{broker:?} has no port from 1 to 65535; write broker.example.net:9092");
            report.at(format!("spec.kafka.brokers[{index}]"), message);
        }
    }
    if given.topic == "." || given.topic == ".." {
        report.at("spec.kafka.topic", "Kafka has no such topic; choose another name");
    }
    if given.tls.is_none() && given.sasl.as_ref().is_some_and(|sasl| sasl.mechanism == Mechanism::Plain) {
        let message = "PLAIN sends the password as it is: set spec.kafka.tls, or use SCRAM-SHA-512";
        report.at("spec.kafka.sasl.mechanism", message);
    }
    let space = namespace(&target.metadata);
    KafkaConfig {
        brokers: given.brokers.clone(),
        topic: given.topic.clone(),
        flows: given.flows.iter().enumerate().map(|(i, flows)| chosen(at, space, i, flows, report)).collect(),
        format: given.format.unwrap_or_default(),
        key: given.key.unwrap_or_default(),
        compression: given.compression.unwrap_or_default(),
        tls: given.tls.as_ref().map(|tls| tls_files(space, tls)),
        sasl: given.sasl.as_ref().map(|sasl| sasl_files(space, sasl)),
    }
}

/// The channels that a target names, by the profile's full name.
fn chosen(
    at: Option<Surroundings<'_>>,
    space: &str,
    index: usize,
    flows: &ProfileFlows,
    report: &mut Report,
) -> FlowsConfig {
    let path = format!("spec.kafka.flows[{index}]");
    let (of, name) = flows.profile.split_once('/').unwrap_or((space, &flows.profile));
    let profile = format!("{of}/{name}");
    if let Some(Surroundings { collector, profiles }) = at {
        if of != space && space != namespace(&collector.metadata) {
            let message = format!(
                "a target outside the collector's namespace exports only profiles of its own: {space}/..., not {profile}"
            );
            report.at(format!("{path}.profile"), message);
        } else if let Some(found) = profiles.iter().find(|found| identity(&found.metadata) == profile) {
            let known: Vec<&str> = found.spec.channels.iter().map(|channel| channel.name.as_str()).collect();
            for (at, name) in flows.channels.iter().enumerate() {
                if !known.contains(&name.as_str()) {
                    let message =
                        format!("FlowProfile {profile} has no channel {name:?}; it has {}", known.join(", "));
                    report.at(format!("{path}.channels[{at}]"), message);
                }
            }
        } else {
            let message =
                format!("no FlowProfile {profile} runs on FlowCollector {}", identity(&collector.metadata));
            report.at(format!("{path}.profile"), message);
        }
    }
    FlowsConfig { profile, channels: flows.channels.clone() }
}

fn tls_files(space: &str, tls: &TargetTls) -> TlsConfig {
    let of_pair = |key: &str| {
        let secret = tls.client_certificate_ref.as_ref()?;
        Some(SecretFile::new(space, &secret.name, key))
    };
    TlsConfig {
        ca: tls.ca_ref.as_ref().map(|of| SecretFile::new(space, &of.name, &of.key)),
        certificate: of_pair("tls.crt"),
        key: of_pair("tls.key"),
    }
}

fn sasl_files(space: &str, sasl: &Sasl) -> SaslConfig {
    SaslConfig {
        mechanism: sasl.mechanism,
        username: sasl.username.clone(),
        password: SecretFile::new(space, &sasl.password_ref.name, &sasl.password_ref.key),
    }
}
