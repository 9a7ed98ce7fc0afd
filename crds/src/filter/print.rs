//! The canonical form: one text for each tree, that parses back to it.

use std::fmt::{Display, Formatter, Result};

use ipnet::IpNet;
use jiff::Timestamp;

use super::ast::{AddressField, Compare, Dir, Expr, Family, Host, NamedField, Node, PayloadTest, Term};
use super::{lexer, names};

impl Display for Expr {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match &self.node {
            Node::Or(parts) => chain(out, parts, " or ", |_| false),
            Node::And(parts) => chain(out, parts, " and ", |part| matches!(part, Node::Or(_))),
            Node::Not(inner) => {
                out.write_str("not ")?;
                grouped(out, inner, matches!(inner.node, Node::Or(_) | Node::And(_)))
            }
            Node::Term(term) => term.fmt(out),
        }
    }
}

fn chain(out: &mut Formatter<'_>, parts: &[Expr], word: &str, group: fn(&Node) -> bool) -> Result {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            out.write_str(word)?;
        }
        grouped(out, part, group(&part.node))?;
    }
    Ok(())
}

fn grouped(out: &mut Formatter<'_>, expr: &Expr, group: bool) -> Result {
    if group { write!(out, "({expr})") } else { write!(out, "{expr}") }
}

impl Display for Compare {
    /// The comparator with the blanks around it; equality is a blank alone.
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        out.write_str(match self {
            Self::Eq => " ",
            Self::Ne => " != ",
            Self::Gt => " > ",
            Self::Lt => " < ",
            Self::Ge => " >= ",
            Self::Le => " <= ",
        })
    }
}

/// A direction with the blank behind it, or nothing.
struct Side(Dir);

impl Display for Side {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self.0.word() {
            "" => Ok(()),
            word => write!(out, "{word} "),
        }
    }
}

/// A name, in quotes where it needs them.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let text = self.0;
        let operator = ["and", "or", "not", "in"].iter().any(|word| text.eq_ignore_ascii_case(word));
        if !text.is_empty() && !operator && text.bytes().all(lexer::is_word) {
            return out.write_str(text);
        }
        Quoted(text).fmt(out)
    }
}

/// Text in quotes; parsed text never holds both marks.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let mark = if self.0.contains('"') { '\'' } else { '"' };
        write!(out, "{mark}{}{mark}", self.0)
    }
}

impl Display for Term {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self {
            Self::Any => out.write_str("any"),
            Self::Ident(name) => write!(out, "ident {}", Text(name)),
            Self::Family(Family::V4) => out.write_str("inet"),
            Self::Family(Family::V6) => out.write_str("inet6"),
            Self::Proto(number) => protocol(out, "proto", *number),
            Self::TunnelProto(number) => protocol(out, "tun proto", *number),
            Self::Number { field, dir, compare, value } => {
                write!(out, "{}{}{compare}{value}", Side(*dir), field.name())
            }
            Self::NumberIn { field, dir, values } => {
                write!(out, "{}{} in [", Side(*dir), field.name())?;
                list(out, values)
            }
            Self::Address { field, dir, host } => {
                write!(out, "{} ", address(*field, *dir))?;
                match host {
                    Host::Address(address) => address.fmt(out),
                    Host::Name(name) => Text(name).fmt(out),
                }
            }
            Self::Net { field: AddressField::Nat, dir, net } => write!(out, "{}xnet {net}", Side(*dir)),
            Self::Net { dir, net, .. } => write!(out, "{}net {net}", Side(*dir)),
            Self::AddressIn { field, dir, nets } => {
                write!(out, "{} in [", address(*field, *dir))?;
                list(out, nets.iter().map(Member))
            }
            Self::Mac { dir, mac } => {
                let [_, _, a, b, c, d, e, f] = mac.to_be_bytes();
                write!(out, "{}mac {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}", Side(*dir))
            }
            Self::Flags(bits) => write!(out, "flags {}", Letters(*bits)),
            Self::FlagsExactly(bits) => write!(out, "flags = {}", Letters(*bits)),
            Self::ForwardingStatus(name) => write!(out, "fwdstat {name}"),
            Self::Direction { egress } => out.write_str(if *egress { "dir egress" } else { "dir ingress" }),
            Self::Seen { last, compare, at_ms } => {
                let word = if *last { "last" } else { "first" };
                write!(out, "{word} seen{compare}{}", time(*at_ms))
            }
            Self::PortInBlock { dir } => write!(out, "{}port in pblock", Side(*dir)),
            _ => enriched(out, self),
        }
    }
}

/// The terms of our own, and `payload`.
fn enriched(out: &mut Formatter<'_>, term: &Term) -> Result {
    match term {
        Term::Country { dir, code } => write!(out, "{}geo {code}", Side(*dir)),
        Term::Named { field: NamedField::Interface, dir, name } => {
            write!(out, "{}if {}", Side(*dir), Quoted(name))
        }
        Term::Named { field, dir, name } => write!(out, "{}{} {}", Side(*dir), field.word(), Text(name)),
        Term::Tag { key, value } => write!(out, "tag {}={}", Text(key), Text(value)),
        Term::Boundary { dir, external } => {
            write!(out, "{}boundary {}", Side(*dir), if *external { "external" } else { "internal" })
        }
        Term::Threat(None) => out.write_str("threat"),
        Term::Threat(Some(list)) => write!(out, "threat {}", Text(list)),
        Term::AsPath(number) => write!(out, "as path contains {number}"),
        Term::Community(high, low) => write!(out, "community {high}:{low}"),
        Term::Payload { test: PayloadTest::Content, text } => write!(out, "payload content {}", Quoted(text)),
        Term::Payload { test: PayloadTest::Regex, text } => write!(out, "payload regex {}", Quoted(text)),
        _ => Ok(()),
    }
}

impl NamedField {
    /// The word that names it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Pod => "pod",
            Self::Workload => "workload",
            Self::Service => "service",
            Self::Node => "node",
            Self::Network => "network",
            Self::Interface => "if",
        }
    }
}

fn protocol(out: &mut Formatter<'_>, word: &str, number: u8) -> Result {
    match names::protocol_name(number) {
        Some(name) => write!(out, "{word} {name}"),
        None => write!(out, "{word} {number}"),
    }
}

fn address(field: AddressField, dir: Dir) -> String {
    let word = match field {
        AddressField::Ip => "ip",
        AddressField::NextHop => "next ip",
        AddressField::BgpNextHop => "bgp next ip",
        AddressField::Exporter => "exporter ip",
        AddressField::Tunnel => "tun ip",
        AddressField::Nat => "nat ip",
    };
    format!("{}{word}", Side(dir))
}

/// A list's items and its closing bracket.
fn list<T: Display>(out: &mut Formatter<'_>, items: impl IntoIterator<Item = T>) -> Result {
    for (place, item) in items.into_iter().enumerate() {
        let blank = if place == 0 { "" } else { " " };
        write!(out, "{blank}{item}")?;
    }
    out.write_str("]")
}

/// A member of an address list: a network of one is printed as its address.
struct Member<'a>(&'a IpNet);

impl Display for Member<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(out) } else { self.0.fmt(out) }
    }
}

/// The letters of TCP flags.
struct Letters(u8);

impl Display for Letters {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        names::TCP_FLAGS
            .iter()
            .filter(|(_, bit)| self.0 & bit != 0)
            .try_for_each(|(letter, _)| write!(out, "{letter}"))
    }
}

fn time(at_ms: u64) -> Timestamp {
    i64::try_from(at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default()
}
