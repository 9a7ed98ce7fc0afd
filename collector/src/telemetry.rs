//! Logs and the names of all metrics, in one table.
