//! Questions that cannot be answered say what to do.

use serde_json::json;

use crate::server::{Answer, Server};

const SERIES: &str = "/api/v1/profiles/default/zone1/series";
const TOP: &str = "/api/v1/profiles/default/zone1/top";

async fn refused(server: &Server, path: &str, status: u16, parameter: Option<&str>, words: &[&str]) {
    let (found, problem) = server.problem(path).await;
    assert_eq!(found, status, "{path}: {problem}");
    assert_eq!(problem.get("parameter").and_then(|p| p.as_str()), parameter, "{path}: {problem}");
    assert!(problem["type"].as_str().unwrap().starts_with("tag:weir.dev,2026:"), "{path}: {problem}");
    for word in words {
        assert!(
            problem["detail"].as_str().unwrap().contains(word),
            "{path}: {word} is missing from {problem}"
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_named_beside_what_is() {
    let server = Server::start().await;
    refused(
        &server,
        "/api/v1/profiles/default/zone2",
        404,
        None,
        &["default/zone2", "default/zone1", "live"],
    )
    .await;
    refused(&server, "/api/v1/profiles/default/zone2/series", 404, None, &["default/zone2"]).await;
    refused(&server, &format!("{SERIES}?channels=ssh"), 400, Some("channels"), &["ssh", "http, dns"]).await;
    refused(&server, &format!("{SERIES}?sources=peer9"), 400, Some("sources"), &["peer9", "peer1"]).await;
    refused(&server, &format!("{TOP}?channel=ssh&element=srcip"), 400, Some("channel"), &["http, dns"]).await;
    refused(&server, &format!("{TOP}?channel=http&element=dstip"), 400, Some("element"), &["srcip by bytes"])
        .await;
    refused(
        &server,
        &format!("{TOP}?channel=http&element=srcip&order=flows"),
        400,
        Some("element"),
        &["srcip by bytes"],
    )
    .await;
    refused(&server, "/api/v1/profiles/live/top?channel=a&element=b", 404, None, &["another profile"]).await;
    for path in ["/api/v1/none", "/api/v2/profiles", "/api", "/api/v1/profiles/a/b/c", "/x"] {
        refused(&server, path, 404, None, &["/openapi.json"]).await;
    }
}

#[tokio::test]
async fn parameters_that_cannot_be_used_are_named() {
    let server = Server::start().await;
    let series = |query: &str| format!("{SERIES}?{query}");
    refused(&server, &series("form=1"), 400, Some("form"), &["known here: from, to, step"]).await;
    refused(&server, &series("from=1&from=2"), 400, Some("from"), &["given twice"]).await;
    refused(&server, &series("from=yesterday"), 400, Some("from"), &["whole number"]).await;
    refused(&server, &series("from=20000&to=10000"), 400, Some("from"), &["before to=10000"]).await;
    refused(&server, &series("from=5&to=5"), 400, Some("from"), &["before"]).await;
    refused(&server, &series("from=0&to=4000000000000"), 400, Some("from"), &["20 years"]).await;
    refused(&server, &series("step=7000"), 400, Some("step"), &["10000"]).await;
    refused(&server, &series("step=0"), 400, Some("step"), &["10000"]).await;
    refused(&server, &series("value=max&step=10000"), 400, Some("step"), &["60000"]).await;
    refused(&server, &series("metric=octets"), 400, Some("metric"), &["flows, packets, bytes, events"]).await;
    refused(&server, &series("protocol=gre"), 400, Some("protocol"), &["all, tcp, udp, icmp, other"]).await;
    refused(&server, &series("value=mean"), 400, Some("value"), &["sum, rate, max"]).await;
    refused(&server, &series("channels=http,"), 400, Some("channels"), &["empty name"]).await;
    refused(&server, TOP, 400, Some("channel"), &["channel is missing"]).await;
    refused(&server, &format!("{TOP}?channel=http"), 400, Some("element"), &["one of srcip"]).await;
    refused(&server, &format!("{TOP}?channel=http&element=srcip&limit=11"), 400, Some("limit"), &["1 to 10"])
        .await;
    refused(&server, "/api/v1/profiles?page=2", 400, Some("page"), &["known here: none"]).await;
    refused(&server, "/api/v1/exporters?x", 400, Some("x"), &[]).await;
}

#[tokio::test]
async fn too_many_points_name_the_smallest_step_allowed_and_it_works() {
    let server = Server::start().await;
    let to = server.slot;
    let path = |step: u64| format!("{SERIES}?from={}&to={to}&step={step}", to - 20 * 86_400_000);
    let (status, problem) = server.problem(&path(10_000)).await;
    assert_eq!((status, &problem["parameter"]), (400, &json!("step")), "{problem}");
    assert!(problem["type"].as_str().unwrap().ends_with(":too-many-points"));
    let smallest = problem["smallestStep"].as_u64().unwrap();
    let answer = server.get(&path(smallest)).await.json();
    assert!(answer["series"][0]["values"].as_array().unwrap().len() <= 20_000);
}

#[tokio::test]
async fn bodies_that_are_no_filter_too_long_or_of_another_type_are_refused() {
    let server = Server::start().await;
    let post = |body: String, kind: &'static str| {
        let request =
            server.request(reqwest::Method::POST, "/api/v1/filters/check").header("content-type", kind);
        async move { Answer::read(request.body(body).send().await.unwrap()).await }
    };
    for (body, kind, status) in [
        ("{\"filter\": 1}", "application/json", 400),
        ("{\"filter\": \"any\", \"more\": 1}", "application/json", 400),
        ("", "application/json", 400),
        ("\u{0}\u{1}", "application/json", 400),
        ("{\"filter\": \"any\"}", "text/plain", 415),
    ] {
        let answer = post(body.to_owned(), kind).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let long = format!("{{\"filter\": \"{}\"}}", "a".repeat(1 << 20));
    let answer = post(long, "application/json; charset=utf-8").await;
    assert_eq!(answer.status, 413, "{}", answer.body);
    let longest = format!("{{\"filter\": \"{}\"}}", "\\u0061".repeat(crds::filter::TEXT_LIMIT));
    assert_eq!(
        post(longest, "application/json").await.status,
        200,
        "a filter of the longest length is looked at"
    );
}

#[tokio::test]
async fn methods_that_a_path_does_not_know_are_refused_with_those_that_it_does() {
    let server = Server::start().await;
    for (method, path, allowed) in [
        ("POST", "/api/v1/profiles", "GET, HEAD, OPTIONS"),
        ("DELETE", "/api/v1/profiles/default/zone1", "GET, HEAD, OPTIONS"),
        ("PUT", "/metrics", "GET, HEAD, OPTIONS"),
        ("GET", "/api/v1/filters/check", "POST, OPTIONS"),
        ("POST", "/", "GET, HEAD, OPTIONS"),
        ("TRACE", "/", "GET, HEAD, OPTIONS"),
    ] {
        let request = server.request(method.parse().unwrap(), path);
        let answer = Answer::read(request.send().await.unwrap()).await;
        assert_eq!((answer.status, answer.header("allow")), (405, allowed), "{method} {path}");
        assert_eq!(answer.json()["status"], 405);
        let options = server.request(reqwest::Method::OPTIONS, path).send().await.unwrap();
        let options = Answer::read(options).await;
        assert_eq!((options.status, options.header("allow")), (204, allowed), "OPTIONS {path}");
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = Server::start().await;
    for path in ["/api/v1/profiles", "/openapi.json", "/healthz", "/api/v1/none"] {
        let get = server.get(path).await;
        let head = Answer::read(server.request(reqwest::Method::HEAD, path).send().await.unwrap()).await;
        assert_eq!(
            (head.status, head.header("content-type")),
            (get.status, get.header("content-type")),
            "{path}"
        );
        assert_eq!(head.header("content-length"), get.body.len().to_string(), "{path}");
        assert!(head.body.is_empty(), "{path}");
    }
}
