//! NetFlow v9 (RFC 3954) and IPFIX (RFC 7011): a header, then sets of templates, options and flows.

mod header;
mod known;

use header::{ipfix_header, v9_header};

use super::Datagram;
use super::execute::{Clock, execute};
use super::extras::Types;
use super::facts::Facts;
use super::finish::finish;
use super::output::{Origin, Output};
use super::packet::Tunnels;
use super::program::Program;
use super::reader::Reader;
use super::reason::{Rejected, Undecodable};
use super::records::{Ends, Records};
use super::resume::{Return, Saved};
use super::sampling::{Rates, rates};
use super::section;
use super::sequence::Arrival;
use super::shown;
use super::streams::{Key, Streams};
use super::template::{self, Definition, Field, Kind};
use super::templates::{Announced, Learned, Templates};
use super::waiting::{Set, Waiting};
use crate::flow::{Column, Protocol};
use crate::telemetry::Repeated;

/// Bytes of an unreadable set that hold at most one record: no exporter sends smaller ones.
const SMALLEST_RECORD: usize = 8;

/// Everything that v9 and IPFIX need beside the streams.
#[derive(Debug)]
pub(super) struct Sets {
    templates: Templates,
    facts: Facts,
    types: Types,
    waiting: Waiting,
    saved: Saved,
    ends: Ends,
    fields: Vec<Field>,
    /// The tunnels to take off the packets that this exporter sampled.
    pub(super) decapsulate: Tunnels,
    conflicts: Option<Repeated>,
}

/// One message on its way through.
struct Message {
    key: Key,
    stream: u32,
    received_ms: u64,
    sequence: u32,
    clock: Clock,
    /// v9: the records that the header promises, templates included.
    promised: Option<u32>,
    /// What was read so far: data and options records, and template records.
    records: u32,
    templates: u32,
    /// Sets, and their bytes, for which no template is known.
    unknown: u32,
    unknown_bytes: usize,
}

/// When a template was announced.
#[derive(Clone, Copy, Debug)]
struct When {
    at_ms: u64,
    /// That was before a restart of the edge.
    restored: bool,
}

impl Sets {
    /// `memory`: bytes for templates, and as many for data that waits for them.
    pub(super) fn new(memory: usize) -> Self {
        Self {
            templates: Templates::new(memory),
            facts: Facts::new(memory / 2),
            waiting: Waiting::new(memory),
            saved: Saved::default(),
            ends: Ends::default(),
            fields: Vec::new(),
            conflicts: None,
            types: Types::default(),
            decapsulate: Tunnels::default(),
        }
    }

    /// Decodes one message and gives back what follows it.
    pub(super) fn decode<'a>(
        &mut self,
        protocol: Protocol,
        datagram: &Datagram<'_>,
        payload: &'a [u8],
        streams: &mut Streams,
        output: &mut Output<'_>,
    ) -> Result<&'a [u8], Rejected> {
        let v9 = protocol == Protocol::NetFlow9;
        let header = if v9 { v9_header(payload) } else { ipfix_header(payload) };
        let header = header.ok_or(Rejected::TooShort)?;
        let bytes = payload.get(..payload.len() - header.rest.len()).unwrap_or(payload);
        let key = datagram.key(protocol, header.domain);
        let at = streams.find(key, datagram.received_ms);
        if let Some((gone, key)) = streams.take_evicted() {
            self.forget(gone, &key);
        }
        let stream = streams.at(at);
        let restarts = stream.tally.restarts;
        let (arrival, print) = stream.arrive(bytes, header.sequence);
        if arrival == Arrival::Duplicate {
            return Ok(header.rest);
        }
        let restarted = stream.tally.restarts > restarts;
        let boot_ms = header.clock.boot_ms();
        let since_ms = stream.resumed_ms.take();
        let moved = stream.started(boot_ms);
        if header.truncated {
            stream.tally.undecodable.count(Undecodable::Truncated, 1);
        }
        self.facts.attend(at, &key);
        let clock = Clock { init_ms: self.facts.init_ms(at), ..header.clock };
        let mut message = Message {
            key,
            stream: at,
            received_ms: datagram.received_ms,
            sequence: header.sequence,
            clock,
            promised: header.promised,
            records: 0,
            templates: 0,
            unknown: 0,
            unknown_bytes: 0,
        };
        if moved || restarted || since_ms.is_some() {
            let now_ms = datagram.received_ms;
            let back = since_ms.map(|since_ms| Return { since_ms, now_ms, boot_ms, restarted });
            self.turn(&mut message, back, restarted, streams, output);
        }
        self.walk(&mut message, header.body, streams, output);
        settle(&message, arrival, print, streams);
        Ok(header.rest)
    }

    /// Has every stream use only the templates that it announced itself.
    pub(super) fn keep_apart(&mut self) {
        self.templates.keep_apart();
    }

    /// Drops what a stream told, which lost its place.
    pub(super) fn forget(&mut self, stream: u32, key: &Key) {
        self.templates.forget(stream, key);
        self.facts.forget(stream, key);
    }

    /// Counts the sets that waited too long for their template.
    pub(super) fn expire(&mut self, now_ms: u64, streams: &mut Streams) {
        self.saved.expire(now_ms);
        self.waiting.expire(now_ms, |set| {
            let at = streams.recall(set.stream, &set.key);
            let records = set.records.unwrap_or(1);
            streams.at(at).tally.undecodable.count(Undecodable::UnknownTemplate, records);
        });
    }

    fn walk(&mut self, message: &mut Message, body: &[u8], streams: &mut Streams, output: &mut Output<'_>) {
        let v9 = message.key.protocol == Protocol::NetFlow9;
        let mut reader = Reader::new(body);
        while let Some((id, length)) = reader.u16().zip(reader.u16()) {
            let body = usize::from(length).checked_sub(4).and_then(|length| reader.take(length));
            let Some(body) = body else {
                // A set of length 0 and nothing but zeros after it is padding.
                if length != 0 || id != 0 || reader.rest().iter().any(|byte| *byte != 0) {
                    streams.at(message.stream).tally.undecodable.count(Undecodable::SetLength, 1);
                }
                return;
            };
            match (id, v9) {
                (0, true) | (2, false) => self.templates(message, Kind::Data, body, streams, output),
                (1, true) | (3, false) => self.templates(message, Kind::Options, body, streams, output),
                (256.., _) => self.data(message, id, body, streams, output),
                _ => streams.at(message.stream).tally.undecodable.count(Undecodable::ReservedSet, 1),
            }
        }
    }

    fn templates(
        &mut self,
        message: &mut Message,
        kind: Kind,
        body: &[u8],
        streams: &mut Streams,
        output: &mut Output<'_>,
    ) {
        let mut reader = Reader::new(body);
        loop {
            let tally = &mut streams.at(message.stream).tally;
            let definition = template::next(&mut reader, message.key.protocol, kind, &mut self.fields);
            match definition {
                Ok(None) => return,
                Ok(Some(Definition::Template { id, scope })) => {
                    tally.templates += 1;
                    message.templates += 1;
                    let when = When { at_ms: message.received_ms, restored: false };
                    self.learn(message, (id, scope), when, streams, output);
                }
                Ok(Some(Definition::Withdrawal { id })) => {
                    message.templates += 1;
                    self.templates.withdraw(message.stream, &message.key, id);
                    streams.change(message.stream);
                }
                Ok(Some(Definition::TooLarge { .. })) => {
                    message.templates += 1;
                    tally.undecodable.count(Undecodable::TemplateTooLarge, 1);
                }
                Err(template::Malformed) => {
                    tally.undecodable.count(Undecodable::MalformedTemplate, 1);
                    return;
                }
            }
        }
    }

    fn learn(
        &mut self,
        message: &mut Message,
        (id, scope): (u16, u16),
        When { at_ms, restored }: When,
        streams: &mut Streams,
        output: &mut Output<'_>,
    ) {
        let stream = streams.at(message.stream);
        let trusted = stream.is_trusted();
        if message.stream == Streams::UNKNOWN {
            stream.tally.undecodable.count(Undecodable::TemplateTableFull, 1);
            return;
        }
        let (at, key, now) = (message.stream, message.key, message.received_ms);
        let announced = Announced { id, scope, fields: &self.fields, at_ms, restored };
        let (learned, conflict) = self.templates.learn(at, &key, announced, trusted);
        stream.tally.template_changes += u64::from(learned == Learned::Changed);
        stream.tally.template_conflicts += u64::from(conflict);
        match learned {
            Learned::Full => return stream.tally.undecodable.count(Undecodable::TemplateTableFull, 1),
            Learned::Same { anew: false } => streams.repeat(at),
            Learned::Same { anew: true } | Learned::New | Learned::Changed => streams.change(at),
        }
        if conflict {
            self.say_conflict(&key, id);
        }
        let templates = &mut self.templates;
        let mut readable = Vec::new();
        for set in self.waiting.take(&key, id, |_| true) {
            if templates.find(set.stream, &set.key, id, now).is_some() {
                readable.push(set);
            } else {
                self.waiting.keep(set);
            }
        }
        for set in readable {
            self.replay(message, set, streams, output);
        }
    }

    /// Decodes a set that waited. Its rows keep the time at which they came.
    fn replay(
        &mut self,
        message: &mut Message,
        mut set: Set,
        streams: &mut Streams,
        output: &mut Output<'_>,
    ) {
        set.stream = streams.recall(set.stream, &set.key);
        self.facts.attend(set.stream, &set.key);
        set.clock.init_ms = self.facts.init_ms(set.stream).or(set.clock.init_ms);
        let mut then = Message {
            key: set.key,
            stream: set.stream,
            received_ms: set.received_ms,
            sequence: set.sequence,
            clock: set.clock,
            promised: None,
            records: 0,
            templates: 0,
            unknown: 0,
            unknown_bytes: 0,
        };
        self.data(&mut then, set.id, &set.bytes, streams, output);
        if set.key == message.key
            && set.sequence == message.sequence
            && set.received_ms == message.received_ms
        {
            message.records += then.records;
            message.unknown = message.unknown.saturating_sub(1);
            message.unknown_bytes = message.unknown_bytes.saturating_sub(set.bytes.len());
        }
    }

    fn data(
        &mut self,
        message: &mut Message,
        id: u16,
        body: &[u8],
        streams: &mut Streams,
        output: &mut Output<'_>,
    ) {
        let found = self.templates.find(message.stream, &message.key, id, message.received_ms);
        let Some(program) = found else {
            return self.wait(message, id, body, streams);
        };
        if program.scope > 0 {
            if output.batch.keeps_extras() {
                self.types.learn(&message.key, program, body, &mut self.ends);
            }
            return options(message, program, body, &mut self.ends, &mut self.facts, streams);
        }
        let tunnels = self.decapsulate;
        let reading = Reading { message, id, program, facts: &self.facts, types: &self.types, tunnels };
        let (records, read) = reading.flows(body, &mut self.ends, output);
        let stream = streams.at(message.stream);
        message.records = message.records.saturating_add(records);
        stream.tally.records += u64::from(records);
        stream.tally.skipped_records += u64::from(records) * u64::from(read.structured);
        if let Some(reason) = read.broken {
            stream.tally.undecodable.count(reason, 1);
        }
        stream.sampling_rate = read.rates.last.or(stream.sampling_rate);
        stream.lacks_rate |= read.rates.unknown;
        stream.clock_skew_ms = read.skew_ms.or(stream.clock_skew_ms);
    }

    fn wait(&mut self, message: &mut Message, id: u16, body: &[u8], streams: &mut Streams) {
        let tally = &mut streams.at(message.stream).tally;
        tally.unknown_template_sets += 1;
        message.unknown += 1;
        message.unknown_bytes += body.len();
        let promised = message.promised.filter(|_| message.unknown == 1);
        let set = Set {
            stream: message.stream,
            key: message.key,
            id,
            received_ms: message.received_ms,
            sequence: message.sequence,
            clock: message.clock,
            records: promised
                .map(|promised| promised.saturating_sub(message.records + message.templates).max(1)),
            bytes: body.into(),
        };
        if message.stream == Streams::UNKNOWN || !self.waiting.keep(set) {
            tally.undecodable.count(Undecodable::WaitingFull, 1);
        }
    }
}

/// v9 numbers packets, IPFIX data records: those of sets that wait are told by the next number.
fn settle(message: &Message, arrival: Arrival, print: u32, streams: &mut Streams) {
    let v9 = message.key.protocol == Protocol::NetFlow9;
    let units = if v9 { 1 } else { message.records };
    let stream = streams.at(message.stream);
    stream.settle_records(arrival, message.sequence, (units, message.records), print);
    if !v9 && message.unknown > 0 && arrival == Arrival::Forward {
        stream
            .sequence
            .leave_open(u32::try_from(message.unknown_bytes / SMALLEST_RECORD).unwrap_or(u32::MAX));
    }
}

/// Reads the records of an options set.
fn options(
    message: &mut Message,
    program: &Program,
    body: &[u8],
    ends: &mut Ends,
    facts: &mut Facts,
    streams: &mut Streams,
) {
    let stream = (message.stream, &message.key);
    let news;
    let (count, broken) = if let Some(count) = body.len().checked_div(program.stride) {
        let records = Records::Fixed { data: body, stride: program.stride };
        news = facts.learn(stream, program, records, count, message.received_ms);
        (count, (count == 0).then_some(Undecodable::SetTooShort))
    } else {
        let walk = ends.walk(program, body, usize::MAX);
        let records = Records::Variable { data: body, ends };
        news = facts.learn(stream, program, records, walk.records, message.received_ms);
        (walk.records, walk.broken.then_some(Undecodable::FieldLength))
    };
    message.clock.init_ms = facts.init_ms(message.stream);
    if news {
        streams.change(message.stream);
    } else {
        streams.repeat(message.stream);
    }
    message.records = message.records.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    let tally = &mut streams.at(message.stream).tally;
    tally.options_records += count as u64;
    if let Some(reason) = broken {
        tally.undecodable.count(reason, 1);
    }
}

/// A set of flow records and what is needed to read it.
struct Reading<'a> {
    message: &'a Message,
    id: u16,
    program: &'a Program,
    facts: &'a Facts,
    types: &'a Types,
    tunnels: Tunnels,
}

/// What reading a set told beside its rows.
#[derive(Default)]
struct Read {
    broken: Option<Undecodable>,
    rates: Rates,
    skew_ms: Option<i64>,
    /// Lists in each record that were passed over.
    structured: u32,
}

impl Reading<'_> {
    fn flows(&self, body: &[u8], ends: &mut Ends, output: &mut Output<'_>) -> (u32, Read) {
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
                read.broken = walk.broken.then_some(Undecodable::FieldLength);
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
            read.broken = Some(Undecodable::SetTooShort);
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
