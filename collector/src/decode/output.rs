//! Where decoded rows go: the batch at hand, which is passed on when it is full.

use std::net::IpAddr;

use crate::flow::{Batch, ColumnSet, Protocol, Run, SamplingFrom, TimeFrom};

/// The batch and what takes it when it is full.
pub(super) struct Output<'a> {
    pub(super) batch: &'a mut Batch,
    full: &'a mut dyn FnMut(&mut Batch),
}

impl<'a> Output<'a> {
    /// Writes to `batch`; `full` consumes it.
    pub(super) fn new(batch: &'a mut Batch, full: &'a mut dyn FnMut(&mut Batch)) -> Self {
        Self { batch, full }
    }

    /// How many rows of `wanted` can be written now, at least one: a full batch is passed on first.
    pub(super) fn room(&mut self, wanted: usize) -> usize {
        if self.batch.room() == 0 {
            (self.full)(self.batch);
            self.batch.clear();
        }
        self.batch.room().min(wanted)
    }
}

/// What every run of one message has in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) protocol: Protocol,
    pub(super) stream: u32,
    pub(super) listener: u16,
    pub(super) exporter: IpAddr,
    pub(super) port: u16,
    pub(super) agent: Option<IpAddr>,
    pub(super) domain: u32,
    pub(super) received_ms: u64,
    pub(super) export_ms: u64,
}

impl Origin {
    /// A run of `len` rows from `start` on, which carries no columns yet.
    pub(super) fn run(&self, start: usize, len: usize) -> Run {
        Run {
            start,
            len,
            protocol: self.protocol,
            stream: self.stream,
            listener: self.listener,
            exporter: self.exporter,
            exporter_port: self.port,
            agent: self.agent,
            domain: self.domain,
            received_ms: self.received_ms,
            export_ms: self.export_ms,
            time_from: TimeFrom::Record,
            sampling_from: SamplingFrom::None,
            source: 0,
            present: ColumnSet::default(),
            sparse: ColumnSet::default(),
        }
    }
}
