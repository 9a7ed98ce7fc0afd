//! By which values a filter can be found: its most selective test.

use crds::filter::Compare;

use crate::filter::predicate::Predicate;
use crate::filter::test::{Check, Join, Probe, Test};
use crate::flow::Column;

/// A value, or a range of addresses, that a flow of the channel has in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::filter) enum Key {
    /// A number.
    Number(Column, u64),
    /// An address, from the first to the last.
    Addresses(Column, u128, u128),
}

/// The keys of a filter: every flow that passes has at least one of them.
#[derive(Clone, Debug)]
pub(in crate::filter) struct Keys {
    pub(in crate::filter) keys: Vec<Key>,
    /// What must hold beside; none when each key alone suffices.
    pub(in crate::filter) residual: Option<Predicate>,
    /// An estimate of how many flows have one: less is better.
    cost: u64,
}

impl Keys {
    /// The cheapest keys of a filter, if it has any.
    pub(in crate::filter) fn of(predicate: &Predicate) -> Option<Self> {
        match predicate {
            Predicate::Test { test, negated: false } => Self::of_test(test).map(|mut keys| {
                keys.residual = keys.residual.map(|_| predicate.clone());
                keys
            }),
            Predicate::Test { .. } => None,
            Predicate::All(parts) => Self::of_all(parts),
            Predicate::Any(parts) => Self::of_any(predicate, parts),
        }
    }

    fn of_all(parts: &[Predicate]) -> Option<Self> {
        let found = parts.iter().enumerate().filter_map(|(at, part)| Some((at, Self::of(part)?)));
        let (at, mut best) = found.min_by_key(|(_, keys)| keys.cost)?;
        let mut rest = parts.to_vec();
        rest.remove(at);
        // What is still to be checked of the part itself comes last: the others were not looked at yet.
        rest.extend(best.residual.take());
        best.residual = match rest.len() {
            0 => None,
            1 => rest.pop(),
            _ => Some(Predicate::All(rest)),
        };
        Some(best)
    }

    fn of_any(whole: &Predicate, parts: &[Predicate]) -> Option<Self> {
        let mut union = Self { keys: Vec::new(), residual: None, cost: 0 };
        for part in parts {
            let keys = Self::of(part)?;
            union.keys.extend(keys.keys);
            union.cost = union.cost.saturating_add(keys.cost);
            if keys.residual.is_some() {
                union.residual = Some(whole.clone());
            }
        }
        Some(union)
    }

    /// The keys of one test; a residual of any kind says that they do not suffice.
    fn of_test(test: &Test) -> Option<Self> {
        let Test::Columns { join, probes } = test else { return None };
        let probes = match join {
            Join::Any => probes.as_slice(),
            Join::All => probes.get(..1)?,
            Join::Carried => return None,
        };
        let mut keys = Self { keys: Vec::new(), residual: None, cost: 0 };
        for probe in probes {
            keys.add(probe)?;
        }
        if *join == Join::All {
            keys.residual = Some(Predicate::Test { test: Test::Const(true), negated: false });
        }
        Some(keys)
    }

    fn add(&mut self, probe: &Probe) -> Option<()> {
        let column = probe.column;
        match &probe.check {
            Check::Number(Compare::Eq, value) => self.add_number(column, *value)?,
            Check::NumberIn(set) => {
                set.members().into_iter().try_for_each(|value| self.add_number(column, value))?;
            }
            Check::AddressIn(set) if matches!(column, Column::SrcAddr | Column::DstAddr) => {
                for (first, last) in set.ranges() {
                    self.keys.push(Key::Addresses(column, *first, *last));
                    self.cost = self.cost.saturating_add(width_cost(*first, *last)?);
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn add_number(&mut self, column: Column, value: u64) -> Option<()> {
        let cost = match column {
            Column::SrcPort | Column::DstPort => 16,
            Column::SrcAs | Column::DstAs | Column::PrevAs | Column::NextAs => 16,
            Column::SrcVlan | Column::DstVlan => 256,
            Column::InIf | Column::OutIf => 512,
            _ => return None,
        };
        self.keys.push(Key::Number(column, value));
        self.cost = self.cost.saturating_add(cost);
        Some(())
    }
}

/// What a range of addresses costs; none for one so wide that it selects little (IPv4 wider than /8, IPv6
/// wider than /16).
fn width_cost(first: u128, last: u128) -> Option<u64> {
    let bits = 128 - (last - first).leading_zeros();
    let mapped = first >> 32 == 0xffff;
    match (mapped, bits) {
        (true, 0..=24) => Some(1 << (bits / 2)),
        (false, 0..=112) => Some(1 << (bits / 8)),
        _ => None,
    }
}
