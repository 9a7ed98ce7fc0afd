//! Answers that are kept for a while.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Denied;

/// An answer is not asked for again for so long.
const FRESH: Duration = Duration::from_secs(10);
/// While the API server is away, its last answer holds for so long.
const STALE: Duration = Duration::from_secs(300);

/// At most so many answers; the oldest go first.
pub(super) struct Answers<K, V> {
    kept: Mutex<HashMap<K, (Instant, V)>>,
    most: usize,
}

impl<K: Clone + Eq + Hash, V: Clone> Answers<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { kept: Mutex::new(HashMap::new()), most }
    }

    /// The answer that is kept, or a new one.
    pub(super) async fn get<F>(&self, key: &K, ask: impl FnOnce() -> F) -> Result<V, Denied>
    where
        F: Future<Output = Result<V, Denied>>,
    {
        let kept = self.lock().get(key).cloned();
        if let Some((when, answer)) = &kept
            && when.elapsed() < FRESH
        {
            return Ok(answer.clone());
        }
        match (ask().await, kept) {
            (Ok(answer), _) => {
                self.keep(key.clone(), answer.clone(), Instant::now());
                Ok(answer)
            }
            (Err(Denied::Away(_)), Some((when, answer))) if when.elapsed() < STALE => Ok(answer),
            (Err(denied), _) => Err(denied),
        }
    }

    fn keep(&self, key: K, answer: V, when: Instant) {
        let mut kept = self.lock();
        if kept.len() >= self.most && !kept.contains_key(&key) {
            kept.retain(|_, (when, _)| when.elapsed() < STALE);
            let oldest = kept.iter().min_by_key(|(_, (when, _))| *when).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest.filter(|_| kept.len() >= self.most) {
                kept.remove(&oldest);
            }
        }
        kept.insert(key, (when, answer));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, (Instant, V)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(
        answers: &Answers<u32, bool>,
        key: u32,
        answer: Result<bool, Denied>,
    ) -> Result<bool, Denied> {
        answers.get(&key, || async { answer }).await
    }

    #[tokio::test]
    async fn an_answer_is_kept_and_goes_on_while_nobody_can_be_asked() {
        let answers = Answers::new(2);
        let away = || Err(Denied::Away("gone".into()));
        assert!(ask(&answers, 1, away()).await.is_err());
        assert_eq!(ask(&answers, 1, Ok(true)).await, Ok(true));
        assert_eq!(ask(&answers, 1, Ok(false)).await, Ok(true), "not asked again");
        let before = Instant::now() - FRESH;
        answers.keep(1, true, before);
        assert_eq!(ask(&answers, 1, away()).await, Ok(true));
        assert_eq!(ask(&answers, 1, Ok(false)).await, Ok(false), "taken back");
        answers.keep(1, true, Instant::now() - STALE);
        assert!(ask(&answers, 1, away()).await.is_err(), "too old");
    }

    #[tokio::test]
    async fn answers_are_bounded_and_the_oldest_goes_first() {
        let answers = Answers::new(2);
        for key in 1..=3 {
            ask(&answers, key, Ok(true)).await.unwrap();
        }
        let mut kept: Vec<u32> = answers.lock().keys().copied().collect();
        kept.sort_unstable();
        assert_eq!(kept, [2, 3]);
    }
}
