//! The templates that exporters announced, bounded by number and by bytes.
//!
//! A data set's template is the one that its own stream announced; failing that, the one that the same address,
//! version and domain announced on another port, as long as all ports that announced this number meant the same.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;

use super::program::Program;
use super::streams::Key;
use super::template::Field;
use crate::flow::Protocol;

/// Templates of one stream.
const A_STREAM: usize = 1024;
/// Memory for all templates.
const BYTES: usize = 16 << 20;
/// The part of it that strangers cannot take.
const RESERVE: usize = BYTES / 4;
/// What an entry costs beside its program.
const ENTRY: usize = 128;
/// How long conflicting announcements of one number stop its sharing.
const CONFLICT_MS: u64 = 1_800_000;

#[derive(Debug)]
struct Entry {
    id: u16,
    used_ms: u64,
    program: Arc<Program>,
}

#[derive(Debug)]
struct Shared {
    owner: u32,
    others: bool,
    conflict_ms: Option<u64>,
    program: Arc<Program>,
}

type Domain = (IpAddr, Protocol, u32);

/// What came of an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Learned {
    /// As before.
    Same,
    /// New, or another shape.
    New,
    /// No memory is left for it.
    Full,
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Templates {
    /// By stream, sorted by number.
    streams: Vec<Vec<Entry>>,
    shared: HashMap<(Domain, u16), Shared, foldhash::fast::RandomState>,
    bytes: usize,
    /// Nobody uses another's.
    apart: bool,
}

fn domain(key: &Key) -> Domain {
    (key.exporter, key.protocol, key.domain)
}

impl Templates {
    /// Has every stream use only its own.
    pub(super) fn keep_apart(&mut self) {
        self.apart = true;
    }

    /// The template by which a stream's set is read.
    pub(super) fn find(&mut self, stream: u32, key: &Key, id: u16, now_ms: u64) -> Option<&Arc<Program>> {
        let entries = self.streams.get_mut(stream as usize).map(Vec::as_mut_slice).unwrap_or_default();
        if let Ok(at) = entries.binary_search_by_key(&id, |entry| entry.id) {
            let entry = entries.get_mut(at)?;
            entry.used_ms = now_ms;
            return Some(&entry.program);
        }
        let shared = self.shared.get(&(domain(key), id))?;
        shared.conflict_ms.is_none().then_some(&shared.program)
    }

    /// Takes a template that a stream announced. `trusted` streams may use the reserve.
    pub(super) fn learn(
        &mut self,
        stream: u32,
        key: &Key,
        (id, scope): (u16, u16),
        fields: &[Field],
        trusted: bool,
        now_ms: u64,
    ) -> Learned {
        let at = stream as usize;
        if self.streams.len() <= at {
            self.streams.resize_with(at + 1, Vec::new);
        }
        let place = self.streams[at].binary_search_by_key(&id, |entry| entry.id);
        if let Ok(place) = place {
            let entry = &mut self.streams[at][place];
            entry.used_ms = now_ms;
            if entry.program.says(fields, scope) {
                let program = Arc::clone(&entry.program);
                self.share(stream, key, id, &program, now_ms);
                return Learned::Same;
            }
            self.bytes -= entry.program.cost() + ENTRY;
            self.streams[at].remove(place);
        } else if self.streams[at].len() >= A_STREAM {
            self.evict_from(stream, key);
        }
        let program = Arc::new(Program::compile(fields, scope, key.protocol == Protocol::NetFlow9));
        let cost = program.cost() + ENTRY;
        if self.bytes + cost > if trusted { BYTES } else { BYTES - RESERVE } {
            return Learned::Full;
        }
        self.bytes += cost;
        self.share(stream, key, id, &program, now_ms);
        let entries = &mut self.streams[at];
        let place = entries.partition_point(|entry| entry.id < id);
        entries.insert(place, Entry { id, used_ms: now_ms, program });
        Learned::New
    }

    /// Drops a template, or all data (`id` 2) or options templates (3) of a stream.
    pub(super) fn withdraw(&mut self, stream: u32, key: &Key, id: u16) {
        let Some(entries) = self.streams.get_mut(stream as usize) else { return };
        let goes = |entry: &Entry| match id {
            2 => entry.program.scope == 0,
            3 => entry.program.scope > 0,
            id => entry.id == id,
        };
        for entry in entries.extract_if(.., |entry| goes(entry)) {
            self.bytes -= entry.program.cost() + ENTRY;
            let at = (domain(key), entry.id);
            if self.shared.get(&at).is_some_and(|shared| shared.owner == stream) {
                self.shared.remove(&at);
            }
        }
    }

    /// Drops everything that a stream announced, which lost its place.
    pub(super) fn forget(&mut self, stream: u32, key: &Key) {
        self.withdraw(stream, key, 2);
        self.withdraw(stream, key, 3);
    }

    fn evict_from(&mut self, stream: u32, key: &Key) {
        let entries = self.streams.get(stream as usize).map(Vec::as_slice).unwrap_or_default();
        if let Some(id) = entries.iter().min_by_key(|entry| entry.used_ms).map(|entry| entry.id) {
            self.withdraw(stream, key, id);
        }
    }

    /// Makes a template known to the other ports of its domain, unless they disagree about its shape.
    fn share(&mut self, stream: u32, key: &Key, id: u16, program: &Arc<Program>, now_ms: u64) {
        if self.apart {
            return;
        }
        let fresh =
            || Shared { owner: stream, others: false, conflict_ms: None, program: Arc::clone(program) };
        let shared = self.shared.entry((domain(key), id)).or_insert_with(fresh);
        if shared.conflict_ms.is_some_and(|at| now_ms.saturating_sub(at) > CONFLICT_MS) {
            *shared = fresh();
        }
        let alike = shared.program.says(&program.fields, program.scope);
        if alike {
            shared.others |= shared.owner != stream;
        } else if shared.owner == stream && !shared.others {
            *shared = fresh();
        } else {
            if shared.conflict_ms.is_none() {
                tracing::warn!(exporter = %key.exporter, domain = key.domain, template = id,
                    "ports of one exporter announce different templates under one number: each is used for its own port only");
            }
            shared.conflict_ms = Some(now_ms);
        }
    }
}
