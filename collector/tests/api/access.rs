//! Who is answered, and how safely.

use std::time::{Duration, Instant};

use collector::serve::{ServeError, Token};
use reqwest::Method;

use crate::server::{Answer, Server};

fn token() -> Token {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "correct-horse-battery\n").unwrap();
    Token::read(file.path()).unwrap()
}

#[tokio::test]
async fn a_page_that_was_led_here_by_a_foreign_name_gets_nothing() {
    let server = Server::start().await;
    for (host, status) in
        [("rebind.example", 403), ("127.0.0.1.example:8470", 403), ("localhost:1", 200), ("127.0.0.1", 200)]
    {
        for path in ["/api/v1/profiles", "/metrics", "/openapi.json"] {
            let request = server.request(Method::GET, path).header("host", host);
            let answer = Answer::read(request.send().await.unwrap()).await;
            assert_eq!(answer.status, status, "{host} {path}: {}", answer.body);
        }
    }
    let foreign = server.request(Method::GET, "/").header("host", "rebind.example").send().await.unwrap();
    assert_eq!(foreign.status(), 403, "the page neither");
}

#[tokio::test]
async fn a_server_with_a_token_shows_data_to_those_who_have_it() {
    let server = Server::start_with("127.0.0.1:0", Some(token())).await.unwrap();
    for path in ["/api/v1/profiles", "/api/v1/live", "/metrics", "/openapi.json", "/api/v1/none"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{path}");
    }
    let with = |token: &str| server.request(Method::GET, "/api/v1/profiles").bearer_auth(token);
    assert_eq!(with("correct-horse-batterz").send().await.unwrap().status(), 401);
    assert_eq!(with("correct-horse-battery").send().await.unwrap().status(), 200);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn without_a_token_other_machines_cannot_be_served() {
    let refused = Server::start_with("0.0.0.0:0", None).await.err().unwrap();
    assert!(matches!(refused, ServeError::Open(_)));
    assert!(refused.to_string().contains("give --token-file FILE"), "{refused}");
    let server = Server::start_with("0.0.0.0:0", Some(token())).await.unwrap();
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn answers_forbid_what_browsers_could_do_with_them() {
    let server = Server::start().await;
    for path in ["/api/v1/profiles", "/metrics", "/api/v1/none", "/healthz"] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'none'; frame-ancestors 'none'",
            "{path}"
        );
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
}

#[tokio::test]
async fn the_process_is_alive_at_once_and_ready_when_all_its_parts_are() {
    let server = Server::start().await;
    server.health.starting("sockets");
    server.health.failing("store", "the disk is full");
    assert_eq!(server.get("/healthz").await.body, "ok\n");
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["checks"][1]["reason"], "the disk is full");
    server.health.ok("sockets");
    server.health.ok("store");
    assert_eq!(server.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn a_stopped_server_lets_requests_end_and_ends_within_its_five_seconds() {
    let mut server = Server::start().await;
    // Neither a stream that would go on for ever nor a connection that says nothing keeps it.
    let mut live = server.request(Method::GET, "/api/v1/live").send().await.unwrap();
    let silent = std::net::TcpStream::connect(server.address).unwrap();
    live.chunk().await.unwrap().unwrap();
    let begun = Instant::now();
    server.stop().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    while live.chunk().await.unwrap().is_some() {}
    assert!(std::net::TcpStream::connect(server.address).is_err(), "the port is free");
    drop(silent);
}
