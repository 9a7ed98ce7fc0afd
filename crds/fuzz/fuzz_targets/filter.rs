//! Any text gives a filter or an error that lies within it; a filter prints as a text that parses back to the
//! same tree. Run with `cargo fuzz run filter` in `crds` (see `fuzz/filter.dict` for the words).
#![no_main]

use crds::filter::{Context, TEXT_LIMIT, check, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for error in check(text, Context::PROFILE).err().unwrap_or_default() {
        assert!(error.span.start <= error.span.end && error.span.end <= text.len());
        assert_eq!(error.found, text[error.span.start..error.span.end]);
    }
    if let Ok(expr) = parse(text) {
        let printed = expr.to_string();
        // The canonical form may be longer than what was written, and so pass the limit.
        if printed.len() <= TEXT_LIMIT {
            assert_eq!(parse(&printed).expect("the canonical form parses"), expr);
        }
    }
});
