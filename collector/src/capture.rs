//! Reads the datagrams that exporters sent out of capture files.
//!
//! A file is a pcap or pcapng capture, of which the UDP datagrams are taken, or it holds the payload of one
//! datagram and nothing else. Everything that is not a UDP datagram is counted and passed. IP fragments are put
//! together again, also over the border between two files. Memory is bounded: one packet of at most
//! [`LARGEST_BLOCK`] bytes, and a bounded number of datagrams that wait for their other fragments.

mod file;
mod fragments;
mod frame;

use std::io::{Cursor, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;

use serde::Serialize;

pub use file::LARGEST_BLOCK;

/// The largest payload that a UDP datagram can have (65,535 less the IPv4 and UDP headers).
const LARGEST_PAYLOAD: usize = 65_507;

/// One UDP datagram, as the collector's socket would have read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Source address; IPv4-mapped addresses are unmapped. Unspecified when the file does not say.
    pub exporter: IpAddr,
    /// Source port; 0 when the file does not say.
    pub exporter_port: u16,
    /// Destination port; 0 when the file does not say.
    pub port: u16,
    /// Unix milliseconds when the packet was captured.
    pub received_ms: u64,
    /// What stands after the UDP header.
    pub payload: &'a [u8],
}

/// What was found in the files, in packets unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Files read to their end, or to where they are damaged.
    pub files: u64,
    /// Packets in capture files.
    pub packets: u64,
    /// Datagrams handed on, raw payload files among them.
    pub datagrams: u64,
    /// Packets whose link layer is not one that is understood.
    pub other_link: u64,
    /// Frames that hold no IP packet.
    pub not_ip: u64,
    /// IP packets that are not UDP.
    pub not_udp: u64,
    /// Packets that the capture cut (snap length) before the end of the datagram.
    pub cut: u64,
    /// Packets whose own lengths contradict each other.
    pub malformed: u64,
    /// IP fragments of UDP datagrams.
    pub fragments: u64,
    /// Datagrams of which fragments came, but never all.
    pub incomplete: u64,
}

/// Why a file could not be read to its end. What was read before it was handed on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system's answer.
    #[error("{file}: {source}")]
    Read {
        /// The file's name.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is neither of the formats, and too large or too small for one payload.
    #[error("{file}: {what}; give a pcap or pcapng capture, or a file with the payload of one UDP datagram")]
    Format {
        /// The file's name.
        file: String,
        /// What the file looks like.
        what: String,
    },
    /// The file is damaged from here on.
    #[error("{file}: byte {offset}, after {packets} whole packets: {what}")]
    Damaged {
        /// The file's name.
        file: String,
        /// Where the damaged packet or block starts.
        offset: usize,
        /// How many packets were read before.
        packets: u64,
        /// What is wrong.
        what: String,
    },
}

/// Reads captures one after the other: what one file leaves open, the next may complete.
#[derive(Debug, Default)]
pub struct Reader {
    fragments: fragments::Fragments,
    counts: Counts,
}

impl Reader {
    /// Reads `source` to its end and hands each datagram to `take`, which may break off.
    ///
    /// `name` stands in errors. `written_ms` (Unix ms) is the time of what has no time of its own: raw payload
    /// files and pcapng's simple packets.
    ///
    /// # Errors
    /// When the source cannot be read, or is damaged or of another format; all datagrams before it were taken.
    pub fn read(
        &mut self,
        name: &str,
        written_ms: u64,
        mut source: impl Read,
        take: &mut dyn FnMut(Datagram<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        let file = || name.to_owned();
        let head = file::head(&mut source).map_err(|source| Error::Read { file: file(), source })?;
        self.counts.files += 1;
        match file::kind(&head) {
            file::Kind::Payload => self.payload(name, written_ms, head, source, take),
            file::Kind::Other(what) => Err(Error::Format { file: file(), what }),
            kind => {
                let source = Cursor::new(head).chain(source);
                let result = file::frames(&kind, source, &mut |frame| self.frame(&frame, written_ms, take));
                result.map_err(|stop| stop.named(name))
            }
        }
    }

    /// What was counted so far; datagrams that still wait for fragments count as incomplete.
    pub fn counts(&self) -> Counts {
        let waiting = self.fragments.waiting() as u64;
        Counts { incomplete: self.counts.incomplete + waiting, ..self.counts }
    }

    fn payload(
        &mut self,
        name: &str,
        written_ms: u64,
        mut payload: Vec<u8>,
        source: impl Read,
        take: &mut dyn FnMut(Datagram<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        let rest = (LARGEST_PAYLOAD + 1).saturating_sub(payload.len()) as u64;
        let read = source.take(rest).read_to_end(&mut payload);
        read.map_err(|source| Error::Read { file: name.to_owned(), source })?;
        if payload.len() > LARGEST_PAYLOAD {
            let what = format!("not a capture, and longer than a UDP payload ({LARGEST_PAYLOAD} bytes)");
            return Err(Error::Format { file: name.to_owned(), what });
        }
        self.counts.datagrams += 1;
        Ok(take(Datagram {
            exporter: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            exporter_port: 0,
            port: 0,
            received_ms: written_ms,
            payload: &payload,
        }))
    }

    fn frame(
        &mut self,
        frame: &file::Frame<'_>,
        written_ms: u64,
        take: &mut dyn FnMut(Datagram<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.counts.packets += 1;
        let received_ms = frame.time_ms.unwrap_or(written_ms);
        let found = match frame::packet(frame) {
            frame::Found::Whole(packet) => frame::datagram(&packet, received_ms, take),
            frame::Found::Fragment(fragment) => {
                self.counts.fragments += 1;
                let Some(payload) = self.fragments.add(&fragment, received_ms, &mut self.counts) else {
                    return ControlFlow::Continue(());
                };
                let whole = frame::Packet { payload: &payload, ..fragment.packet };
                frame::datagram(&whole, received_ms, take)
            }
            frame::Found::Not(why) => Err(why),
        };
        match found {
            Ok(flow) => {
                self.counts.datagrams += 1;
                flow
            }
            Err(why) => {
                self.pass(why, frame.cut);
                ControlFlow::Continue(())
            }
        }
    }

    fn pass(&mut self, why: frame::Not, cut: bool) {
        let counts = &mut self.counts;
        *match why {
            frame::Not::Link => &mut counts.other_link,
            frame::Not::Ip => &mut counts.not_ip,
            frame::Not::Udp => &mut counts.not_udp,
            frame::Not::Sound if cut => &mut counts.cut,
            frame::Not::Sound => &mut counts.malformed,
        } += 1;
    }
}

#[cfg(test)]
mod tests;
