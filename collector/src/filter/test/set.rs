//! Sets of numbers and of addresses.

use ipnet::IpNet;

use crate::flow::address_bits;

/// A set of numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::filter) enum NumberSet {
    /// Small numbers, one bit each.
    Bits(Box<[u64]>),
    /// Any numbers, ascending.
    Sorted(Box<[u64]>),
}

impl NumberSet {
    pub(super) fn of(values: &[u64]) -> Self {
        let largest = values.iter().max().copied().unwrap_or(0);
        if largest <= u64::from(u16::MAX) {
            let mut bits = vec![0_u64; largest as usize / 64 + 1];
            for value in values {
                bits[*value as usize / 64] |= 1 << (value % 64);
            }
            return Self::Bits(bits.into());
        }
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        Self::Sorted(sorted.into())
    }

    #[inline]
    pub(in crate::filter) fn contains(&self, value: u64) -> bool {
        match self {
            Self::Bits(bits) => {
                let word = usize::try_from(value / 64).ok().and_then(|at| bits.get(at));
                word.is_some_and(|word| word >> (value % 64) & 1 == 1)
            }
            Self::Sorted(sorted) => sorted.binary_search(&value).is_ok(),
        }
    }

    /// All members, ascending.
    pub(in crate::filter) fn members(&self) -> Vec<u64> {
        match self {
            Self::Bits(bits) => (0..bits.len() as u64 * 64).filter(|value| self.contains(*value)).collect(),
            Self::Sorted(sorted) => sorted.to_vec(),
        }
    }
}

/// A set of addresses: ranges, ascending and apart. IPv4 lies in its mapped range, and IPv6 networks around
/// that range do not hold it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::filter) struct AddressSet(Box<[(u128, u128)]>);

/// The IPv4-mapped addresses, first and last.
const MAPPED: (u128, u128) = (0xffff_0000_0000, 0xffff_ffff_ffff);

/// Where the family changes.
const BORDERS: [u128; 2] = [MAPPED.0, MAPPED.1 + 1];

impl AddressSet {
    pub(super) fn of(nets: &[IpNet]) -> Self {
        let mut ranges: Vec<(u128, u128)> = nets.iter().flat_map(ranges).collect();
        ranges.sort_unstable();
        let mut apart: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match apart.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                // Neighbours become one, unless one is IPv4 and the other is not: tables are made by family.
                Some(before) if first == before.1 + 1 && !BORDERS.contains(&first) => before.1 = last,
                _ => apart.push((first, last)),
            }
        }
        Self(apart.into())
    }

    #[inline]
    pub(in crate::filter) fn contains(&self, address: u128) -> bool {
        match &*self.0 {
            [(first, last)] => (*first..=*last).contains(&address),
            ranges => {
                let after = ranges.partition_point(|(first, _)| *first <= address);
                after > 0 && address <= ranges[after - 1].1
            }
        }
    }

    /// The ranges, first and last address of each.
    pub(in crate::filter) fn ranges(&self) -> &[(u128, u128)] {
        &self.0
    }
}

fn ranges(net: &IpNet) -> Vec<(u128, u128)> {
    let (first, last) = (address_bits(net.network()), address_bits(net.broadcast()));
    if matches!(net, IpNet::V4(_)) {
        return vec![(first, last)];
    }
    let below = (first, last.min(MAPPED.0 - 1));
    let above = (first.max(MAPPED.1 + 1), last);
    [below, above].into_iter().filter(|(first, last)| first <= last).collect()
}
