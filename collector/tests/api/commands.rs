//! `weir profile` and `weir health` as they are typed.

use std::process::{Command, Output};

use collector::telemetry::Health;
use serde_json::Value;

use crate::server::Server;

async fn weir(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(args);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_list_off_a_terminal_is_one_object_a_line() {
    let server = Server::start().await;
    let url = format!("http://{}", server.address);
    let output = weir(&["profile", "list", "--server", &url]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = lines.iter().map(|line| line["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["live", "default/zone1"]);
    let table = weir(&["profile", "list", "-o", "text", "--server", &url]).await;
    assert!(text(&table.stdout).contains("zone1_profile"), "{}", text(&table.stdout));
}

#[tokio::test]
async fn a_profile_is_shown_in_the_form_of_nfsen() {
    let server = Server::start().await;
    let url = format!("http://{}", server.address);
    let output = weir(&["profile", "show", "zone1", "--server", &url]).await;
    let shown = text(&output.stdout);
    for line in [
        "name\tdefault/zone1",
        "group\tzones",
        "type\tcontinuous",
        "status\tOK",
        "channel http\tsign: +\tcolour: #AEFF20\torder: 1\tsourcelist: netflow-global|peer1",
    ] {
        assert!(shown.lines().any(|found| found == line), "{line} is missing from\n{shown}");
    }
    let all = text(&weir(&["profile", "show", "--server", &url]).await.stdout);
    assert!(all.starts_with("name\tlive\n") && all.contains("\n\nname\tdefault/zone1\n"), "{all}");
    let json = weir(&["profile", "show", "live", "-o", "json", "--server", &url]).await;
    assert_eq!(serde_json::from_slice::<Value>(&json.stdout).unwrap()["usage"]["start"], server.slot);
}

#[tokio::test]
async fn a_profile_that_is_not_there_and_a_server_that_is_away_have_their_exit_codes() {
    let server = Server::start().await;
    let url = format!("http://{}", server.address);
    let unknown = weir(&["profile", "show", "zone9", "--server", &url]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("default/zone9"), "{}", text(&unknown.stderr));
    drop(server);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = weir(&["profile", "list", "--server", &format!("http://{closed}")]).await;
    assert_eq!(away.status.code(), Some(3));
    let told = text(&away.stderr);
    assert!(told.contains("does not answer") && told.contains("--server URL"), "{told}");
    let wrong = weir(&["profile", "list", "--server", "127.0.0.1"]).await;
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_asked_for_by_the_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let away = weir(&["health", "--data", data]).await;
    assert_eq!(away.status.code(), Some(3));
    assert!(text(&away.stderr).contains("is weir running"), "{}", text(&away.stderr));
    let health = Health::default();
    health.failing("store", "the disk is full");
    let serving = tokio::spawn(health.serve(folder.path()).unwrap());
    let bad = weir(&["health", "--data", data]).await;
    assert_eq!(
        (bad.status.code(), text(&bad.stdout)),
        (Some(1), "not ok\n  store: the disk is full\n".to_owned())
    );
    health.ok("store");
    let good = weir(&["health", "--data", data]).await;
    assert_eq!((good.status.code(), text(&good.stdout)), (Some(0), "ok\n  store: ok\n".to_owned()));
    serving.abort();
}
