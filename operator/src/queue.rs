//! What is to be reconciled, and when: each key at most once at a time, with backoff of its own.
//!
//! The schedule is pure; the queue around it waits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::RngExt;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The first wait after a failure; it doubles up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(200);
/// The longest wait after failures.
const LONGEST: Duration = Duration::from_secs(60);
/// Changes that come together are taken together.
pub const TOGETHER: Duration = Duration::from_millis(20);

/// An object with a reconciler.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A FlowCollector, `namespace/name`.
    Collector(String),
    /// A FlowProfile, `namespace/name`.
    Profile(String),
    /// An ExportTarget, `namespace/name`.
    Target(String),
}

impl Key {
    /// For labels of metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Collector(_) => "FlowCollector",
            Self::Profile(_) => "FlowProfile",
            Self::Target(_) => "ExportTarget",
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Collector(name) | Self::Profile(name) | Self::Target(name)) = self;
        write!(f, "{} {name}", self.kind())
    }
}

/// When each key is due.
#[derive(Debug, Default)]
struct Schedule {
    due: BTreeMap<Key, Instant>,
    running: BTreeSet<Key>,
    failures: BTreeMap<Key, u32>,
}

impl Schedule {
    /// The earlier time wins; a key that runs now runs again afterwards.
    fn add(&mut self, key: Key, at: Instant) {
        let due = self.due.entry(key).or_insert(at);
        *due = at.min(*due);
    }

    /// A key that is due and does not run, else when the next one is due.
    fn take(&mut self, now: Instant) -> Result<Key, Option<Instant>> {
        let waiting = self.due.iter().filter(|(key, _)| !self.running.contains(key));
        let Some((key, at)) = waiting.min_by_key(|(_, at)| **at).map(|(key, at)| (key.clone(), *at)) else {
            return Err(None);
        };
        if at > now {
            return Err(Some(at));
        }
        self.due.remove(&key);
        self.running.insert(key.clone());
        Ok(key)
    }

    /// Ends a run: `Ok` with when to come again, if ever; `Err` after a failure.
    fn done(&mut self, key: &Key, ended: Result<Option<Duration>, ()>, now: Instant, jitter: f64) {
        self.running.remove(key);
        match ended {
            Ok(again) => {
                self.failures.remove(key);
                if let Some(after) = again {
                    self.add(key.clone(), now + after);
                }
            }
            Err(()) => {
                let failures = self.failures.entry(key.clone()).or_default();
                let wait = FIRST.saturating_mul(1 << (*failures).min(16)).min(LONGEST);
                *failures += 1;
                self.add(key.clone(), now + wait.mul_f64(jitter));
            }
        }
    }
}

/// The queue. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    schedule: Arc<Mutex<Schedule>>,
    changed: Arc<Notify>,
}

impl Queue {
    /// Has a key reconciled soon.
    pub fn add(&self, key: Key) {
        self.add_after(key, TOGETHER);
    }

    /// Has several keys reconciled soon.
    pub fn extend(&self, keys: impl IntoIterator<Item = Key>) {
        keys.into_iter().for_each(|key| self.add(key));
    }

    /// Has a key reconciled after a while.
    pub fn add_after(&self, key: Key, after: Duration) {
        self.lock().add(key, Instant::now() + after);
        self.changed.notify_one();
    }

    /// Waits for a key; nobody else gets it until [`Queue::done`].
    pub async fn next(&self) -> Key {
        loop {
            let changed = self.changed.notified();
            let taken = self.lock().take(Instant::now());
            match taken {
                Ok(key) => {
                    // Others may be due as well.
                    self.changed.notify_one();
                    return key;
                }
                Err(None) => changed.await,
                Err(Some(at)) => {
                    tokio::select! {
                        () = changed => {}
                        () = tokio::time::sleep_until(at) => {}
                    }
                }
            }
        }
    }

    /// Ends what [`Queue::next`] began: when to come again, or that it failed (then after a growing wait).
    pub fn done(&self, key: &Key, ended: Result<Option<Duration>, ()>) {
        let jitter = rand::rng().random_range(0.8..1.2);
        self.lock().done(key, ended, Instant::now(), jitter);
        self.changed.notify_one();
    }

    /// How many keys wait.
    pub fn depth(&self) -> usize {
        self.lock().due.len()
    }

    fn lock(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::Profile(name.to_owned())
    }

    #[test]
    fn a_key_runs_once_at_a_time_and_again_when_it_changed_meanwhile() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        schedule.add(key("a"), now);
        schedule.add(key("a"), now);
        assert_eq!(schedule.take(now), Ok(key("a")));
        schedule.add(key("a"), now);
        assert_eq!(schedule.take(now), Err(None), "it runs");
        schedule.done(&key("a"), Ok(None), now, 1.0);
        assert_eq!(schedule.take(now), Ok(key("a")));
        schedule.done(&key("a"), Ok(None), now, 1.0);
        assert_eq!(schedule.take(now), Err(None));
    }

    #[test]
    fn failures_wait_longer_each_time_and_a_success_forgets_them() {
        let (mut schedule, mut now) = (Schedule::default(), Instant::now());
        schedule.add(key("a"), now);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let taken = schedule.take(now).unwrap();
            schedule.done(&taken, Err(()), now, 1.0);
            let at = schedule.take(now).unwrap_err().unwrap();
            waits.push((at - now).as_millis());
            now = at;
        }
        assert_eq!(waits, [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000, 60_000]);
        let taken = schedule.take(now).unwrap();
        schedule.done(&taken, Ok(Some(Duration::from_secs(5))), now, 1.0);
        assert_eq!(schedule.take(now), Err(Some(now + Duration::from_secs(5))));
        let taken = schedule.take(now + Duration::from_secs(5)).unwrap();
        schedule.done(&taken, Err(()), now, 1.0);
        assert_eq!(schedule.take(now), Err(Some(now + FIRST)));
    }

    #[test]
    fn what_fails_holds_nobody_else_up() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        schedule.add(key("bad"), now);
        let bad = schedule.take(now).unwrap();
        schedule.done(&bad, Err(()), now, 1.0);
        schedule.add(key("good"), now);
        assert_eq!(schedule.take(now), Ok(key("good")));
    }
}
