//! Resolutions: raw slots, a minute, five minutes, an hour, a day (UTC), and how long each is kept.

use crds::config::AggregatorConfig;

/// Number of resolutions.
pub(super) const LEVELS: usize = 5;
/// The raw slots.
pub(super) const RAW: usize = 0;
/// One minute: where maxima come from.
pub(super) const MINUTE: usize = 1;
/// One minute, in milliseconds.
pub(super) const MINUTE_MS: u64 = 60_000;

const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The steps and ages of one configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Levels {
    /// Milliseconds of a bucket.
    pub(super) step: [u64; LEVELS],
    /// Milliseconds for which buckets are kept; never less than those of a finer level.
    pub(super) keep: [u64; LEVELS],
}

impl Levels {
    /// From the configuration; what it does not name has the default of the contract.
    pub(super) fn new(config: &AggregatorConfig) -> Self {
        let step = [u64::from(config.slot_ms).max(1), MINUTE_MS, 5 * MINUTE_MS, HOUR_MS, DAY_MS];
        let mut keep = [48 * HOUR_MS, 14 * DAY_MS, 400 * DAY_MS, 3 * 366 * DAY_MS, 10 * 366 * DAY_MS];
        for level in 0..LEVELS {
            let stated = config.retention.iter().rev().find(|r| r.step_ms == step[level]);
            keep[level] = stated.map_or(keep[level], |r| r.keep_ms);
            if level > 0 {
                keep[level] = keep[level].max(keep[level - 1]);
            }
        }
        Self { step, keep }
    }

    /// The start of the bucket that holds a time.
    pub(super) fn floor(&self, level: usize, ms: u64) -> u64 {
        ms - ms % self.step[level]
    }

    /// Up to where a level is deleted at `now`: a multiple of the next level's step, so that a coarser bucket
    /// never loses a part of what it is made from.
    pub(super) fn deleted_before(&self, level: usize, now_ms: u64) -> u64 {
        let parent = self.step[(level + 1).min(LEVELS - 1)];
        let limit = now_ms.saturating_sub(self.keep[level]);
        limit - limit % parent
    }
}
