//! Real packets between two namespaces, as many as the tests say.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use crate::namespace::Namespace;
use crate::nfdump::Sums;
use crate::program::output_of;

/// Who asks.
pub const CLIENT: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(192, 0, 2, 1), Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1));
/// Who answers.
pub const SERVER: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(192, 0, 2, 2), Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 2));

const ROUNDS: u64 = 10;
const QUESTION: usize = 100;
const ANSWER: usize = 200;
const PINGS: u64 = 5;
const CONNECTIONS: u64 = 3;
const REQUEST: usize = 300;
const PAGE: usize = 900;
const PATIENCE: Duration = Duration::from_secs(5);

/// What [`converse`] sends over UDP port 53 with IPv4, as flows of both directions; bytes from the IP header on.
pub const DNS_IPV4: Sums =
    Sums { flows: 2, packets: 2 * ROUNDS, bytes: ROUNDS * (2 * 28 + QUESTION as u64 + ANSWER as u64) };
/// The same with IPv6.
pub const DNS_IPV6: Sums =
    Sums { flows: 2, packets: 2 * ROUNDS, bytes: ROUNDS * (2 * 48 + QUESTION as u64 + ANSWER as u64) };
/// What it sends as ICMP echo and reply.
pub const PING: Sums = Sums { flows: 2, packets: 2 * PINGS, bytes: 2 * PINGS * 84 };
/// What it sends at least to and from TCP port 80: how TCP cuts and acknowledges it is its own affair.
pub const HTTP_AT_LEAST: Sums = Sums {
    flows: 2 * CONNECTIONS,
    packets: 2 * CONNECTIONS * 3,
    bytes: CONNECTIONS * (REQUEST + PAGE + 6 * 40) as u64,
};

/// The addresses of the client's interface, with their prefix lengths.
#[must_use]
pub fn client_addresses() -> [String; 2] {
    [format!("{}/24", CLIENT.0), format!("{}/64", CLIENT.1)]
}

/// The addresses of the server's interface, with their prefix lengths.
#[must_use]
pub fn server_addresses() -> [String; 2] {
    [format!("{}/24", SERVER.0), format!("{}/64", SERVER.1)]
}

/// Sends [`DNS_IPV4`], [`DNS_IPV6`], [`HTTP_AT_LEAST`] and [`PING`], each packet answered before the next.
///
/// # Panics
/// When a packet does not arrive.
pub fn converse(client: &Namespace, server: &Namespace) {
    udp(client, server, (CLIENT.0, 50_001).into(), (SERVER.0, 53).into());
    udp(client, server, (CLIENT.1, 50_002).into(), (SERVER.1, 53).into());
    tcp(client, server);
    let mut ping = client.command("ping");
    ping.args(["-q", "-i", "0.05", "-c", &PINGS.to_string(), &SERVER.0.to_string()]);
    output_of(ping);
}

/// Sends large datagrams to UDP port 9, which is there and says nothing: they fill the capture buffers of programs
/// that see packets only when a buffer is full.
///
/// # Panics
/// When a socket cannot be opened.
pub fn fill(client: &Namespace, server: &Namespace) {
    let sink = bind(server, (SERVER.0, 9).into());
    let source = bind(client, (CLIENT.0, 50_009).into());
    for _ in 0..400 {
        source.send_to(&[0; 1_400], (SERVER.0, 9)).expect("a datagram can be sent");
    }
    drop(sink);
}

fn udp(client: &Namespace, server: &Namespace, from: SocketAddr, to: SocketAddr) {
    let (asking, answering) = (bind(client, from), bind(server, to));
    let mut buffer = [0; 2_000];
    for _ in 0..ROUNDS {
        asking.send_to(&[b'q'; QUESTION], to).expect("a question can be sent");
        let (_, back) = answering.recv_from(&mut buffer).expect("a question arrives");
        answering.send_to(&[b'a'; ANSWER], back).expect("an answer can be sent");
        asking.recv_from(&mut buffer).expect("an answer arrives");
    }
}

fn bind(namespace: &Namespace, address: SocketAddr) -> UdpSocket {
    let bound = namespace.run(|| UdpSocket::bind(address));
    let socket = bound.unwrap_or_else(|error| panic!("{address}: {error}"));
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    socket
}

fn tcp(client: &Namespace, server: &Namespace) {
    let address = SocketAddr::from((SERVER.0, 80));
    let listener = server.run(|| TcpListener::bind(address)).expect("port 80 is free in a new namespace");
    for _ in 0..CONNECTIONS {
        let connected = client.run(|| TcpStream::connect_timeout(&address, PATIENCE));
        let mut asking = connected.expect("the server can be reached");
        let (mut answering, _) = listener.accept().expect("a connection arrives");
        for stream in [&asking, &answering] {
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        }
        asking.write_all(&[b'g'; REQUEST]).expect("a request can be sent");
        answering.read_exact(&mut [0; REQUEST]).expect("a request arrives");
        answering.write_all(&[b'x'; PAGE]).expect("an answer can be sent");
        drop(answering);
        let mut answer = Vec::new();
        asking.read_to_end(&mut answer).expect("an answer arrives");
        assert_eq!(answer.len(), PAGE);
    }
}
