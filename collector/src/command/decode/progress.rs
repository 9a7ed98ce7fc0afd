//! How far a long read is, on a terminal.

use std::io::{Read, Write, stderr};
use std::time::{Duration, Instant};

/// Short work needs no progress, and nobody reads faster than this.
const EVERY: Duration = Duration::from_millis(500);

/// One line on standard error that is written over and over, or nothing.
pub(super) struct Progress {
    shown: bool,
    enabled: bool,
    last: Instant,
}

impl Progress {
    pub(super) fn new(enabled: bool) -> Self {
        Self { shown: false, enabled, last: Instant::now() }
    }

    /// Shows how much of `source` is read whenever it is read from.
    pub(super) fn watch<'a, R: Read>(&'a mut self, name: &'a str, size: u64, source: R) -> Watched<'a, R> {
        Watched { progress: self, name, size, read: 0, source }
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            // A progress line that cannot be written is not missed.
            _ = write!(stderr(), "\r\x1b[K");
        }
    }

    fn show(&mut self, name: &str, read: u64, size: u64) {
        if !self.enabled || self.last.elapsed() < EVERY {
            return;
        }
        self.last = Instant::now();
        self.shown = true;
        let percent = read.saturating_mul(100).checked_div(size).unwrap_or(100);
        _ = write!(stderr(), "\r\x1b[K{name}: {percent} %");
        _ = stderr().flush();
    }
}

/// A file that is read under observation.
pub(super) struct Watched<'a, R> {
    progress: &'a mut Progress,
    name: &'a str,
    size: u64,
    read: u64,
    source: R,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.progress.show(self.name, self.read, self.size);
        let read = self.source.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}
