//! A relay for datagrams that loses, repeats and holds back exactly those that it is told to, by their number.
//!
//! This kernel has no network emulator to ask, and a test wants known numbers: the relay decides by index alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use crate::deadline::wait_for;
use crate::namespace::Namespace;

/// What becomes of which datagram; the first one is number 0.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// They go no further.
    pub drop: BTreeSet<usize>,
    /// They are passed on twice.
    pub twice: BTreeSet<usize>,
    /// They are passed on only after so many later ones.
    pub hold: BTreeMap<usize, usize>,
    /// From this one on the exporter has started anew: its sequence numbers begin at 0.
    pub restart: Option<usize>,
}

/// A running relay, between one exporter and one collector.
#[derive(Debug)]
pub struct Relay {
    socket: UdpSocket,
    source: UdpSocket,
    target: SocketAddr,
    plan: Plan,
}

/// What a relay saw and did.
#[derive(Debug, Default)]
pub struct Relayed {
    /// Every datagram that the exporter sent (after its restart, with the new numbers).
    pub sent: Vec<Vec<u8>>,
    /// Those that were passed on, in that order, each as often as it was.
    pub passed: Vec<Vec<u8>>,
}

impl Relay {
    /// Listens in a namespace; what it passes on comes from `source`.
    ///
    /// # Panics
    /// When an address is taken.
    #[must_use]
    pub fn start(
        namespace: &Namespace,
        listen: SocketAddr,
        source: SocketAddr,
        target: SocketAddr,
        plan: Plan,
    ) -> Self {
        let bind = |address| namespace.run(|| UdpSocket::bind(address)).expect("the address is free");
        let socket = bind(listen);
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout can be set");
        Self { socket, source: bind(source), target, plan }
    }

    /// Takes so many datagrams, which have been sent or will be within five seconds, and passes them on as planned.
    /// `restart` is given each datagram from the exporter's restart on, to number it anew.
    ///
    /// # Panics
    /// When fewer come.
    #[must_use]
    pub fn run(self, datagrams: usize, mut restart: impl FnMut(&mut [u8])) -> Relayed {
        let mut done = Relayed::default();
        let mut held: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut buffer = vec![0; 65_535];
        for at in 0..datagrams {
            let (length, _) = self.socket.recv_from(&mut buffer).expect("as many datagrams as were sent");
            let mut datagram = buffer[..length].to_vec();
            if self.plan.restart.is_some_and(|first| at >= first) {
                restart(&mut datagram);
            }
            done.sent.push(datagram.clone());
            self.one(at, datagram, &mut held, &mut done.passed);
            let (due, later) = held.into_iter().partition(|(due, _)| *due <= at);
            held = later;
            self.pass_on(due, &mut done.passed);
        }
        self.pass_on(held, &mut done.passed);
        done
    }

    fn one(&self, at: usize, datagram: Vec<u8>, held: &mut Vec<(usize, Vec<u8>)>, passed: &mut Vec<Vec<u8>>) {
        if self.plan.drop.contains(&at) {
            return;
        }
        if let Some(later) = self.plan.hold.get(&at) {
            return held.push((at + later, datagram));
        }
        let times = if self.plan.twice.contains(&at) { 2 } else { 1 };
        self.pass_on(vec![(at, datagram); times], passed);
    }

    fn pass_on(&self, datagrams: Vec<(usize, Vec<u8>)>, passed: &mut Vec<Vec<u8>>) {
        for (_, datagram) in datagrams {
            wait_for("room to send", Duration::from_secs(5), String::new, || {
                self.source.send_to(&datagram, self.target).ok()
            });
            passed.push(datagram);
        }
    }
}
