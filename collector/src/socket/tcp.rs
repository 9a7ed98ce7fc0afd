//! IPFIX over TCP (RFC 7011 10.4): connections, bounded in number, in memory and in time.
//!
//! A connection is read like a socket of datagrams: at most one area's message of bytes at a time, so that none
//! takes more than its turn. A peer that sends anything but IPFIX is reset, one that sends too slowly is closed,
//! and both are counted by the reason.

mod framing;

use std::io::{self, Read};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

use self::framing::{Framing, Garbage};
use super::{Peer, Received};

/// Connections of one receiver.
pub(super) const CONNECTIONS: usize = 128;

/// Those of them that one address may have.
const OF_ONE_ADDRESS: usize = 32;

/// Connections that are taken in one turn.
const A_TURN: usize = 16;

/// A peer has to send its first message, and to complete one that it began, within this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection without a message for so long is closed; the exporter opens another one when it has something to
/// say.
const IDLE: Duration = Duration::from_secs(3_600);

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Closed {
    /// The exporter ended it.
    Ended,
    /// The exporter ended it inside a message.
    EndedInside,
    /// The system gave it up.
    Reset,
    /// What came was not IPFIX.
    NotIpfix,
    /// A message's length was below that of its header.
    BadLength,
    /// No message came in the first minute.
    NoMessage,
    /// A message that had begun was not complete after a minute.
    Stalled,
    /// No message came for an hour.
    Idle,
    /// There were too many already; it was closed at once.
    TooMany,
}

impl Closed {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Ended,
        Self::EndedInside,
        Self::Reset,
        Self::NotIpfix,
        Self::BadLength,
        Self::NoMessage,
        Self::Stalled,
        Self::Idle,
        Self::TooMany,
    ];

    /// The name in reports and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::EndedInside => "ended_inside",
            Self::Reset => "reset",
            Self::NotIpfix => "not_ipfix",
            Self::BadLength => "bad_length",
            Self::NoMessage => "no_message",
            Self::Stalled => "stalled",
            Self::Idle => "idle",
            Self::TooMany => "too_many",
        }
    }
}

impl From<Garbage> for Closed {
    fn from(garbage: Garbage) -> Self {
        match garbage {
            Garbage::NotIpfix => Self::NotIpfix,
            Garbage::BadLength => Self::BadLength,
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: Peer,
    stream: TcpStream,
    framing: Framing,
    /// When the last message was complete, or the connection was taken.
    last: Instant,
    /// When the message began that is not complete.
    begun: Option<Instant>,
    spoke: bool,
}

/// What came of a turn.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) messages: usize,
    /// More may be there.
    pub(super) full: bool,
    pub(super) closed: Option<Closed>,
}

impl Connection {
    /// Reads once and gives every message that is complete to `each`.
    pub(super) fn read(&mut self, room: &mut [u8], now: Instant, mut each: impl FnMut(&[u8])) -> Turn {
        let closed = |reason| Turn { closed: Some(reason), ..Turn::default() };
        let bytes = match self.stream.read(room) {
            Ok(0) if self.framing.is_inside() => return closed(Closed::EndedInside),
            Ok(0) => return closed(Closed::Ended),
            Ok(bytes) => bytes,
            Err(error) if is_passing(&error) => return Turn::default(),
            Err(_) => return closed(Closed::Reset),
        };
        let mut turn = Turn { full: bytes == room.len(), ..Turn::default() };
        let fed = self.framing.feed(room.get(..bytes).unwrap_or_default(), |message| {
            turn.messages += 1;
            each(message);
        });
        if turn.messages > 0 {
            (self.last, self.spoke, self.begun) = (now, true, None);
        }
        self.begun = self.framing.is_inside().then(|| self.begun.unwrap_or(now));
        turn.closed = fed.err().map(Closed::from);
        turn
    }

    /// Whether its time is over.
    fn overdue(&self, now: Instant) -> Option<Closed> {
        let quiet = now.saturating_duration_since(self.last);
        match self.begun {
            Some(begun) if now.saturating_duration_since(begun) >= PATIENCE => Some(Closed::Stalled),
            _ if !self.spoke && quiet >= PATIENCE => Some(Closed::NoMessage),
            _ if quiet >= IDLE => Some(Closed::Idle),
            _ => None,
        }
    }
}

/// The connections of one receiver, by their places.
#[derive(Debug, Default)]
pub(super) struct Connections {
    places: Vec<Option<Connection>>,
    swept: Option<Instant>,
    /// Since the last report, by listener.
    counts: Vec<Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    messages: u64,
    closed: [u64; Closed::ALL.len()],
}

impl Connections {
    /// Takes what waits at a listener; `taken` is told the place and the connection, and says whether it can be
    /// waited for.
    pub(super) fn accept(
        &mut self,
        listener: u16,
        socket: &TcpListener,
        now: Instant,
        mut taken: impl FnMut(usize, &TcpStream) -> bool,
    ) -> io::Result<()> {
        for _ in 0..A_TURN {
            let (stream, peer) = match socket.accept() {
                Ok(accepted) => accepted,
                Err(error) if is_passing(&error) => return Ok(()),
                Err(error) => return Err(error),
            };
            let from = peer.ip().to_canonical();
            let place = self.place(from);
            let ready = |place: &usize| prepare(&stream).is_ok() && taken(*place, &stream);
            let Some(place) = place.filter(ready) else {
                self.count(listener, Closed::TooMany);
                continue;
            };
            self.places[place] = Some(Connection {
                peer: Peer { listener, from, port: peer.port() },
                stream,
                framing: Framing::default(),
                last: now,
                begun: None,
                spoke: false,
            });
        }
        Ok(())
    }

    /// A free place for a connection of this address.
    fn place(&mut self, from: IpAddr) -> Option<usize> {
        if self.iter().filter(|connection| connection.peer.from == from).count() >= OF_ONE_ADDRESS {
            return None;
        }
        if let Some(free) = self.places.iter().position(Option::is_none) {
            return Some(free);
        }
        if self.places.len() >= CONNECTIONS {
            return None;
        }
        self.places.push(None);
        Some(self.places.len() - 1)
    }

    pub(super) fn at(&mut self, place: usize) -> Option<&mut Connection> {
        self.places.get_mut(place)?.as_mut()
    }

    /// Closes a connection.
    pub(super) fn close(&mut self, place: usize, reason: Closed) {
        if let Some(connection) = self.places.get_mut(place).and_then(Option::take) {
            if matches!(reason, Closed::NotIpfix | Closed::BadLength) {
                // RFC 7011, 9: the peer shall see that this was no orderly end. It may be gone already.
                let _ = SockRef::from(&connection.stream).set_linger(Some(Duration::ZERO));
            }
            self.count(connection.peer.listener, reason);
        }
    }

    /// About once a second: closes the connections whose time is over.
    pub(super) fn sweep(&mut self, now: Instant, mut closed: impl FnMut(Peer)) {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < Duration::from_secs(1)) {
            return;
        }
        self.swept = Some(now);
        for place in 0..self.places.len() {
            let Some(connection) = self.at(place) else { continue };
            if let (peer, Some(reason)) = (connection.peer, connection.overdue(now)) {
                self.close(place, reason);
                closed(peer);
            }
        }
    }

    /// Adds what came over the connections of a listener since the last call.
    pub(super) fn report(&mut self, listener: u16, report: &mut Received) {
        let open = self.iter().filter(|connection| connection.peer.listener == listener).count();
        report.connections = u32::try_from(open).unwrap_or(u32::MAX);
        let Some(counts) = self.counts.get_mut(usize::from(listener)).map(std::mem::take) else { return };
        report.packets += counts.messages;
        report.closed = counts.closed;
    }

    /// Counts messages of a listener's connections.
    pub(super) fn count_messages(&mut self, listener: u16, messages: usize) {
        self.counts(listener).messages += messages as u64;
    }

    fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.places.iter().flatten()
    }

    fn count(&mut self, listener: u16, reason: Closed) {
        self.counts(listener).closed[reason as usize] += 1;
    }

    fn counts(&mut self, listener: u16) -> &mut Counts {
        let at = usize::from(listener);
        if self.counts.len() <= at {
            self.counts.resize(at + 1, Counts::default());
        }
        &mut self.counts[at]
    }
}

/// A peer that is gone without a word is found out by the kernel, within hours at the latest.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_keepalive(true)?;
    stream.set_nonblocking(true)
}

/// Whether another try may succeed: nothing is there, or what was there has gone.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted)
}

#[cfg(test)]
mod tests;
