//! One flow record out of a batch, field by field: what JSON, CSV and tables are written from.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use super::element::{self, Abstract};
use super::{Batch, Column, CountersFrom, Extra, Kind, Learned, Run, address_of};

/// One row of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Where it stands.
    pub batch: &'a Batch,
    /// The run that it belongs to.
    pub run: &'a Run,
    /// Its index in the batch's columns.
    pub index: usize,
    /// Its elements without a column, in the order of the record.
    extras: &'a [&'a Extra],
}

/// Calls `each` for every row of the batch, in order.
///
/// # Errors
/// The first error of `each`, which ends the walk.
pub fn rows<E>(batch: &Batch, each: &mut dyn FnMut(Row<'_>) -> Result<(), E>) -> Result<(), E> {
    // Decoding goes column by column over a set, so the extras of a row do not stand together.
    let mut extras: Vec<&Extra> = batch.extras().iter().collect();
    extras.sort_by_key(|extra| extra.row);
    let mut rest = extras.as_slice();
    for run in batch.runs() {
        for index in run.rows() {
            let own = rest.partition_point(|extra| extra.row as usize <= index);
            let (extras, later) = rest.split_at(own);
            rest = later;
            each(Row { batch, run, index, extras })?;
        }
    }
    Ok(())
}

/// A field of the record as it is shown: the columns, what stands in the run, and lists made of several columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Type,
    TimeReceived,
    TimeExport,
    TimeFrom,
    Exporter,
    ExporterPort,
    Agent,
    DomainId,
    SamplingFrom,
    CountersFrom,
    MplsLabels,
    MplsExp,
    Column(Column),
}

impl Field {
    /// Every field in the order in which they are shown.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        use Field as F;
        let origin = [F::Type, F::TimeReceived, F::Exporter, F::ExporterPort, F::Agent, F::DomainId];
        let times = [F::TimeExport, F::TimeFrom];
        let columns = Column::ALL.iter().flat_map(|column| match column {
            Column::SamplingRate => [Some(F::Column(*column)), Some(F::SamplingFrom), Some(F::CountersFrom)],
            Column::MplsLabel1 => [Some(F::MplsLabels), Some(F::MplsExp), None],
            column if Column::MPLS_LABELS.contains(column) => [None, None, None],
            Column::CountersFrom => [None, None, None],
            column => [Some(F::Column(*column)), None, None],
        });
        origin.into_iter().chain(times).chain(columns.flatten())
    }

    /// The name in the record.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::TimeReceived => "time_received_ms",
            Self::TimeExport => "time_export_ms",
            Self::TimeFrom => "time_from",
            Self::Exporter => "exporter",
            Self::ExporterPort => "exporter_port",
            Self::Agent => "agent",
            Self::DomainId => "domain_id",
            Self::SamplingFrom => "sampling_from",
            Self::CountersFrom => "counters_from",
            Self::MplsLabels => "mpls_labels",
            Self::MplsExp => "mpls_exp",
            Self::Column(column) => column.name(),
        }
    }
}

/// A field's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Number(u64),
    Signed(i64),
    Float(f64),
    Boolean(bool),
    Address(IpAddr),
    /// A MAC address in the low 48 bits.
    Mac(u64),
    Text(Cow<'a, str>),
    List(Vec<Value<'a>>),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Signed(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
            Self::Boolean(truth) => truth.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Mac(bits) => {
                let [_, _, a, b, c, d, e, g] = bits.to_be_bytes();
                write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
            }
            Self::Text(text) => text.fmt(f),
            Self::List(values) => values.iter().enumerate().try_for_each(|(at, value)| {
                let separator = if at == 0 { "" } else { " " };
                write!(f, "{separator}{value}")
            }),
        }
    }
}

impl<'a> Row<'a> {
    /// The value of a field, if the record has one.
    pub(super) fn value(&self, field: Field) -> Option<Value<'a>> {
        let run = self.run;
        match field {
            Field::Type => Some(Value::Text(run.protocol.name().into())),
            Field::TimeReceived => Some(Value::Number(run.received_ms)),
            Field::TimeExport => Some(Value::Number(run.export_ms)),
            Field::TimeFrom => Some(Value::Text(run.time_from.name().into())),
            Field::Exporter => Some(Value::Address(run.exporter)),
            Field::ExporterPort => Some(Value::Number(run.exporter_port.into())),
            Field::Agent => run.agent.map(Value::Address),
            Field::DomainId => Some(Value::Number(run.domain.into())),
            Field::SamplingFrom => Some(Value::Text(run.sampling_from.name().into())),
            Field::CountersFrom => self.column(Column::CountersFrom),
            Field::MplsLabels => self.label_stack(|entry| entry >> 4),
            Field::MplsExp => self.label_stack(|entry| entry >> 1 & 7),
            Field::Column(column) => self.column(column),
        }
    }

    /// The number in a column, if the record has one; a MAC address as the number of its octets, a sampling rate
    /// rounded.
    pub fn number(&self, column: Column) -> Option<u64> {
        match self.column(column)? {
            Value::Number(number) | Value::Mac(number) => Some(number),
            Value::Float(number) => Some(number.round() as u64),
            _ => None,
        }
    }

    /// The address in a column, if the record has one.
    pub fn address(&self, column: Column) -> Option<IpAddr> {
        match self.column(column)? {
            Value::Address(address) => Some(address),
            _ => None,
        }
    }

    /// The value of a column, if the record has one.
    pub(super) fn column(&self, column: Column) -> Option<Value<'a>> {
        if !self.batch.has(self.run, column, self.index) {
            return None;
        }
        let (batch, at) = (self.batch, self.index);
        Some(match column.kind() {
            Kind::U8 if column == Column::CountersFrom => {
                Value::Text(CountersFrom::name(*batch.u8s(column).get(at)?).into())
            }
            Kind::U8 => Value::Number((*batch.u8s(column).get(at)?).into()),
            Kind::U16 => Value::Number((*batch.u16s(column).get(at)?).into()),
            Kind::U32 if matches!(column, Column::InIfState | Column::OutIfState) => {
                Value::Text(interface_state(*batch.u32s(column).get(at)?))
            }
            Kind::U32 => Value::Number((*batch.u32s(column).get(at)?).into()),
            Kind::U64 => Value::Number(*batch.u64s(column).get(at)?),
            Kind::F32 => rate(*batch.f32s(column).get(at)?),
            Kind::Addr => Value::Address(address_of(*batch.addrs(column).get(at)?)),
            Kind::Mac => Value::Mac(*batch.u64s(column).get(at)?),
            Kind::Text => {
                let text = String::from_utf8_lossy(batch.text(*batch.texts(column).get(at)?));
                match column {
                    Column::SrhSegments => Value::List(segments(&text)),
                    _ => Value::Text(text),
                }
            }
        })
    }

    /// The elements without a column by name; one that comes more than once is a list.
    pub(super) fn extra(&self) -> Vec<(Cow<'a, str>, Value<'a>)> {
        let mut named: Vec<(Cow<'a, str>, Value<'a>)> = Vec::with_capacity(self.extras.len());
        for extra in self.extras {
            let bytes = self.batch.text(extra.value);
            let (name, value) = match extra.learned {
                Some(Learned { name, kind }) => (
                    String::from_utf8_lossy(self.batch.text(name)),
                    element::typed(Abstract::numbered(kind), bytes),
                ),
                None => (
                    element::name(extra.enterprise, extra.element),
                    element::value(extra.enterprise, extra.element, bytes),
                ),
            };
            let Some(value) = value else { continue };
            match named.iter_mut().find(|(known, _)| *known == name) {
                None => named.push((name, value)),
                Some((_, Value::List(values))) => values.push(value),
                Some((_, first)) => {
                    let known = std::mem::replace(first, Value::Number(0));
                    *first = Value::List(vec![known, value]);
                }
            }
        }
        named
    }

    fn label_stack(&self, part: impl Fn(u32) -> u32) -> Option<Value<'a>> {
        let entries = Column::MPLS_LABELS.iter().map_while(|column| {
            let has = self.batch.has(self.run, *column, self.index);
            has.then(|| self.batch.u32s(*column).get(self.index).copied())?
        });
        let parts: Vec<Value<'a>> = entries.map(|entry| Value::Number(part(entry).into())).collect();
        (!parts.is_empty()).then_some(Value::List(parts))
    }
}

/// A sampling rate: most are whole numbers, and are shown so.
fn rate(rate: f32) -> Value<'static> {
    if rate.fract() == 0.0 && (0.0..1e15).contains(&rate) {
        return Value::Number(rate as u64);
    }
    // The shortest text that reads back as the same f32, as a number.
    Value::Float(rate.to_string().parse().unwrap_or(f64::from(rate)))
}

/// SRv6 segments are kept as one text, separated by blanks.
fn segments(text: &str) -> Vec<Value<'static>> {
    text.split_whitespace().map(|segment| Value::Text(segment.to_owned().into())).collect()
}

/// sFlow's interface word where it names no interface: two bits of format, then a value (sFlow version 5,
/// "interface").
fn interface_state(word: u32) -> Cow<'static, str> {
    let value = word & 0x3fff_ffff;
    match word >> 30 {
        0 if value == 0x3fff_ffff => "local".into(),
        0 => "unknown".into(),
        1 => format!("discarded:{value}").into(),
        2 => format!("multiple:{value}").into(),
        _ => format!("format3:{value}").into(),
    }
}
