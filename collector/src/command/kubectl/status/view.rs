//! The view itself: from what was read to aligned lines. Pure.

use std::collections::BTreeMap;

use comfy_table::{ContentArrangement, Table, presets};
use crds::collector::FlowCollector;
use crds::profile::FlowProfile;
use crds::target::ExportTarget;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use super::super::reach::{is_ready, why};
use crate::command::profile::lines;
use crate::serve::ExporterList;

/// Everything that is shown.
#[derive(Debug, Default)]
pub(super) struct State {
    /// All collectors of the place.
    pub(super) collectors: Vec<FlowCollector>,
    /// All profiles of the place.
    pub(super) profiles: Vec<FlowProfile>,
    /// All targets of the place.
    pub(super) targets: Vec<ExportTarget>,
    /// The edges' pods.
    pub(super) pods: Vec<Pod>,
    /// What the aggregators know, by `namespace/name` of the collector.
    pub(super) exporters: BTreeMap<String, ExporterList>,
    /// Unix ms.
    pub(super) now_ms: u64,
}

/// One section a kind; a section without lines is left out.
pub(super) fn view(state: &State) -> String {
    [collectors(state), nodes(state), profiles(state), targets(state)]
        .into_iter()
        .filter(|section| !section.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

fn collectors(state: &State) -> String {
    let rows = state.collectors.iter().map(|collector| {
        let name = full_name(collector);
        let status = collector.status.as_ref();
        let nodes = status.and_then(|status| status.nodes).map(|nodes| of(nodes.ready, nodes.desired));
        let profiles =
            status.and_then(|status| status.profiles).map(|counts| of(counts.applied, counts.total));
        let version = status.and_then(|status| status.version.clone());
        let conditions = status.map_or(&[][..], |status| &status.conditions);
        let losses = state.exporters.get(&name).map(Losses::of);
        let loss = |value: fn(&Losses) -> String| losses.as_ref().map(value);
        let cells = [
            nodes,
            profiles,
            version,
            loss(|losses| losses.streams.to_string()),
            loss(|losses| losses.received.to_string()),
            loss(Losses::share),
            loss(|losses| losses.kernel_drops.to_string()),
            loss(|losses| losses.undecodable.to_string()),
        ];
        let cells = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "-".to_owned()));
        [name, ready(conditions)].into_iter().chain(cells).chain([urgent(conditions)]).collect()
    });
    let head = [
        "COLLECTOR",
        "READY",
        "NODES",
        "PROFILES",
        "VERSION",
        "STREAMS",
        "RECORDS",
        "MISSING",
        "KERNEL-DROPS",
        "UNDECODABLE",
        "MESSAGE",
    ];
    section(&head, rows)
}

fn nodes(state: &State) -> String {
    let mut pods: Vec<&Pod> = state.pods.iter().collect();
    pods.sort_by_key(|pod| (node(pod), pod.namespace(), pod.name_any()));
    let rows = pods.into_iter().map(|pod| {
        let instance = pod.labels().get("app.kubernetes.io/instance").cloned().unwrap_or_default();
        let collector = format!("{}/{instance}", pod.namespace().unwrap_or_default());
        let list = state.exporters.get(&collector);
        let last = list.and_then(|list| list.edges.iter().find(|edge| edge.edge == node(pod)));
        let age = last.map_or_else(|| "-".to_owned(), |edge| age(state.now_ms.saturating_sub(edge.made)));
        let drops = list.map(|list| {
            let own = list.listeners.iter().filter(|listener| listener.edge == node(pod));
            own.map(|listener| listener.kernel_drops).sum::<u64>()
        });
        let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        let restarts: i32 = containers.into_iter().map(|container| container.restart_count).sum();
        let (ready, message) = if is_ready(pod) { ("True", "") } else { ("False", why(pod)) };
        vec![
            node(pod).to_owned(),
            collector,
            ready.to_owned(),
            restarts.to_string(),
            age,
            drops.map_or_else(|| "-".to_owned(), |drops| drops.to_string()),
            message.to_owned(),
        ]
    });
    section(&["NODE", "COLLECTOR", "READY", "RESTARTS", "LAST-BLOCK", "KERNEL-DROPS", "MESSAGE"], rows)
}

fn profiles(state: &State) -> String {
    let rows = state.profiles.iter().map(|profile| {
        let status = profile.status.as_ref();
        let conditions = status.map_or(&[][..], |status| &status.conditions);
        let columns = status.and_then(|status| status.columns.clone()).unwrap_or_default();
        let bindings = status.map_or(&[][..], |status| &status.bindings);
        let collectors: Vec<&str> = bindings.iter().map(|binding| binding.collector.as_str()).collect();
        vec![
            full_name(profile),
            ready(conditions),
            dash(columns.applied),
            profile.spec.channels.len().to_string(),
            dash(collectors.join(",")),
            urgent(conditions),
        ]
    });
    section(&["PROFILE", "READY", "APPLIED", "CHANNELS", "COLLECTOR", "MESSAGE"], rows)
}

fn targets(state: &State) -> String {
    let rows = state.targets.iter().map(|target| {
        let status = target.status.as_ref();
        let conditions = status.map_or(&[][..], |status| &status.conditions);
        let columns = status.and_then(|status| status.columns.clone()).unwrap_or_default();
        let kind = serde_json::to_value(target.spec.target_type).unwrap_or_default();
        vec![
            full_name(target),
            kind.as_str().unwrap_or_default().to_owned(),
            ready(conditions),
            dash(columns.delivering),
            urgent(conditions),
        ]
    });
    section(&["TARGET", "TYPE", "READY", "DELIVERING", "MESSAGE"], rows)
}

fn section(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    rows.sort();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head.to_vec()).add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    lines(&table)
}

/// What got lost at one collector, since its aggregator first heard of each stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Losses {
    streams: usize,
    received: u64,
    missing: i64,
    estimated: bool,
    kernel_drops: u64,
    undecodable: u64,
}

impl Losses {
    fn of(list: &ExporterList) -> Self {
        let mut losses = Self { streams: list.exporters.len(), ..Self::default() };
        for exporter in &list.exporters {
            losses.received += exporter.records_received;
            losses.undecodable += exporter.undecodable.values().sum::<u64>();
            if let Some(missing) = &exporter.missing_records {
                losses.missing += missing.records;
                losses.estimated |= missing.estimated && missing.records != 0;
            }
        }
        losses.kernel_drops = list.listeners.iter().map(|listener| listener.kernel_drops).sum();
        losses
    }

    /// Of the records that were sent; `~` where the numbers count datagrams.
    fn share(&self) -> String {
        let missing = u64::try_from(self.missing).unwrap_or_default();
        if missing == 0 {
            return "0%".to_owned();
        }
        #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
        let share = 100.0 * missing as f64 / (missing + self.received) as f64;
        let mark = if self.estimated { "~" } else { "" };
        if share < 0.01 { format!("{mark}<0.01%") } else { format!("{mark}{share:.2}%") }
    }
}

fn full_name(object: &impl ResourceExt) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}

fn node(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or("-")
}

fn of(some: u32, all: u32) -> String {
    format!("{some}/{all}")
}

fn dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

fn ready(conditions: &[Condition]) -> String {
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready");
    ready.map_or_else(|| "Unknown".to_owned(), |ready| ready.status.clone())
}

/// The message of the condition that is not as it should be: Stalled before Ready, Ready before the rest.
fn urgent(conditions: &[Condition]) -> String {
    let rank = |condition: &Condition| match (condition.type_.as_str(), condition.status.as_str()) {
        ("Stalled", "True") => Some(0),
        ("Ready", status) if status != "True" => Some(1),
        ("Reconciling", "True") => Some(2),
        ("Stalled" | "Ready" | "Reconciling", _) | (_, "True") => None,
        _ => Some(3),
    };
    let worst = conditions
        .iter()
        .filter_map(|condition| Some((rank(condition)?, condition)))
        .min_by_key(|(rank, _)| *rank);
    worst.map_or_else(String::new, |(_, condition)| one_line(&condition.message))
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn age(ms: u64) -> String {
    match ms / 1000 {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7200 => format!("{}m", seconds / 60),
        seconds @ 7200..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests;
