//! What is known of a source as a whole.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How soon a source's exporters tell of flows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourcePace {
    /// The source.
    pub source: String,
    /// Milliseconds within which 99 of 100 records come after their flow began, by the exporters' own clocks: about
    /// their active timeout. What is drawn in finer steps is a comb.
    pub reported_within: u64,
}

impl From<(String, u64)> for SourcePace {
    fn from((source, reported_within): (String, u64)) -> Self {
        Self { source, reported_within }
    }
}
