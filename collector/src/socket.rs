//! Sockets: batches of datagrams with their receive time and the kernel's drop counters.
//!
//! Each listener has eight dual-stack sockets on its port, and the source address alone decides which of them
//! gets a datagram ([`lane`]): a loud exporter fills its own socket's buffer and no other's, and everything of
//! an exporter passes one thread. A [`Receiver`] is what one thread reads: some lanes of every listener, by
//! `recvmmsg` with UDP_GRO into one area that they share. It naps when a batch was not full, so that the next
//! call brings many, and blocks when nothing comes.

mod bind;
mod holder;
mod nap;
mod steer;
mod sys;
mod wait;

pub use bind::BindError;
pub use steer::{LANES, lane};
pub use wait::Waker;

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime};

use crds::config::ListenerConfig;
use socket2::Socket;

use self::nap::Nap;
use self::sys::Area;
use self::wait::Wait;

/// A listener that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The listener's name.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// What each of its sockets' receive buffers became, in bytes of the kernel's account.
    pub buffer: usize,
}

/// What came over the sockets of one listener since the last report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Datagrams read.
    pub datagrams: u64,
    /// Datagrams that the kernel dropped because a socket's buffer was full, by lane.
    pub kernel_drops: [u64; LANES],
}

/// One datagram as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Index of the listener.
    pub listener: u16,
    /// Who sent it; IPv4-mapped addresses are unmapped.
    pub from: IpAddr,
    /// From which UDP port.
    pub port: u16,
    /// Unix milliseconds when its batch was read.
    pub received_ms: u64,
    /// What it carries.
    pub payload: &'a [u8],
}

/// One socket of a listener.
#[derive(Debug)]
struct Lane {
    listener: u16,
    lane: usize,
    socket: Socket,
    datagrams: u64,
    /// Datagrams since the nap was last measured.
    recent: u64,
    /// The kernel's drop counter when it was last read.
    drops_seen: u32,
}

/// The sockets that one thread reads.
#[derive(Debug)]
pub struct Receiver {
    listeners: usize,
    lanes: Vec<Lane>,
    buffer: usize,
    wait: Wait,
    area: Area,
    nap: Nap,
}

/// Opens the sockets of every listener and deals them out to `workers` receivers, 1 to [`LANES`]: lane `n` of
/// every listener goes to receiver `n % workers`. Asks for receive buffers of `buffer` bytes.
///
/// # Errors
/// When a port is taken (names the holder where /proc tells it) or the system refuses.
pub fn open(
    configs: &[ListenerConfig],
    buffer: usize,
    workers: usize,
) -> Result<(Vec<Bound>, Vec<Receiver>), BindError> {
    let workers = workers.clamp(1, LANES);
    let empty = |_| Receiver::new(configs.len());
    let mut receivers = (0..workers).map(empty).collect::<Result<Vec<_>, _>>()?;
    let mut bound = Vec::with_capacity(configs.len());
    for (index, config) in configs.iter().enumerate() {
        let group = bind::open(config, buffer)?;
        bound.push(Bound { name: config.name.clone(), address: group.address, buffer: group.buffer });
        let listener = u16::try_from(index).unwrap_or(u16::MAX);
        for (lane, socket) in group.sockets.into_iter().enumerate() {
            receivers[lane % workers].add(listener, lane, socket, group.buffer)?;
        }
    }
    Ok((bound, receivers))
}

/// Which of `workers` receivers gets what `exporter` sends.
pub fn owner(exporter: IpAddr, workers: usize) -> usize {
    lane(exporter) % workers.clamp(1, LANES)
}

impl Receiver {
    fn new(listeners: usize) -> Result<Self, BindError> {
        Ok(Self {
            listeners,
            lanes: Vec::new(),
            buffer: usize::MAX,
            wait: Wait::new()?,
            area: Area::new(),
            nap: Nap::new(),
        })
    }

    fn add(&mut self, listener: u16, lane: usize, socket: Socket, buffer: usize) -> Result<(), BindError> {
        self.wait.add(&socket, self.lanes.len() as u64)?;
        let drops_seen = sys::drops(socket.as_raw_fd()).unwrap_or_default();
        self.lanes.push(Lane { listener, lane, socket, datagrams: 0, recent: 0, drops_seen });
        self.buffer = self.buffer.min(buffer);
        Ok(())
    }

    /// Ends the wait of [`Receiver::receive`] from another thread.
    pub fn waker(&self) -> Waker {
        self.wait.waker()
    }

    /// Waits at most `wait` for datagrams, then reads what is there, one batch from each socket, and gives
    /// each datagram to `each`. Returns how many there were.
    ///
    /// # Errors
    /// When the system refuses to read a socket; the others have been read all the same. A datagram that
    /// provoked an ICMP error is no such case.
    pub fn receive(&mut self, wait: Duration, mut each: impl FnMut(Packet<'_>)) -> std::io::Result<usize> {
        let ready = self.wait.wait(wait)?;
        let (mut total, mut full, mut failed) = (0, false, Ok(()));
        for index in 0..ready {
            let lane = self.wait.token(index).and_then(|token| usize::try_from(token).ok());
            let Some(lane) = lane.and_then(|at| self.lanes.get_mut(at)) else { continue };
            match lane.read(&mut self.area, &mut each) {
                Ok(read) => {
                    full |= read.full;
                    total += read.datagrams;
                }
                Err(error) => failed = Err(error),
            }
        }
        if ready > 0 && !full {
            self.nap();
        }
        failed.map(|()| total)
    }

    /// What came over each listener since the last call, and what the kernel dropped.
    pub fn report(&mut self) -> Vec<Received> {
        let mut reports = vec![Received::default(); self.listeners];
        for lane in &mut self.lanes {
            let Some(report) = reports.get_mut(usize::from(lane.listener)) else { continue };
            report.datagrams += std::mem::take(&mut lane.datagrams);
            report.kernel_drops[lane.lane] += lane.drops();
        }
        reports
    }

    fn nap(&mut self) {
        let Self { lanes, nap, .. } = self;
        nap.measure(Instant::now(), || {
            lanes.iter_mut().map(|lane| std::mem::take(&mut lane.recent)).max().unwrap_or(0)
        });
        let length = nap.length(self.buffer);
        if !length.is_zero() {
            #[allow(clippy::disallowed_methods, reason = "the one nap: it saves a wake-up per datagram")]
            std::thread::sleep(length);
        }
    }
}

struct Read {
    datagrams: usize,
    full: bool,
}

impl Lane {
    fn read(&mut self, area: &mut Area, each: &mut impl FnMut(Packet<'_>)) -> std::io::Result<Read> {
        let messages = area.receive(self.socket.as_raw_fd())?;
        let received_ms = unix_ms();
        let mut datagrams = 0;
        for message in 0..messages {
            let Some((from, payload, segment)) = area.message(message) else { continue };
            for payload in segments(payload, segment) {
                datagrams += 1;
                let from_ip = from.ip().to_canonical();
                each(Packet {
                    listener: self.listener,
                    from: from_ip,
                    port: from.port(),
                    received_ms,
                    payload,
                });
            }
        }
        self.datagrams += datagrams as u64;
        self.recent += datagrams as u64;
        Ok(Read { datagrams, full: messages == sys::MESSAGES })
    }

    /// Datagrams dropped since the last call.
    fn drops(&mut self) -> u64 {
        let drops = sys::drops(self.socket.as_raw_fd()).unwrap_or(self.drops_seen);
        u64::from(drops.wrapping_sub(std::mem::replace(&mut self.drops_seen, drops)))
    }
}

/// Splits what UDP_GRO merged; an empty datagram is one too.
fn segments(payload: &[u8], segment: usize) -> impl Iterator<Item = &[u8]> {
    let size = if segment == 0 { payload.len().max(1) } else { segment };
    let empty = payload.is_empty().then_some(payload);
    payload.chunks(size).chain(empty)
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
