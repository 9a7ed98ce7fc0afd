//! What every target asserts of a decoder: its rows are the records that it counts, both balances of the loss ledger
//! hold after every cut, and its memory is bounded.

use std::collections::HashMap;

use collector::decode::{Datagram, Decoder, Limits};
use collector::flow::Batch;
use collector::slot::{Numbering, StreamCounts, StreamKey, StreamReport};
use crds::config::Protocol;

/// No input may make a decoder and its batch hold more.
pub const MEMORY: u64 = 96 << 20;

/// A decoder, and what its streams reported so far.
pub struct Session {
    decoder: Decoder,
    batch: Batch,
    rows: u64,
    streams: HashMap<StreamKey, (StreamCounts, Option<Numbering>)>,
    now_ms: u64,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            decoder: Decoder::new(Limits { streams: 64, newcomers: 32, ..Limits::default() }),
            batch: Batch::with_extras(),
            rows: 0,
            streams: HashMap::new(),
            now_ms: 1_700_000_000_000,
        }
    }
}

impl Session {
    /// Decodes a datagram from one of a few ports, some milliseconds after the one before.
    pub fn feed(&mut self, accepts: Protocol, port: u16, later_ms: u64, payload: &[u8]) {
        self.now_ms += later_ms;
        let datagram = Datagram {
            listener: 0,
            accepts,
            exporter: [192, 0, 2, 1].into(),
            port,
            received_ms: self.now_ms,
            payload,
        };
        let rows = &mut self.rows;
        let mut take = |full: &mut Batch| {
            *rows += full.len() as u64;
            full.clear();
        };
        self.decoder.decode(&datagram, &mut self.batch, &mut take);
        take(&mut self.batch);
    }

    /// Takes a cut and checks what must hold.
    pub fn cut(&mut self) {
        self.decoder.tick(self.now_ms);
        for report in self.decoder.take_reports(&[]).0 {
            let (totals, numbering) =
                self.streams.entry(report.key.clone()).or_insert((StreamCounts::default(), report.nonstandard));
            report.add_to(totals, *numbering);
            *numbering = report.nonstandard;
            check(&report, totals);
        }
        let records: u64 = self.streams.values().map(|(totals, _)| totals.records).sum();
        assert_eq!(records, self.rows, "rows are the records that are counted");
    }

    /// Ends the session: what waits is given up, and nothing is left uncounted.
    pub fn close(mut self) {
        self.cut();
        self.decoder.finish();
        self.cut();
    }
}

fn check(report: &StreamReport, totals: &StreamCounts) {
    // The stream of those without a place has no sequence, and takes over what waited for others.
    if report.key.listener == "unknown" && report.key.exporter.is_unspecified() {
        return;
    }
    let undecodable: u64 = totals.undecodable.iter().map(|(_, records)| records).sum();
    let known = totals.records + totals.options_records + undecodable + report.waiting.records;
    assert_eq!(totals.records_received, known as i64, "{totals:?} {:?}", report.waiting);
    if report.nonstandard.is_none_or(Numbering::is_judged) {
        let span = report.next_sequence.wrapping_sub(report.epoch.first);
        assert_eq!(report.epoch.expected() as u32, span, "{:?} {totals:?}", report.epoch);
    }
}
