//! The table of what is accepted and what is refused, and in which words.
//!
//! `data/validate/accept` holds files with which nothing is wrong. Each file in `data/validate/reject` says in its
//! first comments what the API server does with it (`# api-server: rejects`, or `accepts` where only Weir knows
//! better), and below, in a line for each problem, what `weir validate` says (`# 7:15: spec...: ...`). After a
//! change of words: `UPDATE_GOLDEN=1 cargo test -p collector --test validate`, and read the difference.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use collector::manifest;

fn table(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/validate").join(name);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What is said of a file, without its name.
fn said(file: &Path) -> Vec<String> {
    let prefix = format!("{}:", file.display());
    let report = manifest::validate(&[file.to_owned()]);
    let bare = |problem: &manifest::Problem| problem.to_string().replace(&prefix, "");
    report.problems.iter().map(bare).collect()
}

#[test]
fn every_file_of_the_accept_table_is_accepted() {
    let files = table("accept");
    assert!(files.len() > 5);
    for file in files {
        assert_eq!(said(&file), Vec::<String>::new(), "{}", file.display());
    }
}

#[test]
fn every_file_of_the_reject_table_is_refused_in_the_words_that_it_states() {
    let files = table("reject");
    assert!(files.len() > 50);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let body: Vec<&str> = text.lines().filter(|line| !line.starts_with("# ")).collect();
        let verdict = text.lines().next().unwrap();
        assert!(matches!(verdict, "# api-server: rejects" | "# api-server: accepts"), "{}", file.display());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            update(&file, verdict, &body);
            continue;
        }
        let stated: Vec<_> = text.lines().skip(1).filter_map(|line| line.strip_prefix("# ")).collect();
        assert_eq!(said(&file), stated, "{}", file.display());
        assert!(!stated.is_empty(), "{} is accepted", file.display());
    }
}

/// Writes what is said into the file; the lines with it move what they speak of, hence in two steps.
fn update(file: &Path, verdict: &str, body: &[&str]) {
    let write = |said: &[String]| {
        let stated: String = said.iter().map(|line| format!("# {line}\n")).collect();
        fs::write(file, format!("{verdict}\n{stated}{}\n", body.join("\n"))).unwrap();
    };
    write(&said(file));
    write(&said(file));
    write(&said(file));
}

#[test]
fn the_quickstart_is_valid_and_renders_its_21_channels() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart");
    let report = manifest::validate(std::slice::from_ref(&folder));
    assert_eq!((report.problems, report.objects), (Vec::new(), 2));
    let (rendered, notes) = manifest::render(&folder).unwrap();
    assert!(notes.is_empty());
    let profile = &rendered.edge.profiles[0];
    assert_eq!((profile.display_name.as_str(), profile.channels.len()), ("zone1_profile", 21));
    let drawn = |at: usize| {
        let channel = &profile.channels[at];
        (channel.name.as_str(), channel.filter.as_str(), channel.color.as_str())
    };
    assert_eq!(drawn(0), ("icmp", "proto icmp", "#48C6FF"));
    assert_eq!(drawn(20), ("bittorrent", "port 6682", "#FF62A0"));
}

fn weir(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_weir")).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_prints_problems_and_ends_with_the_code_that_says_so() {
    let bad = table("reject").into_iter().find(|file| file.ends_with("filter-bare-protocol.yaml")).unwrap();
    let (code, out, err) = weir(&["validate", bad.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (1, "weir: 1 problem\n"));
    assert_eq!(out, format!("{}:{}\n", bad.display(), said(&bad)[0]));
    let good = table("accept").into_iter().find(|file| file.ends_with("profile-least.yaml")).unwrap();
    assert_eq!(weir(&["validate", good.to_str().unwrap()]).0, 0);
    assert_eq!(weir(&["validate", "/nowhere/to/be/found.yaml"]).0, 1);
    assert_eq!(weir(&["validate"]).0, 2);
}

#[test]
fn render_prints_both_configurations_or_every_problem() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart");
    let (code, out, _) = weir(&["render", folder.to_str().unwrap()]);
    let documents: Vec<&str> = out.split("---\n").collect();
    let edge: crds::config::EdgeConfig = serde_yaml::from_str(documents[0]).unwrap();
    let aggregator: crds::config::AggregatorConfig = serde_yaml::from_str(documents[1]).unwrap();
    assert_eq!((code, edge.listeners.len(), aggregator.retention.len()), (0, 4, 5));
    let empty = tempfile::tempdir().unwrap();
    let (code, out, err) = weir(&["render", empty.path().to_str().unwrap()]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("there is no FlowCollector in this folder; add one"), "{err}");
}
