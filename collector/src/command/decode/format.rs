//! Where records go: text in one of the formats, written in large pieces.

use std::io::{self, Write};

use super::Format;
use crate::flow::{Batch, Row, rows, write_csv, write_csv_header, write_json, write_table};

/// The text is written when it is at least this long.
const PIECE: usize = 64 << 10;

/// Writes batches; keeps the first error, after which it writes nothing.
pub(super) struct Writer<'w> {
    format: Format,
    text: Vec<u8>,
    out: Box<dyn Write + 'w>,
    error: Option<io::Error>,
    /// Records written.
    pub(super) records: u64,
}

impl<'w> Writer<'w> {
    pub(super) fn new(format: Format, out: Box<dyn Write + 'w>) -> Self {
        let mut text = Vec::with_capacity(2 * PIECE);
        if format == Format::Csv {
            write_csv_header(&mut text);
        }
        Self { format, text, out, error: None, records: 0 }
    }

    /// Whether writing failed: there is no use in decoding on.
    pub(super) fn failed(&self) -> bool {
        self.error.is_some()
    }

    /// Writes all records of the batch.
    pub(super) fn batch(&mut self, batch: &Batch) {
        if batch.is_empty() || self.failed() {
            return;
        }
        self.records += batch.len() as u64;
        if self.format == Format::Table {
            write_table(batch, &mut self.text);
        } else {
            let written = rows(batch, &mut |row| self.row(row));
            self.error = written.err();
        }
        if self.text.len() >= PIECE {
            self.flush();
        }
    }

    fn row(&mut self, row: Row<'_>) -> io::Result<()> {
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
