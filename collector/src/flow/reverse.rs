//! The other direction of a biflow: which column stands for which once the two sides are swapped.

use super::{Batch, Column, Run};

impl Column {
    /// The column that takes this one's part when a biflow is judged with its two sides swapped; columns
    /// without a side stand for themselves.
    pub const fn reversed(self) -> Self {
        match self {
            Self::Packets => Self::RevPackets,
            Self::RevPackets => Self::Packets,
            Self::Bytes => Self::RevBytes,
            Self::RevBytes => Self::Bytes,
            Self::TcpFlags => Self::RevTcpFlags,
            Self::RevTcpFlags => Self::TcpFlags,
            Self::SrcAddr => Self::DstAddr,
            Self::DstAddr => Self::SrcAddr,
            Self::SrcPort => Self::DstPort,
            Self::DstPort => Self::SrcPort,
            Self::IpTos => Self::DstTos,
            Self::DstTos => Self::IpTos,
            Self::SrcMac => Self::DstMac,
            Self::DstMac => Self::SrcMac,
            Self::InDstMac => Self::OutSrcMac,
            Self::OutSrcMac => Self::InDstMac,
            Self::SrcVlan => Self::DstVlan,
            Self::DstVlan => Self::SrcVlan,
            Self::InIf => Self::OutIf,
            Self::OutIf => Self::InIf,
            Self::SrcAs => Self::DstAs,
            Self::DstAs => Self::SrcAs,
            Self::PrevAs => Self::NextAs,
            Self::NextAs => Self::PrevAs,
            Self::SrcMask => Self::DstMask,
            Self::DstMask => Self::SrcMask,
            Self::XlateSrcAddr => Self::XlateDstAddr,
            Self::XlateDstAddr => Self::XlateSrcAddr,
            Self::XlateSrcPort => Self::XlateDstPort,
            Self::XlateDstPort => Self::XlateSrcPort,
            Self::VrfIn => Self::VrfOut,
            Self::VrfOut => Self::VrfIn,
            Self::AclIn => Self::AclOut,
            Self::AclOut => Self::AclIn,
            same => same,
        }
    }
}

impl Batch {
    /// Whether the row is a biflow: it carries counters of the other direction.
    pub fn is_biflow(&self, run: &Run, row: usize) -> bool {
        self.has(run, Column::RevPackets, row) || self.has(run, Column::RevBytes, row)
    }
}

#[cfg(test)]
mod tests {
    use super::Column;

    #[test]
    fn reversing_twice_gives_the_same_column_and_keeps_its_kind() {
        for column in Column::ALL {
            assert_eq!(column.reversed().reversed(), *column);
            assert_eq!(column.reversed().kind(), column.kind());
        }
    }
}
