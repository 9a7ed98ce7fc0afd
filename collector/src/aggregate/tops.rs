//! Top-N windows: merged over edges and over time. Bounds add up.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::store::StoreError;
use crate::slot::{TopEntry, inflate};

/// Entries that a merged window keeps: what one sketch holds at most.
const ENTRIES: usize = 1_024;
/// No stored window is larger.
const MAX_BYTES: usize = 16 << 20;

/// A window, or the merge of several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Window {
    /// An absent key has at most this sum.
    pub(super) absent: u64,
    /// The sum over all keys.
    pub(super) total: u64,
    /// Key to (lower, upper).
    pub(super) entries: BTreeMap<String, (u64, u64)>,
}

impl Window {
    /// As an edge sent it.
    pub(super) fn new(absent: u64, total: u64, entries: &[TopEntry]) -> Self {
        let entries = entries.iter().map(|e| (e.key.clone(), (e.lower, e.upper))).collect();
        Self { absent, total, entries }
    }

    /// As stored: postcard in zstd.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        let plain = postcard::to_stdvec(self)?;
        zstd::bulk::compress(&plain, 1).map_err(|error| StoreError::Damaged(error.to_string()))
    }

    /// The reverse of [`Window::to_bytes`].
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        Ok(postcard::from_bytes(&inflate(bytes, MAX_BYTES).map_err(StoreError::Damaged)?)?)
    }

    /// Adds another window: where one does not list a key, the key has there between 0 and its `absent`.
    pub(super) fn merge(&mut self, other: &Self) {
        for (key, held) in &mut self.entries {
            if !other.entries.contains_key(key) {
                held.1 = held.1.saturating_add(other.absent);
            }
        }
        for (key, (lower, upper)) in &other.entries {
            let mine = self.entries.entry(key.clone()).or_insert((0, self.absent));
            mine.0 = mine.0.saturating_add(*lower);
            mine.1 = mine.1.saturating_add(*upper);
        }
        self.absent = self.absent.saturating_add(other.absent);
        self.total = self.total.saturating_add(other.total);
        self.shorten();
    }

    /// Keeps the largest entries; what goes is at most the new `absent`.
    fn shorten(&mut self) {
        if self.entries.len() <= ENTRIES {
            return;
        }
        let mut ranked = self.ranked();
        for (key, _, upper) in ranked.split_off(ENTRIES) {
            self.absent = self.absent.max(upper);
            self.entries.remove(&key);
        }
    }

    /// (key, lower, upper) by upper, then lower, the largest first.
    pub(super) fn ranked(&self) -> Vec<(String, u64, u64)> {
        let mut ranked: Vec<_> = self.entries.iter().map(|(k, (l, u))| (k.clone(), *l, *u)).collect();
        ranked.sort_by(|a, b| (b.2, b.1, &a.0).cmp(&(a.2, a.1, &b.0)));
        ranked
    }
}

/// Which window: start, channel, `element/order`.
pub(super) type WindowKey = (u64, u32, String);

/// Windows that are not in the store yet.
pub(super) type Windows = HashMap<WindowKey, Window>;
