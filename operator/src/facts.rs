//! What one reconciler knows and another one needs: each object's status has one writer, which always writes all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Why something does not run as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// CamelCase, for conditions.
    pub reason: &'static str,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// A profile at a collector, as the collector's reconciler judged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileFact {
    /// The generation that was judged.
    pub generation: i64,
    /// Why that one does not run.
    pub refused: Option<Refusal>,
    /// Generation and hash of what the edges are to run: this one, or the last good one.
    pub runs: Option<(i64, String)>,
}

/// A target at a collector, as the collector's reconciler judged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetFact {
    /// The generation that was judged.
    pub generation: i64,
    /// Why it is not exported to.
    pub refused: Option<Refusal>,
}

/// Other objects of which something changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concerned {
    /// Profiles by `namespace/name`.
    pub profiles: BTreeSet<String>,
    /// Targets by `namespace/name`.
    pub targets: BTreeSet<String>,
}

/// What a collector's reconciler found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectorFacts {
    /// By `namespace/name`.
    pub profiles: BTreeMap<String, ProfileFact>,
    /// By `namespace/name`.
    pub targets: BTreeMap<String, TargetFact>,
    /// Nodes whose edge is Ready.
    pub ready: BTreeSet<String>,
}

/// The facts of all collectors, and since when generations are on their way. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Facts(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    collectors: BTreeMap<String, CollectorFacts>,
    /// By profile: the generation that was seen, and when.
    seen: BTreeMap<String, (i64, Option<Instant>)>,
    /// By profile: the labels by which collectors choose it.
    labels: BTreeMap<String, BTreeMap<String, String>>,
    /// By profile: when its status was written last.
    written: BTreeMap<String, Instant>,
}

impl Facts {
    /// Replaces what is known of a collector; says whom that concerns.
    pub fn set(&self, collector: &str, facts: CollectorFacts) -> Concerned {
        let mut inner = self.lock();
        let before = inner.collectors.get(collector).cloned().unwrap_or_default();
        let all = before.ready != facts.ready;
        let concerned = Concerned {
            profiles: changed(&before.profiles, &facts.profiles, all),
            targets: changed(&before.targets, &facts.targets, all),
        };
        inner.collectors.insert(collector.to_owned(), facts);
        concerned
    }

    /// Forgets a collector; says whom that concerns.
    pub fn remove(&self, collector: &str) -> Concerned {
        let gone = self.lock().collectors.remove(collector).unwrap_or_default();
        Concerned {
            profiles: gone.profiles.into_keys().collect(),
            targets: gone.targets.into_keys().collect(),
        }
    }

    /// How many profiles some collector refused.
    pub fn refused(&self) -> usize {
        let inner = self.lock();
        let profiles = inner.collectors.values().flat_map(|facts| &facts.profiles);
        profiles
            .filter(|(_, fact)| fact.refused.is_some())
            .map(|(name, _)| name)
            .collect::<BTreeSet<_>>()
            .len()
    }

    /// The collectors that serve a target or refused it, with what they say of it.
    pub fn of_target(&self, target: &str) -> Vec<(String, TargetFact, BTreeSet<String>)> {
        let inner = self.lock();
        let facts = inner.collectors.iter();
        facts
            .filter_map(|(name, facts)| {
                Some((name.clone(), facts.targets.get(target)?.clone(), facts.ready.clone()))
            })
            .collect()
    }

    /// The collectors that run a profile or refused it, with what they say of it.
    pub fn of_profile(&self, profile: &str) -> Vec<(String, ProfileFact, BTreeSet<String>)> {
        let inner = self.lock();
        let facts = inner.collectors.iter();
        facts
            .filter_map(|(name, facts)| {
                Some((name.clone(), facts.profiles.get(profile)?.clone(), facts.ready.clone()))
            })
            .collect()
    }

    /// What is known of a collector.
    pub fn of_collector(&self, collector: &str) -> CollectorFacts {
        self.lock().collectors.get(collector).cloned().unwrap_or_default()
    }

    /// The collectors that know a profile.
    pub fn collectors_of(&self, profile: &str) -> Vec<String> {
        let inner = self.lock();
        let known = inner.collectors.iter().filter(|(_, facts)| facts.profiles.contains_key(profile));
        known.map(|(name, _)| name.clone()).collect()
    }

    /// A generation of a profile was seen. What was there when the operator started tells no time.
    pub fn saw(&self, profile: &str, generation: i64, started: bool) {
        let mut inner = self.lock();
        let known = inner.seen.get(profile).is_some_and(|(seen, _)| *seen == generation);
        if !known {
            inner.seen.insert(profile.to_owned(), (generation, started.then(Instant::now)));
        }
    }

    /// How long a generation took from being seen to running everywhere; once each.
    pub fn arrived(&self, profile: &str, generation: i64) -> Option<Duration> {
        let mut inner = self.lock();
        let (seen, since) = inner.seen.get_mut(profile)?;
        if *seen != generation {
            return None;
        }
        since.take().map(|since| since.elapsed())
    }

    /// Whether a profile has other labels than when it was asked last.
    pub fn labels_changed(&self, profile: &str, labels: &BTreeMap<String, String>) -> bool {
        let before = self.lock().labels.insert(profile.to_owned(), labels.clone());
        before.as_ref() != Some(labels)
    }

    /// A profile's status was written.
    pub fn wrote(&self, profile: &str) {
        self.lock().written.insert(profile.to_owned(), Instant::now());
    }

    /// How long ago a profile's status was written.
    pub fn written_ago(&self, profile: &str) -> Option<Duration> {
        self.lock().written.get(profile).map(Instant::elapsed)
    }

    /// A profile is gone.
    pub fn forget_profile(&self, profile: &str) {
        let mut inner = self.lock();
        inner.seen.remove(profile);
        inner.written.remove(profile);
        inner.labels.remove(profile);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn changed<T: PartialEq>(
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
    all: bool,
) -> BTreeSet<String> {
    let names = before.keys().chain(after.keys());
    names.filter(|name| all || before.get(*name) != after.get(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(generation: i64, nodes: &[&str]) -> CollectorFacts {
        let fact =
            |generation| ProfileFact { generation, refused: None, runs: Some((generation, "h".to_owned())) };
        CollectorFacts {
            profiles: [("n/a".to_owned(), fact(generation)), ("n/b".to_owned(), fact(1))].into(),
            targets: BTreeMap::new(),
            ready: nodes.iter().map(|&node| node.to_owned()).collect(),
        }
    }

    #[test]
    fn only_the_profiles_that_something_changed_for_are_named() {
        let board = Facts::default();
        let set = |facts| board.set("n/c", facts).profiles;
        assert_eq!(set(facts(1, &["x"])).len(), 2);
        assert!(set(facts(1, &["x"])).is_empty());
        assert_eq!(set(facts(2, &["x"])), ["n/a".to_owned()].into());
        assert_eq!(set(facts(2, &["x", "y"])).len(), 2, "the number of nodes concerns all");
        assert_eq!(board.remove("n/c").profiles.len(), 2);
    }

    #[test]
    fn a_refused_profile_counts_once_whatever_the_number_of_collectors() {
        let board = Facts::default();
        let mut bad = facts(1, &[]);
        let refusal = Refusal { reason: "InvalidSpec", message: String::new() };
        bad.profiles.get_mut("n/a").unwrap().refused = Some(refusal);
        for (collector, facts) in [("n/c", bad.clone()), ("n/d", bad), ("n/e", facts(1, &[]))] {
            board.set(collector, facts);
        }
        assert_eq!(board.refused(), 1);
    }

    #[test]
    fn the_way_of_a_generation_is_timed_once() {
        let board = Facts::default();
        board.saw("n/a", 1, false);
        assert_eq!(board.arrived("n/a", 1), None, "it was there before us");
        board.saw("n/a", 2, true);
        assert_eq!(board.arrived("n/a", 1), None);
        assert!(board.arrived("n/a", 2).is_some());
        assert_eq!(board.arrived("n/a", 2), None);
    }
}
