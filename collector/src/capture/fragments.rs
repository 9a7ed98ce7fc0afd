//! Puts IP fragments together again, within bounds.

use std::net::IpAddr;

use etherparse::IpNumber;
use etherparse::defrag::IpDefragBuf;

use super::Counts;
use super::frame::Fragment;

/// The most datagrams that wait for fragments at a time, of at most 64 KiB each.
pub(super) const MOST: usize = 128;

/// How long, in the capture's time, a datagram waits (RFC 791 and RFC 8200 allow 15 to 60 s).
const PATIENCE_MS: u64 = 30_000;

/// What tells one fragmented datagram from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    id: u32,
}

#[derive(Debug)]
struct Waiting {
    key: Key,
    since_ms: u64,
    parts: IpDefragBuf,
}

/// The datagrams that are not whole yet, oldest first.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    waiting: Vec<Waiting>,
}

impl Fragments {
    /// How many datagrams wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a fragment; gives the datagram's IP payload when it was the last one missing. A fragment that
    /// contradicts the others ends its datagram.
    pub(super) fn add(
        &mut self,
        fragment: &Fragment<'_>,
        now_ms: u64,
        counts: &mut Counts,
    ) -> Option<Vec<u8>> {
        self.forget(now_ms, counts);
        let at = self.position(fragment, now_ms, counts);
        let parts = &mut self.waiting[at].parts;
        if parts.add(fragment.offset, fragment.more, fragment.packet.payload).is_err() {
            self.waiting.remove(at);
            counts.malformed += 1;
            counts.incomplete += 1;
            return None;
        }
        let whole = parts.is_complete();
        whole.then(|| self.waiting.remove(at).parts.take_bufs().0)
    }

    fn position(&mut self, fragment: &Fragment<'_>, now_ms: u64, counts: &mut Counts) -> usize {
        let key =
            Key { source: fragment.packet.source, destination: fragment.packet.destination, id: fragment.id };
        if let Some(at) = self.waiting.iter().position(|waiting| waiting.key == key) {
            return at;
        }
        if self.waiting.len() == MOST {
            self.waiting.remove(0);
            counts.incomplete += 1;
        }
        let parts = IpDefragBuf::new(IpNumber::UDP, Vec::new(), Vec::new());
        self.waiting.push(Waiting { key, since_ms: now_ms, parts });
        self.waiting.len() - 1
    }

    fn forget(&mut self, now_ms: u64, counts: &mut Counts) {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| now_ms.saturating_sub(waiting.since_ms) <= PATIENCE_MS);
        counts.incomplete += (before - self.waiting.len()) as u64;
    }
}
