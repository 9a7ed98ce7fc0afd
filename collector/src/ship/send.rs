//! From the pipeline into the spool, and from the spool to the aggregator.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::{Handover, SendError, Spool, Status, Upstream};
use crate::slot::{self, Ack};

/// The first wait after a failure; doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Spools what comes in and sends it on, until `input` ends and what it brought is sent, for at most as long as `drain`
/// says then. File work blocks its thread of the runtime, never the receiving one.
pub async fn run<U: Upstream>(
    mut spool: Spool,
    mut input: mpsc::Receiver<Handover>,
    upstream: Arc<U>,
    status: Arc<Mutex<Status>>,
    drain: watch::Receiver<Duration>,
) {
    let mut link = Link { upstream, wait: FIRST_WAIT, next_try: Instant::now(), waiting: false };
    let provisionals = Arc::new(Semaphore::new(1));
    loop {
        tokio::select! {
            biased;
            handed = input.recv() => match handed {
                Some(Handover::Cut(block)) => tokio::task::block_in_place(|| spool.append(*block)),
                Some(Handover::Provisional(mut value)) => {
                    (value.spool, value.after) = (spool.id(), spool.last());
                    forward(&link.upstream, &provisionals, slot::encode_provisional(&value));
                }
                None => break,
            },
            () = sleep_until(link.next_try), if spool.waiting().0 > 0 => link.send(&mut spool).await,
        }
        publish(&spool, &status);
    }
    let deadline = Instant::now() + *drain.borrow();
    while spool.waiting().0 > 0 && Instant::now() < deadline {
        sleep_until(link.next_try.min(deadline)).await;
        let _ = tokio::time::timeout_at(deadline, link.send(&mut spool)).await;
    }
    tokio::task::block_in_place(|| spool.checkpoint());
    publish(&spool, &status);
}

/// Sends a provisional value, unless the one before is still under way.
fn forward<U: Upstream>(upstream: &Arc<U>, one: &Arc<Semaphore>, value: Vec<u8>) {
    let Ok(permit) = Arc::clone(one).try_acquire_owned() else { return };
    let upstream = Arc::clone(upstream);
    tokio::spawn(async move {
        // Lost values are replaced within a second; that the aggregator is away is said by the blocks.
        let _ = upstream.provisional(value).await;
        drop(permit);
    });
}

fn publish(spool: &Spool, status: &Mutex<Status>) {
    let (blocks, bytes, acknowledged) = spool.waiting();
    let mut status = status.lock().unwrap_or_else(PoisonError::into_inner);
    let trouble = spool.trouble.clone();
    *status = Status { blocks, bytes, acknowledged, dropped: spool.given_up, trouble };
}

struct Link<U> {
    upstream: Arc<U>,
    wait: Duration,
    next_try: Instant,
    waiting: bool,
}

impl<U: Upstream> Link<U> {
    async fn send(&mut self, spool: &mut Spool) {
        let blocks = match tokio::task::block_in_place(|| spool.oldest()) {
            Ok(blocks) => blocks,
            Err(cause) => return self.failed(spool, &format!("cannot read the spool: {cause}")),
        };
        if blocks.is_empty() {
            // Everything waits in memory for the disk: the next cut tries again.
            return self.back_off();
        }
        match self.upstream.send(blocks).await {
            Ok(ack) => self.succeeded(spool, ack),
            Err(error @ (SendError::Unreachable(_) | SendError::Refused(_))) => {
                self.failed(spool, &error.to_string());
            }
        }
    }

    fn succeeded(&mut self, spool: &mut Spool, ack: Ack) {
        let before = spool.waiting().2;
        tokio::task::block_in_place(|| spool.acknowledge(ack.last));
        if ack.last <= before && spool.waiting().0 > 0 {
            return self.failed(spool, &format!("it has block {} and takes none after it", ack.last));
        }
        if self.waiting {
            info!(acknowledged = ack.last, "the aggregator is back");
        }
        spool.trouble = None;
        (self.wait, self.waiting, self.next_try) = (FIRST_WAIT, false, Instant::now());
    }

    fn failed(&mut self, spool: &mut Spool, cause: &str) {
        if !self.waiting {
            warn!(cause, "blocks wait in the spool");
        }
        self.waiting = true;
        spool.trouble = Some(cause.to_owned());
        self.back_off();
    }

    /// Doubles the wait, and spreads it by up to a quarter so that a fleet does not return in one instant.
    fn back_off(&mut self) {
        let spread = self.wait.mul_f64(f64::from(jitter()) / 1024.0);
        self.next_try = Instant::now() + self.wait + spread;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
    }
}

/// 0 to 255, different in each process and at each call.
fn jitter() -> u8 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0_u8).to_le_bytes()[0]
}
