//! Server-sent events: what is new is told at once, and a client that comes back misses nothing.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{SLOT, Server};

/// A stream of events that is read as far as a test needs.
struct Events {
    response: reqwest::Response,
    read: String,
}

impl Events {
    async fn open(server: &Server, last: Option<&str>) -> Self {
        let mut request = server.request(Method::GET, "/api/v1/live");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, read: String::new() }
    }

    /// The next event that is no comment: its id and its data.
    async fn next(&mut self) -> (String, Value) {
        loop {
            while let Some(end) = self.read.find("\n\n") {
                let event: String = self.read.drain(..end + 2).collect();
                let field =
                    |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                if let (Some("slot"), Some(id), Some(data)) = (field("event:"), field("id:"), field("data:"))
                {
                    return (id.to_owned(), serde_json::from_str(data).unwrap());
                }
            }
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.response.chunk()).await;
            self.read += std::str::from_utf8(&chunk.unwrap().unwrap().unwrap()).unwrap();
        }
    }
}

#[tokio::test]
async fn a_client_is_told_the_newest_commit_and_then_each_change_with_its_slots() {
    let server = Server::start().await;
    let mut events = Events::open(&server, None).await;
    let (first, data) = events.next().await;
    assert_eq!(data["commit"].to_string(), first);
    server.apply(&server.block(2)).await;
    let (second, data) = events.next().await;
    assert!(second.parse::<u64>().unwrap() > first.parse().unwrap());
    assert_eq!((&data["provisional"], &data["slots"]), (&json!(false), &json!([server.slot + SLOT])));
}

#[tokio::test]
async fn a_client_that_comes_back_is_told_at_once_only_if_something_came() {
    let server = Server::start().await;
    let (seen, _) = Events::open(&server, None).await.next().await;
    let mut back = Events::open(&server, Some(&seen)).await;
    server.apply(&server.block(2)).await;
    let (next, data) = back.next().await;
    assert_ne!(next, seen);
    assert_eq!(data["slots"], json!([server.slot + SLOT]), "nothing was told before the change");
    let mut late = Events::open(&server, Some(&seen)).await;
    assert_eq!(late.next().await.0, next);
}

#[tokio::test]
async fn streams_are_bounded_and_a_closed_one_makes_room() {
    let server = Server::start().await;
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(Events::open(&server, None).await);
    }
    let refused = server.get("/api/v1/live").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{}", refused.body);
    assert!(server.get("/metrics").await.body.contains("weir_live_streams 64.0\n"));
    drop(open);
    // The server notices by and by that the others are gone.
    let deadline = std::time::Instant::now() + Duration::from_secs(15);
    while server.request(Method::GET, "/api/v1/live").send().await.unwrap().status() != 200 {
        assert!(std::time::Instant::now() < deadline, "no stream was given back");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_event_id_that_this_server_never_gave_is_refused() {
    let server = Server::start().await;
    let request = server.request(Method::GET, "/api/v1/live").header("last-event-id", "latest");
    let problem: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!((&problem["status"], &problem["parameter"]), (&json!(400), &json!("Last-Event-ID")));
}
