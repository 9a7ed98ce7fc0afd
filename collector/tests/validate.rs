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

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn object(kind: &str, name: &str, spec: &str) -> String {
    format!("apiVersion: weir.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

#[test]
fn the_objects_of_a_folder_are_checked_together_however_they_are_named() {
    let zone1 = object("FlowCollector", "zone1", "{sources: [{name: peer1, listeners: [any]}]}");
    let web = object("FlowProfile", "web", "{channels: [{name: a, sources: [peer1, peer2]}]}");
    let folder = folder(&[
        ("a.yaml", &zone1),
        ("b.yaml", &object("FlowCollector", "zone2", "{}")),
        (
            "c.yml",
            &format!(
                "{web}---\n{}",
                object("FlowProfile", "dns", "{channels: [{name: a}], collectorRef: {name: zone2}}")
            ),
        ),
        ("d.yaml", &object("FlowProfile", "web", "{channels: [{name: a}]}")),
        ("notes.txt", "not read"),
        (".hidden.yaml", "neither"),
    ]);
    let path = |name: &str| folder.path().join(name);
    let expected = [
        format!(
            "{}:1:1: a second FlowCollector, default/zone2; default/zone1 is in {}:1 already, and a folder holds one",
            path("b.yaml").display(),
            path("a.yaml").display()
        ),
        format!(
            "{}:4:46: spec.channels[0].sources[1]: FlowCollector default/zone1 has no source \"peer2\"; it has peer1",
            path("c.yml").display()
        ),
        format!(
            "{}:9:52: spec.collectorRef.name: there is no FlowCollector default/zone2 here; there is default/zone1",
            path("c.yml").display()
        ),
        format!(
            "{}:1:1: FlowProfile default/web is in {}:1 already; keep one of both",
            path("d.yaml").display(),
            path("c.yml").display()
        ),
    ];
    let said = |paths: &[PathBuf]| {
        manifest::validate(paths).problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(said(&[folder.path().to_owned()]), expected);
    assert_eq!(said(&["d.yaml", "b.yaml", "c.yml", "a.yaml"].map(path)), expected);
    assert_eq!(said(&[path("c.yml")]), Vec::<String>::new(), "alone it refers to nothing that is given");
}

#[test]
fn what_is_skipped_or_doubtful_is_noted_and_stops_nothing() {
    let folder = folder(&[
        ("a.yaml", &object("FlowCollector", "zone1", "{profileSelector: {matchLabels: {team: net}}}")),
        ("b.yaml", &object("FlowProfile", "web", "\n  channels:\n    - name: a\n      color: #48C6FF")),
        ("c.yaml", "apiVersion: v1\nkind: ConfigMap\n---\njust: values\n---\n# nothing\n"),
    ]);
    let report = manifest::validate(&[folder.path().to_owned()]);
    assert_eq!(report.problems, []);
    let notes: Vec<_> = report.notes.iter().map(|note| note.message.as_str()).collect();
    assert_eq!(
        notes,
        [
            "FlowProfile default/web does not run on FlowCollector default/zone1: its profileSelector does not match the profile's labels",
            "spec.channels[0].color: nothing is written here, and # begins a comment; write # and six hexadecimal digits in quotes, such as \"#3B82C4\"",
            "skipped: v1 ConfigMap is none of Weir's kinds",
            "skipped: not a Kubernetes object (no apiVersion and kind)",
        ]
    );
}

#[test]
fn what_acts_in_a_cluster_only_is_noted_and_the_rest_of_it_acts() {
    let zone1 = "{slotLength: 5s, version: 0.4.0, exposure: {type: NodePort}, aggregator: {storage: {size: 20Gi}}, \
                 tenants: [{namespace: default, scope: net 192.0.2.0/24}]}";
    let folder = folder(&[
        ("a.yaml", &object("FlowCollector", "zone1", zone1)),
        ("b.yaml", &object("FlowProfile", "web", "{channels: [{name: a, filter: port 80, sources: }]}")),
    ]);
    let (rendered, notes) = manifest::render(folder.path()).unwrap();
    let notes: Vec<_> = notes.iter().map(|note| note.message.as_str()).collect();
    assert_eq!(notes, ["acts in a cluster only: spec.exposure, spec.aggregator.storage.size, spec.version"]);
    let filter = &rendered.edge.profiles[0].channels[0].filter;
    assert_eq!((rendered.edge.slot_ms, filter.as_str()), (5_000, "(net 192.0.2.0/24) and (port 80)"));
}

#[test]
fn files_that_are_no_text_too_large_or_not_there_are_told_apart() {
    let folder = folder(&[]);
    let said = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        if !bytes.is_empty() {
            fs::write(&path, bytes).unwrap();
        }
        manifest::validate(&[path])
            .problems
            .iter()
            .map(|problem| problem.to_string().rsplit_once(".yaml:").unwrap().1.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        said("latin.yaml", b"a: 1\nname: gr\xfc\xdfe\n"),
        ["2:9: byte 0xfc is not UTF-8; save the file as UTF-8"]
    );
    assert_eq!(said("large.yaml", &vec![b'#'; (4 << 20) + 1]), [" larger than 4 MiB; split it"]);
    assert_eq!(said("absent.yaml", b""), [" cannot be read: No such file or directory (os error 2)"]);
    let device = manifest::validate(&[PathBuf::from("/dev/zero")]).problems;
    assert_eq!(device[0].message, "not a file; name a YAML file or a folder of them");
    let empty = manifest::validate(&[tempfile::tempdir().unwrap().path().to_owned()]).problems;
    assert_eq!(empty[0].message, "there is no YAML file in this folder; name another");
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
