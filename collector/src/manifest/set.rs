//! The objects of one folder together: one collector, its profiles, and what they say of each other.

use std::collections::HashMap;

use crds::collector::FlowCollector;
use crds::config::{
    Fleet, ProfileConfig, Violation, check_collector, check_profile, identity, namespace, runs,
};
use crds::profile::FlowProfile;

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
    made
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
        self.collector = Some((object.name(), fleet));
    }

    fn profile(&mut self, object: &Object, profile: &FlowProfile, collector: Option<&FlowCollector>) {
        let here = collector.filter(|collector| runs(collector, profile));
        if let Some(collector) = collector
            && here.is_none()
        {
            self.elsewhere(object, profile, collector);
        }
        let config = self.judge(object, check_profile(here, profile));
        if here.is_some() || collector.is_none() {
            self.profiles.push((object.name(), config));
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

    /// Says why a profile does not run on the collector.
    fn elsewhere(&mut self, object: &Object, profile: &FlowProfile, collector: &FlowCollector) {
        let given = identity(&collector.metadata);
        match &profile.spec.collector_ref {
            Some(reference) => {
                let wanted = format!("{}/{}", namespace(&profile.metadata), reference.name);
                let message = format!("there is no FlowCollector {wanted} here; there is {given}");
                self.problems.extend(object.problem_at("spec.collectorRef.name", message));
            }
            None => {
                let why = if namespace(&profile.metadata) == namespace(&collector.metadata) {
                    "its profileSelector does not match the profile's labels"
                } else {
                    "it is in another namespace"
                };
                let message = format!("{} does not run on FlowCollector {given}: {why}", object.identity());
                let position = Some(object.position());
                self.notes.push(Note { file: object.file.to_path_buf(), position, message });
            }
        }
    }
}

fn place(object: &Object) -> String {
    format!("{}:{}", object.file.display(), object.position().line)
}
