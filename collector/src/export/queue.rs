//! Datagrams on their way from a receiving thread to the thread that sends them: buffers of a bounded number go round.
//!
//! A receiving thread fills a buffer with the datagrams of one pass and hands it over; the sending thread gives it back
//! empty. Neither waits for the other: when no buffer is free, what came is dropped and counted.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use super::account::Account;
use crate::flow::{address_bits, address_of};

/// Buffers of one receiving thread for one target: 4 MiB when all are full.
pub(super) const BUFFERS: usize = 128;
/// A buffer with as many bytes is handed over before the pass ends.
const FULL: usize = 32 << 10;
/// Before each datagram: its source's address, its port, and how long it is.
const HEADER: usize = 16 + 2 + 2;

/// Datagrams of one pass.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    home: SyncSender<Buffer>,
}

impl Buffer {
    fn push(&mut self, from: SocketAddr, payload: &[u8]) {
        self.bytes.extend_from_slice(&address_bits(from.ip()).to_be_bytes());
        self.bytes.extend_from_slice(&from.port().to_be_bytes());
        // What UDP carries is shorter than 64 KiB.
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(&payload[..usize::from(length)]);
    }

    /// The datagrams in the order in which they came.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (header, after) = rest.split_first_chunk::<HEADER>()?;
            let (address, rest_of_header) = header.split_first_chunk::<16>()?;
            let [port_high, port_low, high, low] = *rest_of_header.first_chunk::<4>()?;
            let from: IpAddr = address_of(u128::from_be_bytes(*address));
            let (payload, after) = after.split_at_checked(u16::from_be_bytes([high, low]).into())?;
            rest = after;
            Some((SocketAddr::new(from, u16::from_be_bytes([port_high, port_low])), payload))
        })
    }

    /// Goes back to be filled anew. Whoever filled it may be gone.
    pub(super) fn give_back(mut self) {
        self.bytes.clear();
        let home = self.home.clone();
        drop(home.try_send(self));
    }
}

/// A receiving thread's end.
#[derive(Debug)]
pub(super) struct Queue {
    open: Option<Buffer>,
    made: usize,
    output: SyncSender<Buffer>,
    home: SyncSender<Buffer>,
    free: Receiver<Buffer>,
    account: Arc<Account>,
    /// How many times each datagram counts: once a destination.
    copies: u64,
}

/// Where the buffers of all receiving threads arrive.
pub(super) fn arrivals(threads: usize) -> (SyncSender<Buffer>, Receiver<Buffer>) {
    sync_channel(BUFFERS * threads)
}

impl Queue {
    /// A queue to whoever reads [`arrivals`].
    pub(super) fn new(output: SyncSender<Buffer>, account: Arc<Account>, copies: u64) -> Self {
        let (home, free) = sync_channel(BUFFERS);
        Self { open: None, made: 0, output, home, free, account, copies }
    }

    /// Takes a datagram, or counts it as dropped.
    pub(super) fn push(&mut self, from: SocketAddr, payload: &[u8], now_ms: u64) {
        if self.open.is_none() {
            self.open = self.buffer();
        }
        let Some(buffer) = &mut self.open else { return self.account.overflowed(self.copies, now_ms) };
        buffer.push(from, payload);
        if buffer.bytes.len() >= FULL {
            self.flush();
        }
    }

    /// Hands over what was taken.
    pub(super) fn flush(&mut self) {
        let Some(buffer) = self.open.take() else { return };
        // There is a place for every buffer there is: only a reader that is gone refuses one.
        if let Err(TrySendError::Full(buffer) | TrySendError::Disconnected(buffer)) =
            self.output.try_send(buffer)
        {
            let lost = buffer.datagrams().count() as u64;
            self.account.overflowed(lost * self.copies, super::account::unix_ms());
        }
    }

    fn buffer(&mut self) -> Option<Buffer> {
        if let Ok(buffer) = self.free.try_recv() {
            return Some(buffer);
        }
        (self.made < BUFFERS).then(|| {
            self.made += 1;
            Buffer { bytes: Vec::with_capacity(FULL + 2048), home: self.home.clone() }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn queue() -> (Queue, Receiver<Buffer>, Arc<Account>) {
        let (output, arrivals) = arrivals(1);
        let account = Arc::new(Account::new("net/out"));
        (Queue::new(output, Arc::clone(&account), 1), arrivals, account)
    }

    proptest! {
        #[test]
        fn datagrams_come_out_as_they_went_in(
            sent in proptest::collection::vec((any::<u128>(), any::<u16>(), proptest::collection::vec(any::<u8>(), 0..3000)), 1..50)
        ) {
            let (mut queue, arrivals, _) = queue();
            for (address, port, payload) in &sent {
                queue.push(SocketAddr::new(address_of(*address), *port), payload, 0);
            }
            queue.flush();
            let mut left = sent.iter();
            while let Ok(buffer) = arrivals.try_recv() {
                for (from, payload) in buffer.datagrams() {
                    let (address, port, expected) = left.next().unwrap();
                    prop_assert_eq!(from, SocketAddr::new(address_of(*address), *port));
                    prop_assert_eq!(payload, expected.as_slice());
                }
                buffer.give_back();
            }
            prop_assert_eq!(left.count(), 0);
        }
    }

    #[test]
    fn a_reader_that_stands_still_costs_exactly_what_finds_no_buffer() {
        let (mut queue, arrivals, account) = queue();
        let from = SocketAddr::from(([192, 0, 2, 1], 9));
        for _ in 0..BUFFERS as u64 + 10 {
            queue.push(from, b"datagram", 1);
            queue.flush();
        }
        assert_eq!(account.take().dropped, [("queue_full".to_owned(), 10)]);
        let arrived = arrivals.try_iter().map(Buffer::give_back).count();
        assert_eq!(arrived, BUFFERS);
        queue.push(from, b"datagram", 1);
        queue.flush();
        assert_eq!(arrivals.try_iter().count(), 1, "what was given back is filled again");
        assert_eq!(account.take().dropped, []);
    }
}
