//! Counts per channel, source and slot; the largest keys of each top[] element.
