//! The spool: numbered blocks on disk until the aggregator has them.
