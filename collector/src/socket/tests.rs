//! Real sockets on loopback.

use std::net::UdpSocket;

use crds::config::Protocol;

use super::*;

fn listener(port: u16) -> ListenerConfig {
    ListenerConfig { name: "netflow".into(), protocol: Protocol::NetFlow, port }
}

fn receiver() -> (Receiver, u16) {
    let receiver = Receiver::bind(&[listener(0)]).unwrap();
    let port = receiver.listeners().next().unwrap().1.port();
    (receiver, port)
}

/// Receives until `count` datagrams came or five seconds passed.
fn receive(receiver: &mut Receiver, count: usize) -> Vec<(IpAddr, Vec<u8>)> {
    let mut got = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(5);
    while got.len() < count && Instant::now() < deadline {
        let each = |packet: Packet<'_>| got.push((packet.from, packet.payload.to_vec()));
        receiver.receive(Duration::from_millis(100), each).unwrap();
    }
    got
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
    assert_eq!(receiver.report()[0].datagrams, 3);
}

#[test]
fn what_the_kernel_drops_is_counted_to_the_last_datagram() {
    let (mut receiver, port) = receiver();
    receiver.listeners[0].socket.set_recv_buffer_size(4_096).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..500 {
        sender.send_to(&[1; 1_000], ("127.0.0.1", port)).unwrap();
    }
    while receiver.receive(Duration::from_millis(50), |_| ()).unwrap() > 0 {}
    let report = receiver.report().remove(0);
    assert!(report.kernel_drops > 0);
    assert_eq!(report.datagrams + report.kernel_drops, 500);
    assert_eq!(receiver.report().remove(0).kernel_drops, 0, "differences, not totals");
}

#[test]
fn a_taken_port_names_its_holder() {
    let (_first, port) = receiver();
    let error = Receiver::bind(&[listener(port)]).unwrap_err().to_string();
    assert!(error.contains(&format!("port {port}")), "{error}");
    assert!(error.contains(&format!("pid {}", std::process::id())), "{error}");
}

#[test]
fn merged_datagrams_are_split_at_their_segment_size() {
    let lengths = |payload: &[u8], size| segments(payload, size).map(<[u8]>::len).collect::<Vec<_>>();
    assert_eq!(lengths(&[0; 25], 10), [10, 10, 5]);
    assert_eq!(lengths(&[0; 25], 0), [25]);
    assert_eq!(lengths(&[], 0), [0]);
}
