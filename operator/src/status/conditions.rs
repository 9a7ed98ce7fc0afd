//! Conditions as Kubernetes' API conventions have them: a transition time that moves with the status alone, each with
//! the generation that it speaks of.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::RECONCILING_FOR;

/// What is wrong until another object is there.
const MAY_COME: [&str; 4] = ["NoCollector", "SecretMissing", "SecretNotLabeled", "SecretKeyMissing"];
/// A message is no longer (the API server's limit for conditions).
const MESSAGE_BYTES: usize = 32_768;

/// Whether something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Nobody can tell now.
    Unknown,
}

impl Holds {
    /// As conditions spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Yes => "True",
            Self::No => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Holds {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// The conditions of one object, made anew each time from what held before.
#[derive(Clone, Debug)]
pub struct Conditions<'a> {
    before: &'a [Condition],
    generation: i64,
    now: Timestamp,
    made: Vec<Condition>,
}

impl<'a> Conditions<'a> {
    /// Begins with what the object's status says.
    pub fn new(before: &'a [Condition], generation: i64, now: Timestamp) -> Self {
        Self { before, generation, now, made: Vec::new() }
    }

    /// Adds a condition.
    pub fn add(&mut self, kind: &str, holds: Holds, reason: &str, message: impl Into<String>) {
        let status = holds.name();
        let since =
            self.before.iter().find(|condition| condition.type_ == kind && condition.status == status);
        let mut message = message.into();
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
        self.made.push(Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message,
            observed_generation: Some(self.generation),
            last_transition_time: since
                .map_or(Time(self.now), |condition| condition.last_transition_time.clone()),
        });
    }

    /// Since when a condition holds that held before: seconds. None when it did not, or for an older generation.
    pub fn held_for(&self, kind: &str) -> Option<i64> {
        let held = self.before.iter().find(|condition| {
            condition.type_ == kind
                && condition.status == "True"
                && condition.observed_generation == Some(self.generation)
        })?;
        Some(self.now.as_second() - held.last_transition_time.0.as_second())
    }

    /// Whether a condition held before with a reason, for this generation.
    pub fn before_was(&self, kind: &str, reason: &str) -> bool {
        self.before.iter().any(|condition| {
            condition.type_ == kind
                && condition.reason == reason
                && condition.observed_generation == Some(self.generation)
        })
    }

    /// Whether a condition that was added holds.
    pub fn holds(&self, kind: &str) -> bool {
        self.made.iter().any(|condition| condition.type_ == kind && condition.status == "True")
    }

    /// Adds Ready=False with what is wrong, and Stalled. What another object may still mend when it comes (a collector
    /// that is applied a moment later, a Secret) is Reconciling for a minute first: GitOps tools give up at Stalled.
    /// Says when to look again.
    pub fn refused(&mut self, reason: &str, message: &str) -> Option<Duration> {
        self.add("Ready", Holds::No, reason, message);
        let waited = self.held_for("Reconciling").unwrap_or(0);
        let comes = MAY_COME.contains(&reason) && !self.before_was("Stalled", reason);
        if comes && waited < RECONCILING_FOR {
            self.add("Reconciling", Holds::Yes, reason, message);
            return Some(Duration::from_secs(u64::try_from(RECONCILING_FOR - waited).unwrap_or_default()));
        }
        self.add("Stalled", Holds::Yes, reason, message);
        None
    }

    /// All that were added, in their order.
    pub fn done(self) -> Vec<Condition> {
        self.made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_moves_with_the_status_alone() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut first = Conditions::new(&[], 1, at(100));
        first.add("Ready", Holds::No, "Starting", "one");
        let first = first.done();
        let mut second = Conditions::new(&first, 2, at(200));
        second.add("Ready", Holds::No, "Waiting", "two");
        let second = second.done();
        assert_eq!(second[0].last_transition_time, Time(at(100)));
        assert_eq!((second[0].reason.as_str(), second[0].observed_generation), ("Waiting", Some(2)));
        let mut third = Conditions::new(&second, 2, at(300));
        third.add("Ready", Holds::Yes, "Ready", "");
        let third = third.done();
        assert_eq!(third[0].last_transition_time, Time(at(300)));
        assert_eq!(Conditions::new(&third, 2, at(360)).held_for("Ready"), Some(60));
        assert_eq!(Conditions::new(&third, 3, at(360)).held_for("Ready"), None, "of an older generation");
    }
}
