//! Datagrams of all protocols to one decoder. Each stands behind two bytes of its length and one that says what
//! happens around it: its port, the time before it, a cut after it.
#![no_main]

use allocation_counter::measure;
use collector_fuzz::{MEMORY, Session};
use crds::config::Protocol;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let used = measure(|| run(bytes));
    assert!(used.bytes_max < MEMORY, "{used:?}");
});

fn run(mut rest: &[u8]) {
    let mut session = Session::default();
    while let Some(([high, low, how], more)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (payload, after) = more.split_at(length);
        rest = after;
        let later_ms = u64::from(how >> 4) * 5_000;
        session.feed(Protocol::Auto, 40_000 + u16::from(how & 3), later_ms, payload);
        if how & 4 != 0 {
            session.cut();
        }
    }
    session.close();
}
