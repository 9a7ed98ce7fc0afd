//! What no single field tells: rows are completed once their set's fields stand in the columns.

use super::execute::{Clock, address, has_times, nowhere};
use super::normalize::{inner_ports, keep, ports};
use super::program::{Families, IPV4, IPV6, Program};
use super::records::Records;
use crate::flow::{Batch, Column, Mask, Run, TimeFrom};

/// Who tells of a longer uptime has no idea when it started.
const TEN_YEARS_MS: u64 = 10 * 366 * 86_400_000;

/// Completes the rows of a set, all but their sampling rate.
pub(super) fn finish(
    program: &Program,
    records: Records<'_>,
    clock: &Clock,
    batch: &mut Batch,
    run: &mut Run,
) {
    match &program.families {
        Some(families) => both_families(families, program, records, batch, run),
        None => family(program, records, batch, run),
    }
    times(program, records, clock, batch, run);
    flows(batch, run);
    program.counters.finish(records, batch, run);
    if run.present.contains(Column::MplsLabel1) {
        labels(batch, run);
    }
    ports(batch, run);
    inner_ports(batch, run);
    if let Some((_, place)) = program.agent {
        let bits = address(records.field(place, 0));
        run.agent = (!nowhere(bits)).then(|| crate::flow::address_of(bits));
    }
}

fn fill<T: Copy>(column: &mut [T], run: &Run, value: T) {
    column.get_mut(run.rows()).unwrap_or_default().fill(value);
}

/// The family of the addresses; element 256 or 60 only where there are none.
fn family(program: &Program, records: Records<'_>, batch: &mut Batch, run: &mut Run) {
    if let Some(etype) = program.etype {
        run.present.insert(Column::EType);
        fill(batch.u16s_mut(Column::EType), run, etype);
    } else if let (false, Some(place)) = (run.present.contains(Column::EType), program.version) {
        run.present.insert(Column::EType);
        let mut known = Mask::default();
        let mut count = 0;
        for (record, row) in run.rows().enumerate() {
            let etype = match records.number(place, record) {
                4 => IPV4,
                6 => IPV6,
                _ => 0,
            };
            known.set(row, etype != 0);
            count += usize::from(etype != 0);
            if let Some(value) = batch.u16s_mut(Column::EType).get_mut(row) {
                *value = etype;
            }
        }
        keep(batch, run, Column::EType, &known, count);
    }
}

/// Both families in one record: the one that is not zero; when both are not, by ipVersion, else IPv4.
fn both_families(
    families: &Families,
    program: &Program,
    records: Records<'_>,
    batch: &mut Batch,
    run: &mut Run,
) {
    for column in [Column::SrcAddr, Column::DstAddr, Column::EType] {
        run.present.insert(column);
    }
    for (record, row) in run.rows().enumerate() {
        let read = |place: Option<_>| place.map_or(0, |place| address(records.field(place, record)));
        let [src4, src6] = families.src.map(read);
        let [dst4, dst6] = families.dst.map(read);
        let v4 = !nowhere(src4) || !nowhere(dst4);
        let v6 = !nowhere(src6) || !nowhere(dst6);
        let version = program.version.map(|place| records.number(place, record));
        let is_v6 = v6 && (!v4 || version == Some(6)) || !v4 && version == Some(6);
        let (src, dst, etype) = if is_v6 { (src6, dst6, IPV6) } else { (src4, dst4, IPV4) };
        for (column, bits) in [(Column::SrcAddr, src), (Column::DstAddr, dst)] {
            if let Some(value) = batch.addrs_mut(column).get_mut(row) {
                *value = bits;
            }
        }
        if let Some(value) = batch.u16s_mut(Column::EType).get_mut(row) {
            *value = etype;
        }
    }
}

/// Start and end: of the record, completed from each other, from a duration, or from the export time.
fn times(program: &Program, records: Records<'_>, clock: &Clock, batch: &mut Batch, run: &mut Run) {
    if clock.uptime_ms.is_none() && (program.times.uptime_start || program.times.uptime_end) {
        from_init(program, records, clock, batch, run);
    }
    let duration = |record| {
        let milliseconds = program.times.milliseconds.map(|place| records.number(place, record));
        milliseconds.or_else(|| program.times.microseconds.map(|place| records.number(place, record) / 1000))
    };
    let (start, end) = has_times(run.present);
    if !end {
        run.present.insert(Column::TimeEnd);
        if !start {
            run.time_from = TimeFrom::Export;
        }
        for (record, row) in run.rows().enumerate() {
            let value = if start {
                let start = batch.u64s(Column::TimeStart).get(row).copied().unwrap_or_default();
                start.saturating_add(duration(record).unwrap_or(0))
            } else {
                clock.export_ms
            };
            set(batch.u64s_mut(Column::TimeEnd), row, value);
        }
    }
    if !start {
        run.present.insert(Column::TimeStart);
        for (record, row) in run.rows().enumerate() {
            let end = batch.u64s(Column::TimeEnd).get(row).copied().unwrap_or_default();
            set(batch.u64s_mut(Column::TimeStart), row, end.saturating_sub(duration(record).unwrap_or(0)));
        }
    }
}

fn set<T>(column: &mut [T], row: usize, value: T) {
    if let Some(place) = column.get_mut(row) {
        *place = value;
    }
}

/// IPFIX has no uptime in its header: 21 and 22 count from element 160, of the record or of the exporter's
/// options; without it the end is the export time and only the difference counts.
fn from_init(program: &Program, records: Records<'_>, clock: &Clock, batch: &mut Batch, run: &mut Run) {
    let times = &program.times;
    for (record, row) in run.rows().enumerate() {
        let raw = |column| batch.u64s(column).get(row).copied().unwrap_or_default();
        let (start, end) = (raw(Column::TimeStart), raw(Column::TimeEnd));
        let init = times.init.map(|place| records.number(place, record)).or(clock.init_ms);
        let (start, end) = match init {
            Some(init) => (since(init, start, clock.export_ms), since(init, end, clock.export_ms)),
            None if times.uptime_start && times.uptime_end => {
                let lasted = u64::from((end as u32).wrapping_sub(start as u32));
                (clock.export_ms.saturating_sub(lasted), clock.export_ms)
            }
            None => (clock.export_ms, clock.export_ms),
        };
        if times.uptime_start {
            set(batch.u64s_mut(Column::TimeStart), row, start);
        }
        if times.uptime_end {
            set(batch.u64s_mut(Column::TimeEnd), row, end);
        }
    }
}

/// The time of an uptime. Its counter wraps after 49.7 days, below 0 too for what began before the exporter did: of
/// the times that it can mean, the one nearest to the export, unless the start is told wrong by years.
fn since(init: u64, uptime: u64, export_ms: u64) -> u64 {
    let plausible = export_ms.checked_sub(init).is_some_and(|up| up < TEN_YEARS_MS);
    match u32::try_from(uptime) {
        Ok(uptime) if plausible => {
            let now = export_ms.wrapping_sub(init) as u32;
            export_ms.saturating_add_signed(uptime.wrapping_sub(now).cast_signed().into())
        }
        _ => init.saturating_add(uptime),
    }
}

/// A record stands for one flow unless element 3 says more.
fn flows(batch: &mut Batch, run: &mut Run) {
    if run.present.contains(Column::Flows) {
        for value in batch.u32s_mut(Column::Flows).get_mut(run.rows()).unwrap_or_default() {
            *value = (*value).max(1);
        }
    } else {
        run.present.insert(Column::Flows);
        fill(batch.u32s_mut(Column::Flows), run, 1);
    }
}

/// Labels after the bottom of the stack, and those that are all zero, are filling.
fn labels(batch: &mut Batch, run: &mut Run) {
    let mut going = Mask::default();
    for row in run.rows() {
        going.set(row, true);
    }
    for column in Column::MPLS_LABELS {
        if !run.present.contains(column) {
            break;
        }
        let mut bottom = Mask::default();
        let mut count = 0;
        for row in run.rows() {
            let label = batch.u32s(column).get(row).copied().unwrap_or_default();
            let there = going.get(row) && label != 0;
            going.set(row, there);
            bottom.set(row, there && label & 1 == 1);
            count += usize::from(there);
        }
        keep(batch, run, column, &going, count);
        for row in run.rows().filter(|row| bottom.get(*row)) {
            going.set(row, false);
        }
    }
}
