//! Datagrams become rows of a batch.
//!
//! A [`Decoder`] owns everything that outlives a datagram: streams with their sequence numbers, templates, what
//! options told. It is synchronous, does no I/O and never panics whatever it is given; what it cannot read it
//! counts, by reason, on the stream that sent it.

mod counters;
mod decapsulation;
mod declared;
mod execute;
mod extras;
mod facts;
mod fields;
mod finish;
mod habit;
mod list;
mod normalize;
mod output;
mod packet;
mod program;
mod reader;
mod reason;
mod records;
mod resume;
mod sampling;
mod section;
mod segments;
mod sequence;
mod sets;
mod sflow;
mod shown;
mod stated;
mod streams;
mod tally;
mod template;
mod templates;
mod unread;
mod v5;
mod vendor;
mod waiting;

pub use reason::{Rejected, Undecodable};
pub use streams::Limits;

use std::net::IpAddr;

use crds::config::{ListenerConfig, Protocol as Accepts, SourceConfig};

use crate::flow::{Batch, Protocol};
use crate::slot::{StreamFacts, StreamKey, StreamReport};
use decapsulation::Decapsulation;
use output::{Origin, Output};
use reason::Refused;
use sequence::Watermark;
use sets::Sets;
use streams::{Evicted, Key, Streams};

/// One UDP datagram as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Index of the listener in the configuration.
    pub listener: u16,
    /// What the listener takes.
    pub accepts: Accepts,
    /// The UDP source address; IPv4-mapped addresses are unmapped.
    pub exporter: IpAddr,
    /// The UDP source port.
    pub port: u16,
    /// Unix milliseconds when it was read.
    pub received_ms: u64,
    /// The UDP payload.
    pub payload: &'a [u8],
}

impl Datagram<'_> {
    fn key(&self, protocol: Protocol, domain: u32) -> Key {
        Key {
            listener: self.listener,
            exporter: self.exporter,
            port: self.port,
            protocol,
            domain,
            agent: None,
        }
    }

    fn origin(&self, key: &Key, stream: u32, export_ms: u64) -> Origin {
        Origin {
            protocol: key.protocol,
            stream,
            listener: self.listener,
            exporter: self.exporter,
            port: self.port,
            agent: key.agent,
            domain: key.domain,
            received_ms: self.received_ms,
            export_ms,
        }
    }
}

/// Streams whose facts are reported at once; the others follow at the next cuts.
const FACTS: usize = 256;
/// No further stream is added to a report of so many bytes.
const FACT_BYTES: usize = 1 << 20;

/// Turns datagrams into rows; one owner, no lock: all datagrams of an exporter go to the same decoder.
#[derive(Debug)]
pub struct Decoder {
    streams: Streams,
    sets: Sets,
    sflow: sflow::State,
    decapsulation: Decapsulation,
    expired_ms: u64,
    refused: Vec<Refused>,
    /// Streams whose facts were reported and are void.
    ended: Vec<Key>,
}

impl Decoder {
    /// A decoder that knows nobody yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            streams: Streams::new(limits),
            sets: Sets::new(limits.memory),
            sflow: sflow::State::default(),
            decapsulation: Decapsulation::default(),
            expired_ms: 0,
            refused: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// A decoder of IPFIX over TCP: what a connection announced is for that connection alone (RFC 7011 8.1), until
    /// [`Decoder::close`].
    pub fn of_connections(limits: Limits) -> Self {
        let mut decoder = Self::new(limits);
        decoder.sets.keep_apart();
        decoder
    }

    /// Ends a connection: its streams with their templates, and what its options told.
    pub fn close(&mut self, listener: u16, exporter: IpAddr, port: u16) {
        for (stream, key) in self.streams.close(listener, exporter, port) {
            if self.streams.at(stream).was_told() {
                self.ended.push(key);
            }
            let open = self.streams.at(stream).sequence.close_open();
            self.sets.forget(&Evicted { at: stream, key, open }, &mut self.streams);
        }
    }

    /// Decodes a datagram into `batch`. `full` consumes the batch whenever it has no room left.
    pub fn decode(&mut self, datagram: &Datagram<'_>, batch: &mut Batch, full: &mut dyn FnMut(&mut Batch)) {
        let mut output = Output::new(batch, full);
        let mut rest = match self.message(datagram, datagram.payload, &mut output) {
            Ok(rest) => rest,
            Err(reason) => return self.refuse(datagram.listener, reason),
        };
        while !rest.is_empty() {
            match self.message(datagram, rest, &mut output) {
                Ok(more) => rest = more,
                Err(_) => return self.streams.count_trailing(),
            }
        }
    }

    /// Exporters within the prefixes of these sources keep their place whatever strangers send, their sampled packets
    /// come without the tunnels that the source wants taken off, and a source's `sequence` says what their sequence
    /// numbers count.
    pub fn set_sources(&mut self, listeners: &[ListenerConfig], sources: &[SourceConfig]) {
        self.decapsulation = Decapsulation::new(listeners, sources);
        self.streams.set_sources(listeners, sources);
    }

    /// What happened since the last call: streams on which something came (their `source` left empty), and for
    /// each listener the datagrams that belong to no stream, by reason.
    pub fn take_reports(
        &mut self,
        listeners: &[ListenerConfig],
    ) -> (Vec<StreamReport>, Vec<Vec<(String, u64)>>) {
        let names: Vec<&str> = listeners.iter().map(|listener| listener.name.as_str()).collect();
        self.refused.resize(self.refused.len().max(listeners.len()), Refused::default());
        let refused = self.refused.iter_mut().map(|refused| std::mem::take(refused).report()).collect();
        let touched = self.streams.touched().to_vec();
        let mut reports = self.streams.take_reports(&names);
        self.sflow.report(&touched, &mut reports);
        (reports, refused)
    }

    /// Gives up what waited too long for its template. To be called about once a second, traffic or not.
    pub fn tick(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.expired_ms) >= 1000 {
            self.expired_ms = now_ms;
            self.sets.expire(now_ms, &mut self.streams);
        }
    }

    /// Gives up everything that waits: nothing more will come. What still wants a template, or a later sequence
    /// number to be counted by, is lost.
    pub fn finish(&mut self) {
        self.sets.close(&mut self.streams);
    }

    /// Continues the sequences that an earlier run of the edge reported, so that what the streams sent while it
    /// was down is told as missing.
    pub fn restore_watermarks<'a>(
        &mut self,
        listeners: &[ListenerConfig],
        reports: impl IntoIterator<Item = &'a StreamReport>,
    ) {
        for report in reports {
            if let Some(key) = key(listeners, &report.key) {
                let StreamReport { last_seen_ms, next_sequence, nonstandard, epoch, waiting, .. } = *report;
                let mark = Watermark { next: next_sequence, last_ms: last_seen_ms, nonstandard, epoch };
                self.streams.expect(key, mark, waiting);
            }
        }
    }

    /// What is known of the streams about which something changed since the last call, or was repeated after a
    /// while: their templates and what their options told. Of those that have ended: nothing.
    pub fn take_facts(&mut self, listeners: &[ListenerConfig]) -> Vec<StreamFacts> {
        let names: Vec<&str> = listeners.iter().map(|listener| listener.name.as_str()).collect();
        let changed = self.streams.take_changed(FACTS, &names).into_iter();
        let name = |key: &Key| names.get(usize::from(key.listener)).copied().unwrap_or("unknown");
        let ended = self.ended.drain(..).map(|key| StreamFacts::new(key.named(name(&key)), 0, None));
        let (mut taken, mut bytes) = (ended.collect::<Vec<_>>(), 0);
        for (at, facts) in changed {
            if bytes > FACT_BYTES {
                self.streams.change(at);
                continue;
            }
            let facts = self.sets.facts(at, facts);
            bytes += facts.cost();
            taken.push(facts);
        }
        taken
    }

    /// Gives back what an earlier run of the edge reported; each stream uses it only if it goes on as it was, by
    /// the watermarks that were restored too.
    pub fn restore_facts(
        &mut self,
        listeners: &[ListenerConfig],
        facts: impl IntoIterator<Item = StreamFacts>,
    ) {
        for facts in facts {
            if let Some(key) = key(listeners, &facts.key) {
                self.sets.keep(key, facts);
            }
        }
    }

    /// What connections of an earlier run of the edge taught is void: they ended with it.
    pub fn end_facts<'a>(
        &mut self,
        listeners: &[ListenerConfig],
        facts: impl IntoIterator<Item = &'a StreamFacts>,
    ) {
        self.ended.extend(facts.into_iter().filter_map(|facts| key(listeners, &facts.key)));
    }

    /// Decodes one message and gives back the bytes that follow it.
    fn message<'a>(
        &mut self,
        datagram: &Datagram<'_>,
        payload: &'a [u8],
        output: &mut Output<'_>,
    ) -> Result<&'a [u8], Rejected> {
        let protocol = protocol(payload)?;
        if !takes(datagram.accepts, protocol) {
            return Err(Rejected::WrongProtocol);
        }
        if let Some(gone) = self.streams.take_evicted() {
            self.sets.forget(&gone, &mut self.streams);
        }
        match protocol {
            Protocol::NetFlow5 | Protocol::NetFlow7 => {
                v5::decode(protocol, datagram, payload, &mut self.streams, output)
            }
            Protocol::SFlow5 => {
                self.sflow.decapsulate = self.decapsulation.of(datagram.listener, datagram.exporter);
                sflow::decode(datagram, payload, &mut self.streams, &mut self.sflow, output)
            }
            Protocol::NetFlow9 | Protocol::Ipfix => {
                self.sets.decapsulate = self.decapsulation.of(datagram.listener, datagram.exporter);
                self.sets.decode(protocol, datagram, payload, &mut self.streams, output)
            }
        }
    }

    fn refuse(&mut self, listener: u16, reason: Rejected) {
        let at = usize::from(listener);
        if self.refused.len() <= at {
            self.refused.resize(at + 1, Refused::default());
        }
        self.refused[at].count(reason);
    }
}

/// The key of a stream that an earlier run reported; none when its listener is no more.
fn key(listeners: &[ListenerConfig], key: &StreamKey) -> Option<Key> {
    let listener = listeners.iter().position(|listener| listener.name == key.listener)?;
    let listener = u16::try_from(listener).ok()?;
    let protocol = Protocol::named(&key.protocol)?;
    let (exporter, port, domain, agent) = (key.exporter, key.port, key.domain, key.agent);
    Some(Key { listener, exporter, port, protocol, domain, agent })
}

/// What a payload is, by its version word: two bytes in NetFlow and IPFIX, four in sFlow.
fn protocol(payload: &[u8]) -> Result<Protocol, Rejected> {
    match payload.first_chunk::<4>().ok_or(Rejected::TooShort)? {
        [0, 5, ..] => Ok(Protocol::NetFlow5),
        [0, 7, ..] => Ok(Protocol::NetFlow7),
        [0, 9, ..] => Ok(Protocol::NetFlow9),
        [0, 10, ..] => Ok(Protocol::Ipfix),
        [0, 0, 0, 5] => Ok(Protocol::SFlow5),
        _ => Err(Rejected::UnknownVersion),
    }
}

fn takes(accepts: Accepts, protocol: Protocol) -> bool {
    match accepts {
        Accepts::Auto => true,
        Accepts::NetFlow => protocol != Protocol::SFlow5,
        Accepts::Ipfix => protocol == Protocol::Ipfix,
        Accepts::SFlow => protocol == Protocol::SFlow5,
    }
}
