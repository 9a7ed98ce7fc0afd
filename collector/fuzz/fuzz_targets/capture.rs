//! Any bytes as a file: the reader never panics, and hands on exactly the datagrams that it counts.
#![no_main]

use std::ops::ControlFlow;

use collector::capture::Reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let mut reader = Reader::default();
    let mut taken = 0;
    // Two files of the same bytes: fragments carry over.
    for _ in 0..2 {
        let _ = reader.read("file", 0, file, &mut |_| {
            taken += 1;
            ControlFlow::Continue(())
        });
    }
    assert_eq!(taken, reader.counts().datagrams);
});
