//! Opening a listener's socket, and finding out who holds its port.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use crds::config::ListenerConfig;
use socket2::{Domain, Protocol, Socket, Type};

use super::{Listener, RECEIVE_BUFFER, sys};

/// Why a listener cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else has the port.
    #[error(
        "listener {listener:?}: UDP port {port} is taken by {holder}; stop it, or give the listener another port"
    )]
    Taken {
        /// The listener.
        listener: String,
        /// The port.
        port: u16,
        /// `name (pid n)`, or that it could not be found out.
        holder: String,
    },
    /// The system refused for another reason.
    #[error("listener {listener:?}: cannot listen on UDP port {port}: {error}")]
    Refused {
        /// The listener.
        listener: String,
        /// The port.
        port: u16,
        /// What the system said.
        error: io::Error,
    },
}

pub(super) fn open(config: &ListenerConfig) -> Result<Listener, BindError> {
    let socket = bound(config.port).map_err(|error| refused(config, error))?;
    let address = local(&socket).map_err(|error| refused(config, error))?;
    sys::ask_for_gro(socket.as_raw_fd());
    let buffer = widen(&socket);
    let drops_seen = sys::drops(socket.as_raw_fd()).unwrap_or_default();
    Ok(Listener { name: config.name.clone(), socket, address, buffer, datagrams: 0, drops_seen })
}

fn bound(port: u16) -> io::Result<Socket> {
    let dual = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)).and_then(|socket| {
        socket.set_only_v6(false)?;
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
        Ok(socket)
    });
    let socket = match dual {
        Err(error) if no_ipv6(&error) => {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
            socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
            socket
        }
        other => other?,
    };
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn no_ipv6(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL))
}

fn local(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("the socket has no address"))
}

/// Asks for [`RECEIVE_BUFFER`]; says what was given, in the kernel's account, which counts overhead.
fn widen(socket: &Socket) -> usize {
    if !sys::force_buffer(socket.as_raw_fd(), RECEIVE_BUFFER) {
        // Clamped by net.core.rmem_max; what it became is read back below.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    }
    socket.recv_buffer_size().unwrap_or_default()
}

fn refused(config: &ListenerConfig, error: io::Error) -> BindError {
    let (listener, port) = (config.name.clone(), config.port);
    if error.kind() == io::ErrorKind::AddrInUse {
        let holder = holder(port).unwrap_or_else(|| "a process that /proc does not show to us".into());
        return BindError::Taken { listener, port, holder };
    }
    BindError::Refused { listener, port, error }
}

/// Who holds a UDP port, as `name (pid n)`.
fn holder(port: u16) -> Option<String> {
    let inodes: Vec<String> = ["/proc/net/udp6", "/proc/net/udp"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| inodes_of(&table, port))
        .collect();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.into_iter().find(|pid| holds(*pid, &inodes)).map(|pid| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        format!("{} (pid {pid})", name.trim())
    })
}

/// The socket inodes of a local port in the text of /proc/net/udp.
fn inodes_of(table: &str, port: u16) -> Vec<String> {
    let suffix = format!(":{port:04X}");
    let inode = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let local = fields.get(1)?;
        local.ends_with(&suffix).then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
    };
    table.lines().skip(1).filter_map(inode).collect()
}

fn holds(pid: u32, inodes: &[String]) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    files.flatten().any(|file| {
        let target = fs::read_link(file.path()).unwrap_or_default();
        inodes.iter().any(|inode| target.as_os_str() == inode.as_str())
    })
}
