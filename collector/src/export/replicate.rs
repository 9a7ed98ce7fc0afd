//! Sends datagrams as they came, to each destination of a target once.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crds::config::target::{DestinationConfig, ReplicateConfig};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::account::{Account, Reason};
use super::queue::Buffer;
use super::relay::{Client, RelayError, Request};
use super::resolve::Place;

/// What a sending socket's buffer is asked to be: it holds what a pass brings.
const SEND_BUFFER: usize = 4 << 20;
/// For how long a send buffer may stay full before the rest of a pass is dropped for that destination.
const PATIENCE: Duration = Duration::from_millis(10);

/// Sends for one target.
#[derive(Debug)]
pub(super) struct Replicator {
    destinations: Vec<Destination>,
    relay: Option<Client>,
    account: Arc<Account>,
}

/// One collector that gets every datagram.
#[derive(Debug)]
struct Destination {
    name: String,
    place: Place,
    port: u16,
    /// Ports on which this edge listens itself.
    own_ports: Arc<[u16]>,
    open: Option<(SocketAddr, UdpSocket)>,
    /// Its send buffer was full, and stayed so.
    stuck: bool,
    /// An ICMP answer said that nobody listens there.
    refused: bool,
}

/// Why a destination cannot be sent to.
type Unsent = (Reason, String);

impl Replicator {
    /// `own_ports` are the UDP ports on which this edge listens; `relay` is where `weir relay` listens.
    pub(super) fn new(
        config: &ReplicateConfig,
        own_ports: &Arc<[u16]>,
        relay: &Path,
        account: Arc<Account>,
    ) -> Self {
        let destination = |to: &DestinationConfig| Destination {
            name: if to.address.contains(':') {
                format!("[{}]:{}", to.address, to.port)
            } else {
                format!("{}:{}", to.address, to.port)
            },
            place: Place::new(&to.address),
            port: to.port,
            own_ports: Arc::clone(own_ports),
            open: None,
            stuck: false,
            refused: false,
        };
        Self {
            destinations: config.destinations.iter().map(destination).collect(),
            relay: config.preserve_source.then(|| Client::new(relay)),
            account,
        }
    }

    /// Sends the datagrams of a buffer and counts what became of each.
    pub(super) fn send(&mut self, buffer: &Buffer) {
        match self.relay.take() {
            None => self.send_directly(buffer),
            Some(mut relay) => {
                self.send_by(&mut relay, buffer);
                self.relay = Some(relay);
            }
        }
    }

    fn send_directly(&mut self, buffer: &Buffer) {
        for destination in &mut self.destinations {
            let mut sent = 0;
            destination.stuck = false;
            for (_, payload) in buffer.datagrams() {
                match destination.send(payload) {
                    Ok(()) => sent += 1,
                    Err((reason, message)) => give_up(&self.account, reason, 1, &destination.name, &message),
                }
            }
            self.account.sent(sent);
            if std::mem::take(&mut destination.refused) {
                let message =
                    || format!("{}: nobody listens there (ICMP port unreachable)", destination.name);
                self.account.trouble(Reason::Unreachable.condition(), message);
            }
        }
    }

    fn send_by(&mut self, relay: &mut Client, buffer: &Buffer) {
        let mut request = Request::default();
        for destination in &mut self.destinations {
            match destination.address() {
                Ok(to) => buffer.datagrams().for_each(|(from, payload)| request.push(from, to, payload)),
                Err((reason, message)) => {
                    let count = buffer.datagrams().count() as u64;
                    give_up(&self.account, reason, count, &destination.name, &message);
                }
            }
        }
        let wanted = request.datagrams();
        if wanted == 0 {
            return;
        }
        match relay.send(&request) {
            Ok(done) => {
                self.account.sent(done.sent);
                for (reason, count) in [
                    (Reason::Unreachable, done.unreachable),
                    (Reason::TooLarge, done.too_large),
                    (Reason::NoBuffer, done.no_buffer),
                    (Reason::AddressFamily, done.address_family),
                ] {
                    if count > 0 {
                        give_up(&self.account, reason, count, "weir relay", said(reason));
                    }
                }
            }
            Err(RelayError { message, .. }) => {
                give_up(&self.account, Reason::RelayAway, wanted, "weir relay", &message);
            }
        }
    }
}

fn give_up(account: &Account, reason: Reason, count: u64, whose: &str, message: &str) {
    account.dropped(reason, count);
    account.trouble(reason.condition(), || format!("{whose}: {message}"));
}

/// What is told of a reason that the relay reports.
const fn said(reason: Reason) -> &'static str {
    match reason {
        Reason::TooLarge => "datagrams are larger than the way to a destination allows",
        Reason::NoBuffer => "the system has no room to send",
        Reason::AddressFamily => "an exporter's address and the destination's are not both IPv4 or both IPv6",
        _ => "there is no way to a destination",
    }
}

impl Destination {
    /// Where it is now.
    fn address(&mut self) -> Result<SocketAddr, Unsent> {
        let address = self.place.address().map_err(|message| (Reason::Unresolved, message))?;
        if self.own_ports.contains(&self.port) && is_local(address) {
            return Err((
                Reason::Loop,
                "this edge listens there itself: it would receive what it sends".into(),
            ));
        }
        Ok(SocketAddr::new(address, self.port))
    }

    fn send(&mut self, payload: &[u8]) -> Result<(), Unsent> {
        if self.stuck {
            return Err((Reason::NoBuffer, "the system has no room to send".into()));
        }
        let socket = self.socket()?;
        let mut outcome = socket.send(payload);
        if matches!(&outcome, Err(error) if error.kind() == ErrorKind::WouldBlock) {
            outcome = wait_for_room(socket).and_then(|()| socket.send(payload));
            self.stuck = outcome.is_err();
        } else if matches!(&outcome, Err(error) if error.kind() == ErrorKind::ConnectionRefused) {
            // An ICMP answer to an earlier datagram: this one has not been tried yet.
            outcome = socket.send(payload);
            self.refused = true;
        }
        outcome.map(|_| ()).map_err(|error| classified(&error))
    }

    /// The socket to where it is now; connected, so that ICMP errors are heard of.
    fn socket(&mut self) -> Result<&UdpSocket, Unsent> {
        let to = match (&self.place, &self.open) {
            // An address does not move.
            (Place::Fixed(_), Some((to, _))) => *to,
            _ => self.address()?,
        };
        if self.open.as_ref().is_none_or(|(open, _)| *open != to) {
            self.open = Some((to, connected(to).map_err(|error| classified(&error))?));
        }
        match &self.open {
            Some((_, socket)) => Ok(socket),
            None => Err((Reason::Unreachable, "no socket".to_owned())),
        }
    }
}

fn connected(to: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    // Less room than asked for costs drops under bursts, which are counted.
    drop(socket2::SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER));
    socket.set_nonblocking(true)?;
    socket.connect(to)?;
    Ok(socket)
}

fn wait_for_room(socket: &UdpSocket) -> io::Result<()> {
    let patience = Timespec { tv_sec: 0, tv_nsec: PATIENCE.subsec_nanos().into() };
    poll(&mut [PollFd::new(socket, PollFlags::OUT)], Some(&patience))?;
    Ok(())
}

/// Whether an address is this machine's: only then can a socket be bound to it.
fn is_local(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

fn classified(error: &io::Error) -> Unsent {
    let code = error.raw_os_error().unwrap_or_default();
    let reason = match code {
        libc::EMSGSIZE => Reason::TooLarge,
        libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM => Reason::NoBuffer,
        _ => Reason::Unreachable,
    };
    (reason, error.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Receiver;

    use super::super::queue::{Queue, arrivals};
    use super::*;

    fn replicator(text: &str, own: &[u16]) -> (Replicator, Queue, Receiver<Buffer>, Arc<Account>) {
        let config: ReplicateConfig = serde_yaml::from_str(text).unwrap();
        let account = Arc::new(Account::new("net/out"));
        let (output, input) = arrivals(1);
        let copies = config.destinations.len() as u64;
        let queue = Queue::new(output, Arc::clone(&account), copies);
        (
            Replicator::new(&config, &own.into(), Path::new("/none"), Arc::clone(&account)),
            queue,
            input,
            account,
        )
    }

    fn pass(replicator: &mut Replicator, queue: &mut Queue, input: &Receiver<Buffer>, datagrams: &[&[u8]]) {
        for payload in datagrams {
            queue.push(SocketAddr::from(([192, 0, 2, 1], 9)), payload, 0);
        }
        queue.flush();
        let buffer = input.try_recv().unwrap();
        replicator.send(&buffer);
        buffer.give_back();
    }

    fn read(socket: &UdpSocket) -> Vec<u8> {
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut bytes = [0; 2048];
        let length = socket.recv(&mut bytes).unwrap();
        bytes[..length].to_vec()
    }

    #[test]
    fn every_destination_gets_every_datagram_over_ipv4_and_ipv6() {
        let four = UdpSocket::bind("127.0.0.1:0").unwrap();
        let six = UdpSocket::bind("[::1]:0").unwrap();
        let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
        let text = format!(
            "{{oneIn: 1, destinations: [{{address: 127.0.0.1, port: {}}}, {{address: localhost, port: {}}}, {{address: '::1', port: {}}}]}}",
            port(&four),
            port(&four),
            port(&six)
        );
        let (mut replicator, mut queue, input, account) = replicator(&text, &[]);
        pass(&mut replicator, &mut queue, &input, &[b"one", b"", b"three"]);
        assert_eq!([read(&six), read(&six), read(&six)], [b"one".to_vec(), b"".to_vec(), b"three".to_vec()]);
        assert_eq!(read(&four), b"one");
        let counts = account.take();
        assert_eq!(counts.sent + counts.dropped.iter().map(|(_, count)| count).sum::<u64>(), 9);
        assert!(counts.sent >= 6, "{counts:?}");
    }

    #[test]
    fn a_destination_that_refuses_is_told_and_the_others_go_on() {
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            "{{oneIn: 1, destinations: [{{address: 127.0.0.1, port: {gone}}}, {{address: 127.0.0.1, port: {}}}]}}",
            there.local_addr().unwrap().port()
        );
        let (mut replicator, mut queue, input, account) = replicator(&text, &[]);
        for _ in 0..3 {
            pass(&mut replicator, &mut queue, &input, &[b"one"]);
            assert_eq!(read(&there), b"one");
        }
        let counts = account.take();
        assert_eq!(counts.sent + counts.dropped.iter().map(|(_, count)| count).sum::<u64>(), 6);
        assert!(counts.sent >= 3, "{counts:?}");
        let report = account.report(1);
        assert!(report.message.contains("nobody listens there"), "{report:?}");
    }

    #[test]
    fn what_would_come_back_to_the_edge_is_not_sent() {
        let text =
            "{oneIn: 1, destinations: [{address: 127.0.0.1, port: 2055}, {address: 192.0.2.7, port: 2055}]}";
        let (mut replicator, _, _, _) = replicator(text, &[2055]);
        let [own, other] = &mut replicator.destinations[..] else { panic!("two") };
        assert_eq!(own.address().unwrap_err().0, Reason::Loop);
        assert_eq!(other.address(), Ok("192.0.2.7:2055".parse().unwrap()));
    }
}
