//! How often somebody may ask: so many times in a window, for a bounded number of askers.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// A bounded set of counters.
#[derive(Debug)]
pub(super) struct Limit<K> {
    times: u32,
    window: Duration,
    askers: usize,
    counted: Mutex<HashMap<K, (Instant, u32)>>,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    /// `times` in each `window`, for at most `askers` at once.
    pub(super) fn new(times: u32, window: Duration, askers: usize) -> Self {
        Self { times, window, askers, counted: Mutex::default() }
    }

    /// Counts one more.
    ///
    /// # Errors
    /// The time to wait, when that is one too many, or when too many others are being counted.
    pub(super) fn count(&self, who: &K, now: Instant) -> Result<(), Duration> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() >= self.askers && !counted.contains_key(who) {
            counted.retain(|_, (since, _)| now.duration_since(*since) < self.window);
            if counted.len() >= self.askers {
                return Err(self.window);
            }
        }
        let (since, times) = counted.entry(who.clone()).or_insert((now, 0));
        if now.duration_since(*since) >= self.window {
            (*since, *times) = (now, 0);
        }
        if *times >= self.times {
            return Err(self.window.saturating_sub(now.duration_since(*since)));
        }
        *times += 1;
        Ok(())
    }

    /// Whether one more would be one too many, without counting it: the time to wait.
    pub(super) fn full(&self, who: &K, now: Instant) -> Option<Duration> {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, times) = counted.get(who)?;
        let left = self.window.saturating_sub(now.duration_since(*since));
        (*times >= self.times && !left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    #[test]
    fn the_fourth_of_three_waits_for_the_rest_of_the_window_and_nobody_else_does() {
        let limit = Limit::new(3, WINDOW, 10);
        let start = Instant::now();
        for second in 0..3 {
            assert_eq!(limit.count(&"a", start + Duration::from_secs(second)), Ok(()));
        }
        let later = start + Duration::from_secs(20);
        assert_eq!(limit.full(&"a", later), Some(Duration::from_secs(40)));
        assert_eq!(limit.count(&"a", later), Err(Duration::from_secs(40)));
        assert_eq!((limit.full(&"b", later), limit.count(&"b", later)), (None, Ok(())));
        assert_eq!(limit.full(&"a", start + WINDOW), None);
        assert_eq!(limit.count(&"a", start + WINDOW), Ok(()));
    }

    #[test]
    fn memory_is_bounded_by_the_number_of_askers_and_freed_after_the_window() {
        let limit = Limit::new(1, WINDOW, 2);
        let start = Instant::now();
        assert_eq!((limit.count(&1, start), limit.count(&2, start)), (Ok(()), Ok(())));
        assert_eq!(limit.count(&3, start), Err(WINDOW));
        assert_eq!(limit.count(&3, start + WINDOW), Ok(()));
        assert_eq!(limit.counted.lock().unwrap().len(), 1);
    }
}
