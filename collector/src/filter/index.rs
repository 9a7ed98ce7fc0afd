//! Look-up tables from the values of a flow to the channels that may want it.
//!
//! Values that the same channels ask for share a class, and a class has one list of candidates: so the tables
//! stay small, and what most flows meet stays in the cache.

mod addresses;
mod classes;
mod key;
mod numbers;
mod ports;

pub(super) use addresses::AddressIndex;
pub(super) use classes::Candidate;
pub(super) use key::{Key, Keys};
pub(super) use numbers::NumberIndex;
pub(super) use ports::PortIndex;

/// The most entries that the tables of one kind hold together: 64 MiB of candidates. Channels for which there is
/// no room are evaluated as columns.
pub(super) const MAX_ENTRIES: usize = 16 << 20;
