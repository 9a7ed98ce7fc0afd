//! The slips that are known, and the right form of each.

use super::{Parser, value};
use crate::filter::error::FilterError;
use crate::filter::lexer::Kind;
use crate::filter::names;

/// What to write for a word that stands where a term should begin.
fn term_for(word: &str) -> Option<String> {
    if names::protocol(word).is_some() {
        return Some(format!("write `proto {}`", word.to_ascii_lowercase()));
    }
    if word.parse::<std::net::IpAddr>().is_ok() {
        return Some(format!("write `ip {word}`"));
    }
    if value::is_number(word) {
        return Some(format!("write `port {word}` or `proto {word}`"));
    }
    let right = match word.to_ascii_lowercase().as_str() {
        "sport" | "srcport" => "src port",
        "dport" | "dstport" => "dst port",
        "srcip" | "saddr" => "src ip",
        "dstip" | "daddr" => "dst ip",
        "protocol" => "proto",
        "packet" | "pkts" => "packets",
        "byte" => "bytes",
        "flow" => "flows",
        "subnet" => "net",
        "interface" => "if",
        "asn" => "as",
        "all" => "any",
        _ => return None,
    };
    Some(format!("write `{right}`"))
}

impl Parser<'_> {
    /// The current token does not begin a term.
    pub(super) fn no_term(&self) -> FilterError {
        let error = self.unexpected("a test such as `proto tcp`, `dst port 443` or `src net 192.0.2.0/24`");
        match self.peek() {
            Kind::Word(word) => match term_for(word) {
                Some(hint) => error.hinting(hint),
                None => error,
            },
            _ => error,
        }
    }

    /// The current token stands behind a direction and is no field: `src 192.0.2.1`, `dst 53`, `src tcp`.
    pub(super) fn no_field(&self, direction: &str) -> FilterError {
        let error = self.unexpected(format!("what to test of `{direction}`: `ip`, `net`, `port`, `as` ..."));
        let Kind::Word(word) = self.peek() else {
            return error;
        };
        let right = if word.parse::<std::net::IpAddr>().is_ok() {
            match self.peek_second() {
                Kind::Slash => format!("{direction} net {word}/N"),
                _ => format!("{direction} ip {word}"),
            }
        } else if value::is_number(word) {
            format!("{direction} port {word}")
        } else if names::protocol(word).is_some() {
            format!("proto {}", word.to_ascii_lowercase())
        } else {
            return error;
        };
        error.hinting(format!("write `{right}`"))
    }

    /// A complete expression is followed by something else.
    pub(super) fn after_expression(&self, expected: &str) -> FilterError {
        let error = self.unexpected(expected);
        match (self.peek(), self.tokens.get(self.at.wrapping_sub(1)).map(|token| token.kind)) {
            (Kind::Comma, Some(Kind::Word(first))) if value::is_number(first) => {
                error.hinting(format!("write a list: `in [ {first} ... ]`"))
            }
            (Kind::Word(word), Some(Kind::Word(first)))
                if word.starts_with('-') && value::is_number(first) =>
            {
                error.hinting("write a range as `port >= 22 and port <= 25`")
            }
            (Kind::Word(_) | Kind::Open | Kind::Not, _) => error.hinting("join two tests with `and` or `or`"),
            (Kind::Close, _) => error.hinting("this `)` has no `(`"),
            _ => error,
        }
    }

    /// A number was wanted: ranges, fractions, units, `not in`.
    pub(super) fn slip_at_number(&self, what: &str, error: FilterError) -> FilterError {
        let name = what.trim_matches('`');
        if self.is_word("not")
            && matches!(self.peek_second(), Kind::Word(word) if word.eq_ignore_ascii_case("in"))
        {
            return error.hinting(format!("write `not {name} in [ ... ]`"));
        }
        let Kind::Word(word) = self.peek() else {
            return match self.peek() {
                Kind::ListOpen => error.hinting(format!("write `{name} in [ ... ]`")),
                Kind::Not => error.hinting(format!("write `not {name} ...`")),
                _ => error,
            };
        };
        if let Some((low, high)) = word.split_once('-').filter(|(low, high)| is_range(low, high)) {
            return error.hinting(format!("write `{name} >= {low} and {name} <= {high}`"));
        }
        if word.starts_with(|first: char| first.is_ascii_digit()) {
            return error.hinting("a number is whole, and may end in one of k, m, g, t");
        }
        error
    }

    /// An address was wanted.
    pub(super) fn slip_at_address(&self, error: FilterError) -> FilterError {
        match self.peek_second() {
            Kind::Slash => error.hinting("a network is written `net A/N`"),
            _ => error,
        }
    }

    /// `ip 192.0.2.0/24`.
    pub(super) fn slip_net_as_host(&self, word: &str) -> FilterError {
        let bits = match self.tokens.get(self.at + 2).map(|token| token.kind) {
            Some(Kind::Word(bits)) => bits,
            _ => "N",
        };
        let mut error = self.error(format!("`{word}/{bits}` is a network, not a host"));
        error.hint = Some(format!("write `net {word}/{bits}`"));
        error
    }
}

fn is_range(low: &str, high: &str) -> bool {
    value::is_number(low) && value::is_number(high)
}
