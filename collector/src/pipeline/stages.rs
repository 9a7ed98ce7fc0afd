//! The stages that every batch passes, in their order.

use crds::config::EdgeConfig;

use crate::account::{Accounts, UnknownElement};
use crate::enrich::{Enrich, Places};
use crate::export::{Exports, Feed};
use crate::filter::Plan;
use crate::flow::{Batch, ColumnSet, Hits};

/// Why a configuration cannot run. `weir validate` finds these before, with file and line.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Two sources match the same exporters equally well.
    #[error("{0}")]
    Sources(String),
    /// A filter that does not compile.
    #[error("{0}")]
    Filter(#[from] crate::filter::PlanError),
    /// A `top[]` that cannot be kept.
    #[error("{0}")]
    Top(#[from] UnknownElement),
}

/// Whether the stages can run by a configuration.
///
/// # Errors
/// What cannot run.
pub fn check(config: &EdgeConfig) -> Result<(), PlanError> {
    Stages::new(config).map(drop)
}

/// enrich > filter > account, with the memory that they reuse from batch to batch.
#[derive(Debug)]
pub(super) struct Stages {
    pub(super) enrich: Enrich,
    plan: Plan,
    hits: Hits,
    pub(super) accounts: Accounts,
    /// What goes to export targets; empty without any.
    pub(super) feed: Feed,
    exports: Option<Exports>,
}

impl Stages {
    pub(super) fn new(config: &EdgeConfig) -> Result<Self, PlanError> {
        Self::sharing(config, &Places::default(), None)
    }

    /// Stages of one of several workers, which share the places for automatic sources and the export targets.
    pub(super) fn sharing(
        config: &EdgeConfig,
        places: &Places,
        exports: Option<&Exports>,
    ) -> Result<Self, PlanError> {
        let enrich = Enrich::new(&config.listeners, &config.sources).map_err(|ties| said(&ties))?;
        let enrich = enrich.sharing(places);
        let plan = Plan::compile(config)?;
        let accounts = Accounts::new(config.slot_ms, &config.profiles)?;
        let feed = exports.map(|exports| exports.feed(config)).unwrap_or_default();
        let exports = exports.cloned();
        Ok(Self { enrich, plan, hits: Hits::default(), accounts, feed, exports })
    }

    /// Turns to another configuration, wholly or not at all. To be called right after a cut.
    pub(super) fn replace(&mut self, config: &EdgeConfig) -> Result<(), PlanError> {
        let plan = Plan::compile(config)?;
        Accounts::new(config.slot_ms, &config.profiles)?;
        self.enrich.replace(&config.listeners, &config.sources).map_err(|ties| said(&ties))?;
        self.accounts.replan(&config.profiles)?;
        self.plan = plan;
        self.feed = self.exports.as_ref().map(|exports| exports.feed(config)).unwrap_or_default();
        Ok(())
    }

    /// The columns that the stages look at: decoding need not fill any other.
    pub(super) fn columns(&self) -> ColumnSet {
        if self.feed.wants_flows() {
            return ColumnSet::all();
        }
        self.plan.columns().union(&self.accounts.columns())
    }

    /// Takes a batch through and empties it.
    pub(super) fn run(&mut self, batch: &mut Batch) {
        if batch.is_empty() {
            return;
        }
        self.enrich.run(batch);
        self.hits.clear();
        self.plan.run(batch, &mut self.hits);
        self.accounts.add(batch, &self.hits, self.enrich.other());
        if self.feed.wants_flows() {
            self.feed.flows(batch, &self.hits);
        }
        batch.clear();
    }
}

fn said(ties: &[crds::sources::Tie]) -> PlanError {
    PlanError::Sources(ties.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}
