//! Which collector runs which profile, and serves which target.
//!
//! Both sides have a say: an object's `collectorRef` names its collector, or the collector's selector matches its
//! labels; and the collector's namespace selector, which nothing overrides, lets the object's namespace in.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::core::{Selector, SelectorExt};

use super::namespace;
use crate::collector::FlowCollector;
use crate::profile::{CollectorRef, FlowProfile};
use crate::target::ExportTarget;

/// Labels of an object or a namespace.
pub type Labels = BTreeMap<String, String>;

/// The label by which every namespace of a cluster carries its own name.
pub const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Whether an object belongs to a collector; why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It does.
    Chosen,
    /// Its `collectorRef` names another collector.
    Elsewhere,
    /// The collector does not let its namespace in.
    Namespace,
    /// The collector's selector does not match its labels.
    Labels,
    /// It would, but for its `paused`.
    Paused,
}

/// Whether a profile runs on a collector, given the labels of the profile's namespace.
pub fn runs(collector: &FlowCollector, profile: &FlowProfile, namespace_labels: &Labels) -> Choice {
    let spec = &collector.spec;
    let selectors = (spec.profile_selector.as_ref(), spec.profile_namespace_selector.as_ref());
    choose(collector, selectors, &profile.metadata, profile.spec.collector_ref.as_ref(), namespace_labels)
}

/// Whether a collector's edges export to a target, given the labels of the target's namespace.
pub fn exports(collector: &FlowCollector, target: &ExportTarget, namespace_labels: &Labels) -> Choice {
    let spec = &collector.spec;
    let selectors = (spec.target_selector.as_ref(), spec.target_namespace_selector.as_ref());
    let reference = target.spec.collector_ref.as_ref();
    match choose(collector, selectors, &target.metadata, reference, namespace_labels) {
        Choice::Chosen if target.spec.paused.unwrap_or_default() => Choice::Paused,
        choice => choice,
    }
}

/// The labels that a namespace has in every cluster.
pub fn least_labels(namespace: &str) -> Labels {
    Labels::from([(NAMESPACE_NAME.to_owned(), namespace.to_owned())])
}

fn choose(
    collector: &FlowCollector,
    (by_label, by_namespace): (Option<&LabelSelector>, Option<&LabelSelector>),
    object: &ObjectMeta,
    reference: Option<&CollectorRef>,
    namespace_labels: &Labels,
) -> Choice {
    let own = namespace(&collector.metadata);
    if let Some(reference) = reference {
        let wanted = reference.namespace.as_deref().unwrap_or(namespace(object));
        if wanted != own || Some(&reference.name) != collector.metadata.name.as_ref() {
            return Choice::Elsewhere;
        }
    }
    let let_in = match by_namespace {
        None => namespace(object) == own,
        Some(selector) => matches(selector, namespace_labels),
    };
    let none = Labels::new();
    let labels = object.labels.as_ref().unwrap_or(&none);
    match (let_in, reference, by_label) {
        (false, ..) => Choice::Namespace,
        (true, None, Some(selector)) if !matches(selector, labels) => Choice::Labels,
        _ => Choice::Chosen,
    }
}

/// A selector that cannot be read selects nothing; checking the collector reports it.
fn matches(selector: &LabelSelector, labels: &Labels) -> bool {
    Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(labels))
}

/// What in a selector has no meaning: (path below the selector, message).
pub(crate) fn unreadable(selector: &LabelSelector) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (at, expression) in selector.match_expressions.iter().flatten().enumerate() {
        let given = expression.values.as_ref().map_or(0, Vec::len);
        let message = match (expression.operator.as_str(), given) {
            (operator @ ("In" | "NotIn"), 0) => {
                format!("{operator} compares with values, and there are none; list them, or use Exists")
            }
            (operator @ ("Exists" | "DoesNotExist"), 1..) => {
                format!("{operator} takes no values; leave them out, or use In")
            }
            _ => continue,
        };
        found.push((format!(".matchExpressions[{at}]"), message));
    }
    if found.is_empty()
        && let Err(error) = Selector::try_from(selector.clone())
    {
        found.push((String::new(), error.to_string()));
    }
    found
}
