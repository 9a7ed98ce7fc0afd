//! One test of a flow, on columns: what [`Predicate`](super::predicate::Predicate) is made of.

mod columns;
mod compile;
mod set;
mod word;

use crds::filter::Compare;

use super::sources::SourceMatch;
use crate::flow::{Batch, Column, Kind, Run, address_bits, scaled};
pub(super) use set::{AddressSet, NumberSet};

/// A test.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Test {
    /// The same for every flow.
    Const(bool),
    /// The source of the run.
    Source(SourceMatch),
    /// The exporter of the run.
    Exporter(AddressSet),
    /// The observation domain of the run.
    Domain(Compare, u64),
    /// Checks of columns, joined.
    Columns {
        /// How they are joined.
        join: Join,
        /// The checks.
        probes: Vec<Probe>,
    },
    /// TCP flags in a column.
    Flags {
        /// `tcp_flags` or `rev_tcp_flags`.
        column: Column,
        /// What must hold.
        want: Flags,
        /// The flags.
        bits: u8,
    },
    /// A scaled counter: the first column that the row carries.
    Counter {
        /// The columns to try.
        columns: Vec<Column>,
        /// How it is compared.
        compare: Compare,
        /// With what.
        value: u64,
    },
    /// A scaled counter over the duration.
    Rate {
        /// The counter.
        counter: Column,
        /// The factor to the rate when the duration is in milliseconds.
        per_ms: u32,
        /// How it is compared.
        compare: Compare,
        /// With what.
        value: u64,
    },
    /// Scaled bytes over scaled packets.
    PacketSize {
        /// The two counters.
        bytes: Column,
        /// The divisor.
        packets: Column,
        /// How it is compared.
        compare: Compare,
        /// With what.
        value: u64,
    },
    /// Milliseconds from the first to the last packet.
    Duration(Compare, u64),
    /// Ports against the NAT port block of the row.
    PortInBlock {
        /// How the ports are joined.
        join: Join,
        /// The ports.
        ports: Vec<Column>,
    },
}

/// How checks of several columns are joined. A column that the row does not carry passes no check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Join {
    /// One of them passes.
    Any,
    /// All of them pass.
    All,
    /// One is carried, and all that are carried pass.
    Carried,
}

/// What TCP flags must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Flags {
    /// TCP, and all of the bits set.
    All,
    /// TCP, and exactly these bits set.
    Exactly,
    /// Not TCP, or none of the bits set.
    None,
}

/// A check of one column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Probe {
    pub(super) column: Column,
    pub(super) check: Check,
}

/// What a column's value must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Check {
    /// A number against a constant.
    Number(Compare, u64),
    /// A number from the first to the last.
    Range(u64, u64),
    /// A number of a set.
    NumberIn(NumberSet),
    /// An address of a set.
    AddressIn(AddressSet),
    /// The label of an MPLS entry.
    Label(Compare, u64),
    /// The traffic class of an MPLS entry.
    Exp(Compare, u64),
    /// The label of an MPLS entry that is the bottom of its stack.
    Bottom(Compare, u64),
    /// A part of three hexadecimal ids that `-` joins.
    Acl {
        /// Which part, from 0.
        part: usize,
        /// How it is compared.
        compare: Compare,
        /// With what.
        value: u64,
    },
    /// A path that holds this AS.
    AsPath(u32),
    /// A list that holds this community.
    Community(String),
}

/// Whether a comparison holds.
#[inline]
fn holds(value: u64, compare: Compare, constant: u64) -> bool {
    match compare {
        Compare::Eq => value == constant,
        Compare::Ne => value != constant,
        Compare::Gt => value > constant,
        Compare::Lt => value < constant,
        Compare::Ge => value >= constant,
        Compare::Le => value <= constant,
    }
}

impl Test {
    /// Whether all rows of a run give the same answer, and which.
    pub(super) fn of_run(&self, run: &Run) -> Option<bool> {
        match self {
            Self::Const(value) => Some(*value),
            Self::Source(source) => Some(source.matches(run)),
            Self::Exporter(set) => Some(set.contains(address_bits(run.exporter))),
            Self::Domain(compare, value) => Some(holds(u64::from(run.domain), *compare, *value)),
            _ => None,
        }
    }

    /// Whether the row passes.
    pub(super) fn passes(&self, batch: &Batch, run: &Run, row: usize) -> bool {
        if let Some(answer) = self.of_run(run) {
            return answer;
        }
        let counter = |column| batch.has(run, column, row).then(|| scaled(batch, run, column, row));
        match self {
            Self::Columns { join, probes } => {
                let carries = |probe: &Probe| batch.has(run, probe.column, row);
                let passes = |probe: &Probe| probe.check.passes(batch, probe.column, row);
                match join {
                    Join::Any => probes.iter().any(|probe| carries(probe) && passes(probe)),
                    Join::All => probes.iter().all(|probe| carries(probe) && passes(probe)),
                    Join::Carried => {
                        probes.iter().any(carries)
                            && probes.iter().all(|probe| !carries(probe) || passes(probe))
                    }
                }
            }
            Self::Flags { column, want, bits } => {
                let tcp = batch.has(run, Column::Proto, row) && batch.u8s(Column::Proto)[row] == 6;
                let flags = batch.has(run, *column, row).then(|| batch.u16s(*column)[row]);
                want.hold(tcp, flags, u16::from(*bits))
            }
            Self::Counter { columns, compare, value } => columns
                .iter()
                .find_map(|column| counter(*column))
                .is_some_and(|count| holds(count, *compare, *value)),
            Self::Rate { counter: column, per_ms, compare, value } => counter(*column)
                .zip(duration(batch, run, row))
                .is_some_and(|(count, ms)| holds(rate(count, *per_ms, ms), *compare, *value)),
            Self::PacketSize { bytes, packets, compare, value } => {
                counter(*bytes).zip(counter(*packets)).is_some_and(|(bytes, packets)| {
                    holds(bytes.checked_div(packets).unwrap_or(0), *compare, *value)
                })
            }
            Self::Duration(compare, value) => {
                duration(batch, run, row).is_some_and(|ms| holds(ms, *compare, *value))
            }
            Self::PortInBlock { join, ports } => port_in_block(batch, run, row, *join, ports),
            Self::Const(_) | Self::Source(_) | Self::Exporter(_) | Self::Domain(..) => false,
        }
    }
}

impl Flags {
    #[inline]
    fn hold(self, tcp: bool, flags: Option<u16>, bits: u16) -> bool {
        match self {
            Self::All => tcp && flags.is_some_and(|flags| flags & bits == bits),
            Self::Exactly => tcp && flags.is_some_and(|flags| flags & 0xff == bits),
            Self::None => !tcp || flags.is_none_or(|flags| flags & bits == 0),
        }
    }
}

impl Check {
    /// Whether the value in `row`, which the row must carry, passes.
    fn passes(&self, batch: &Batch, column: Column, row: usize) -> bool {
        match column.kind() {
            Kind::U8 => self.number(u64::from(batch.u8s(column)[row])),
            Kind::U16 => self.number(u64::from(batch.u16s(column)[row])),
            Kind::U32 => self.number(u64::from(batch.u32s(column)[row])),
            Kind::U64 | Kind::Mac => self.number(batch.u64s(column)[row]),
            Kind::Addr => matches!(self, Self::AddressIn(set) if set.contains(batch.addrs(column)[row])),
            Kind::Text => {
                std::str::from_utf8(batch.text(batch.texts(column)[row])).is_ok_and(|text| self.text(text))
            }
            Kind::F32 => false,
        }
    }

    fn number(&self, value: u64) -> bool {
        match self {
            Self::Number(compare, constant) => holds(value, *compare, *constant),
            Self::Range(first, last) => (*first..=*last).contains(&value),
            Self::NumberIn(set) => set.contains(value),
            Self::Label(compare, constant) => holds(value >> 4, *compare, *constant),
            Self::Exp(compare, constant) => holds(value >> 1 & 7, *compare, *constant),
            Self::Bottom(compare, constant) => value & 1 == 1 && holds(value >> 4, *compare, *constant),
            _ => false,
        }
    }

    fn text(&self, text: &str) -> bool {
        match self {
            Self::Acl { part, compare, value } => text
                .split('-')
                .nth(*part)
                .and_then(|id| u64::from_str_radix(id, 16).ok())
                .is_some_and(|id| holds(id, *compare, *value)),
            Self::AsPath(number) => text.split([' ', '{', '}', ',']).any(|step| step.parse() == Ok(*number)),
            Self::Community(wanted) => text.split(' ').any(|community| community == wanted),
            _ => false,
        }
    }
}

fn duration(batch: &Batch, run: &Run, row: usize) -> Option<u64> {
    let time = |column| batch.has(run, column, row).then(|| batch.u64s(column)[row]);
    Some(time(Column::TimeEnd)?.saturating_sub(time(Column::TimeStart)?))
}

fn rate(count: u64, per_ms: u32, ms: u64) -> u64 {
    match count.checked_mul(u64::from(per_ms)) {
        Some(scaled) => scaled.checked_div(ms).unwrap_or(0),
        None => {
            let rate = (u128::from(count) * u128::from(per_ms)).checked_div(u128::from(ms)).unwrap_or(0);
            u64::try_from(rate).unwrap_or(u64::MAX)
        }
    }
}

fn port_in_block(batch: &Batch, run: &Run, row: usize, join: Join, ports: &[Column]) -> bool {
    let port = |column: Column| batch.has(run, column, row).then(|| batch.u16s(column)[row]);
    let Some((start, end)) = port(Column::PortBlockStart).zip(port(Column::PortBlockEnd)) else {
        return false;
    };
    let mut within =
        ports.iter().map(|column| port(*column).is_some_and(|port| (start..=end).contains(&port)));
    if join == Join::All { within.all(|inside| inside) } else { within.any(|inside| inside) }
}
