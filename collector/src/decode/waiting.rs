//! Data sets that came before their template: kept for a minute, decoded when it comes, else counted.

use std::collections::VecDeque;
use std::net::IpAddr;

use hashbrown::HashMap;

use super::execute::Clock;
use super::streams::Key;
use crate::flow::Protocol;

/// The part of the memory that one stream can take.
const A_STREAM: usize = 4;
/// For how long a set waits.
const PATIENCE_MS: u64 = 60_000;
/// What a set costs beside its bytes.
const ENTRY: usize = size_of::<Set>() + 16;

/// A data set without a template.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) stream: u32,
    pub(super) key: Key,
    /// The template's number.
    pub(super) id: u16,
    pub(super) received_ms: u64,
    /// The message's sequence number.
    pub(super) sequence: u32,
    pub(super) clock: Clock,
    /// The unread sets of its message, which are counted together.
    pub(super) unread: u64,
    pub(super) bytes: Box<[u8]>,
}

/// A template's number within its exporter's domain.
type Wanted = (IpAddr, Protocol, u32, u16);

/// The sets, by the template that they want; the oldest of each first.
#[derive(Debug)]
pub(super) struct Waiting {
    sets: HashMap<Wanted, VecDeque<Set>, foldhash::fast::RandomState>,
    bytes: usize,
    /// Memory for all waiting sets.
    limit: usize,
    by_stream: HashMap<u32, usize, foldhash::fast::RandomState>,
}

fn wanted(key: &Key, id: u16) -> Wanted {
    (key.exporter, key.protocol, key.domain, id)
}

impl Waiting {
    /// Nothing waits; at most about `limit` bytes ever will.
    pub(super) fn new(limit: usize) -> Self {
        Self { sets: HashMap::default(), bytes: 0, limit, by_stream: HashMap::default() }
    }

    /// Keeps a set; `false` when there is no room for it.
    pub(super) fn keep(&mut self, set: Set) -> bool {
        let cost = set.bytes.len() + ENTRY;
        let own = self.by_stream.get(&set.stream).copied().unwrap_or(0);
        if self.bytes + cost > self.limit || own + cost > self.limit / A_STREAM {
            return false;
        }
        self.by_stream.insert(set.stream, own + cost);
        self.bytes += cost;
        self.sets.entry(wanted(&set.key, set.id)).or_default().push_back(set);
        true
    }

    /// Takes the sets that a template makes readable, as `readable` says.
    pub(super) fn take(&mut self, key: &Key, id: u16, readable: impl Fn(&Set) -> bool) -> Vec<Set> {
        let Some(sets) = self.sets.remove(&wanted(key, id)) else { return Vec::new() };
        let (taken, kept): (Vec<Set>, VecDeque<Set>) = {
            let (taken, kept): (Vec<Set>, Vec<Set>) = sets.into_iter().partition(readable);
            (taken, kept.into())
        };
        if !kept.is_empty() {
            self.sets.insert(wanted(key, id), kept);
        }
        for set in &taken {
            self.count_out(set);
        }
        taken
    }

    /// Gives the sets that waited too long to `lost`. Looks at every template that is waited for.
    pub(super) fn expire(&mut self, now_ms: u64, mut lost: impl FnMut(&Set)) {
        let mut gone = Vec::new();
        for sets in self.sets.values_mut() {
            let old = |set: &Set| now_ms.saturating_sub(set.received_ms) >= PATIENCE_MS;
            while let Some(set) = sets.pop_front_if(|set| old(set)) {
                gone.push(set);
            }
        }
        self.sets.retain(|_, sets| !sets.is_empty());
        for set in &gone {
            self.count_out(set);
            lost(set);
        }
    }

    fn count_out(&mut self, set: &Set) {
        let cost = set.bytes.len() + ENTRY;
        self.bytes -= cost;
        if let Some(own) = self.by_stream.get_mut(&set.stream) {
            *own -= cost;
            if *own == 0 {
                self.by_stream.remove(&set.stream);
            }
        }
    }
}
