//! What an edge on another disk is told of the streams that its node had before: where they stood, what they taught.

use std::collections::BTreeMap;

use super::state::State;
use crate::slot::{Block, Epoch, Numbering, SpoolId, StreamFacts, StreamKey, StreamReport};

/// Streams told at most, those heard last.
const STREAMS: usize = 16_384;
/// Memory for what they taught, at most.
const FACT_BYTES: usize = 16 << 20;

/// Of the edge `node`, from the newest spool in which each stream was heard.
pub(super) fn known(state: &State, node: &str) -> Block {
    let mut newest: BTreeMap<&StreamKey, (SpoolId, StreamReport)> = BTreeMap::new();
    for (spool, key, report) in state.ledger.marks(node) {
        if newest.get(key).is_none_or(|(_, held)| held.last_seen_ms < report.last_seen_ms) {
            newest.insert(key, (spool, report));
        }
    }
    let mut streams: Vec<_> = newest.into_values().collect();
    streams.sort_by_key(|(_, report)| std::cmp::Reverse(report.last_seen_ms));
    streams.truncate(STREAMS);
    let mut left = FACT_BYTES;
    let mut facts: Vec<StreamFacts> = Vec::new();
    for (spool, report) in &streams {
        let Some(taught) = state.facts.of(*spool, &report.key) else { continue };
        let Some(rest) = left.checked_sub(taught.cost()) else { break };
        left = rest;
        facts.push(taught.clone());
    }
    let streams = streams.into_iter().map(|(_, report)| report).collect();
    Block { edge: node.to_owned(), streams, facts, ..Block::default() }
}

/// The next number of a stream's sequence, where its balance tells it.
pub(super) fn next_sequence(epoch: &Epoch, numbering: Option<Numbering>) -> Option<u32> {
    let counts = numbering.is_none_or(|numbering| numbering.is_judged() && numbering != Numbering::LastFlow);
    let expected = epoch.expected().rem_euclid(1 << 32);
    counts.then(|| epoch.first.wrapping_add(u32::try_from(expected).unwrap_or_default()))
}
