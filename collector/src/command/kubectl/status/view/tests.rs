//! A fixed cluster, and the lines that it makes.

use serde_json::{Value, json};

use super::*;

fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn condition(kind: &str, status: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": "R", "message": message,
           "lastTransitionTime": "2026-11-21T10:00:00Z"})
}

fn pod(node: &str, ready: &str, restarts: i32, waiting: Option<&str>) -> Pod {
    let state = waiting.map_or(json!({}), |reason| json!({"waiting": {"reason": reason}}));
    object(json!({
        "metadata": {"name": format!("zone1-edge-{node}"), "namespace": "flows",
                     "labels": {"app.kubernetes.io/instance": "zone1"}},
        "spec": {"nodeName": node, "containers": []},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}],
                   "containerStatuses": [{"name": "edge", "image": "", "imageID": "", "ready": ready == "True",
                                          "restartCount": restarts, "state": state}]},
    }))
}

fn exporter(records: u64, missing: i64, undecodable: u64) -> Value {
    json!({
        "listener": "netflow", "exporter": "192.0.2.1", "port": 2055, "protocol": "netflow9", "domain": 0,
        "edge": "node-a", "source": "peer1", "unit": "packets", "sequence": "standard", "lastSeen": 0,
        "datagrams": 1, "bytes": 1, "templates": 1, "templateChanges": 0, "templateConflicts": 0, "unknownTemplateSets": 0, "recordsReceived": records,
        "records": records, "optionsRecords": 0, "undecodable": {"malformed": undecodable},
        "waiting": {"records": 0, "sets": 0, "bytes": 0}, "faults": {}, "uncountedSets": 0, "uncountedBytes": 0,
        "received": 1, "inferred": 0, "duplicates": 0, "reordered": 0, "restarts": 0,
        "missingRecords": {"records": missing, "estimated": true},
        "epoch": {"since": 0, "received": 1, "duplicates": 0},
    })
}

fn listener(edge: &str, drops: u64) -> Value {
    json!({"edge": edge, "listener": "netflow", "datagrams": 1, "kernelDrops": drops, "socketDrops": [],
           "connections": 0, "closed": {}, "rejected": {}})
}

fn state() -> State {
    let collector = object(json!({
        "apiVersion": "weir.dev/v1alpha1", "kind": "FlowCollector",
        "metadata": {"name": "zone1", "namespace": "flows"}, "spec": {},
        "status": {
            "nodes": {"desired": 2, "ready": 1}, "profiles": {"total": 2, "accepted": 1, "applied": 1},
            "version": "0.1.0",
            "conditions": [condition("ProfilesApplied", "False", "1 of 2"),
                           condition("Ready", "False", "1 of 2 nodes\nare ready")],
        },
    }));
    let good = object(json!({
        "apiVersion": "weir.dev/v1alpha1", "kind": "FlowProfile",
        "metadata": {"name": "services", "namespace": "flows"},
        "spec": {"channels": [{"name": "dns", "filter": "port 53"}]},
        "status": {
            "conditions": [condition("Ready", "True", "")],
            "bindings": [{"collector": "flows/zone1", "desiredNodes": 1, "appliedNodes": 1, "rejectedNodes": 0}],
            "columns": {"applied": "1/1", "channels": 1, "collector": "flows/zone1", "message": ""},
        },
    }));
    let fresh = object(json!({
        "apiVersion": "weir.dev/v1alpha1", "kind": "FlowProfile",
        "metadata": {"name": "fresh", "namespace": "flows"}, "spec": {"channels": [{"name": "all"}]},
    }));
    let none: [u64; 0] = [];
    let exporters = object(json!({
        "exporters": [exporter(900, 100, 3), exporter(0, 0, 0)],
        "listeners": [listener("node-a", 7), listener("node-b", 1)],
        "edges": [{"edge": "node-a", "spool": "", "block": 4, "made": 58_000, "generation": "", "droppedBlocks": 0,
                   "droppedRecords": 0, "dropped": {}}],
        "sources": none,
    }));
    State {
        collectors: vec![collector],
        profiles: vec![good, fresh],
        targets: Vec::new(),
        pods: vec![pod("node-b", "False", 5, Some("ImagePullBackOff")), pod("node-a", "True", 0, None)],
        exporters: [("flows/zone1".to_owned(), exporters)].into(),
        now_ms: 60_000,
    }
}

#[test]
fn a_cluster_is_one_view_of_aligned_lines_and_empty_sections_are_left_out() {
    let expected = "\
COLLECTOR    READY  NODES  PROFILES  VERSION  STREAMS  RECORDS  MISSING  KERNEL-DROPS  UNDECODABLE  MESSAGE
flows/zone1  False  1/2    1/2       0.1.0    2        900      ~10.00%  8             3            1 of 2 nodes are ready

NODE    COLLECTOR    READY  RESTARTS  LAST-BLOCK  KERNEL-DROPS  MESSAGE
node-a  flows/zone1  True   0         2s          7
node-b  flows/zone1  False  5         -           1             ImagePullBackOff

PROFILE         READY    APPLIED  CHANNELS  COLLECTOR    MESSAGE
flows/fresh     Unknown  -        1         -
flows/services  True     1/1      1         flows/zone1
";
    assert_eq!(view(&state()), expected);
}

#[test]
fn without_the_right_to_read_data_dashes_stand_where_losses_would() {
    let text = view(&State { exporters: BTreeMap::new(), ..state() });
    let line = text.lines().nth(1).unwrap();
    assert_eq!(line.split_whitespace().filter(|word| *word == "-").count(), 5, "{line}");
    assert!(!text.contains("0%"), "no loss is claimed that nobody measured: {text}");
}

#[test]
fn a_loss_too_small_for_two_digits_is_not_called_none() {
    let share = |missing, received| Losses { missing, received, ..Losses::default() }.share();
    assert_eq!(share(0, 10), "0%");
    assert_eq!(share(1, 1_000_000), "<0.01%");
    assert_eq!(share(1, 3), "25.00%");
    assert_eq!(share(-4, 3), "0%", "late datagrams may have taken more back than was missed meanwhile");
}

#[test]
fn the_condition_that_stops_everything_is_told_before_the_others() {
    let conditions: Vec<Condition> = [
        condition("WorkloadsAvailable", "False", "third"),
        condition("Ready", "False", "second"),
        condition("Stalled", "True", "first"),
    ]
    .map(object)
    .into();
    assert_eq!(urgent(&conditions), "first");
    assert_eq!(urgent(&conditions[..2]), "second");
    assert_eq!(urgent(&conditions[..1]), "third");
    assert_eq!(urgent(&[]), "");
}
