//! What clients meet that send too little, too much or too slowly.

use std::io::{ErrorKind, Read, Write};

use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};

use super::*;

/// A server whose only route waits for `go` before it answers.
struct Slow {
    address: SocketAddr,
    go: Arc<Notify>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
    metrics: Metrics,
    requests: Arc<Semaphore>,
}

impl Slow {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (go, metrics) = (Arc::new(Notify::new()), Metrics::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let waits = Arc::clone(&go);
        let route = hyper::service::service_fn(move |_| {
            let go = Arc::clone(&waits);
            async move {
                go.notified().await;
                Ok::<_, Infallible>("done".into_response())
            }
        });
        let gate = Gate::new(Access::Open, Door::Plain, metrics.clone(), limits);
        let requests = Arc::clone(&gate.requests);
        let running = tokio::spawn(accept(listener, gate, route, async move {
            let _ = stopped.await;
        }));
        Self { address, go, stop: Some(stop), running, metrics, requests }
    }

    /// Sends a request and reads until the server closes, which it may do before all is sent.
    fn ask(&self, request: &'static str) -> JoinHandle<String> {
        let address = self.address;
        spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let _ = stream.write_all(request.as_bytes());
            let mut answer = Vec::new();
            match stream.read_to_end(&mut answer) {
                Err(e) if e.kind() != ErrorKind::ConnectionReset => panic!("the server did not close: {e}"),
                _ => String::from_utf8(answer).unwrap(),
            }
        })
    }

    /// Waits until a request has come through to the route.
    async fn until_busy(&self) {
        let all = self.requests.available_permits();
        assert!(all > 0, "looked too late");
        while self.requests.available_permits() == all {
            tokio::task::yield_now().await;
        }
    }
}

const REQUEST: &str = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

fn limits() -> Limits {
    Limits { drain_within: Duration::from_millis(300), ..Limits::USUAL }
}

#[tokio::test]
async fn a_connection_that_sends_no_whole_head_is_closed() {
    let server = Slow::start(Limits { head_within: Duration::from_millis(100), ..limits() }).await;
    for said in ["", "GET / HTTP/1.1\r\nhost: local"] {
        assert!(!server.ask(said).await.unwrap().contains("200 OK"), "{said:?}");
    }
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let server = Slow::start(limits()).await;
    let endless = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}", "a".repeat(4 * HEAD_BYTES));
    let answer = server.ask(endless.leak()).await.unwrap();
    // The client may find the connection closed before it has read why.
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(server.requests.available_permits(), limits().requests);
}

#[tokio::test]
async fn an_answer_that_takes_too_long_becomes_a_problem() {
    let server = Slow::start(Limits { answer_within: Duration::from_millis(50), ..limits() }).await;
    let answer = server.ask(REQUEST).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("took too long"), "{answer}");
    assert!(server.metrics.values().render().unwrap().contains("refused_total{reason=\"timeout\"} 1"));
}

#[tokio::test]
async fn one_request_more_than_the_limit_is_told_to_come_again() {
    let server = Slow::start(Limits { requests: 1, ..limits() }).await;
    let first = server.ask(REQUEST);
    server.until_busy().await;
    let second = server.ask(REQUEST).await.unwrap();
    assert!(second.starts_with("HTTP/1.1 503") && second.contains("retry-after: 1"), "{second}");
    server.go.notify_one();
    assert!(first.await.unwrap().ends_with("done"));
}

#[tokio::test]
async fn a_request_that_is_being_answered_at_the_end_is_answered() {
    let mut server = Slow::start(Limits { drain_within: Duration::from_secs(9), ..limits() }).await;
    let asked = server.ask(REQUEST);
    server.until_busy().await;
    drop(server.stop.take());
    while std::net::TcpStream::connect(server.address).is_ok() {
        tokio::task::yield_now().await;
    }
    server.go.notify_one();
    assert!(asked.await.unwrap().ends_with("done"));
    server.running.await.unwrap();
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off_at_the_end() {
    let mut server = Slow::start(limits()).await;
    let asked = server.ask(REQUEST);
    server.until_busy().await;
    drop(server.stop.take());
    server.running.await.unwrap();
    assert_eq!(asked.await.unwrap(), "");
}

#[test]
fn every_path_counts_under_one_of_a_few_routes() {
    assert_eq!(route("/api/v1/profiles/default/a"), route("/api/v1/profiles/live"));
    assert_eq!(route("/api/v1/profiles/live/series"), "/api/v1/profiles/{profile}/series");
    assert_eq!(route("/api/v1/profiles/ns/name/top"), "/api/v1/profiles/{profile}/top");
    for odd in ["", "/api/v1", "/api/v1/profiles/a/b/c/d", "/../etc/passwd", "/api/v2/profiles"] {
        assert_eq!(route(odd), "other", "{odd}");
    }
}
