//! What exporters taught, as their edges reported it last: templates, rates, names.

use std::collections::BTreeSet;

use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use super::store::{FACTS, StoreError};
use crate::slot::{Block, KeptFacts, SpoolId, StreamFacts, StreamKey};

/// Memory for all of it.
const BYTES: usize = 32 << 20;

type Stream = (SpoolId, StreamKey);

/// The facts of every stream of every edge, and which changed since they were last saved.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    kept: KeptFacts<Stream>,
    changed: BTreeSet<Stream>,
}

impl Default for Facts {
    fn default() -> Self {
        Self { kept: KeptFacts::new(BYTES), changed: BTreeSet::new() }
    }
}

impl Facts {
    /// Takes over what a block reports.
    pub(super) fn add(&mut self, block: &Block) {
        for facts in &block.facts {
            let key = (block.spool, facts.key.clone());
            self.changed.extend(self.kept.note(key.clone(), facts));
            self.changed.insert(key);
        }
    }

    /// What one stream taught.
    pub(super) fn of(&self, spool: SpoolId, key: &StreamKey) -> Option<&StreamFacts> {
        self.kept.get(&(spool, key.clone()))
    }

    /// Every stream of which something is known.
    pub(super) fn streams(&self) -> impl Iterator<Item = (SpoolId, &StreamFacts)> {
        self.kept.iter().map(|((spool, _), facts)| (*spool, facts))
    }

    /// Reads everything.
    pub(super) fn load(transaction: &ReadTransaction) -> Result<Self, StoreError> {
        let mut facts = Self::default();
        for entry in transaction.open_table(FACTS)?.iter()? {
            let (key, value) = entry?;
            let read: StreamFacts = postcard::from_bytes(value.value())?;
            facts.kept.note((key.value().0, read.key.clone()), &read);
        }
        Ok(facts)
    }

    /// Writes what changed.
    pub(super) fn save(&self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        let mut table = transaction.open_table(FACTS)?;
        for key in &self.changed {
            let stream = postcard::to_stdvec(&key.1)?;
            let at = (key.0, stream.as_slice());
            match self.kept.get(key) {
                Some(facts) => table.insert(at, postcard::to_stdvec(facts)?.as_slice())?,
                None => table.remove(at)?,
            };
        }
        Ok(())
    }

    /// Everything has been made durable.
    pub(super) fn saved(&mut self) {
        self.changed.clear();
    }
}
