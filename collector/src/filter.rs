//! All channels of all profiles, compiled to one plan.
//!
//! A [`Plan`] tells for a whole batch which rows belong to which channels. Each channel is looked up by its most
//! selective test: a port, a network, an AS number leads over a class to a short list of candidates, of which
//! only the rest of the filter is still checked. Channels without such a test (`proto tcp`, `bytes > 1m`) are
//! answered for whole columns, each test once however many channels share it. [`RowFilter`] judges one flow at
//! a time, straight from the filter's tree.

mod engine;
mod evaluate;
mod index;
mod predicate;
mod sources;
mod test;

pub use evaluate::RowFilter;

use crds::config::EdgeConfig;
use crds::filter::{Context, Expr, FilterError, check};

use crate::flow::{Batch, Column, ColumnSet, Hits, Mask};
use engine::{Channel, Engine};
use predicate::{Direction, Predicate};
use sources::SourceNames;

/// Why profiles cannot be compiled. What [`crds::filter::check`] accepts always can.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A filter has an error.
    #[error("profile {profile}, channel {channel}: {error}")]
    Filter {
        /// `namespace/name`.
        profile: String,
        /// The channel.
        channel: String,
        /// The first error of its filter.
        error: Box<FilterError>,
    },
    /// Channels are numbered with 16 bits.
    #[error("{0} channels in all profiles together; at most 65535 are taken")]
    TooManyChannels(usize),
}

/// A channel of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanChannel {
    /// `namespace/name` of its profile.
    pub profile: String,
    /// Its name.
    pub name: String,
    /// Its number in [`Hits`].
    pub index: u16,
}

/// All channels of all profiles, ready to run.
#[derive(Debug)]
pub struct Plan {
    channels: Vec<PlanChannel>,
    forward: Engine,
    reverse: Engine,
    biflows: Mask,
    columns: ColumnSet,
}

impl Plan {
    /// Compiles the channels of all profiles, numbered in the order in which they stand.
    ///
    /// # Errors
    /// A filter that [`crds::filter::check`] refuses for a profile, or too many channels.
    pub fn compile(config: &EdgeConfig) -> Result<Self, PlanError> {
        let count = config.profiles.iter().map(|profile| profile.channels.len()).sum();
        if count > usize::from(u16::MAX) {
            return Err(PlanError::TooManyChannels(count));
        }
        let names: Vec<String> = config.sources.iter().map(|source| source.name.clone()).collect();
        let names = SourceNames::new(&names);
        let (mut channels, mut forward, mut reverse) = (Vec::new(), Vec::new(), Vec::new());
        for profile in &config.profiles {
            for channel in &profile.channels {
                let expr = filter(&profile.name, channel)?;
                let compiled = |direction| Channel {
                    sources: (!channel.sources.is_empty())
                        .then(|| channel.sources.iter().map(|name| names.find(name)).collect()),
                    predicate: Predicate::compile(&expr, names, direction),
                };
                forward.push(compiled(Direction::Forward));
                reverse.push(compiled(Direction::Reverse));
                let index = u16::try_from(channels.len()).unwrap_or(u16::MAX);
                let (profile, name) = (profile.name.clone(), channel.name.clone());
                channels.push(PlanChannel { profile, name, index });
            }
        }
        let mut columns = ColumnSet::of(&[Column::RevPackets, Column::RevBytes]);
        for channel in forward.iter().chain(&reverse) {
            channel.predicate.columns(&mut columns);
        }
        let (forward, reverse) = (Engine::new(&forward), Engine::new(&reverse));
        Ok(Self { channels, forward, reverse, biflows: Mask::default(), columns })
    }

    /// The columns that the filters look at: what is not filled of them counts as not sent.
    pub fn columns(&self) -> ColumnSet {
        self.columns
    }

    /// The channels, by their numbers.
    pub fn channels(&self) -> &[PlanChannel] {
        &self.channels
    }

    /// Adds the channels of every row to `hits`, which must be clear. Allocates only until the buffers have
    /// found their size.
    pub fn run(&mut self, batch: &Batch, hits: &mut Hits) {
        self.forward.run(batch, None, &mut hits.forward);
        if self.find_biflows(batch) {
            self.reverse.run(batch, Some(&self.biflows), &mut hits.reverse);
        }
    }

    /// Marks the rows that carry counters of the other direction; whether there are any.
    fn find_biflows(&mut self, batch: &Batch) -> bool {
        let carries = |run: &&crate::flow::Run| {
            run.present.contains(Column::RevPackets) || run.present.contains(Column::RevBytes)
        };
        let mut any = false;
        for run in batch.runs().iter().filter(carries) {
            if !any {
                self.biflows = Mask::default();
                any = true;
            }
            for row in run.rows() {
                self.biflows.set(row, batch.is_biflow(run, row));
            }
        }
        any
    }
}

fn filter(profile: &str, channel: &crds::config::ChannelConfig) -> Result<Expr, PlanError> {
    check(&channel.filter, Context::PROFILE).map_err(|mut errors| PlanError::Filter {
        profile: profile.to_owned(),
        channel: channel.name.clone(),
        error: Box::new(errors.swap_remove(0)),
    })
}

#[cfg(test)]
mod tests;
