//! Any bytes after sFlow's version: the decoder never panics, every row can be written, and every sample is counted.
#![no_main]

use allocation_counter::measure;
use collector::decode::{Datagram, Decoder, Limits};
use collector::flow::{Batch, rows, write_json};
use collector_fuzz::{MEMORY, Session};
use crds::config::Protocol;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let payload = [&[0, 0, 0, 5][..], bytes].concat();
    let used = measure(|| {
        let mut session = Session::default();
        session.feed(Protocol::SFlow, 6343, 0, &payload);
        session.close();
        written(&payload);
    });
    assert!(used.bytes_max < MEMORY, "{used:?}");
});

fn written(payload: &[u8]) {
    let mut batch = Batch::default();
    let datagram = Datagram {
        listener: 0,
        accepts: Protocol::SFlow,
        exporter: [192, 0, 2, 1].into(),
        port: 6343,
        received_ms: 0,
        payload,
    };
    Decoder::new(Limits::default()).decode(&datagram, &mut batch, &mut |_| {});
    let mut text = Vec::new();
    rows(&batch, &mut |row| write_json(row, &mut text)).expect("every record can be written");
}
