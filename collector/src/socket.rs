//! Sockets: batches of datagrams with their receive time and the kernel's drop counters; IPFIX over TCP.
//!
//! Each UDP listener has eight dual-stack sockets on its port, and the source address alone decides which of
//! them gets a datagram ([`lane`]): a loud exporter fills its own socket's buffer and no other's, and everything
//! of an exporter passes one thread. A [`Receiver`] is what one thread reads: some lanes of every listener, by
//! `recvmmsg` with UDP_GRO into one area that they share, and the connections of some TCP listeners. It naps
//! when a batch was not full, so that the next call brings many, and blocks when nothing comes.

mod bind;
mod holder;
mod lane;
mod nap;
mod receiver;
mod steer;
mod sys;
mod tcp;
mod wait;

pub use bind::BindError;
pub use receiver::Receiver;
pub use steer::{LANES, lane};
pub use tcp::Closed;
pub use wait::Waker;

use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use crds::config::{ListenerConfig, Transport};

use self::lane::Lane;

/// A listener that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The listener's name.
    pub name: String,
    /// UDP or TCP.
    pub transport: Transport,
    /// Where it listens.
    pub address: SocketAddr,
    /// UDP: what each of its sockets' receive buffers became, in bytes of the kernel's account.
    pub buffer: Option<usize>,
}

/// What came over one listener since the last report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Datagrams, or messages of connections, read.
    pub packets: u64,
    /// Datagrams that the kernel dropped because a socket's buffer was full, by lane.
    pub kernel_drops: [u64; LANES],
    /// Connections that are open.
    pub connections: u32,
    /// Connections that were closed, in the order of [`Closed::ALL`].
    pub closed: [u64; Closed::ALL.len()],
}

/// What a receiver gives.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A datagram, or a message of a connection.
    Packet(Packet<'a>),
    /// A connection has ended: its templates are void.
    Closed(Peer),
}

/// Who sends to which listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// Index of the listener.
    pub listener: u16,
    /// Who sends; IPv4-mapped addresses are unmapped.
    pub from: IpAddr,
    /// From which port.
    pub port: u16,
}

/// One datagram as it was read, or one message of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Who sent it.
    pub peer: Peer,
    /// Over what it came.
    pub transport: Transport,
    /// Unix milliseconds when its batch was read.
    pub received_ms: u64,
    /// What it carries.
    pub payload: &'a [u8],
}

/// Opens every listener and deals them out to `workers` receivers, 1 to [`LANES`]: lane `n` of every UDP listener
/// goes to receiver `n % workers`, the n-th listener's connections too. Asks for UDP receive buffers of `buffer`
/// bytes.
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
        let listener = u16::try_from(index).unwrap_or(u16::MAX);
        let (address, buffer) = match config.transport {
            Transport::Udp => {
                let group = bind::udp(config, buffer)?;
                for (number, socket) in group.sockets.into_iter().enumerate() {
                    receivers[number % workers]
                        .add_lane(Lane::new(listener, number, socket), group.buffer)?;
                }
                (group.address, Some(group.buffer))
            }
            Transport::Tcp => {
                let (socket, address) = bind::tcp(config)?;
                receivers[index % workers].add_tcp(listener, socket)?;
                (address, None)
            }
        };
        bound.push(Bound { name: config.name.clone(), transport: config.transport, address, buffer });
    }
    Ok((bound, receivers))
}

/// Which of `workers` receivers gets the datagrams of an exporter.
pub fn owner(exporter: IpAddr, workers: usize) -> usize {
    lane(exporter) % workers.clamp(1, LANES)
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
