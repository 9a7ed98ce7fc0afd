//! What may run: pure. One bad profile never stops the others; its last good version goes on.

use crds::collector::FlowCollector;
use crds::config::admission::{Admission, admit};
use crds::config::hot::{self, Hot, HotProfile, HotTarget, Shard};
use crds::config::{
    Fleet, ProfileConfig, Surroundings, Violation, check_collector, check_profile, check_target, identity,
};
use crds::limits::TARGETS_PER_COLLECTOR;
use crds::profile::FlowProfile;
use crds::target::ExportTarget;
use kube::ResourceExt;

use crate::dereference::Observed;
use crate::facts::{ProfileFact, Refusal, TargetFact};
use crate::revision::Revisions;
use crate::secrets::{Data, SecretError};

/// A profile with what becomes of it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// `namespace/name`.
    pub name: String,
    /// UID of the FlowProfile.
    pub uid: String,
    /// The generation that was judged.
    pub generation: i64,
    /// Why that one does not run.
    pub refused: Option<Refusal>,
    /// What runs: this generation, or the last good one.
    pub runs: Option<HotProfile>,
}

/// A target with what becomes of it.
#[derive(Clone, Debug)]
pub struct JudgedTarget {
    /// `namespace/name`.
    pub name: String,
    /// The generation that was judged.
    pub generation: i64,
    /// Why it is not exported to.
    pub refused: Option<Refusal>,
    /// What runs; none when it is refused or paused.
    pub runs: Option<HotTarget>,
}

/// Everything that was judged.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The collector as it is to run: as written or, when that is refused, as it was last good; none before that.
    pub collector: Option<(FlowCollector, Fleet)>,
    /// Why the collector does not run as written.
    pub refused: Option<Refusal>,
    /// By name.
    pub profiles: Vec<Judged>,
    /// By name.
    pub targets: Vec<JudgedTarget>,
    /// What the edges are given of the targets' Secrets, by file.
    pub secrets: Data,
    /// The hot plane, ready for its ConfigMaps.
    pub hot: [Shard; hot::SHARDS],
}

/// Judges a collector with the profiles that run on it and the targets that it serves.
pub fn judge(observed: &Observed) -> Verdict {
    let Observed { collector, profiles, revisions, .. } = observed;
    let (collector, refused) = judge_collector(collector, revisions);
    let Some((object, fleet)) = collector else {
        return Verdict {
            collector: None,
            refused,
            profiles: Vec::new(),
            targets: Vec::new(),
            secrets: Data::new(),
            hot: Default::default(),
        };
    };
    // The older one keeps its place when there is not enough for all.
    let mut sorted: Vec<&FlowProfile> = profiles.iter().collect();
    sorted.sort_by_key(|profile| (profile.creation_timestamp(), profile.uid()));
    let mut judged: Vec<Judged> =
        sorted.into_iter().map(|profile| judge_profile(&object, profile, revisions)).collect();
    within_channels(&object, profiles, &mut judged);
    let (targets, secrets) = judge_targets(&object, observed);
    let hot = within_shards(&object, &fleet, &mut judged, &targets);
    judged.sort_by(|a, b| a.name.cmp(&b.name));
    Verdict { collector: Some((object, fleet)), refused, profiles: judged, targets, secrets, hot }
}

impl JudgedTarget {
    /// As the other reconcilers are told.
    pub fn fact(&self) -> TargetFact {
        TargetFact { generation: self.generation, refused: self.refused.clone() }
    }
}

impl Judged {
    /// As the other reconcilers are told.
    pub fn fact(&self) -> ProfileFact {
        let runs = self.runs.as_ref().map(|runs| (runs.generation, hot::profile_hash(&runs.profile)));
        ProfileFact { generation: self.generation, refused: self.refused.clone(), runs }
    }
}

fn judge_collector(
    collector: &FlowCollector,
    revisions: &Revisions,
) -> (Option<(FlowCollector, Fleet)>, Option<Refusal>) {
    let violations = match check_collector(collector) {
        Ok(fleet) => return (Some((collector.clone(), fleet)), None),
        Err(violations) => violations,
    };
    let refusal = Refusal { reason: "InvalidSpec", message: joined(&violations) };
    let last_good = revisions.last(&collector.uid().unwrap_or_default()).and_then(|spec| {
        let object = FlowCollector { spec, ..collector.clone() };
        check_collector(&object).ok().map(|fleet| (object, fleet))
    });
    (last_good, Some(refusal))
}

fn judge_profile(collector: &FlowCollector, profile: &FlowProfile, revisions: &Revisions) -> Judged {
    let uid = profile.uid().unwrap_or_default();
    let generation = profile.metadata.generation.unwrap_or_default();
    let (refused, runs) = match check_profile(Some(collector), profile) {
        Ok(config) => (None, Some(HotProfile { uid: uid.clone(), generation, profile: config })),
        Err(violations) => {
            let refusal = Refusal { reason: "InvalidSpec", message: joined(&violations) };
            (Some(refusal), revisions.last(&uid))
        }
    };
    Judged { name: identity(&profile.metadata), uid, generation, refused, runs }
}

/// The oldest first: past the number that a collector serves the youngest wait.
fn judge_targets(collector: &FlowCollector, observed: &Observed) -> (Vec<JudgedTarget>, Data) {
    let mut sorted: Vec<_> = observed.targets.iter().collect();
    sorted.sort_by_key(|(target, _)| (target.creation_timestamp(), identity(&target.metadata)));
    let (mut judged, mut secrets, mut served) = (Vec::new(), Data::new(), 0);
    for (target, held) in sorted {
        let mut one = judge_target(collector, observed, target, held);
        if one.runs.is_some() && served == TARGETS_PER_COLLECTOR {
            let message = format!(
                "a collector exports to at most {TARGETS_PER_COLLECTOR} targets; delete an older one"
            );
            one = JudgedTarget {
                refused: Some(Refusal { reason: "CollectorFull", message }),
                runs: None,
                ..one
            };
        }
        if one.runs.is_some() {
            served += 1;
            secrets.extend(held.iter().flatten().map(|(file, value)| (file.clone(), value.clone())));
        }
        judged.push(one);
    }
    judged.sort_by(|a, b| a.name.cmp(&b.name));
    (judged, secrets)
}

fn judge_target(
    collector: &FlowCollector,
    observed: &Observed,
    target: &ExportTarget,
    held: &Result<Data, SecretError>,
) -> JudgedTarget {
    let profiles: Vec<&FlowProfile> = observed.profiles.iter().collect();
    let around = Surroundings { collector, profiles: &profiles };
    let checked = check_target(Some(around), target)
        .map_err(|violations| Refusal { reason: "InvalidSpec", message: joined(&violations) });
    let given = held.as_ref().map_err(|error| Refusal { reason: error.reason(), message: error.to_string() });
    let generation = target.metadata.generation.unwrap_or_default();
    let (refused, config) = match (checked, given) {
        (Ok(config), Ok(_)) => (None, Some(config)),
        (Err(refusal), _) | (_, Err(refusal)) => (Some(refusal), None),
    };
    let paused = target.spec.paused.unwrap_or_default();
    let uid = target.uid().unwrap_or_default();
    let runs = config.filter(|_| !paused).map(|target| HotTarget { uid, generation, target });
    JudgedTarget { name: identity(&target.metadata), generation, refused, runs }
}

/// A collector counts so many channels, and so many of each tenant: past that the youngest profiles wait.
fn within_channels(collector: &FlowCollector, profiles: &[FlowProfile], judged: &mut [Judged]) {
    let running: Vec<(usize, &FlowProfile, ProfileConfig)> = judged
        .iter()
        .enumerate()
        .filter_map(|(at, judged)| {
            let profile = profiles.iter().find(|profile| profile.uid().as_deref() == Some(&judged.uid))?;
            Some((at, profile, judged.runs.as_ref()?.profile.clone()))
        })
        .collect();
    let asked: Vec<_> = running.iter().map(|(_, profile, config)| (*profile, config)).collect();
    for ((at, ..), answer) in running.iter().zip(admit(collector, &asked)) {
        match answer {
            Admission::Admitted => {}
            Admission::TenantFull(violation) => refuse(&mut judged[*at], "TenantFull", joined(&[violation])),
            Admission::CollectorFull(violation) => {
                refuse(&mut judged[*at], "CollectorFull", joined(&[violation]));
            }
        }
    }
}

/// Four ConfigMaps hold so much: past that the youngest profiles wait.
fn within_shards(
    collector: &FlowCollector,
    fleet: &Fleet,
    judged: &mut [Judged],
    targets: &[JudgedTarget],
) -> [Shard; hot::SHARDS] {
    let targets: Vec<HotTarget> = targets.iter().filter_map(|target| target.runs.clone()).collect();
    loop {
        let mut profiles: Vec<HotProfile> =
            judged.iter().filter_map(|profile| profile.runs.clone()).collect();
        profiles.sort_by(|a, b| a.profile.name.cmp(&b.profile.name));
        let hot = Hot {
            collector: identity(&collector.metadata),
            sources: fleet.edge.sources.clone(),
            profiles,
            targets: targets.clone(),
        };
        let full_shard = match hot::split(&hot) {
            Ok(shards) => return shards,
            Err(full) => full,
        };
        let youngest = judged.iter_mut().rev().find(|profile| {
            profile.runs.as_ref().is_some_and(|runs| hot::shard_of(&runs.uid) == full_shard.shard)
        });
        // Without profiles a shard is never full: sources are limited by the schema.
        let Some(youngest) = youngest else { return Default::default() };
        let message = format!("{full_shard}; shorten its filters, or run it on another collector");
        refuse(youngest, "CollectorFull", message);
    }
}

fn refuse(profile: &mut Judged, reason: &'static str, message: String) {
    profile.runs = None;
    profile.refused.get_or_insert(Refusal { reason, message });
}

fn joined(violations: &[Violation]) -> String {
    let texts: Vec<String> = violations
        .iter()
        .map(|violation| {
            let place =
                violation.within.map(|within| format!("line {}, column {}: ", within.line, within.column));
            format!("{}: {}{}", violation.path, place.unwrap_or_default(), violation.message)
        })
        .collect();
    texts.join("; ")
}
