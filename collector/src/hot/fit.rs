//! From a hot configuration to one that can run: what cannot keeps what ran before, profile by profile.
//!
//! The operator sends only what it has checked. An edge of another version may understand less: then the profile that
//! it does not understand goes on as it was, and every other one is as wanted.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::config::hot::{Hot, HotProfile, profile_hash};
use crds::config::{EdgeConfig, SourceConfig};
use crds::fleet::ProfileReport;

use super::Taken;

/// A configuration that can run, and what is said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// What runs, under the hash of what was wanted.
    pub taken: Taken,
    /// In the order of the configuration; those that cannot run with the reason.
    pub reports: Vec<ProfileReport>,
    /// Why something but a profile is not as wanted.
    pub error: Option<String>,
}

/// Remembers what ran.
#[derive(Debug, Default)]
pub struct Fitting {
    sources: Vec<SourceConfig>,
    profiles: BTreeMap<String, HotProfile>,
}

impl Fitting {
    /// The most of `taken` that can run with the listeners of `fixed`, by what `check` says.
    pub fn fit(
        &mut self,
        taken: &Arc<Taken>,
        fixed: &EdgeConfig,
        check: impl Fn(&EdgeConfig) -> Result<(), String>,
    ) -> Fitted {
        let wanted = &taken.hot;
        let with = |sources: &[SourceConfig], profiles: &[HotProfile]| EdgeConfig {
            sources: sources.to_vec(),
            profiles: profiles.iter().map(|hot| hot.profile.clone()).collect(),
            ..fixed.clone()
        };
        let all = check(&with(&wanted.sources, &wanted.profiles));
        let fitted = if all.is_ok() {
            let reports = wanted.profiles.iter().map(|hot| report(hot, None)).collect();
            Fitted { taken: Taken::clone(taken), reports, error: None }
        } else {
            let error = check(&with(&wanted.sources, &[])).err().map(|error| format!("sources: {error}"));
            let sources = if error.is_none() { wanted.sources.clone() } else { self.sources.clone() };
            let fits = |hot: &HotProfile| check(&with(&sources, std::slice::from_ref(hot)));
            let (profiles, reports) = self.each(&wanted.profiles, fits);
            let (collector, targets) = (wanted.collector.clone(), wanted.targets.clone());
            let hot = Hot { collector, sources, profiles, targets };
            Fitted { taken: Taken { hot, hash: taken.hash.clone() }, reports, error }
        };
        let runs = &fitted.taken.hot;
        self.sources.clone_from(&runs.sources);
        self.profiles = runs.profiles.iter().map(|hot| (hot.profile.name.clone(), hot.clone())).collect();
        fitted
    }

    fn each(
        &self,
        wanted: &[HotProfile],
        fits: impl Fn(&HotProfile) -> Result<(), String>,
    ) -> (Vec<HotProfile>, Vec<ProfileReport>) {
        let (mut profiles, mut reports) = (Vec::new(), Vec::new());
        for hot in wanted {
            let Err(error) = fits(hot) else {
                reports.push(report(hot, None));
                profiles.push(hot.clone());
                continue;
            };
            let error = format!("generation {} cannot run: {error}", hot.generation);
            match self.profiles.get(&hot.profile.name).filter(|before| fits(before).is_ok()) {
                Some(before) => {
                    reports.push(report(before, Some(error)));
                    profiles.push(before.clone());
                }
                None => reports.push(ProfileReport {
                    name: hot.profile.name.clone(),
                    error: Some(error),
                    ..ProfileReport::default()
                }),
            }
        }
        (profiles, reports)
    }
}

fn report(hot: &HotProfile, error: Option<String>) -> ProfileReport {
    ProfileReport {
        name: hot.profile.name.clone(),
        generation: hot.generation,
        hash: profile_hash(&hot.profile),
        error,
    }
}
