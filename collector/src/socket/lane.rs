//! One UDP socket of a listener.

use std::io;
use std::os::fd::AsRawFd;

use crds::config::Transport;
use socket2::Socket;

use super::sys::{self, Area};
use super::{Event, Packet, Peer, unix_ms};

/// One socket of a listener: takes what the exporters of its lane send.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) listener: u16,
    pub(super) number: usize,
    pub(super) socket: Socket,
    datagrams: u64,
    /// Datagrams since the nap was last measured.
    recent: u64,
    /// The kernel's drop counter when it was last read.
    drops_seen: u32,
}

impl Lane {
    pub(super) fn new(listener: u16, number: usize, socket: Socket) -> Self {
        let drops_seen = sys::drops(socket.as_raw_fd()).unwrap_or_default();
        Self { listener, number, socket, datagrams: 0, recent: 0, drops_seen }
    }

    /// Reads one batch without waiting. Returns whether more may be there.
    pub(super) fn read(&mut self, area: &mut Area, each: &mut impl FnMut(Event<'_>)) -> io::Result<bool> {
        let messages = area.receive(self.socket.as_raw_fd())?;
        let received_ms = unix_ms();
        let mut datagrams = 0_u64;
        for message in 0..messages {
            let Some((from, payload, segment)) = area.message(message) else { continue };
            let peer = Peer { listener: self.listener, from: from.ip().to_canonical(), port: from.port() };
            for payload in segments(payload, segment) {
                datagrams += 1;
                each(Event::Packet(Packet { peer, transport: Transport::Udp, received_ms, payload }));
            }
        }
        self.datagrams += datagrams;
        self.recent += datagrams;
        Ok(messages == sys::MESSAGES)
    }

    /// Datagrams read since the last call.
    pub(super) fn take_datagrams(&mut self) -> u64 {
        std::mem::take(&mut self.datagrams)
    }

    /// Datagrams read since the last call, for another clock.
    pub(super) fn take_recent(&mut self) -> u64 {
        std::mem::take(&mut self.recent)
    }

    /// Datagrams that the kernel dropped since the last call.
    pub(super) fn take_drops(&mut self) -> u64 {
        let drops = sys::drops(self.socket.as_raw_fd()).unwrap_or(self.drops_seen);
        u64::from(drops.wrapping_sub(std::mem::replace(&mut self.drops_seen, drops)))
    }
}

/// Splits what UDP_GRO merged; an empty datagram is one too.
fn segments(payload: &[u8], segment: usize) -> impl Iterator<Item = &[u8]> {
    let size = if segment == 0 { payload.len().max(1) } else { segment };
    let empty = payload.is_empty().then_some(payload);
    payload.chunks(size).chain(empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_datagrams_are_split_at_their_segment_size() {
        let lengths = |payload: &[u8], size| segments(payload, size).map(<[u8]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(&[0; 25], 10), [10, 10, 5]);
        assert_eq!(lengths(&[0; 25], 0), [25]);
        assert_eq!(lengths(&[], 0), [0]);
    }
}
