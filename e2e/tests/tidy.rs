//! The rules of the repository, as tests: each says which file breaks which rule.

use std::fs;
use std::path::{Path, PathBuf};

/// The stages, in the order in which a flow meets them, and what each may use beside `flow`, `slot`,
/// `telemetry`, its own children and the crate `crds`.
const STAGES: &[(&str, &[&str])] = &[
    ("socket", &[]),
    ("capture", &[]),
    ("decode", &[]),
    ("enrich", &[]),
    ("filter", &[]),
    ("account", &[]),
    ("ship", &[]),
    ("aggregate", &[]),
    ("export", &[]),
    ("serve", &["aggregate::Reader", "aggregate::view", "aggregate::{Reader", "aggregate::{view"]),
];

/// Files past 500 lines, each with its reason.
const LONG_FILES: &[(&str, &str)] =
    &[("collector/src/flow/element/registry.rs", "IANA's registry, a line an element")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository").to_owned()
}

/// Every file that git tracks or would track, relative to the root.
fn files() -> Vec<String> {
    let output = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    let names = String::from_utf8(output.stdout).expect("file names are UTF-8");
    names.lines().filter(|name| root().join(name).is_file()).map(str::to_owned).collect()
}

/// Every Rust file but this one, which has to spell out what it forbids.
fn sources() -> Vec<(String, String)> {
    let rust = files().into_iter().filter(|name| name.ends_with(".rs") && name != "e2e/tests/tidy.rs");
    rust.map(|name| (name.clone(), fs::read_to_string(root().join(&name)).expect("readable"))).collect()
}

fn assert_none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

#[test]
fn every_rust_file_says_at_its_top_what_it_is_for() {
    let silent = sources().into_iter().filter(|(_, text)| !text.starts_with("//! "));
    let broken: Vec<_> = silent.map(|(name, _)| name).collect();
    assert_none("a file begins with `//! ` and a sentence", &broken);
}

#[test]
fn no_file_is_longer_than_500_lines_unless_it_says_why() {
    let long = |(name, text): (String, String)| {
        let lines = text.lines().count();
        let excused = LONG_FILES.iter().any(|(file, _)| *file == name);
        (lines > 500 && !excused).then(|| format!("{name}: {lines}"))
    };
    let broken: Vec<_> = sources().into_iter().filter_map(long).collect();
    assert_none("a file past 500 lines is a table or wants another shape", &broken);
}

#[test]
fn no_stage_imports_another_stage() {
    let mut broken = Vec::new();
    for (name, text) in sources() {
        let Some((stage, allowed)) = stage_of(&name) else { continue };
        for (line, used) in crate_paths(&text) {
            let other = STAGES.iter().any(|(other, _)| used.starts_with(other) && *other != stage);
            let excused = allowed.iter().any(|path| used.starts_with(path));
            let upper = ["pipeline", "command", "manifest"].iter().any(|upper| used.starts_with(upper));
            if (other && !excused) || upper || used.starts_with('{') {
                broken.push(format!("{name}:{line}: crate::{used}"));
            }
        }
    }
    assert_none(
        "a stage knows flow, slot, telemetry and its own children, each on a line of its own",
        &broken,
    );
}

fn stage_of(name: &str) -> Option<(&'static str, &'static [&'static str])> {
    let inside = name.strip_prefix("collector/src/")?;
    let first = inside.split('/').next()?.trim_end_matches(".rs");
    STAGES.iter().find(|(stage, _)| *stage == first).copied()
}

/// What follows `crate::` in the product's code, with line numbers; tests are left out.
fn crate_paths(text: &str) -> Vec<(usize, String)> {
    let product = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut paths = Vec::new();
    for (number, line) in product.lines().enumerate() {
        if !line.trim_start().starts_with("//") {
            paths.extend(line.split("crate::").skip(1).map(|path| (number + 1, path.to_owned())));
        }
    }
    paths
}

#[test]
fn nothing_is_unfinished_or_switched_off() {
    let marks = ["TODO", "FIXME", "XXX", "#[ignore", "todo!(", "unimplemented!(", "allow(dead_code"];
    let mut broken = Vec::new();
    for (name, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(**mark)) {
                broken.push(format!("{name}:{}: {mark}", number + 1));
            }
        }
    }
    assert_none("finish it, delete it, or say it in an issue", &broken);
}

#[test]
fn unsafe_code_lives_in_one_file_of_the_product() {
    let product =
        |name: &str| !name.contains("/tests") && !name.contains("/benches/") && !name.starts_with("e2e/");
    let unsafe_code =
        |text: &str| text.contains("unsafe {") || text.contains("unsafe impl") || text.contains("unsafe fn");
    let broken: Vec<_> = sources()
        .into_iter()
        .filter(|(name, text)| product(name) && unsafe_code(text) && name != "collector/src/socket/sys.rs")
        .map(|(name, _)| name)
        .collect();
    assert_none("system calls stand in collector/src/socket/sys.rs", &broken);
}

#[test]
fn queues_are_bounded_and_files_are_named_for_what_they_hold() {
    let mut broken = Vec::new();
    for (name, text) in sources() {
        if text.contains("unbounded_channel") || text.contains("mpsc::channel()") {
            broken.push(format!("{name}: an unbounded queue"));
        }
        let stem = Path::new(&name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if ["mod", "util", "utils", "helper", "helpers", "common", "misc"].contains(&stem) {
            broken.push(format!("{name}: the name says nothing"));
        }
    }
    assert_none("bounded queues, telling names", &broken);
}

#[test]
fn the_top_level_holds_only_the_folders_of_the_design() {
    let folders = ["operator", "collector", "crds", "charts", "examples", "e2e", ".ci", ".github", "docs"];
    let mut broken: Vec<_> = files()
        .iter()
        .filter_map(|name| name.split_once('/').map(|(folder, _)| folder.to_owned()))
        .filter(|folder| !folders.contains(&folder.as_str()))
        .collect();
    broken.dedup();
    assert_none("another top-level folder", &broken);
}

#[test]
fn nothing_names_a_path_or_a_registry_of_one_machine() {
    // In two halves, so that this file keeps its own rule.
    let halves = [
        ("/wo", "rk/"),
        ("/ro", "ot/"),
        ("crates", ".io/"),
        ("npmjs", ".org"),
        ("debian", ".org"),
        ("golang", ".org"),
    ];
    let marks = halves.map(|(one, other)| format!("{one}{other}"));
    let mut broken = Vec::new();
    // Go names a module by where it comes from, Cargo a crate by its registry.
    let pins = |name: &String| [".lock", "go.mod", "go.sum", ".go"].iter().any(|end| name.ends_with(end));
    for name in files().into_iter().filter(|name| !pins(name)) {
        let Ok(text) = fs::read_to_string(root().join(&name)) else { continue };
        broken.extend(marks.iter().filter(|mark| text.contains(*mark)).map(|mark| format!("{name}: {mark}")));
    }
    assert_none("the repository is the same on every machine", &broken);
}

#[test]
fn the_collector_and_the_kinds_know_nothing_above_them() {
    let manifest = fs::read_to_string(root().join("collector/Cargo.toml")).expect("readable");
    assert!(!manifest.contains("operator"), "the collector knows no operator");
    let crds = fs::read_to_string(root().join("crds/Cargo.toml")).expect("readable");
    assert!(!crds.contains("collector"), "the kinds know no collector");
}

#[test]
fn the_stage_rule_sees_an_import_when_there_is_one() {
    let text = "use crate::flow::Batch;\n// crate::socket\nlet plan = crate::filter::Plan::new();\n#[cfg(test)]\ncrate::serve";
    let used: Vec<_> =
        crate_paths(text).into_iter().map(|(line, path)| (line, path[..4].to_owned())).collect();
    assert_eq!(used, [(1, "flow".into()), (3, "filt".into())]);
    assert_eq!(stage_of("collector/src/serve/api.rs").map(|(stage, _)| stage), Some("serve"));
    assert_eq!(stage_of("collector/src/pipeline.rs"), None);
}
