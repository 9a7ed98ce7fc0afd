//! The OpenAPI document describes what is answered.

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Answer, Server};

/// The path with its parts filled in and the query that it needs.
fn filled(path: &str) -> String {
    let path = path.replace("{namespace}", "default").replace("{name}", "zone1");
    if path.ends_with("/top") { path + "?channel=http&element=srcip" } else { path }
}

#[tokio::test]
async fn every_documented_path_answers_as_it_is_documented() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").await.json();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 13, "{:?}", paths.keys());
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let mut request = server.request(method.clone(), &filled(path));
            if method == Method::POST {
                request = request.json(&json!({"filter": "any"}));
            }
            let response = request.send().await.unwrap();
            let documented = operation["responses"]["200"]["content"].as_object().unwrap();
            let (kind, content) = documented.iter().next().unwrap();
            assert_eq!(response.status(), 200, "{method} {path}");
            let found = response.headers()["content-type"].to_str().unwrap().to_owned();
            assert!(found.starts_with(kind.as_str()), "{method} {path}: {found} is not {kind}");
            if kind == "application/json" {
                let answer = Answer::read(response).await.json();
                check(&document, &content["schema"], &answer, path);
            }
        }
    }
}

#[tokio::test]
async fn a_problem_has_the_documented_shape() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").await.json();
    let (_, problem) = server.problem("/api/v1/profiles/default/zone1/series?step=1").await;
    check(&document, &json!({"$ref": "#/components/schemas/Problem"}), &problem, "problem");
}

/// Checks a value against a schema, with the references of the document.
fn check(document: &Value, schema: &Value, value: &Value, path: &str) {
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap_or_else(|e| panic!("{path}: {e}"));
    let errors: Vec<String> =
        validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{path}: {errors:?} in {value}");
    // A schema that allows anything would prove nothing.
    assert!(
        !validator.is_valid(&json!([])) || schema == json!({}) || path == "/openapi.json",
        "{path} accepts a list"
    );
}
