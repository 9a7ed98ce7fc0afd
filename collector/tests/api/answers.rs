//! What the endpoints answer.

use collector::slot::{Block, DropReason, Dropped, Lost};
use serde_json::json;

use crate::server::{SLOT, Server};

#[tokio::test]
async fn profiles_are_listed_with_live_first_and_all_that_a_page_draws() {
    let server = Server::start().await;
    let list = server.get("/api/v1/profiles").await.json();
    assert_eq!(list["profiles"][0]["name"], "live");
    assert_eq!(list["profiles"][0]["builtIn"], true);
    let live: Vec<&str> = list["profiles"][0]["channels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!(live, ["netflow-global", "peer1"]);
    assert_eq!(
        list["profiles"][1],
        json!({
            "name": "default/zone1", "displayName": "zone1_profile", "description": "", "group": "zones",
            "builtIn": false,
            "channels": [
                {"name": "http", "color": "#AEFF20", "sign": "+", "order": 1, "filter": "port 80", "sources": []},
                {"name": "dns", "color": "#305FFF", "sign": "+", "order": 2, "filter": "port 53", "sources": []},
            ],
            "top": [{"element": "srcip", "orders": ["bytes"], "size": 10}],
        })
    );
}

#[tokio::test]
async fn a_profile_says_what_it_holds() {
    let server = Server::start().await;
    let profile = server.get("/api/v1/profiles/default/zone1").await.json();
    assert_eq!(profile["displayName"], "zone1_profile");
    assert_eq!(profile["usage"]["start"], server.slot);
    assert_eq!(profile["usage"]["end"], server.slot + SLOT);
    assert_eq!(
        profile["usage"]["channels"]["http"],
        json!({"start": server.slot, "end": server.slot + SLOT})
    );
}

#[tokio::test]
async fn a_series_has_sums_zeros_where_nothing_matched_and_null_where_nothing_was_collected() {
    let server = Server::start().await;
    let (from, to) = (server.slot - SLOT, server.slot + SLOT);
    let path = format!("/api/v1/profiles/default/zone1/series?from={from}&to={to}&step={SLOT}&metric=bytes");
    assert_eq!(
        server.get(&path).await.json(),
        json!({
            "from": from, "to": to, "step": SLOT, "unit": "bytes", "covered": [0, SLOT],
            "coverage": {
                "expected": [0, 1], "present": [0, 1], "absent": [null, 0.0], "missing": [null, 4.0 / 15.0],
            },
            "series": [
                {"channel": "http", "values": [null, 30_000.0]},
                {"channel": "dns", "values": [null, 0.0]},
            ],
            "markers": [],
        })
    );
}

#[tokio::test]
async fn a_series_can_be_of_one_protocol_and_source_and_a_rate_in_bits() {
    let server = Server::start().await;
    let (from, to) = (server.slot, server.slot + SLOT);
    let path = format!(
        "/api/v1/profiles/default/zone1/series?from={from}&to={to}&step={SLOT}&channels=http\
         &sources=netflow-global,peer1&metric=bytes&protocol=tcp&value=rate"
    );
    let answer = server.get(&path).await.json();
    assert_eq!(answer["unit"], "bits/s");
    assert_eq!(
        answer["series"],
        json!([
            {"channel": "http", "source": "netflow-global", "values": [16_000.0]},
            {"channel": "http", "source": "peer1", "values": [0.0]},
        ])
    );
}

#[tokio::test]
async fn the_built_in_profile_has_a_channel_for_each_source() {
    let server = Server::start().await;
    let (from, to) = (server.slot, server.slot + SLOT);
    let path =
        format!("/api/v1/profiles/live/series?from={from}&to={to}&step={SLOT}&channels=netflow-global");
    let answer = server.get(&path).await.json();
    assert_eq!(answer["series"], json!([{"channel": "netflow-global", "values": [30.0]}]));
    assert_eq!(server.get("/api/v1/profiles/live").await.json()["usage"]["start"], server.slot);
}

#[tokio::test]
async fn without_a_window_the_last_hour_is_answered() {
    let server = Server::start().await;
    let answer = server.get("/api/v1/profiles/default/zone1/series").await.json();
    let span = answer["to"].as_u64().unwrap() - answer["from"].as_u64().unwrap();
    assert!((3_600_000..=3_600_000 + 2 * SLOT).contains(&span), "{span}");
    let values = answer["series"][0]["values"].as_array().unwrap();
    assert_eq!(values.iter().filter_map(serde_json::Value::as_f64).sum::<f64>(), 30.0);
}

#[tokio::test]
async fn a_top_table_has_bounds_and_says_whether_it_is_exact() {
    let server = Server::start().await;
    let (from, to) = (server.slot, server.slot + 60_000);
    let path =
        format!("/api/v1/profiles/default/zone1/top?channel=http&element=srcip&from={from}&to={to}&limit=1");
    let answer = server.get(&path).await.json();
    assert_eq!(answer["rows"], json!([{"key": "192.0.2.1", "lower": 20_000, "upper": 20_000}]));
    assert_eq!(
        (&answer["order"], &answer["total"], &answer["exact"]),
        (&json!("bytes"), &json!(30_000), &json!(true))
    );
}

#[tokio::test]
async fn exporters_are_listed_with_their_loss_in_the_unit_of_the_protocol() {
    let server = Server::start().await;
    let mut list = server.get("/api/v1/exporters").await.json();
    let stream = list["exporters"][0].as_object_mut().unwrap();
    let templates = ["templateChanges", "templateConflicts"].map(|name| stream.remove(name));
    assert_eq!(templates, [Some(json!(2)), Some(json!(1))]);
    let interfaces = stream.remove("interfaces");
    assert_eq!(
        interfaces,
        Some(json!([{
            "class": 0, "index": 3, "name": "swp3", "speed": 10_000_000_000_u64, "adminUp": true, "operUp": false,
            "lastSeen": server.slot, "statedRate": 512, "effectiveRate": 1024.0, "rateDiffers": true,
            "octets": {
                "since": 1, "until": 2, "countedIn": 900, "sampledIn": 450, "countedOut": 800, "sampledOut": 0,
            },
        }]))
    );
    assert_eq!(
        list["exporters"],
        json!([{
            "listener": "netflow", "exporter": "192.0.2.9", "port": 40_000, "protocol": "netflow9", "domain": 7,
            "edge": "node-a", "source": "netflow-global", "unit": "packets", "sequence": "standard",
            "lastSeen": server.slot, "samplingRate": 100.0, "rateUnknown": false, "datagrams": 12, "bytes": 12_000, "templates": 5,
            "unknownTemplateSets": 0, "recordsReceived": 37, "records": 30, "optionsRecords": 0,
            "undecodable": {"truncated": 2}, "waiting": {"records": 5, "sets": 1, "bytes": 200},
            "faults": {"truncated": 1}, "uncountedSets": 0, "uncountedBytes": 0, "received": 12, "inferred": 0,
            "duplicates": 1, "reordered": 0, "expected": 15, "missing": 4,
            "missingRecords": {"records": 13, "estimated": true}, "restarts": 0,
            "epoch": {"since": server.slot, "received": 12, "duplicates": 1, "expected": 15, "missing": 4},
        }])
    );
    assert_eq!(
        list["listeners"],
        json!([{
            "edge": "node-a", "listener": "netflow", "datagrams": 13, "kernelDrops": 3,
            "socketDrops": [1, 0, 2], "connections": 0, "closed": {},
            "rejected": {"wrong_protocol": 1},
        }])
    );
    assert_eq!(list["edges"][0]["edge"], "node-a");
    assert_eq!(list["edges"][0]["block"], 1);
    assert_eq!(list["edges"][0]["spool"].as_str().unwrap().len(), 32);
    assert_eq!(list["edges"][0]["dropped"], json!({}));
}

#[tokio::test]
async fn a_filter_is_checked_with_its_canonical_form_or_the_place_of_every_error() {
    let server = Server::start().await;
    let check = |filter: &'static str| {
        let request =
            server.request(reqwest::Method::POST, "/api/v1/filters/check").json(&json!({"filter": filter}));
        async move { request.send().await.unwrap().json::<serde_json::Value>().await.unwrap() }
    };
    let good = check("src host 192.0.2.1 && !port = 0x16").await;
    assert_eq!(good, json!({"ok": true, "canonical": "src ip 192.0.2.1 and not port 22"}));
    let bad = check("proto udp and\n  tcp").await;
    assert_eq!(bad["ok"], false);
    let error = &bad["errors"][0];
    assert_eq!((&error["line"], &error["column"], &error["offset"]), (&json!(2), &json!(3), &json!(16)));
    assert_eq!(error["span"], json!({"start": 16, "end": 19}));
    assert!(error["hint"].as_str().unwrap().contains("proto tcp"), "{error}");
    let named = check("src host gateway.example").await;
    assert_eq!(named["ok"], false, "a profile cannot use names: {named}");
}

#[tokio::test]
async fn what_an_edge_gave_up_is_told_by_its_reason() {
    let server = Server::start().await;
    let dropped = Dropped::new(DropReason::SpoolStalled, Lost { blocks: 1, records: 7 }, (0, 0));
    server.apply(&Block { dropped, ..server.block(2) }).await;
    let list = server.get("/api/v1/exporters").await.json();
    let edge = &list["edges"][0];
    assert_eq!(edge["dropped"], json!({"spool_stalled": {"blocks": 1, "records": 7}}));
    assert_eq!((&edge["droppedBlocks"], &edge["droppedRecords"]), (&json!(1), &json!(7)));
    let metrics = server.get("/metrics").await.body;
    let line = r#"weir_spool_dropped_records_total{edge="node-a",reason="spool_stalled"} 7"#;
    assert!(metrics.lines().any(|have| have == line), "{metrics}");
}
