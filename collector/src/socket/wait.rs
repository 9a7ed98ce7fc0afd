//! Waiting for sockets: epoll, and a waker for other threads.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::{Errno, read, write};

/// What the waker is registered as.
const WAKER: u64 = u64::MAX;

/// Events that one wait brings; what finds no room comes with the next one.
const EVENTS: usize = 128;

/// Ends the wait of a receiver from another thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// Has the receiver return at once, now or when it waits next.
    pub fn wake(&self) {
        // Only a counter at its limit refuses, and then the receiver is woken already.
        let _ = write(&*self.0, &1_u64.to_ne_bytes());
    }
}

/// The sockets that are waited for, by their tokens.
#[derive(Debug)]
pub(super) struct Wait {
    epoll: OwnedFd,
    waker: Waker,
    /// Tokens of the sockets that can be read.
    ready: Vec<u64>,
}

impl Wait {
    pub(super) fn new() -> Result<Self, Errno> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let waker = Waker(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?));
        epoll::add(&epoll, &*waker.0, EventData::new_u64(WAKER), EventFlags::IN)?;
        Ok(Self { epoll, waker, ready: Vec::with_capacity(EVENTS) })
    }

    pub(super) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Adds a socket; it leaves by being closed.
    pub(super) fn add(&self, socket: impl AsFd, token: u64) -> Result<(), Errno> {
        epoll::add(&self.epoll, socket, EventData::new_u64(token), EventFlags::IN)
    }

    /// Waits at most `wait` until a socket can be read. Returns how many [`Wait::token`]s there are.
    pub(super) fn wait(&mut self, wait: Duration) -> Result<usize, Errno> {
        self.ready.clear();
        let wait = Timespec::try_from(wait).map_err(|_| Errno::INVAL)?;
        let mut room = [MaybeUninit::uninit(); EVENTS];
        let events = match epoll::wait(&self.epoll, &mut room, Some(&wait)) {
            Ok((events, _)) => events,
            Err(Errno::INTR) => return Ok(0),
            Err(error) => return Err(error),
        };
        for event in events {
            match event.data.u64() {
                // It is readable; what it counted does not matter.
                WAKER => _ = read(&*self.waker.0, &mut [0_u8; 8]),
                token => self.ready.push(token),
            }
        }
        Ok(self.ready.len())
    }

    /// The token of the `index`-th socket that can be read.
    pub(super) fn token(&self, index: usize) -> Option<u64> {
        self.ready.get(index).copied()
    }
}
