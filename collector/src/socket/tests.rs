//! Real sockets on loopback.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream, UdpSocket};

use crds::config::Protocol;
use socket2::{Domain, Type};

use std::time::{Duration, Instant};

use socket2::Socket;

use super::*;

const BUFFER: usize = 1 << 20;

fn listener(port: u16) -> ListenerConfig {
    ListenerConfig { name: "netflow".into(), protocol: Protocol::NetFlow, transport: Transport::Udp, port }
}

fn receivers(workers: usize) -> (Vec<Receiver>, u16) {
    let (bound, receivers) = open(&[listener(0)], BUFFER, workers).unwrap();
    (receivers, bound[0].address.port())
}

fn receiver() -> (Receiver, u16) {
    let (mut receivers, port) = receivers(1);
    (receivers.pop().unwrap(), port)
}

/// Receives until `count` datagrams came or five seconds passed.
/// What a test sees of an event.
fn packet(event: Event<'_>) -> Packet<'_> {
    match event {
        Event::Packet(packet) => packet,
        Event::Closed(peer) => panic!("{peer:?} was closed"),
    }
}

fn receive(receiver: &mut Receiver, count: usize) -> Vec<(IpAddr, Vec<u8>)> {
    let mut got = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(5);
    while got.len() < count && Instant::now() < deadline {
        let each = |event: Event<'_>| got.push((packet(event).peer.from, packet(event).payload.to_vec()));
        receiver.receive(Duration::from_millis(100), each).unwrap();
    }
    got
}

fn send_from(address: Ipv4Addr, port: u16, payload: &[u8]) {
    UdpSocket::bind((address, 0)).unwrap().send_to(payload, ("127.0.0.1", port)).unwrap();
}

/// The n-th address of a few networks of 127.0.0.0/8.
fn loopback(n: u16) -> Ipv4Addr {
    let [high, low] = n.to_be_bytes();
    Ipv4Addr::new(127, high, low / 7, low)
}

#[test]
fn datagrams_over_ipv4_and_ipv6_come_whole_and_ipv4_is_shown_as_ipv4() {
    let (mut receiver, port) = receiver();
    let v4 = UdpSocket::bind("127.0.0.1:0").unwrap();
    v4.send_to(&[7; 1464], ("127.0.0.1", port)).unwrap();
    v4.send_to(&[], ("127.0.0.1", port)).unwrap();
    assert_eq!(
        receive(&mut receiver, 2),
        [("127.0.0.1".parse().unwrap(), vec![7; 1464]), ("127.0.0.1".parse().unwrap(), vec![])]
    );
    let v6 = UdpSocket::bind("[::1]:0").unwrap();
    v6.send_to(&vec![9; 65_507], ("::1", port)).unwrap();
    assert_eq!(receive(&mut receiver, 1), [("::1".parse().unwrap(), vec![9; 65_507])]);
    assert_eq!(receiver.report()[0].packets, 3);
}

#[test]
fn the_source_address_alone_decides_the_socket_whatever_the_port() {
    let (mut receivers, port) = receivers(LANES);
    let exporters: Vec<Ipv4Addr> = (1..200).map(loopback).collect();
    for exporter in &exporters {
        for _ in 0..3 {
            send_from(*exporter, port, b"payload");
        }
    }
    let mut seen = BTreeMap::new();
    for (at, receiver) in receivers.iter_mut().enumerate() {
        while receiver
            .receive(Duration::ZERO, |event| *seen.entry((packet(event).peer.from, at)).or_insert(0) += 1)
            .unwrap()
            > 0
        {}
    }
    let expected = exporters.iter().map(|exporter| ((IpAddr::V4(*exporter), lane((*exporter).into())), 3));
    assert_eq!(seen, expected.collect());
}

#[test]
fn ipv6_exporters_are_told_apart_by_all_of_their_address() {
    let (mut receivers, port) = receivers(LANES);
    let address =
        |n: u16| Ipv6Addr::new(0x2001, 0xdb8, n.wrapping_mul(7919), 0, 0, 0, 0, n.wrapping_mul(31_337));
    for n in 0..100 {
        // Linux lets a program send from an address that it does not have, when it says so.
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, None).unwrap();
        socket.set_freebind_v6(true).unwrap();
        socket.bind(&SocketAddr::from((address(n), 0)).into()).unwrap();
        socket.send_to(b"payload", &SocketAddr::from((Ipv6Addr::LOCALHOST, port)).into()).unwrap();
    }
    let mut lanes = [0; LANES];
    for (at, receiver) in receivers.iter_mut().enumerate() {
        while receiver.receive(Duration::ZERO, |event| assert_eq!(lane(packet(event).peer.from), at)).unwrap()
            > 0
        {}
        lanes[at] = receiver.report()[0].packets;
    }
    assert_eq!(lanes.iter().sum::<u64>(), 100);
    assert!(lanes.iter().all(|count| *count > 0), "spread over all: {lanes:?}");
}

#[test]
fn an_ipv4_address_has_the_same_lane_in_either_notation() {
    for n in 0..1000 {
        assert_eq!(lane(loopback(n).into()), lane(loopback(n).to_ipv6_mapped().into()));
    }
}

fn shrink(receiver: &Receiver) {
    for lane in &receiver.lanes {
        lane.socket.set_recv_buffer_size(4_096).unwrap();
    }
}

#[test]
fn a_flood_from_one_exporter_drowns_only_its_own_socket() {
    let (mut receiver, port) = receiver();
    shrink(&receiver);
    let loud = loopback(1);
    let quiet: Vec<Ipv4Addr> =
        (2..30).map(loopback).filter(|other| lane((*other).into()) != lane(loud.into())).collect();
    let flood = UdpSocket::bind((loud, 0)).unwrap();
    for _ in 0..500 {
        flood.send_to(&[1; 1_000], ("127.0.0.1", port)).unwrap();
    }
    // The receiver has not read anything yet: the loud one's buffer is full.
    for exporter in &quiet[..LANES] {
        send_from(*exporter, port, b"payload");
    }
    let mut heard = BTreeMap::new();
    while receiver
        .receive(Duration::ZERO, |event| *heard.entry(packet(event).peer.from).or_insert(0) += 1)
        .unwrap()
        > 0
    {}
    let from_loud = heard.remove(&IpAddr::V4(loud)).unwrap();
    assert_eq!(heard, quiet[..LANES].iter().map(|exporter| (IpAddr::V4(*exporter), 1)).collect());
    let mut drops = [0; LANES];
    drops[lane(loud.into())] = 500 - from_loud;
    assert_eq!(receiver.report()[0].kernel_drops, drops);
    assert!(from_loud < 500);
}

#[test]
fn what_the_kernel_drops_is_counted_to_the_last_datagram() {
    let (mut receiver, port) = receiver();
    shrink(&receiver);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..500 {
        sender.send_to(&[1; 1_000], ("127.0.0.1", port)).unwrap();
    }
    while receiver.receive(Duration::from_millis(50), |_| ()).unwrap() > 0 {}
    let dropped = |report: &Received| report.kernel_drops.iter().sum::<u64>();
    let report = receiver.report().remove(0);
    assert!(dropped(&report) > 0);
    assert_eq!(report.packets + dropped(&report), 500);
    assert_eq!(dropped(&receiver.report()[0]), 0, "differences, not totals");
}

#[test]
fn a_taken_port_names_its_holder_also_when_the_holder_would_share_it() {
    let (_first, port) = receiver();
    let error = open(&[listener(port)], BUFFER, 1).unwrap_err().to_string();
    assert!(error.contains(&format!("port {port}")), "{error}");
    assert!(error.contains(&format!("pid {}", std::process::id())), "{error}");
    let sharing = joining(0).unwrap();
    let port = sharing.local_addr().unwrap().as_socket().unwrap().port();
    let error = open(&[listener(port)], BUFFER, 1).unwrap_err().to_string();
    assert!(error.contains("is taken by"), "{error}");
}

/// A socket of a program that shares its ports.
fn joining(port: u16) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, None)?;
    socket.set_only_v6(false)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    Ok(socket)
}

#[test]
fn a_socket_that_joins_the_port_later_gets_nothing() {
    let (mut receiver, port) = receiver();
    let intruder = joining(port).unwrap();
    for n in 0..200 {
        send_from(loopback(n), port, b"payload");
    }
    assert_eq!(receive(&mut receiver, 200).len(), 200);
    let error = intruder.recv(&mut [std::mem::MaybeUninit::uninit(); 16]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

/// How often this thread gave up the processor of its own accord.
fn waits() -> u64 {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn a_receiver_to_which_nothing_comes_sleeps_through() {
    let (mut receiver, _) = receiver();
    let before = waits();
    let start = Instant::now();
    assert_eq!(receiver.receive(Duration::from_millis(700), |_| ()).unwrap(), 0);
    assert!(start.elapsed() >= Duration::from_millis(700));
    assert!(waits() - before <= 3, "{} waits in 700 ms", waits() - before);
}

#[test]
fn a_waker_ends_the_wait_once_also_when_it_came_before() {
    let (mut receiver, _) = receiver();
    let waker = receiver.waker();
    waker.wake();
    waker.wake();
    let start = Instant::now();
    receiver.receive(Duration::from_secs(60), |_| ()).unwrap();
    let other = std::thread::spawn(move || waker.wake());
    receiver.receive(Duration::from_secs(60), |_| ()).unwrap();
    other.join().unwrap();
    assert!(start.elapsed() < Duration::from_secs(30));
}

fn over_tcp(port: u16) -> ListenerConfig {
    ListenerConfig { name: "ipfix".into(), protocol: Protocol::Ipfix, transport: Transport::Tcp, port }
}

/// A message of this length.
fn message(length: u16) -> Vec<u8> {
    let mut message = vec![7; usize::from(length)];
    message[..2].copy_from_slice(&[0, 10]);
    message[2..4].copy_from_slice(&length.to_be_bytes());
    message
}

/// Receives until `done` says so; what came is its argument.
fn until(
    receiver: &mut Receiver,
    done: impl Fn(&[(Peer, Option<Vec<u8>>)]) -> bool,
) -> Vec<(Peer, Option<Vec<u8>>)> {
    let mut got = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(5);
    while !done(&got) {
        assert!(Instant::now() < deadline, "{got:?}");
        let each = |event: Event<'_>| match event {
            Event::Packet(packet) => got.push((packet.peer, Some(packet.payload.to_vec()))),
            Event::Closed(peer) => got.push((peer, None)),
        };
        receiver.receive(Duration::from_millis(100), each).unwrap();
    }
    got
}

#[test]
fn messages_come_whole_over_tcp_however_they_are_written_and_the_end_is_told() {
    let (bound, mut receivers) = open(&[over_tcp(0)], BUFFER, 1).unwrap();
    let receiver = &mut receivers[0];
    let mut client = TcpStream::connect(("127.0.0.1", bound[0].address.port())).unwrap();
    let sent = [message(16), message(1_400), message(65_535), message(17)];
    for piece in sent.concat().chunks(999) {
        client.write_all(piece).unwrap();
        receiver.receive(Duration::ZERO, |_| ()).unwrap();
    }
    let peer =
        Peer { listener: 0, from: "127.0.0.1".parse().unwrap(), port: client.local_addr().unwrap().port() };
    drop(client);
    let got = until(receiver, |got| got.iter().any(|(_, payload)| payload.is_none()));
    assert_eq!(got.last(), Some(&(peer, None)));
    let report = receiver.report()[0];
    assert_eq!((report.packets, report.connections), (4, 0));
    assert_eq!(report.closed[Closed::Ended as usize], 1);
}

#[test]
fn a_peer_that_sends_no_ipfix_is_closed_and_the_others_go_on() {
    let (bound, mut receivers) = open(&[over_tcp(0)], BUFFER, 1).unwrap();
    let to = ("127.0.0.1", bound[0].address.port());
    let (mut good, mut bad) = (TcpStream::connect(to).unwrap(), TcpStream::connect(to).unwrap());
    good.write_all(&message(100)).unwrap();
    bad.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let bad_port = bad.local_addr().unwrap().port();
    until(&mut receivers[0], |got| got.len() >= 2);
    good.write_all(&message(200)).unwrap();
    let got = until(&mut receivers[0], |got| !got.is_empty());
    assert_eq!(got[0].1, Some(message(200)));
    let report = receivers[0].report()[0];
    assert_eq!((report.packets, report.connections), (2, 1));
    assert_eq!(report.closed[Closed::NotIpfix as usize], 1);
    assert_ne!(got[0].0.port, bad_port);
    let mut rest = Vec::new();
    assert!(bad.read_to_end(&mut rest).is_err() || rest.is_empty(), "nothing is answered");
}

#[test]
fn a_connection_full_of_messages_takes_no_more_than_its_turn_from_the_datagrams() {
    let configs = [over_tcp(0), listener(0)];
    let (bound, mut receivers) = open(&configs, BUFFER, 1).unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", bound[0].address.port())).unwrap();
    // The connection is taken; then it is filled as far as the kernel has room.
    receivers[0].receive(Duration::from_secs(5), |_| ()).unwrap();
    client.set_nonblocking(true).unwrap();
    let (mut filled, messages) = (0, message(1_000).repeat(1_000));
    while let Ok(written) = client.write(&messages[filled % 1_000..]) {
        filled += written;
    }
    assert!(filled > 2 * 65_536);
    send_from(loopback(1), bound[1].address.port(), b"payload");
    let (mut bytes, mut datagrams) = (0, 0);
    let each = |event: Event<'_>| match packet(event).transport {
        Transport::Tcp => bytes += packet(event).payload.len(),
        Transport::Udp => datagrams += 1,
    };
    receivers[0].receive(Duration::from_secs(5), each).unwrap();
    assert_eq!(datagrams, 1);
    assert!(bytes <= 65_536, "{bytes} bytes in one turn");
}

#[test]
fn a_taken_tcp_port_names_its_holder() {
    let (bound, _receivers) = open(&[over_tcp(0)], BUFFER, 1).unwrap();
    let port = bound[0].address.port();
    let error = open(&[over_tcp(port)], BUFFER, 1).unwrap_err().to_string();
    assert!(error.contains(&format!("TCP port {port} is taken by")), "{error}");
    assert!(error.contains(&format!("pid {}", std::process::id())), "{error}");
}
