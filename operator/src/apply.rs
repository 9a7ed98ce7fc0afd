//! Makes the cluster what was built, with as few requests as there are differences.
//!
//! Everything is a server-side apply by one field manager. An object is left alone while what was last applied is the
//! same and nobody changed the object since, or while every field that we set has the value that we set: fields of
//! others (injected annotations, defaults, an autoscaler's numbers) are theirs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::DynamicObject;
use kube::{Api, Client, ResourceExt};
use serde_json::Value;
use tracing::{debug, info};
use xxhash_rust::xxh3::xxh3_64;

use crate::cache::{Cache, Place};
use crate::kind::Kind;

/// Who writes.
pub const MANAGER: &str = "weir-operator";

/// An object as it should be, complete with kind and version.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// Where it lies.
    pub place: Place,
    /// All fields that are ours.
    pub object: Value,
}

impl Desired {
    /// From a typed object with its name and, unless its kind has none, its namespace.
    ///
    /// # Panics
    /// Never: the objects that are built are plain data.
    #[allow(clippy::expect_used, reason = "see Panics")]
    pub fn new<K: kube::Resource<DynamicType = ()> + serde::Serialize>(kind: Kind, object: &K) -> Self {
        let mut value = serde_json::to_value(object).expect("plain data");
        value["apiVersion"] = K::api_version(&()).into();
        value["kind"] = K::kind(&()).into();
        let place = Place::new(kind, object.meta().namespace.clone().unwrap_or_default(), object.name_any());
        Self { place, object: value }
    }
}

/// What went wrong with one object; the others were applied all the same.
#[derive(Debug, thiserror::Error)]
#[error("{kind} {name}: {source}")]
pub struct ApplyError {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What the API server said.
    pub source: kube::Error,
}

/// What was applied last: the hash of our fields, and the object's version afterwards.
type Last = BTreeMap<Place, (u64, Option<String>)>;

/// Applies and deletes. Cheap to clone.
#[derive(Clone)]
pub struct Applier {
    client: Client,
    cache: Cache,
    last: Arc<Mutex<Last>>,
}

impl Applier {
    /// Writes through a client what differs from a cache.
    pub fn new(client: Client, cache: Cache) -> Self {
        Self { client, cache, last: Arc::default() }
    }

    /// Makes one object what it should be; says whether that took a request.
    ///
    /// # Errors
    /// What the API server objects.
    pub async fn apply(&self, desired: &Desired) -> Result<bool, ApplyError> {
        let hash = xxh3_64(desired.object.to_string().as_bytes());
        if self.stands(desired, hash) {
            return Ok(false);
        }
        let Place { kind, name, .. } = &desired.place;
        debug!(kind = kind.name(), name, "apply");
        let api = self.api(&desired.place);
        if let Some(removal) = self.cache.get(&desired.place).and_then(|live| foreign_keys(desired, &live)) {
            let removed = api.patch(name, &PatchParams::default(), &Patch::Merge(&removal)).await;
            removed.map_err(|source| error(&desired.place, source))?;
        }
        let parameters = PatchParams::apply(MANAGER).force();
        let applied = api.patch(name, &parameters, &Patch::Apply(&desired.object)).await;
        let applied = applied.map_err(|source| error(&desired.place, source))?;
        let version = applied.resource_version();
        if kind.is_owned() {
            self.cache.put_answer(*kind, applied);
        }
        self.lock().insert(desired.place.clone(), (hash, version));
        Ok(true)
    }

    /// Deletes an object, unless it was made anew meanwhile.
    ///
    /// # Errors
    /// What the API server objects; an object that is gone already is none.
    pub async fn delete(&self, object: &DynamicObject, place: &Place) -> Result<(), ApplyError> {
        info!(kind = place.kind.name(), namespace = place.namespace, name = place.name, "delete");
        let preconditions = Preconditions { uid: object.uid(), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
        self.lock().remove(place);
        match self.api(place).delete(&place.name, &parameters).await {
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
            Err(source) => Err(error(place, source)),
            Ok(_) => Ok(()),
        }
    }

    /// Forgets what belongs to objects that are gone.
    pub fn forget(&self, place: &Place) {
        self.lock().remove(place);
    }

    /// The API of a kind where an object lies.
    pub fn api(&self, place: &Place) -> Api<DynamicObject> {
        let resource = place.kind.resource();
        if place.namespace.is_empty() {
            return Api::all_with(self.client.clone(), &resource);
        }
        Api::namespaced_with(self.client.clone(), &place.namespace, &resource)
    }

    fn stands(&self, desired: &Desired, hash: u64) -> bool {
        let last = self.lock().get(&desired.place).cloned();
        if !desired.place.kind.is_owned() {
            return last.is_some_and(|(applied, _)| applied == hash);
        }
        let Some(live) = self.cache.get(&desired.place) else { return false };
        if last.is_some_and(|(applied, version)| applied == hash && version == live.resource_version()) {
            return true;
        }
        let Ok(live_value) = serde_json::to_value(&*live) else { return false };
        if !holds(&desired.object, &live_value) {
            return false;
        }
        self.lock().insert(desired.place.clone(), (hash, live.resource_version()));
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn error(place: &Place, source: kube::Error) -> ApplyError {
    ApplyError { kind: place.kind.name(), name: place.name.clone(), source }
}

/// Whether everything that we set stands in the live object. Objects may have more fields, and lists of objects with
/// names more entries; a map of ours that lost a key is seen by the field manager when something else is applied.
fn holds(ours: &Value, live: &Value) -> bool {
    match (ours, live) {
        (Value::Object(ours), Value::Object(live)) => {
            // A ConfigMap's content is all ours: what somebody added to it would be read by our programs.
            if let (Some(ours), Some(live)) = (content(ours), content(live))
                && ours != live
            {
                return false;
            }
            ours.iter().all(|(key, value)| match live.get(key) {
                Some(there) => holds(value, there),
                None => is_empty(value),
            })
        }
        (Value::Array(ours), Value::Array(live)) => {
            ours.len() == live.len() && ours.iter().zip(live).all(|(ours, live)| holds(ours, live))
        }
        _ => ours == live,
    }
}

/// What takes keys out of a ConfigMap that somebody else put there: an apply leaves what it does not own, and our
/// programs would read it.
fn foreign_keys(desired: &Desired, live: &DynamicObject) -> Option<Value> {
    if desired.place.kind != Kind::ConfigMap {
        return None;
    }
    let mut removal = Value::Null;
    for field in ["data", "binaryData"] {
        let keys =
            live.data.get(field).and_then(Value::as_object).map(|map| map.keys()).into_iter().flatten();
        for key in keys.filter(|key| desired.object[field].get(key.as_str()).is_none()) {
            removal[field][key] = Value::Null;
        }
    }
    removal.is_object().then_some(removal)
}

/// The keys of a ConfigMap.
fn content(object: &serde_json::Map<String, Value>) -> Option<Vec<&String>> {
    if object.get("kind").and_then(Value::as_str) != Some("ConfigMap") {
        return None;
    }
    let keys = |field: &str| {
        object.get(field).and_then(Value::as_object).map(|map| map.keys()).into_iter().flatten()
    };
    Some(keys("data").chain(keys("binaryData")).collect())
}

/// The API server leaves out what is empty.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_empty),
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(set) => !set,
        Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_add_is_theirs_and_what_they_change_of_ours_is_not() {
        let ours = json!({"kind": "DaemonSet", "metadata": {"labels": {"a": "1"}}, "spec": {"x": [{"name": "e", "v": 1}], "none": {}}});
        let mut live = json!({"kind": "DaemonSet", "metadata": {"labels": {"a": "1", "b": "2"}, "annotations": {"c": "d"}},
            "spec": {"x": [{"name": "e", "v": 1, "default": true}], "y": 3}, "status": {}});
        assert!(holds(&ours, &live));
        live["metadata"]["labels"]["a"] = "2".into();
        assert!(!holds(&ours, &live));
        live["metadata"]["labels"]["a"] = "1".into();
        live["spec"]["x"][0]["v"] = 2.into();
        assert!(!holds(&ours, &live));
    }

    #[test]
    fn a_key_that_somebody_put_into_our_config_map_is_a_difference() {
        let ours = json!({"kind": "ConfigMap", "data": {"a": "1"}});
        assert!(holds(&ours, &json!({"kind": "ConfigMap", "data": {"a": "1"}, "metadata": {"uid": "u"}})));
        assert!(!holds(&ours, &json!({"kind": "ConfigMap", "data": {"a": "1", "b": "2"}})));
        assert!(!holds(&ours, &json!({"kind": "ConfigMap", "data": {}})));
        let desired = Desired { place: Place::new(Kind::ConfigMap, "n", "c"), object: ours };
        let mut live = DynamicObject::new("c", &Kind::ConfigMap.resource());
        live.data = json!({"data": {"a": "1", "b": "2"}, "binaryData": {"c": ""}});
        let removal = foreign_keys(&desired, &live);
        assert_eq!(removal, Some(json!({"data": {"b": null}, "binaryData": {"c": null}})));
        live.data = json!({"data": {"a": "3"}});
        assert_eq!(foreign_keys(&desired, &live), None);
    }
}
