//! The other direction of a biflow: which column stands for which once the two sides are swapped.

use super::{Batch, Column, Data, Run};

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

    /// Makes a run's values of one counter those of another that it does not have; where it has both, nothing
    /// changes.
    pub fn move_counter(&mut self, run: usize, from: Column, to: Column) {
        let Some(run) = self.runs.get_mut(run) else { return };
        if !run.present.contains(from) || run.present.contains(to) {
            return;
        }
        run.present.remove(from);
        run.present.insert(to);
        let is_sparse = run.sparse.contains(from);
        if is_sparse {
            run.sparse.remove(from);
            run.sparse.insert(to);
        }
        let rows = run.rows();
        let values = std::mem::take(&mut self.columns[from as usize]);
        if let Data::U64(values) = &values {
            self.u64s_mut(to)[rows.clone()].copy_from_slice(&values[rows.clone()]);
        }
        self.columns[from as usize] = values;
        for row in rows.filter(|_| is_sparse) {
            let valid = self.valid(from, row);
            self.valid_mut(to).set(row, valid);
        }
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
