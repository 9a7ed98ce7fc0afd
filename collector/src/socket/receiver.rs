//! What one thread reads: some lanes of every UDP listener, some TCP listeners and their connections.

use std::io;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crds::config::Transport;

use super::lane::Lane;
use super::nap::Nap;
use super::sys::Area;
use super::tcp::{Connections, Turn};
use super::wait::{Wait, Waker};
use super::{BindError, Event, Packet, Received, unix_ms};

/// What a token stands for: its high half says which of these, its low half the index.
const LANE: u64 = 0;
const LISTENER: u64 = 1 << 32;
const CONNECTION: u64 = 2 << 32;

/// The sockets that one thread reads.
#[derive(Debug)]
pub struct Receiver {
    listeners: usize,
    pub(super) lanes: Vec<Lane>,
    buffer: usize,
    tcp: Vec<(u16, TcpListener)>,
    connections: Connections,
    wait: Wait,
    area: Area,
    nap: Nap,
}

/// What one pass over the ready sockets brought.
#[derive(Default)]
struct Pass {
    /// More may be there.
    full: bool,
    failed: Option<io::Error>,
}

impl Receiver {
    pub(super) fn new(listeners: usize) -> Result<Self, BindError> {
        Ok(Self {
            listeners,
            lanes: Vec::new(),
            buffer: usize::MAX,
            tcp: Vec::new(),
            connections: Connections::default(),
            wait: Wait::new()?,
            area: Area::new(),
            nap: Nap::new(),
        })
    }

    /// Reads this lane too, whose receive buffer has `buffer` bytes.
    pub(super) fn add_lane(&mut self, lane: Lane, buffer: usize) -> Result<(), BindError> {
        self.wait.add(&lane.socket, LANE | self.lanes.len() as u64)?;
        self.lanes.push(lane);
        self.buffer = self.buffer.min(buffer);
        Ok(())
    }

    /// Takes this listener's connections too.
    pub(super) fn add_tcp(&mut self, listener: u16, socket: TcpListener) -> Result<(), BindError> {
        self.wait.add(&socket, LISTENER | self.tcp.len() as u64)?;
        self.tcp.push((listener, socket));
        Ok(())
    }

    /// Ends the wait of [`Receiver::receive`] from another thread.
    pub fn waker(&self) -> Waker {
        self.wait.waker()
    }

    /// Waits at most `wait`, then reads what is there, one batch from each socket and one buffer from each
    /// connection, and gives it to `each`. Returns how many sockets had something: 0 when the kernel holds nothing more.
    ///
    /// # Errors
    /// When the system refuses to read a socket; the others have been read all the same. A datagram that
    /// provoked an ICMP error is no such case.
    pub fn receive(&mut self, wait: Duration, mut each: impl FnMut(Event<'_>)) -> io::Result<usize> {
        let ready = self.wait.wait(wait)?;
        let mut pass = Pass::default();
        for index in 0..ready {
            let Some(token) = self.wait.token(index) else { continue };
            let at = (token & u64::from(u32::MAX)) as usize;
            match token & !u64::from(u32::MAX) {
                LANE => self.read_lane(at, &mut pass, &mut each),
                LISTENER => self.accept(at, &mut pass),
                _ => self.read_connection(at, &mut pass, &mut each),
            }
        }
        if !self.tcp.is_empty() {
            self.connections.sweep(Instant::now(), |peer| each(Event::Closed(peer)));
        }
        if ready > 0 && !pass.full {
            self.nap();
        }
        pass.failed.map_or(Ok(ready), Err)
    }

    /// What came over each listener since the last call, and what was lost.
    pub fn report(&mut self) -> Vec<Received> {
        let mut reports = vec![Received::default(); self.listeners];
        for lane in &mut self.lanes {
            let Some(report) = reports.get_mut(usize::from(lane.listener)) else { continue };
            report.packets += lane.take_datagrams();
            report.kernel_drops[lane.number] += lane.take_drops();
        }
        for (listener, _) in &self.tcp {
            if let Some(report) = reports.get_mut(usize::from(*listener)) {
                self.connections.report(*listener, report);
            }
        }
        reports
    }

    fn read_lane(&mut self, at: usize, pass: &mut Pass, each: &mut impl FnMut(Event<'_>)) {
        let Some(lane) = self.lanes.get_mut(at) else { return };
        match lane.read(&mut self.area, each) {
            Ok(full) => pass.full |= full,
            Err(error) => pass.failed = Some(error),
        }
    }

    fn accept(&mut self, at: usize, pass: &mut Pass) {
        let Some((listener, socket)) = self.tcp.get(at) else { return };
        let wait = &self.wait;
        let taken = |place: usize, stream: &_| wait.add(stream, CONNECTION | place as u64).is_ok();
        if let Err(error) = self.connections.accept(*listener, socket, Instant::now(), taken) {
            pass.failed = Some(error);
        }
    }

    fn read_connection(&mut self, place: usize, pass: &mut Pass, each: &mut impl FnMut(Event<'_>)) {
        let Some(connection) = self.connections.at(place) else { return };
        let (room, received_ms) = (self.area.room(), unix_ms());
        let peer = connection.peer;
        let turn = connection.read(room, Instant::now(), |payload| {
            each(Event::Packet(Packet { peer, transport: Transport::Tcp, received_ms, payload }));
        });
        let Turn { messages, full, closed } = turn;
        self.connections.count_messages(peer.listener, messages);
        pass.full |= full;
        if let Some(reason) = closed {
            self.connections.close(place, reason);
            each(Event::Closed(peer));
        }
    }

    fn nap(&mut self) {
        let Self { lanes, nap, .. } = self;
        nap.measure(Instant::now(), || lanes.iter_mut().map(Lane::take_recent).max().unwrap_or(0));
        let length = nap.length(self.buffer);
        if !length.is_zero() {
            #[allow(clippy::disallowed_methods, reason = "the one nap: it saves a wake-up per datagram")]
            std::thread::sleep(length);
        }
    }
}
