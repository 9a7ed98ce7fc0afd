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
    #[inline]
    pub fn get(&self, row: usize) -> bool {
        self.0[row / 64] >> (row % 64) & 1 == 1
    }

    /// Sets or clears the row's bit.
    #[inline]
    pub fn set(&mut self, row: usize, value: bool) {
        let bit = 1 << (row % 64);
        if value {
            self.0[row / 64] |= bit;
        } else {
            self.0[row / 64] &= !bit;
        }
    }

    /// Those of `range` whose bit is set, in order.
    pub fn rows(&self, range: std::ops::Range<usize>) -> impl Iterator<Item = usize> + '_ {
        (range.start / 64..range.end.div_ceil(64)).flat_map(move |word| {
            let (from, to) = (range.start.max(word * 64), range.end.min(word * 64 + 64));
            let mut left = self.0[word] & u64::MAX >> (64 - (to - from)) << (from % 64);
            std::iter::from_fn(move || {
                let row = word * 64 + left.trailing_zeros() as usize;
                (left != 0).then(|| {
                    left &= left - 1;
                    row
                })
            })
        })
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
    /// Channels evaluated as a whole column, group by group.
    channels: Vec<u16>,
    /// Reused: only the first `used` are of this batch.
    groups: Vec<GroupMask>,
    used: usize,
}

#[derive(Debug)]
struct GroupMask {
    id: u16,
    /// Where in `channels` the group ends.
    end: usize,
    mask: Box<Mask>,
}

/// Channels that pass the same rows: what these sum up to is worked out once for all of them.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// The same in every batch of one plan.
    pub id: u16,
    /// Its channels.
    pub channels: &'a [u16],
    /// Its rows.
    pub mask: &'a Mask,
}

impl HitList {
    /// Empties the list and keeps its memory.
    pub fn clear(&mut self) {
        self.pairs.clear();
        self.channels.clear();
        self.used = 0;
    }

    /// A cleared mask for the plan's group `id` of broad channels, to be filled.
    pub fn group_mask(&mut self, id: u16, channels: &[u16]) -> &mut Mask {
        self.channels.extend_from_slice(channels);
        let end = self.channels.len();
        if self.used == self.groups.len() {
            self.groups.push(GroupMask { id, end, mask: Box::default() });
        }
        let group = &mut self.groups[self.used];
        self.used += 1;
        (group.id, group.end) = (id, end);
        *group.mask = Mask::default();
        &mut group.mask
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
        self.groups().flat_map(|group| group.channels.iter().map(move |channel| (*channel, group.mask)))
    }

    /// The broad channels by group.
    pub fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        let mut start = 0;
        self.groups[..self.used].iter().map(move |group| {
            let channels = &self.channels[start..group.end];
            start = group.end;
            Group { id: group.id, channels, mask: &group.mask }
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
