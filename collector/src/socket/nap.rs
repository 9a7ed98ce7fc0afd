//! How long to nap after a batch that was not full.
//!
//! Wake-ups are the cost at normal rates (2 to 3.5 us each, against 0.5 us to copy a datagram), so the receiver
//! lets datagrams gather: for at most half a millisecond, and never longer than a quarter of the time in which
//! the fullest socket's buffer would fill at the last second's rate.

use std::time::{Duration, Instant};

/// The longest nap.
const LONGEST: Duration = Duration::from_micros(500);

/// What a full-sized datagram takes of a buffer in the kernel's account.
const DATAGRAM: f64 = 2_304.0;

/// A second's clock and the rate that it gave.
#[derive(Debug)]
pub(super) struct Nap {
    since: Instant,
    per_second: f64,
}

impl Nap {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), per_second: 0.0 }
    }

    /// About once a second: takes the number of datagrams that came through the busiest socket since.
    pub(super) fn measure(&mut self, now: Instant, busiest: impl FnOnce() -> u64) {
        let elapsed = now - self.since;
        if elapsed >= Duration::from_secs(1) {
            self.per_second = busiest() as f64 / elapsed.as_secs_f64();
            self.since = now;
        }
    }

    /// The nap for sockets with buffers of `buffer` bytes.
    pub(super) fn length(&self, buffer: usize) -> Duration {
        if self.per_second < 1.0 {
            return LONGEST;
        }
        let fill = buffer as f64 / DATAGRAM / self.per_second;
        LONGEST.min(Duration::from_secs_f64((fill / 4.0).min(1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nap_is_half_a_millisecond_or_a_quarter_of_the_time_to_fill_the_buffer() {
        let mut nap = Nap::new();
        assert_eq!(nap.length(212_992), LONGEST, "nothing came yet");
        let start = nap.since;
        nap.measure(start + Duration::from_millis(500), || unreachable!("the second is not over"));
        nap.measure(start + Duration::from_secs(1), || 20_000);
        assert_eq!(nap.length(212_992), LONGEST, "92 datagrams in 4.6 ms");
        nap.measure(start + Duration::from_secs(2), || 100_000);
        let quarter = nap.length(212_992).as_micros();
        assert_eq!(quarter, 231, "92 datagrams in 0.92 ms");
        nap.measure(start + Duration::from_secs(4), || 200_000);
        assert_eq!(nap.length(212_992).as_micros(), quarter, "100,000 a second over two seconds");
        assert_eq!(nap.length(128 << 20), LONGEST, "a large buffer leaves time");
    }
}
