//! Who collected what: the covered time of a slot by edge and plan, and how the edges' times combine.
//!
//! A slot of a channel was covered for as long as the edge that covered it longest: edges run side by side,
//! so that one that was there for the whole slot makes it whole. The parts of one edge add up, since its
//! blocks follow one another. Covered time of a longer bucket is the sum over its slots, at most its length.

use std::collections::BTreeMap;

use foldhash::HashMap;

use super::grid::{self, GridError};

/// (edge, plan) to covered milliseconds in one slot.
pub(super) type Cover = HashMap<(u32, u32), u64>;

/// The channels that each plan counted.
pub(super) type Plans = BTreeMap<u32, Vec<u32>>;

/// Adds the parts of another.
pub(super) fn add(into: &mut Cover, more: &Cover) {
    for (key, ms) in more {
        *into.entry(*key).or_default() += ms;
    }
}

/// Each channel's covered time.
pub(super) fn by_channel(cover: &Cover, plans: &Plans) -> HashMap<u32, u64> {
    let channels_of = |plan: u32| plans.get(&plan).map_or(&[] as &[u32], Vec::as_slice);
    let mut plans_of: HashMap<u32, u32> = HashMap::default();
    for (edge, _) in cover.keys() {
        *plans_of.entry(*edge).or_default() += 1;
    }
    // Most edges run one plan through a slot, and most run the same one: those are taken plan by plan.
    let mut whole: HashMap<u32, u64> = HashMap::default();
    let mut parts: HashMap<(u32, u32), u64> = HashMap::default();
    for ((edge, plan), ms) in cover {
        if plans_of.get(edge) == Some(&1) {
            let longest = whole.entry(*plan).or_default();
            *longest = (*longest).max(*ms);
        } else {
            for channel in channels_of(*plan) {
                *parts.entry((*edge, *channel)).or_default() += ms;
            }
        }
    }
    let whole = whole.iter().flat_map(|(plan, ms)| channels_of(*plan).iter().map(move |c| (*c, *ms)));
    let parts = parts.iter().map(|((_, channel), ms)| (*channel, *ms));
    let mut channels: HashMap<u32, u64> = HashMap::default();
    for (channel, ms) in whole.chain(parts) {
        let longest = channels.entry(channel).or_default();
        *longest = (*longest).max(ms);
    }
    channels
}

/// As stored: columns edge, plan, milliseconds.
pub(super) fn encode(cover: &Cover) -> Vec<u8> {
    let mut entries: Vec<_> = cover.iter().collect();
    entries.sort_unstable();
    grid::encode(&[
        entries.iter().map(|((edge, _), _)| u64::from(*edge)).collect(),
        entries.iter().map(|((_, plan), _)| u64::from(*plan)).collect(),
        entries.iter().map(|(_, ms)| **ms).collect(),
    ])
}

/// The reverse of [`encode`].
pub(super) fn decode(bytes: &[u8]) -> Result<Cover, GridError> {
    let columns = grid::decode(bytes, 3)?;
    let keys = columns[0].iter().zip(&columns[1]).map(|(edge, plan)| (*edge as u32, *plan as u32));
    Ok(keys.zip(columns[2].iter().copied()).collect())
}
