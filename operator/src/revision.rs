//! The last good of each profile, and of the collector itself: kept as ControllerRevisions, so that it outlives the
//! operator and what it wrote.

use std::collections::BTreeMap;

use crds::config::hot::HotProfile;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::ResourceExt;
use kube::api::ObjectMeta;
use serde::de::DeserializeOwned;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

/// UID of the object whose revision it is.
pub const OF: &str = "weir.dev/revision-of";
/// What the object is called, for people.
pub const NAME: &str = "weir.dev/revision-of-name";
/// How many are kept of each object.
pub const KEPT: usize = 3;

/// All revisions that a collector owns.
#[derive(Clone, Debug, Default)]
pub struct Revisions(BTreeMap<String, Vec<ControllerRevision>>);

impl Revisions {
    /// Sorted by what they are of, newest first.
    pub fn new(all: impl IntoIterator<Item = ControllerRevision>) -> Self {
        let mut by: BTreeMap<String, Vec<ControllerRevision>> = BTreeMap::new();
        for revision in all {
            if let Some(of) = revision.labels().get(OF).cloned() {
                by.entry(of).or_default().push(revision);
            }
        }
        for revisions in by.values_mut() {
            revisions.sort_by_key(|revision| (-number(revision), revision.name_any()));
        }
        Self(by)
    }

    /// The newest of an object, if it can be read.
    pub fn last<T: DeserializeOwned>(&self, uid: &str) -> Option<T> {
        self.0.get(uid)?.iter().find_map(|revision| serde_json::from_value(revision.data.0.clone()).ok())
    }

    /// Whether the newest of an object has this content.
    fn is_newest(&self, uid: &str, value: &Value) -> bool {
        self.0.get(uid).and_then(|all| all.first()).map(|newest| &newest.data.0) == Some(value)
    }

    /// What is to be written so that the content is the newest of its object; nothing when it is.
    pub fn newer(&self, of: &Of<'_>, value: Value) -> Option<ControllerRevision> {
        if self.is_newest(of.uid, &value) {
            return None;
        }
        let revision = self.0.get(of.uid).and_then(|all| all.first()).map_or(1, |newest| number(newest) + 1);
        let name = format!("{}-{:016x}-{revision}", of.prefix, xxh3_64(of.uid.as_bytes()));
        let labels = BTreeMap::from([(OF.to_owned(), of.uid.to_owned())]);
        let annotations = BTreeMap::from([(NAME.to_owned(), of.name.to_owned())]);
        Some(ControllerRevision {
            metadata: ObjectMeta {
                name: Some(name),
                labels: Some(labels),
                annotations: Some(annotations),
                ..ObjectMeta::default()
            },
            data: RawExtension(value),
            revision: Some(revision),
        })
    }

    /// Those that need not be kept: older than the last three, or of an object that is gone.
    pub fn surplus<'a>(
        &'a self,
        lives: impl Fn(&str) -> bool + 'a,
    ) -> impl Iterator<Item = &'a ControllerRevision> {
        self.0.iter().flat_map(move |(uid, all)| all.iter().skip(if lives(uid) { KEPT } else { 0 }))
    }
}

/// Of what a revision is.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    /// The collector's name: what the revision's own name begins with.
    pub prefix: &'a str,
    /// UID of the object.
    pub uid: &'a str,
    /// `FlowProfile namespace/name`.
    pub name: &'a str,
}

/// A profile's content.
///
/// # Panics
/// Never: a profile is plain data.
#[allow(clippy::expect_used, reason = "see Panics")]
pub fn of_profile(profile: &HotProfile) -> Value {
    serde_json::to_value(profile).expect("a profile is plain data")
}

fn number(revision: &ControllerRevision) -> i64 {
    revision.revision.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OBJECT: Of<'_> = Of { prefix: "zone1", uid: "u1", name: "FlowProfile n/p" };

    #[test]
    fn the_newest_is_read_the_same_content_is_not_written_twice_and_three_are_kept() {
        let mut all: Vec<ControllerRevision> = Vec::new();
        for value in 1..=5 {
            let known = Revisions::new(all.clone());
            assert_eq!(known.last::<i64>("u1"), (value > 1).then(|| value - 1));
            all.push(known.newer(&OBJECT, json!(value)).unwrap());
            assert!(Revisions::new(all.clone()).newer(&OBJECT, json!(value)).is_none());
        }
        let known = Revisions::new(all);
        let old: Vec<i64> = known.surplus(|_| true).map(number).collect();
        assert_eq!(old, [2, 1]);
        assert_eq!(known.surplus(|_| false).count(), 5, "nothing is kept of what is gone");
        assert_eq!(known.last::<i64>("u2"), None);
    }

    #[test]
    fn what_cannot_be_read_gives_way_to_the_one_before() {
        let first = Revisions::default().newer(&OBJECT, json!(1)).unwrap();
        let second = Revisions::new([first.clone()]).newer(&OBJECT, json!("of another version")).unwrap();
        assert_eq!(Revisions::new([first, second]).last::<i64>("u1"), Some(1));
    }
}
