//! From a FlowProfile: channels and tables, with their defaults and checked filters.

use std::collections::HashSet;

use super::super::{ChannelConfig, ProfileConfig, TopConfig, TopOrder, palette};
use super::{Report, Within, identity};
use crate::collector::FlowCollector;
use crate::filter::{Context, FilterError, check};
use crate::limits::{CHANNELS_PER_PROFILE, FILTER_BYTES, RENDERED_PROFILE_BYTES};
use crate::profile::{Channel, FlowProfile, Top};

const DEFAULT_TOP_SIZE: u32 = 10;

/// One profile as edges and aggregator read it.
pub(super) fn profile(
    collector: Option<&FlowCollector>,
    profile: &FlowProfile,
    report: &mut Report,
) -> ProfileConfig {
    let spec = &profile.spec;
    let name = profile.metadata.name.clone().unwrap_or_default();
    let config = ProfileConfig {
        name: identity(&profile.metadata),
        display_name: spec.display_name.clone().unwrap_or(name),
        description: spec.description.clone().unwrap_or_default(),
        group: spec.group.clone().unwrap_or_default(),
        channels: channels(collector, &spec.channels, report),
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

fn channels(collector: Option<&FlowCollector>, given: &[Channel], report: &mut Report) -> Vec<ChannelConfig> {
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
        check_sources(collector, index, channel, report);
        made.push(ChannelConfig {
            name: channel.name.clone(),
            filter: filter(index, channel, report),
            sources: channel.sources.clone(),
            sign: channel.sign.unwrap_or_default(),
            color: channel.color.clone().unwrap_or_else(|| palette::color(index)),
            order: channel.order.unwrap_or(u32::try_from(index + 1).unwrap_or(u32::MAX)),
        });
    }
    made.sort_by_key(|channel| channel.order);
    made
}

fn check_sources(collector: Option<&FlowCollector>, index: usize, channel: &Channel, report: &mut Report) {
    let Some(collector) = collector else { return };
    let known = &collector.spec.sources;
    for (at, name) in channel.sources.iter().enumerate() {
        if known.iter().any(|source| source.name == *name) {
            continue;
        }
        let names: Vec<_> = known.iter().map(|source| source.name.as_str()).collect();
        let right = match names.is_empty() {
            true => "it has none".to_owned(),
            false => format!("it has {}", names.join(", ")),
        };
        let message =
            format!("FlowCollector {} has no source {name:?}; {right}", identity(&collector.metadata));
        report.at(format!("spec.channels[{index}].sources[{at}]"), message);
    }
}

fn filter(index: usize, channel: &Channel, report: &mut Report) -> String {
    let text = channel.filter.as_deref().unwrap_or_default();
    if text.trim().is_empty() {
        return String::new();
    }
    let path = format!("spec.channels[{index}].filter");
    if text.len() > FILTER_BYTES {
        let message = format!("{} bytes; a filter has at most {FILTER_BYTES}", text.len());
        report.at(path, message);
        return text.to_owned();
    }
    for error in check(text, Context::PROFILE).err().into_iter().flatten() {
        let within = Within { offset: error.span.start, line: error.line, column: error.column };
        report.inside(&path, Some(within), advice(&error));
    }
    text.to_owned()
}

/// What is wrong with a filter; what would be right.
fn advice(error: &FilterError) -> String {
    let mut message = error.problem.clone();
    if !error.expected.is_empty() {
        message.push_str("; expected ");
        message.push_str(&error.expected);
    }
    if let Some(hint) = &error.hint {
        message.push_str("; ");
        message.push_str(hint);
    }
    message
}

fn table(at: usize, top: &Top, all: &[Top], report: &mut Report) -> TopConfig {
    if all[..at].iter().any(|earlier| earlier.element == top.element) {
        let message = format!("element {} stands twice; list its orders together", top.element.name());
        report.at(format!("spec.top[{at}].element"), message);
    }
    let orders = if top.orders.is_empty() { vec![TopOrder::Bytes] } else { top.orders.clone() };
    TopConfig { element: top.element.name().to_owned(), orders, size: top.size.unwrap_or(DEFAULT_TOP_SIZE) }
}
