//! sFlow version 5 (sFlow.org, "sFlow Version 5", and "sFlow Dropped Packet Notification Structures").
//!
//! A datagram holds samples, a sample holds records. Every flow sample that describes a packet becomes one row;
//! a notification of a dropped packet becomes an event without counters. Counter samples are counted, and tell of
//! interfaces.

mod columns;
mod counters;
mod extended;
mod interface;
mod interfaces;
mod records;
mod sample;
mod sources;

use std::net::IpAddr;

use super::Datagram;
use super::habit::Held;
use super::output::{Origin, Output};
use super::packet::Tunnels;
use super::reader::Reader;
use super::reason::{Rejected, Undecodable};
use super::sequence::Arrival;
use super::streams::{Key, Stream, Streams};
use crate::flow::{Protocol, SamplingFrom, TimeFrom};
use crate::slot::StreamReport;
use counters::Counters;
use interfaces::{Came, Interfaces};
use sample::{Kind, Sample};
use sources::Sources;

/// The most samples that one UDP datagram can hold: each has a format and a length.
const MOST: u32 = 65_507 / 8;

/// How many samples are read before their columns are written.
const CHUNK: usize = 64;

/// Sample formats of enterprise 0.
const FLOW: u32 = 1;
const COUNTERS: u32 = 2;
const EXPANDED_FLOW: u32 = 3;
const EXPANDED_COUNTERS: u32 = 4;
const DISCARDED: u32 = 5;

/// What is kept between datagrams: memory to reuse, and where each data source's samples are.
#[derive(Debug, Default)]
pub(super) struct State {
    samples: Vec<Sample>,
    /// How many of them are read and not yet written.
    filled: usize,
    text: String,
    /// The tunnels to take off the packets that this exporter sampled.
    pub(super) decapsulate: Tunnels,
    sources: Sources,
    interfaces: Interfaces,
}

impl State {
    /// Puts what changed of interfaces into the reports of the streams with these indexes.
    pub(super) fn report(&mut self, streams: &[u32], reports: &mut [StreamReport]) {
        self.interfaces.report(streams, reports);
    }
}

struct Header {
    agent: Option<IpAddr>,
    sub_agent: u32,
    sequence: u32,
    samples: u32,
}

impl Header {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let _version = reader.u32()?;
        let agent = records::address(reader)?;
        let sub_agent = reader.u32()?;
        let sequence = reader.u32()?;
        let _uptime = reader.u32()?;
        let samples = reader.u32()?.min(MOST);
        Some(Self { agent, sub_agent, sequence, samples })
    }
}

/// Decodes one datagram. Nothing may follow its samples, so there is no rest.
pub(super) fn decode<'a>(
    datagram: &Datagram<'_>,
    payload: &'a [u8],
    streams: &mut Streams,
    state: &mut State,
    output: &mut Output<'_>,
) -> Result<&'a [u8], Rejected> {
    let mut reader = Reader::new(payload);
    let header = Header::read(&mut reader).ok_or(Rejected::TooShort)?;
    let key = Key { agent: header.agent, ..datagram.key(Protocol::SFlow5, header.sub_agent) };
    let at = streams.find(key, datagram.received_ms);
    let stream = streams.at(at);
    let (arrival, mark) = stream.arrive(payload, header.sequence, header.samples);
    if arrival == Arrival::Duplicate {
        return Ok(&[]);
    }
    stream.settle(arrival, mark, Held::flows(header.samples));
    stream.tally.records_received += i64::from(header.samples);
    let origin = datagram.origin(&key, at, datagram.received_ms);
    let agent = state.sources.agent(&key);
    let before = (stream.tally.samples, stream.tally.samples_missing);
    let late = stream.sequence.unit().is_judged().then_some(arrival == Arrival::Late);
    let came = Came { stream: at, agent, trusted: stream.is_trusted(), received_ms: datagram.received_ms };
    Walk { reader, left: header.samples, late, stream, state, came, origin, output }.run();
    let stream = streams.at(at);
    let (samples, missing) = (stream.tally.samples - before.0, stream.tally.samples_missing - before.1);
    stream.sequence.weigh(samples, missing, &mut stream.tally);
    Ok(&[])
}

/// The walk over the samples of one datagram.
struct Walk<'a, 'o> {
    reader: Reader<'a>,
    /// Samples that the header promised and that were not seen yet.
    left: u32,
    /// The datagram came after a later one, if its number tells.
    late: Option<bool>,
    stream: &'a mut Stream,
    state: &'a mut State,
    /// From which agent, and when.
    came: Came,
    origin: Origin,
    output: &'a mut Output<'o>,
}

impl Walk<'_, '_> {
    fn run(mut self) {
        self.state.samples.resize_with(CHUNK, Sample::default);
        self.state.filled = 0;
        let mut room = self.output.room(CHUNK);
        while self.left > 0 {
            let Some((format, body)) = tagged(&mut self.reader) else {
                let absent = std::mem::take(&mut self.left);
                self.count(Undecodable::Truncated, absent);
                return self.write();
            };
            self.left -= 1;
            self.take(format, body);
            if self.state.filled == room {
                self.write();
                room = self.output.room(CHUNK);
            }
        }
        self.write();
        if self.left == 0 && self.reader.len() > 0 {
            self.stream.tally.fault(Undecodable::TrailingBytes);
        }
    }

    fn take(&mut self, format: u32, body: &[u8]) {
        let State { samples, filled, text, sources, interfaces, decapsulate } = &mut *self.state;
        let Some(sample) = samples.get_mut(*filled) else { return };
        sample.packet.decapsulate = *decapsulate;
        let batch = &mut *self.output.batch;
        let read = match format {
            FLOW => sample.flow(body, text, batch),
            EXPANDED_FLOW => sample.expanded_flow(body, text, batch),
            DISCARDED => sample.discarded(body, text, batch),
            COUNTERS | EXPANDED_COUNTERS => {
                let Some(counters) = Counters::read(body, format == EXPANDED_COUNTERS) else {
                    return self.count(Undecodable::MalformedSample, 1);
                };
                let who = sources.who(self.came.agent, counters.source);
                interfaces.counters(who, &counters, self.came);
                self.stream.tally.options_records += 1;
                return;
            }
            _ => return self.count(Undecodable::UnknownSample, 1),
        };
        if read.is_none() {
            return self.count(Undecodable::MalformedSample, 1);
        }
        let tally = &mut self.stream.tally;
        tally.skipped_records += u64::from(sample.skipped);
        if let Some(taken) = &sample.taken
            && let Some((who, place)) = sources.count(self.came.agent, taken, self.late, tally)
        {
            interfaces.flow(who, taken.source, place, &sample.seen(taken), self.came);
        }
        if sample.is_record() {
            *filled += 1;
        } else {
            self.count(Undecodable::UnknownSample, 1);
        }
    }

    /// Writes the samples read so far, in runs of one kind.
    fn write(&mut self) {
        let samples = self.state.samples.get(..self.state.filled).unwrap_or_default();
        for alike in samples.chunk_by(|one, next| one.kind == next.kind) {
            let Some(first) = alike.first() else { continue };
            let mut run = self.origin.run(self.output.batch.len(), alike.len());
            run.time_from = TimeFrom::Received;
            if first.kind == Kind::Rated {
                run.sampling_from = SamplingFrom::Header;
                self.stream.sampling_rate = Some(first.rate);
            }
            columns::write(alike, &mut run, self.output.batch);
            self.output.batch.push_run(run);
        }
        self.stream.tally.records += samples.len() as u64;
        self.state.filled = 0;
    }

    fn count(&mut self, reason: Undecodable, count: u32) {
        self.stream.tally.lose(reason, count);
    }
}

/// The next sample or record: its format with the enterprise in the upper 20 bits, and its body.
fn tagged<'a>(reader: &mut Reader<'a>) -> Option<(u32, &'a [u8])> {
    let format = reader.u32()?;
    let length = reader.u32()?;
    Some((format, reader.take(length as usize)?))
}

#[cfg(test)]
mod tests;
