//! A decoder with one listener, and the rows it gave as plain maps.

use std::collections::BTreeMap;
use std::net::IpAddr;

use collector::decode::{Datagram, Decoder, Limits};
use collector::flow::{Batch, Column, ColumnSet, Kind, Run, address_of};
use collector::slot::StreamReport;
use crds::config::{ListenerConfig, Protocol};

/// Unix milliseconds at which the first datagram of a test arrives.
pub(crate) const NOW: u64 = 1_700_000_000_000;

/// A row: column name to value as text. Absent columns have no entry.
pub(crate) type Row = BTreeMap<&'static str, String>;

/// A decoder and what it gave.
pub(crate) struct Rig {
    pub(crate) decoder: Decoder,
    pub(crate) rows: Vec<Row>,
    pub(crate) runs: Vec<Run>,
    pub(crate) accepts: Protocol,
    pub(crate) now_ms: u64,
    batch: Batch,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self {
            decoder: Decoder::new(limits),
            rows: vec![],
            runs: vec![],
            accepts: Protocol::Auto,
            now_ms: NOW,
            batch: Batch::with_extras(),
        }
    }

    /// Has only these columns filled.
    pub(crate) fn want(&mut self, columns: &ColumnSet) {
        self.batch.want(columns);
    }

    /// Feeds one datagram from 192.0.2.1 port 40000.
    pub(crate) fn feed(&mut self, payload: &[u8]) -> &mut Self {
        self.feed_from("192.0.2.1", 40_000, payload)
    }

    pub(crate) fn feed_from(&mut self, exporter: &str, port: u16, payload: &[u8]) -> &mut Self {
        let exporter: IpAddr = exporter.parse().expect("an address");
        let datagram = Datagram {
            listener: 0,
            accepts: self.accepts,
            exporter,
            port,
            received_ms: self.now_ms,
            payload,
        };
        let (rows, runs) = (&mut self.rows, &mut self.runs);
        let mut take = |batch: &mut Batch| {
            for run in batch.runs() {
                rows.extend(run.rows().map(|row| read(batch, run, row)));
            }
            runs.extend_from_slice(batch.runs());
            batch.clear();
        };
        self.decoder.decode(&datagram, &mut self.batch, &mut take);
        take(&mut self.batch);
        self
    }

    /// The reports of all streams since the last call.
    pub(crate) fn reports(&mut self) -> Vec<StreamReport> {
        self.decoder.take_reports(&listeners()).0
    }

    /// The only stream's report.
    pub(crate) fn report(&mut self) -> StreamReport {
        let mut reports = self.reports();
        assert_eq!(reports.len(), 1, "one stream");
        reports.remove(0)
    }

    /// Datagrams that belong to no stream, by reason.
    pub(crate) fn rejected(&mut self) -> Vec<(String, u64)> {
        self.decoder.take_reports(&listeners()).1.concat()
    }
}

pub(crate) fn listeners() -> Vec<ListenerConfig> {
    vec![ListenerConfig {
        name: "any".into(),
        protocol: Protocol::Auto,
        transport: crds::config::Transport::Udp,
        port: 9996,
    }]
}

fn read(batch: &Batch, run: &Run, row: usize) -> Row {
    let present = Column::ALL.iter().filter(|column| batch.has(run, **column, row));
    let mut values: Row = present.map(|column| (column.name(), value(batch, *column, row))).collect();
    for extra in batch.extras().iter().filter(|extra| extra.row as usize == row) {
        let name = match extra.learned {
            Some(learned) => String::from_utf8_lossy(batch.text(learned.name)).into_owned(),
            None => format!("{}.{}", extra.enterprise, extra.element),
        };
        let name = Box::leak(name.into_boxed_str());
        values.insert(name, format!("{:02x?}", batch.text(extra.value)));
    }
    values
}

fn value(batch: &Batch, column: Column, row: usize) -> String {
    match column.kind() {
        Kind::U8 => batch.u8s(column)[row].to_string(),
        Kind::U16 => batch.u16s(column)[row].to_string(),
        Kind::U32 => batch.u32s(column)[row].to_string(),
        Kind::U64 => batch.u64s(column)[row].to_string(),
        Kind::F32 => batch.f32s(column)[row].to_string(),
        Kind::Addr => address_of(batch.addrs(column)[row]).to_string(),
        Kind::Mac => format!("{:012x}", batch.u64s(column)[row]),
        Kind::Text => String::from_utf8_lossy(batch.text(batch.texts(column)[row])).into_owned(),
    }
}

/// Asserts some of a row's values; `-` means absent.
#[track_caller]
pub(crate) fn expect(row: &Row, values: &[(&str, &str)]) {
    for (name, expected) in values {
        let found = row.get(name).map_or("-", String::as_str);
        assert_eq!(found, *expected, "{name} of {row:?}");
    }
}
