//! Lists of candidates, each kept once.

use foldhash::HashMap;

/// A channel that a value may belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::filter) struct Candidate {
    /// The channel.
    pub(in crate::filter) channel: u16,
    /// On which columns of the table the value counts, one bit each.
    pub(in crate::filter) sides: u8,
    /// Whether more must hold than the value alone.
    pub(in crate::filter) checked: bool,
}

/// The lists by class.
#[derive(Debug, Default)]
pub(in crate::filter) struct Classes {
    starts: Vec<u32>,
    items: Vec<Candidate>,
}

/// Makes [`Classes`], giving equal lists the same class.
#[derive(Debug, Default)]
pub(super) struct ClassBuilder {
    known: HashMap<Vec<Candidate>, u32>,
    classes: Classes,
}

impl Classes {
    #[inline]
    pub(super) fn list(&self, class: usize) -> &[Candidate] {
        &self.items[self.starts[class] as usize..self.starts[class + 1] as usize]
    }
}

impl ClassBuilder {
    /// The class of a list; the same channel's entries are merged.
    pub(super) fn class(&mut self, mut list: Vec<Candidate>) -> u32 {
        list.sort_unstable();
        list.dedup_by(|next, first| {
            let same = next.channel == first.channel;
            if same {
                first.sides |= next.sides;
                first.checked |= next.checked;
            }
            same
        });
        if let Some(class) = self.known.get(&list) {
            return *class;
        }
        let class = self.known.len() as u32;
        if self.classes.starts.is_empty() {
            self.classes.starts.push(0);
        }
        self.classes.items.extend_from_slice(&list);
        self.classes.starts.push(self.classes.items.len() as u32);
        self.known.insert(list, class);
        class
    }

    /// How many entries all lists have.
    pub(super) fn entries(&self) -> usize {
        self.classes.items.len()
    }

    pub(super) fn finish(self) -> Classes {
        self.classes
    }
}
