//! The objects of one folder together: one collector, its profiles and targets, and what they say of each other.

use std::collections::HashMap;

use crds::collector::FlowCollector;
use crds::config::cluster;
use crds::config::selection::{Choice, exports, least_labels, runs};
use crds::config::target::TargetConfig;
use crds::config::{
    Fleet, ProfileConfig, Surroundings, Violation, check_collector, check_profile, check_target, identity,
    namespace,
};
use crds::profile::{CollectorRef, FlowProfile};
use crds::target::ExportTarget;

use super::object::{Kind, Object};
use super::problem::{Note, Problem};

/// What the objects of a folder come to.
#[derive(Debug, Default)]
pub(super) struct Examined {
    /// The collector's name, and its configuration when nothing is wrong with it.
    pub(super) collector: Option<(String, Option<Fleet>)>,
    /// The profiles that run on it (all, when there is no collector): names, and configurations of those with
    /// which nothing is wrong.
    pub(super) profiles: Vec<(String, Option<ProfileConfig>)>,
    /// The targets that it exports to, likewise.
    pub(super) targets: Vec<(String, Option<TargetConfig>)>,
    pub(super) problems: Vec<Problem>,
    pub(super) notes: Vec<Note>,
}

/// Looks at the objects of a folder, given in the order of their files.
pub(super) fn examine(objects: &[Object]) -> Examined {
    let mut made = Examined::default();
    let objects = made.distinct(objects);
    let mut collector: Option<(&Object, &FlowCollector)> = None;
    for object in &objects {
        let Kind::Collector(found) = &object.kind else { continue };
        match collector {
            None => {
                made.collector(object, found);
                collector = Some((object, found));
            }
            Some((first, _)) => {
                let message = format!(
                    "a second FlowCollector, {}; {} is in {} already, and a folder holds one",
                    object.name(),
                    first.name(),
                    place(first)
                );
                made.problems.push(Problem::at(&*object.file, object.position(), message));
                made.problems.extend(object.problems(&[]));
            }
        }
    }
    for object in &objects {
        if let Kind::Profile(profile) = &object.kind {
            made.profile(object, profile, collector.map(|(_, collector)| collector));
        }
    }
    let collector = collector.map(|(_, collector)| collector);
    let profiles = running(&objects, collector);
    for object in &objects {
        if let Kind::Target(target) = &object.kind {
            let surroundings = collector.map(|collector| Surroundings { collector, profiles: &profiles });
            made.target(object, target, surroundings);
        }
    }
    made
}

/// Whether a profile runs on the collector. Of the labels of a namespace its own name alone is known outside a cluster.
fn runs_here(collector: &FlowCollector, profile: &FlowProfile) -> Choice {
    runs(collector, profile, &least_labels(namespace(&profile.metadata)))
}

/// The profiles that run on the collector, good or not.
fn running<'a>(objects: &[&'a Object], collector: Option<&FlowCollector>) -> Vec<&'a FlowProfile> {
    let profile = |object: &&'a Object| match &object.kind {
        Kind::Profile(profile)
            if collector.is_some_and(|collector| runs_here(collector, profile) == Choice::Chosen) =>
        {
            Some(&**profile)
        }
        _ => None,
    };
    objects.iter().filter_map(profile).collect()
}

impl Examined {
    /// The objects without those that are given a second time.
    fn distinct<'a>(&mut self, objects: &'a [Object]) -> Vec<&'a Object> {
        let mut first: HashMap<String, &Object> = HashMap::new();
        let mut distinct = Vec::with_capacity(objects.len());
        for object in objects {
            match first.get(&object.identity()) {
                None => {
                    first.insert(object.identity(), object);
                    distinct.push(object);
                }
                Some(earlier) => {
                    let message =
                        format!("{} is in {} already; keep one of both", object.identity(), place(earlier));
                    self.problems.push(Problem::at(&*object.file, object.position(), message));
                    self.problems.extend(object.problems(&[]));
                }
            }
        }
        distinct
    }

    fn collector(&mut self, object: &Object, collector: &FlowCollector) {
        let fleet = self.judge(object, check_collector(collector));
        let idle = cluster::only_there(&collector.spec);
        if !idle.is_empty() {
            let message = format!("acts in a cluster only: spec.{}", idle.join(", spec."));
            let position = Some(object.position());
            self.notes.push(Note { file: object.file.to_path_buf(), position, message });
        }
        self.collector = Some((object.name(), fleet));
    }

    fn profile(&mut self, object: &Object, profile: &FlowProfile, collector: Option<&FlowCollector>) {
        let choice = collector.map(|collector| (collector, runs_here(collector, profile)));
        if let Some((collector, choice)) = choice {
            let reference = profile.spec.collector_ref.as_ref();
            self.elsewhere(object, (namespace(&profile.metadata), reference), collector, choice);
        }
        let here = choice.filter(|(_, choice)| *choice == Choice::Chosen).map(|(collector, _)| collector);
        let config = self.judge(object, check_profile(here, profile));
        if here.is_some() || collector.is_none() {
            self.profiles.push((object.name(), config));
        }
    }

    fn target(&mut self, object: &Object, target: &ExportTarget, surroundings: Option<Surroundings<'_>>) {
        let space = namespace(&target.metadata);
        let choice = surroundings.map(|around| exports(around.collector, target, &least_labels(space)));
        if let (Some(around), Some(choice)) = (surroundings, choice) {
            let reference = target.spec.collector_ref.as_ref();
            self.elsewhere(object, (space, reference), around.collector, choice);
        }
        let known = matches!(choice, Some(Choice::Chosen | Choice::Paused));
        let config = self.judge(object, check_target(surroundings.filter(|_| known), target));
        if choice == Some(Choice::Chosen) {
            self.targets.push((object.name(), config));
        }
    }

    /// What an object comes to, if nothing is wrong with it.
    fn judge<T>(&mut self, object: &Object, checked: Result<T, Vec<Violation>>) -> Option<T> {
        let (value, violations) = match checked {
            Ok(value) => (Some(value), Vec::new()),
            Err(violations) => (None, violations),
        };
        self.problems.extend(object.problems(&violations));
        value.filter(|_| object.is_sound())
    }

    /// Says why a profile or target, of which namespace and reference are given, does not run on the collector, when it
    /// does not.
    fn elsewhere(
        &mut self,
        object: &Object,
        (space, reference): (&str, Option<&CollectorRef>),
        collector: &FlowCollector,
        choice: Choice,
    ) {
        let given = identity(&collector.metadata);
        let selectors = match &object.kind {
            Kind::Target(_) => ("targetSelector", "targetNamespaceSelector", "target"),
            _ => ("profileSelector", "profileNamespaceSelector", "profile"),
        };
        let spec = &collector.spec;
        let selective = match &object.kind {
            Kind::Target(_) => spec.target_namespace_selector.is_some(),
            _ => spec.profile_namespace_selector.is_some(),
        };
        let why = match (choice, reference) {
            (Choice::Chosen | Choice::Paused, _) => return,
            (Choice::Elsewhere, Some(reference)) => {
                let wanted = reference.namespace.as_deref().unwrap_or(space);
                let message =
                    format!("there is no FlowCollector {wanted}/{} here; there is {given}", reference.name);
                self.problems.extend(object.problem_at("spec.collectorRef.name", message));
                return;
            }
            (Choice::Labels, _) => format!("its {} does not match the {}'s labels", selectors.0, selectors.2),
            (Choice::Namespace, _) if selective => {
                format!(
                    "its {} does not match the namespace's name (other labels are not known here)",
                    selectors.1
                )
            }
            (Choice::Namespace | Choice::Elsewhere, _) => "it is in another namespace".to_owned(),
        };
        let message = format!("{} does not run on FlowCollector {given}: {why}", object.identity());
        let position = Some(object.position());
        self.notes.push(Note { file: object.file.to_path_buf(), position, message });
    }
}

fn place(object: &Object) -> String {
    format!("{}:{}", object.file.display(), object.position().line)
}
