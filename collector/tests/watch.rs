//! A watched folder, changed in every way in which people and programs change files.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use collector::manifest::{Change, Watcher};
use tempfile::TempDir;

const COLLECTOR: &str = "apiVersion: weir.dev/v1alpha1\nkind: FlowCollector\nmetadata: {name: zone1}\n";

fn collector(spec: &str) -> String {
    format!("{COLLECTOR}spec:\n  listeners: [{{name: any, protocol: Auto, port: 9996}}]\n{spec}")
}

fn profile(name: &str, filter: &str) -> String {
    format!(
        "apiVersion: weir.dev/v1alpha1\nkind: FlowProfile\nmetadata: {{name: {name}}}\nspec:\n  channels:\n    \
         - name: all\n      filter: {filter}\n"
    )
}

/// A folder with a collector and one profile, watched.
fn watched() -> (TempDir, Watcher, Change) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("collector.yaml"), collector("  sources: [{name: a, listeners: [any]}]\n"))
        .unwrap();
    fs::write(folder.path().join("web.yaml"), profile("web", "port 80")).unwrap();
    let (watcher, change) = Watcher::open(folder.path()).unwrap();
    (folder, watcher, change)
}

/// The next change; the deadline is far beyond the second that is promised, for machines that are busy.
async fn next(watcher: &mut Watcher) -> Change {
    tokio::time::timeout(Duration::from_secs(20), watcher.next()).await.expect("the change is noticed")
}

/// Waits until the folder gives what is asked for.
async fn until(watcher: &mut Watcher, wanted: impl Fn(&Change) -> bool) -> Change {
    loop {
        let change = next(watcher).await;
        if wanted(&change) {
            return change;
        }
    }
}

fn filters(change: &Change) -> Vec<(&str, &str)> {
    let profiles = change.rendered.edge.profiles.iter();
    profiles.map(|profile| (profile.name.as_str(), profile.channels[0].filter.as_str())).collect()
}

fn problems(change: &Change) -> Vec<String> {
    change.problems.iter().map(ToString::to_string).collect()
}

fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("tmp");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, path).unwrap();
}

#[tokio::test]
async fn a_file_that_is_written_replaced_added_or_deleted_is_noticed() {
    let (folder, mut watcher, first) = watched();
    assert_eq!((filters(&first), first.renewed), (vec![("default/web", "port 80")], true));
    fs::write(folder.path().join("web.yaml"), profile("web", "port 81")).unwrap();
    let change = next(&mut watcher).await;
    assert_eq!((filters(&change), change.renewed), (vec![("default/web", "port 81")], true));
    assert_eq!(change.rendered.aggregator.profiles, change.rendered.edge.profiles);
    replace(&folder.path().join("web.yaml"), &profile("web", "port 82"));
    assert_eq!(filters(&next(&mut watcher).await), [("default/web", "port 82")]);
    fs::write(folder.path().join("dns.yml"), profile("dns", "port 53")).unwrap();
    assert_eq!(filters(&next(&mut watcher).await), [("default/dns", "port 53"), ("default/web", "port 82")]);
    fs::remove_file(folder.path().join("web.yaml")).unwrap();
    assert_eq!(filters(&next(&mut watcher).await), [("default/dns", "port 53")]);
}

#[tokio::test]
async fn a_file_that_breaks_keeps_what_it_last_gave_while_others_change() {
    let (folder, mut watcher, _) = watched();
    let web = folder.path().join("web.yaml");
    for broken in ["spec: [", &profile("web", "tcp"), &profile("web", "\n  nonsense: 1"), "}"] {
        fs::write(&web, broken).unwrap();
        let change = next(&mut watcher).await;
        assert_eq!((filters(&change), change.renewed), (vec![("default/web", "port 80")], false), "{broken}");
        assert!(problems(&change)[0].starts_with(&format!("{}:", web.display())), "{:?}", change.problems);
    }
    fs::write(folder.path().join("dns.yaml"), profile("dns", "port 53")).unwrap();
    let change = next(&mut watcher).await;
    assert_eq!(filters(&change), [("default/dns", "port 53"), ("default/web", "port 80")]);
    assert_eq!(change.problems.len(), 1);
    fs::write(&web, profile("web", "port 443")).unwrap();
    let change = next(&mut watcher).await;
    assert_eq!(filters(&change), [("default/dns", "port 53"), ("default/web", "port 443")]);
    assert!(change.problems.is_empty());
}

#[tokio::test]
async fn the_good_objects_of_a_file_are_taken_beside_a_bad_one() {
    let (folder, mut watcher, _) = watched();
    let web = folder.path().join("web.yaml");
    let both =
        |first: &str, second: &str| format!("{}---\n{}", profile("web", first), profile("ssh", second));
    fs::write(&web, both("port 80", "port 22")).unwrap();
    next(&mut watcher).await;
    fs::write(&web, both("port 8080", "7")).unwrap();
    let change = next(&mut watcher).await;
    assert_eq!(filters(&change), [("default/ssh", "port 22"), ("default/web", "port 8080")]);
    assert_eq!(change.problems.len(), 1);
}

#[tokio::test]
async fn a_removed_source_is_reported_where_it_is_used_and_the_profile_goes_on() {
    let (folder, mut watcher, _) = watched();
    let web = folder.path().join("web.yaml");
    fs::write(&web, format!("{}      sources: [a]\n", profile("web", "port 80"))).unwrap();
    assert!(next(&mut watcher).await.problems.is_empty());
    fs::write(folder.path().join("collector.yaml"), collector("")).unwrap();
    let change = next(&mut watcher).await;
    assert!(change.rendered.edge.sources.is_empty());
    assert_eq!(change.rendered.edge.profiles[0].channels[0].sources, ["a"]);
    let expected =
        "8:17: spec.channels[0].sources[0]: FlowCollector default/zone1 has no source \"a\"; it has none";
    assert_eq!(problems(&change), [format!("{}:{expected}", web.display())]);
}

#[tokio::test]
async fn listeners_slot_and_storage_wait_for_a_restart_and_the_rest_is_applied() {
    let (folder, mut watcher, first) = watched();
    let spec = "  listeners: [{name: any, protocol: Auto, port: 9997}]\n  slotLength: 30s\n  aggregator: {storage: \
                {path: /elsewhere}}\n  sources: [{name: b, listeners: [any]}]\n";
    fs::write(folder.path().join("collector.yaml"), format!("{COLLECTOR}spec:\n{spec}")).unwrap();
    let change = next(&mut watcher).await;
    let (made, ran) = (&change.rendered, &first.rendered);
    assert_eq!(made.edge.sources[0].name, "b");
    assert_eq!((&made.edge.listeners, made.edge.slot_ms), (&ran.edge.listeners, ran.edge.slot_ms));
    assert_eq!(made.aggregator.storage_path, None);
    let notes: Vec<_> = change.notes.iter().map(|note| note.message.as_str()).collect();
    let expected = ["spec.aggregator.storage.path", "spec.listeners", "spec.slotLength"]
        .map(|f| format!("{f} changed: it needs a restart"));
    assert_eq!(notes, expected);
}

#[tokio::test]
async fn an_object_given_twice_is_taken_from_the_file_that_gave_it_first() {
    let (folder, mut watcher, _) = watched();
    fs::write(folder.path().join("a-copy.yaml"), profile("web", "port 8080")).unwrap();
    let change = next(&mut watcher).await;
    assert_eq!((filters(&change), change.renewed), (vec![("default/web", "port 80")], false));
    let (copy, web) = (folder.path().join("a-copy.yaml"), folder.path().join("web.yaml"));
    let expected = format!(
        "{}:1:1: FlowProfile default/web is in {}:1 already; keep one of both",
        copy.display(),
        web.display()
    );
    assert_eq!(problems(&change), [expected]);
    fs::remove_file(web).unwrap();
    assert_eq!(filters(&next(&mut watcher).await), [("default/web", "port 8080")]);
}

#[tokio::test]
async fn a_second_collector_is_refused_and_the_last_one_stays_when_its_file_goes() {
    let (folder, mut watcher, first) = watched();
    fs::write(folder.path().join("other.yaml"), collector("").replace("zone1", "zone2")).unwrap();
    let change = next(&mut watcher).await;
    assert!(problems(&change)[0].contains("a second FlowCollector, default/zone2; default/zone1 is in"));
    fs::remove_file(folder.path().join("other.yaml")).unwrap();
    assert!(next(&mut watcher).await.problems.is_empty());
    fs::remove_file(folder.path().join("collector.yaml")).unwrap();
    let change = next(&mut watcher).await;
    assert_eq!((change.rendered, change.renewed), (first.rendered, false));
    assert!(change.problems[0].message.starts_with("there is no FlowCollector in this folder"));
}

#[tokio::test]
async fn a_config_map_volume_that_swaps_its_link_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let version = |name: &str, filter: &str| {
        let data = folder.path().join(name);
        fs::create_dir(&data).unwrap();
        fs::write(data.join("all.yaml"), format!("{}---\n{}", collector(""), profile("web", filter)))
            .unwrap();
    };
    version("..1", "port 80");
    symlink("..1", folder.path().join("..data")).unwrap();
    symlink("..data/all.yaml", folder.path().join("all.yaml")).unwrap();
    let (mut watcher, first) = Watcher::open(folder.path()).unwrap();
    assert_eq!(filters(&first), [("default/web", "port 80")]);
    version("..2", "port 81");
    symlink("..2", folder.path().join("..data_tmp")).unwrap();
    fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).unwrap();
    fs::remove_dir_all(folder.path().join("..1")).unwrap();
    assert_eq!(filters(&next(&mut watcher).await), [("default/web", "port 81")]);
}

#[tokio::test]
async fn unreadable_files_and_a_folder_that_vanishes_are_told_and_nothing_is_lost() {
    let (folder, mut watcher, first) = watched();
    fs::write(folder.path().join("web.yaml"), b"a: \xff\n").unwrap();
    let change = next(&mut watcher).await;
    assert!(problems(&change)[0].ends_with("web.yaml:1:4: byte 0xff is not UTF-8; save the file as UTF-8"));
    symlink("/nowhere/at/all", folder.path().join("dangling.yaml")).unwrap();
    let change = next(&mut watcher).await;
    assert!(problems(&change).iter().any(|problem| problem.contains("dangling.yaml: cannot be read")));
    fs::remove_file(folder.path().join("dangling.yaml")).unwrap();
    fs::set_permissions(folder.path().join("collector.yaml"), fs::Permissions::from_mode(0o000)).unwrap();
    let moved = folder.path().with_extension("moved");
    fs::rename(folder.path(), &moved).unwrap();
    let change =
        until(&mut watcher, |change| problems(change)[0].contains("cannot be read: No such file")).await;
    assert_eq!(change.rendered, first.rendered);
    fs::rename(&moved, folder.path()).unwrap();
    fs::set_permissions(folder.path().join("collector.yaml"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(folder.path().join("web.yaml"), profile("web", "port 80")).unwrap();
    assert_eq!(until(&mut watcher, |change| change.problems.is_empty()).await.rendered, first.rendered);
}

#[tokio::test]
async fn a_call_that_is_given_up_loses_no_change() {
    let (folder, mut watcher, _) = watched();
    fs::write(folder.path().join("web.yaml"), profile("web", "port 81")).unwrap();
    for _ in 0..20 {
        if let Ok(change) = tokio::time::timeout(Duration::from_millis(5), watcher.next()).await {
            assert_eq!(filters(&change), [("default/web", "port 81")]);
            return;
        }
    }
    assert_eq!(filters(&next(&mut watcher).await), [("default/web", "port 81")]);
}

#[test]
fn a_folder_opens_without_its_broken_profiles_and_not_without_a_collector() {
    let folder = tempfile::tempdir().unwrap();
    let errors = Watcher::open(folder.path()).unwrap_err();
    assert!(errors[0].message.starts_with("there is no FlowCollector in this folder"));
    fs::write(folder.path().join("a.yaml"), profile("bad", "tcp")).unwrap();
    fs::write(folder.path().join("b.yaml"), profile("good", "proto tcp")).unwrap();
    fs::write(folder.path().join("c.yaml"), collector("  slotLength: 7s\n")).unwrap();
    let errors = Watcher::open(folder.path()).unwrap_err();
    assert!(errors.iter().any(|problem| problem.path == "spec.slotLength"), "{errors:?}");
    fs::write(folder.path().join("c.yaml"), collector("")).unwrap();
    let (_, change) = Watcher::open(folder.path()).unwrap();
    assert_eq!(filters(&change), [("default/good", "proto tcp")]);
    assert_eq!(change.problems.len(), 1);
    assert!(Watcher::open("/nowhere/at/all").is_err());
}
