//! Sources by name: `ident` in filters and `sources` of channels.

use std::net::IpAddr;

use crate::flow::Run;

/// The names of the sources by the index that enrich gives them.
#[derive(Clone, Copy, Debug)]
pub(super) struct SourceNames<'a> {
    named: &'a [String],
}

/// One source, as a run can be compared with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum SourceMatch {
    /// The source with this index.
    Index(u16),
    /// The automatic source of an exporter that no named source takes: it is called by its address.
    Automatic {
        /// The exporter.
        exporter: IpAddr,
        /// Automatic sources have an index from here on.
        from: u16,
    },
    /// There is no source of that name.
    Nobody,
}

impl<'a> SourceNames<'a> {
    pub(super) fn new(named: &'a [String]) -> Self {
        Self { named }
    }

    /// The source of this name. Behind the named ones come `other`, then the automatic ones.
    pub(super) fn find(self, name: &str) -> SourceMatch {
        let index = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
        if let Some(at) = self.named.iter().position(|named| named == name) {
            return SourceMatch::Index(index(at));
        }
        if name == "other" {
            return SourceMatch::Index(index(self.named.len()));
        }
        match name.parse() {
            Ok(exporter) => SourceMatch::Automatic { exporter, from: index(self.named.len() + 1) },
            Err(_) => SourceMatch::Nobody,
        }
    }
}

impl SourceMatch {
    /// Whether the run's flows are of this source.
    pub(super) fn matches(&self, run: &Run) -> bool {
        match self {
            Self::Index(index) => run.source == *index,
            Self::Automatic { exporter, from } => run.source >= *from && run.exporter == *exporter,
            Self::Nobody => false,
        }
    }
}
