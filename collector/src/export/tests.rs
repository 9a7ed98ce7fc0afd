//! Targets as an edge runs them.

use std::net::UdpSocket;

use super::*;

fn config(targets: &str) -> EdgeConfig {
    let text = format!(
        "{{version: weir.dev/config/v1, collector: net/a, slotMs: 10000, listeners: [{{name: any, protocol: Auto, \
         port: 0}}], sources: [], profiles: [], targets: {targets}}}"
    );
    serde_yaml::from_str(&text).unwrap()
}

fn to(name: &str, port: u16) -> String {
    format!(
        "{{name: net/{name}, export: {{type: Replicate, oneIn: 1, destinations: [{{address: 127.0.0.1, port: {port}}}]}}}}"
    )
}

fn give(feed: &mut Feed, payload: &[u8]) {
    let from = SocketAddr::from(([192, 0, 2, 1], 9));
    feed.datagram(&Original { listener: 0, from, received_ms: 0, payload }, || 0);
    feed.flush();
}

fn read(socket: &UdpSocket) -> Vec<u8> {
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut bytes = [0; 2048];
    let length = socket.recv(&mut bytes).unwrap();
    bytes[..length].to_vec()
}

#[test]
fn a_changed_target_keeps_its_counts_and_one_that_goes_tells_them_once_more() {
    let (one, two) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
    let exports = Exports::new(ExportOptions::default());
    let mut feed = exports.feed(&config(&format!("[{}]", to("out", port(&one)))));
    give(&mut feed, b"first");
    assert_eq!(read(&one), b"first");
    feed = exports.feed(&config(&format!("[{}]", to("out", port(&two)))));
    give(&mut feed, b"second");
    assert_eq!(read(&two), b"second");
    assert_eq!(exports.reports(|_| 4).len(), 1);
    feed = exports.feed(&config("[]"));
    assert!(!feed.wants_datagrams() && exports.reports(|_| 4).is_empty());
    exports.stop();
    let counts = exports.take_counts();
    assert_eq!(counts.iter().map(|counts| counts.sent).sum::<u64>(), 2, "{counts:?}");
    assert!(exports.take_counts().is_empty());
}

#[test]
fn what_is_queued_when_the_edge_ends_is_still_sent() {
    let there = UdpSocket::bind("127.0.0.1:0").unwrap();
    let exports = Exports::new(ExportOptions::default());
    let mut feed = exports.feed(&config(&format!("[{}]", to("out", there.local_addr().unwrap().port()))));
    for number in 0..100_u8 {
        give(&mut feed, &[number]);
    }
    drop(feed);
    exports.stop();
    let read: Vec<_> = (0..100).map(|_| read(&there)).collect();
    assert_eq!(read, (0..100_u8).map(|number| vec![number]).collect::<Vec<_>>());
}
