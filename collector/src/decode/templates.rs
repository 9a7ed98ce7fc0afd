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
use crate::slot::TemplateFact;

/// Templates of one stream.
const A_STREAM: usize = 1024;
/// The part of the memory that strangers cannot take.
const RESERVE: usize = 4;
/// What an entry costs beside its program.
const ENTRY: usize = 128;
/// How long conflicting announcements of one number stop its sharing.
const CONFLICT_MS: u64 = 1_800_000;

#[derive(Debug)]
struct Entry {
    id: u16,
    used_ms: u64,
    announced_ms: u64,
    /// Announced before a restart of the edge, and not since.
    restored: bool,
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

/// What an exporter announced, or had announced before a restart of the edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Announced<'a> {
    pub(super) id: u16,
    /// How many of the fields are scope.
    pub(super) scope: u16,
    pub(super) fields: &'a [Field],
    /// When.
    pub(super) at_ms: u64,
    pub(super) restored: bool,
}

/// What came of an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Learned {
    /// As before; `anew`: for the first time since a restart of the edge.
    Same { anew: bool },
    /// This number was unknown.
    New,
    /// It had another shape before.
    Changed,
    /// No memory is left for it.
    Full,
}

/// The table.
#[derive(Debug)]
pub(super) struct Templates {
    /// By stream, sorted by number.
    streams: Vec<Vec<Entry>>,
    shared: HashMap<(Domain, u16), Shared, foldhash::fast::RandomState>,
    bytes: usize,
    /// Memory for all templates.
    limit: usize,
    /// Nobody uses another's.
    apart: bool,
}

fn domain(key: &Key) -> Domain {
    (key.exporter, key.protocol, key.domain)
}

impl Templates {
    /// A table of at most about `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { streams: Vec::new(), shared: HashMap::default(), bytes: 0, limit, apart: false }
    }

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

    /// Takes a template that a stream announced. `trusted` streams may use the reserve. The second value says
    /// whether other ports of the domain mean another shape.
    pub(super) fn learn(
        &mut self,
        stream: u32,
        key: &Key,
        announced: Announced<'_>,
        trusted: bool,
    ) -> (Learned, bool) {
        let Announced { id, scope, fields, at_ms, restored } = announced;
        let at = stream as usize;
        if self.streams.len() <= at {
            self.streams.resize_with(at + 1, Vec::new);
        }
        let place = self.streams[at].binary_search_by_key(&id, |entry| entry.id);
        let mut learned = Learned::New;
        if let Ok(place) = place {
            let entry = &mut self.streams[at][place];
            (entry.used_ms, entry.announced_ms) = (at_ms, at_ms);
            let anew = std::mem::replace(&mut entry.restored, restored) && !restored;
            if entry.program.says(fields, scope) {
                let program = Arc::clone(&entry.program);
                let conflict = self.share(stream, key, id, &program, at_ms);
                return (Learned::Same { anew }, conflict);
            }
            learned = Learned::Changed;
            self.bytes -= entry.program.cost() + ENTRY;
            self.streams[at].remove(place);
        } else if self.streams[at].len() >= A_STREAM {
            self.evict_from(stream, key);
        }
        let program = Arc::new(Program::compile(fields, scope, key.protocol == Protocol::NetFlow9));
        let cost = program.cost() + ENTRY;
        if self.bytes + cost > if trusted { self.limit } else { self.limit - self.limit / RESERVE } {
            return (Learned::Full, false);
        }
        self.bytes += cost;
        let conflict = self.share(stream, key, id, &program, at_ms);
        let entries = &mut self.streams[at];
        let place = entries.partition_point(|entry| entry.id < id);
        entries.insert(place, Entry { id, used_ms: at_ms, announced_ms: at_ms, restored, program });
        (learned, conflict)
    }

    /// Drops a template, or all data (`id` 2) or options templates (3) of a stream.
    pub(super) fn withdraw(&mut self, stream: u32, key: &Key, id: u16) {
        self.drop_from(stream, key, |entry| match id {
            2 => entry.program.scope == 0,
            3 => entry.program.scope > 0,
            id => entry.id == id,
        });
    }

    /// Drops everything that a stream announced, which lost its place.
    pub(super) fn forget(&mut self, stream: u32, key: &Key) {
        self.drop_from(stream, key, |_| true);
    }

    /// Drops what a stream announced before a restart of the edge only: its exporter has started anew.
    pub(super) fn distrust(&mut self, stream: u32, key: &Key) {
        self.drop_from(stream, key, |entry| entry.restored);
    }

    /// The templates of a stream.
    pub(super) fn facts(&self, stream: u32) -> Vec<TemplateFact> {
        let entries = self.streams.get(stream as usize).map(Vec::as_slice).unwrap_or_default();
        let fact = |entry: &Entry| TemplateFact {
            id: entry.id,
            scope: entry.program.scope,
            fields: entry.program.fields.iter().map(|f| (f.enterprise, f.element, f.length)).collect(),
            announced_ms: entry.announced_ms,
            restored: entry.restored,
        };
        entries.iter().map(fact).collect()
    }

    fn drop_from(&mut self, stream: u32, key: &Key, goes: impl Fn(&Entry) -> bool) {
        let Some(entries) = self.streams.get_mut(stream as usize) else { return };
        for entry in entries.extract_if(.., |entry| goes(entry)) {
            self.bytes -= entry.program.cost() + ENTRY;
            let at = (domain(key), entry.id);
            if self.shared.get(&at).is_some_and(|shared| shared.owner == stream) {
                self.shared.remove(&at);
            }
        }
    }

    fn evict_from(&mut self, stream: u32, key: &Key) {
        let entries = self.streams.get(stream as usize).map(Vec::as_slice).unwrap_or_default();
        if let Some(id) = entries.iter().min_by_key(|entry| entry.used_ms).map(|entry| entry.id) {
            self.withdraw(stream, key, id);
        }
    }

    /// Makes a template known to the other ports of its domain, unless they disagree about its shape, which is
    /// what this says.
    fn share(&mut self, stream: u32, key: &Key, id: u16, program: &Arc<Program>, now_ms: u64) -> bool {
        if self.apart {
            return false;
        }
        let fresh =
            || Shared { owner: stream, others: false, conflict_ms: None, program: Arc::clone(program) };
        let shared = self.shared.entry((domain(key), id)).or_insert_with(fresh);
        if shared.conflict_ms.is_some_and(|at| now_ms.saturating_sub(at) > CONFLICT_MS) {
            *shared = fresh();
        }
        if shared.program.says(&program.fields, program.scope) {
            shared.others |= shared.owner != stream;
            return false;
        }
        if shared.owner == stream && !shared.others {
            *shared = fresh();
            return false;
        }
        shared.conflict_ms = Some(now_ms);
        true
    }
}
