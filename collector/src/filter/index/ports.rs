//! Candidates by port.

use std::collections::BTreeMap;

use super::MAX_ENTRIES;
use super::classes::{Candidate, ClassBuilder, Classes};

/// One table for both ports: which of them counts stands in the candidate.
#[derive(Debug)]
pub(in crate::filter) struct PortIndex {
    /// One bit for each port that has candidates: it stays in the nearest cache, which the classes do not.
    wanted: Box<[u64; 1 << 10]>,
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
        let mut wanted = Box::new([0; 1 << 10]);
        for port in lists.keys() {
            wanted[usize::from(port / 64)] |= 1 << (port % 64);
        }
        let mut builder = ClassBuilder::default();
        let class = (0..=u16::MAX).map(|port| {
            // There are no more lists than ports, so the class fits.
            builder.class(lists.remove(&port).unwrap_or_default()) as u16
        });
        let class: Box<[u16]> = class.collect();
        Some(Self { wanted, class: class.try_into().ok()?, classes: builder.finish() })
    }

    /// Whether the port has candidates.
    #[inline]
    pub(in crate::filter) fn wants(&self, port: u16) -> bool {
        self.wanted[usize::from(port / 64)] >> (port % 64) & 1 == 1
    }

    #[inline]
    pub(in crate::filter) fn candidates(&self, port: u16) -> &[Candidate] {
        self.classes.list(usize::from(self.class[usize::from(port)]))
    }
}
