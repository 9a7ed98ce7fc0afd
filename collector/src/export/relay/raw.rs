//! Raw sockets: datagrams with any source address, headers and checksums included.

use std::io;
use std::net::{IpAddr, SocketAddr};

use etherparse::PacketBuilder;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{Done, Order};

/// As hosts commonly send.
const TTL: u8 = 64;
/// IPPROTO_RAW: what is sent begins with the IP header.
const WITH_HEADER: i32 = 255;

/// One raw socket for each family.
#[derive(Debug)]
pub(super) struct RawSockets {
    v4: Socket,
    /// A machine may have no IPv6.
    v6: Option<Socket>,
    packet: Vec<u8>,
}

impl RawSockets {
    /// Opens both.
    ///
    /// # Errors
    /// Without the right to (CAP_NET_RAW).
    pub(super) fn open() -> io::Result<Self> {
        let open = |domain| Socket::new(domain, Type::RAW, Some(Protocol::from(WITH_HEADER)));
        Ok(Self { v4: open(Domain::IPV4)?, v6: open(Domain::IPV6).ok(), packet: Vec::new() })
    }

    /// The same sockets for another thread.
    pub(super) fn share(&self) -> io::Result<Self> {
        let v6 = self.v6.as_ref().map(Socket::try_clone).transpose()?;
        Ok(Self { v4: self.v4.try_clone()?, v6, packet: Vec::new() })
    }

    /// Sends one datagram and counts what became of it.
    pub(super) fn send(&mut self, order: &Order<'_>, done: &mut Done) {
        let (from, to) = (order.from.ip(), order.to.ip());
        let (builder, socket) = match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                (PacketBuilder::ipv4(from.octets(), to.octets(), TTL), Some(&self.v4))
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                (PacketBuilder::ipv6(from.octets(), to.octets(), TTL), self.v6.as_ref())
            }
            _ => return done.address_family += 1,
        };
        let Some(socket) = socket else { return done.unreachable += 1 };
        self.packet.clear();
        let built = builder.udp(order.from.port(), order.to.port()).write(&mut self.packet, order.payload);
        if built.is_err() {
            return done.too_large += 1;
        }
        // Raw IPv6 sockets take no port.
        let way = SockAddr::from(SocketAddr::new(to, 0));
        match socket.send_to(&self.packet, &way) {
            Ok(_) => done.sent += 1,
            Err(error) => match error.raw_os_error() {
                Some(libc::EMSGSIZE) => done.too_large += 1,
                Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => done.no_buffer += 1,
                _ => done.unreachable += 1,
            },
        }
    }
}
