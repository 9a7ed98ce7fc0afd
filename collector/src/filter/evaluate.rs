//! A filter evaluated flow by flow, straight from its tree.
//!
//! This is the language's meaning written down as plainly as it can be: `weir decode --filter` runs it, and
//! the plan is tested against it.

mod value;

use crds::filter::{AddressField, Dir, Expr, Family, Host, Node, NumberField, Term};
use ipnet::IpNet;

use super::sources::SourceNames;
use crate::flow::{Batch, Column, Run, address_of};
use value::{Record, compare};

/// A checked filter that judges one flow at a time.
#[derive(Clone, Debug)]
pub struct RowFilter {
    expr: Expr,
    sources: Vec<String>,
}

impl RowFilter {
    /// A filter that [`crds::filter::check`] accepted and whose host names are resolved: one that is not never
    /// matches. `sources` are the names of sources by index, for `ident`.
    pub fn new(expr: &Expr, sources: &[String]) -> Self {
        Self { expr: expr.clone(), sources: sources.to_vec() }
    }

    /// Whether the flow in `row`, which belongs to `run`, passes as it was sent.
    pub fn matches(&self, batch: &Batch, run: &Run, row: usize) -> bool {
        self.judge(&Record { batch, run, row, reverse: false })
    }

    /// Whether the flow in `row` is a biflow and passes with its two sides swapped.
    pub fn matches_reverse(&self, batch: &Batch, run: &Run, row: usize) -> bool {
        batch.is_biflow(run, row) && self.judge(&Record { batch, run, row, reverse: true })
    }

    fn judge(&self, record: &Record<'_>) -> bool {
        self.passes(&self.expr, record, false)
    }

    /// Whether the expression holds, or its negation. Negation goes down to the terms, because that of `flags`
    /// is not the opposite.
    fn passes(&self, expr: &Expr, record: &Record<'_>, negated: bool) -> bool {
        match &expr.node {
            Node::And(parts) if !negated => parts.iter().all(|part| self.passes(part, record, false)),
            Node::And(parts) => parts.iter().any(|part| self.passes(part, record, true)),
            Node::Or(parts) if !negated => parts.iter().any(|part| self.passes(part, record, false)),
            Node::Or(parts) => parts.iter().all(|part| self.passes(part, record, true)),
            Node::Not(inner) => self.passes(inner, record, !negated),
            Node::Term(Term::Flags(bits)) if negated => {
                !record.is_tcp() || record.tcp_flags().is_none_or(|flags| flags & u64::from(*bits) == 0)
            }
            Node::Term(term) => self.holds(term, record) != negated,
        }
    }

    fn holds(&self, term: &Term, record: &Record<'_>) -> bool {
        match term {
            Term::Any => true,
            Term::Ident(name) => SourceNames::new(&self.sources).find(name).matches(record.run),
            Term::Family(Family::V4) => record.number(Column::EType) == Some(0x0800),
            Term::Family(Family::V6) => record.number(Column::EType) == Some(0x86dd),
            Term::Proto(number) => record.number(Column::Proto) == Some(u64::from(*number)),
            Term::Number { field: NumberField::Flags, .. } if !record.is_tcp() => false,
            Term::Number { field, dir, compare: op, value } => {
                compare(&record.numbers(*field, *dir), *dir, *op, value::wanted(*field, *value))
            }
            Term::NumberIn { field, dir, values } => {
                sided(&record.numbers(*field, *dir), *dir, |number| values.contains(number))
            }
            Term::Address { field, dir, host: Host::Address(address) } => {
                address_in(record, *field, *dir, &[IpNet::from(*address)])
            }
            Term::Net { field, dir, net } => address_in(record, *field, *dir, std::slice::from_ref(net)),
            Term::AddressIn { field, dir, nets } => address_in(record, *field, *dir, nets),
            Term::Mac { dir, mac } => record.macs(*dir).contains(&Some(*mac)),
            Term::Flags(bits) => {
                record.is_tcp()
                    && record.tcp_flags().is_some_and(|flags| flags & u64::from(*bits) == u64::from(*bits))
            }
            Term::FlagsExactly(bits) => {
                record.is_tcp() && record.tcp_flags().is_some_and(|flags| flags & 0xff == u64::from(*bits))
            }
            Term::ForwardingStatus(name) => {
                let range = crds::filter::names::forwarding_status(name);
                let status = record.number(Column::ForwardingStatus);
                range.zip(status).is_some_and(|((_, first, last), status)| {
                    (u64::from(first)..=u64::from(last)).contains(&status)
                })
            }
            Term::Direction { egress } => record.number(Column::Direction) == Some(u64::from(*egress)),
            Term::Seen { last, compare: op, at_ms } => {
                let column = if *last { Column::TimeEnd } else { Column::TimeStart };
                compare(&[record.number(column)], Dir::Either, *op, *at_ms)
            }
            Term::PortInBlock { dir } => record.port_in_block(*dir),
            Term::AsPath(number) => record.as_path_holds(*number),
            Term::Community(high, low) => record.has_community(*high, *low),
            // What no stage of this version fills, and hosts that nobody resolved.
            _ => false,
        }
    }
}

/// Whether one side passes, or both where the direction says so.
fn sided<T>(values: &[Option<T>], dir: Dir, passes: impl Fn(&T) -> bool) -> bool {
    let mut each = values.iter().map(|value| value.as_ref().is_some_and(&passes));
    if dir == Dir::SrcAndDst { each.all(|passed| passed) } else { each.any(|passed| passed) }
}

fn address_in(record: &Record<'_>, field: AddressField, dir: Dir, nets: &[IpNet]) -> bool {
    sided(&record.addresses(field, dir), dir, |bits| {
        let address = address_of(*bits);
        nets.iter().any(|net| net.contains(&address))
    })
}
