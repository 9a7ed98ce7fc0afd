//! Changing the root without anybody losing trust: which roots are published, which one signs, and when that changes.
//!
//! ```text
//! Steady ──(age)──> Publishing ──(all report old+new)──> Retiring ──(no leaf of the old lives)──> Steady
//! trust: old              old+new, old signs                   old+new, new signs                   new
//! ```
//!
//! Pure: the state lies in a Secret, so a leader that is killed leaves the next one exactly where it was. A program
//! that cannot be reached holds nothing up: what it missed lies in its collector's ConfigMap when it comes back, and
//! enrolment asks for a token, not for a certificate.

use std::fmt;
use std::time::Duration;

use crds::enroll::hash;
use crds::fleet::Running;
use jiff::Timestamp;

/// How long things last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Of a program's certificate; it is renewed at a third.
    pub leaf_lifetime: Duration,
    /// Of a root.
    pub ca_lifetime: Duration,
    /// Age at which a root is replaced.
    pub rotate_every: Duration,
    /// How long a leader listens to its fleet, and a bundle is out, before silence counts as nobody.
    pub settle: Duration,
    /// By how much clocks may differ: certificates begin that much earlier, and roots stay that much longer.
    pub clock_skew: Duration,
}

/// Lifetimes that cannot work together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Nothing could be renewed in time.
    #[error("certificates live {0:?}: at least ten seconds are needed")]
    ShortLeaf(Duration),
    /// No calendar holds it.
    #[error("roots live {0:?}: at most 30 years")]
    LongRoot(Duration),
    /// A root would end while its certificates live.
    #[error(
        "roots live {ca:?} and are replaced after {rotate:?}: a root must outlive its replacement by three lifetimes of a \
         certificate ({leaf:?})"
    )]
    ShortRoot {
        /// Lifetime of a root.
        ca: Duration,
        /// Age at which it is replaced.
        rotate: Duration,
        /// Lifetime of a certificate.
        leaf: Duration,
    },
}

/// A root certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// As PEM.
    pub certificate: String,
    /// Its NotBefore.
    pub from: Timestamp,
    /// Its NotAfter.
    pub until: Timestamp,
    /// No certificate that it signed lives longer. Only ever raised, and before the first one that does.
    pub longest_leaf: Duration,
}

/// A root with its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Signer {
    /// The root.
    pub root: Root,
    /// PKCS #8 as PEM.
    pub key: String,
}

/// Where the rotation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// One root.
    Steady,
    /// The next root is published and signs nothing yet.
    Publishing {
        /// The root to come.
        next: Box<Signer>,
        /// Since when it is published.
        since: Timestamp,
    },
    /// The root before signs no more and is still trusted; its key is gone.
    Retiring {
        /// The root to go.
        previous: Root,
        /// Since when it signs no more.
        since: Timestamp,
    },
}

/// All that the authority is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Signs every certificate.
    pub signer: Signer,
    /// What else is published.
    pub phase: Phase,
}

/// The roots to trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// Certificates, the oldest first.
    pub pem: String,
    /// What [`Running::bundle`] reports once they are in force.
    pub hash: String,
}

/// What the leader knows of the programs.
#[derive(Clone, Copy, Debug)]
pub struct Fleet<'a> {
    /// Since when this leader has been listening: what it has not heard yet is not what does not run.
    pub since: Timestamp,
    /// Every aggregator and edge that is reached now.
    pub running: &'a [Running],
}

/// A change of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Certificates are to live longer from now on.
    Lengthen,
    /// A new root is made and published.
    Publish,
    /// The new root signs.
    Sign,
    /// The old root is trusted no more.
    Drop,
}

/// The step that is due, if any. Taking it at any later time, or after a crash, is as right.
pub(super) fn due(state: &State, policy: &Policy, now: Timestamp, fleet: &Fleet) -> Option<Step> {
    let signer = &state.signer.root;
    if policy.leaf_lifetime > signer.longest_leaf {
        return Some(Step::Lengthen);
    }
    match &state.phase {
        Phase::Steady => (now >= later(signer.from, policy.rotate_every)).then_some(Step::Publish),
        Phase::Publishing { since, .. } => {
            let wanted = state.bundle().hash;
            let heard = now >= later((*since).max(fleet.since), policy.settle);
            let taken_over = fleet.running.iter().all(|program| program.bundle == wanted);
            // A root about to end takes everyone down with it: whoever does not follow is left behind.
            let last_call = later(now, signer.longest_leaf) >= signer.until;
            (heard && (taken_over || last_call)).then_some(Step::Sign)
        }
        Phase::Retiring { previous, since } => {
            let expired = now > later(later(*since, previous.longest_leaf), policy.clock_skew);
            let old = hash(&previous.certificate);
            let unused = fleet.running.iter().all(|program| program.root != old);
            let ended = now > later(previous.until, policy.clock_skew);
            ((expired && unused) || ended).then_some(Step::Drop)
        }
    }
}

/// What a Secret says may lie past the end of the calendar.
pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

impl Default for Policy {
    fn default() -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self {
            leaf_lifetime: DAY * 7,
            ca_lifetime: DAY * 365,
            rotate_every: DAY * 90,
            settle: Duration::from_mins(1),
            clock_skew: Duration::from_mins(5),
        }
    }
}

impl Policy {
    /// That the lifetimes fit each other.
    ///
    /// # Errors
    /// Names the lifetimes that do not.
    pub fn check(&self) -> Result<(), PolicyError> {
        if self.leaf_lifetime < Duration::from_secs(10) {
            return Err(PolicyError::ShortLeaf(self.leaf_lifetime));
        }
        if self.ca_lifetime > Duration::from_hours(30 * 365 * 24) {
            return Err(PolicyError::LongRoot(self.ca_lifetime));
        }
        if self.ca_lifetime < self.rotate_every.saturating_add(self.leaf_lifetime.saturating_mul(3)) {
            let (ca, rotate, leaf) = (self.ca_lifetime, self.rotate_every, self.leaf_lifetime);
            return Err(PolicyError::ShortRoot { ca, rotate, leaf });
        }
        Ok(())
    }
}

impl State {
    /// One root, nothing going on.
    pub fn new(signer: Signer) -> Self {
        Self { signer, phase: Phase::Steady }
    }

    /// Every root to be trusted now.
    pub fn bundle(&self) -> Bundle {
        let signer = self.signer.root.certificate.as_str();
        let pem = match &self.phase {
            Phase::Steady => signer.to_owned(),
            Phase::Publishing { next, .. } => [signer, &next.root.certificate].concat(),
            Phase::Retiring { previous, .. } => [&previous.certificate, signer].concat(),
        };
        Bundle { hash: hash(&pem), pem }
    }

    /// The state after a step. A step that does not fit the phase changes nothing; `fresh` makes a root.
    ///
    /// # Errors
    /// What `fresh` fails with.
    pub fn after<E>(
        self,
        step: Step,
        policy: &Policy,
        now: Timestamp,
        fresh: impl FnOnce() -> Result<Signer, E>,
    ) -> Result<Self, E> {
        let Self { mut signer, phase } = self;
        Ok(match (step, phase) {
            (Step::Lengthen, phase) => {
                signer.root.longest_leaf = signer.root.longest_leaf.max(policy.leaf_lifetime);
                Self { signer, phase }
            }
            (Step::Publish, Phase::Steady) => {
                let next = Box::new(fresh()?);
                Self { signer, phase: Phase::Publishing { next, since: now } }
            }
            (Step::Sign, Phase::Publishing { next, .. }) => {
                Self { signer: *next, phase: Phase::Retiring { previous: signer.root, since: now } }
            }
            (Step::Drop, Phase::Retiring { .. }) => Self { signer, phase: Phase::Steady },
            (_, phase) => Self { signer, phase },
        })
    }
}

impl Root {
    /// Until when a certificate signed now lives, by this policy and by what this root has promised.
    pub fn leaf_until(&self, policy: &Policy, now: Timestamp) -> Timestamp {
        later(now, policy.leaf_lifetime.min(self.longest_leaf)).min(self.until)
    }
}

impl Phase {
    /// Its name in CamelCase.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Steady => "Steady",
            Self::Publishing { .. } => "Publishing",
            Self::Retiring { .. } => "Retiring",
        }
    }
}

impl fmt::Debug for Signer {
    /// Without the key: what is logged must not sign.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("root", &self.root).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
