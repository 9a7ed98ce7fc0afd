//! Rules that hold for every protocol once a set's values stand in their columns.

use crate::flow::{Batch, Column, Mask, Run};

/// Protocols that have ports: TCP, UDP, DCCP, SCTP, UDP-Lite.
const fn has_ports(proto: u8) -> bool {
    matches!(proto, 6 | 17 | 33 | 132 | 136)
}

/// ICMP and ICMPv6.
const fn is_icmp(proto: u8) -> bool {
    matches!(proto, 1 | 58)
}

/// Ports stay with protocols that have ports; ICMP's type and code stay with ICMP. Where the exporter sent no
/// ICMP elements they are read from the destination port, which is type * 256 + code.
pub(super) fn ports(batch: &mut Batch, run: &mut Run) {
    if !run.present.contains(Column::Proto) {
        return;
    }
    let own_icmp = run.present.contains(Column::IcmpType);
    let in_port = !own_icmp && run.present.contains(Column::DstPort);
    let (mut with_ports, mut with_icmp) = (Mask::default(), Mask::default());
    let (mut ports, mut icmp) = (0, 0);
    let known = run.sparse.contains(Column::Proto).then(|| batch.valid_mut(Column::Proto).clone());
    let protos = batch.u8s(Column::Proto).get(run.rows()).unwrap_or_default();
    for (row, proto) in (run.start..).zip(protos) {
        let known = known.as_ref().is_none_or(|known| known.get(row));
        let (has_ports, is_icmp) = (known && has_ports(*proto), known && is_icmp(*proto));
        with_ports.words_mut()[row / 64] |= u64::from(has_ports) << (row % 64);
        with_icmp.words_mut()[row / 64] |= u64::from(is_icmp) << (row % 64);
        ports += usize::from(has_ports);
        icmp += usize::from(is_icmp);
    }
    if in_port && icmp > 0 {
        icmp_from_port(batch, run, &with_icmp);
    }
    for column in [Column::SrcPort, Column::DstPort] {
        keep(batch, run, column, &with_ports, ports);
    }
    for column in [Column::IcmpType, Column::IcmpCode] {
        keep(batch, run, column, &with_icmp, icmp);
    }
}

fn icmp_from_port(batch: &mut Batch, run: &mut Run, rows: &Mask) {
    run.present.insert(Column::IcmpType);
    run.present.insert(Column::IcmpCode);
    for row in run.rows().filter(|row| rows.get(*row)) {
        let [kind, code] = batch.u16s(Column::DstPort).get(row).copied().unwrap_or_default().to_be_bytes();
        if let Some(value) = batch.u8s_mut(Column::IcmpType).get_mut(row) {
            *value = kind;
        }
        if let Some(value) = batch.u8s_mut(Column::IcmpCode).get_mut(row) {
            *value = code;
        }
    }
}

/// Leaves a column's values only in `rows`, of which there are `count`.
pub(super) fn keep(batch: &mut Batch, run: &mut Run, column: Column, rows: &Mask, count: usize) {
    if !run.present.contains(column) || count == run.len {
        return;
    }
    if count == 0 {
        run.present.remove(column);
        run.sparse.remove(column);
        return;
    }
    let was_sparse = run.sparse.contains(column);
    run.sparse.insert(column);
    let end = run.start + run.len;
    let valid = batch.valid_mut(column).words_mut();
    for (at, (valid, rows)) in valid.iter_mut().zip(rows.words()).enumerate() {
        let (from, to) = (run.start.max(at * 64), end.min(at * 64 + 64));
        if from < to {
            let bits = u64::MAX >> (64 - (to - from)) << (from % 64);
            let kept = if was_sparse { rows & *valid } else { *rows };
            *valid = *valid & !bits | kept & bits;
        }
    }
}
