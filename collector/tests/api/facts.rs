//! What exporters taught, over the API.

use collector::slot::{Block, NameFact, NameOf, RateFact, RateOf, StreamFacts, StreamKey, TemplateFact};
use serde_json::json;

use crate::server::Server;

fn facts(exporter: &str, names: &[(NameOf, u64, &str)]) -> StreamFacts {
    let key = StreamKey {
        listener: "netflow".into(),
        exporter: exporter.parse().unwrap(),
        port: 40_000,
        protocol: "netflow9".into(),
        domain: 7,
        agent: None,
    };
    let name = |(of, number, name): &(NameOf, u64, &str)| NameFact {
        of: *of,
        number: *number,
        name: (*name).to_owned(),
    };
    StreamFacts {
        templates: vec![TemplateFact {
            id: 256,
            scope: 0,
            fields: vec![(0, 8, 4), (0, 12, 4)],
            announced_ms: 5000,
            restored: true,
        }],
        rates: vec![RateFact {
            domain: 7,
            of: RateOf::Sampler(1),
            rate: 512.0,
            told_ms: 6000,
            restored: false,
        }],
        names: names.iter().map(name).collect(),
        ..StreamFacts::new(key, 7000, None)
    }
}

fn tells(server: &Server, number: u64, facts: Vec<StreamFacts>) -> Block {
    Block { facts, ..server.block(number) }
}

#[tokio::test]
async fn templates_rates_and_names_are_answered_with_their_age_and_origin() {
    let server = Server::start().await;
    let names = [
        (NameOf::Interface, 10, "Gi0/0/1"),
        (NameOf::InterfaceDescription, 10, "to the core"),
        (NameOf::InterfaceDescription, 20, "a customer"),
        (NameOf::Vrf, 3, "blue"),
        (NameOf::Application, 80, "http"),
        (NameOf::Sampler, 1, "one in 512"),
    ];
    let told = vec![facts("192.0.2.9", &names), facts("192.0.2.10", &[])];
    server.apply(&tells(&server, 2, told)).await;
    let answer = server.get("/api/v1/exporters/facts?exporter=192.0.2.9").await.json();
    assert_eq!(
        answer,
        json!({"streams": [{
            "listener": "netflow", "exporter": "192.0.2.9", "port": 40_000, "protocol": "netflow9", "domain": 7,
            "edge": "node-a", "seen": 7000,
            "templates": [{"id": 256, "options": false, "fields": 2, "announced": 5000, "restored": true}],
            "rates": [{"domain": 7, "of": "sampler 1", "rate": 512.0, "told": 6000, "restored": false}],
            "interfaces": [
                {"index": 10, "name": "Gi0/0/1", "description": "to the core"},
                {"index": 20, "description": "a customer"},
            ],
            "vrfs": [{"id": 3, "name": "blue"}],
            "samplers": [{"id": 1, "name": "one in 512"}],
            "applications": 1,
            "namesRestored": false,
        }]})
    );
    let all = server.get("/api/v1/exporters/facts").await.json();
    assert_eq!(all["streams"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_later_report_replaces_the_one_before() {
    let server = Server::start().await;
    server.apply(&tells(&server, 2, vec![facts("192.0.2.9", &[(NameOf::Interface, 1, "old")])])).await;
    server.apply(&tells(&server, 3, vec![facts("192.0.2.9", &[(NameOf::Interface, 2, "new")])])).await;
    let answer = server.get("/api/v1/exporters/facts").await.json();
    assert_eq!(answer["streams"][0]["interfaces"], json!([{"index": 2, "name": "new"}]));
}

#[tokio::test]
async fn an_exporter_that_is_no_address_is_refused_with_the_right_form() {
    let server = Server::start().await;
    let (status, problem) = server.problem("/api/v1/exporters/facts?exporter=router1").await;
    assert_eq!(status, 400);
    assert!(problem["detail"].as_str().unwrap().contains("write exporter=192.0.2.1"), "{problem}");
}
