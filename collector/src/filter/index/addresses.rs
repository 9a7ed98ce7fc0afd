//! Candidates by address: the ranges of all channels, cut where one begins or ends.

use std::collections::BTreeMap;

use super::MAX_ENTRIES;
use super::classes::{Candidate, ClassBuilder, Classes};

/// From this range on, candidates are those of its class; the last one that starts at or before an address
/// holds it.
#[derive(Debug, Default)]
struct Ranges<T> {
    starts: Vec<T>,
    class: Vec<u32>,
}

/// One table for both addresses: which of them counts stands in the candidate.
#[derive(Debug)]
pub(in crate::filter) struct AddressIndex {
    v4: Ranges<u32>,
    /// The range that holds the first address of each /16, and one more at the end.
    v4_slices: Vec<u32>,
    v6: Ranges<u128>,
    classes: Classes,
}

/// What is told of an address that no IPv6 range can hold: the IPv4-mapped ones.
const MAPPED: u128 = 0xffff;

impl AddressIndex {
    /// The table of these ranges, first and last address; none when it would be too large.
    pub(in crate::filter) fn new(entries: &[(u128, u128, Candidate)]) -> Option<Self> {
        let mut builder = ClassBuilder::default();
        let v4 = entries.iter().filter(|(first, ..)| first >> 32 == MAPPED);
        let v4 = cut(
            v4.map(|(first, last, candidate)| (first & 0xffff_ffff, last & 0xffff_ffff, *candidate)),
            &mut builder,
        )?;
        let v6 = entries.iter().filter(|(first, ..)| first >> 32 != MAPPED);
        let v6 = cut(v6.copied(), &mut builder)?;
        let v4 = Ranges { starts: v4.starts.iter().map(|start| *start as u32).collect(), class: v4.class };
        let mut v4_slices: Vec<u32> = (0..1_u32 << 16).map(|slice| v4.find(slice << 16) as u32).collect();
        v4_slices.push(v4.starts.len() as u32 - 1);
        Some(Self { v4, v4_slices, v6, classes: builder.finish() })
    }

    #[inline]
    pub(in crate::filter) fn candidates(&self, address: u128) -> &[Candidate] {
        let class = if address >> 32 == MAPPED {
            let address = address as u32;
            let slice = (address >> 16) as usize;
            let (low, high) = (self.v4_slices[slice] as usize, self.v4_slices[slice + 1] as usize);
            // Most slices lie in one range.
            let later = self.v4.starts[low + 1..=high].partition_point(|start| *start <= address);
            self.v4.class[low + later]
        } else {
            self.v6.class[self.v6.find(address)]
        };
        self.classes.list(class as usize)
    }
}

impl<T: PartialOrd + Copy> Ranges<T> {
    /// The range that holds the address; the first one starts at 0.
    fn find(&self, address: T) -> usize {
        self.starts.partition_point(|start| *start <= address) - 1
    }
}

/// Cuts the addresses wherever a range begins or ends, and gives each piece the class of what covers it.
fn cut(
    entries: impl Iterator<Item = (u128, u128, Candidate)>,
    builder: &mut ClassBuilder,
) -> Option<Ranges<u128>> {
    let mut edges: Vec<(u128, bool, Candidate)> = Vec::new();
    for (first, last, candidate) in entries {
        edges.push((first, true, candidate));
        if let Some(behind) = last.checked_add(1) {
            edges.push((behind, false, candidate));
        }
    }
    if edges.len() > MAX_ENTRIES {
        return None;
    }
    edges.sort_unstable();
    let mut ranges = Ranges { starts: vec![0], class: vec![builder.class(Vec::new())] };
    let mut active: BTreeMap<Candidate, usize> = BTreeMap::new();
    let mut pieces = edges.chunk_by(|first, next| first.0 == next.0);
    pieces.try_for_each(|edges| {
        for (_, begins, candidate) in edges {
            let count = active.entry(*candidate).or_insert(0);
            *count = if *begins { *count + 1 } else { count.wrapping_sub(1) };
            if *count == 0 {
                active.remove(candidate);
            }
        }
        let class = builder.class(active.keys().copied().collect());
        if edges[0].0 == 0 {
            ranges.class[0] = class;
        } else {
            ranges.starts.push(edges[0].0);
            ranges.class.push(class);
        }
        (builder.entries() <= MAX_ENTRIES).then_some(())
    })?;
    Some(ranges)
}
