//! Every word of a profile's status, from facts.

use crds::profile::FlowProfileSpec;
use kube::api::ObjectMeta;

use super::*;
use crate::facts::Refusal;

fn object(generation: i64) -> FlowProfile {
    let metadata = ObjectMeta { generation: Some(generation), ..ObjectMeta::default() };
    FlowProfile { metadata, spec: FlowProfileSpec::default(), status: None }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A profile of generation 2 at one collector with two ready nodes, of which these run it.
fn bound(running: &[&str]) -> Bound {
    let report = ProfileReport { name: "n/p".into(), generation: 2, hash: "h2".into(), error: None };
    Bound {
        collector: "n/c".into(),
        fact: ProfileFact { generation: 2, refused: None, runs: Some((2, "h2".into())) },
        ready: ["a".to_owned(), "b".to_owned()].into(),
        reports: Ok(running.iter().map(|&node| (node.to_owned(), report.clone())).collect()),
    }
}

fn condition<'a>(said: &'a Said, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let found = said.status.conditions.iter().find(|condition| condition.type_ == kind)?;
    Some((found.status.as_str(), found.reason.as_str(), found.message.as_str()))
}

#[test]
fn a_profile_that_every_ready_node_runs_is_ready_and_nothing_else_is_said() {
    let said = profile(&object(2), &[bound(&["a", "b"])], "", at(0));
    assert!(said.everywhere);
    assert_eq!(condition(&said, "Ready"), Some(("True", "Applied", "every ready edge runs it")));
    assert_eq!(condition(&said, "Applied"), Some(("True", "Applied", "generation 2 runs on 2 of 2 nodes")));
    assert_eq!((condition(&said, "Reconciling"), condition(&said, "Stalled")), (None, None));
    assert_eq!(said.status.columns.unwrap().applied, "2/2");
}

#[test]
fn a_profile_on_its_way_is_reconciling_for_a_minute_and_then_ready_in_part() {
    let mut object = object(2);
    let said = profile(&object, &[bound(&["a"])], "", at(0));
    assert_eq!(condition(&said, "Ready").unwrap().1, "InProgress");
    assert_eq!(condition(&said, "Reconciling").unwrap().0, "True");
    assert_eq!(said.again, Some(Duration::from_secs(60)));
    object.status = Some(said.status);
    let said = profile(&object, &[bound(&["a"])], "", at(61));
    assert_eq!(condition(&said, "Ready"), Some(("True", "AppliedPartially", "runs on 1 of 2 nodes of n/c")));
    assert_eq!(condition(&said, "Reconciling"), None);
    object.status = Some(said.status.clone());
    assert_eq!(profile(&object, &[bound(&["a"])], "", at(90)).status, said.status, "and it stays so");
}

#[test]
fn a_refused_profile_is_stalled_and_says_which_generation_goes_on() {
    let mut bound = bound(&["a", "b"]);
    let message = "spec.channels[0].filter: line 1, column 6: ...".to_owned();
    bound.fact.refused = Some(Refusal { reason: "InvalidSpec", message });
    bound.fact.generation = 3;
    let said = profile(&object(3), &[bound], "", at(0));
    let accepted = condition(&said, "Accepted").unwrap();
    assert_eq!((accepted.0, accepted.1), ("False", "InvalidSpec"));
    assert!(accepted.2.ends_with("; generation 2 goes on"), "{}", accepted.2);
    assert_eq!(condition(&said, "Stalled").unwrap().0, "True");
    assert_eq!(said.status.observed_generation, Some(3), "advanced on failure too");
    assert_eq!(condition(&said, "Applied").unwrap().0, "True", "the last good one runs");
    assert!(!said.everywhere);
}

#[test]
fn without_a_collector_or_an_aggregator_that_is_what_is_said() {
    let said = profile(&object(1), &[], "no FlowCollector selects it", at(0));
    assert_eq!(condition(&said, "Accepted"), Some(("False", "NoCollector", "no FlowCollector selects it")));
    assert_eq!(condition(&said, "Reconciling").unwrap().1, "NoCollector", "one may come");
    let mut waiting = object(1);
    waiting.status = Some(said.status);
    let said = profile(&waiting, &[], "no FlowCollector selects it", at(60));
    assert_eq!(condition(&said, "Stalled").unwrap().1, "NoCollector", "none came within a minute");
    waiting.status = Some(said.status.clone());
    assert_eq!(profile(&waiting, &[], "no FlowCollector selects it", at(90)).status, said.status);
    let lost = Bound { reports: Err("timed out".into()), ..bound(&[]) };
    let said = profile(&object(2), &[lost], "", at(0));
    let applied = condition(&said, "Applied").unwrap();
    assert_eq!((applied.0, applied.1), ("Unknown", "AggregatorUnreachable"));
    assert_eq!(condition(&said, "Stalled"), None);
}

#[test]
fn an_edge_that_cannot_run_it_is_named() {
    let mut bound = bound(&["a", "b"]);
    bound.reports.as_mut().unwrap().get_mut("b").unwrap().error = Some("too many channels".into());
    let said = profile(&object(2), &[bound], "", at(0));
    assert_eq!(condition(&said, "Applied"), Some(("False", "RejectedByEdge", "b: too many channels")));
    assert_eq!(condition(&said, "Stalled").unwrap().0, "True");
    assert_eq!(said.status.bindings[0].rejected_nodes, 1);
}
