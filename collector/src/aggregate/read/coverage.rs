//! Coverage by streams: how many should have been heard in each point, and what of them was missing.

use foldhash::HashSet;

use super::super::presence::{Presence, Sources};
use super::super::read;
use super::super::view::{Coverage, SeriesQuery};
use super::{ReadError, Reader};

/// The sources that a question's lines take; none: all.
pub(super) struct Taken(Option<HashSet<u32>>);

impl Taken {
    pub(super) fn new(reader: &Reader, query: &SeriesQuery) -> Result<Self, ReadError> {
        let names =
            if query.sources.is_empty() { taken(reader, query)? } else { Some(query.sources.clone()) };
        let state = read(&reader.shared.state);
        let ids = |names: Vec<String>| names.iter().filter_map(|name| state.names.source_id(name)).collect();
        Ok(Self(names.map(ids)))
    }

    fn has(&self, source: u32) -> bool {
        self.0.as_ref().is_none_or(|wanted| wanted.contains(&source))
    }

    /// In milliseconds, the time within which 99 of 100 records of each of them come after their flow began.
    pub(super) fn reported_within_ms(&self, reader: &Reader) -> Option<u64> {
        let state = read(&reader.shared.state);
        state.lags.known().filter(|(source, _)| self.has(*source)).map(|(_, ms)| ms).max()
    }
}

/// Coverage while it is made.
pub(super) struct Making {
    taken: Taken,
    points: Vec<Presence>,
}

impl Making {
    pub(super) fn new(taken: Taken, points: usize) -> Self {
        Self { taken, points: vec![Presence::default(); points] }
    }

    /// Adds a bucket to a point.
    pub(super) fn add(&mut self, at: usize, bucket: &Sources) {
        let Some(point) = self.points.get_mut(at) else { return };
        let mut all = Presence::default();
        let taken = bucket.iter().filter(|(source, _)| self.taken.has(**source));
        taken.for_each(|(_, presence)| all.join(presence));
        point.fold(&all);
    }

    pub(super) fn finish(self) -> Coverage {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let points = &self.points;
        let lost = |p: &Presence| p.missing.saturating_sub(p.found);
        Coverage {
            expected: points.iter().map(|p| p.most_expected).collect(),
            present: points.iter().map(|p| p.most_expected.saturating_sub(p.most_absent)).collect(),
            absent: points.iter().map(|p| share(p.absent, p.expected)).collect(),
            missing: points.iter().map(|p| share(lost(p), p.received.saturating_add(lost(p)))).collect(),
        }
    }
}

/// The sources of the channels that are asked for; none: one of them takes all.
fn taken(reader: &Reader, query: &SeriesQuery) -> Result<Option<Vec<String>>, ReadError> {
    let profile = reader.profile(&query.profile)?;
    let asked = profile.channels.iter();
    let asked = asked.filter(|c| query.channels.is_empty() || query.channels.contains(&c.name));
    let mut sources = Vec::new();
    for channel in asked {
        if channel.sources.is_empty() {
            return Ok(None);
        }
        sources.extend(channel.sources.iter().cloned());
    }
    Ok(Some(sources))
}
