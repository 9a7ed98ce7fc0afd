//! From a FlowCollector: listeners, sources, slot length and retention, with their defaults.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::super::{
    ListenerConfig, Protocol, ReceiveConfig, RetentionConfig, SamplingConfig, SourceConfig, Transport,
    duration, palette, size,
};
use super::{Fleet, Report, cluster, empty, tenant};
use crate::collector::{Edge, FlowCollector, FlowCollectorSpec, Listener, Retention, Sampling, Source, Step};
use crate::config::selection::unreadable;

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
const YEAR_MS: u64 = 365 * DAY_MS;

const DEFAULT_SLOT_MS: u64 = 10 * SECOND_MS;

/// What a receive buffer may be, in bytes: less holds no burst, more is past the kernel's own limit.
const RECEIVE_BUFFERS: RangeInclusive<u32> = 64 << 10..=1 << 30;

/// Everything but the profiles.
pub(super) fn fleet(collector: &FlowCollector, report: &mut Report) -> Fleet {
    let spec = &collector.spec;
    let slot_ms = slot_length(spec.slot_length.as_deref(), report);
    let mut fleet = empty(collector, u32::try_from(slot_ms).unwrap_or(u32::MAX));
    fleet.edge.receive = receive(spec.edge.as_ref(), report);
    fleet.edge.listeners = listeners(&spec.listeners, report);
    fleet.edge.sources = sources(&spec.sources, &fleet.edge.listeners, report);
    fleet.aggregator.sources = fleet.edge.sources.clone();
    let aggregator = spec.aggregator.clone().unwrap_or_default();
    fleet.aggregator.retention = retention(&aggregator.retention, slot_ms, report);
    fleet.aggregator.storage_path = aggregator.storage.and_then(|storage| storage.path);
    selectors(spec, report);
    tenant::check_all(collector, report);
    fleet.cluster = cluster::resolve(collector, &fleet.edge.listeners, report);
    fleet
}

fn selectors(spec: &FlowCollectorSpec, report: &mut Report) {
    let all = [
        ("profileSelector", &spec.profile_selector),
        ("profileNamespaceSelector", &spec.profile_namespace_selector),
        ("targetSelector", &spec.target_selector),
        ("targetNamespaceSelector", &spec.target_namespace_selector),
    ];
    for (field, selector) in all {
        for (path, message) in selector.iter().flat_map(unreadable) {
            report.at(format!("spec.{field}{path}"), message);
        }
    }
}

fn slot_length(text: Option<&str>, report: &mut Report) -> u64 {
    let Some(text) = text else { return DEFAULT_SLOT_MS };
    match duration::parse(text) {
        Some(ms) if ms > 0 && MINUTE_MS.is_multiple_of(ms) => ms,
        _ => {
            let right = "it must divide a minute: 1s, 2s, 3s, 4s, 5s, 6s, 10s, 12s, 15s, 20s, 30s or 60s";
            report.at("spec.slotLength", format!("{text:?} is no slot length; {right}"));
            DEFAULT_SLOT_MS
        }
    }
}

fn receive(given: Option<&Edge>, report: &mut Report) -> ReceiveConfig {
    let default = ReceiveConfig::default();
    let Some(given) = given else { return default };
    let buffer = given.receive_buffer.as_deref().map_or(Some(default.buffer), |text| {
        let bytes = size::parse(text).and_then(|bytes| u32::try_from(bytes).ok());
        let fits = bytes.filter(|bytes| RECEIVE_BUFFERS.contains(bytes));
        if fits.is_none() {
            let right = "write a size from 64Ki to 1Gi, such as 16Mi";
            report.at("spec.edge.receiveBuffer", format!("{text:?} is no receive buffer; {right}"));
        }
        fits
    });
    ReceiveConfig {
        workers: given.workers.unwrap_or(default.workers),
        buffer: buffer.unwrap_or(default.buffer),
    }
}

/// The collector's listeners, unchecked.
pub(super) fn listening(collector: &FlowCollector) -> Vec<ListenerConfig> {
    let given = &collector.spec.listeners;
    if given.is_empty() { default_listeners() } else { given.iter().map(listener).collect() }
}

fn listener(given: &Listener) -> ListenerConfig {
    ListenerConfig {
        name: given.name.clone(),
        protocol: given.protocol,
        transport: given.transport.unwrap_or_default(),
        port: given.port,
    }
}

fn listeners(given: &[Listener], report: &mut Report) -> Vec<ListenerConfig> {
    if given.is_empty() {
        return default_listeners();
    }
    let (mut names, mut ports) = (HashSet::new(), HashSet::new());
    for (index, listener) in given.iter().enumerate() {
        if !names.insert(&listener.name) {
            report.at(format!("spec.listeners[{index}].name"), taken("listener", &listener.name));
        }
        let transport = listener.transport.unwrap_or_default();
        if !ports.insert((listener.port, transport)) {
            let message = format!("port {} stands twice; give each listener its own", listener.port);
            report.at(format!("spec.listeners[{index}].port"), message);
        }
        if transport == Transport::Tcp && listener.protocol != Protocol::Ipfix {
            let message = "only IPFIX comes over TCP: use protocol IPFIX, or transport UDP";
            report.at(format!("spec.listeners[{index}]"), message);
        }
    }
    given.iter().map(listener).collect()
}

fn default_listeners() -> Vec<ListenerConfig> {
    let each = [
        ("netflow", Protocol::NetFlow, 2055),
        ("ipfix", Protocol::Ipfix, 4739),
        ("sflow", Protocol::SFlow, 6343),
        ("any", Protocol::Auto, 9996),
    ];
    let config = |(name, protocol, port): (&str, _, _)| ListenerConfig {
        name: name.to_owned(),
        protocol,
        transport: Transport::Udp,
        port,
    };
    each.map(config).into()
}

fn sources(given: &[Source], listeners: &[ListenerConfig], report: &mut Report) -> Vec<SourceConfig> {
    let mut names = HashSet::new();
    let mut made = Vec::with_capacity(given.len());
    for (index, source) in given.iter().enumerate() {
        let path = format!("spec.sources[{index}]");
        if !names.insert(&source.name) {
            report.at(format!("{path}.name"), taken("source", &source.name));
        }
        if source.listeners.is_empty() && source.prefixes.is_empty() {
            report.at(&path, "a source needs listeners, prefixes or both");
        }
        for (at, name) in source.listeners.iter().enumerate() {
            if !listeners.iter().any(|listener| listener.name == *name) {
                let known: Vec<_> = listeners.iter().map(|listener| listener.name.as_str()).collect();
                let message = format!("there is no listener {name:?}; there are {}", known.join(", "));
                report.at(format!("{path}.listeners[{at}]"), message);
            }
        }
        made.push(SourceConfig {
            name: source.name.clone(),
            listeners: source.listeners.clone(),
            prefixes: prefixes(&source.prefixes, &path, report),
            sampling: sampling(source.sampling.as_ref()),
            out_counters: source.out_counters.unwrap_or_default(),
            decapsulate: source.decapsulate.clone(),
            sequence: source.sequence,
            color: Some(source.color.clone().unwrap_or_else(|| palette::color(index))),
        });
    }
    made
}

fn prefixes(given: &[String], path: &str, report: &mut Report) -> Vec<IpNet> {
    let mut made = Vec::with_capacity(given.len());
    for (at, text) in given.iter().enumerate() {
        match prefix(text) {
            Ok(prefix) => made.push(prefix),
            Err(message) => report.at(format!("{path}.prefixes[{at}]"), message),
        }
    }
    made
}

fn prefix(text: &str) -> Result<IpNet, String> {
    let Ok(prefix) = text.parse::<IpNet>() else {
        let hint = match text.parse::<std::net::IpAddr>() {
            Ok(address) => format!("write {}", IpNet::from(address)),
            Err(_) => "write an address and a length: 192.0.2.0/24 or 2001:db8::/48".to_owned(),
        };
        return Err(format!("{text:?} is no prefix; {hint}"));
    };
    if prefix.trunc() != prefix {
        return Err(format!("{text:?} has bits set past its length; write {}", prefix.trunc()));
    }
    if let IpNet::V6(v6) = prefix
        && v6.addr().to_ipv4_mapped().is_some()
    {
        return Err(format!("{text:?} is an IPv4 prefix in IPv6 form; write it as IPv4"));
    }
    Ok(prefix)
}

fn sampling(given: Option<&Sampling>) -> SamplingConfig {
    let Some(given) = given else { return SamplingConfig::default() };
    SamplingConfig { default: given.default, override_: given.override_ }
}

fn retention(given: &[Retention], slot_ms: u64, report: &mut Report) -> Vec<RetentionConfig> {
    let defaults = [
        (Step::Slot, slot_ms, 48 * HOUR_MS),
        (Step::Minute, MINUTE_MS, 14 * DAY_MS),
        (Step::FiveMinutes, 5 * MINUTE_MS, 400 * DAY_MS),
        (Step::Hour, HOUR_MS, 3 * YEAR_MS),
        (Step::Day, DAY_MS, 10 * YEAR_MS),
    ];
    let mut made: Vec<RetentionConfig> = Vec::with_capacity(defaults.len());
    for (step, step_ms, default_ms) in defaults {
        let listed = given.iter().enumerate().find(|(_, retention)| retention.step == step);
        let keep_ms = match listed {
            Some((at, retention)) => keep(retention, step_ms, at, report),
            None => default_ms,
        };
        // A slot of a minute is the step 1m: one of both, kept as long as the longer.
        match made.last_mut() {
            Some(finer) if finer.step_ms == step_ms => finer.keep_ms = finer.keep_ms.max(keep_ms),
            _ => made.push(RetentionConfig { step_ms, keep_ms }),
        }
    }
    for (at, retention) in given.iter().enumerate() {
        if given[..at].iter().any(|earlier| earlier.step == retention.step) {
            report.at(format!("spec.aggregator.retention[{at}].step"), "this step stands twice; keep one");
        }
    }
    made
}

fn keep(retention: &Retention, step_ms: u64, at: usize, report: &mut Report) -> u64 {
    let least = HOUR_MS.max(2 * step_ms);
    match duration::parse(&retention.keep) {
        Some(ms) if ms >= least => ms,
        read => {
            let wrong = if read.is_some() { "too short" } else { "no duration" };
            let message = format!(
                "{:?} is {wrong}; write at least {}, such as 48h, 14d or 3y",
                retention.keep,
                if least == HOUR_MS {
                    "1h"
                } else if least == 2 * HOUR_MS {
                    "2h"
                } else {
                    "2d"
                }
            );
            report.at(format!("spec.aggregator.retention[{at}].keep"), message);
            least
        }
    }
}

fn taken(what: &str, name: &str) -> String {
    format!("there is a {what} {name:?} already; each name stands once")
}
