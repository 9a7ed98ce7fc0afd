//! One run of `weir decode`: a decoder, the batch that it fills, and what prints it.

use std::net::IpAddr;
use std::ops::ControlFlow;

use crds::config::Protocol;

use super::counters::Report;
use super::format::Writer;
use crate::capture::{Counts, Datagram};
use crate::command::Failure;
use crate::decode::{self, Decoder, Limits};
use crate::flow::Batch;

/// No cut takes the counts before the end, so every stream that a capture holds needs its place until then.
const LIMITS: Limits = Limits { streams: 65_536, newcomers: 65_536, memory: 16 << 20 };

pub(super) struct Session<'w> {
    decoder: Decoder,
    batch: Batch,
    writer: Writer<'w>,
    exporter: Option<IpAddr>,
    other_exporter: u64,
}

impl<'w> Session<'w> {
    pub(super) fn new(writer: Writer<'w>, exporter: Option<IpAddr>) -> Self {
        let batch = Batch::with_extras();
        Self { decoder: Decoder::new(LIMITS), batch, writer, exporter, other_exporter: 0 }
    }

    /// Decodes a datagram; breaks off when the output cannot be written.
    pub(super) fn datagram(&mut self, datagram: &Datagram<'_>) -> ControlFlow<()> {
        let Some(exporter) = self.sender(datagram.exporter) else {
            self.other_exporter += 1;
            return ControlFlow::Continue(());
        };
        let datagram = decode::Datagram {
            listener: 0,
            accepts: Protocol::Auto,
            exporter,
            port: datagram.exporter_port,
            received_ms: datagram.received_ms,
            payload: datagram.payload,
        };
        let writer = &mut self.writer;
        self.decoder.tick(datagram.received_ms);
        self.decoder.decode(&datagram, &mut self.batch, &mut |full| writer.batch(full));
        if self.writer.failed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Prints what was decoded so far.
    pub(super) fn flush(&mut self) {
        self.writer.batch(&self.batch);
        self.batch.clear();
        self.writer.flush();
    }

    /// Prints the rest and tells what was counted.
    pub(super) fn finish(mut self, capture: &Counts) -> Result<Report, Failure> {
        self.flush();
        self.decoder.finish();
        let (streams, rejected) = self.decoder.take_reports(&[]);
        let rejected = rejected.into_iter().flatten().collect();
        let report = Report {
            records: self.writer.records,
            filtered: self.writer.decoded - self.writer.records,
            capture: *capture,
            other_exporter: self.other_exporter,
            rejected,
            streams,
        };
        self.writer.finish().map_err(|error| Failure::System(format!("standard output: {error}")))?;
        Ok(report)
    }

    /// Who sent it, if that is who was asked for. A payload file does not say, and takes what was asked for.
    fn sender(&self, exporter: IpAddr) -> Option<IpAddr> {
        match self.exporter {
            Some(asked) if exporter.is_unspecified() => Some(asked),
            Some(asked) => (asked == exporter).then_some(asked),
            None => Some(exporter),
        }
    }
}
