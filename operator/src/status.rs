//! What is said of each object: computed from what was found, written when it differs.

pub mod collector;
pub mod conditions;
pub mod profile;
pub mod target;

use crds::status::clipped;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::apply::{Applier, ApplyError, MANAGER};
use crate::cache::{Cache, Place};

/// Seconds after which a profile that some edges do not run yet is Ready all the same, AppliedPartially: a node that
/// is ill must not hold up everyone who waits for the profile.
pub const RECONCILING_FOR: i64 = 60;

/// Writes a status when it differs from what stands there; says whether it did.
///
/// # Errors
/// What the API server objects; an object that is gone is none.
pub async fn write(
    applier: &Applier,
    cache: &Cache,
    place: &Place,
    status: Value,
) -> Result<bool, ApplyError> {
    let Some(live) = cache.get(place) else { return Ok(false) };
    if live.data.get("status") == Some(&status) {
        return Ok(false);
    }
    let resource = place.kind.resource();
    let patch = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": { "name": place.name, "uid": live.metadata.uid },
        "status": status,
    });
    let parameters = PatchParams::apply(MANAGER).force();
    match applier.api(place).patch_status(&place.name, &parameters, &Patch::Apply(&patch)).await {
        Ok(written) => {
            cache.put_answer(place.kind, written);
            Ok(true)
        }
        // Gone, or made anew under the same name: the next event tells.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(false),
        Err(source) => {
            Err(ApplyError { kind: place.kind.name(), name: format!("{} (status)", place.name), source })
        }
    }
}

/// `3/5`.
fn ratio(part: u32, whole: u32) -> String {
    format!("{part}/{whole}")
}

/// What a table shows of several collectors: the first, and how many more there are.
fn collectors<'a>(mut all: impl Iterator<Item = &'a str>) -> String {
    let Some(first) = all.next() else { return String::new() };
    match all.count() {
        0 => first.to_owned(),
        more => format!("{first} +{more}"),
    }
}

/// What a table shows of all conditions: the first that says that something is wrong.
fn most_urgent(conditions: &[Condition]) -> String {
    let wrong = |condition: &&Condition| match condition.type_.as_str() {
        "Stalled" | "Reconciling" => condition.status == "True",
        _ => condition.status != "True",
    };
    let stalled = conditions.iter().find(|condition| condition.type_ == "Stalled");
    let first = stalled.or_else(|| conditions.iter().find(wrong));
    first.map(|condition| clipped(&condition.message)).unwrap_or_default()
}
