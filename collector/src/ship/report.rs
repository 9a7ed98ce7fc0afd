//! What the edge runs, told to the aggregator: at once when it changes, and every ten seconds.

use std::sync::Arc;
use std::time::Duration;

use crds::fleet::EdgeReport;
use tokio::sync::watch;
use tracing::{debug, warn};

use super::{SendError, Upstream};

/// How often the aggregator is told that nothing changed.
const EVERY: Duration = Duration::from_secs(10);
/// The first wait after a failure; doubles up to [`EVERY`].
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Tells the newest report until nobody makes any more.
pub async fn run<U: Upstream>(upstream: Arc<U>, mut reports: watch::Receiver<EdgeReport>) {
    let (mut wait, mut refused) = (FIRST_WAIT, String::new());
    loop {
        let report = reports.borrow_and_update().clone();
        let pause = match upstream.report(&report).await {
            Ok(()) => {
                (wait, refused) = (FIRST_WAIT, String::new());
                EVERY
            }
            Err(error) => {
                said(&error, &mut refused);
                wait = (wait * 2).min(EVERY);
                wait / 2
            }
        };
        tokio::select! {
            changed = reports.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// That nobody answers is said of the blocks already.
fn said(error: &SendError, refused: &mut String) {
    match error {
        SendError::Unreachable(cause) => debug!(cause, "a report waits"),
        SendError::Refused(cause) if cause != refused => {
            warn!(cause, "the aggregator refused what this edge says of itself");
            refused.clone_from(cause);
        }
        SendError::Refused(_) => {}
    }
}
