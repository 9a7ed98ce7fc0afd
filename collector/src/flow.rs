//! The flow record in memory: batches of columns, made of runs.
//!
//! A [`Batch`] holds at most [`ROWS`] flow records column by column. Its rows are cut into [`Run`]s, one for
//! each data set that was decoded: what is the same for all rows of a set (exporter, receive time, the columns
//! that its template carries) stands in the run, once. A column that no template carried costs nothing.
//!
//! This module and [`crate::slot`] are the only vocabulary that the stages share; it parses nothing, does no I/O.

mod column;
mod csv;
mod element;
mod from;
mod hits;
mod json;
mod reverse;
mod row;
mod scale;
mod table;

pub use column::{Column, ColumnSet, Group, Kind};
pub use csv::{write_csv, write_csv_header};
pub use element::is_structured;
pub use from::{CountersFrom, SamplingFrom, TimeFrom};
pub use hits::{Group as ChannelGroup, HitList, Hits, Mask};
pub use json::write_json;
pub use row::{Row, rows};
pub use scale::{scale, scaled};
pub use table::write_table;

use std::fmt;
use std::io::Write;
use std::net::{IpAddr, Ipv6Addr};

/// The most rows that one batch holds.
pub const ROWS: usize = 1024;

/// Text from the wire is cut at this many bytes.
pub const TEXT_LIMIT: usize = 255;

/// Where a text value lies in its batch's arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextRef {
    start: u32,
    len: u16,
}

/// One column's values, made when a row first needs them. That there are [`ROWS`] of them stands in the type, so
/// that the rows of a run are found with one comparison.
#[derive(Debug, Default)]
enum Data {
    #[default]
    Absent,
    U8(Box<[u8; ROWS]>),
    U16(Box<[u16; ROWS]>),
    U32(Box<[u32; ROWS]>),
    U64(Box<[u64; ROWS]>),
    F32(Box<[f32; ROWS]>),
    Addr(Box<[u128; ROWS]>),
    Text(Box<[TextRef; ROWS]>),
}

impl Data {
    #[cold]
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::U8 => Self::U8(Box::new([0; ROWS])),
            Kind::U16 => Self::U16(Box::new([0; ROWS])),
            Kind::U32 => Self::U32(Box::new([0; ROWS])),
            Kind::U64 | Kind::Mac => Self::U64(Box::new([0; ROWS])),
            Kind::F32 => Self::F32(Box::new([0.0; ROWS])),
            Kind::Addr => Self::Addr(Box::new([0; ROWS])),
            Kind::Text => Self::Text(Box::new([TextRef::default(); ROWS])),
        }
    }
}

/// Which protocol a run was decoded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// NetFlow version 5.
    NetFlow5,
    /// NetFlow version 7.
    NetFlow7,
    /// NetFlow version 9 (RFC 3954).
    NetFlow9,
    /// IPFIX (RFC 7011).
    Ipfix,
    /// sFlow version 5.
    SFlow5,
}

impl Protocol {
    /// The value of the record's `type` column.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NetFlow5 => "netflow5",
            Self::NetFlow7 => "netflow7",
            Self::NetFlow9 => "netflow9",
            Self::Ipfix => "ipfix",
            Self::SFlow5 => "sflow5",
        }
    }

    /// The protocol of this name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::NetFlow5, Self::NetFlow7, Self::NetFlow9, Self::Ipfix, Self::SFlow5];
        all.into_iter().find(|protocol| protocol.name() == name)
    }
}

/// What all rows of one decoded set have in common.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The first row.
    pub start: usize,
    /// How many rows.
    pub len: usize,
    /// What the set was decoded from.
    pub protocol: Protocol,
    /// Index of the stream in the edge's stream table (semantics: "Streams").
    pub stream: u32,
    /// Index of the listener in the configuration.
    pub listener: u16,
    /// The UDP source address; IPv4-mapped addresses are unmapped.
    pub exporter: IpAddr,
    /// The UDP source port.
    pub exporter_port: u16,
    /// sFlow's agent address, or information elements 130/131.
    pub agent: Option<IpAddr>,
    /// Observation domain, source id, engine type and id, or sub-agent.
    pub domain: u32,
    /// Unix milliseconds when the datagram was read: the time that slots and queries use.
    pub received_ms: u64,
    /// Unix milliseconds of the message's export time (sFlow: `received_ms`).
    pub export_ms: u64,
    /// How times were found.
    pub time_from: TimeFrom,
    /// How the sampling rate was found.
    pub sampling_from: SamplingFrom,
    /// Index of the FlowCollector source; filled by enrich, 0 before.
    pub source: u16,
    /// The columns that these rows carry.
    pub present: ColumnSet,
    /// Those among `present` that are null in some rows: their validity bitmap tells which.
    pub sparse: ColumnSet,
}

impl Run {
    /// The rows of the run, as indexes into the batch's columns.
    #[inline]
    pub fn rows(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.len
    }
}

/// A value that has no column: an information element that only `weir decode` and asking profiles see.
#[derive(Clone, Copy, Debug)]
pub struct Extra {
    /// The row that it belongs to.
    pub row: u32,
    /// Private enterprise number; 0 for IANA's.
    pub enterprise: u32,
    /// The information element's number.
    pub element: u16,
    /// Its raw bytes, in the arena.
    pub value: TextRef,
    /// What the exporter itself told about the element (RFC 5610).
    pub learned: Option<Learned>,
}

/// A name and a type that an exporter gave one of its elements.
#[derive(Clone, Copy, Debug)]
pub struct Learned {
    /// The name, in the arena.
    pub name: TextRef,
    /// The abstract data type by its number in IANA's registry.
    pub kind: u8,
}

/// Up to [`ROWS`] flow records in columns. Reused: [`Batch::clear`] keeps the memory.
#[derive(Debug)]
pub struct Batch {
    len: usize,
    runs: Vec<Run>,
    columns: Box<[Data; Column::COUNT]>,
    valid: Box<[Option<Box<Mask>>; Column::COUNT]>,
    arena: Vec<u8>,
    extras: Vec<Extra>,
    keeps_extras: bool,
    wanted: ColumnSet,
}

/// Columns that are always filled: what accounting adds up, what decoding itself looks at, and what it costs
/// next to nothing to read.
const ALWAYS: &[Column] = &[
    Column::TimeStart,
    Column::TimeEnd,
    Column::Packets,
    Column::Bytes,
    Column::SamplingRate,
    Column::Flows,
    Column::CountersFrom,
    Column::RevPackets,
    Column::RevBytes,
    Column::PostPackets,
    Column::PostBytes,
    Column::EType,
    Column::Proto,
    Column::SrcPort,
    Column::DstPort,
    Column::IcmpType,
    Column::IcmpCode,
    Column::InIf,
];

impl Default for Batch {
    fn default() -> Self {
        Self {
            len: 0,
            runs: Vec::with_capacity(256),
            columns: Box::new([const { Data::Absent }; Column::COUNT]),
            valid: Box::new([const { None }; Column::COUNT]),
            arena: Vec::new(),
            extras: Vec::new(),
            keeps_extras: false,
            wanted: ColumnSet::all(),
        }
    }
}

macro_rules! accessors {
    ($($read:ident, $write:ident, $variant:ident, $type:ty, $what:literal;)*) => {$(
        #[doc = concat!("The values of a ", $what, " column, [`ROWS`] long; empty when no row carries it.")]
        ///
        /// # Panics
        /// When the column is of another kind.
        #[inline]
        pub fn $read(&self, column: Column) -> &[$type] {
            match &self.columns[column as usize] {
                Data::$variant(values) => values.as_slice(),
                Data::Absent => &[],
                _ => panic!(concat!("column {} is not ", $what), column.name()),
            }
        }

        #[doc = concat!("The values of a ", $what, " column for writing, [`ROWS`] long; made when absent.")]
        ///
        /// # Panics
        /// When the column is of another kind.
        #[inline]
        pub fn $write(&mut self, column: Column) -> &mut [$type] {
            let data = &mut self.columns[column as usize];
            if matches!(data, Data::Absent) {
                *data = Data::of(column.kind());
            }
            match data {
                Data::$variant(values) => values.as_mut_slice(),
                _ => panic!(concat!("column {} is not ", $what), column.name()),
            }
        }
    )*};
}

impl Batch {
    /// A batch that also keeps elements without a column (`weir decode`).
    pub fn with_extras() -> Self {
        Self { keeps_extras: true, ..Self::default() }
    }

    /// How many rows are filled.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no row is filled.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many more rows fit.
    pub fn room(&self) -> usize {
        ROWS - self.len
    }

    /// The runs, in row order.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The runs for a stage that completes them (enrich).
    pub fn runs_mut(&mut self) -> &mut [Run] {
        &mut self.runs
    }

    /// Appends a run whose rows were written at `len()..len() + run.len`.
    ///
    /// # Panics
    /// When the run does not start at `len()` or passes [`ROWS`].
    pub fn push_run(&mut self, run: Run) {
        assert!(run.start == self.len && run.len <= self.room(), "a run continues its batch");
        self.len += run.len;
        self.runs.push(run);
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.len = 0;
        self.runs.clear();
        self.arena.clear();
        self.extras.clear();
    }

    accessors! {
        u8s, u8s_mut, U8, u8, "u8";
        u16s, u16s_mut, U16, u16, "u16";
        u32s, u32s_mut, U32, u32, "u32";
        u64s, u64s_mut, U64, u64, "u64 or MAC";
        f32s, f32s_mut, F32, f32, "f32";
        addrs, addrs_mut, Addr, u128, "address";
        texts, texts_mut, Text, TextRef, "text";
    }

    /// Whether `row`, which belongs to `run`, has a value in `column`.
    pub fn has(&self, run: &Run, column: Column, row: usize) -> bool {
        run.present.contains(column) && (!run.sparse.contains(column) || self.valid(column, row))
    }

    /// A sparse column's validity bitmap for writing; bits of rows not yet written are whatever they were.
    pub fn valid_mut(&mut self, column: Column) -> &mut Mask {
        self.valid[column as usize].get_or_insert_with(Box::default)
    }

    /// A column's validity bitmap, which counts for the runs in which the column is sparse; none when no run
    /// ever was.
    pub fn validity(&self, column: Column) -> Option<&Mask> {
        self.valid[column as usize].as_deref()
    }

    fn valid(&self, column: Column, row: usize) -> bool {
        self.valid[column as usize].as_ref().is_some_and(|mask| mask.get(row))
    }

    /// Keeps bytes from the wire in the arena, cut at [`TEXT_LIMIT`].
    pub fn keep_text(&mut self, bytes: &[u8]) -> TextRef {
        let bytes = bytes.get(..TEXT_LIMIT).unwrap_or(bytes);
        let start = u32::try_from(self.arena.len()).unwrap_or(u32::MAX);
        self.arena.extend_from_slice(bytes);
        TextRef { start, len: u16::try_from(bytes.len()).unwrap_or(0) }
    }

    /// Keeps values as one text, separated by blanks: as many whole ones as [`TEXT_LIMIT`] has room for.
    pub fn keep_list<T: fmt::Display>(&mut self, values: impl IntoIterator<Item = T>) -> TextRef {
        let from = self.arena.len();
        for value in values {
            let before = self.arena.len();
            let gap = if before == from { "" } else { " " };
            if write!(self.arena, "{gap}{value}").is_err() || self.arena.len() - from > TEXT_LIMIT {
                self.arena.truncate(before);
                break;
            }
        }
        let start = u32::try_from(from).unwrap_or(u32::MAX);
        TextRef { start, len: u16::try_from(self.arena.len() - from).unwrap_or(0) }
    }

    /// The bytes behind a reference of this batch.
    pub fn text(&self, at: TextRef) -> &[u8] {
        let start = at.start as usize;
        self.arena.get(start..start + usize::from(at.len)).unwrap_or_default()
    }

    /// Has only these columns filled from now on, and those that decoding and accounting need anyway; a new batch
    /// wants all. What nobody asks for is then absent, whatever the exporter sent.
    pub fn want(&mut self, columns: &ColumnSet) {
        let mut wanted = ColumnSet::of(ALWAYS).union(columns);
        // Where the stack ends is told by the labels above.
        let labels = ColumnSet::of(&Column::MPLS_LABELS);
        if !wanted.intersection(&labels).is_empty() {
            wanted = wanted.union(&labels);
        }
        self.wanted = wanted;
    }

    /// The columns to be filled.
    pub fn wanted(&self) -> &ColumnSet {
        &self.wanted
    }

    /// Keeps an element that has no column, if this batch keeps them.
    pub fn keep_extra(&mut self, row: usize, enterprise: u32, element: u16, bytes: &[u8]) {
        self.keep_learned_extra(row, (enterprise, element, None), bytes);
    }

    /// The same for an element of which the exporter told something; its name stands in the arena.
    pub fn keep_learned_extra(
        &mut self,
        row: usize,
        (enterprise, element, learned): (u32, u16, Option<Learned>),
        bytes: &[u8],
    ) {
        if self.keeps_extras {
            let value = self.keep_text(bytes);
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            self.extras.push(Extra { row, enterprise, element, value, learned });
        }
    }

    /// Whether elements without a column are kept.
    pub fn keeps_extras(&self) -> bool {
        self.keeps_extras
    }

    /// The elements without a column, in the order in which they were kept.
    pub fn extras(&self) -> &[Extra] {
        &self.extras
    }
}

/// An address as the address columns hold it: IPv4 as `::ffff:a.b.c.d`.
pub fn address_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// The address behind an address column's bits; IPv4-mapped ones are shown as IPv4.
pub fn address_of(bits: u128) -> IpAddr {
    Ipv6Addr::from(bits).to_canonical()
}

#[cfg(test)]
mod tests;
