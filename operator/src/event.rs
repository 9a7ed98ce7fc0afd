//! Events: what changed for an object, once each time that it does.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Client;
use kube::Resource;
use kube::core::DynamicObject;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use serde_json::Value;
use tracing::warn;

use crate::apply::MANAGER;
use crate::kind::Kind;

/// An event's note is no longer (events.k8s.io/v1).
const NOTE_BYTES: usize = 1024;

/// Publishes events.
#[derive(Clone)]
pub struct Teller(Recorder);

impl Teller {
    /// Speaks as one replica.
    pub fn new(client: Client, instance: &str) -> Self {
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: Some(instance.to_owned()) };
        Self(Recorder::new(client, reporter))
    }

    /// Tells of the conditions whose status changed between two statuses of an object.
    pub async fn transitions(
        &self,
        kind: Kind,
        object: &DynamicObject,
        before: &[Condition],
        after: &[Condition],
    ) {
        let Some((type_, condition)) = transition(before, after) else { return };
        let mut note = condition.message.clone();
        note.truncate(note.floor_char_boundary(NOTE_BYTES));
        let event = Event {
            type_,
            reason: condition.reason.clone(),
            note: Some(note),
            action: condition.type_.clone(),
            secondary: None,
        };
        let reference = object.object_ref(&kind.resource());
        if let Err(error) = self.0.publish(&event, &reference).await {
            warn!(%error, "an event was not published");
        }
    }
}

/// The one event that a change of conditions is worth: Ready's, with the reason of what went wrong.
fn transition<'a>(before: &[Condition], after: &'a [Condition]) -> Option<(EventType, &'a Condition)> {
    let of =
        |conditions: &'a [Condition], kind: &str| conditions.iter().find(|condition| condition.type_ == kind);
    let was = |kind: &str| before.iter().find(|condition| condition.type_ == kind);
    let stalled = of(after, "Stalled");
    if let Some(stalled) = stalled {
        let same = was("Stalled").is_some_and(|was| was.message == stalled.message);
        return (!same).then_some((EventType::Warning, stalled));
    }
    let ready = of(after, "Ready")?;
    let changed = was("Ready").is_none_or(|was| was.status != ready.status);
    match (changed, ready.status.as_str()) {
        (true, "True") => Some((EventType::Normal, ready)),
        (true, "False") if was("Ready").is_some() => Some((EventType::Warning, ready)),
        _ => None,
    }
}

/// The conditions in an object's status, as far as they can be read.
pub fn conditions(object: &DynamicObject) -> Vec<Condition> {
    let conditions = object.data.get("status").and_then(|status| status.get("conditions")).cloned();
    serde_json::from_value(conditions.unwrap_or(Value::Array(Vec::new()))).unwrap_or_default()
}
