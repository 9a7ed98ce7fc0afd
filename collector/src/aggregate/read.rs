//! Reads what the aggregator holds: durable or just counted, it makes no difference.

mod coverage;
mod series;
mod snapshot;
mod step;
mod top;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crds::config::{AggregatorConfig, ChannelConfig, ProfileConfig, Sign};
use tokio::sync::broadcast;

use super::level::{LEVELS, Levels};
use super::store::StoreError;
use super::view::{
    EdgeView, FactsView, FleetView, ListenerView, ProfileUsage, Series, SeriesQuery, StreamView, TargetView,
    TopQuery, TopTable,
};
use super::{Counts, Shared, Tick, read};
use crate::slot::StreamFacts;

pub use crate::slot::LIVE;
use crate::slot::OTHER;

/// A store that was not written for so long is behind.
const BEHIND: Duration = Duration::from_secs(60);

/// A source that has no color is drawn in one of these.
const COLORS: [&str; 8] =
    ["#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BB5566", "#999933"];

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No such profile.
    #[error("there is no profile '{name}'; there are: {known}")]
    Profile {
        /// As asked.
        name: String,
        /// All names.
        known: String,
    },
    /// No such channel in the profile.
    #[error("profile '{profile}' has no channel '{name}'; it has: {known}")]
    Channel {
        /// The profile.
        profile: String,
        /// As asked.
        name: String,
        /// All names.
        known: String,
    },
    /// No such source.
    #[error("there is no source '{name}'; there are: {known}")]
    Source {
        /// As asked.
        name: String,
        /// All names.
        known: String,
    },
    /// `from` is not before `to`.
    #[error("the range is empty: from must be before to")]
    Range,
    /// No multiple of what is kept.
    #[error(
        "a step of {step_ms} ms is no multiple of a resolution that is kept ({kept}); the next is {next_ms} ms"
    )]
    Step {
        /// As asked.
        step_ms: u64,
        /// The resolutions in milliseconds.
        kept: String,
        /// The next step that is one.
        next_ms: u64,
    },
    /// Too many points, or so fine that it is no longer kept.
    #[error("a step of {step_ms} ms gives {why}; the smallest step for this range is {smallest_ms} ms")]
    TooFine {
        /// As asked.
        step_ms: u64,
        /// What is wrong.
        why: String,
        /// The smallest step that works.
        smallest_ms: u64,
    },
    /// Maxima are of minutes.
    #[error("a maximum is that of one-minute averages: the step must be a multiple of 60000 ms")]
    Maximum,
    /// No such top-N table is kept.
    #[error("profile '{profile}' keeps no top {element} by {order}; it keeps: {known}")]
    Top {
        /// The profile.
        profile: String,
        /// As asked.
        element: String,
        /// As asked.
        order: String,
        /// What there is.
        known: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Answers questions; every method reads from disk and may take some ten milliseconds: call it where blocking
/// is allowed.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The configuration that holds now.
    pub fn config(&self) -> Arc<AggregatorConfig> {
        self.shared.config.load_full()
    }

    /// Every profile: [`LIVE`] first, then those of the configuration in its order.
    pub fn profiles(&self) -> Vec<ProfileConfig> {
        let config = self.shared.config.load();
        std::iter::once(self.live(&config)).chain(config.profiles.iter().cloned()).collect()
    }

    /// One profile.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn profile(&self, name: &str) -> Result<ProfileConfig, ReadError> {
        let config = self.shared.config.load();
        if name == LIVE {
            return Ok(self.live(&config));
        }
        config.profiles.iter().find(|p| p.name == name).cloned().ok_or_else(|| ReadError::Profile {
            name: name.to_owned(),
            known: std::iter::once(LIVE)
                .chain(config.profiles.iter().map(|p| p.name.as_str()))
                .collect::<Vec<_>>()
                .join(", "),
        })
    }

    /// The configured sources in their order, then those that came by themselves within the raw slots' age.
    fn live(&self, config: &AggregatorConfig) -> ProfileConfig {
        let active_ms = (self.shared.clock)().saturating_sub(Levels::new(config).keep[0]);
        let state = read(&self.shared.state);
        let seen = state.names.channels_of(LIVE).filter(|(_, c)| c.end_ms > active_ms);
        // Every edge counts for `other`; it is shown once something did count there.
        let shown = seen.filter(|(id, c)| c.name != OTHER || state.names.has_series(*id));
        let mut automatic: Vec<String> = shown.map(|(_, c)| c.name.clone()).collect();
        drop(state);
        automatic.retain(|name| config.sources.iter().all(|s| s.name != *name));
        automatic.sort();
        let stated = config.sources.iter().map(|s| (s.name.clone(), s.color.clone()));
        let all = stated.chain(automatic.into_iter().map(|name| (name, None)));
        let channels = all.enumerate().map(|(at, (name, color))| ChannelConfig {
            sources: vec![name.clone()],
            name,
            filter: String::new(),
            sign: Sign::Plus,
            color: color.unwrap_or_else(|| COLORS[at % COLORS.len()].to_owned()),
            order: at as u32 + 1,
        });
        ProfileConfig {
            name: LIVE.into(),
            display_name: LIVE.into(),
            description: "Every source with all its flows.".into(),
            group: String::new(),
            channels: channels.collect(),
            top: Vec::new(),
        }
    }

    /// Series.
    ///
    /// # Errors
    /// When something asked for is not there, the step does not fit, or the store fails.
    pub fn series(&self, query: &SeriesQuery) -> Result<Series, ReadError> {
        series::answer(self, query)
    }

    /// A top-N table.
    ///
    /// # Errors
    /// When something asked for is not kept, or the store fails.
    pub fn top(&self, query: &TopQuery) -> Result<TopTable, ReadError> {
        top::answer(self, query)
    }

    /// Every stream and its loss.
    pub fn streams(&self) -> Vec<StreamView> {
        read(&self.shared.state).ledger.streams()
    }

    /// What streams taught: those of one exporter, or all.
    pub fn facts(&self) -> Vec<FactsView> {
        let state = read(&self.shared.state);
        let edge = |spool| state.spools.get(&spool).map_or_else(String::new, |spool| spool.edge.clone());
        let view = |(spool, facts): (_, &StreamFacts)| FactsView { edge: edge(spool), facts: facts.clone() };
        state.facts.streams().map(view).collect()
    }

    /// Streams forgotten because there were too many.
    pub fn evicted_streams(&self) -> u64 {
        read(&self.shared.state).ledger.evicted
    }

    /// By source, the milliseconds within which 99 of 100 records come after their flow began.
    pub fn reported_within(&self) -> Vec<(String, u64)> {
        let state = read(&self.shared.state);
        let known = state.lags.known();
        known.filter_map(|(id, ms)| Some((state.names.source_name(id)?.to_owned(), ms))).collect()
    }

    /// Every listener of every edge.
    pub fn listeners(&self) -> Vec<ListenerView> {
        read(&self.shared.state).ledger.listeners()
    }

    /// Every export target of every edge.
    pub fn targets(&self) -> Vec<TargetView> {
        read(&self.shared.state).ledger.targets()
    }

    /// Every edge, by name.
    pub fn edges(&self) -> Vec<EdgeView> {
        let state = read(&self.shared.state);
        let view = |(id, spool): (&u128, &super::state::Spool)| EdgeView {
            edge: spool.edge.clone(),
            spool: format!("{id:032x}"),
            block: spool.last,
            made_ms: spool.made_ms,
            generation: spool.generation,
            dropped: spool.dropped,
        };
        let mut edges: Vec<EdgeView> = state.spools.iter().map(view).collect();
        edges.sort_by(|a, b| (&a.edge, &a.spool).cmp(&(&b.edge, &b.spool)));
        edges
    }

    /// Who runs what.
    pub fn fleet(&self) -> FleetView {
        self.shared.fleet.view()
    }

    /// What a profile occupies.
    ///
    /// # Errors
    /// When there is no such profile.
    pub fn usage(&self, profile: &str) -> Result<ProfileUsage, ReadError> {
        let listed = self.profile(profile)?;
        let state = read(&self.shared.state);
        let progress = read(&self.shared.progress);
        let oldest = progress.deleted[LEVELS - 1];
        let channels: Vec<(String, u64, u64)> = listed
            .channels
            .iter()
            .filter_map(|c| state.names.channels_of(profile).find(|(_, held)| held.name == c.name))
            .filter(|(_, held)| held.end_ms > 0)
            .map(|(_, held)| (held.name.clone(), held.first_ms.max(oldest), held.end_ms))
            .collect();
        let id = state.names.profile_id(profile);
        Ok(ProfileUsage {
            start_ms: channels.iter().map(|c| c.1).min(),
            end_ms: channels.iter().map(|c| c.2).max(),
            bytes: id.and_then(|id| progress.bytes.get(&id)).copied().unwrap_or(0),
            channels,
        })
    }

    /// How many series there are, and how many rows were refused because there were too many, with the first
    /// of their names.
    pub fn series_count(&self) -> (usize, u64, Vec<String>) {
        let state = read(&self.shared.state);
        let refused = &state.names.refused;
        (state.names.series(), refused.rows, refused.names.iter().cloned().collect())
    }

    /// What the aggregator counts about itself.
    pub fn counts(&self) -> Counts {
        read(&self.shared.counts).clone()
    }

    /// Bytes of the store's file.
    pub fn stored_bytes(&self) -> u64 {
        self.shared.store.bytes()
    }

    /// What keeps blocks from being taken or stored, in words; none: all is well. A store that has not been written
    /// for a minute, and two slots, is behind.
    pub fn trouble(&self) -> Option<String> {
        let trouble = read(&self.shared.trouble).clone();
        let usual = BEHIND + 2 * Duration::from_millis(self.shared.levels().step[0]);
        let late = trouble.stored.map(|at| at.elapsed()).filter(|late| *late > usual);
        let behind = late.map(|late| format!("nothing has been stored for {} s", late.as_secs()));
        trouble.journal.or(trouble.store).or(behind)
    }

    /// The number of the last commit, as in [`Tick::commit`].
    pub fn commit(&self) -> u64 {
        self.shared.commit.load(Ordering::Acquire)
    }

    /// Tells every change, commits and provisional values; a listener that is too slow misses some and is told.
    pub fn subscribe(&self) -> broadcast::Receiver<Tick> {
        self.shared.ticks.subscribe()
    }
}
