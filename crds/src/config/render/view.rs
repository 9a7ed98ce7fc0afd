//! From a FlowProfile: channels and tables, with their defaults and checked filters.

use std::collections::HashSet;

use super::super::{ChannelConfig, ProfileConfig, TopConfig, TopOrder, palette};
use super::{Report, identity, namespace, tenant};
use crate::collector::{FlowCollector, Tenant};
use crate::limits::{CHANNELS_PER_PROFILE, RENDERED_PROFILE_BYTES};
use crate::profile::{Channel, FlowProfile, Top};

const DEFAULT_TOP_SIZE: u32 = 10;

/// Where a profile runs, and as whose.
struct Host<'a> {
    collector: Option<&'a FlowCollector>,
    tenant: Option<&'a Tenant>,
}

impl Host<'_> {
    /// What a channel counts that names these sources.
    fn sources(&self, named: &[String]) -> Vec<String> {
        match self.tenant {
            Some(tenant) if named.is_empty() => tenant.sources.clone(),
            _ => named.to_vec(),
        }
    }
}

/// One profile as edges and aggregator read it.
pub(super) fn profile(
    collector: Option<&FlowCollector>,
    profile: &FlowProfile,
    report: &mut Report,
) -> ProfileConfig {
    let spec = &profile.spec;
    let name = profile.metadata.name.clone().unwrap_or_default();
    let tenant = collector.and_then(|collector| tenant::of(collector, namespace(&profile.metadata)));
    let host = Host { collector, tenant };
    let config = ProfileConfig {
        name: identity(&profile.metadata),
        display_name: spec.display_name.clone().unwrap_or(name),
        description: spec.description.clone().unwrap_or_default(),
        group: spec.group.clone().unwrap_or_default(),
        channels: channels(&host, &spec.channels, report),
        top: spec.top.iter().enumerate().map(|(at, top)| table(at, top, &spec.top, report)).collect(),
    };
    let bytes = serde_json::to_vec(&config).map_or(usize::MAX, |json| json.len());
    if bytes > RENDERED_PROFILE_BYTES {
        let message = format!(
            "the profile is {bytes} bytes when rendered, at most {RENDERED_PROFILE_BYTES} are possible; split it \
             into several profiles"
        );
        report.at("spec.channels", message);
    }
    config
}

fn channels(host: &Host<'_>, given: &[Channel], report: &mut Report) -> Vec<ChannelConfig> {
    if given.is_empty() {
        report.at("spec.channels", "a profile needs at least one channel");
    }
    if given.len() > CHANNELS_PER_PROFILE {
        let message = format!("{} channels; a profile has at most {CHANNELS_PER_PROFILE}", given.len());
        report.at("spec.channels", message);
    }
    let mut names = HashSet::new();
    let mut made = Vec::with_capacity(given.len());
    for (index, channel) in given.iter().enumerate() {
        if !names.insert(&channel.name) {
            let message = format!("there is a channel {:?} already; each name stands once", channel.name);
            report.at(format!("spec.channels[{index}].name"), message);
        }
        let path = format!("spec.channels[{index}]");
        check_sources(host, &path, channel, report);
        made.push(ChannelConfig {
            name: channel.name.clone(),
            filter: filter(host, &format!("{path}.filter"), channel, report),
            sources: host.sources(&channel.sources),
            sign: channel.sign.unwrap_or_default(),
            color: channel.color.clone().unwrap_or_else(|| palette::color(index)),
            order: channel.order.unwrap_or(u32::try_from(index + 1).unwrap_or(u32::MAX)),
        });
    }
    made.sort_by_key(|channel| channel.order);
    made
}

fn check_sources(host: &Host<'_>, path: &str, channel: &Channel, report: &mut Report) {
    let Some(collector) = host.collector else { return };
    let known: Vec<&str> = collector.spec.sources.iter().map(|source| source.name.as_str()).collect();
    for (at, name) in channel.sources.iter().enumerate() {
        let path = format!("{path}.sources[{at}]");
        if !known.contains(&name.as_str()) {
            let right = match known.is_empty() {
                true => "it has none".to_owned(),
                false => format!("it has {}", known.join(", ")),
            };
            let collector = identity(&collector.metadata);
            report.at(path, format!("FlowCollector {collector} has no source {name:?}; {right}"));
        } else if let Some(tenant) = host.tenant
            && !tenant.sources.is_empty()
            && !tenant.sources.contains(name)
        {
            let may = format!("namespace {} may name {}", tenant.namespace, tenant.sources.join(", "));
            report.at(path, format!("source {name:?} is not for this profile; {may}"));
        }
    }
}

/// A channel's filter, within the scope of its namespace.
fn filter(host: &Host<'_>, path: &str, channel: &Channel, report: &mut Report) -> String {
    let text = channel.filter.as_deref().unwrap_or_default();
    let sound = tenant::filter_is_sound(text, path, report);
    match host.tenant.and_then(|tenant| tenant.scope.as_deref()) {
        Some(scope) if sound => tenant::within(scope, text, path, report),
        _ if text.trim().is_empty() => String::new(),
        _ => text.to_owned(),
    }
}

fn table(at: usize, top: &Top, all: &[Top], report: &mut Report) -> TopConfig {
    if all[..at].iter().any(|earlier| earlier.element == top.element) {
        let message = format!("element {} stands twice; list its orders together", top.element.name());
        report.at(format!("spec.top[{at}].element"), message);
    }
    let orders = if top.orders.is_empty() { vec![TopOrder::Bytes] } else { top.orders.clone() };
    TopConfig { element: top.element.name().to_owned(), orders, size: top.size.unwrap_or(DEFAULT_TOP_SIZE) }
}
