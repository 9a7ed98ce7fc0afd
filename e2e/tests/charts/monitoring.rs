//! Alerts and the dashboard ask for metrics that exist.

use collector::telemetry::Metric;

use super::{MONITORING, Value, each, named, objects, rendered};

/// Every word of an expression that looks like a metric of ours.
fn metrics(expression: &str) -> Vec<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("weir_")).map(str::to_owned).collect()
}

fn assert_known(expression: &str) -> usize {
    let named = metrics(expression);
    for name in &named {
        let plain =
            ["_bucket", "_sum", "_count"].iter().fold(name.as_str(), |name, end| name.trim_end_matches(end));
        assert!(
            Metric::ALL.iter().any(|metric| metric.name() == plain),
            "no program tells {name}: {expression}"
        );
    }
    named.len()
}

#[test]
fn every_alert_asks_for_metrics_that_exist_and_says_what_to_do() {
    let objects = rendered(&["--set", MONITORING]);
    let groups = &named(&objects, "PrometheusRule/weir-operator")["spec"]["groups"];
    let rules: Vec<&Value> =
        groups.as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(rules.len() > 5);
    for rule in rules {
        assert!(assert_known(rule["expr"].as_str().unwrap()) > 0, "{rule}");
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].as_str().is_some_and(|text| text.len() > 20), "{rule}");
        }
        assert!(["warning", "critical"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{rule}");
    }
}

#[test]
fn the_dashboard_is_json_and_draws_metrics_that_exist() {
    let objects = rendered(&["--set", MONITORING]);
    let map = named(&objects, "ConfigMap/weir-operator-dashboard");
    assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
    let dashboard: Value = serde_json::from_str(map["data"]["weir.json"].as_str().unwrap()).unwrap();
    let mut drawn = 0;
    each(&dashboard, &mut |key, value| {
        if key == "expr" {
            drawn += assert_known(value.as_str().unwrap());
        }
    });
    assert!(drawn > 10, "only {drawn} metrics are drawn");
}

#[test]
fn nothing_of_the_monitoring_is_made_unless_it_is_asked_for() {
    for object in rendered(&[]) {
        assert_ne!(object["apiVersion"], "monitoring.coreos.com/v1");
        assert_ne!(object["kind"], "ConfigMap");
    }
    assert_eq!(objects("---\n---\na: 1\n").len(), 1);
}
