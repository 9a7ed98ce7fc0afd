//! What became of what a target should get: counted exactly, and how the target stands.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crds::fleet::TargetReport;
use tracing::{info, warn};

use crate::slot::TargetCounts;

/// For how long a trouble keeps a target from counting as delivering.
const FRESH_MS: u64 = 15_000;
/// The same for one that is told again every half a minute while it lasts.
#[cfg(feature = "kafka")]
const AILING_MS: u64 = 45_000;

/// Why something was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The target took less than there was, and no buffer was free.
    QueueFull,
    /// No way there, or nobody behind the port.
    Unreachable,
    /// The system's send buffer stayed full.
    NoBuffer,
    /// Larger than the way, or the target, allows.
    TooLarge,
    /// Its host name gives no address.
    Unresolved,
    /// It would come back to this edge.
    Loop,
    /// An IPv4 exporter's datagram cannot go to an IPv6 address in its name, nor the other way round.
    AddressFamily,
    /// `weir relay` does not answer.
    RelayAway,
    /// There is no connection to give it to: a secret is away, or something in the configuration is refused.
    NotConnected,
    /// The brokers did not acknowledge it in time.
    Unacknowledged,
    /// The brokers refused it.
    Refused,
}

impl Reason {
    /// Every reason.
    pub(super) const ALL: [Self; 11] = [
        Self::QueueFull,
        Self::Unreachable,
        Self::NoBuffer,
        Self::TooLarge,
        Self::Unresolved,
        Self::Loop,
        Self::AddressFamily,
        Self::RelayAway,
        Self::NotConnected,
        Self::Unacknowledged,
        Self::Refused,
    ];

    /// As a label's value.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Unreachable => "unreachable",
            Self::NoBuffer => "no_buffer",
            Self::TooLarge => "too_large",
            Self::Unresolved => "unresolved",
            Self::Loop => "loop",
            Self::AddressFamily => "address_family",
            Self::RelayAway => "relay_away",
            Self::NotConnected => "not_connected",
            Self::Unacknowledged => "unacknowledged",
            Self::Refused => "refused",
        }
    }

    /// As a condition's reason.
    pub(super) const fn condition(self) -> &'static str {
        match self {
            Self::QueueFull => "QueueFull",
            Self::Unreachable => "Unreachable",
            Self::NoBuffer => "NoBuffer",
            Self::TooLarge => "TooLarge",
            Self::Unresolved => "Unresolved",
            Self::Loop => "Loop",
            Self::AddressFamily => "AddressFamily",
            Self::RelayAway => "RelayAway",
            Self::NotConnected => "NotConnected",
            Self::Unacknowledged => "Unacknowledged",
            Self::Refused => "Refused",
        }
    }
}

/// One target's counts, added to by several threads without waiting.
#[derive(Debug)]
pub(super) struct Account {
    name: String,
    sent: AtomicU64,
    dropped: [AtomicU64; Reason::ALL.len()],
    /// Unix ms at which the queue was last full.
    full_ms: AtomicU64,
    trouble: Mutex<Option<Trouble>>,
    told: Mutex<Told>,
    /// The reason that the log knows; empty before the first.
    logged: Mutex<String>,
}

/// The last thing that went wrong.
#[derive(Clone, Debug)]
struct Trouble {
    reason: &'static str,
    message: String,
    /// Unix ms.
    until_ms: u64,
}

/// What [`Account::take`] has told already.
#[derive(Debug, Default)]
struct Told {
    sent: u64,
    dropped: [u64; Reason::ALL.len()],
}

impl Account {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            sent: AtomicU64::new(0),
            dropped: Default::default(),
            full_ms: AtomicU64::new(0),
            trouble: Mutex::default(),
            told: Mutex::default(),
            logged: Mutex::default(),
        }
    }

    /// So many more were delivered.
    pub(super) fn sent(&self, count: u64) {
        self.sent.fetch_add(count, Ordering::Relaxed);
    }

    /// So many more were not.
    pub(super) fn dropped(&self, reason: Reason, count: u64) {
        self.dropped[reason as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// So many more found no free buffer; for receiving threads.
    pub(super) fn overflowed(&self, count: u64, now_ms: u64) {
        self.dropped(Reason::QueueFull, count);
        self.full_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Says what is the matter; for the thread that sends. Makes a text only when it differs from the last one.
    pub(super) fn trouble(&self, reason: &'static str, message: impl FnOnce() -> String) {
        let now = unix_ms();
        let mut trouble = lock(&self.trouble);
        match &mut *trouble {
            // The same again, and just now: not worth a text.
            Some(last) if last.reason == reason && last.until_ms + 1_000 > now + FRESH_MS => {}
            _ => *trouble = Some(Trouble { reason, message: message(), until_ms: now + FRESH_MS }),
        }
    }

    /// Says what is the matter for good.
    #[cfg(not(feature = "kafka"))]
    pub(super) fn hopeless(&self, reason: &'static str, message: &str) {
        *lock(&self.trouble) = Some(Trouble { reason, message: message.to_owned(), until_ms: u64::MAX });
    }

    /// Says what is the matter until something is delivered, or nobody says so any more.
    #[cfg(feature = "kafka")]
    pub(super) fn ailing(&self, reason: &'static str, message: String) {
        *lock(&self.trouble) = Some(Trouble { reason, message, until_ms: unix_ms() + AILING_MS });
    }

    /// Whether something is the matter.
    #[cfg(feature = "kafka")]
    pub(super) fn is_ailing(&self) -> bool {
        lock(&self.trouble).as_ref().is_some_and(|trouble| trouble.until_ms > unix_ms())
    }

    /// Something was delivered: whatever was the matter is over.
    #[cfg(feature = "kafka")]
    pub(super) fn recovered(&self) {
        *lock(&self.trouble) = None;
    }

    /// `namespace/name` of the target.
    #[cfg(feature = "kafka")]
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What was counted since the last call.
    pub(super) fn take(&self) -> TargetCounts {
        let mut told = lock(&self.told);
        let sent = self.sent.load(Ordering::Relaxed);
        let mut counts =
            TargetCounts { target: self.name.clone(), sent: sent - told.sent, dropped: Vec::new() };
        told.sent = sent;
        for reason in Reason::ALL {
            let dropped = self.dropped[reason as usize].load(Ordering::Relaxed);
            let more = dropped - std::mem::replace(&mut told.dropped[reason as usize], dropped);
            if more > 0 {
                counts.dropped.push((reason.name().to_owned(), more));
            }
        }
        counts
    }

    /// Tells the log when the target stands otherwise than when it was last asked.
    pub(super) fn log_change(&self) {
        let TargetReport { name, delivering, reason, message, .. } = self.report(0);
        let mut logged = lock(&self.logged);
        if *logged == reason {
            return;
        }
        if !delivering {
            warn!("ExportTarget {name} does not deliver: {reason}: {message}");
        } else if !logged.is_empty() {
            info!("ExportTarget {name} delivers again");
        }
        *logged = reason;
    }

    /// How the target stands now.
    pub(super) fn report(&self, generation: i64) -> TargetReport {
        let now = unix_ms();
        let trouble = lock(&self.trouble).clone().filter(|trouble| trouble.until_ms > now);
        let (reason, message) = match trouble {
            Some(Trouble { reason, message, .. }) => (reason, message),
            None if self.full_ms.load(Ordering::Relaxed) + FRESH_MS > now => {
                let message =
                    "it takes less than there is to send; what finds no place in the queue is dropped";
                (Reason::QueueFull.condition(), message.to_owned())
            }
            None => ("Delivering", String::new()),
        };
        let (name, delivering) = (self.name.clone(), reason == "Delivering");
        TargetReport { name, generation, delivering, reason: reason.to_owned(), message }
    }
}

/// What is behind it is as true after a panic elsewhere as before.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The wall clock.
pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_not_told_again() {
        let account = Account::new("net/out");
        account.sent(5);
        account.dropped(Reason::TooLarge, 2);
        account.overflowed(3, 0);
        let expected = vec![("queue_full".to_owned(), 3), ("too_large".to_owned(), 2)];
        assert_eq!(account.take(), TargetCounts { target: "net/out".into(), sent: 5, dropped: expected });
        account.sent(1);
        assert_eq!(account.take(), TargetCounts { target: "net/out".into(), sent: 1, dropped: Vec::new() });
    }

    #[test]
    fn a_fresh_trouble_says_why_nothing_is_delivered_and_an_old_one_is_forgotten() {
        let account = Account::new("net/out");
        assert!(account.report(7).delivering);
        account.trouble("Unreachable", || "192.0.2.1:2055: refused".to_owned());
        let report = account.report(7);
        assert_eq!((report.generation, report.delivering, report.reason.as_str()), (7, false, "Unreachable"));
        assert_eq!(report.message, "192.0.2.1:2055: refused");
        lock(&account.trouble).as_mut().unwrap().until_ms -= FRESH_MS;
        assert!(account.report(7).delivering);
        account.overflowed(1, unix_ms());
        assert_eq!(account.report(7).reason, "QueueFull");
    }
}
