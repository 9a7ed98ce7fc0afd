//! Opening a listener's sockets.
//!
//! The first socket of a UDP listener is bound without SO_REUSEPORT, which fails when anybody else has the port, and is then
//! opened for the others of its listener. From then on a socket of another program that asks for SO_REUSEPORT
//! can join (if it runs as the same user), but the program that chooses the socket never names it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;

use crds::config::ListenerConfig;
use socket2::{Domain, Protocol, Socket, Type};

use super::steer::{self, LANES};
use super::{holder, sys};

/// Connections that wait to be taken.
const BACKLOG: i32 = 64;

/// Why a listener cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else has the port.
    #[error(
        "listener {listener:?}: {transport} port {port} is taken by {holder}; stop it, or give the listener another port"
    )]
    Taken {
        /// The listener.
        listener: String,
        /// UDP or TCP.
        transport: &'static str,
        /// The port.
        port: u16,
        /// `name (pid n)`, or that it could not be found out.
        holder: String,
    },
    /// The system refused for another reason.
    #[error("listener {listener:?}: cannot listen on {transport} port {port}: {error}")]
    Refused {
        /// The listener.
        listener: String,
        /// UDP or TCP.
        transport: &'static str,
        /// The port.
        port: u16,
        /// What the system said.
        error: io::Error,
    },
    /// The system gave no means to wait for sockets.
    #[error("cannot wait for sockets: {0}")]
    Wait(#[from] rustix::io::Errno),
}

/// One listener's sockets, one a lane, all on one port.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) sockets: Vec<Socket>,
    pub(super) address: SocketAddr,
    /// What each receive buffer became, in the kernel's account, which counts overhead.
    pub(super) buffer: usize,
}

/// Opens the sockets of a UDP listener, and asks for receive buffers of `buffer` bytes.
pub(super) fn udp(config: &ListenerConfig, buffer: usize) -> Result<Group, BindError> {
    group(config.port, buffer).map_err(|error| refused(config, error))
}

/// Opens a TCP listener.
pub(super) fn tcp(config: &ListenerConfig) -> Result<(TcpListener, SocketAddr), BindError> {
    listening(config.port).map_err(|error| refused(config, error))
}

fn listening(port: u16) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = bound(Type::STREAM, Protocol::TCP, port)?.0;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn group(port: u16, buffer: usize) -> io::Result<Group> {
    let (first, family) = bound(Type::DGRAM, Protocol::UDP, port)?;
    let address = first.local_addr()?;
    first.set_reuse_port(true)?;
    let mut sockets = vec![first];
    while sockets.len() < LANES {
        let socket = unbound(family, Type::DGRAM, Protocol::UDP)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address)?;
        sockets.push(socket);
    }
    sys::steer(sockets[0].as_raw_fd(), &steer::program())?;
    let buffers = sockets.iter().map(|socket| prepare(socket, buffer)).collect::<io::Result<Vec<_>>>()?;
    let address = address.as_socket().ok_or_else(|| io::Error::other("the socket has no address"))?;
    Ok(Group { sockets, address, buffer: buffers.into_iter().min().unwrap_or_default() })
}

/// A socket that has the port to itself, over IPv6 and IPv4, or IPv4 alone where the system has no IPv6.
fn bound(kind: Type, protocol: Protocol, port: u16) -> io::Result<(Socket, Domain)> {
    let bound = |family, address: SocketAddr| -> io::Result<(Socket, Domain)> {
        let socket = unbound(family, kind, protocol)?;
        socket.bind(&address.into())?;
        Ok((socket, family))
    };
    match bound(Domain::IPV6, (Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(error) if no_ipv6(&error) => bound(Domain::IPV4, (Ipv4Addr::UNSPECIFIED, port).into()),
        other => other,
    }
}

fn unbound(family: Domain, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(family, kind, Some(protocol))?;
    if family == Domain::IPV6 {
        socket.set_only_v6(false)?;
    }
    if kind == Type::STREAM {
        // Connections of a run before, which the kernel still remembers, do not keep the port.
        socket.set_reuse_address(true)?;
    }
    Ok(socket)
}

fn no_ipv6(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL))
}

/// Asks for `buffer` bytes; says what was given.
fn prepare(socket: &Socket, buffer: usize) -> io::Result<usize> {
    socket.set_nonblocking(true)?;
    sys::ask_for_gro(socket.as_raw_fd());
    if !sys::force_buffer(socket.as_raw_fd(), buffer) {
        // Clamped by net.core.rmem_max; what it became is read back.
        let _ = socket.set_recv_buffer_size(buffer);
    }
    socket.recv_buffer_size()
}

fn refused(config: &ListenerConfig, error: io::Error) -> BindError {
    let (listener, transport, port) = (config.name.clone(), config.transport.name(), config.port);
    if error.kind() == io::ErrorKind::AddrInUse {
        let holder = holder::of(config.transport, port);
        let holder = holder.unwrap_or_else(|| "a process that /proc does not show to us".into());
        return BindError::Taken { listener, transport, port, holder };
    }
    BindError::Refused { listener, transport, port, error }
}
