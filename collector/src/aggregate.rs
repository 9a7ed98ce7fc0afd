//! The aggregator: applies blocks once, keeps series and top-N, answers questions about them.

pub mod view;

/// Reads what the aggregator holds.
pub struct Reader;
