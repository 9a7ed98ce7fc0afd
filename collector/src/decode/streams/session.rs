//! Exporters that number the messages of all their domains in one sequence, as Open vSwitch does in IPFIX.
//!
//! What one port sends is a *session*. When messages follow the last one of another domain by number, and not the
//! last one of their own, twice in a row, its domains are judged together, on the stream that was heard first; when
//! they follow their own again, twice in a row, each is judged by itself. What was counted by sequence number before
//! is void, as with every change of what numbers count.

use super::super::habit::Held;
use super::super::sequence::{Arrival, Mark, Shared};
use super::{Key, Streams};
use crate::flow::Protocol;

/// So many messages in a row have to say the same.
const AGREE: u8 = 2;

/// What came of a message's number.
#[derive(Clone, Copy, Debug)]
pub(in crate::decode) struct Judged {
    /// The stream on which it was judged.
    pub(in crate::decode) by: u32,
    pub(in crate::decode) arrival: Arrival,
    mark: Mark,
    /// The exporter has started anew.
    pub(in crate::decode) restarted: bool,
}

/// What the domains of one port have in common.
#[derive(Debug, Default)]
pub(super) struct Session {
    streams: u32,
    /// The stream on which all are judged.
    judge: Option<u32>,
    /// The stream of the last message, and the number that should follow it.
    last: Option<(u32, u32)>,
    together: u8,
    apart: u8,
}

impl Session {
    /// Weighs the number of a message; `own` should follow the last one of its stream. `true`: the domains turn out
    /// to share a sequence; `false`: not to share it.
    fn weigh(&mut self, stream: u32, own: Option<u32>, number: u32) -> Option<bool> {
        let (last, next) = self.last?;
        if last == stream || own == Some(next) {
            return None;
        }
        // Where a domain begins at 0, everybody's would.
        if number == next && (own.is_some() || number != 0) {
            (self.together, self.apart) = (self.together.saturating_add(1), 0);
        } else if own == Some(number) {
            (self.together, self.apart) = (0, self.apart.saturating_add(1));
        }
        match self.judge {
            None if self.together >= AGREE => Some(true),
            Some(_) if self.apart >= AGREE => Some(false),
            _ => None,
        }
    }
}

impl Streams {
    /// Counts a message of NetFlow v9 or IPFIX and judges its number. Unless it is a duplicate, [`Streams::settle`]
    /// must follow.
    pub(in crate::decode) fn arrive(&mut self, at: u32, message: &[u8], number: u32) -> Judged {
        let judge = self.judge(at, number);
        let stream = self.at(at);
        stream.count(message);
        let now_ms = stream.last_ms;
        if judge != at {
            self.touch(judge);
        }
        let stream = self.at(judge);
        let restarts = stream.tally.restarts;
        let (arrival, mark) = stream.judge(message, number, now_ms);
        Judged { by: judge, arrival, mark, restarted: stream.tally.restarts > restarts }
    }

    /// Counts what the message held; `whole` where that is known.
    pub(in crate::decode) fn settle(&mut self, at: u32, judged: Judged, held: Held, whole: bool) {
        let Judged { by, arrival, mark, .. } = judged;
        let units = self.at(by).settle(arrival, mark, held);
        let stream = self.at(at);
        let Some(session) = stream.session.filter(|_| arrival == Arrival::Forward) else { return };
        let next = Some(mark.number.wrapping_add(units)).filter(|_| whole);
        stream.follows = next;
        self.session(session).last = next.map(|next| (at, next));
    }

    /// The unread sets of which the next number of a stream would have told, which is judged elsewhere now.
    pub(in crate::decode) fn take_orphans(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.orphans)
    }

    /// Judges domains by themselves whose sequence numbers the administrator says something about.
    pub(super) fn part_stated(&mut self) {
        for session in 0..self.sessions.len() {
            let judge = self.sessions.get(session).and_then(|session| session.judge);
            if judge.is_some_and(|judge| self.at(judge).sequence.is_stated()) {
                self.judge_on(session, None);
            }
        }
    }

    /// A stream has got its place.
    pub(super) fn join(&mut self, at: u32) {
        let key = self.at(at).key;
        if !matches!(key.protocol, Protocol::NetFlow9 | Protocol::Ipfix) {
            return;
        }
        let fresh = self.free_sessions.last().copied().unwrap_or(self.sessions.len());
        let session = *self.session_of.entry(port(&key)).or_insert(fresh);
        if session == fresh && self.free_sessions.pop().is_none() {
            self.sessions.push(Session::default());
        }
        self.session(session).streams += 1;
        let leads = self.at(at).sequence.shared() == Shared::Leads;
        self.at(at).session = Some(session);
        match self.session(session).judge {
            None if leads => self.judge_on(session, Some(at)),
            None => {}
            Some(_) => self.share(at, Shared::Follows),
        }
    }

    /// A stream loses its place.
    pub(super) fn leave(&mut self, at: u32) {
        let Some(session) = self.at(at).session.take() else { return };
        if self.session(session).judge == Some(at) {
            self.judge_on(session, None);
        }
        let left = self.session(session);
        left.streams -= 1;
        if left.last.is_some_and(|(last, _)| last == at) {
            left.last = None;
        }
        if left.streams == 0 {
            *left = Session::default();
            self.free_sessions.push(session);
            let key = self.at(at).key;
            self.session_of.remove(&port(&key));
        }
    }

    /// The stream on which a message is judged.
    fn judge(&mut self, at: u32, number: u32) -> u32 {
        let stream = self.at(at);
        let follows = stream.follows;
        let Some(session) = stream.session.filter(|_| !stream.sequence.is_stated()) else { return at };
        match self.session(session).weigh(at, follows, number) {
            Some(true) => {
                let of_it = self.streams.iter().position(|stream| stream.session == Some(session));
                self.judge_on(session, of_it.and_then(|first| u32::try_from(first).ok()));
            }
            Some(false) => self.judge_on(session, None),
            None => {}
        }
        self.session(session).judge.unwrap_or(at)
    }

    /// Has all streams of a session judged on one of them, or each by itself.
    fn judge_on(&mut self, session: usize, judge: Option<u32>) {
        let place = self.session(session);
        (place.judge, place.together, place.apart) = (judge, 0, 0);
        let members = (0..).zip(&self.streams).filter(|(_, stream)| stream.session == Some(session));
        let members: Vec<u32> = members.map(|(at, _)| at).collect();
        for at in members {
            let shared = match judge {
                None => Shared::No,
                Some(judge) if judge == at => Shared::Leads,
                Some(_) => Shared::Follows,
            };
            self.share(at, shared);
        }
    }

    fn share(&mut self, at: u32, shared: Shared) {
        let stream = self.at(at);
        let orphan = stream.sequence.share(shared, &mut stream.tally);
        self.orphans.extend(orphan);
        self.touch(at);
    }

    fn session(&mut self, index: usize) -> &mut Session {
        &mut self.sessions[index]
    }
}

fn port(key: &Key) -> Key {
    Key { domain: 0, agent: None, ..*key }
}
