//! Sums by source and channel, in blocks that are made on first hit.

use super::sums::Sums;
use crate::slot::Counters;

/// Channels in a block.
const BLOCK: usize = 64;

/// All blocks of one slot together take at most this much memory.
pub const MAX_CELL_BYTES: usize = 32 << 20;

const MAX_BLOCKS: usize = MAX_CELL_BYTES / (BLOCK * size_of::<Sums>());

/// The counters of one slot. Memory once made is kept over [`Cells::reset`].
#[derive(Debug)]
pub(super) struct Cells {
    /// Blocks that one source needs.
    width: usize,
    /// Source-major: source `s`, channel `c` lies in block `s * width + c / 64`.
    blocks: Vec<Option<Box<[Sums; BLOCK]>>>,
    made: usize,
}

impl Cells {
    pub(super) fn new(channels: usize) -> Self {
        Self { width: channels.div_ceil(BLOCK).max(1), blocks: Vec::new(), made: 0 }
    }

    /// Whether the cell exists or may still be made.
    #[inline]
    pub(super) fn has_room(&self, source: usize, channel: usize) -> bool {
        self.made < MAX_BLOCKS || self.block(source, channel).is_some()
    }

    /// The cell, made when absent; `None` past the bound.
    #[inline]
    pub(super) fn at(&mut self, source: usize, channel: usize) -> Option<&mut Sums> {
        let at = source * self.width + channel / BLOCK;
        if self.blocks.get(at).is_none_or(Option::is_none) {
            self.make(at)?;
        }
        self.blocks[at].as_mut().map(|block| &mut block[channel % BLOCK])
    }

    #[cold]
    fn make(&mut self, at: usize) -> Option<()> {
        if self.made >= MAX_BLOCKS {
            return None;
        }
        if at >= self.blocks.len() {
            self.blocks.resize_with(at + 1, || None);
        }
        self.made += 1;
        self.blocks[at] = Some(Box::new([Sums::default(); BLOCK]));
        Some(())
    }

    /// Calls `each` with (source, channel, counters) of every cell that is not zero.
    pub(super) fn collect(&self, mut each: impl FnMut(usize, usize, &Counters)) {
        for (at, block) in self.blocks.iter().enumerate() {
            let Some(block) = block else { continue };
            let (source, first) = (at / self.width, at % self.width * BLOCK);
            for (offset, sums) in block.iter().enumerate().filter(|(_, sums)| !sums.is_zero()) {
                each(source, first + offset, &sums.counters());
            }
        }
    }

    /// Sets every cell to zero.
    pub(super) fn reset(&mut self) {
        for block in self.blocks.iter_mut().flatten() {
            **block = [Sums::default(); BLOCK];
        }
    }

    fn block(&self, source: usize, channel: usize) -> Option<&[Sums; BLOCK]> {
        self.blocks.get(source * self.width + channel / BLOCK)?.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_past_the_memory_bound_is_refused_and_those_made_before_stay() {
        let mut cells = Cells::new(1);
        for source in 0..MAX_BLOCKS {
            cells.at(source, 0).unwrap().events = 1;
        }
        assert!(cells.at(MAX_BLOCKS, 0).is_none());
        assert!(!cells.has_room(MAX_BLOCKS, 0));
        assert!(cells.has_room(3, 0));
        let mut seen = 0;
        cells.collect(|_, _, _| seen += 1);
        assert_eq!(seen, MAX_BLOCKS);
    }
}
