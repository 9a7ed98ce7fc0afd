//! Flow records as an aligned table for people: the fields that one looks for first, in short forms.

use std::net::IpAddr;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Row as Line, Table};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Batch, Column, Row, rows};

/// The heads, and whether the column holds numbers.
const HEADS: [(&str, bool); 12] = [
    ("received (UTC)", false),
    ("exporter", false),
    ("proto", false),
    ("source", false),
    ("", false),
    ("destination", false),
    ("in", true),
    ("out", true),
    ("flags", false),
    ("packets", true),
    ("bytes", true),
    ("sampling", true),
];

/// Appends the records that `keep` picks as one table, with the head on top; packets and bytes as the exporter
/// sent them. A column that no record fills is left out, and so is a table without records.
pub fn write_table(batch: &Batch, keep: &dyn Fn(Row<'_>) -> bool, out: &mut Vec<u8>) {
    let mut lines: Vec<[String; HEADS.len()]> = Vec::with_capacity(batch.len());
    let collected = rows::<std::convert::Infallible>(batch, &mut |row| {
        if keep(row) {
            lines.push(line(row));
        }
        Ok(())
    });
    let Ok(()) = collected;
    if lines.is_empty() {
        return;
    }
    let shown: Vec<usize> =
        (0..HEADS.len()).filter(|at| lines.iter().any(|line| !line[*at].is_empty())).collect();
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(shown.iter().map(|at| cell(*at, HEADS[*at].0)));
    for line in &lines {
        table.add_row(Line::from(shown.iter().map(|at| cell(*at, &line[*at])).collect::<Vec<_>>()));
    }
    for line in table.lines() {
        out.extend_from_slice(line.trim_end().as_bytes());
        out.push(b'\n');
    }
}

fn cell(at: usize, text: &str) -> Cell {
    let alignment = if HEADS[at].1 { CellAlignment::Right } else { CellAlignment::Left };
    Cell::new(text).set_alignment(alignment)
}

fn line(row: Row<'_>) -> [String; HEADS.len()] {
    let column = |column| row.column(column).map(|value| value.to_string()).unwrap_or_default();
    let either =
        |one, other| Some(column(one)).filter(|text| !text.is_empty()).unwrap_or_else(|| column(other));
    let proto = number(row, Column::Proto);
    [
        time(row.run.received_ms),
        row.run.exporter.to_string(),
        proto.map(protocol).unwrap_or_else(|| number(row, Column::EType).map(ether_type).unwrap_or_default()),
        end(row, Column::SrcAddr, Column::SrcPort),
        String::from(">"),
        end(row, Column::DstAddr, Column::DstPort),
        either(Column::InIf, Column::InIfState),
        either(Column::OutIf, Column::OutIfState),
        if proto == Some(6) {
            number(row, Column::TcpFlags).map(flags).unwrap_or_default()
        } else {
            String::new()
        },
        column(Column::Packets),
        column(Column::Bytes),
        column(Column::SamplingRate),
    ]
}

fn number(row: Row<'_>, column: Column) -> Option<u64> {
    match row.column(column)? {
        super::row::Value::Number(number) => Some(number),
        _ => None,
    }
}

fn time(ms: u64) -> String {
    let Some(time) = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()) else {
        return ms.to_string();
    };
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// Address and port as one writes them; the MAC address, or ICMP's type and code, where there is no other.
fn end(row: Row<'_>, address: Column, port: Column) -> String {
    let source = address == Column::SrcAddr;
    let Some(text) = row.column(address).map(|value| value.to_string()) else {
        let mac = if source { Column::SrcMac } else { Column::DstMac };
        return row.column(mac).map(|value| value.to_string()).unwrap_or_default();
    };
    let icmp = (!source).then(|| number(row, Column::IcmpType)).flatten();
    match (number(row, port), icmp) {
        (Some(port), _) if text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()) => {
            format!("[{text}]:{port}")
        }
        (Some(port), _) => format!("{text}:{port}"),
        (None, Some(kind)) => {
            let code = number(row, Column::IcmpCode).unwrap_or(0);
            format!("{text} type {kind} code {code}")
        }
        (None, None) => text,
    }
}

fn protocol(number: u64) -> String {
    let name = match number {
        1 => "icmp",
        2 => "igmp",
        4 => "ipip",
        6 => "tcp",
        17 => "udp",
        41 => "ipv6",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        58 => "icmp6",
        89 => "ospf",
        103 => "pim",
        112 => "vrrp",
        132 => "sctp",
        _ => return number.to_string(),
    };
    name.to_owned()
}

fn ether_type(number: u64) -> String {
    if number == 0x0806 { String::from("arp") } else { format!("{number:#06x}") }
}

/// The TCP flags of RFC 9293 from CWR to FIN, a dot for each that is not set.
fn flags(bits: u64) -> String {
    let names = "CEUAPRSF".chars().enumerate();
    names.map(|(at, name)| if bits >> (7 - at) & 1 == 1 { name } else { '.' }).collect()
}
