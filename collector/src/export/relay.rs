//! `weir relay`: sends datagrams in the name of the exporters that sent them, for edges on the same machine.
//!
//! Only a raw socket puts another address than one's own into a datagram, and only a privileged program may have one
//! (CAP_NET_RAW). So that edges need no privilege, this small program holds the sockets and takes orders over a Unix
//! socket: whoever may open that file may send in any name. It is made with the mode 0660.
//!
//! ```text
//! request:  length (u32), then for each datagram: to (16 + 2), from (16 + 2), length (u16), bytes
//! answer:   five u64: sent, unreachable, too large, no room, address families that differ
//! ```
//! All numbers are big endian, IPv4 addresses are mapped into IPv6. Each request is answered before the next is read:
//! the edge waits in the thread that sends, and drops, counted, what its queue cannot hold meanwhile.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::flow::{address_bits, address_of};

mod raw;
mod server;

pub use server::{OpenError, Relay};

/// Where the relay listens, unless it is told otherwise.
pub const SOCKET: &str = "/run/weir/relay.sock";

/// No request is longer: a pass of datagrams for eight destinations fits.
const MAX_REQUEST: usize = 4 << 20;
/// Before each datagram's bytes.
const HEADER: usize = 16 + 2 + 16 + 2 + 2;
/// For how long the relay may be silent.
const PATIENCE: Duration = Duration::from_secs(2);

/// What became of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) sent: u64,
    pub(super) unreachable: u64,
    pub(super) too_large: u64,
    pub(super) no_buffer: u64,
    pub(super) address_family: u64,
}

impl Done {
    const BYTES: usize = 5 * 8;

    fn write(self) -> Vec<u8> {
        let all = [self.sent, self.unreachable, self.too_large, self.no_buffer, self.address_family];
        all.into_iter().flat_map(u64::to_be_bytes).collect()
    }

    fn read(bytes: &[u8; Self::BYTES]) -> Self {
        let (numbers, _) = bytes.as_chunks::<8>();
        let number = |at: usize| numbers.get(at).copied().map_or(0, u64::from_be_bytes);
        Self {
            sent: number(0),
            unreachable: number(1),
            too_large: number(2),
            no_buffer: number(3),
            address_family: number(4),
        }
    }
}

/// Datagrams to be sent in others' names.
#[derive(Debug)]
pub(super) struct Request {
    bytes: Vec<u8>,
    datagrams: u64,
}

impl Default for Request {
    fn default() -> Self {
        Self { bytes: vec![0; 4], datagrams: 0 }
    }
}

impl Request {
    /// Adds a datagram.
    pub(super) fn push(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        for end in [to, from] {
            self.bytes.extend_from_slice(&address_bits(end.ip()).to_be_bytes());
            self.bytes.extend_from_slice(&end.port().to_be_bytes());
        }
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(&payload[..usize::from(length)]);
        self.datagrams += 1;
    }

    /// How many there are.
    pub(super) fn datagrams(&self) -> u64 {
        self.datagrams
    }

    /// The bytes that go over the socket.
    fn wire(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let length = u32::try_from(bytes.len() - 4).unwrap_or(u32::MAX);
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        bytes
    }
}

/// A datagram of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order<'a> {
    to: SocketAddr,
    from: SocketAddr,
    payload: &'a [u8],
}

/// The datagrams of a request without its length; none once the bytes are not of the form.
fn orders(request: &[u8]) -> impl Iterator<Item = Option<Order<'_>>> {
    let mut rest = request;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let order = order(&mut rest);
        if order.is_none() {
            rest = &[];
        }
        Some(order)
    })
}

fn order<'a>(rest: &mut &'a [u8]) -> Option<Order<'a>> {
    let (header, after) = rest.split_first_chunk::<HEADER>()?;
    let end = |at: usize| {
        let address: [u8; 16] = header[at..at + 16].try_into().ok()?;
        let port = u16::from_be_bytes([header[at + 16], header[at + 17]]);
        Some(SocketAddr::new(address_of(u128::from_be_bytes(address)), port))
    };
    let length = u16::from_be_bytes([header[HEADER - 2], header[HEADER - 1]]);
    let (payload, after) = after.split_at_checked(length.into())?;
    *rest = after;
    Some(Order { to: end(0)?, from: end(18)?, payload })
}

/// Reads a request's bytes into `room`; false when the other side has ended between two requests.
fn read_request(stream: &mut UnixStream, room: &mut Vec<u8>) -> io::Result<bool> {
    let mut length = [0; 4];
    match stream.read(&mut length[..1])? {
        0 => return Ok(false),
        _ => stream.read_exact(&mut length[1..])?,
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_REQUEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a request of {length} bytes")));
    }
    room.resize(length, 0);
    stream.read_exact(room)?;
    Ok(true)
}

/// An edge's connection to the relay.
#[derive(Debug)]
pub(super) struct Client {
    path: PathBuf,
    stream: Option<UnixStream>,
}

/// The relay is not there, or does not answer.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct RelayError {
    pub(super) message: String,
}

impl Client {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), stream: None }
    }

    /// Has the datagrams sent, and waits at most [`PATIENCE`] for what became of them.
    pub(super) fn send(&mut self, request: &Request) -> Result<Done, RelayError> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect().map_err(|error| self.away(&error))?,
        };
        let done = exchange(&mut stream, request).map_err(|error| self.away(&error))?;
        self.stream = Some(stream);
        Ok(done)
    }

    fn connect(&self) -> io::Result<UnixStream> {
        let stream = UnixStream::connect(&self.path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    fn away(&self, error: &io::Error) -> RelayError {
        let path = self.path.display();
        RelayError {
            message: format!("does not answer at {path}: {error}; run `weir relay --socket {path}`"),
        }
    }
}

fn exchange(stream: &mut UnixStream, request: &Request) -> io::Result<Done> {
    stream.write_all(&request.wire())?;
    let mut answer = [0; Done::BYTES];
    stream.read_exact(&mut answer)?;
    Ok(Done::read(&answer))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn end() -> impl Strategy<Value = SocketAddr> {
        (any::<u128>(), any::<u16>()).prop_map(|(address, port)| SocketAddr::new(address_of(address), port))
    }

    proptest! {
        #[test]
        fn a_request_is_read_as_it_was_written(
            sent in proptest::collection::vec((end(), end(), proptest::collection::vec(any::<u8>(), 0..200)), 0..20)
        ) {
            let mut request = Request::default();
            for (from, to, payload) in &sent {
                request.push(*from, *to, payload);
            }
            let wire = request.wire();
            let read: Vec<_> = orders(&wire[4..]).collect::<Option<_>>().unwrap();
            let expected: Vec<_> =
                sent.iter().map(|(from, to, payload)| Order { to: *to, from: *from, payload }).collect();
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn any_bytes_are_read_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let read: Vec<_> = orders(&bytes).collect();
            prop_assert!(read.len() <= bytes.len() / HEADER + 1);
        }

        #[test]
        fn an_answer_is_read_as_it_was_written(counts in any::<[u64; 5]>()) {
            let [sent, unreachable, too_large, no_buffer, address_family] = counts;
            let done = Done { sent, unreachable, too_large, no_buffer, address_family };
            prop_assert_eq!(Done::read(&done.write().try_into().unwrap()), done);
        }
    }

    #[test]
    fn a_relay_that_is_away_is_told_with_what_to_run() {
        let mut client = Client::new(Path::new("/none/relay.sock"));
        let mut request = Request::default();
        let end = SocketAddr::from(([192, 0, 2, 1], 9));
        request.push(end, end, b"x");
        let error = client.send(&request).unwrap_err().to_string();
        assert!(error.contains("run `weir relay --socket /none/relay.sock`"), "{error}");
    }
}
