//! Any bytes as template sets, and data sets by whatever they define. The first byte chooses v9 or IPFIX; each set
//! stands behind its length and a byte that says what it is.
#![no_main]

use allocation_counter::measure;
use collector_fuzz::{MEMORY, Session};
use crds::config::Protocol;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let used = measure(|| run(bytes));
    assert!(used.bytes_max < MEMORY, "{used:?}");
});

fn run(bytes: &[u8]) {
    let Some((first, mut rest)) = bytes.split_first() else { return };
    let v9 = first & 1 == 0;
    let mut session = Session::default();
    let mut sequence = 0;
    while let Some(([length, what], more)) = rest.split_first_chunk::<2>() {
        let (body, after) = more.split_at(usize::from(*length).min(more.len()));
        rest = after;
        let id = match what % 4 {
            0 => u16::from(!v9) * 2,
            1 => 1 + u16::from(!v9) * 2,
            _ => 256 + u16::from(what >> 2),
        };
        session.feed(Protocol::NetFlow, 40_000, 100, &message(v9, sequence, id, body));
        sequence += 1;
        session.cut();
    }
    session.close();
}

fn message(v9: bool, sequence: u32, id: u16, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0, if v9 { 9 } else { 10 }];
    if v9 {
        out.extend([0, 1]);
        out.extend(500_000_u32.to_be_bytes());
    } else {
        out.extend((body.len() as u16 + 20).to_be_bytes());
    }
    out.extend(1_700_000_000_u32.to_be_bytes());
    out.extend(sequence.to_be_bytes());
    out.extend([0, 0, 0, 7]);
    out.extend(id.to_be_bytes());
    out.extend((body.len() as u16 + 4).to_be_bytes());
    out.extend(body);
    out
}
