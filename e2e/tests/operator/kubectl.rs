//! `kubectl weir` beside a running operator: what it shows is what the cluster says, and a rollback is a change like
//! any other.

use std::path::PathBuf;
use std::process::{Command, Output};

use e2e::program;
use serde_json::json;

use crate::fixture::{Place, text};

/// The program under its other name, as kubectl looks for it.
fn plugin(place: &Place) -> PathBuf {
    let link = place.folder().join("kubectl-weir");
    if !link.exists() {
        std::os::unix::fs::symlink(program::own("weir"), &link).expect("the test's folder is writable");
    }
    link
}

fn run(place: &Place, arguments: &[&str]) -> Output {
    let mut command = Command::new(plugin(place));
    command.env("KUBECONFIG", place.plane.kubeconfig()).args(["-n", &place.namespace]).args(arguments);
    command.output().expect("the plugin starts")
}

/// Standard output of a run that went well.
fn told(place: &Place, arguments: &[&str]) -> String {
    let output = run(place, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// What was said of a run that failed, with its exit code.
fn refused(place: &Place, arguments: &[&str]) -> (i32, String) {
    let output = run(place, arguments);
    let code = output.status.code().expect("an exit code");
    (code, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The words of the line that begins with a name.
fn words(text: &str, name: &str) -> Vec<String> {
    let line = text.lines().find(|line| line.starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no line of {name}:\n{text}"));
    line.split_whitespace().map(str::to_owned).collect()
}

fn channels(filter: &str) -> serde_json::Value {
    json!({"channels": [{"name": "web", "filter": filter}], "collectorRef": {"name": "zone1"}})
}

async fn filter(place: &Place) -> String {
    let profile = place.profiles().get("web").await.expect("the profile is there");
    text(&profile.data["spec"]["channels"][0]["filter"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_profile_goes_back_to_what_runs_and_a_running_one_to_what_ran_before() {
    let place = Place::new("kubectl-rollback").await;
    let _operator = place.operator("a");
    place.create("FlowCollector", "zone1", json!({})).await;
    place.create("FlowProfile", "web", channels("port 443")).await;
    place.condition("FlowProfile", "web", "Accepted", "True").await;

    place.edit("FlowProfile", "web", channels("prot tcp")).await;
    place.condition("FlowProfile", "web", "Accepted", "False").await;
    let shown = told(&place, &["rollback", "web", "--dry-run"]);
    assert!(shown.contains("filter: port 443"), "{shown}");
    assert_eq!(filter(&place).await, "prot tcp", "a dry run writes nothing");
    let said = told(&place, &["rollback", "web"]);
    assert!(said.contains("generation 2 is now 3, as generation 1 was"), "{said}");
    assert_eq!(filter(&place).await, "port 443");
    place.condition("FlowProfile", "web", "Accepted", "True").await;

    place.edit("FlowProfile", "web", channels("port 80")).await;
    place.condition("FlowProfile", "web", "Accepted", "True").await;
    told(&place, &["rollback", "web"]);
    assert_eq!(filter(&place).await, "port 443");
    let (code, why) = refused(&place, &["rollback", "web", "--to", "99"]);
    assert!(code == 1 && why.contains("there is no revision 99 of web; kept: "), "{code}: {why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_shows_collectors_and_profiles_and_says_what_it_could_not_ask() {
    let place = Place::new("kubectl-status").await;
    let (code, why) = refused(&place, &["status"]);
    assert!(code == 1 && why.contains("there is no FlowCollector in"), "{code}: {why}");

    let _operator = place.operator("a");
    place.create("FlowCollector", "zone1", json!({})).await;
    place.create("FlowProfile", "web", channels("port 443")).await;
    place.create("FlowProfile", "wrong", channels("prot tcp")).await;
    place.made("zone1").await;
    place.condition("FlowProfile", "web", "Accepted", "True").await;
    place.condition("FlowProfile", "wrong", "Accepted", "False").await;

    let output = run(&place, &["status"]);
    let (shown, notes) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{notes}");
    let name = |name: &str| format!("{}/{name}", place.namespace);
    let collector = words(&shown, &name("zone1"));
    assert_eq!(collector[5..10], ["-"; 5], "no losses are claimed that nobody measured: {shown}");
    assert_eq!(words(&shown, &name("web"))[3], "1", "one channel: {shown}");
    assert!(words(&shown, &name("wrong")).join(" ").contains("tcp"), "the reason stands there: {shown}");
    assert!(notes.contains(" is not ready: "), "{notes}");

    for arguments in [["top", "web"], ["profile", "list"]] {
        let (code, why) = refused(&place, &arguments);
        assert!(code == 3 && why.contains("the aggregator of"), "{arguments:?}: {code}: {why}");
    }
    let (code, why) = refused(&place, &["top", "none"]);
    assert!(code == 1 && why.contains("there is no FlowProfile none"), "{code}: {why}");
}
