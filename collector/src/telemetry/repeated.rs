//! Says a repeated error at most once an interval, and how often it was left unsaid.

use std::time::{Duration, Instant};

/// A gate in front of a log line that bad input could otherwise repeat without end.
///
/// ```
/// # use std::time::Duration;
/// # use collector::telemetry::Repeated;
/// let mut refused = Repeated::every(Duration::from_secs(10));
/// if let Some(unsaid) = refused.pass() {
///     tracing::warn!(unsaid, "datagram refused");
/// }
/// ```
#[derive(Debug)]
pub struct Repeated {
    interval: Duration,
    last: Option<Instant>,
    unsaid: u64,
}

impl Repeated {
    /// Lets one line pass every `interval`.
    pub const fn every(interval: Duration) -> Self {
        Self { interval, last: None, unsaid: 0 }
    }

    /// `Some(n)`: say it now, n were left unsaid since the last one; `None`: keep quiet.
    pub fn pass(&mut self) -> Option<u64> {
        self.pass_at(Instant::now())
    }

    fn pass_at(&mut self, now: Instant) -> Option<u64> {
        let due = self.last.is_none_or(|last| now.saturating_duration_since(last) >= self.interval);
        if due {
            self.last = Some(now);
            Some(std::mem::take(&mut self.unsaid))
        } else {
            self.unsaid = self.unsaid.saturating_add(1);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_said_once_an_interval_with_the_number_left_unsaid() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut gate = Repeated::every(Duration::from_secs(1));
        assert_eq!(gate.pass_at(after(0)), Some(0));
        assert_eq!(gate.pass_at(after(1)), None);
        assert_eq!(gate.pass_at(after(999)), None);
        assert_eq!(gate.pass_at(after(1_000)), Some(2));
        assert_eq!(gate.pass_at(after(2_500)), Some(0));
    }
}
