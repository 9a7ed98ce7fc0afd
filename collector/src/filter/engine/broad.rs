//! Channels without a selective test: their tests are answered for whole columns, each test once for all
//! channels, and joined as masks.

use foldhash::HashMap;

use super::Channel;
use crate::filter::predicate::Predicate;
use crate::filter::sources::SourceMatch;
use crate::filter::test::Test;
use crate::flow::{Batch, HitList, Mask};

/// The broad channels of one direction.
#[derive(Debug, Default)]
pub(super) struct Broad {
    groups: Vec<Group>,
    tests: Vec<Test>,
    /// The answers to `tests` for the batch at hand.
    answers: Vec<Mask>,
    /// Masks of parts that are being joined, one for each level.
    levels: Vec<Mask>,
}

/// Channels with the same filter and sources.
#[derive(Debug)]
struct Group {
    channels: Vec<u16>,
    sources: Option<Vec<SourceMatch>>,
    part: Part,
}

/// A predicate over the answers.
#[derive(Debug)]
enum Part {
    All(Vec<Part>),
    Any(Vec<Part>),
    Answer { test: usize, negated: bool },
}

impl Broad {
    pub(super) fn new<'a>(channels: impl Iterator<Item = (u16, &'a Channel)>) -> Self {
        let mut known_groups: HashMap<(&Predicate, &Option<Vec<SourceMatch>>), usize> = HashMap::default();
        let mut known_tests: HashMap<Test, usize> = HashMap::default();
        let mut broad = Self::default();
        let mut depth = 0;
        for (at, channel) in channels {
            let key = (&channel.predicate, &channel.sources);
            if let Some(group) = known_groups.get(&key) {
                broad.groups[*group].channels.push(at);
                continue;
            }
            known_groups.insert(key, broad.groups.len());
            let part = broad.part(&channel.predicate, &mut known_tests);
            depth = depth.max(part.depth());
            broad.groups.push(Group { channels: vec![at], sources: channel.sources.clone(), part });
        }
        broad.answers = vec![Mask::default(); broad.tests.len()];
        broad.levels = vec![Mask::default(); depth];
        broad
    }

    fn part(&mut self, predicate: &Predicate, known: &mut HashMap<Test, usize>) -> Part {
        match predicate {
            Predicate::All(parts) => Part::All(parts.iter().map(|part| self.part(part, known)).collect()),
            Predicate::Any(parts) => Part::Any(parts.iter().map(|part| self.part(part, known)).collect()),
            Predicate::Test { test, negated } => {
                let at = *known.entry(test.clone()).or_insert_with(|| {
                    self.tests.push(test.clone());
                    self.tests.len() - 1
                });
                Part::Answer { test: at, negated: *negated }
            }
        }
    }

    /// Finds the rows of every broad channel, or those among `only`.
    pub(super) fn run(&mut self, batch: &Batch, only: Option<&Mask>, hits: &mut HitList) {
        if self.groups.is_empty() {
            return;
        }
        let words = batch.len().div_ceil(64);
        for (test, answer) in self.tests.iter().zip(&mut self.answers) {
            answer.words_mut()[..words].fill(0);
            for run in batch.runs() {
                test.mark(batch, run, answer);
            }
        }
        for (id, group) in (0..).zip(&self.groups) {
            let Some((mask, below)) = self.levels.split_first_mut() else { return };
            group.part.join(&self.answers, words, mask, below);
            group.limit(batch, only, words, mask);
            if mask.words()[..words].iter().any(|word| *word != 0) {
                let found = hits.group_mask(id, &group.channels);
                found.words_mut()[..words].copy_from_slice(&mask.words()[..words]);
            }
        }
    }
}

impl Group {
    /// Takes out rows past the end, rows not asked for, and rows of other sources.
    fn limit(&self, batch: &Batch, only: Option<&Mask>, words: usize, mask: &mut Mask) {
        let rest = batch.len() % 64;
        if rest != 0 {
            mask.words_mut()[words - 1] &= u64::MAX >> (64 - rest);
        }
        if let Some(only) = only {
            for (word, only) in mask.words_mut()[..words].iter_mut().zip(only.words()) {
                *word &= only;
            }
        }
        let Some(sources) = &self.sources else { return };
        for run in batch.runs().iter().filter(|run| !sources.iter().any(|source| source.matches(run))) {
            clear(mask, run.start, run.start + run.len);
        }
    }
}

/// Clears the bits from `start` up to `end`.
fn clear(mask: &mut Mask, start: usize, end: usize) {
    for word in start / 64..end.div_ceil(64) {
        let (low, high) = (start.max(word * 64), end.min(word * 64 + 64));
        let bits = (u64::MAX >> (64 - (high - low))) << (low % 64);
        mask.words_mut()[word] &= !bits;
    }
}

impl Part {
    /// How many masks joining it needs.
    fn depth(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => 1 + parts.iter().map(Self::depth).max().unwrap_or(0),
            Self::Answer { .. } => 1,
        }
    }

    /// Writes the rows that pass into the first `words` words of `mask`; `below` is scratch.
    fn join(&self, answers: &[Mask], words: usize, mask: &mut Mask, below: &mut [Mask]) {
        let into = &mut mask.words_mut()[..words];
        match self {
            Self::Answer { test, negated } => {
                let flip = if *negated { u64::MAX } else { 0 };
                for (word, answer) in into.iter_mut().zip(answers[*test].words()) {
                    *word = answer ^ flip;
                }
            }
            Self::All(parts) => {
                into.fill(u64::MAX);
                each(parts, answers, words, below, |at, word| into[at] &= word);
            }
            Self::Any(parts) => {
                into.fill(0);
                each(parts, answers, words, below, |at, word| into[at] |= word);
            }
        }
    }
}

/// Joins each part below and hands over its words.
fn each(
    parts: &[Part],
    answers: &[Mask],
    words: usize,
    below: &mut [Mask],
    mut take: impl FnMut(usize, u64),
) {
    let Some((mask, below)) = below.split_first_mut() else { return };
    for part in parts {
        part.join(answers, words, mask, below);
        for (at, word) in mask.words()[..words].iter().enumerate() {
            take(at, *word);
        }
    }
}
