//! The last report of what each stream taught, within a bound of memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::StreamFacts;

/// Reports by stream; past the bound those of streams that were not seen for longest are forgotten.
#[derive(Clone, Debug)]
pub struct KeptFacts<K> {
    streams: BTreeMap<K, Arc<StreamFacts>>,
    bytes: usize,
    limit: usize,
}

impl<K: Clone + Ord> KeptFacts<K> {
    /// An empty one that takes at most about `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { streams: BTreeMap::new(), bytes: 0, limit }
    }

    /// Takes over a report, and gives back the streams that lost their place by it. A report that knows nothing
    /// ends the place of its own stream; so does one that takes more than an eighth of the memory.
    pub fn note(&mut self, key: K, facts: &StreamFacts) -> Vec<K> {
        let mut gone = Vec::new();
        if let Some(old) = self.streams.remove(&key) {
            self.bytes -= old.cost();
        }
        if facts.is_empty() || facts.cost() > self.limit / 8 {
            gone.push(key);
        } else {
            self.bytes += facts.cost();
            self.streams.insert(key, Arc::new(facts.clone()));
        }
        if self.bytes > self.limit {
            self.forget_an_eighth(&mut gone);
        }
        gone
    }

    /// The last report of one stream.
    pub fn get(&self, key: &K) -> Option<&StreamFacts> {
        self.streams.get(key).map(Arc::as_ref)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &StreamFacts)> {
        self.streams.iter().map(|(key, facts)| (key, facts.as_ref()))
    }

    fn forget_an_eighth(&mut self, gone: &mut Vec<K>) {
        let mut ages: Vec<_> = self.streams.iter().map(|(key, facts)| (facts.seen_ms, key.clone())).collect();
        ages.sort_unstable();
        for (_, key) in ages {
            if self.bytes <= self.limit / 8 * 7 {
                return;
            }
            self.bytes -= self.streams.remove(&key).map_or(0, |facts| facts.cost());
            gone.push(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::{NameFact, NameOf, StreamKey};

    fn facts(port: u16, names: u64) -> StreamFacts {
        let key = StreamKey {
            listener: "netflow".into(),
            exporter: "192.0.2.1".parse().unwrap(),
            port,
            protocol: "netflow9".into(),
            domain: 0,
            agent: None,
        };
        let name = |number| NameFact { of: NameOf::Interface, number, name: "x".repeat(200) };
        let names = (0..names).map(name).collect();
        StreamFacts { names, ..StreamFacts::new(key, port.into(), None) }
    }

    #[test]
    fn memory_is_bounded_and_who_was_not_seen_for_longest_is_forgotten() {
        let mut kept = KeptFacts::new(1 << 20);
        let mut gone = Vec::new();
        for port in 0..100 {
            gone.extend(kept.note(port, &facts(port, 100)));
            assert!(kept.bytes <= 1 << 20);
        }
        let left: Vec<u16> = kept.iter().map(|(port, _)| *port).collect();
        assert_eq!((gone.len() + left.len(), left.last()), (100, Some(&99)));
        assert!(left.len() > 30 && left[0] == u16::try_from(gone.len()).unwrap(), "{left:?}");
        assert_eq!(kept.bytes, kept.iter().map(|(_, facts)| facts.cost()).sum::<usize>());
    }

    #[test]
    fn a_stream_of_which_nothing_is_known_any_more_takes_no_place() {
        let mut kept = KeptFacts::new(1 << 20);
        assert!(kept.note(1, &facts(1, 3)).is_empty());
        assert_eq!(kept.get(&1).map(|facts| facts.names.len()), Some(3));
        assert_eq!(kept.note(1, &facts(1, 0)), [1]);
        assert!(kept.iter().next().is_none() && kept.bytes == 0);
    }

    #[test]
    fn a_report_that_is_far_too_large_is_not_kept() {
        let mut kept = KeptFacts::new(1 << 20);
        assert_eq!(kept.note(1, &facts(1, 1000)), [1]);
        assert!(kept.get(&1).is_none());
    }
}
