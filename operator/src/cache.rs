//! What the watches have seen, by kind, namespace and name.
//!
//! Objects are kept as they came, without managed fields: one that does not fit its type must not stop the watch of all
//! others, and is reported where it is read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use kube::ResourceExt;
use kube::core::DynamicObject;
use serde::de::DeserializeOwned;

use crate::kind::Kind;

/// Where an object lies: its namespace is empty when it has none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The kind.
    pub kind: Kind,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Place {
    /// The place of an object of a kind.
    pub fn of(kind: Kind, object: &DynamicObject) -> Self {
        Self::new(kind, object.namespace().unwrap_or_default(), object.name_any())
    }

    /// A place by its parts.
    pub fn new(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into() }
    }
}

/// Everything that is watched. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Cache(Arc<RwLock<BTreeMap<Place, Arc<DynamicObject>>>>);

impl Cache {
    /// An object that is new or changed.
    pub fn put(&self, kind: Kind, object: DynamicObject) -> Option<Arc<DynamicObject>> {
        let (place, object) = kept(kind, object);
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(place, Arc::new(object))
    }

    /// An object as a request's answer had it. A watch may have seen a newer one before the answer came, and would not
    /// tell of it again.
    pub fn put_answer(&self, kind: Kind, object: DynamicObject) {
        let (place, object) = kept(kind, object);
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(&place);
        let older =
            known.is_some_and(|known| known.uid() == object.uid() && version(known) > version(&object));
        if !older {
            all.insert(place, Arc::new(object));
        }
    }

    /// An object that is gone.
    pub fn remove(&self, place: &Place) -> Option<Arc<DynamicObject>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(place)
    }

    /// After a complete list of a kind in a namespace (or everywhere): what was not listed is gone.
    pub fn keep_only(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        listed: &BTreeSet<Place>,
    ) -> Vec<Arc<DynamicObject>> {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let within = |place: &Place| {
            place.kind == kind && namespace.is_none_or(|namespace| namespace == place.namespace)
        };
        let gone: Vec<Place> =
            all.keys().filter(|place| within(place) && !listed.contains(place)).cloned().collect();
        gone.iter().filter_map(|place| all.remove(place)).collect()
    }

    /// One object.
    pub fn get(&self, place: &Place) -> Option<Arc<DynamicObject>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(place).cloned()
    }

    /// All of a kind, in a namespace or everywhere, by namespace and name.
    pub fn list(&self, kind: Kind, namespace: Option<&str>) -> Vec<Arc<DynamicObject>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let from = Place::new(kind, namespace.unwrap_or_default(), "");
        all.range((Bound::Included(from), Bound::Unbounded))
            .take_while(|(place, _)| {
                place.kind == kind && namespace.is_none_or(|namespace| namespace == place.namespace)
            })
            .map(|(_, object)| Arc::clone(object))
            .collect()
    }

    /// All of a kind that carry a label with this value.
    pub fn labeled(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        (label, value): (&str, &str),
    ) -> Vec<Arc<DynamicObject>> {
        let mut found = self.list(kind, namespace);
        found.retain(|object| object.labels().get(label).is_some_and(|held| held == value));
        found
    }
}

/// What is kept of an object, and where it lies.
fn kept(kind: Kind, mut object: DynamicObject) -> (Place, DynamicObject) {
    object.metadata.managed_fields = None;
    if kind == Kind::Pod {
        slim(&mut object);
    }
    (Place::of(kind, &object), object)
}

/// Versions of one object grow (Kubernetes API concepts, "Resource versions"); one that is no number is as old as can
/// be.
fn version(object: &DynamicObject) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}

/// An object as its type.
///
/// # Errors
/// What does not fit, when it was written by another version or past the schema.
pub fn typed<K: DeserializeOwned>(object: &DynamicObject) -> Result<K, serde_json::Error> {
    serde_json::from_value(serde_json::to_value(object)?)
}

/// A pod in the thousands: only where it runs and how it is.
fn slim(pod: &mut DynamicObject) {
    let Some(fields) = pod.data.as_object_mut() else { return };
    if let Some(spec) = fields.get_mut("spec").and_then(|spec| spec.as_object_mut()) {
        spec.retain(|key, _| matches!(key.as_str(), "nodeName" | "serviceAccountName"));
        // The type says that there is a list.
        spec.insert("containers".to_owned(), serde_json::Value::Array(Vec::new()));
    }
    pod.metadata.annotations = None;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_comes_late_does_not_hide_what_the_watch_has_seen() {
        let cache = Cache::default();
        let of = |version: &str| {
            let mut object = object("a", "x");
            object.metadata.resource_version = Some(version.to_owned());
            object
        };
        let place = Place::new(Kind::ConfigMap, "a", "x");
        let known = || cache.get(&place).unwrap().resource_version().unwrap();
        cache.put(Kind::ConfigMap, of("99"));
        cache.put_answer(Kind::ConfigMap, of("100"));
        assert_eq!(known(), "100");
        cache.put_answer(Kind::ConfigMap, of("99"));
        assert_eq!(known(), "100");
        cache.put(Kind::ConfigMap, of("99"));
        assert_eq!(known(), "99", "the watch is right: what is newer follows");
    }

    fn object(namespace: &str, name: &str) -> DynamicObject {
        let mut object = DynamicObject::new(name, &Kind::ConfigMap.resource());
        object.metadata.namespace = Some(namespace.to_owned());
        object.metadata.labels = Some([("a".to_owned(), name.to_owned())].into());
        object
    }

    #[test]
    fn a_list_has_a_kind_in_a_namespace_and_what_a_new_list_lacks_is_gone() {
        let cache = Cache::default();
        for (namespace, name) in [("a", "x"), ("b", "x"), ("b", "y"), ("c", "x")] {
            cache.put(Kind::ConfigMap, object(namespace, name));
        }
        cache.put(Kind::Service, object("b", "z"));
        let names = |namespace| -> Vec<String> {
            cache.list(Kind::ConfigMap, namespace).iter().map(|object| object.name_any()).collect()
        };
        assert_eq!(names(Some("b")), ["x", "y"]);
        assert_eq!(names(None).len(), 4);
        assert_eq!(cache.labeled(Kind::ConfigMap, None, ("a", "y")).len(), 1);
        let listed = [Place::new(Kind::ConfigMap, "b", "y")].into();
        assert_eq!(cache.keep_only(Kind::ConfigMap, Some("b"), &listed).len(), 1);
        assert_eq!(names(Some("b")), ["y"]);
        assert_eq!(names(None).len(), 3);
        assert!(cache.get(&Place::new(Kind::Service, "b", "z")).is_some());
    }
}
