//! Where records go: text in one of the formats, written in large pieces.

use std::cell::Cell;
use std::io::{self, Write};

use super::Format;
use crate::filter::RowFilter;
use crate::flow::{Batch, Row, rows, write_csv, write_csv_header, write_json, write_table};

/// The text is written when it is at least this long.
const PIECE: usize = 64 << 10;

/// Writes batches; keeps the first error, after which it writes nothing.
pub(super) struct Writer<'w> {
    format: Format,
    text: Vec<u8>,
    out: Box<dyn Write + 'w>,
    error: Option<io::Error>,
    filter: Option<RowFilter>,
    /// Records decoded, and those of them that were written.
    pub(super) decoded: u64,
    pub(super) records: u64,
}

impl<'w> Writer<'w> {
    pub(super) fn new(format: Format, filter: Option<RowFilter>, out: Box<dyn Write + 'w>) -> Self {
        let mut text = Vec::with_capacity(2 * PIECE);
        if format == Format::Csv {
            write_csv_header(&mut text);
        }
        Self { format, text, out, error: None, filter, decoded: 0, records: 0 }
    }

    /// Whether writing failed: there is no use in decoding on.
    pub(super) fn failed(&self) -> bool {
        self.error.is_some()
    }

    /// Writes the records of the batch that the filter lets pass.
    pub(super) fn batch(&mut self, batch: &Batch) {
        if batch.is_empty() || self.failed() {
            return;
        }
        self.decoded += batch.len() as u64;
        if self.format == Format::Table {
            self.table(batch);
        } else {
            self.error = rows(batch, &mut |row| self.row(row)).err();
        }
        if self.text.len() >= PIECE {
            self.flush();
        }
    }

    fn table(&mut self, batch: &Batch) {
        let written = Cell::new(0);
        let keep = |row: Row<'_>| {
            let passes = passes(self.filter.as_ref(), row);
            written.set(written.get() + u64::from(passes));
            passes
        };
        write_table(batch, &keep, &mut self.text);
        self.records += written.get();
    }

    fn row(&mut self, row: Row<'_>) -> io::Result<()> {
        if !passes(self.filter.as_ref(), row) {
            return Ok(());
        }
        self.records += 1;
        match self.format {
            Format::Csv => write_csv(row, &mut self.text),
            Format::Json | Format::Table => write_json(row, &mut self.text)?,
        }
        if self.text.len() >= PIECE {
            self.out.write_all(&self.text)?;
            self.text.clear();
        }
        Ok(())
    }

    /// Hands everything on.
    pub(super) fn flush(&mut self) {
        if self.failed() {
            return;
        }
        let written = self.out.write_all(&self.text).and_then(|()| self.out.flush());
        self.text.clear();
        self.error = written.err();
    }

    /// Flushes and says whether everything could be written. A reader that went away (`| head`) is no error.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush();
        match self.error {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

/// A biflow passes in either direction.
fn passes(filter: Option<&RowFilter>, row: Row<'_>) -> bool {
    filter.is_none_or(|filter| {
        filter.matches(row.batch, row.run, row.index) || filter.matches_reverse(row.batch, row.run, row.index)
    })
}
