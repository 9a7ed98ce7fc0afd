//! The kinds on a real API server: it judges the table of `weir validate` as the table says, changes nothing that it is
//! given, and shows what `kubectl get` and `kubectl explain` are to show.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use e2e::cluster::ControlPlane;
use kube::Client;
use serde_json::{Value, json};

const GROUP: &str = "/apis/weir.dev/v1alpha1";
const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A request with a body of this type, and what the server makes of it: its answer, or its refusal.
async fn ask(client: &Client, method: &str, path: &str, content: &str, body: &str) -> Result<Value, Refusal> {
    let accept = match method {
        "TABLE" => "application/json;as=Table;v=v1;g=meta.k8s.io",
        _ => "application/json",
    };
    let request = hyper::Request::builder()
        .method(if method == "TABLE" { "GET" } else { method })
        .uri(path)
        .header("content-type", content)
        .header("accept", accept)
        .body(body.as_bytes().to_vec())
        .unwrap();
    match client.request_text(request).await {
        Ok(text) => Ok(serde_json::from_str(&text).unwrap()),
        Err(kube::Error::Api(status)) => Err(Refusal { code: status.code, message: status.message.clone() }),
        Err(error) => panic!("{method} {path}: {error}"),
    }
}

#[derive(Debug)]
struct Refusal {
    code: u16,
    message: String,
}

async fn get(client: &Client, path: &str) -> Value {
    ask(client, "GET", path, "application/json", "").await.unwrap()
}

async fn create(client: &Client, namespace: &str, plural: &str, object: &Value) -> Value {
    let path = format!("{GROUP}/namespaces/{namespace}/{plural}?fieldValidation=Strict");
    ask(client, "POST", &path, "application/json", &object.to_string()).await.unwrap()
}

fn collector(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "weir.dev/v1alpha1", "kind": "FlowCollector", "metadata": {"name": name}, "spec": spec})
}

/// What the API server says to each document of a file, without keeping it; the first refusal.
async fn judged(client: &Client, namespace: &str, text: &str) -> Result<(), Refusal> {
    for document in text.split("\n---\n").filter(|document| !document.trim().is_empty()) {
        let word = |key: &str| {
            let value: Option<Value> = serde_yaml::from_str(document).ok();
            let read = value.and_then(|value| value[key].as_str().map(str::to_owned));
            // What is no YAML has a line with its kind all the same, and the server is to judge it.
            let line = || document.lines().find_map(|line| line.strip_prefix(&format!("{key}: ")));
            read.or_else(|| line().map(str::to_owned)).unwrap_or_default()
        };
        let plural = match (word("apiVersion").as_str(), word("kind").as_str()) {
            ("weir.dev/v1alpha1", "FlowCollector") => "flowcollectors",
            ("weir.dev/v1alpha1", "FlowProfile") => "flowprofiles",
            ("weir.dev/v1alpha1", "ExportTarget") => "exporttargets",
            (version, kind) => {
                let message = format!("no {kind} in {version}");
                return Err(Refusal { code: 404, message });
            }
        };
        let metadata = serde_yaml::from_str::<Value>(document).unwrap_or_default()["metadata"].clone();
        let namespace = metadata["namespace"].as_str().unwrap_or(namespace);
        let path = format!("{GROUP}/namespaces/{namespace}/{plural}?dryRun=All&fieldValidation=Strict");
        ask(client, "POST", &path, "application/yaml", document).await?;
    }
    Ok(())
}

/// The namespaces that the table's objects name.
async fn with_namespaces(client: &Client, files: &[PathBuf]) {
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let names = text.lines().filter_map(|line| line.strip_prefix("  namespace: "));
        for name in names {
            let body = json!({"metadata": {"name": name}}).to_string();
            match ask(client, "POST", "/api/v1/namespaces", "application/json", &body).await {
                Ok(_) | Err(Refusal { code: 409 | 422, .. }) => {}
                Err(refusal) => panic!("namespace {name}: {refusal:?}"),
            }
        }
    }
}

#[tokio::test]
async fn the_api_server_judges_each_file_of_the_table_as_the_table_says() {
    let cluster = ControlPlane::shared();
    cluster.install_crds().await;
    let (client, namespace) = (cluster.client().await, cluster.namespace("table").await);
    let (accepted, refused) =
        (files("collector/tests/data/validate/accept"), files("collector/tests/data/validate/reject"));
    assert!(accepted.len() > 10 && refused.len() > 80, "{} and {}", accepted.len(), refused.len());
    with_namespaces(&client, &accepted).await;
    with_namespaces(&client, &refused).await;
    let mut wrong = Vec::new();
    for file in accepted.iter().chain(&refused) {
        let text = fs::read_to_string(file).unwrap();
        let stated = if accepted.contains(file) { "accepts" } else { &text.lines().next().unwrap()[14..] };
        let verdict = judged(&client, &namespace, &text).await;
        if let Err(refusal) = &verdict {
            let is_verdict = matches!(refusal.code, 400 | 404 | 422);
            assert!(is_verdict, "{}: {refusal:?}", file.display());
        }
        if stated != if verdict.is_ok() { "accepts" } else { "rejects" } {
            wrong.push((file.display().to_string(), verdict));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Everything that `given` says stands in `live` as well, lists word for word.
fn kept(given: &Value, live: &Value, path: &str, lost: &mut Vec<String>) {
    match (given, live) {
        (Value::Object(fields), Value::Object(_)) => {
            for (key, value) in fields {
                kept(value, &live[key], &format!("{path}.{key}"), lost);
            }
        }
        (Value::Number(given), Value::Number(live)) if given.as_f64() == live.as_f64() => {}
        (Value::Array(given), Value::Array(live)) if given.len() == live.len() => {
            for (at, (given, live)) in given.iter().zip(live).enumerate() {
                kept(given, live, &format!("{path}[{at}]"), lost);
            }
        }
        _ if given == live => {}
        _ => lost.push(format!("{path}: {given} became {live}")),
    }
}

#[tokio::test]
async fn a_crd_reads_back_as_it_was_applied_and_kubectl_sees_no_difference() {
    let cluster = ControlPlane::shared();
    let names = cluster.install_crds().await;
    let client = cluster.client().await;
    for file in files("charts/weir-crds/templates") {
        let given: Value = serde_yaml::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let name = given["metadata"]["name"].as_str().unwrap();
        assert!(names.iter().any(|installed| installed == name));
        let live = get(&client, &format!("{CRDS}/{name}")).await;
        let mut lost = Vec::new();
        kept(&given, &live, "", &mut lost);
        assert!(lost.is_empty(), "{name}: {lost:#?}");
        let violations = live["status"]["conditions"].as_array().unwrap().iter();
        let unstructural: Vec<_> = violations.filter(|c| c["type"] == "NonStructuralSchema").collect();
        assert!(unstructural.is_empty(), "{unstructural:?}");
        let arguments = ["diff", "--server-side", "--field-manager=weir-e2e", "--filename"];
        assert_eq!(cluster.kubectl(&[&arguments[..], &[file.to_str().unwrap()]].concat()), "", "{name}");
    }
}

#[tokio::test]
async fn an_object_reads_back_as_it_was_written_with_a_status_that_says_nobody_looked_at_it() {
    let cluster = ControlPlane::shared();
    cluster.install_crds().await;
    let (client, namespace) = (cluster.client().await, cluster.namespace("as-written").await);
    let cases = [
        ("collector-cluster", "flowcollectors"),
        ("profile-full", "flowprofiles"),
        ("target-replicate", "exporttargets"),
    ];
    for (file, plural) in cases {
        let path =
            format!("{}/../collector/tests/data/validate/accept/{file}.yaml", env!("CARGO_MANIFEST_DIR"));
        let mut object: Value = serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        object["metadata"]["namespace"] = json!(namespace);
        let made = create(&client, &namespace, plural, &object).await;
        let name = object["metadata"]["name"].as_str().unwrap();
        let live = get(&client, &format!("{GROUP}/namespaces/{namespace}/{plural}/{name}")).await;
        assert_eq!(live["spec"], object["spec"], "{file}");
        assert_eq!(live["status"], json!({"observedGeneration": -1}), "{file}");
        assert_eq!(made["metadata"]["generation"], 1);
    }
}

/// The columns of a table by name, with the cells of its one row: (name, priority, cell).
async fn row(client: &Client, path: &str) -> Vec<(String, i64, Value)> {
    let table = ask(client, "TABLE", path, "application/json", "").await.unwrap();
    assert_eq!(table["rows"].as_array().map(Vec::len), Some(1), "{table}");
    let columns = table["columnDefinitions"].as_array().unwrap().iter();
    let cells = table["rows"][0]["cells"].as_array().unwrap().clone();
    let named = columns.zip(cells);
    named
        .map(|(c, cell)| (c["name"].as_str().unwrap().to_owned(), c["priority"].as_i64().unwrap(), cell))
        .collect()
}

#[tokio::test]
async fn kubectl_get_shows_what_the_status_says_and_wide_says_why() {
    let cluster = ControlPlane::shared();
    cluster.install_crds().await;
    let (client, namespace) = (cluster.client().await, cluster.namespace("columns").await);
    create(&client, &namespace, "flowcollectors", &collector("zone1", &json!({}))).await;
    let path = format!("{GROUP}/namespaces/{namespace}/flowcollectors");
    let ready = json!({"type": "Ready", "status": "False", "reason": "EdgesMissing", "message": "one node has no edge",
        "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1});
    let status = json!({"status": {
        "observedGeneration": 1, "conditions": [ready], "image": "example.com/weir:0.1.0",
        "nodes": {"desired": 3, "ready": 2}, "profiles": {"total": 5, "accepted": 5, "applied": 4},
        "listeners": [{"name": "any", "protocol": "Auto", "transport": "UDP", "addresses": ["192.0.2.1:9996"], "total": 3}],
        "columns": {"nodes": "2/3", "profiles": "4/5", "message": "one node has no edge"},
    }});
    let merge = "application/merge-patch+json";
    ask(&client, "PATCH", &format!("{path}/zone1/status?fieldValidation=Strict"), merge, &status.to_string())
        .await
        .unwrap();
    let shown = row(&client, &path).await;
    let expected = [("Name", 0, "zone1"), ("Ready", 0, "False"), ("Nodes", 0, "2/3"), ("Profiles", 0, "4/5")];
    for ((name, priority, cell), (wanted, level, text)) in shown.iter().zip(expected) {
        assert_eq!((name.as_str(), *priority, cell), (wanted, level, &json!(text)));
    }
    assert_eq!((shown[4].0.as_str(), shown[4].1), ("Age", 0));
    let wide = [("Image", 1, "example.com/weir:0.1.0"), ("Message", 1, "one node has no edge")];
    for ((name, priority, cell), (wanted, level, text)) in shown[5..].iter().zip(wide) {
        assert_eq!((name.as_str(), *priority, cell), (wanted, level, &json!(text)));
    }
    assert_eq!(shown.len(), 7);
    let listed = cluster.kubectl(&["get", "weir", "--namespace", &namespace, "--output", "name"]);
    assert_eq!(listed.trim(), "flowcollector.weir.dev/zone1", "the category holds every kind");
}

#[tokio::test]
async fn profiles_are_found_by_the_collector_that_they_name() {
    let cluster = ControlPlane::shared();
    cluster.install_crds().await;
    let (client, namespace) = (cluster.client().await, cluster.namespace("selectable").await);
    for (name, reference) in [("a", "zone1"), ("b", "zone2")] {
        let profile = json!({"apiVersion": "weir.dev/v1alpha1", "kind": "FlowProfile", "metadata": {"name": name},
            "spec": {"channels": [{"name": "all"}], "collectorRef": {"name": reference}}});
        create(&client, &namespace, "flowprofiles", &profile).await;
    }
    let selector = "fieldSelector=spec.collectorRef.name%3Dzone2";
    let list = get(&client, &format!("{GROUP}/namespaces/{namespace}/flowprofiles?{selector}")).await;
    let names: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|item| &item["metadata"]["name"]).collect();
    assert_eq!(names, ["b"]);
}

#[tokio::test]
async fn kubectl_explains_every_field_of_a_spec_and_status() {
    let cluster = ControlPlane::shared();
    cluster.install_crds().await;
    let exposure = cluster.kubectl(&["explain", "flowcollectors.spec.exposure.type"]);
    // kubectl breaks lines where it likes.
    let exposure = exposure.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        exposure.contains("ENUM:") && exposure.contains("Pod Security level is privileged"),
        "{exposure}"
    );
    for kind in ["wfc", "wfp", "wet"] {
        for part in ["", ".spec", ".status"] {
            let text = cluster.kubectl(&["explain", &format!("{kind}{part}")]);
            assert!(
                text.contains("FIELDS:") && !text.contains("<empty>") && !text.contains("<no description>"),
                "{text}"
            );
        }
    }
}

/// The CRD with each of its rules joined to itself so many times: the server's estimate grows as often.
fn repeated(schema: &mut Value, times: usize) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                if key == "x-kubernetes-validations" {
                    for rule in value.as_array_mut().unwrap() {
                        let once = format!("({})", rule["rule"].as_str().unwrap());
                        rule["rule"] = json!(vec![once; times].join(" && "));
                    }
                } else {
                    repeated(value, times);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| repeated(item, times)),
        _ => {}
    }
}

#[tokio::test]
async fn the_api_server_finds_the_rules_of_each_kind_less_than_half_as_dear_as_it_allows() {
    let cluster = ControlPlane::shared();
    let client = cluster.client().await;
    let path = format!("{CRDS}?dryRun=All");
    for file in files("charts/weir-crds/templates") {
        let given: Value = serde_yaml::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let mut factor = 1;
        let refusal = loop {
            let mut crd = given.clone();
            // A name of its own: the server asks of a new kind what it forgives an old one.
            for name in ["plural", "singular"] {
                let before = crd["spec"]["names"][name].as_str().unwrap().to_owned();
                crd["spec"]["names"][name] = json!(format!("x{before}"));
            }
            crd["spec"]["names"].as_object_mut().unwrap().remove("shortNames");
            crd["spec"]["names"]["kind"] =
                json!(format!("X{}", given["spec"]["names"]["kind"].as_str().unwrap()));
            crd["metadata"]["name"] = json!(format!("x{}", given["metadata"]["name"].as_str().unwrap()));
            repeated(&mut crd["spec"]["versions"], factor);
            match ask(&client, "POST", &path, "application/json", &crd.to_string()).await {
                Ok(_) => factor *= 2,
                Err(refusal) => break refusal,
            }
            assert!(factor <= 1 << 16, "{}: repeating its rules costs nothing", file.display());
        };
        let what = format!("{}: refused when {factor} times as dear: {}", file.display(), refusal.message);
        assert!(refusal.message.contains("cost") && refusal.message.contains("budget"), "{what}");
        assert!(factor > 2, "{what}");
    }
}
