//! UDP sockets: batches of datagrams with their receive time and the kernel's drop counter.
//!
//! One dual-stack socket a listener, read by `recvmmsg` with UDP_GRO into one shared area. Wake-ups are the
//! cost at normal rates: after a batch that was not full the receiver naps for at most half a millisecond and
//! never longer than a quarter of the time in which the receive buffer would fill, so that the next call
//! brings many. When nothing comes it blocks.

mod bind;
mod sys;

pub use bind::BindError;

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime};

use crds::config::ListenerConfig;
use socket2::Socket;

use self::sys::Area;

/// What each socket's receive buffer is asked to be.
pub const RECEIVE_BUFFER: usize = 64 << 20;

/// The longest nap.
const NAP: Duration = Duration::from_micros(500);

/// One listener's socket.
#[derive(Debug)]
struct Listener {
    name: String,
    socket: Socket,
    address: SocketAddr,
    buffer: usize,
    datagrams: u64,
    /// The kernel's drop counter when it was last read.
    drops_seen: u32,
}

/// What came over one listener since the last report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The listener's name.
    pub listener: String,
    /// Datagrams read.
    pub datagrams: u64,
    /// Datagrams that the kernel dropped because the buffer was full.
    pub kernel_drops: u64,
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

/// All listeners of an edge.
#[derive(Debug)]
pub struct Receiver {
    listeners: Vec<Listener>,
    area: Area,
    rate: Rate,
}

impl Receiver {
    /// Opens a socket for each listener, over IPv6 and IPv4 (IPv4 alone where the system has no IPv6).
    ///
    /// # Errors
    /// When a port is taken (names the holder where /proc tells it) or the system refuses.
    pub fn bind(configs: &[ListenerConfig]) -> Result<Self, BindError> {
        let listeners = configs.iter().map(bind::open).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { listeners, area: Area::new(), rate: Rate::new() })
    }

    /// The name, address and receive buffer in bytes of each listener.
    pub fn listeners(&self) -> impl Iterator<Item = (&str, SocketAddr, usize)> {
        self.listeners.iter().map(|listener| (listener.name.as_str(), listener.address, listener.buffer))
    }

    /// Waits at most `wait` for datagrams, then reads what is there, one batch from each socket, and gives
    /// each datagram to `each`. Returns how many there were.
    ///
    /// # Errors
    /// When the system refuses to read; a datagram that provoked an ICMP error is no such case.
    pub fn receive(&mut self, wait: Duration, mut each: impl FnMut(Packet<'_>)) -> std::io::Result<usize> {
        let ready =
            self.area.poll(self.listeners.iter().map(|listener| listener.socket.as_raw_fd()), wait)?;
        if ready == 0 {
            return Ok(0);
        }
        let mut total = 0;
        let mut full = false;
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            if !self.area.is_ready(index) {
                continue;
            }
            let read = read(&mut self.area, listener, index, &mut each)?;
            full |= read.full;
            total += read.datagrams;
        }
        self.rate.count(total);
        if !full {
            self.nap();
        }
        Ok(total)
    }

    /// What came since the last call, and what the kernel dropped.
    pub fn report(&mut self) -> Vec<Received> {
        let report = |listener: &mut Listener| {
            let drops = sys::drops(listener.socket.as_raw_fd()).unwrap_or(listener.drops_seen);
            let kernel_drops = u64::from(drops.wrapping_sub(listener.drops_seen));
            listener.drops_seen = drops;
            let datagrams = std::mem::take(&mut listener.datagrams);
            Received { listener: listener.name.clone(), datagrams, kernel_drops }
        };
        self.listeners.iter_mut().map(report).collect()
    }

    fn nap(&self) {
        let buffer = self.listeners.iter().map(|listener| listener.buffer).min().unwrap_or_default();
        let nap = self.rate.nap(buffer);
        if !nap.is_zero() {
            #[allow(clippy::disallowed_methods, reason = "the one nap: it saves a wake-up per datagram")]
            std::thread::sleep(nap);
        }
    }
}

struct Read {
    datagrams: usize,
    full: bool,
}

fn read(
    area: &mut Area,
    listener: &mut Listener,
    index: usize,
    each: &mut impl FnMut(Packet<'_>),
) -> std::io::Result<Read> {
    let messages = area.receive(listener.socket.as_raw_fd())?;
    let received_ms = unix_ms();
    let mut datagrams = 0;
    for message in 0..messages {
        let Some((from, payload, segment)) = area.message(message) else { continue };
        for payload in segments(payload, segment) {
            datagrams += 1;
            let from_ip = from.ip().to_canonical();
            let listener = u16::try_from(index).unwrap_or(u16::MAX);
            each(Packet { listener, from: from_ip, port: from.port(), received_ms, payload });
        }
    }
    listener.datagrams += datagrams as u64;
    Ok(Read { datagrams, full: messages == sys::MESSAGES })
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

/// Datagrams per second, over about the last second.
#[derive(Debug)]
struct Rate {
    since: Instant,
    count: usize,
    per_second: f64,
}

impl Rate {
    fn new() -> Self {
        Self { since: Instant::now(), count: 0, per_second: 0.0 }
    }

    fn count(&mut self, datagrams: usize) {
        self.count += datagrams;
        let elapsed = self.since.elapsed();
        if elapsed >= Duration::from_secs(1) {
            self.per_second = self.count as f64 / elapsed.as_secs_f64();
            self.since = Instant::now();
            self.count = 0;
        }
    }

    /// A quarter of the time in which `buffer` bytes fill with full-sized datagrams (2,304 bytes each in the
    /// kernel's account), at most [`NAP`].
    fn nap(&self, buffer: usize) -> Duration {
        if self.per_second < 1.0 {
            return NAP;
        }
        let fill = buffer as f64 / 2_304.0 / self.per_second;
        NAP.min(Duration::from_secs_f64((fill / 4.0).min(1.0)))
    }
}

#[cfg(test)]
mod tests;
