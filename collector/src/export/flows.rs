//! Flows on their way from a receiving thread to the threads that write them: whole batches change hands.
//!
//! A receiving thread whose batch holds rows of a wanted channel hands the batch itself over, with a mask of the rows
//! for each target, and goes on with a spare one: nothing is copied or encoded there. The last target that is done with
//! a batch gives it back. When no spare is left, the rows are dropped and counted.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crds::config::ProfileConfig;
use crds::config::target::FlowsConfig;

use super::account::{Account, unix_ms};
use crate::flow::{Batch, HitList, Hits, Mask, Row, rows};

/// Batches of one receiving thread that may be under way.
pub(super) const BATCHES: usize = 16;

/// A batch that changed hands.
#[derive(Debug)]
struct Handed {
    batch: Batch,
    home: SyncSender<Batch>,
}

/// Rows that a target wants of a batch.
#[derive(Debug)]
pub(super) struct Flows {
    handed: Arc<Handed>,
    rows: Mask,
}

impl Flows {
    /// Calls `each` for every row that is wanted, then gives the batch back.
    pub(super) fn each(self, mut each: impl FnMut(Row<'_>)) {
        let Ok(()) = rows(&self.handed.batch, &mut |row| -> Result<(), std::convert::Infallible> {
            if self.rows.get(row.index) {
                each(row);
            }
            Ok(())
        });
        if let Some(Handed { mut batch, home }) = Arc::into_inner(self.handed) {
            batch.clear();
            // Whoever filled it may be gone.
            drop(home.try_send(batch));
        }
    }
}

/// The way to one target.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) output: SyncSender<Flows>,
    pub(super) account: Arc<Account>,
}

/// A target, and by index which channels it wants.
#[derive(Debug)]
struct Wanted {
    channels: Vec<bool>,
    way: Way,
}

/// A receiving thread's end.
#[derive(Debug)]
pub(super) struct FlowTap {
    targets: Vec<Wanted>,
    made: usize,
    home: SyncSender<Batch>,
    free: Receiver<Batch>,
}

impl Default for FlowTap {
    fn default() -> Self {
        let (home, free) = sync_channel(BATCHES);
        Self { targets: Vec::new(), made: 0, home, free }
    }
}

impl FlowTap {
    /// Adds a target; `profiles` are those of the plan, in its order.
    pub(super) fn add(&mut self, flows: &[FlowsConfig], profiles: &[ProfileConfig], way: Way) {
        let channels = profiles.iter().flat_map(|profile| {
            let wanted = flows.iter().find(|wanted| wanted.profile == profile.name);
            profile.channels.iter().map(move |channel| {
                wanted.is_some_and(|wanted| {
                    wanted.channels.is_empty() || wanted.channels.contains(&channel.name)
                })
            })
        });
        self.targets.push(Wanted { channels: channels.collect(), way });
    }

    /// Whether no target wants flows.
    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Hands over a batch of which rows are wanted: `batch` is an empty one then.
    pub(super) fn take(&mut self, batch: &mut Batch, hits: &Hits) {
        let mut wanted: Vec<(usize, Mask)> = Vec::new();
        for (index, target) in self.targets.iter().enumerate() {
            let mut mask = Mask::default();
            add_hits(&mut mask, &hits.forward, &target.channels);
            add_hits(&mut mask, &hits.reverse, &target.channels);
            if count(&mask) > 0 {
                wanted.push((index, mask));
            }
        }
        if wanted.is_empty() {
            return;
        }
        let Some(mut spare) = self.spare() else {
            for (index, mask) in wanted {
                self.targets[index].way.account.overflowed(count(&mask), unix_ms());
            }
            return;
        };
        spare.want(batch.wanted());
        std::mem::swap(batch, &mut spare);
        let handed = Arc::new(Handed { batch: spare, home: self.home.clone() });
        for (index, rows) in wanted {
            let Way { output, account } = &self.targets[index].way;
            let lost = count(&rows);
            if output.try_send(Flows { handed: Arc::clone(&handed), rows }).is_err() {
                account.overflowed(lost, unix_ms());
            }
        }
        if let Some(Handed { mut batch, home }) = Arc::into_inner(handed) {
            batch.clear();
            drop(home.try_send(batch));
        }
    }

    fn spare(&mut self) -> Option<Batch> {
        if let Ok(batch) = self.free.try_recv() {
            return Some(batch);
        }
        (self.made < BATCHES).then(|| {
            self.made += 1;
            Batch::default()
        })
    }
}

fn add_hits(mask: &mut Mask, hits: &HitList, channels: &[bool]) {
    let is_wanted = |channel: &u16| channels.get(usize::from(*channel)).copied().unwrap_or_default();
    for (row, _) in hits.pairs.iter().filter(|(_, channel)| is_wanted(channel)) {
        mask.set(usize::from(*row), true);
    }
    for group in hits.groups().filter(|group| group.channels.iter().any(is_wanted)) {
        for (word, more) in mask.words_mut().iter_mut().zip(group.mask.words()) {
            *word |= more;
        }
    }
}

fn count(mask: &Mask) -> u64 {
    mask.words().iter().map(|word| u64::from(word.count_ones())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Protocol, Run};

    fn batch(rows: usize) -> Batch {
        let mut batch = Batch::default();
        batch.push_run(Run {
            start: 0,
            len: rows,
            protocol: Protocol::Ipfix,
            stream: 0,
            listener: 0,
            exporter: "192.0.2.1".parse().unwrap(),
            exporter_port: 9,
            agent: None,
            domain: 0,
            received_ms: 0,
            export_ms: 0,
            time_from: crate::flow::TimeFrom::default(),
            sampling_from: crate::flow::SamplingFrom::default(),
            source: 0,
            present: crate::flow::ColumnSet::default(),
            sparse: crate::flow::ColumnSet::default(),
        });
        batch
    }

    fn profile(name: &str) -> ProfileConfig {
        let text = format!(
            "{{name: net/{name}, displayName: p, channels: [{{name: a, filter: any, color: '#000000', order: 1}}, \
             {{name: b, filter: any, color: '#000000', order: 2}}]}}"
        );
        serde_yaml::from_str(&text).unwrap()
    }

    /// A tap with one target, which wants channel `b` of the second profile: number 3.
    fn tap() -> (FlowTap, Receiver<Flows>, Arc<Account>) {
        let (output, input) = sync_channel(BATCHES);
        let account = Arc::new(Account::new("net/out"));
        let wanted = FlowsConfig { profile: "net/q".into(), channels: vec!["b".into()] };
        let mut tap = FlowTap::default();
        let way = Way { output, account: Arc::clone(&account) };
        tap.add(&[wanted], &[profile("p"), profile("q")], way);
        (tap, input, account)
    }

    #[test]
    fn rows_of_wanted_channels_change_hands_once_however_they_were_hit() {
        let (mut tap, input, _) = tap();
        let mut hits = Hits::default();
        hits.forward.pairs.extend([(0, 3), (1, 2), (4, 3)]);
        hits.forward.group_mask(0, &[1, 3]).set(4, true);
        hits.reverse.pairs.push((6, 3));
        let mut full = batch(8);
        tap.take(&mut full, &hits);
        assert!(full.is_empty(), "the receiving thread has an empty one");
        let mut seen = Vec::new();
        input.try_recv().unwrap().each(|row| seen.push(row.index));
        assert_eq!(seen, [0, 4, 6]);
        hits.clear();
        hits.forward.pairs.push((0, 1));
        let mut other = batch(1);
        tap.take(&mut other, &hits);
        assert_eq!(
            (other.len(), input.try_recv().is_err()),
            (1, true),
            "nothing wanted, nothing handed over"
        );
    }

    #[test]
    fn a_reader_that_stands_still_costs_exactly_the_rows_without_a_batch() {
        let (mut tap, input, account) = tap();
        let mut hits = Hits::default();
        hits.forward.pairs.extend([(0, 3), (1, 3)]);
        for _ in 0..BATCHES + 5 {
            tap.take(&mut batch(2), &hits);
        }
        assert_eq!(account.take().dropped, [("queue_full".to_owned(), 10)]);
        let mut seen = 0;
        input.try_iter().for_each(|flows| flows.each(|_| seen += 1));
        assert_eq!(seen, 2 * BATCHES);
        tap.take(&mut batch(2), &hits);
        assert!(input.try_recv().is_ok() && account.take().dropped.is_empty(), "given back, filled again");
    }
}
