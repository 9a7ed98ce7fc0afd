//! Captures and what `weir decode` makes of them: every record and every counter, as committed.
//!
//! `UPDATE_GOLDEN=1 cargo test -p collector --test golden` writes what is decoded now: look at the difference
//! before committing it.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

#[path = "golden/sflow.rs"]
mod sflow;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/captures")
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

/// The records as lines of JSON, and the counters as JSON that people can read.
fn decoded(capture: &Path) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["decode", "-o", "json", "--counters"])
        .arg(capture)
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}: {}", capture.display(), String::from_utf8_lossy(&output.stderr));
    let counters: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    let counters = serde_json::to_string_pretty(&counters).unwrap() + "\n";
    (String::from_utf8(output.stdout).unwrap(), counters)
}

/// Compares with the committed file, or writes it; gives the first line that differs.
fn compare(file: &Path, now: &str) -> Option<String> {
    if updating() {
        fs::write(file, now).unwrap();
        return None;
    }
    let committed = fs::read_to_string(file).unwrap_or_default();
    if committed == now {
        return None;
    }
    let lines = committed.lines().chain(std::iter::repeat("(no line)")).zip(now.lines().chain(["(no line)"]));
    let (at, (was, is)) = lines.enumerate().find(|(_, (was, is))| was != is)?;
    Some(format!("{}:{}:\n  committed {was}\n  now       {is}", file.display(), at + 1))
}

/// The capture that is built here and not taken from an exporter is what its description says.
fn built_capture() {
    let file = captures().join("sflow-quirks.pcap");
    let built = sflow::quirks();
    if updating() {
        fs::write(&file, &built).unwrap();
    }
    assert!(fs::read(&file).unwrap() == built, "{}: UPDATE_GOLDEN=1 writes it anew", file.display());
}

#[test]
fn every_capture_decodes_to_the_committed_records_and_counters() {
    built_capture();
    let mut files: Vec<PathBuf> =
        fs::read_dir(captures()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "pcap"));
    files.sort();
    assert!(files.len() >= 12, "the captures of real exporters are there");
    let mut differences = Vec::new();
    for capture in files {
        let (records, counters) = decoded(&capture);
        differences.extend(compare(&capture.with_extension("ndjson"), &records));
        differences.extend(compare(&capture.with_extension("counters.json"), &counters));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_field_of_the_captures_is_documented() {
    let fields = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/fields.md")).unwrap();
    let mut undocumented = std::collections::BTreeSet::new();
    for entry in fs::read_dir(captures()).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_none_or(|extension| extension != "ndjson") {
            continue;
        }
        for line in fs::read_to_string(entry).unwrap().lines() {
            let record: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
            undocumented.extend(
                record
                    .into_iter()
                    .map(|(name, _)| name)
                    .filter(|name| !fields.contains(&format!("`{name}`"))),
            );
        }
    }
    assert!(undocumented.is_empty(), "{undocumented:?}");
}
