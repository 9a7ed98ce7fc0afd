//! NetFlow v9 (RFC 3954) and IPFIX (RFC 7011): a header, then sets of templates, options and flows.

mod header;
mod known;
mod reading;

use header::{ipfix_header, v9_header};
use reading::Reading;

use super::Datagram;
use super::declared::{Declarations, declares};
use super::execute::Clock;
use super::extras::Types;
use super::facts::Facts;
use super::habit::Held;
use super::output::Output;
use super::packet::Tunnels;
use super::program::Program;
use super::reader::Reader;
use super::reason::{Rejected, Undecodable};
use super::records::{Ends, Records};
use super::resume::{Return, Saved};
use super::sequence::Arrival;
use super::streams::{Evicted, Judged, Key, Streams};
use super::template::{self, Definition, Field, Kind};
use super::templates::{Announced, Learned, Templates};
use super::unread::Unread;
use super::waiting::{Set, Waiting};
use crate::flow::Protocol;
use crate::slot::Numbering;
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
    unread: Unread,
    declarations: Declarations,
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
    /// Where its number is judged.
    judge: u32,
    received_ms: u64,
    sequence: u32,
    clock: Clock,
    /// v9: the records that the header promises, templates included.
    promised: Option<u32>,
    /// What was read so far: flow records, those and options records, and template records.
    flows: u32,
    records: u32,
    templates: u32,
    /// Of the records, those of sets that waited for a template which came later in the same message.
    replayed: u32,
    /// The sets that could not be read, and their bytes.
    unread: Option<u64>,
    unread_bytes: usize,
}

/// When a template was announced.
#[derive(Clone, Copy, Debug)]
struct When {
    at_ms: u64,
    /// That was before a restart of the edge.
    restored: bool,
}

impl Message {
    fn new(key: Key, stream: u32, received_ms: u64, sequence: u32, clock: Clock) -> Self {
        Self {
            key,
            stream,
            judge: stream,
            received_ms,
            sequence,
            clock,
            promised: None,
            flows: 0,
            records: 0,
            templates: 0,
            replayed: 0,
            unread: None,
            unread_bytes: 0,
        }
    }
}

impl Sets {
    /// `memory`: bytes for templates, and as many for data that waits for them.
    pub(super) fn new(memory: usize) -> Self {
        Self {
            templates: Templates::new(memory),
            facts: Facts::new(memory / 2),
            waiting: Waiting::new(memory),
            saved: Saved::default(),
            unread: Unread::default(),
            declarations: Declarations::default(),
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
        if let Some(gone) = streams.take_evicted() {
            self.forget(&gone, streams);
        }
        let judged = streams.arrive(at, bytes, header.sequence);
        for group in streams.take_orphans() {
            self.unread.tell(group, None, true, streams);
        }
        if judged.arrival == Arrival::Duplicate {
            return Ok(header.rest);
        }
        let restarted = judged.restarted;
        let stream = streams.at(at);
        let boot_ms = header.clock.boot_ms();
        let since_ms = stream.resumed_ms.take();
        let moved = stream.started(boot_ms);
        if let Some(told) = streams.at(judged.by).sequence.take_told() {
            self.unread.tell(told.group, told.records, true, streams);
        }
        self.facts.attend(at, &key);
        let clock = Clock { init_ms: self.facts.init_ms(at), ..header.clock };
        let mut message = Message::new(key, at, datagram.received_ms, header.sequence, clock);
        message.judge = judged.by;
        message.promised = header.promised;
        if moved || restarted || since_ms.is_some() {
            let now_ms = datagram.received_ms;
            let back = since_ms.map(|since_ms| Return { since_ms, now_ms, boot_ms, restarted });
            self.turn(&mut message, back, restarted, streams, output);
        }
        self.walk(&mut message, header.body, streams, output);
        if header.absent > 0 {
            self.lose(&mut message, Undecodable::Truncated, header.absent, streams);
        }
        self.settle(&message, judged, streams);
        Ok(header.rest)
    }

    /// Has every stream use only the templates that it announced itself.
    pub(super) fn keep_apart(&mut self) {
        self.templates.keep_apart();
    }

    /// Drops what a stream told, which lost its place.
    pub(super) fn forget(&mut self, gone: &Evicted, streams: &mut Streams) {
        self.templates.forget(gone.at, &gone.key);
        self.facts.forget(gone.at, &gone.key);
        if let Some(group) = gone.open {
            self.unread.tell(group, None, true, streams);
        }
    }

    /// Counts the sets that waited too long for their template.
    pub(super) fn expire(&mut self, now_ms: u64, streams: &mut Streams) {
        self.saved.expire(now_ms);
        let unread = &mut self.unread;
        self.waiting.expire(now_ms, |set| {
            unread.give_up(set.unread, Undecodable::UnknownTemplate, set.bytes.len(), streams);
        });
    }

    /// Gives up all that waits for a template, or for the next number.
    pub(super) fn close(&mut self, streams: &mut Streams) {
        self.expire(u64::MAX, streams);
        for group in streams.close_open() {
            self.unread.tell(group, None, true, streams);
        }
    }

    /// Counts a set, or a part of one, that never can be read.
    fn lose(&mut self, message: &mut Message, reason: Undecodable, bytes: usize, streams: &mut Streams) {
        let (at, key) = ((message.stream, message.judge), message.key);
        let group = *message.unread.get_or_insert_with(|| self.unread.open(at, key, streams));
        message.unread_bytes += bytes;
        self.unread.lose(group, reason, bytes, streams);
    }

    /// v9 numbers packets and counts the records in each; IPFIX numbers data records: those of unread sets are
    /// told by the next number.
    fn settle(&mut self, message: &Message, judged: Judged, streams: &mut Streams) {
        let Message { flows, records, templates, .. } = *message;
        streams.at(message.stream).tally.records_received += i64::from(records - message.replayed);
        let unread = message.unread.filter(|group| self.unread.is_open(*group));
        let held = Held { flows, records, all: records.saturating_add(templates) };
        streams.settle(message.stream, judged, held, unread.is_none());
        let Some(group) = unread else { return };
        let stream = streams.at(judged.by);
        let unit = stream.sequence.unit();
        let counts_records = matches!(unit, Numbering::Flows | Numbering::Records | Numbering::AllRecords);
        if counts_records && judged.arrival == Arrival::Forward && !stream.is_unknown() {
            let most = message.unread_bytes.div_ceil(SMALLEST_RECORD);
            return stream.sequence.leave_open(group, u32::try_from(most).unwrap_or(u32::MAX));
        }
        let promised = message.promised.filter(|_| !counts_records);
        let promised = promised.and_then(|promised| promised.checked_sub(records.saturating_add(templates)));
        let credible = |records: &u32| *records > 0 && *records as usize <= message.unread_bytes;
        self.unread.tell(group, promised.filter(credible), false, streams);
    }

    fn walk(&mut self, message: &mut Message, body: &[u8], streams: &mut Streams, output: &mut Output<'_>) {
        let v9 = message.key.protocol == Protocol::NetFlow9;
        let mut reader = Reader::new(body);
        while let Some((id, length)) = reader.u16().zip(reader.u16()) {
            let body = usize::from(length).checked_sub(4).and_then(|length| reader.take(length));
            let Some(body) = body else {
                // A set of length 0 and nothing but zeros after it is padding.
                if length != 0 || id != 0 || reader.rest().iter().any(|byte| *byte != 0) {
                    self.lose(message, Undecodable::SetLength, reader.len(), streams);
                }
                return;
            };
            match (id, v9) {
                (0, true) | (2, false) => self.templates(message, Kind::Data, body, streams, output),
                (1, true) | (3, false) => self.templates(message, Kind::Options, body, streams, output),
                (256.., _) => self.data(message, id, body, streams, output),
                _ => self.lose(message, Undecodable::ReservedSet, body.len(), streams),
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
                    tally.fault(Undecodable::TemplateTooLarge);
                }
                Err(template::Malformed) => {
                    tally.fault(Undecodable::MalformedTemplate);
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
            stream.tally.fault(Undecodable::TemplateTableFull);
            return;
        }
        let (at, key, now) = (message.stream, message.key, message.received_ms);
        let announced = Announced { id, scope, fields: &self.fields, at_ms, restored };
        let (learned, conflict) = self.templates.learn(at, &key, announced, trusted);
        stream.tally.template_changes += u64::from(learned == Learned::Changed);
        stream.tally.template_conflicts += u64::from(conflict);
        match learned {
            Learned::Full => return stream.tally.fault(Undecodable::TemplateTableFull),
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
        let mut then = Message::new(set.key, set.stream, set.received_ms, set.sequence, set.clock);
        then.unread = Some(set.unread);
        self.data(&mut then, set.id, &set.bytes, streams, output);
        self.unread.decoded(set.unread, then.records, set.bytes.len(), streams);
        if message.unread == Some(set.unread) {
            message.flows += then.flows;
            message.records += then.records;
            message.replayed += then.records;
            message.unread_bytes = message.unread_bytes.saturating_sub(set.bytes.len());
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
        let broken = if program.scope > 0 {
            if output.batch.keeps_extras() {
                self.types.learn(&message.key, program, body, &mut self.ends);
            }
            let Self { ends, facts, declarations, .. } = self;
            options(message, program, body, ends, facts, declarations, streams)
        } else {
            let tunnels = self.decapsulate;
            let reading = Reading { message, id, program, facts: &self.facts, types: &self.types, tunnels };
            let (records, read) = reading.flows(body, &mut self.ends, output);
            let stream = streams.at(message.stream);
            message.flows = message.flows.saturating_add(records);
            message.records = message.records.saturating_add(records);
            stream.tally.records += u64::from(records);
            stream.tally.skipped_records += u64::from(records) * u64::from(read.structured);
            stream.sampling_rate = read.rates.last.or(stream.sampling_rate);
            stream.lacks_rate |= read.rates.unknown;
            stream.clock_skew_ms = read.skew_ms.or(stream.clock_skew_ms);
            read.broken
        };
        if let Some((reason, bytes)) = broken {
            self.lose(message, reason, bytes, streams);
        }
    }

    fn wait(&mut self, message: &mut Message, id: u16, body: &[u8], streams: &mut Streams) {
        streams.at(message.stream).tally.unknown_template_sets += 1;
        let (at, key) = (message.stream, message.key);
        let judge = message.judge;
        let unread = *message.unread.get_or_insert_with(|| self.unread.open((at, judge), key, streams));
        let set = Set {
            stream: at,
            key,
            id,
            received_ms: message.received_ms,
            clock: message.clock,
            sequence: message.sequence,
            unread,
            bytes: body.into(),
        };
        if at == Streams::UNKNOWN || !self.waiting.keep(set) {
            return self.lose(message, Undecodable::WaitingFull, body.len(), streams);
        }
        message.unread_bytes += body.len();
        self.unread.wait(unread, body.len(), streams);
    }
}

/// Reads the records of an options set; gives back what of it cannot be read, and its bytes.
fn options(
    message: &mut Message,
    program: &Program,
    body: &[u8],
    ends: &mut Ends,
    facts: &mut Facts,
    declarations: &mut Declarations,
    streams: &mut Streams,
) -> Option<(Undecodable, usize)> {
    let at = message.stream;
    let tally = &mut streams.at(at).tally;
    let losses = declares(program);
    let news;
    let (count, broken) = if let Some(count) = body.len().checked_div(program.stride) {
        let records = Records::Fixed { data: body, stride: program.stride };
        news = facts.learn((at, &message.key), program, records, count, message.received_ms);
        if losses {
            declarations.learn(at, program, records, count, tally);
        }
        (count, (count == 0).then_some((Undecodable::SetTooShort, body.len())))
    } else {
        let walk = ends.walk(program, body, usize::MAX);
        let records = Records::Variable { data: body, ends };
        news = facts.learn((at, &message.key), program, records, walk.records, message.received_ms);
        if losses {
            declarations.learn(at, program, records, walk.records, tally);
        }
        (walk.records, walk.broken.then_some((Undecodable::FieldLength, body.len() - walk.bytes)))
    };
    message.clock.init_ms = facts.init_ms(at);
    if news {
        streams.change(at);
    } else {
        streams.repeat(at);
    }
    let tally = &mut streams.at(at).tally;
    message.records = message.records.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    tally.options_records += count as u64;
    broken
}
