//! A data set of flow records becomes rows.

use super::super::execute::execute;
use super::super::extras::Types;
use super::super::facts::Facts;
use super::super::finish::finish;
use super::super::output::{Origin, Output};
use super::super::packet::Tunnels;
use super::super::program::Program;
use super::super::reason::Undecodable;
use super::super::records::{Ends, Records};
use super::super::sampling::{Rates, rates};
use super::super::{section, shown};
use super::Message;
use crate::flow::Column;

/// A set of flow records and what is needed to read it.
pub(super) struct Reading<'a> {
    pub(super) message: &'a Message,
    pub(super) id: u16,
    pub(super) program: &'a Program,
    pub(super) facts: &'a Facts,
    pub(super) types: &'a Types,
    pub(super) tunnels: Tunnels,
}

/// What reading a set told beside its rows.
#[derive(Default)]
pub(super) struct Read {
    /// What of the set cannot be read, and its bytes.
    pub(super) broken: Option<(Undecodable, usize)>,
    pub(super) rates: Rates,
    pub(super) skew_ms: Option<i64>,
    /// Lists in each record that were passed over.
    pub(super) structured: u32,
}

impl Reading<'_> {
    /// Writes the rows of a set; gives how many, and what else it told.
    pub(super) fn flows(&self, body: &[u8], ends: &mut Ends, output: &mut Output<'_>) -> (u32, Read) {
        let mut read = Read { structured: self.program.structured, ..Read::default() };
        let (mut rest, mut total) = (body, 0);
        loop {
            if rest.len() < self.program.shortest {
                break;
            }
            let room = output.room(usize::MAX);
            let (records, count, bytes) = if let Some(whole) = rest.len().checked_div(self.program.stride) {
                let count = whole.min(room);
                let records = Records::Fixed { data: rest, stride: self.program.stride };
                (records, count, count * self.program.stride)
            } else {
                let walk = ends.walk(self.program, rest, room);
                read.broken = walk.broken.then_some((Undecodable::FieldLength, rest.len() - walk.bytes));
                (Records::Variable { data: rest, ends }, walk.records, walk.bytes)
            };
            if count == 0 {
                break;
            }
            self.rows(records, count, &mut read, output);
            total += count;
            rest = rest.get(bytes..).unwrap_or_default();
        }
        if total == 0 && read.broken.is_none() {
            read.broken = Some((Undecodable::SetTooShort, body.len()));
        }
        (u32::try_from(total).unwrap_or(u32::MAX), read)
    }

    fn rows(&self, records: Records<'_>, count: usize, read: &mut Read, output: &mut Output<'_>) {
        let batch = &mut *output.batch;
        let mut run = self.origin().run(batch.len(), count);
        let clock = &self.message.clock;
        execute(self.program, records, clock, batch, &mut run);
        finish(self.program, records, clock, batch, &mut run);
        if let Some(section) = &self.program.section {
            section::fill(section, records, self.tunnels, batch, &mut run);
        }
        let key = &self.message.key;
        let rates = rates(self.facts, key, (self.id, self.program), records, batch, &mut run);
        read.rates.last = rates.last.or(read.rates.last);
        read.rates.unknown |= rates.unknown;
        shown::names(self.facts, self.program, records, batch, &mut run);
        self.types.keep(key, self.program, records, batch, &run);
        let newest = batch.u64s(Column::TimeEnd).get(run.start + count - 1).copied();
        let received_ms = self.message.received_ms;
        read.skew_ms = newest.map(|end| received_ms.wrapping_sub(end).cast_signed());
        batch.push_run(run);
    }

    fn origin(&self) -> Origin {
        let Message { key, stream, received_ms, clock, .. } = self.message;
        Origin {
            protocol: key.protocol,
            stream: *stream,
            listener: key.listener,
            exporter: key.exporter,
            port: key.port,
            agent: key.agent,
            domain: key.domain,
            received_ms: *received_ms,
            export_ms: clock.export_ms,
        }
    }
}
