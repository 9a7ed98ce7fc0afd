//! Real connections on loopback; time is told, not waited for.

use std::io::Write;
use std::net::SocketAddr;

use super::*;

struct Rig {
    listener: TcpListener,
    address: SocketAddr,
    connections: Connections,
    room: Vec<u8>,
}

impl Rig {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address, connections: Connections::default(), room: vec![0; 65_536] }
    }

    /// Connects, and takes the connection, which gets this place.
    fn connect(&mut self, now: Instant) -> (TcpStream, Option<usize>) {
        let client = TcpStream::connect(self.address).unwrap();
        // The connection is complete: it waits to be taken.
        self.listener.set_nonblocking(true).unwrap();
        let mut place = None;
        let taken = |at: usize, _: &TcpStream| {
            place = Some(at);
            true
        };
        self.connections.accept(0, &self.listener, now, taken).unwrap();
        (client, place)
    }

    fn read(&mut self, place: usize, now: Instant) -> Turn {
        let connection = self.connections.at(place).unwrap();
        connection.stream.set_nonblocking(false).unwrap();
        connection.read(&mut self.room, now, |_| ())
    }

    fn swept(&mut self, now: Instant) -> usize {
        let mut closed = 0;
        self.connections.sweep(now, |_| closed += 1);
        closed
    }

    fn closed(&mut self) -> Vec<(&'static str, u64)> {
        let mut report = Received::default();
        self.connections.report(0, &mut report);
        let counted = Closed::ALL.iter().zip(report.closed).filter(|(_, count)| *count > 0);
        counted.map(|(reason, count)| (reason.name(), count)).collect()
    }
}

/// The shortest message.
const MESSAGE: [u8; 16] = [0, 10, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn a_peer_that_says_nothing_is_closed_after_a_minute_and_one_that_spoke_after_an_hour() {
    let (mut rig, start) = (Rig::new(), Instant::now());
    let (_silent, _) = rig.connect(start);
    let (mut speaker, place) = rig.connect(start);
    speaker.write_all(&MESSAGE).unwrap();
    assert_eq!(rig.read(place.unwrap(), start).messages, 1);
    assert_eq!(rig.swept(start + Duration::from_secs(59)), 0);
    assert_eq!(rig.swept(start + Duration::from_secs(60)), 1);
    assert_eq!(rig.swept(start + Duration::from_secs(3_599)), 0);
    assert_eq!(rig.swept(start + Duration::from_secs(3_600)), 1);
    assert_eq!(rig.closed(), [("no_message", 1), ("idle", 1)]);
}

#[test]
fn a_message_that_comes_byte_by_byte_has_a_minute_from_its_first_byte() {
    let (mut rig, start) = (Rig::new(), Instant::now());
    let (mut slow, place) = rig.connect(start);
    slow.write_all(&MESSAGE).unwrap();
    rig.read(place.unwrap(), start);
    for (second, byte) in (100..).step_by(10).zip(&MESSAGE[..7]) {
        slow.write_all(&[*byte]).unwrap();
        let now = start + Duration::from_secs(second);
        rig.read(place.unwrap(), now);
        let over = second >= 160;
        assert_eq!(rig.swept(now), usize::from(over), "second {second}");
    }
    assert_eq!(rig.closed(), [("stalled", 1)]);
}

#[test]
fn one_address_has_at_most_32_connections_and_a_place_is_free_again_once_one_ends() {
    let (mut rig, now) = (Rig::new(), Instant::now());
    let mut clients: Vec<_> = (0..OF_ONE_ADDRESS).map(|_| rig.connect(now)).collect();
    assert!(clients.iter().all(|(_, place)| place.is_some()));
    assert!(rig.connect(now).1.is_none());
    assert_eq!(rig.closed(), [("too_many", 1)]);
    let (client, place) = clients.remove(7);
    drop(client);
    assert_eq!(rig.read(place.unwrap(), now).closed, Some(Closed::Ended));
    rig.connections.close(place.unwrap(), Closed::Ended);
    assert_eq!(rig.connect(now).1, place);
}

#[test]
fn a_connection_that_ends_inside_a_message_says_so() {
    let (mut rig, now) = (Rig::new(), Instant::now());
    let (mut client, place) = rig.connect(now);
    client.write_all(&MESSAGE[..9]).unwrap();
    rig.read(place.unwrap(), now);
    drop(client);
    assert_eq!(rig.read(place.unwrap(), now).closed, Some(Closed::EndedInside));
}

#[test]
fn a_peer_that_sends_no_ipfix_or_a_wrong_length_is_reset_and_counted_by_its_reason() {
    let (mut rig, now) = (Rig::new(), Instant::now());
    let netflow9 = [&[0, 9], &MESSAGE[2..]].concat();
    let short = [&MESSAGE[..2], &[0, 15], &MESSAGE[4..]].concat();
    for (garbage, reason) in [(netflow9, Closed::NotIpfix), (short, Closed::BadLength)] {
        let (mut client, place) = rig.connect(now);
        let place = place.unwrap();
        client.write_all(&[&MESSAGE[..], &garbage].concat()).unwrap();
        let turn = rig.read(place, now);
        assert_eq!((turn.messages, turn.closed), (1, Some(reason)), "the message before it counts");
        rig.connections.close(place, reason);
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let end = client.read(&mut [0; 1]).map_err(|error| error.kind());
        assert_eq!(end, Err(io::ErrorKind::ConnectionReset));
    }
    assert_eq!(rig.closed(), [("not_ipfix", 1), ("bad_length", 1)]);
    let (client, place) = rig.connect(now);
    rig.connections.close(place.unwrap(), Closed::Idle);
    assert_eq!((&client).read(&mut [0; 1]).unwrap(), 0, "others end in order");
}
