//! One direction of the plan: look-ups that yield candidates for selective channels, masks for broad ones.

mod broad;

use std::ops::Range;

use foldhash::HashMap;

use super::index::{AddressIndex, Candidate, Key, Keys, NumberIndex, PortIndex};
use super::predicate::Predicate;
use super::sources::SourceMatch;
use crate::flow::{Batch, Column, HitList, Mask, Run};
use broad::Broad;

/// A channel to be compiled.
#[derive(Debug)]
pub(super) struct Channel {
    /// The sources that it is restricted to; none: all.
    pub(super) sources: Option<Vec<SourceMatch>>,
    /// Its filter.
    pub(super) predicate: Predicate,
}

/// What must hold of a candidate beside the value that it was found by.
#[derive(Debug, Default)]
struct Rest {
    sources: Option<Vec<SourceMatch>>,
    predicate: Option<Predicate>,
}

/// The channels of one direction.
#[derive(Debug)]
pub(super) struct Engine {
    ports: Option<PortIndex>,
    addresses: Option<AddressIndex>,
    numbers: Vec<NumberIndex>,
    /// By channel.
    rest: Vec<Rest>,
    broad: Broad,
    seen: Seen,
}

/// Keeps a channel that several values of a row lead to from being named twice.
#[derive(Debug)]
struct Seen {
    turn: u64,
    /// The turn in which each channel was named last.
    last: Vec<u64>,
}

/// The values of a run's rows in one column, where the run carries it.
#[derive(Clone, Copy)]
struct Values<'a, T> {
    values: &'a [T],
    valid: Option<&'a Mask>,
}

impl<'a, T: Copy> Values<'a, T> {
    fn of(batch: &'a Batch, run: &Run, column: Column, values: &'a [T]) -> Option<Self> {
        let valid = if run.sparse.contains(column) { Some(batch.validity(column)?) } else { None };
        run.present.contains(column).then_some(Self { values, valid })
    }

    #[inline]
    fn get(&self, row: usize) -> Option<T> {
        if self.valid.is_some_and(|valid| !valid.get(row)) {
            return None;
        }
        Some(self.values[row])
    }
}

/// The columns of the ports and of the addresses, with the side that each stands for in a candidate.
const PORTS: [(Column, u8); 2] = [(Column::SrcPort, 1), (Column::DstPort, 2)];
const ADDRESSES: [(Column, u8); 2] = [(Column::SrcAddr, 1), (Column::DstAddr, 2)];

impl Engine {
    pub(super) fn new(channels: &[Channel]) -> Self {
        let mut tables = Tables::default();
        let mut rest: Vec<Rest> = channels.iter().map(|_| Rest::default()).collect();
        let mut broad = Vec::new();
        for (at, channel) in channels.iter().enumerate() {
            let Some(keys) = Keys::of(&channel.predicate) else {
                broad.push(at);
                continue;
            };
            rest[at] = Rest { sources: channel.sources.clone(), predicate: keys.residual };
            let checked = rest[at].sources.is_some() || rest[at].predicate.is_some();
            tables.add(at as u16, checked, &keys.keys);
        }
        let ports = tables.ports(&mut broad);
        let addresses = tables.addresses(&mut broad);
        let numbers = tables.numbers(&mut broad);
        broad.sort_unstable();
        broad.dedup();
        let seen = Seen { turn: 0, last: vec![0; channels.len()] };
        let broad = Broad::new(broad.iter().map(|at| (*at as u16, &channels[*at])));
        Self { ports, addresses, numbers, rest, broad, seen }
    }

    /// Finds the channels of the batch's rows, or of those among `only`.
    pub(super) fn run(&mut self, batch: &Batch, only: Option<&Mask>, hits: &mut HitList) {
        if self.ports.is_some() || self.addresses.is_some() || !self.numbers.is_empty() {
            for run in batch.runs() {
                self.run_rows(batch, run, only, &mut hits.pairs);
            }
        }
        self.broad.run(batch, only, hits);
    }

    fn run_rows(&mut self, batch: &Batch, run: &Run, only: Option<&Mask>, pairs: &mut Vec<(u16, u16)>) {
        let Self { ports, addresses, numbers, rest, seen, .. } = self;
        let ports = ports.as_ref();
        let by_port = PORTS.map(|(column, side)| (Values::of(batch, run, column, batch.u16s(column)), side));
        let by_address =
            ADDRESSES.map(|(column, side)| (Values::of(batch, run, column, batch.addrs(column)), side));
        let mut found = Found { batch, run, rest, seen, pairs, row: 0, begin: 0 };
        for word in run.start / 64..(run.start + run.len).div_ceil(64) {
            let rows = run.start.max(word * 64)..(run.start + run.len).min(word * 64 + 64);
            let by_side = by_port.map(|(values, _)| match (ports, values) {
                (Some(ports), Some(values)) => wanted(ports, &values, &rows),
                _ => 0,
            });
            // Where ports alone lead to channels, most rows need no more than a look at two bits.
            let mut left = if addresses.is_none() && numbers.is_empty() {
                by_side[0] | by_side[1]
            } else {
                (u64::MAX >> (64 - rows.len())) << (rows.start % 64)
            };
            left &= only.map_or(u64::MAX, |only| only.words()[word]);
            while left != 0 {
                let bit = left.trailing_zeros();
                let row = word * 64 + bit as usize;
                left &= left - 1;
                found.begin_row(row);
                if let Some(ports) = ports {
                    for ((values, side), wanted) in by_port.iter().zip(by_side) {
                        if wanted >> bit & 1 == 1
                            && let Some(values) = values
                        {
                            found.add(ports.candidates(values.values[row]), *side);
                        }
                    }
                }
                if let Some(addresses) = addresses {
                    for (values, side) in &by_address {
                        if let Some(address) = values.and_then(|values| values.get(row)) {
                            found.add(addresses.candidates(address), *side);
                        }
                    }
                }
                for index in numbers.iter().filter(|index| batch.has(run, index.column, row)) {
                    found.add(index.candidates(batch, row), 1);
                }
            }
        }
    }
}

/// The rows of one word whose port has candidates.
fn wanted(ports: &PortIndex, values: &Values<'_, u16>, rows: &Range<usize>) -> u64 {
    let mut word = 0;
    for (place, port) in values.values[rows.clone()].iter().enumerate() {
        word |= u64::from(ports.wants(*port)) << place;
    }
    let valid = values.valid.map_or(u64::MAX, |valid| valid.words()[rows.start / 64]);
    word << (rows.start % 64) & valid
}

/// The candidates of one row on their way to the hits.
struct Found<'a> {
    batch: &'a Batch,
    run: &'a Run,
    rest: &'a [Rest],
    seen: &'a mut Seen,
    pairs: &'a mut Vec<(u16, u16)>,
    row: usize,
    /// Where the row's pairs begin.
    begin: usize,
}

impl Found<'_> {
    fn begin_row(&mut self, row: usize) {
        self.row = row;
        self.begin = self.pairs.len();
    }

    #[inline]
    fn add(&mut self, candidates: &[Candidate], side: u8) {
        if candidates.is_empty() {
            return;
        }
        // Within one list a channel stands once: only what earlier lists gave can repeat.
        let repeats = self.pairs.len() > self.begin;
        if repeats {
            self.seen.turn += 1;
            for (_, channel) in &self.pairs[self.begin..] {
                self.seen.last[usize::from(*channel)] = self.seen.turn;
            }
        }
        for candidate in candidates {
            let channel = usize::from(candidate.channel);
            if candidate.sides & side == 0
                || repeats && self.seen.last[channel] == self.seen.turn
                || candidate.checked && !self.rest[channel].hold(self.batch, self.run, self.row)
            {
                continue;
            }
            self.pairs.push((self.row as u16, candidate.channel));
        }
    }
}

impl Rest {
    fn hold(&self, batch: &Batch, run: &Run, row: usize) -> bool {
        self.sources.as_ref().is_none_or(|sources| sources.iter().any(|source| source.matches(run)))
            && self.predicate.as_ref().is_none_or(|predicate| predicate.passes(batch, run, row))
    }
}

/// The keys of all channels, table by table.
#[derive(Debug, Default)]
struct Tables {
    ports: Vec<(u16, Candidate)>,
    addresses: Vec<(u128, u128, Candidate)>,
    numbers: HashMap<Column, Vec<(u64, Candidate)>>,
}

impl Tables {
    fn add(&mut self, channel: u16, checked: bool, keys: &[Key]) {
        let candidate = |sides| Candidate { channel, sides, checked };
        for key in keys {
            match *key {
                Key::Number(Column::SrcPort, port) => self.ports.push((port as u16, candidate(1))),
                Key::Number(Column::DstPort, port) => self.ports.push((port as u16, candidate(2))),
                Key::Number(column, number) => {
                    self.numbers.entry(column).or_default().push((number, candidate(1)));
                }
                Key::Addresses(column, first, last) => {
                    let side = if column == Column::SrcAddr { 1 } else { 2 };
                    self.addresses.push((first, last, candidate(side)));
                }
            }
        }
    }

    /// The table of the ports; when it cannot be made, its channels become broad.
    fn ports(&mut self, broad: &mut Vec<usize>) -> Option<PortIndex> {
        let entries = std::mem::take(&mut self.ports);
        if entries.is_empty() {
            return None;
        }
        let channels: Vec<usize> =
            entries.iter().map(|(_, candidate)| usize::from(candidate.channel)).collect();
        let index = PortIndex::new(entries);
        if index.is_none() {
            broad.extend(channels);
        }
        index
    }

    fn addresses(&mut self, broad: &mut Vec<usize>) -> Option<AddressIndex> {
        let entries = std::mem::take(&mut self.addresses);
        if entries.is_empty() {
            return None;
        }
        let index = AddressIndex::new(&entries);
        if index.is_none() {
            broad.extend(entries.iter().map(|(.., candidate)| usize::from(candidate.channel)));
        }
        index
    }

    fn numbers(&mut self, broad: &mut Vec<usize>) -> Vec<NumberIndex> {
        let mut tables: Vec<_> = std::mem::take(&mut self.numbers).into_iter().collect();
        tables.sort_unstable_by_key(|(column, _)| *column);
        let mut indexes = Vec::new();
        for (column, entries) in tables {
            let channels: Vec<usize> =
                entries.iter().map(|(_, candidate)| usize::from(candidate.channel)).collect();
            match NumberIndex::new(column, entries) {
                Some(index) => indexes.push(index),
                None => broad.extend(channels),
            }
        }
        indexes
    }
}
