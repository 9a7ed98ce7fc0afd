//! A stored bucket: the rows of up to 64 channels of one profile in one bucket of one level.

use foldhash::HashMap;

use super::cell::{ALL_SOURCES, Cell, PEAKS, SUMS, from_columns, to_columns};
use super::grid::{self, GridError};
use super::level::{MINUTE, RAW};

/// Channel and source.
pub(super) type SeriesKey = (u32, u32);

/// What a row of a roll-up holds beyond the sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rolled {
    /// Sums, peaks.
    pub(super) cell: Cell,
    /// In the row of [`ALL_SOURCES`]: for how many milliseconds the channel was collected.
    pub(super) covered_ms: u64,
}

/// Rows by series. Every channel that was collected has a row for [`ALL_SOURCES`].
pub(super) type Rows = HashMap<SeriesKey, Rolled>;

impl Rolled {
    /// Adds a finer bucket.
    pub(super) fn fold(&mut self, other: &Self) {
        self.cell.fold(&other.cell);
        self.covered_ms = self.covered_ms.saturating_add(other.covered_ms);
    }
}

/// Adds a finer bucket's rows.
pub(super) fn fold(into: &mut Rows, rows: &Rows) {
    for (key, row) in rows {
        into.entry(*key).or_default().fold(row);
    }
}

/// Columns: channel, source, sums; for roll-ups covered time and the lower-bound mark; for those above a
/// minute peaks. (A minute's peaks are its own averages.)
fn columns_of(level: usize) -> usize {
    2 + SUMS + if level == RAW { 0 } else { 2 } + if level > MINUTE { PEAKS } else { 0 }
}

/// Encodes rows for a level.
pub(super) fn encode(level: usize, rows: &Rows) -> Vec<u8> {
    let mut keys: Vec<&SeriesKey> = rows.keys().collect();
    keys.sort_unstable();
    let mut columns = vec![Vec::with_capacity(keys.len()); columns_of(level)];
    for key in keys {
        let row = &rows[key];
        let head = [u64::from(key.0), u64::from(key.1)];
        let extra = [row.covered_ms, u64::from(row.cell.at_least)];
        let values = head.into_iter().chain(to_columns(&row.cell.sums)).chain(extra).chain(row.cell.peaks);
        for (column, value) in columns.iter_mut().zip(values) {
            column.push(value);
        }
    }
    grid::encode(&columns)
}

/// Decodes the rows of a level.
pub(super) fn decode(level: usize, bytes: &[u8]) -> Result<Rows, GridError> {
    let columns = grid::decode(bytes, columns_of(level))?;
    let count = columns.first().map_or(0, Vec::len);
    let mut rows = Rows::with_capacity_and_hasher(count, foldhash::fast::RandomState::default());
    for at in 0..count {
        let mut sums = [0; SUMS];
        for (sum, column) in sums.iter_mut().zip(&columns[2..]) {
            *sum = column[at];
        }
        let mut row = Rolled { cell: Cell { sums: from_columns(&sums), ..Cell::default() }, covered_ms: 0 };
        if level != RAW {
            row.covered_ms = columns[2 + SUMS][at];
            row.cell.at_least = columns[3 + SUMS][at] != 0;
        }
        if level > MINUTE {
            for (peak, column) in row.cell.peaks.iter_mut().zip(&columns[4 + SUMS..]) {
                *peak = column[at];
            }
        }
        rows.insert((columns[0][at] as u32, columns[1][at] as u32), row);
    }
    if level == MINUTE {
        set_minute_peaks(&mut rows);
    }
    Ok(rows)
}

/// Sets the peaks of one minute's rows: of every series, and of every channel over all its sources.
pub(super) fn set_minute_peaks(rows: &mut Rows) {
    let mut totals: HashMap<u32, (Cell, u64)> = HashMap::default();
    for ((channel, source), row) in rows.iter() {
        let total = totals.entry(*channel).or_default();
        total.0.sums.add(&row.cell.sums);
        if *source == ALL_SOURCES {
            total.1 = row.covered_ms;
        }
    }
    for (key, row) in rows.iter_mut() {
        let Some((total, covered_ms)) = totals.get(&key.0) else { continue };
        if key.1 == ALL_SOURCES {
            let mut all = *total;
            all.average(*covered_ms);
            row.cell.peaks = all.peaks;
        } else {
            row.cell.average(*covered_ms);
        }
    }
}
