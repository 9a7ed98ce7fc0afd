//! The records of one data set: where each one's fields are.

use super::program::{Place, Program};
use super::template::VARIABLE;

/// Records of a set, at most a batch's room of them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Records<'a> {
    /// All of one length.
    Fixed { data: &'a [u8], stride: usize },
    /// With variable-length fields, whose ends stand in [`Ends`].
    Variable { data: &'a [u8], ends: &'a Ends },
}

/// Where the variable-length fields of each record are; reused from set to set.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// Segments a record: its variable fields and one.
    segments: usize,
    /// The start of each segment, record by record.
    bases: Vec<u32>,
    /// The start of each variable field's content; it ends where the next segment begins.
    starts: Vec<u32>,
}

/// What a walk over variable-length records found.
pub(super) struct Walk {
    /// Whole records.
    pub(super) records: usize,
    /// The bytes that they take.
    pub(super) bytes: usize,
    /// A field passes the end of the set.
    pub(super) broken: bool,
}

impl Ends {
    /// Finds at most `most` records at the front of `data`.
    pub(super) fn walk(&mut self, program: &Program, data: &[u8], most: usize) -> Walk {
        self.segments = program.gaps.len() + 1;
        self.bases.clear();
        self.starts.clear();
        let mut walk = Walk { records: 0, bytes: 0, broken: false };
        while walk.records < most {
            let rest = data.get(walk.bytes..).unwrap_or_default();
            if rest.len() < program.shortest || rest.len() < 4 && rest.iter().all(|byte| *byte == 0) {
                break;
            }
            let Some(end) = self.record(program, data, walk.bytes) else {
                walk.broken = true;
                break;
            };
            walk.bytes = end;
            walk.records += 1;
        }
        walk
    }

    fn record(&mut self, program: &Program, data: &[u8], start: usize) -> Option<usize> {
        let mut at = start;
        let (bases, starts) = (self.bases.len(), self.starts.len());
        self.bases.push(u32::try_from(at).ok()?);
        for gap in &program.gaps {
            let Some((content, end)) = variable(data, at + usize::from(*gap)) else {
                self.bases.truncate(bases);
                self.starts.truncate(starts);
                return None;
            };
            self.starts.push(content);
            self.bases.push(end);
            at = end as usize;
        }
        let end = at + program.tail;
        (end <= data.len()).then_some(end)
    }
}

/// The content of a variable-length field (RFC 7011, 7): one length byte, or 255 and two.
fn variable(data: &[u8], at: usize) -> Option<(u32, u32)> {
    let rest = data.get(at..)?;
    let (head, length) = match rest {
        [255, high, low, ..] => (3, usize::from(u16::from_be_bytes([*high, *low]))),
        [255, ..] | [] => return None,
        [length, ..] => (1, usize::from(*length)),
    };
    let end = at + head + length;
    let fits = end <= data.len();
    fits.then_some(())?;
    Some((u32::try_from(at + head).ok()?, u32::try_from(end).ok()?))
}

impl<'a> Records<'a> {
    /// A field of a record; empty when it lies outside, which a walked set never has.
    pub(super) fn field(&self, place: Place, record: usize) -> &'a [u8] {
        let length = usize::from(place.length);
        match *self {
            Self::Fixed { data, stride } => {
                let start = record * stride + usize::from(place.offset);
                data.get(start..start + length).unwrap_or_default()
            }
            Self::Variable { data, ends } => {
                let segment = usize::from(place.segment);
                let base = |segment: usize| ends.bases.get(record * ends.segments + segment).copied();
                let range = if place.length == VARIABLE {
                    let start = ends.starts.get(record * (ends.segments - 1) + segment);
                    start.copied().zip(base(segment + 1)).map(|(start, end)| start as usize..end as usize)
                } else {
                    base(segment)
                        .map(|base| base as usize + usize::from(place.offset))
                        .map(|at| at..at + length)
                };
                range.and_then(|range| data.get(range)).unwrap_or_default()
            }
        }
    }

    /// A field of a record as an unsigned number of any length.
    pub(super) fn number(&self, place: Place, record: usize) -> u64 {
        number(self.field(place, record))
    }
}

/// Big-endian bytes as a number; the low eight count.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
