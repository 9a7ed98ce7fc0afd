//! Rules that hold for every protocol once a set's values stand in their columns.

use std::ops::Range;

use crate::flow::{Batch, Column, Mask, Run};

/// IANA's numbers of the protocols that have ports, or a type and a code.
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const DCCP: u8 = 33;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;
const UDP_LITE: u8 = 136;

/// Ports stay with protocols that have ports; ICMP's type and code stay with ICMP. Where the exporter sent no
/// ICMP elements they are read from the destination port, which is type * 256 + code.
pub(super) fn ports(batch: &mut Batch, run: &mut Run) {
    if !run.present.contains(Column::Proto) {
        return;
    }
    let protos = batch.u8s(Column::Proto).get(run.rows()).unwrap_or_default();
    if !run.sparse.contains(Column::Proto) && all_usual(protos) {
        for column in [Column::IcmpType, Column::IcmpCode] {
            run.present.remove(column);
            run.sparse.remove(column);
        }
        return;
    }
    let own_icmp = run.present.contains(Column::IcmpType);
    let in_port = !own_icmp && run.present.contains(Column::DstPort);
    let Found { with_ports, with_icmp, ports, icmp } = find(batch, run);
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

/// The rows of a run whose protocol has ports, those of ICMP, and how many they are.
#[derive(Default)]
struct Found {
    with_ports: Mask,
    with_icmp: Mask,
    ports: usize,
    icmp: usize,
}

fn find(batch: &Batch, run: &Run) -> Found {
    let mut found = Found::default();
    let known = if run.sparse.contains(Column::Proto) { batch.validity(Column::Proto) } else { None };
    for (word, rows) in words(run) {
        // Eight protocols at once, from the first whole eight on; what is not the run's falls away below.
        let (from, to) = (rows.start & !7, rows.end.next_multiple_of(8));
        let (eights, _) = batch.u8s(Column::Proto).get(from..to).unwrap_or_default().as_chunks::<8>();
        let (mut with_ports, mut with_icmp) = (0, 0);
        for (eight, bit) in eights.iter().zip((from % 64..).step_by(8)) {
            let (ports, icmp) = classes(eight);
            with_ports |= u64::from(ports) << bit;
            with_icmp |= u64::from(icmp) << bit;
        }
        let of_run = bits(&rows) & known.map_or(u64::MAX, |known| known.words()[word]);
        (with_ports, with_icmp) = (with_ports & of_run, with_icmp & of_run);
        found.ports += with_ports.count_ones() as usize;
        found.icmp += with_icmp.count_ones() as usize;
        found.with_ports.words_mut()[word] = with_ports;
        found.with_icmp.words_mut()[word] = with_icmp;
    }
    found
}

/// Whether all are TCP or UDP, as in most sets.
#[inline]
fn all_usual(protos: &[u8]) -> bool {
    let usual = |eight: &[u8; 8]| {
        let word = u64::from_le_bytes(*eight);
        equals(word, TCP) | equals(word, UDP) == HIGH
    };
    match protos.last_chunk() {
        // The last eight may have been looked at before: cheaper than one by one.
        Some(last) => protos.as_chunks().0.iter().all(usual) && usual(last),
        None => protos.iter().all(|proto| matches!(*proto, TCP | UDP)),
    }
}

/// Which of eight protocols, the first for the lowest bit, have ports, and which are ICMP.
#[inline]
fn classes(protos: &[u8; 8]) -> (u8, u8) {
    let word = u64::from_le_bytes(*protos);
    let ports = equals(word, TCP) | equals(word, UDP);
    let icmp = equals(word, ICMP) | equals(word, ICMPV6);
    if ports | icmp == HIGH {
        return (gather(ports), gather(icmp));
    }
    let (mut ports, mut icmp) = (0, 0);
    for (bit, proto) in protos.iter().enumerate() {
        ports |= u8::from(has_ports(*proto)) << bit;
        icmp |= u8::from(matches!(*proto, ICMP | ICMPV6)) << bit;
    }
    (ports, icmp)
}

/// Whether a protocol's packets carry ports.
fn has_ports(proto: u8) -> bool {
    matches!(proto, TCP | UDP | DCCP | SCTP | UDP_LITE)
}

/// The high bit of each byte.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The high bit of each byte that equals `byte`.
#[inline]
const fn equals(word: u64, byte: u8) -> u64 {
    let differs = word ^ (byte as u64 * 0x0101_0101_0101_0101);
    !(((differs & !HIGH) + !HIGH) | differs) & HIGH
}

/// The high bits of eight bytes side by side; the product adds no two bits in one place.
#[inline]
const fn gather(high: u64) -> u8 {
    ((high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

fn icmp_from_port(batch: &mut Batch, run: &mut Run, rows: &Mask) {
    run.present.insert(Column::IcmpType);
    run.present.insert(Column::IcmpCode);
    for row in rows.rows(run.rows()) {
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
    let carried = columns.iter().any(|column| run.present.contains(*column));
    if !carried || !run.present.contains(Column::InnerProto) {
        return;
    }
    let (mut with_ports, mut count) = (Mask::default(), 0);
    for row in run.rows() {
        let proto = batch.u8s(Column::InnerProto).get(row).copied().unwrap_or_default();
        let has = batch.has(run, Column::InnerProto, row) && has_ports(proto);
        with_ports.set(row, has);
        count += usize::from(has);
    }
    for column in columns {
        keep(batch, run, column, &with_ports, count);
    }
}

/// What stands in the source port of ICMP is no port but mostly the identifier: shown as it came.
fn identifiers(batch: &mut Batch, run: &Run, rows: &Mask) {
    for row in rows.rows(run.rows()) {
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
        let bits = bits(&of_word);
        let kept = if was_sparse { rows.words()[word] & valid[word] } else { rows.words()[word] };
        valid[word] = valid[word] & !bits | kept & bits;
    }
}

/// The bits of a word that are these rows', all of one word and at least one.
fn bits(rows: &Range<usize>) -> u64 {
    u64::MAX >> (64 - rows.len()) << (rows.start % 64)
}

/// The mask words that a run's rows lie in, with the rows of each.
fn words(run: &Run) -> impl Iterator<Item = (usize, Range<usize>)> + use<> {
    let rows = run.rows();
    (rows.start / 64..rows.end.div_ceil(64))
        .map(move |word| (word, rows.start.max(word * 64)..rows.end.min(word * 64 + 64)))
}
