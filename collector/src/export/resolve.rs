//! Where a destination is: an address, or a host name that is resolved elsewhere, again every minute.

use std::net::{IpAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// How long an address of a name is used before it is asked for again.
const REFRESH: Duration = Duration::from_secs(60);
/// After how long a name that gave no address is asked for again.
const RETRY: Duration = Duration::from_secs(5);
/// For how long the first answer is waited for: until then there is nothing to send to.
const FIRST: Duration = Duration::from_secs(2);

/// What a name gave: an address, or why there is none.
type Answer = Result<IpAddr, String>;

/// A place that may move.
#[derive(Debug)]
pub(super) enum Place {
    /// An address.
    Fixed(IpAddr),
    /// A name.
    Named(Named),
}

/// A name and what it gave last.
#[derive(Debug)]
pub(super) struct Named {
    name: String,
    /// None: never answered.
    known: Option<Answer>,
    asked: Option<Receiver<Answer>>,
    due: Instant,
}

impl Place {
    /// The place that is written as an address or as a host name.
    pub(super) fn new(text: &str) -> Self {
        match text.parse() {
            Ok(address) => Self::Fixed(address),
            Err(_) => {
                Self::Named(Named { name: text.to_owned(), known: None, asked: None, due: Instant::now() })
            }
        }
    }

    /// Where it is now. Waits only for the first answer, and at most [`FIRST`].
    pub(super) fn address(&mut self) -> Answer {
        match self {
            Self::Fixed(address) => Ok(*address),
            Self::Named(named) => named.address(),
        }
    }
}

impl Named {
    fn address(&mut self) -> Answer {
        if self.asked.is_none() && Instant::now() >= self.due {
            self.asked = Some(ask(&self.name));
        }
        if let Some(asked) = &self.asked {
            let patience = if self.known.is_none() { FIRST } else { Duration::ZERO };
            match asked.recv_timeout(patience) {
                Ok(answer) => self.learn(answer),
                Err(RecvTimeoutError::Disconnected) => self.learn(Err("the resolver ended".to_owned())),
                Err(RecvTimeoutError::Timeout) if self.known.is_none() => {
                    self.known = Some(Err(format!("{} is not resolved yet", self.name)));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        self.known.clone().unwrap_or_else(|| Err(format!("{} is not resolved yet", self.name)))
    }

    /// A name that fails for a while keeps the address it had.
    fn learn(&mut self, answer: Answer) {
        self.asked = None;
        self.due = Instant::now() + if answer.is_ok() { REFRESH } else { RETRY };
        if answer.is_ok() || !matches!(self.known, Some(Ok(_))) {
            self.known = Some(answer);
        }
    }
}

/// Asks the system on a thread of its own: a resolver may take many seconds.
fn ask(name: &str) -> Receiver<Answer> {
    let (tell, answer) = sync_channel(1);
    let name = name.to_owned();
    let resolve = move || {
        let found = (name.as_str(), 0).to_socket_addrs().map(|mut found| found.next());
        let answer = match found {
            Ok(Some(address)) => Ok(address.ip().to_canonical()),
            Ok(None) => Err(format!("{name} has no address")),
            Err(error) => Err(format!("{name} is not resolved: {error}")),
        };
        // Nobody may be waiting any more.
        drop(tell.send(answer));
    };
    // Without a thread the receiver sees that nobody will answer, and asks again later.
    drop(std::thread::Builder::new().name("resolve".to_owned()).spawn(resolve));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_itself_and_a_name_is_resolved() {
        assert_eq!(Place::new("192.0.2.1").address(), Ok("192.0.2.1".parse().unwrap()));
        assert!(Place::new("localhost").address().unwrap().is_loopback());
    }

    #[test]
    fn a_name_that_stops_resolving_keeps_its_address_and_one_that_never_did_says_so() {
        let address = "192.0.2.1".parse().unwrap();
        let named = || Named { name: "c".into(), known: None, asked: None, due: Instant::now() + REFRESH };
        let mut known = named();
        known.learn(Ok(address));
        known.learn(Err("gone".into()));
        assert_eq!(known.address(), Ok(address));
        let mut never = named();
        never.learn(Err("c has no address".into()));
        assert_eq!(never.address(), Err("c has no address".into()));
    }
}
