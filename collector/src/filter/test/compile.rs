//! From the terms of the language to columns and constants.

use crds::filter::{AddressField, Compare, Dir, Family, Host, NumberField, Term, names};
use ipnet::IpNet;

use super::{AddressSet, Check, Flags, Join, NumberSet, Probe, Test};
use crate::filter::predicate::Direction;
use crate::filter::sources::SourceNames;
use crate::flow::Column;

impl Test {
    pub(in crate::filter) fn compile(term: &Term, sources: SourceNames<'_>, direction: Direction) -> Self {
        let test = match term {
            Term::Any => Self::Const(true),
            Term::Ident(name) => Self::Source(sources.find(name)),
            Term::Family(Family::V4) => equal(Column::EType, 0x0800),
            Term::Family(Family::V6) => equal(Column::EType, 0x86dd),
            Term::Proto(number) => equal(Column::Proto, u64::from(*number)),
            Term::Number { field, dir, compare, value } => number(*field, *dir, *compare, *value),
            Term::NumberIn { field, dir, values } => {
                columns(*dir, &sides(*field, *dir), &Check::NumberIn(NumberSet::of(values)))
            }
            Term::Address { field, dir, host: Host::Address(address) } => {
                addresses(*field, *dir, &[IpNet::from(*address)])
            }
            Term::Net { field, dir, net } => addresses(*field, *dir, &[*net]),
            Term::AddressIn { field, dir, nets } => addresses(*field, *dir, nets),
            Term::Mac { dir, mac } => columns(Dir::Either, macs(*dir), &Check::Number(Compare::Eq, *mac)),
            Term::Flags(bits) => Self::Flags { column: Column::TcpFlags, want: Flags::All, bits: *bits },
            Term::FlagsExactly(bits) => {
                Self::Flags { column: Column::TcpFlags, want: Flags::Exactly, bits: *bits }
            }
            Term::ForwardingStatus(name) => {
                let (_, first, last) = names::forwarding_status(name).unwrap_or((name, 1, 0));
                one(Column::ForwardingStatus, Check::Range(u64::from(first), u64::from(last)))
            }
            Term::Direction { egress } => equal(Column::Direction, u64::from(*egress)),
            Term::Seen { last, compare, at_ms } => {
                let column = if *last { Column::TimeEnd } else { Column::TimeStart };
                one(column, Check::Number(*compare, *at_ms))
            }
            Term::PortInBlock { dir } => {
                Self::PortInBlock { join: join(*dir), ports: sides(NumberField::Port, *dir) }
            }
            Term::AsPath(number) => one(Column::AsPath, Check::AsPath(*number)),
            Term::Community(high, low) => one(Column::Communities, Check::Community(format!("{high}:{low}"))),
            // What no stage of this version fills, and hosts that nobody resolved.
            _ => Self::Const(false),
        };
        test.turned(direction)
    }

    /// The negation of `flags`: not TCP, or none of these set.
    pub(in crate::filter) fn no_flags(bits: u8, direction: Direction) -> Self {
        Self::Flags { column: Column::TcpFlags, want: Flags::None, bits }.turned(direction)
    }

    /// The same test with the two sides of the flow swapped, where the direction is the reverse one.
    fn turned(mut self, direction: Direction) -> Self {
        if direction == Direction::Forward {
            return self;
        }
        let turn = |column: &mut Column| *column = column.reversed();
        match &mut self {
            Self::Columns { probes, .. } => probes.iter_mut().for_each(|probe| turn(&mut probe.column)),
            Self::Counter { columns, .. } => columns.iter_mut().for_each(turn),
            Self::PortInBlock { ports, .. } => ports.iter_mut().for_each(turn),
            Self::Flags { column, .. } | Self::Rate { counter: column, .. } => turn(column),
            Self::PacketSize { bytes, packets, .. } => {
                turn(bytes);
                turn(packets);
            }
            Self::Const(_) | Self::Source(_) | Self::Exporter(_) | Self::Domain(..) | Self::Duration(..) => {}
        }
        self
    }
}

fn one(column: Column, check: Check) -> Test {
    Test::Columns { join: Join::Any, probes: vec![Probe { column, check }] }
}

fn equal(column: Column, value: u64) -> Test {
    one(column, Check::Number(Compare::Eq, value))
}

const fn join(dir: Dir) -> Join {
    if matches!(dir, Dir::SrcAndDst) { Join::All } else { Join::Any }
}

fn columns(dir: Dir, columns: &[Column], check: &Check) -> Test {
    let join = if matches!(check, Check::Number(Compare::Ne, _) | Check::Label(Compare::Ne, _)) {
        Join::Carried
    } else {
        join(dir)
    };
    let probe = |column: &Column| Probe { column: *column, check: check.clone() };
    Test::Columns { join, probes: columns.iter().map(probe).collect() }
}

fn number(field: NumberField, dir: Dir, compare: Compare, value: u64) -> Test {
    use NumberField as F;
    let check = Check::Number(compare, value);
    let acl = |part| Check::Acl { part, compare, value };
    match field {
        F::Packets if dir == Dir::Out => {
            Test::Counter { columns: vec![Column::RevPackets, Column::PostPackets], compare, value }
        }
        F::Packets => Test::Counter { columns: vec![Column::Packets], compare, value },
        F::Bytes if dir == Dir::Out => {
            Test::Counter { columns: vec![Column::RevBytes, Column::PostBytes], compare, value }
        }
        F::Bytes => Test::Counter { columns: vec![Column::Bytes], compare, value },
        F::Pps => Test::Rate { counter: Column::Packets, per_ms: 1000, compare, value },
        F::Bps => Test::Rate { counter: Column::Bytes, per_ms: 8000, compare, value },
        F::Bpp => Test::PacketSize { bytes: Column::Bytes, packets: Column::Packets, compare, value },
        F::Duration => Test::Duration(compare, value),
        F::ObservationDomain => Test::Domain(compare, value),
        F::Acl => columns(dir, &sides(field, dir), &acl(0)),
        F::Ace => columns(dir, &sides(field, dir), &acl(1)),
        F::Xace => columns(dir, &sides(field, dir), &acl(2)),
        F::MplsLabel(_) | F::MplsAny => columns(dir, &sides(field, dir), &Check::Label(compare, value)),
        F::MplsExp(_) => columns(dir, &sides(field, dir), &Check::Exp(compare, value)),
        F::MplsEos => columns(dir, &Column::MPLS_LABELS, &Check::Bottom(compare, value)),
        // Written in milliseconds, kept in microseconds.
        F::ClientLatency | F::ServerLatency | F::AppLatency => {
            columns(dir, &sides(field, dir), &Check::Number(compare, value.saturating_mul(1000)))
        }
        _ => columns(dir, &sides(field, dir), &check),
    }
}

fn addresses(field: AddressField, dir: Dir, nets: &[IpNet]) -> Test {
    let set = AddressSet::of(nets);
    let ends = match field {
        AddressField::Exporter => return Test::Exporter(set),
        AddressField::Tunnel => return Test::Const(false),
        AddressField::NextHop => vec![Column::NextHop],
        AddressField::BgpNextHop => vec![Column::BgpNextHop],
        AddressField::Ip => ends(dir, Column::SrcAddr, Column::DstAddr),
        AddressField::Nat => ends(dir, Column::XlateSrcAddr, Column::XlateDstAddr),
    };
    columns(dir, &ends, &Check::AddressIn(set))
}

fn ends(dir: Dir, source: Column, destination: Column) -> Vec<Column> {
    match dir {
        Dir::Src | Dir::In | Dir::Ingress => vec![source],
        Dir::Dst | Dir::Out | Dir::Egress => vec![destination],
        _ => vec![source, destination],
    }
}

const fn macs(dir: Dir) -> &'static [Column] {
    use Column::{DstMac, InDstMac, OutSrcMac, SrcMac};
    match dir {
        Dir::InSrc => &[SrcMac],
        Dir::InDst => &[InDstMac],
        Dir::OutSrc => &[OutSrcMac],
        Dir::OutDst => &[DstMac],
        Dir::In => &[SrcMac, InDstMac],
        Dir::Out => &[OutSrcMac, DstMac],
        Dir::Src => &[SrcMac, OutSrcMac],
        Dir::Dst => &[InDstMac, DstMac],
        _ => &[SrcMac, InDstMac, OutSrcMac, DstMac],
    }
}

/// The columns of a numeric field on the sides that the direction names; none for what has no column.
fn sides(field: NumberField, dir: Dir) -> Vec<Column> {
    use Column as C;
    use NumberField as F;
    match field {
        F::Port => ends(dir, C::SrcPort, C::DstPort),
        F::As if dir == Dir::Prev => vec![C::PrevAs],
        F::As if dir == Dir::Next => vec![C::NextAs],
        F::As => ends(dir, C::SrcAs, C::DstAs),
        F::Mask => ends(dir, C::SrcMask, C::DstMask),
        F::Interface => ends(dir, C::InIf, C::OutIf),
        F::Vlan => ends(dir, C::SrcVlan, C::DstVlan),
        F::Tos => ends(dir, C::IpTos, C::DstTos),
        F::NatPort => ends(dir, C::XlateSrcPort, C::XlateDstPort),
        F::Vrf => ends(dir, C::VrfIn, C::VrfOut),
        F::Acl | F::Ace | F::Xace => ends(dir, C::AclIn, C::AclOut),
        F::MplsLabel(place) | F::MplsExp(place) => {
            Column::MPLS_LABELS.get(usize::from(place).wrapping_sub(1)).copied().into_iter().collect()
        }
        F::MplsAny | F::MplsEos => Column::MPLS_LABELS.to_vec(),
        F::Flows => vec![C::Flows],
        F::Flags => vec![C::TcpFlags],
        F::IcmpType => vec![C::IcmpType],
        F::IcmpCode => vec![C::IcmpCode],
        F::ForwardingStatus => vec![C::ForwardingStatus],
        F::EngineType => vec![C::EngineType],
        F::EngineId => vec![C::EngineId],
        F::ObservationPoint => vec![C::ObservationPointId],
        F::MinTtl => vec![C::MinTtl],
        F::MaxTtl => vec![C::MaxTtl],
        F::EtherType => vec![C::EType],
        F::ClientLatency => vec![C::ClientLatency],
        F::ServerLatency => vec![C::ServerLatency],
        F::AppLatency => vec![C::AppLatency],
        F::AsaEvent => vec![C::FwEvent],
        F::AsaXevent => vec![C::FwExtEvent],
        F::NatEvent => vec![C::NatEvent],
        F::BlockStart => vec![C::PortBlockStart],
        F::BlockEnd => vec![C::PortBlockEnd],
        F::BlockStep => vec![C::PortBlockStep],
        F::BlockSize => vec![C::PortBlockSize],
        F::Packets
        | F::Bytes
        | F::Pps
        | F::Bps
        | F::Bpp
        | F::Duration
        | F::Count
        | F::ExporterId
        | F::ObservationDomain => Vec::new(),
    }
}
