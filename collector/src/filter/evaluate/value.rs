//! What a term reads of a flow.

use crds::filter::{AddressField, Compare, Dir, NumberField};

use crate::flow::{Batch, Column, Kind, Run, address_bits, scaled};

/// One flow, as it was sent or with its two sides swapped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) batch: &'a Batch,
    pub(super) run: &'a Run,
    pub(super) row: usize,
    pub(super) reverse: bool,
}

/// The constant of a term in the unit of the column: latencies are written in milliseconds, kept in
/// microseconds.
pub(super) fn wanted(field: NumberField, value: u64) -> u64 {
    match field {
        NumberField::ClientLatency | NumberField::ServerLatency | NumberField::AppLatency => {
            value.saturating_mul(1000)
        }
        _ => value,
    }
}

/// A comparison over the values of the sides; absent ones pass nothing.
pub(super) fn compare(values: &[Option<u64>], dir: Dir, op: Compare, wanted: u64) -> bool {
    let carried: Vec<u64> = values.iter().flatten().copied().collect();
    let passes = |value: &u64| match op {
        Compare::Eq => *value == wanted,
        Compare::Ne => *value != wanted,
        Compare::Gt => *value > wanted,
        Compare::Lt => *value < wanted,
        Compare::Ge => *value >= wanted,
        Compare::Le => *value <= wanted,
    };
    match (op, dir) {
        (Compare::Ne, _) => !carried.is_empty() && carried.iter().all(passes),
        (_, Dir::SrcAndDst) => carried.len() == values.len() && carried.iter().all(passes),
        _ => carried.iter().any(passes),
    }
}

impl Record<'_> {
    fn side(&self, column: Column) -> Column {
        if self.reverse { column.reversed() } else { column }
    }

    fn has(&self, column: Column) -> bool {
        self.batch.has(self.run, column, self.row)
    }

    /// The value of an integer column.
    pub(super) fn number(&self, column: Column) -> Option<u64> {
        let column = self.side(column);
        self.has(column).then(|| match column.kind() {
            Kind::U8 => u64::from(self.batch.u8s(column)[self.row]),
            Kind::U16 => u64::from(self.batch.u16s(column)[self.row]),
            Kind::U32 => u64::from(self.batch.u32s(column)[self.row]),
            _ => self.batch.u64s(column)[self.row],
        })
    }

    /// A counter, scaled.
    fn counter(&self, column: Column) -> Option<u64> {
        let column = self.side(column);
        self.has(column).then(|| scaled(self.batch, self.run, column, self.row))
    }

    fn text(&self, column: Column) -> Option<&str> {
        let column = self.side(column);
        if !self.has(column) {
            return None;
        }
        std::str::from_utf8(self.batch.text(self.batch.texts(column)[self.row])).ok()
    }

    pub(super) fn is_tcp(&self) -> bool {
        self.number(Column::Proto) == Some(6)
    }

    pub(super) fn tcp_flags(&self) -> Option<u64> {
        self.number(Column::TcpFlags)
    }

    /// The values that a field has on the sides that the direction names.
    pub(super) fn numbers(&self, field: NumberField, dir: Dir) -> Vec<Option<u64>> {
        use NumberField as F;
        let of = |columns: &[Column]| columns.iter().map(|column| self.number(*column)).collect();
        match field {
            F::Port => of(&ends(dir, Column::SrcPort, Column::DstPort)),
            F::As if dir == Dir::Prev => of(&[Column::PrevAs]),
            F::As if dir == Dir::Next => of(&[Column::NextAs]),
            F::As => of(&ends(dir, Column::SrcAs, Column::DstAs)),
            F::Mask => of(&ends(dir, Column::SrcMask, Column::DstMask)),
            F::Interface => of(&ends(dir, Column::InIf, Column::OutIf)),
            F::Vlan => of(&ends(dir, Column::SrcVlan, Column::DstVlan)),
            F::Tos => of(&ends(dir, Column::IpTos, Column::DstTos)),
            F::NatPort => of(&ends(dir, Column::XlateSrcPort, Column::XlateDstPort)),
            F::Vrf => of(&ends(dir, Column::VrfIn, Column::VrfOut)),
            F::Acl => vec![self.acl(dir, 0)],
            F::Ace => vec![self.acl(dir, 1)],
            F::Xace => vec![self.acl(dir, 2)],
            F::MplsLabel(place) => vec![self.mpls(place).map(|entry| entry >> 4)],
            F::MplsExp(place) => vec![self.mpls(place).map(|entry| entry >> 1 & 7)],
            F::MplsAny => {
                Column::MPLS_LABELS.iter().map(|label| self.number(*label).map(|entry| entry >> 4)).collect()
            }
            F::MplsEos => Column::MPLS_LABELS
                .iter()
                .map(|label| self.number(*label).filter(|entry| entry & 1 == 1).map(|entry| entry >> 4))
                .collect(),
            _ => vec![self.unsided(field, dir)],
        }
    }

    fn unsided(&self, field: NumberField, dir: Dir) -> Option<u64> {
        use NumberField as F;
        match field {
            F::Packets if dir == Dir::Out => {
                self.counter(Column::RevPackets).or_else(|| self.counter(Column::PostPackets))
            }
            F::Packets => self.counter(Column::Packets),
            F::Bytes if dir == Dir::Out => {
                self.counter(Column::RevBytes).or_else(|| self.counter(Column::PostBytes))
            }
            F::Bytes => self.counter(Column::Bytes),
            F::Pps => self.rate(Column::Packets, 1000),
            F::Bps => self.rate(Column::Bytes, 8000),
            F::Bpp => {
                let (bytes, packets) = (self.counter(Column::Bytes)?, self.counter(Column::Packets)?);
                Some(bytes.checked_div(packets).unwrap_or(0))
            }
            F::Duration => self.duration(),
            F::ObservationDomain => Some(u64::from(self.run.domain)),
            _ => self.number(plain(field)?),
        }
    }

    fn duration(&self) -> Option<u64> {
        Some(self.number(Column::TimeEnd)?.saturating_sub(self.number(Column::TimeStart)?))
    }

    fn rate(&self, counter: Column, per_ms: u128) -> Option<u64> {
        let (count, ms) = (self.counter(counter)?, self.duration()?);
        let rate = (u128::from(count) * per_ms).checked_div(u128::from(ms)).unwrap_or(0);
        Some(u64::try_from(rate).unwrap_or(u64::MAX))
    }

    fn mpls(&self, place: u8) -> Option<u64> {
        self.number(*Column::MPLS_LABELS.get(usize::from(place).checked_sub(1)?)?)
    }

    fn acl(&self, dir: Dir, part: usize) -> Option<u64> {
        let column = if dir == Dir::Ingress { Column::AclIn } else { Column::AclOut };
        u64::from_str_radix(self.text(column)?.split('-').nth(part)?, 16).ok()
    }

    /// The addresses that a field has on the sides that the direction names.
    pub(super) fn addresses(&self, field: AddressField, dir: Dir) -> Vec<Option<u128>> {
        let columns = match field {
            AddressField::Ip => ends(dir, Column::SrcAddr, Column::DstAddr),
            AddressField::Nat => ends(dir, Column::XlateSrcAddr, Column::XlateDstAddr),
            AddressField::NextHop => vec![Column::NextHop],
            AddressField::BgpNextHop => vec![Column::BgpNextHop],
            AddressField::Exporter => return vec![Some(address_bits(self.run.exporter))],
            AddressField::Tunnel => Vec::new(),
        };
        let address = |column: Column| {
            let column = self.side(column);
            self.has(column).then(|| self.batch.addrs(column)[self.row])
        };
        columns.into_iter().map(address).collect()
    }

    /// The MAC addresses that the direction names.
    pub(super) fn macs(&self, dir: Dir) -> Vec<Option<u64>> {
        use Column::{DstMac, InDstMac, OutSrcMac, SrcMac};
        let columns: &[Column] = match dir {
            Dir::InSrc => &[SrcMac],
            Dir::InDst => &[InDstMac],
            Dir::OutSrc => &[OutSrcMac],
            Dir::OutDst => &[DstMac],
            Dir::In => &[SrcMac, InDstMac],
            Dir::Out => &[OutSrcMac, DstMac],
            Dir::Src => &[SrcMac, OutSrcMac],
            Dir::Dst => &[InDstMac, DstMac],
            _ => &[SrcMac, InDstMac, OutSrcMac, DstMac],
        };
        columns.iter().map(|column| self.number(*column)).collect()
    }

    pub(super) fn port_in_block(&self, dir: Dir) -> bool {
        let block = self.number(Column::PortBlockStart).zip(self.number(Column::PortBlockEnd));
        block.is_some_and(|(start, end)| {
            super::sided(&self.numbers(NumberField::Port, dir), dir, |port| (start..=end).contains(port))
        })
    }

    pub(super) fn as_path_holds(&self, number: u32) -> bool {
        let path = self.text(Column::AsPath).unwrap_or_default();
        path.split([' ', '{', '}', ',']).any(|step| step.parse() == Ok(number))
    }

    pub(super) fn has_community(&self, high: u16, low: u16) -> bool {
        let wanted = format!("{high}:{low}");
        self.text(Column::Communities).unwrap_or_default().split(' ').any(|community| community == wanted)
    }
}

/// The columns of the two ends that a direction names.
fn ends(dir: Dir, source: Column, destination: Column) -> Vec<Column> {
    match dir {
        Dir::Src | Dir::In | Dir::Ingress => vec![source],
        Dir::Dst | Dir::Out | Dir::Egress => vec![destination],
        _ => vec![source, destination],
    }
}

/// The column of a field that is one column without sides.
fn plain(field: NumberField) -> Option<Column> {
    use NumberField as F;
    Some(match field {
        F::Flows => Column::Flows,
        F::Flags => Column::TcpFlags,
        F::IcmpType => Column::IcmpType,
        F::IcmpCode => Column::IcmpCode,
        F::ForwardingStatus => Column::ForwardingStatus,
        F::EngineType => Column::EngineType,
        F::EngineId => Column::EngineId,
        F::ObservationPoint => Column::ObservationPointId,
        F::MinTtl => Column::MinTtl,
        F::MaxTtl => Column::MaxTtl,
        F::EtherType => Column::EType,
        F::ClientLatency => Column::ClientLatency,
        F::ServerLatency => Column::ServerLatency,
        F::AppLatency => Column::AppLatency,
        F::AsaEvent => Column::FwEvent,
        F::AsaXevent => Column::FwExtEvent,
        F::NatEvent => Column::NatEvent,
        F::BlockStart => Column::PortBlockStart,
        F::BlockEnd => Column::PortBlockEnd,
        F::BlockStep => Column::PortBlockStep,
        F::BlockSize => Column::PortBlockSize,
        _ => return None,
    })
}
