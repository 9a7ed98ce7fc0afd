//! Which channels each row of a batch belongs to: what the filter stage hands to accounting.

use super::ROWS;

/// One bit a row of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask([u64; ROWS / 64]);

impl Default for Mask {
    fn default() -> Self {
        Self([0; ROWS / 64])
    }
}

impl Mask {
    /// Whether the row's bit is set.
    pub fn get(&self, row: usize) -> bool {
        self.0[row / 64] >> (row % 64) & 1 == 1
    }

    /// Sets or clears the row's bit.
    pub fn set(&mut self, row: usize, value: bool) {
        let bit = 1 << (row % 64);
        if value {
            self.0[row / 64] |= bit;
        } else {
            self.0[row / 64] &= !bit;
        }
    }

    /// The 64 rows of a word; row `64 * word` is its lowest bit.
    pub fn words(&self) -> &[u64; ROWS / 64] {
        &self.0
    }

    /// The words for writing.
    pub fn words_mut(&mut self) -> &mut [u64; ROWS / 64] {
        &mut self.0
    }
}

/// The channels of each row: those of a selective test by row, those of broad channels as masks.
#[derive(Debug, Default)]
pub struct HitList {
    /// (row, channel) pairs, in row order.
    pub pairs: Vec<(u16, u16)>,
    /// Channels evaluated as a whole column, in groups of those that pass the same rows.
    channels: Vec<u16>,
    /// Each group's rows, and where in `channels` it ends. Reused: only the first `groups` are of this batch.
    masks: Vec<(usize, Box<Mask>)>,
    groups: usize,
}

impl HitList {
    /// Empties the list and keeps its memory.
    pub fn clear(&mut self) {
        self.pairs.clear();
        self.channels.clear();
        self.groups = 0;
    }

    /// A cleared mask for a broad channel, to be filled.
    pub fn broad_mask(&mut self, channel: u16) -> &mut Mask {
        self.group_mask(&[channel])
    }

    /// A cleared mask for broad channels that pass the same rows, to be filled.
    pub fn group_mask(&mut self, channels: &[u16]) -> &mut Mask {
        self.channels.extend_from_slice(channels);
        let end = self.channels.len();
        if self.groups == self.masks.len() {
            self.masks.push((end, Box::default()));
        }
        let (ends, mask) = &mut self.masks[self.groups];
        self.groups += 1;
        *ends = end;
        **mask = Mask::default();
        mask
    }

    /// Whether the row is among the channel's.
    pub fn contains(&self, row: usize, channel: u16) -> bool {
        let first = self.pairs.partition_point(|(at, _)| usize::from(*at) < row);
        let of_row = self.pairs[first..].iter().take_while(|(at, _)| usize::from(*at) == row);
        of_row.map(|(_, channel)| *channel).any(|of_row| of_row == channel)
            || self.broad().any(|(broad, mask)| broad == channel && mask.get(row))
    }

    /// The broad channels with their rows.
    pub fn broad(&self) -> impl Iterator<Item = (u16, &Mask)> {
        self.groups().flat_map(|(channels, mask)| channels.iter().map(move |channel| (*channel, mask)))
    }

    /// The broad channels in groups of those that pass the same rows: what the rows sum up to is worked out
    /// once a group.
    pub fn groups(&self) -> impl Iterator<Item = (&[u16], &Mask)> {
        let mut start = 0;
        self.masks[..self.groups].iter().map(move |(end, mask)| {
            let channels = &self.channels[start..*end];
            start = *end;
            (channels, &**mask)
        })
    }
}

/// The channels of a batch. A biflow's record is judged twice: as sent, and with its two sides swapped.
#[derive(Debug, Default)]
pub struct Hits {
    /// The record as sent.
    pub forward: HitList,
    /// Rows with reverse counters, with source and destination swapped.
    pub reverse: HitList,
}

impl Hits {
    /// Empties both lists and keeps their memory.
    pub fn clear(&mut self) {
        self.forward.clear();
        self.reverse.clear();
    }
}
