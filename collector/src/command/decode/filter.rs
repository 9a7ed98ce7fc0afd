//! `--filter`: the text on the command line to a filter that judges single flows.

use std::net::{IpAddr, ToSocketAddrs};

use crds::filter::{Context, FilterError, Term, check};

use crate::command::Failure;
use crate::filter::RowFilter;

/// Checks a filter and resolves the host names in it.
pub(super) fn row_filter(text: &str) -> Result<RowFilter, Failure> {
    let said = |error: &FilterError| Failure::Usage(format!("--filter: {error}\n{}", marked(text, error)));
    let mut expr = check(text, Context::TYPED).map_err(|errors| match errors.first() {
        Some(error) => said(error),
        None => Failure::Usage("--filter: is not a filter".to_owned()),
    })?;
    let mut source = None;
    expr.for_each_term(&mut |term, _| {
        if let Term::Ident(name) = term {
            source = Some(name.clone());
        }
    });
    if let Some(name) = source {
        let problem = "is about sources of a FlowCollector, and captures have none; use `exporter ip ADDR`";
        return Err(Failure::Usage(format!("--filter: `ident {name}` {problem}")));
    }
    expr.resolve(text, &mut resolve).map_err(|error| said(&error))?;
    Ok(RowFilter::new(&expr, &[]))
}

fn resolve(name: &str) -> std::io::Result<Vec<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

/// The line of the filter that the error is in, with a mark below the place.
fn marked(text: &str, error: &FilterError) -> String {
    let line = text.lines().nth((error.line as usize).saturating_sub(1)).unwrap_or_default();
    let before = (error.column as usize).saturating_sub(1);
    let length = error.found.lines().next().unwrap_or_default().chars().count().max(1);
    format!("  {line}\n  {}{}", " ".repeat(before), "^".repeat(length))
}
