//! Renders the configuration from the kinds: the only place that makes it, and where every default is filled in.
//!
//! What the schema cannot say (durations in their range, prefixes, ties between sources, filters, references) is
//! checked here, once: what comes out needs no second look.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::cluster::ClusterConfig;
use super::target::TargetConfig;
use super::{AggregatorConfig, CONFIG_VERSION, EdgeConfig, ProfileConfig, ReceiveConfig};
use crate::collector::FlowCollector;
use crate::limits::{CHANNELS_PER_COLLECTOR, TARGETS_PER_COLLECTOR};
use crate::profile::FlowProfile;
use crate::sources::Sources;
use crate::target::ExportTarget;

mod cluster;
mod export;
mod fleet;
mod tenant;
mod view;

pub use export::{SecretUse, Surroundings, secrets};

/// Both configurations of one FlowCollector.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// For every edge.
    pub edge: EdgeConfig,
    /// For its aggregator.
    pub aggregator: AggregatorConfig,
}

/// Something in an object that cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// `FlowCollector default/zone1`.
    pub object: String,
    /// `spec.channels[2].filter`.
    pub path: String,
    /// What is wrong; what would be right.
    pub message: String,
    /// Where in the field's text, when it is a filter.
    pub within: Option<Within>,
}

/// A place in a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within {
    /// Bytes from the start of the text.
    pub offset: usize,
    /// The line, from 1.
    pub line: u32,
    /// The character in its line, from 1.
    pub column: u32,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: ", self.object, self.path)?;
        if let Some(Within { line, column, .. }) = self.within {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// A FlowCollector, checked, with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Fleet {
    /// For every edge, without profiles.
    pub edge: EdgeConfig,
    /// For the aggregator, without profiles.
    pub aggregator: AggregatorConfig,
    /// What it asks of a cluster.
    pub cluster: ClusterConfig,
}

/// Renders a collector with the profiles that run on it ([`super::selection::runs`] chooses them).
///
/// # Errors
/// Every violation in every object.
pub fn render(collector: &FlowCollector, profiles: &[FlowProfile]) -> Result<Rendered, Vec<Violation>> {
    let mut violations = Vec::new();
    let fleet = check_collector(collector).map_err(|found| violations.extend(found)).ok();
    let mut checked = Vec::with_capacity(profiles.len());
    for profile in profiles {
        match check_profile(Some(collector), profile) {
            Ok(config) => checked.push(config),
            Err(found) => violations.extend(found),
        }
    }
    match fleet {
        Some(fleet) if violations.is_empty() => fleet.with(checked).map_err(|violation| vec![violation]),
        _ => Err(violations),
    }
}

/// Checks a collector alone.
///
/// # Errors
/// Every violation in it.
pub fn check_collector(collector: &FlowCollector) -> Result<Fleet, Vec<Violation>> {
    let mut report = Report::new("FlowCollector", &collector.metadata);
    let fleet = fleet::fleet(collector, &mut report);
    if let Err(ties) = Sources::new(&fleet.edge.sources) {
        for tie in ties {
            report.at(format!("spec.sources[{}]", tie.index), tie.to_string());
        }
    }
    report.give(fleet)
}

/// Checks a profile: its filters and, where a collector is given, the sources that its channels name.
///
/// # Errors
/// Every violation in it.
pub fn check_profile(
    collector: Option<&FlowCollector>,
    profile: &FlowProfile,
) -> Result<ProfileConfig, Vec<Violation>> {
    let mut report = Report::new("FlowProfile", &profile.metadata);
    let config = view::profile(collector, profile, &mut report);
    report.give(config)
}

/// Checks a target: what it may export and, where its surroundings are given, the sources, listeners, profiles and
/// channels that it names.
///
/// # Errors
/// Every violation in it.
pub fn check_target(
    surroundings: Option<Surroundings<'_>>,
    target: &ExportTarget,
) -> Result<TargetConfig, Vec<Violation>> {
    let mut report = Report::new("ExportTarget", &target.metadata);
    let config = export::target(surroundings, target, &mut report);
    report.give(config)
}

impl Fleet {
    /// Completes both configurations with profiles that [`check_profile`] gave, sorted by name.
    ///
    /// # Errors
    /// When they have more channels than a collector can count.
    pub fn with(self, mut profiles: Vec<ProfileConfig>) -> Result<Rendered, Violation> {
        let channels: usize = profiles.iter().map(|profile| profile.channels.len()).sum();
        if channels > CHANNELS_PER_COLLECTOR {
            return Err(Violation {
                object: format!("FlowCollector {}", self.edge.collector),
                path: "spec.profileSelector".to_owned(),
                message: format!(
                    "the selected profiles have {channels} channels together; a collector counts at most \
                     {CHANNELS_PER_COLLECTOR}: select fewer profiles"
                ),
                within: None,
            });
        }
        profiles.sort_by(|a, b| a.name.cmp(&b.name));
        let edge = EdgeConfig { profiles: profiles.clone(), ..self.edge };
        Ok(Rendered { edge, aggregator: AggregatorConfig { profiles, ..self.aggregator } })
    }
}

impl Rendered {
    /// Adds the targets that [`check_target`] gave, sorted by name.
    ///
    /// # Errors
    /// When they are more than a collector exports to.
    pub fn exporting(mut self, mut targets: Vec<TargetConfig>) -> Result<Self, Violation> {
        if targets.len() > TARGETS_PER_COLLECTOR {
            return Err(Violation {
                object: format!("FlowCollector {}", self.edge.collector),
                path: "spec".to_owned(),
                message: format!(
                    "{} ExportTargets; a collector exports to at most {TARGETS_PER_COLLECTOR}: delete some, or \
                     give them another collectorRef",
                    targets.len()
                ),
                within: None,
            });
        }
        targets.sort_by(|a, b| a.name.cmp(&b.name));
        self.edge.targets = targets;
        Ok(self)
    }
}

/// Gathers the violations of one object.
struct Report {
    object: String,
    found: Vec<Violation>,
}

impl Report {
    fn new(kind: &str, meta: &ObjectMeta) -> Self {
        Self { object: format!("{kind} {}", identity(meta)), found: Vec::new() }
    }

    fn at(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.inside(path, None, message);
    }

    fn inside(&mut self, path: impl Into<String>, within: Option<Within>, message: impl Into<String>) {
        let (path, message) = (path.into(), message.into());
        self.found.push(Violation { object: self.object.clone(), path, message, within });
    }

    fn give<T>(self, value: T) -> Result<T, Vec<Violation>> {
        if self.found.is_empty() { Ok(value) } else { Err(self.found) }
    }
}

/// An object's namespace; `default` when it names none.
pub fn namespace(meta: &ObjectMeta) -> &str {
    meta.namespace.as_deref().unwrap_or("default")
}

/// `namespace/name`: what an object is called everywhere.
pub fn identity(meta: &ObjectMeta) -> String {
    format!("{}/{}", namespace(meta), meta.name.as_deref().unwrap_or_default())
}

/// What an object's empty configuration begins with.
fn empty(collector: &FlowCollector, slot_ms: u32) -> Fleet {
    let (version, collector) = (CONFIG_VERSION.to_owned(), identity(&collector.metadata));
    Fleet {
        edge: EdgeConfig {
            version: version.clone(),
            collector: collector.clone(),
            slot_ms,
            receive: ReceiveConfig::default(),
            listeners: Vec::new(),
            sources: Vec::new(),
            profiles: Vec::new(),
            targets: Vec::new(),
        },
        aggregator: AggregatorConfig {
            version,
            collector,
            slot_ms,
            retention: Vec::new(),
            storage_path: None,
            sources: Vec::new(),
            profiles: Vec::new(),
        },
        cluster: ClusterConfig::default(),
    }
}
