//! Any bytes after sFlow's version: the decoder never panics, and its rows are the records that it counts.
#![no_main]

use collector::decode::{Datagram, Decoder, Limits};
use collector::flow::{Batch, rows, write_json};
use crds::config::Protocol;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let payload = [&[0, 0, 0, 5][..], bytes].concat();
    let mut decoder = Decoder::new(Limits::default());
    let mut batch = Batch::default();
    let datagram = Datagram {
        listener: 0,
        accepts: Protocol::SFlow,
        exporter: [192, 0, 2, 1].into(),
        port: 6343,
        received_ms: 0,
        payload: &payload,
    };
    let mut passed = 0;
    decoder.decode(&datagram, &mut batch, &mut |full| passed += full.len() as u64);
    let mut text = Vec::new();
    rows(&batch, &mut |row| write_json(row, &mut text)).expect("every record can be written");
    let reports = decoder.take_reports(&[]).0;
    let counted: u64 = reports.iter().map(|report| report.counts.records).sum();
    assert_eq!(passed + batch.len() as u64, counted);
});
