//! What a namespace may see: its scope, joined to every filter of its profiles.

use super::{Report, Within};
use crate::collector::{FlowCollector, Tenant};
use crate::filter::{Context, FilterError, check, parse};
use crate::limits::FILTER_BYTES;

/// What a collector says of a namespace.
pub(super) fn of<'a>(collector: &'a FlowCollector, namespace: &str) -> Option<&'a Tenant> {
    collector.spec.tenants.iter().find(|tenant| tenant.namespace == namespace)
}

/// Checks a collector's tenants.
pub(super) fn check_all(collector: &FlowCollector, report: &mut Report) {
    let spec = &collector.spec;
    for (index, tenant) in spec.tenants.iter().enumerate() {
        let path = format!("spec.tenants[{index}]");
        if spec.tenants[..index].iter().any(|earlier| earlier.namespace == tenant.namespace) {
            let message = format!("namespace {:?} is listed already; each stands once", tenant.namespace);
            report.at(format!("{path}.namespace"), message);
        }
        filter_is_sound(tenant.scope.as_deref().unwrap_or_default(), &format!("{path}.scope"), report);
        for (at, name) in tenant.sources.iter().enumerate() {
            if !spec.sources.iter().any(|source| source.name == *name) {
                let known: Vec<_> = spec.sources.iter().map(|source| source.name.as_str()).collect();
                let right = match known.is_empty() {
                    true => "spec.sources names none".to_owned(),
                    false => format!("there are {}", known.join(", ")),
                };
                report.at(format!("{path}.sources[{at}]"), format!("there is no source {name:?}; {right}"));
            }
        }
    }
}

/// Whether a filter is one; an empty text is. What is wrong goes into the report.
pub(super) fn filter_is_sound(text: &str, path: &str, report: &mut Report) -> bool {
    if text.trim().is_empty() {
        return true;
    }
    if text.len() > FILTER_BYTES {
        report.at(path, format!("{} bytes; a filter has at most {FILTER_BYTES}", text.len()));
        return false;
    }
    let errors = check(text, Context::PROFILE).err().unwrap_or_default();
    for error in &errors {
        let within = Within { offset: error.span.start, line: error.line, column: error.column };
        report.inside(path, Some(within), advice(error));
    }
    errors.is_empty()
}

/// A filter within a scope. Both are filters by themselves, so that neither can close the other's parentheses.
pub(super) fn within(scope: &str, filter: &str, path: &str, report: &mut Report) -> String {
    match (says_nothing(scope), says_nothing(filter)) {
        (true, true) => return String::new(),
        (true, false) => return filter.to_owned(),
        (false, true) => return scope.to_owned(),
        (false, false) => {}
    }
    let joined = format!("{} and {}", enclosed(scope), enclosed(filter));
    // A scope that is no filter is the collector's own fault, and said there.
    if let Err(error) = parse(&joined)
        && parse(scope).is_ok()
    {
        report.at(path, format!("with the scope of its namespace: {}; write a shorter one", error.problem));
    }
    joined
}

/// Nothing but white space and comments: every flow passes.
fn says_nothing(filter: &str) -> bool {
    filter.lines().all(|line| line.split('#').next().unwrap_or_default().trim().is_empty())
}

/// In parentheses; a comment on the last line ends before the closing one.
fn enclosed(filter: &str) -> String {
    let end = if filter.contains('#') { "\n" } else { "" };
    format!("({}{end})", filter.trim())
}

/// What is wrong with a filter; what would be right.
fn advice(error: &FilterError) -> String {
    let mut message = error.problem.clone();
    if !error.expected.is_empty() {
        message.push_str("; expected ");
        message.push_str(&error.expected);
    }
    if let Some(hint) = &error.hint {
        message.push_str("; ");
        message.push_str(hint);
    }
    message
}
