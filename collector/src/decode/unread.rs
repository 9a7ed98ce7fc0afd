//! The data sets of a message that could not be read when it came, and how many records they hold.
//!
//! Such sets form a *group*: together they hold what the message is known to hold beyond the records that were
//! read. For IPFIX the next sequence number tells it, for v9 the count in the header. What is told of a group is
//! split into records decoded when a template came, records waiting, and records lost; so the balance of the
//! stream in records holds at every moment. Where nothing tells it, lost sets count as sets and bytes.

use hashbrown::HashMap;

use super::reason::Undecodable;
use super::streams::{Key, Stream, Streams};

/// The groups that are not done with.
#[derive(Debug, Default)]
pub(super) struct Unread {
    groups: HashMap<u64, Group, foldhash::fast::RandomState>,
    last: u64,
}

#[derive(Debug)]
struct Group {
    stream: u32,
    key: Key,
    /// The stream on which the numbers are judged, and its key.
    judge: (u32, Key),
    /// The sequence's epoch when it came.
    epoch: u32,
    told: Told,
    /// Told, and neither decoded nor lost so far.
    left: u32,
    /// Sets that wait for their template.
    waiting: u32,
    /// Sets that never will be read: the first one's reason, how many, and their bytes.
    lost: Option<(Undecodable, u32, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    NotYet,
    Records,
    /// Nothing will tell. `beyond`: no later number of the epoch was seen.
    Never {
        beyond: bool,
    },
}

impl Unread {
    /// A new group of a stream whose numbers are judged on another, or the same; gives its number.
    pub(super) fn open(&mut self, (stream, judge): (u32, u32), key: Key, streams: &mut Streams) -> u64 {
        self.last += 1;
        let judged = streams.at(judge);
        let (epoch, judge) = (judged.sequence.epoch(), (judge, judged.key));
        let group = Group { stream, key, judge, epoch, told: Told::NotYet, left: 0, waiting: 0, lost: None };
        self.groups.insert(self.last, group);
        self.last
    }

    /// Whether some of its sets are unread.
    pub(super) fn is_open(&self, group: u64) -> bool {
        self.groups.contains_key(&group)
    }

    /// A set of the group waits for its template.
    pub(super) fn wait(&mut self, group: u64, bytes: usize, streams: &mut Streams) {
        let Some(group) = self.groups.get_mut(&group) else { return };
        group.waiting += 1;
        let waiting = &mut group.stream(streams).waiting;
        waiting.sets += 1;
        waiting.bytes += bytes as u64;
    }

    /// A set of the group, or a part of one, never can be read; it did not wait.
    pub(super) fn lose(&mut self, group: u64, reason: Undecodable, bytes: usize, streams: &mut Streams) {
        let Some(group) = self.groups.get_mut(&group) else { return };
        group.stream(streams).tally.fault(reason);
        let (_, sets, lost) = group.lost.get_or_insert((reason, 0, 0));
        *sets += 1;
        *lost += bytes as u64;
    }

    /// A set that waited is given up.
    pub(super) fn give_up(&mut self, group: u64, reason: Undecodable, bytes: usize, streams: &mut Streams) {
        self.lose(group, reason, bytes, streams);
        self.end_of_wait(group, bytes, streams);
        self.close(group, streams);
    }

    /// The records that the group's sets hold together became known: so many beyond those that were decoded
    /// meanwhile. `None`: nothing will tell them, and `beyond` says that no later number of the epoch was seen.
    pub(super) fn tell(&mut self, group: u64, records: Option<u32>, beyond: bool, streams: &mut Streams) {
        let Some(known) = self.groups.get_mut(&group).filter(|group| group.told == Told::NotYet) else {
            return;
        };
        if let Some(records) = records {
            known.told = Told::Records;
            known.left = records;
            let stream = known.stream(streams);
            stream.tally.records_received += i64::from(records);
            stream.waiting.records += u64::from(records);
        } else {
            known.told = Told::Never { beyond };
        }
        self.close(group, streams);
    }

    /// A set that waited was decoded and held so many records.
    pub(super) fn decoded(&mut self, group: u64, records: u32, bytes: usize, streams: &mut Streams) {
        self.end_of_wait(group, bytes, streams);
        let Some(known) = self.groups.get_mut(&group) else { return };
        let epoch = known.epoch;
        let done = known.waiting == 0 && known.lost.is_none();
        match known.told {
            Told::NotYet => {
                let stream = known.stream(streams);
                stream.tally.records_received += i64::from(records);
                let judge = known.judge(streams);
                judge.sequence.advance(group, records, done, &mut judge.tally);
                if done {
                    self.groups.remove(&group);
                }
            }
            Told::Records => {
                let expected = records.min(known.left);
                known.left -= expected;
                known.stream(streams).waiting.take(expected);
                known.correct(i64::from(records - expected), epoch, false, streams);
            }
            Told::Never { beyond } => known.correct(i64::from(records), epoch, beyond, streams),
        }
        self.close(group, streams);
    }

    fn end_of_wait(&mut self, group: u64, bytes: usize, streams: &mut Streams) {
        let Some(group) = self.groups.get_mut(&group) else { return };
        group.waiting = group.waiting.saturating_sub(1);
        let waiting = &mut group.stream(streams).waiting;
        waiting.sets = waiting.sets.saturating_sub(1);
        waiting.bytes = waiting.bytes.saturating_sub(bytes as u64);
    }

    /// Ends a group of which nothing waits any more: what is left was lost.
    fn close(&mut self, group: u64, streams: &mut Streams) {
        let over = |group: &Group| group.waiting == 0 && group.told != Told::NotYet;
        if !self.groups.get(&group).is_some_and(over) {
            return;
        }
        let Some(group) = self.groups.remove(&group) else { return };
        let stream = group.stream(streams);
        stream.waiting.take(group.left);
        match (group.told, group.lost) {
            (Told::Records, Some((reason, ..))) => stream.tally.undecodable.count(reason, group.left),
            (Told::Records, None) => group.correct(-i64::from(group.left), group.epoch, false, streams),
            (_, Some((_, sets, bytes))) => {
                stream.tally.uncounted_sets += u64::from(sets);
                stream.tally.uncounted_bytes += bytes;
            }
            (_, None) => {}
        }
    }
}

impl Group {
    /// Its stream, or the one of those that lost their place.
    fn stream<'a>(&self, streams: &'a mut Streams) -> &'a mut Stream {
        let at = streams.recall(self.stream, &self.key);
        streams.at(at)
    }

    fn judge<'a>(&self, streams: &'a mut Streams) -> &'a mut Stream {
        let at = streams.recall(self.judge.0, &self.judge.1);
        streams.at(at)
    }

    /// Its sets held more records than was told, or fewer.
    fn correct(&self, more: i64, epoch: u32, beyond: bool, streams: &mut Streams) {
        self.stream(streams).tally.records_received += more;
        let judge = self.judge(streams);
        judge.sequence.correct(more, epoch, beyond, &mut judge.tally);
    }
}
