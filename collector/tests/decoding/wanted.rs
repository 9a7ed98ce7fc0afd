//! Columns that nobody asks for are not filled, and every other one as if all were.

use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use collector::capture::Reader;
use collector::flow::{Column, ColumnSet};

use super::rig::{Rig, Row};

fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/captures");
    let files = fs::read_dir(folder).expect("the captures are there").flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "pcap")).collect()
}

/// The rows of a capture, decoded for these columns.
fn rows(capture: &Path, wanted: Option<&ColumnSet>) -> Vec<Row> {
    let mut rig = Rig::new();
    if let Some(wanted) = wanted {
        rig.want(wanted);
    }
    let read =
        Reader::default().read("capture", 0, File::open(capture).expect("it is readable"), &mut |datagram| {
            rig.now_ms = datagram.received_ms;
            rig.feed_from(&datagram.exporter.to_string(), datagram.exporter_port, datagram.payload);
            ControlFlow::Continue(())
        });
    assert!(read.is_ok());
    rig.rows
}

fn only(rows: &[Row], wanted: &ColumnSet) -> Vec<Row> {
    let names: Vec<&str> = wanted.iter().map(Column::name).collect();
    let mut rows = rows.to_vec();
    rows.iter_mut().for_each(|row| row.retain(|name, _| names.contains(name)));
    rows
}

#[test]
fn a_wanted_column_holds_the_same_whatever_else_is_wanted() {
    let sets = [
        ColumnSet::default(),
        ColumnSet::of(&[Column::SrcAddr, Column::TcpFlags]),
        ColumnSet::of(&[Column::DstAddr, Column::SrcVlan, Column::MplsLabel1, Column::OutIf]),
        ColumnSet::of(&[
            Column::NextHop,
            Column::SrcAs,
            Column::SrcMac,
            Column::InnerSrcAddr,
            Column::Direction,
        ]),
    ];
    for capture in captures() {
        let all = rows(&capture, None);
        for wanted in &sets {
            let mut some = *wanted;
            for always in [Column::Packets, Column::Bytes, Column::Proto, Column::DstPort, Column::IcmpType] {
                some.insert(always);
            }
            let narrowed = rows(&capture, Some(wanted));
            assert_eq!(only(&narrowed, &some), only(&all, &some), "{}", capture.display());
        }
    }
}

#[test]
fn a_column_that_nobody_wants_is_not_filled() {
    for capture in captures() {
        let narrowed = rows(&capture, Some(&ColumnSet::default()));
        let unasked = |row: &Row| {
            ["src_as", "src_mask", "tcp_flags", "out_if"].iter().any(|name| row.contains_key(name))
        };
        assert!(!narrowed.iter().any(unasked), "{}", capture.display());
        assert!(!narrowed.is_empty());
    }
}
