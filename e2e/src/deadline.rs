//! Waiting for a condition, with a deadline.

use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(25);

/// Asks `probe` until it gives something.
///
/// # Panics
/// When `limit` has passed; the message says `what` did not come, and what `explain` adds.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    explain: impl FnOnce() -> String,
    mut probe: impl FnMut() -> Option<T>,
) -> T {
    // Nothing is ever sent: the channel is a clock.
    let (_clock, ticks) = mpsc::channel::<()>();
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {limit:?}\n{}", explain());
        let _ = ticks.recv_timeout(STEP);
    }
}

/// As [`wait_for`], for a probe that asks a server.
///
/// # Panics
/// When `limit` has passed; the message says `what` did not come.
pub async fn eventually<T>(what: &str, limit: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let look = async {
        let mut ticks = tokio::time::interval(STEP);
        loop {
            ticks.tick().await;
            if let Some(found) = probe().await {
                return found;
            }
        }
    };
    let found = tokio::time::timeout(limit, look).await;
    found.unwrap_or_else(|_| panic!("{what}: not within {limit:?}"))
}
