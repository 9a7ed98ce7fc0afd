//! Rules that hold for every protocol once a set's values stand in their columns.

use std::ops::Range;

use crate::flow::{Batch, Column, Mask, Run};

/// Bits of [`CLASS`].
const PORTS: u8 = 1;
const ICMP: u8 = 2;

/// What a protocol number tells of ports: TCP, UDP, DCCP, SCTP and UDP-Lite have them; ICMP and ICMPv6 have a
/// type and a code.
static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut at = 0;
    while at < class.len() {
        class[at] = match at {
            6 | 17 | 33 | 132 | 136 => PORTS,
            1 | 58 => ICMP,
            _ => 0,
        };
        at += 1;
    }
    class
};

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
    let sparse = run.sparse.contains(Column::Proto);
    for (word, rows) in words(run) {
        let known = if sparse { batch.valid_mut(Column::Proto).words()[word] } else { u64::MAX };
        let protos = batch.u8s(Column::Proto).get(rows.clone()).unwrap_or_default();
        let (mut has_ports, mut is_icmp) = classes(protos, rows.start % 64);
        (has_ports, is_icmp) = (has_ports & known, is_icmp & known);
        ports += has_ports.count_ones() as usize;
        icmp += is_icmp.count_ones() as usize;
        with_ports.words_mut()[word] = has_ports;
        with_icmp.words_mut()[word] = is_icmp;
    }
    if in_port && icmp > 0 {
        icmp_from_port(batch, run, &with_icmp);
    }
    if batch.keeps_extras() && icmp > 0 && run.present.contains(Column::SrcPort) {
        identifiers(batch, run, &with_icmp);
    }
    for column in [Column::SrcPort, Column::DstPort] {
        keep(batch, run, column, &with_ports, ports);
    }
    for column in [Column::IcmpType, Column::IcmpCode] {
        keep(batch, run, column, &with_icmp, icmp);
    }
}

/// Which of at most 64 protocols, the first for bit `bit`, have ports, and which are ICMP.
#[inline]
fn classes(protos: &[u8], mut bit: usize) -> (u64, u64) {
    let (mut has_ports, mut is_icmp) = (0, 0);
    let (eights, rest) = protos.as_chunks::<8>();
    for eight in eights {
        // Most traffic is TCP and UDP: eight bytes at once.
        let word = u64::from_le_bytes(*eight);
        if equals(word, 6) | equals(word, 17) == HIGH {
            has_ports |= 0xff << bit;
        } else {
            one_by_one(eight, bit, &mut has_ports, &mut is_icmp);
        }
        bit += 8;
    }
    one_by_one(rest, bit, &mut has_ports, &mut is_icmp);
    (has_ports, is_icmp)
}

fn one_by_one(protos: &[u8], bit: usize, has_ports: &mut u64, is_icmp: &mut u64) {
    for (bit, proto) in (bit..).zip(protos) {
        let class = CLASS[usize::from(*proto)];
        *has_ports |= u64::from(class & PORTS) << bit;
        *is_icmp |= u64::from(class / ICMP) << bit;
    }
}

/// The high bit of each byte.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The high bit of each byte that equals `byte`.
#[inline]
const fn equals(word: u64, byte: u8) -> u64 {
    let differs = word ^ (byte as u64 * 0x0101_0101_0101_0101);
    !(((differs & !HIGH) + !HIGH) | differs) & HIGH
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

/// A tunnelled packet's ports likewise.
pub(super) fn inner_ports(batch: &mut Batch, run: &mut Run) {
    let columns = [Column::InnerSrcPort, Column::InnerDstPort];
    let has_ports = columns.iter().any(|column| run.present.contains(*column));
    if !has_ports || !run.present.contains(Column::InnerProto) {
        return;
    }
    let (mut with_ports, mut count) = (Mask::default(), 0);
    for row in run.rows() {
        let proto = batch.u8s(Column::InnerProto).get(row).copied().unwrap_or_default();
        let has = batch.has(run, Column::InnerProto, row) && CLASS[usize::from(proto)] == PORTS;
        with_ports.set(row, has);
        count += usize::from(has);
    }
    for column in columns {
        keep(batch, run, column, &with_ports, count);
    }
}

/// What stands in the source port of ICMP is no port but mostly the identifier: shown as it came.
fn identifiers(batch: &mut Batch, run: &Run, rows: &Mask) {
    for row in run.rows().filter(|row| rows.get(*row)) {
        let found = batch.u16s(Column::SrcPort).get(row).copied().unwrap_or_default();
        if found != 0 {
            batch.keep_extra(row, 0, SOURCE_PORT, &found.to_be_bytes());
        }
    }
}

/// sourceTransportPort.
const SOURCE_PORT: u16 = 7;

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
    let valid = batch.valid_mut(column).words_mut();
    for (word, of_word) in words(run) {
        let bits = u64::MAX >> (64 - of_word.len()) << (of_word.start % 64);
        let kept = if was_sparse { rows.words()[word] & valid[word] } else { rows.words()[word] };
        valid[word] = valid[word] & !bits | kept & bits;
    }
}

/// The mask words that a run's rows lie in, with the rows of each.
fn words(run: &Run) -> impl Iterator<Item = (usize, Range<usize>)> + use<> {
    let rows = run.rows();
    (rows.start / 64..rows.end.div_ceil(64))
        .map(move |word| (word, rows.start.max(word * 64)..rows.end.min(word * 64 + 64)))
}
