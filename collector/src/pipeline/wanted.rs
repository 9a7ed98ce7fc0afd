//! What an edge is told to run, with what it says of it once it does.

use std::collections::BTreeMap;

use crds::config::EdgeConfig;
use crds::config::hot::{HotTarget, profile_hash};
use crds::fleet::{EdgeReport, ProfileReport};

use crate::hot::Fitted;

/// A configuration and how it is acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// What is to run.
    pub config: EdgeConfig,
    /// Hash of the hot configuration that it comes from; empty: it comes from a file alone.
    pub hot: String,
    /// What is said of its profiles while it runs.
    pub profiles: Vec<ProfileReport>,
    /// The generation of each of its targets, by name; none outside a cluster.
    pub target_generations: BTreeMap<String, i64>,
    /// Why it is not all that was asked for.
    pub error: Option<String>,
}

impl From<EdgeConfig> for Wanted {
    fn from(config: EdgeConfig) -> Self {
        let report = |profile: &crds::config::ProfileConfig| ProfileReport {
            name: profile.name.clone(),
            hash: profile_hash(profile),
            ..ProfileReport::default()
        };
        let profiles = config.profiles.iter().map(report).collect();
        Self { config, hot: String::new(), profiles, target_generations: BTreeMap::new(), error: None }
    }
}

impl Wanted {
    /// The listeners of `fixed` with what is hot.
    pub fn hot(fixed: &EdgeConfig, fitted: &Fitted) -> Self {
        let hot = &fitted.taken.hot;
        let config = EdgeConfig {
            sources: hot.sources.clone(),
            profiles: hot.profiles.iter().map(|hot| hot.profile.clone()).collect(),
            targets: hot.targets.iter().map(|hot| hot.target.clone()).collect(),
            ..fixed.clone()
        };
        let (profiles, error) = (fitted.reports.clone(), fitted.error.clone());
        let generation = |hot: &HotTarget| (hot.target.name.clone(), hot.generation);
        let target_generations = hot.targets.iter().map(generation).collect();
        Self { config, hot: fitted.taken.hash.clone(), profiles, target_generations, error }
    }

    /// Says in a report that this runs; returns whether that is new.
    pub(super) fn runs(&self, report: &mut EdgeReport) -> bool {
        let before = report.clone();
        report.profiles.clone_from(&self.profiles);
        report.running.hot.clone_from(&self.hot);
        report.running.error.clone_from(&self.error);
        *report != before
    }

    /// Says in a report that this cannot run; returns whether that is new.
    pub(super) fn fails(&self, report: &mut EdgeReport, cause: &str) -> bool {
        let error = Some(match &self.error {
            Some(error) => format!("{error}; {cause}"),
            None => cause.to_owned(),
        });
        let new = report.running.error != error;
        report.running.error = error;
        new
    }
}
