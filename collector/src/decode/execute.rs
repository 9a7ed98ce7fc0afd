//! Runs a compiled template: each operation over all records of a set, straight into its column.

use std::fmt;

use super::fields::Read;
use super::program::{Op, Plain, Program};
use super::records::{Records, number};
use super::segments;
use crate::flow::{Batch, Column, ColumnSet, Kind, Mask, Run};

/// The times of a message's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Unix milliseconds of the export.
    pub(super) export_ms: u64,
    /// The exporter's uptime at the export; IPFIX has none.
    pub(super) uptime_ms: Option<u32>,
    /// IPFIX: when the exporter started, if its options told (160).
    pub(super) init_ms: Option<u64>,
}

/// Seconds from NTP's epoch, 1900, to Unix'.
const NTP: u64 = 2_208_988_800;

impl Clock {
    /// Unix milliseconds at which the exporter started, as its header tells.
    pub(super) fn boot_ms(&self) -> Option<u64> {
        self.uptime_ms.map(|uptime| self.export_ms.saturating_sub(u64::from(uptime)))
    }

    /// Unix milliseconds of an uptime; in IPFIX, whose header has none, the bare uptime.
    fn uptime(&self, value: u64) -> u64 {
        let value = value as u32;
        self.uptime_ms.map_or(u64::from(value), |now| uptime(value, now, self.export_ms))
    }

    fn before(&self, microseconds: u64) -> u64 {
        self.export_ms.saturating_sub(microseconds / 1000)
    }
}

/// Unix milliseconds of an uptime, given another uptime and its time.
fn uptime(value: u32, now: u32, export_ms: u64) -> u64 {
    export_ms.wrapping_add_signed(i64::from(value.wrapping_sub(now).cast_signed()))
}

/// NTP seconds below 2^31 belong to the era that begins in 2036 (RFC 4330, 3).
fn ntp(value: u64) -> u64 {
    let (seconds, fraction) = (value >> 32, value & 0xffff_ffff);
    let era = if seconds < 1 << 31 { 1 << 32 } else { 0 };
    (seconds + era).saturating_sub(NTP) * 1000 + ((fraction * 1000) >> 32)
}

/// Fills the columns of `run` with what the records carry.
pub(super) fn execute(
    program: &Program,
    records: Records<'_>,
    clock: &Clock,
    batch: &mut Batch,
    run: &mut Run,
) {
    run.present = program.present.intersection(batch.wanted());
    let mut ops = &*program.ops;
    if let Records::Fixed { data, stride } = records {
        let (usual, others) = ops.split_at_checked(program.plain).unwrap_or((ops, &[]));
        // A record is no longer than a set, whose length has 16 bits.
        plain(usual, &Fixed { data, stride: stride as u16 }, clock, batch, run);
        ops = others;
    }
    let wanted = run.present;
    for op in ops.iter().filter(|op| wanted.contains(op.column)) {
        match op.kind {
            Kind::U8 => small(op, records, rows(batch.u8s_mut(op.column), run), |n| n as u8),
            Kind::U16 => numbers(op, records, rows(batch.u16s_mut(op.column), run), |n| n as u16),
            Kind::U32 if op.column == Column::Flows => {
                let value = |n| u32::try_from(n).unwrap_or(u32::MAX);
                numbers(op, records, rows(batch.u32s_mut(op.column), run), value);
            }
            Kind::U32 if op.read == Read::Label && op.place.length == 4 => {
                numbers(op, records, rows(batch.u32s_mut(op.column), run), |n| (n >> 8) as u32);
            }
            Kind::U32 if op.read == Read::Thousand => {
                let value = |n: u64| u32::try_from(n.saturating_mul(1000)).unwrap_or(u32::MAX);
                numbers(op, records, rows(batch.u32s_mut(op.column), run), value);
            }
            Kind::U32 => numbers(op, records, rows(batch.u32s_mut(op.column), run), |n| n as u32),
            Kind::Mac => macs(op, records, rows(batch.u64s_mut(op.column), run)),
            Kind::U64 => wide(op, records, clock, rows(batch.u64s_mut(op.column), run)),
            Kind::Addr => addresses(op, records, rows(batch.addrs_mut(op.column), run)),
            Kind::Text => texts(op, records, batch, run),
            Kind::F32 => {}
        }
    }
}

/// Records of one length.
#[derive(Clone, Copy)]
struct Fixed<'a> {
    data: &'a [u8],
    stride: u16,
}

/// What most fields of most templates are: decided once for the template, done without looking twice.
fn plain(ops: &[Op], fixed: &Fixed<'_>, clock: &Clock, batch: &mut Batch, run: &Run) {
    let (wanted, Clock { export_ms, uptime_ms, .. }) = (run.present, *clock);
    for op in ops.iter().filter(|op| wanted.contains(op.column)) {
        let (column, at) = (op.column, op.place.offset);
        match op.plain {
            Plain::U8 => strided(fixed, at, rows(batch.u8s_mut(column), run), |[n]: [u8; 1]| n),
            Plain::U16 => strided(fixed, at, rows(batch.u16s_mut(column), run), u16::from_be_bytes),
            Plain::U16From8 => {
                strided(fixed, at, rows(batch.u16s_mut(column), run), |[n]: [u8; 1]| u16::from(n));
            }
            Plain::U32 => strided(fixed, at, rows(batch.u32s_mut(column), run), u32::from_be_bytes),
            Plain::U32From16 => {
                let value = |bytes| u32::from(u16::from_be_bytes(bytes));
                strided(fixed, at, rows(batch.u32s_mut(column), run), value);
            }
            Plain::U64 => strided(fixed, at, rows(batch.u64s_mut(column), run), u64::from_be_bytes),
            Plain::U64From32 => {
                let value = |bytes| u64::from(u32::from_be_bytes(bytes));
                strided(fixed, at, rows(batch.u64s_mut(column), run), value);
            }
            Plain::Uptime => {
                let out = rows(batch.u64s_mut(column), run);
                let Some(now) = uptime_ms else {
                    strided(fixed, at, out, |bytes| u64::from(u32::from_be_bytes(bytes)));
                    continue;
                };
                let value = |bytes| uptime(u32::from_be_bytes(bytes), now, export_ms);
                strided(fixed, at, out, value);
            }
            Plain::V4 => {
                let value = |bytes| MAPPED | u128::from(u32::from_be_bytes(bytes));
                strided(fixed, at, rows(batch.addrs_mut(column), run), value);
            }
            Plain::V6 => strided(fixed, at, rows(batch.addrs_mut(column), run), u128::from_be_bytes),
            Plain::No => {}
        }
    }
}

#[inline]
fn rows<'b, T>(column: &'b mut [T], run: &Run) -> &'b mut [T] {
    column.get_mut(run.rows()).unwrap_or_default()
}

fn small(op: &Op, records: Records<'_>, out: &mut [u8], value: impl Fn(u64) -> u8 + Copy) {
    match op.read {
        Read::Dscp => numbers(op, records, out, |n| (n << 2) as u8),
        Read::High => numbers(op, records, out, |n| (n >> 8) as u8),
        Read::SegmentsLeft => segments_left(op, records, out),
        _ => numbers(op, records, out, value),
    }
}

fn segments_left(op: &Op, records: Records<'_>, out: &mut [u8]) {
    for (record, out) in out.iter_mut().enumerate() {
        *out = records.field(op.place, record).get(segments::LEFT_AT).copied().unwrap_or_default();
    }
}

fn wide(op: &Op, records: Records<'_>, clock: &Clock, out: &mut [u64]) {
    match op.read {
        Read::Seconds => numbers(op, records, out, |n| n.saturating_mul(1000)),
        Read::Ntp => numbers(op, records, out, ntp),
        Read::Before => numbers(op, records, out, |n| clock.before(n)),
        Read::Uptime => numbers(op, records, out, |n| clock.uptime(n)),
        _ => numbers(op, records, out, |n| n),
    }
}

/// Numbers of any length; the usual lengths have a loop of their own.
fn numbers<T: Copy + Default + PartialEq>(
    op: &Op,
    records: Records<'_>,
    out: &mut [T],
    value: impl Fn(u64) -> T + Copy,
) {
    if op.if_zero {
        for (record, out) in out.iter_mut().enumerate().filter(|(_, out)| **out == T::default()) {
            *out = value(records.number(op.place, record));
        }
        return;
    }
    match op.place.length {
        1 => fixed(op, records, out, |[a]: [u8; 1]| value(u64::from(a))),
        2 => fixed(op, records, out, |b| value(u64::from(u16::from_be_bytes(b)))),
        4 => fixed(op, records, out, |b| value(u64::from(u32::from_be_bytes(b)))),
        8 => fixed(op, records, out, |b| value(u64::from_be_bytes(b))),
        _ => {
            for (record, out) in out.iter_mut().enumerate() {
                *out = value(records.number(op.place, record));
            }
        }
    }
}

/// Fields of `N` bytes. Most templates have one stride for all records: then where the field stands in a record
/// is checked once, and each record costs one comparison, one load and one store.
fn fixed<T, const N: usize>(
    op: &Op,
    records: Records<'_>,
    out: &mut [T],
    value: impl Fn([u8; N]) -> T + Copy,
) {
    match records {
        Records::Fixed { data, stride } => {
            strided(&Fixed { data, stride: stride as u16 }, op.place.offset, out, value);
        }
        Records::Variable { .. } => {
            for (record, out) in out.iter_mut().enumerate() {
                if let Some(bytes) = records.field(op.place, record).first_chunk() {
                    *out = value(*bytes);
                }
            }
        }
    }
}

/// A loop of its own, not inlined: among the others its few values would not stay in registers. Four records a
/// turn, and one a turn of those that are left.
#[inline(never)]
fn strided<T, const N: usize>(
    fixed: &Fixed<'_>,
    offset: u16,
    out: &mut [T],
    value: impl Fn([u8; N]) -> T + Copy,
) {
    let (data, stride) = (fixed.data, usize::from(fixed.stride));
    let mut at = u32::from(offset);
    let (fours, tail) = out.as_chunks_mut::<4>();
    for four in fours {
        // In 32 bits, so that no sum of these can wrap: one comparison says that all four lie in the set.
        let start = at as usize;
        let Some(window) = data.get(start..start + 3 * stride + N) else { return };
        let field = |start: usize| window.get(start..start + N).and_then(<[u8]>::first_chunk::<N>);
        let (Some(a), Some(b)) = (field(0), field(stride)) else { return };
        let (Some(c), Some(d)) = (field(2 * stride), field(3 * stride)) else { return };
        *four = [value(*a), value(*b), value(*c), value(*d)];
        at += 4 * stride as u32;
    }
    for out in tail {
        let start = at as usize;
        let Some(bytes) = data.get(start..start + N).and_then(<[u8]>::first_chunk::<N>) else { return };
        *out = value(*bytes);
        at += stride as u32;
    }
}

fn macs(op: &Op, records: Records<'_>, out: &mut [u64]) {
    fixed(op, records, out, |[a, b, c, d, e, f]: [u8; 6]| u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
}

/// An IPv4 address as the address columns hold it.
const MAPPED: u128 = 0xffff_0000_0000;

/// Whether an address column's value is no address: all zero, of either family.
pub(super) fn nowhere(bits: u128) -> bool {
    bits == 0 || bits == MAPPED
}

/// Four or sixteen bytes as the address columns hold them.
pub(super) fn address(bytes: &[u8]) -> u128 {
    match bytes {
        [a, b, c, d] => MAPPED | u128::from(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => bytes.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes)),
    }
}

fn addresses(op: &Op, records: Records<'_>, out: &mut [u128]) {
    if op.if_zero {
        for (record, out) in out.iter_mut().enumerate().filter(|(_, out)| nowhere(**out)) {
            *out = address(records.field(op.place, record));
        }
    } else if op.read == Read::V4 {
        fixed(op, records, out, |bytes| MAPPED | u128::from(u32::from_be_bytes(bytes)));
    } else {
        fixed(op, records, out, u128::from_be_bytes);
    }
}

/// Text goes to the batch's arena; empty text is absent.
fn texts(op: &Op, records: Records<'_>, batch: &mut Batch, run: &mut Run) {
    let mut filled = Mask::default();
    let mut count = 0;
    for (record, row) in run.rows().enumerate() {
        let bytes = records.field(op.place, record);
        let kept = match op.read {
            Read::Acl => batch.keep_list(acl(bytes)),
            Read::Application => batch.keep_list(application(bytes)),
            Read::Segments | Read::SegmentList | Read::SegmentHeader => {
                batch.keep_list(segments::addresses(op.read, bytes))
            }
            _ => batch.keep_text(trimmed(bytes)),
        };
        let is_empty = batch.text(kept).is_empty();
        if let Some(text) = batch.texts_mut(op.column).get_mut(row) {
            *text = kept;
        }
        filled.set(row, !is_empty);
        count += usize::from(!is_empty);
    }
    super::normalize::keep(batch, run, op.column, &filled, count);
}

/// Text without the zeros that fill a fixed-length field.
pub(super) fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or_default()
}

/// `aabbccdd-11223344-00000000`: the ids of an access list, of its entry and of its extended entry.
fn acl(bytes: &[u8]) -> Option<Ids> {
    let [list, entry, extended] = bytes.as_chunks::<4>().0 else { return None };
    Some(Ids([*list, *entry, *extended].map(u32::from_be_bytes)))
}

struct Ids([u32; 3]);

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [list, entry, extended] = self.0;
        write!(f, "{list:08x}-{entry:08x}-{extended:08x}")
    }
}

/// `<engine>:<selector>` (RFC 6759, 4).
fn application(bytes: &[u8]) -> Option<Application> {
    let (engine, selector) = bytes.split_first()?;
    Some(Application(*engine, number(selector)))
}

struct Application(u8, u64);

impl fmt::Display for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0, self.1)
    }
}

/// The columns that a template of times fills.
pub(super) fn has_times(present: ColumnSet) -> (bool, bool) {
    (present.contains(Column::TimeStart), present.contains(Column::TimeEnd))
}
