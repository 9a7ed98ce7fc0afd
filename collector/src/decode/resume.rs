//! What was known of exporters before a restart of the edge: a stream gets it back only when it goes on as it was.
//!
//! It goes on when the edge knows where its sequence stood and the first number since lies ahead of that, when it
//! was not silent for longer than a template lives, and when a NetFlow v9 exporter has not started since. Otherwise
//! its data waits for a fresh template, as any stranger's does.

use hashbrown::HashMap;

use super::streams::Key;
use super::template::Field;
use crate::slot::{StreamFacts, TemplateFact};

/// Nobody forgets a template sooner (RFC 7011, 8.4): after a longer silence it may be another one.
const SILENCE_MS: u64 = 1_800_000;
/// How far two readings of when an exporter started may lie apart: headers have whole seconds, clocks are set.
const BOOT_MS: u64 = 10_000;

/// What is kept for streams that have not come back yet.
#[derive(Debug, Default)]
pub(super) struct Saved {
    streams: HashMap<Key, StreamFacts, foldhash::fast::RandomState>,
    /// When they were given back to the decoder, or soon after.
    since_ms: Option<u64>,
}

/// The first datagram of a stream since the edge started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Return {
    /// Unix milliseconds of the last one before.
    pub(super) since_ms: u64,
    pub(super) now_ms: u64,
    /// v9: when the exporter started.
    pub(super) boot_ms: Option<u64>,
    /// Its sequence does not go on.
    pub(super) restarted: bool,
}

impl Saved {
    /// Keeps a stream's facts until it comes back.
    pub(super) fn keep(&mut self, key: Key, facts: StreamFacts) {
        self.streams.insert(key, facts);
    }

    /// The facts of a stream that has come back, if it goes on as it was. They are given out once.
    pub(super) fn take(&mut self, key: &Key, back: Return) -> Option<StreamFacts> {
        let facts = self.streams.remove(key)?;
        let silent_ms = back.now_ms.saturating_sub(back.since_ms);
        let as_before = !back.restarted && silent_ms <= SILENCE_MS && same_start(facts.boot_ms, back.boot_ms);
        as_before.then_some(facts)
    }

    /// Drops what nobody can come back for any more.
    pub(super) fn expire(&mut self, now_ms: u64) {
        let since_ms = *self.since_ms.get_or_insert(now_ms);
        if !self.streams.is_empty() && now_ms.saturating_sub(since_ms) > SILENCE_MS {
            self.streams = HashMap::default();
        }
    }
}

/// Whether an exporter has not started between two readings of when it did.
pub(super) fn same_start(one: Option<u64>, other: Option<u64>) -> bool {
    let Some((one, other)) = one.zip(other) else { return one == other };
    // The uptime wraps after 49.7 days, and the start that it tells moves by as much.
    let apart = one.abs_diff(other) % (1 << 32);
    apart.min((1 << 32) - apart) <= BOOT_MS
}

/// The fields of a template that was kept.
pub(super) fn fields(template: &TemplateFact) -> impl Iterator<Item = Field> {
    template.fields.iter().map(|(enterprise, element, length)| Field {
        enterprise: *enterprise,
        element: *element,
        length: *length,
    })
}
