//! A template compiled: which bytes of each record go to which column, decided once for all its records.

use super::counters::Counters;
use super::fields::{Rank, Read, Rule, rules};
use super::section::{self, Section};
use super::template::{Field, VARIABLE};
use crate::flow::{Column, ColumnSet, Kind, is_structured};

/// Where a field stands in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// How many variable-length fields precede it.
    pub(super) segment: u16,
    /// Bytes from the end of the last of those, or from the record's start.
    pub(super) offset: u16,
    /// Bytes, or [`VARIABLE`].
    pub(super) length: u16,
}

/// One column's filling.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    pub(super) column: Column,
    /// The column's, at hand.
    pub(super) kind: Kind,
    pub(super) plain: Plain,
    pub(super) read: Read,
    pub(super) place: Place,
    /// Only in rows where the column is 0 so far.
    pub(super) if_zero: bool,
    /// Its rank among the column's operations.
    pub(super) order: u8,
}

/// Whether an operation is one of the usual ones, which have a loop of their own: the column's type, and the
/// field's where it is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    U8,
    U16,
    U16From8,
    U32,
    U32From16,
    U64,
    U64From32,
    Uptime,
    V4,
    V6,
    No,
}

impl Plain {
    fn of(column: Column, read: Read, length: u16, if_zero: bool) -> Self {
        if if_zero || column == Column::Flows {
            return Self::No;
        }
        match (column.kind(), read, length) {
            (Kind::U8, Read::Number, 1) => Self::U8,
            (Kind::U16, Read::Number, 2) => Self::U16,
            (Kind::U16, Read::Number, 1) => Self::U16From8,
            (Kind::U32, Read::Number, 4) => Self::U32,
            (Kind::U32, Read::Number, 2) => Self::U32From16,
            (Kind::U64, Read::Number | Read::Milliseconds, 8) => Self::U64,
            (Kind::U64, Read::Number, 4) => Self::U64From32,
            (Kind::U64, Read::Uptime, 4) => Self::Uptime,
            (Kind::Addr, Read::V4, 4) => Self::V4,
            (Kind::Addr, Read::V6, 16) => Self::V6,
            _ => Self::No,
        }
    }
}

/// Addresses of both families in one template: each record chooses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Families {
    pub(super) src: [Option<Place>; 2],
    pub(super) dst: [Option<Place>; 2],
}

/// Fields about time that are no column by themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    /// The columns' values are uptimes (elements 22 and 21).
    pub(super) uptime_start: bool,
    pub(super) uptime_end: bool,
    /// 160, 161 and 162: when the exporter started, and the flow's duration.
    pub(super) init: Option<Place>,
    pub(super) milliseconds: Option<Place>,
    pub(super) microseconds: Option<Place>,
}

/// Fields that tell, or refer to, a sampling rate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sampling {
    /// 34 or 50: one packet of so many.
    pub(super) interval: Option<Place>,
    /// 305 and 306: so many packets are taken, then so many left.
    pub(super) taken: Option<Place>,
    pub(super) left: Option<Place>,
    /// 309 and 310: so many of so many.
    pub(super) size: Option<Place>,
    pub(super) population: Option<Place>,
    /// 311.
    pub(super) probability: Option<Place>,
    /// 48 and 302: the sampler's number, for which options told the rate.
    pub(super) sampler: Option<Place>,
    pub(super) selector: Option<Place>,
    /// The interfaces, for rates that options told of them: 10 or 252, 14 or 253.
    pub(super) input: Option<Place>,
    pub(super) output: Option<Place>,
}

impl Sampling {
    /// Whether the record may tell the rate itself.
    pub(super) fn in_record(&self) -> bool {
        [self.interval, self.taken, self.size, self.probability].iter().any(Option::is_some)
    }
}

/// A compiled template.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) fields: Box<[Field]>,
    /// How many of the fields are scope: options when above 0.
    pub(super) scope: u16,
    pub(super) places: Box<[Place]>,
    /// The record's length; 0 when it varies.
    pub(super) stride: usize,
    /// The fewest bytes of a record.
    pub(super) shortest: usize,
    /// The bytes of fixed fields before each variable one.
    pub(super) gaps: Box<[u16]>,
    /// The bytes of fixed fields after the last variable one.
    pub(super) tail: usize,
    /// The usual ones first.
    pub(super) ops: Box<[Op]>,
    /// How many of the operations are [`Plain`].
    pub(super) plain: usize,
    /// The columns that the operations fill.
    pub(super) present: ColumnSet,
    /// Fields without a column.
    pub(super) extras: Box<[(Field, Place)]>,
    /// How many of those are lists (RFC 6313), which are passed over by their length.
    pub(super) structured: u32,
    pub(super) families: Option<Families>,
    /// The EtherType of the addresses, where all are of one family.
    pub(super) etype: Option<u16>,
    /// 60: where no address tells the family.
    pub(super) version: Option<Place>,
    pub(super) times: Times,
    pub(super) sampling: Sampling,
    /// 130 or 131.
    pub(super) agent: Option<(Read, Place)>,
    pub(super) counters: Counters,
    /// Where the start of the packet is, if the template has one.
    pub(super) section: Option<Section>,
}

impl Program {
    /// Compiles fields that [`super::template::next`] let through.
    pub(super) fn compile(fields: &[Field], scope: u16, v9: bool) -> Self {
        let mut plan = Plan::default();
        let mut places = Vec::with_capacity(fields.len());
        let mut gaps = Vec::new();
        let (mut segment, mut offset) = (0, 0);
        for field in fields {
            let place = Place { segment, offset, length: field.length };
            places.push(place);
            plan.add(*field, place, v9);
            if field.length == VARIABLE {
                gaps.push(offset);
                (segment, offset) = (segment + 1, 0);
            } else {
                offset += field.length;
            }
        }
        let tail = usize::from(offset);
        let fixed = gaps.iter().map(|gap| usize::from(*gap)).sum::<usize>() + tail;
        let counters = Counters::of(fields, &places);
        let first = |elements: [u16; 2]| {
            let at = |element| fields.iter().position(|f| f.enterprise == 0 && f.element == element);
            places.get(elements.into_iter().find_map(at)?).copied()
        };
        (plan.sampling.input, plan.sampling.output) = (first([10, 252]), first([14, 253]));
        let mut program = Self {
            fields: fields.into(),
            scope,
            section: Section::of(fields, &places),
            places: places.into(),
            stride: if gaps.is_empty() { fixed } else { 0 },
            shortest: fixed + gaps.len(),
            gaps: gaps.into(),
            tail,
            ops: Box::default(),
            plain: 0,
            present: ColumnSet::default(),
            extras: Box::default(),
            structured: 0,
            families: None,
            etype: None,
            version: plan.version,
            times: plan.times,
            sampling: plan.sampling,
            agent: plan.agent,
            counters,
        };
        plan.finish(&mut program);
        program
    }

    /// Whether a new definition says the same.
    pub(super) fn says(&self, fields: &[Field], scope: u16) -> bool {
        self.scope == scope && *self.fields == *fields
    }

    /// About how many bytes of memory it takes.
    pub(super) fn cost(&self) -> usize {
        size_of::<Self>()
            + size_of_val(&*self.fields)
            + size_of_val(&*self.places)
            + size_of_val(&*self.ops)
            + size_of_val(&*self.extras)
            + size_of_val(&*self.gaps)
    }
}

/// What is known of a template while its fields are read one by one.
#[derive(Default)]
struct Plan {
    candidates: Vec<(Rule, Field, Place)>,
    extras: Vec<(Field, Place)>,
    headers: [u8; HEADER.len()],
    version: Option<Place>,
    times: Times,
    sampling: Sampling,
    agent: Option<(Read, Place)>,
}

/// The elements of a packet's header that come twice where a tunnel's inner packet is reported.
const HEADER: [u16; 9] = [8, 27, 12, 28, 4, 7, 11, 5, 6];

impl Plan {
    fn add(&mut self, field: Field, place: Place, v9: bool) {
        if field.enterprise == 0 && section::start(field.element).is_some() {
            return;
        }
        if field.enterprise == 0 && self.special(field.element, place) {
            return;
        }
        let rules = rules(field, v9);
        if field.enterprise == 0 && !rules.is_empty() && self.inner(field, place) {
            return;
        }
        for rule in rules {
            self.candidates.push((*rule, field, place));
        }
        if rules.is_empty() && !(field.enterprise == 0 && field.element == PADDING) {
            self.extras.push((field, place));
        }
    }

    /// Takes a field that has a meaning, but no column of its own.
    fn special(&mut self, element: u16, place: Place) -> bool {
        let number = (1..=8).contains(&place.length);
        let slot = match element {
            60 => &mut self.version,
            160 => &mut self.times.init,
            161 => &mut self.times.milliseconds,
            162 => &mut self.times.microseconds,
            34 | 50 => &mut self.sampling.interval,
            305 => &mut self.sampling.taken,
            306 => &mut self.sampling.left,
            309 => &mut self.sampling.size,
            310 => &mut self.sampling.population,
            311 => &mut self.sampling.probability,
            48 => &mut self.sampling.sampler,
            302 => &mut self.sampling.selector,
            130 if place.length == 4 => return self.agent.replace((Read::V4, place)).is_none(),
            131 if place.length == 16 => return self.agent.replace((Read::V6, place)).is_none(),
            _ => return false,
        };
        if number && slot.is_none() {
            *slot = Some(place);
        }
        number
    }

    /// Whether the field repeats an element of the header: then it belongs to the inner packet.
    fn inner(&mut self, field: Field, place: Place) -> bool {
        let Some(at) = HEADER.iter().position(|element| *element == field.element) else { return false };
        // Addresses repeat when either family came before and a header element is there twice.
        self.headers[at] = self.headers[at].saturating_add(1);
        if self.headers[at] < 2 {
            return false;
        }
        let column = match field.element {
            8 | 27 => Column::InnerSrcAddr,
            12 | 28 => Column::InnerDstAddr,
            4 => Column::InnerProto,
            7 => Column::InnerSrcPort,
            11 => Column::InnerDstPort,
            _ => {
                self.extras.push((field, place));
                return true;
            }
        };
        let read = rules(field, false).first().map_or(Read::Number, |rule| rule.read);
        self.candidates.push((Rule { column, read, rank: Rank::First }, field, place));
        true
    }

    fn finish(mut self, program: &mut Program) {
        self.split_tunnel();
        program.families = self.families();
        self.candidates.sort_by_key(|(rule, ..)| (rule.column, rule.rank.order()));
        let mut ops: Vec<Op> = Vec::with_capacity(self.candidates.len());
        let mut unused = Vec::new();
        for (rule, field, place) in &self.candidates {
            let taken = ops.last().is_some_and(|op| op.column == rule.column);
            if taken && !matches!(rule.rank, Rank::IfZero(_)) {
                unused.push((*field, *place));
                continue;
            }
            program.times.uptime_start |= rule.column == Column::TimeStart && rule.read == Read::Uptime;
            program.times.uptime_end |= rule.column == Column::TimeEnd && rule.read == Read::Uptime;
            program.present.insert(rule.column);
            if taken && is_total(*field) {
                self.extras.push((*field, *place));
            }
            ops.push(Op {
                column: rule.column,
                kind: rule.column.kind(),
                plain: Plain::of(rule.column, rule.read, place.length, taken),
                read: rule.read,
                place: *place,
                if_zero: taken,
                order: rule.rank.order(),
            });
        }
        // An element with two columns may have found its place in the other one.
        ops.sort_by_key(|op| op.place);
        unused.retain(|(_, place)| ops.binary_search_by_key(place, |op| op.place).is_err());
        self.extras.append(&mut unused);
        // What fills a column only where it is 0 is never plain: it follows what fills it first.
        ops.sort_by_key(|op| (op.plain == Plain::No, op.column, op.if_zero, op.order));
        program.plain = ops.partition_point(|op| op.plain != Plain::No);
        program.etype = family(&ops);
        program.ops = ops.into();
        let structured =
            self.extras.iter().filter(|(field, _)| is_structured(field.enterprise, field.element)).count();
        program.structured = u32::try_from(structured).unwrap_or(u32::MAX);
        program.extras = self.extras.into();
    }

    /// With a header element there twice, addresses of the other family are the inner packet's: outer first.
    fn split_tunnel(&mut self) {
        let proto_twice = self.headers[4] >= 2;
        if !proto_twice {
            return;
        }
        for (outer, inner) in
            [(Column::SrcAddr, Column::InnerSrcAddr), (Column::DstAddr, Column::InnerDstAddr)]
        {
            let mut seen = false;
            for (rule, ..) in self.candidates.iter_mut().filter(|(rule, ..)| rule.column == outer) {
                if std::mem::replace(&mut seen, true) {
                    (rule.column, rule.rank) = (inner, Rank::First);
                }
            }
        }
    }

    /// Takes the addresses out of the candidates where both families are there.
    fn families(&mut self) -> Option<Families> {
        let find = |column, read| {
            let found = self.candidates.iter().find(|(rule, ..)| rule.column == column && rule.read == read);
            found.map(|(.., place)| *place)
        };
        let both = |column| [find(column, Read::V4), find(column, Read::V6)];
        let families = Families { src: both(Column::SrcAddr), dst: both(Column::DstAddr) };
        let has = |at: usize| families.src[at].is_some() || families.dst[at].is_some();
        if !has(0) || !has(1) {
            return None;
        }
        self.candidates.retain(|(rule, ..)| !matches!(rule.column, Column::SrcAddr | Column::DstAddr));
        Some(families)
    }
}

/// The family of a template's addresses, by those of the source where it has them.
fn family(ops: &[Op]) -> Option<u16> {
    let addressed = [Column::SrcAddr, Column::DstAddr].into_iter();
    let places = addressed.map(|column| ops.iter().filter(move |op| op.column == column));
    let column = places.into_iter().find(|ops| ops.clone().next().is_some());
    column.map(|mut ops| if ops.any(|op| op.place.length == 4) { IPV4 } else { IPV6 })
}

/// Totals stand in `extra` too where the same counts are there as deltas.
fn is_total(field: Field) -> bool {
    matches!(field.element, 85 | 86)
}

/// EtherTypes.
pub(super) const IPV4: u16 = 0x0800;
pub(super) const IPV6: u16 = 0x86dd;

/// paddingOctets.
const PADDING: u16 = 210;
