//! Everything that can be wrong with a filter, found before anything is compiled.

use super::ast::{AddressField, Expr, Host, NamedField, NumberField, Term};
use super::error::FilterError;
use super::parser::parse;

/// What a filter may name where it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Whether hosts may be given by name.
    pub host_names: HostNames,
}

/// Whether hosts may be given by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostNames {
    /// Profiles: a filter means the same on every node and at any time.
    Refused,
    /// Filters that a person types; the caller resolves them with [`Expr::resolve`] before compiling.
    Resolved,
}

impl Context {
    /// A filter in a FlowProfile.
    pub const PROFILE: Self = Self { host_names: HostNames::Refused };
    /// A filter that a person types.
    pub const TYPED: Self = Self { host_names: HostNames::Resolved };
}

/// Parses a filter and finds every error that it has in this context. What it accepts compiles.
///
/// # Errors
/// The one place where the text stops being a filter; or else every term that cannot be used here.
pub fn check(text: &str, context: Context) -> Result<Expr, Vec<FilterError>> {
    let expr = parse(text).map_err(|error| vec![error])?;
    let mut errors = Vec::new();
    expr.for_each_term(&mut |term, span| {
        if let Some(what) = uncollected(term) {
            errors.push(FilterError::at(text, span, format!("this version does not collect {what}")));
        }
        if let Term::Address { host: Host::Name(name), .. } = term
            && context.host_names == HostNames::Refused
        {
            let problem = format!("`{name}` is a host name, which a profile cannot use");
            errors.push(FilterError::at(text, span, problem).hinting("write its address, or a network"));
        }
    });
    if errors.is_empty() { Ok(expr) } else { Err(errors) }
}

/// The table of terms whose column no stage of this version fills, with the words for what is missing.
pub fn uncollected(term: &Term) -> Option<&'static str> {
    match term {
        Term::Named { field, .. } => Some(match field {
            NamedField::Namespace => "the namespaces of addresses",
            NamedField::Pod => "the pods of addresses",
            NamedField::Workload => "the workloads of addresses",
            NamedField::Service => "the services of addresses",
            NamedField::Node => "the node of a flow",
            NamedField::Network => "the named networks of addresses",
            NamedField::Interface => "the names of interfaces",
        }),
        Term::Tag { .. } => Some("tags"),
        Term::Boundary { .. } => Some("the boundary of interfaces"),
        Term::Threat(_) => Some("matches of threat lists"),
        Term::Country { .. } => Some("the countries of addresses"),
        Term::Payload { .. } => Some("payload"),
        Term::TunnelProto(_) | Term::Address { field: AddressField::Tunnel, .. } => {
            Some("outer tunnel headers")
        }
        Term::AddressIn { field: AddressField::Tunnel, .. } => Some("outer tunnel headers"),
        Term::Number { field: NumberField::Count, .. } => Some("record numbers"),
        Term::Number { field: NumberField::ExporterId, .. } => Some("exporter numbers of nfcapd"),
        _ => None,
    }
}
