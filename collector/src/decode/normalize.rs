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
    let sparse_proto = run.sparse.contains(Column::Proto);
    for row in run.rows() {
        let proto = batch.u8s(Column::Proto).get(row).copied().unwrap_or_default();
        let known = !sparse_proto || batch.has(run, Column::Proto, row);
        if known && has_ports(proto) {
            with_ports.set(row, true);
            ports += 1;
        } else if known && is_icmp(proto) {
            with_icmp.set(row, true);
            icmp += 1;
        }
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
    let range = run.rows();
    let valid = batch.valid_mut(column);
    for row in range {
        let value = rows.get(row) && (!was_sparse || valid.get(row));
        valid.set(row, value);
    }
}
