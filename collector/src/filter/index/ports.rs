//! Candidates by port.

use std::collections::BTreeMap;

use super::MAX_ENTRIES;
use super::classes::{Candidate, ClassBuilder, Classes};

/// One table for both ports: which of them counts stands in the candidate.
#[derive(Debug)]
pub(in crate::filter) struct PortIndex {
    class: Box<[u16; 1 << 16]>,
    classes: Classes,
}

impl PortIndex {
    /// The table of these ports; none when it would be too large.
    pub(in crate::filter) fn new(entries: Vec<(u16, Candidate)>) -> Option<Self> {
        if entries.len() > MAX_ENTRIES {
            return None;
        }
        let mut lists: BTreeMap<u16, Vec<Candidate>> = BTreeMap::new();
        for (port, candidate) in entries {
            lists.entry(port).or_default().push(candidate);
        }
        let mut builder = ClassBuilder::default();
        let class = (0..=u16::MAX).map(|port| {
            // There are no more lists than ports, so the class fits.
            builder.class(lists.remove(&port).unwrap_or_default()) as u16
        });
        let class: Box<[u16]> = class.collect();
        Some(Self { class: class.try_into().ok()?, classes: builder.finish() })
    }

    #[inline]
    pub(in crate::filter) fn candidates(&self, port: u16) -> &[Candidate] {
        self.classes.list(usize::from(self.class[usize::from(port)]))
    }
}
