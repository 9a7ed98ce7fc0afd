//! What the FlowCollector says that sequence numbers count.

use crds::config::{ListenerConfig, Sequence as StatedUnit, SourceConfig};
use crds::sources::Sources;

use super::streams::Key;

/// The units that the FlowCollector states for the sequence numbers of sources.
#[derive(Debug, Default)]
pub(super) struct StatedUnits {
    listeners: Vec<String>,
    sources: Sources,
    /// By source; empty when none is stated.
    units: Vec<Option<StatedUnit>>,
}

impl StatedUnits {
    /// By the sources' `sequence`.
    pub(super) fn new(listeners: &[ListenerConfig], sources: &[SourceConfig]) -> Self {
        if sources.iter().all(|source| source.sequence.is_none()) {
            return Self::default();
        }
        Self {
            listeners: listeners.iter().map(|listener| listener.name.clone()).collect(),
            // Rendering has refused sources that match equally well.
            sources: Sources::new(sources).unwrap_or_default(),
            units: sources.iter().map(|source| source.sequence).collect(),
        }
    }

    /// What is stated for a stream.
    pub(super) fn of(&self, key: &Key) -> Option<StatedUnit> {
        if self.units.is_empty() {
            return None;
        }
        let listener = self.listeners.get(usize::from(key.listener))?;
        let source = self.sources.resolve(listener, key.exporter)?;
        self.units.get(source).copied().flatten()
    }
}
