//! The values that terms compare with: numbers, addresses, networks, MACs, times, text, lists.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use jiff::{Timestamp, civil, tz::TimeZone};

use super::{Parsed, Parser};
use crate::filter::ast::{Compare, Host, NumberField};
use crate::filter::error::{FilterError, Span};
use crate::filter::lexer::Kind;

impl<'a> Parser<'a> {
    /// A comparator; none means equal.
    pub(super) fn compare(&mut self) -> Compare {
        let compare = match self.peek() {
            Kind::Compare(compare) => compare,
            Kind::Word(word) => match word.to_ascii_lowercase().as_str() {
                "eq" => Compare::Eq,
                "gt" => Compare::Gt,
                "lt" => Compare::Lt,
                "ge" => Compare::Ge,
                "le" => Compare::Le,
                _ => return Compare::Eq,
            },
            _ => return Compare::Eq,
        };
        self.advance();
        compare
    }

    /// A number that the field can have.
    pub(super) fn number_for(&mut self, field: NumberField) -> Parsed<u64> {
        self.number(&format!("`{}`", field.name()), field.max())
    }

    /// A number of at most `max`; `what` names it in the error.
    pub(super) fn number(&mut self, what: &str, max: u64) -> Parsed<u64> {
        let Kind::Word(word) = self.peek() else {
            return Err(self.slip_at_number(what, self.unexpected(format!("a number for {what}"))));
        };
        let value = match parse_number(word) {
            Ok(value) => value,
            Err(NumberError::TooLarge) => return Err(self.error(format!("{word} is too large a number"))),
            Err(NumberError::NotANumber) => {
                let error = self.unexpected(format!("a number for {what}"));
                return Err(self.slip_at_number(what, error));
            }
        };
        if value > max {
            return Err(self.error(format!("{word} is too large for {what}, which is at most {max}")));
        }
        self.advance();
        Ok(value)
    }

    /// A name: a word, or text in quotes.
    pub(super) fn text(&mut self, what: &str) -> Parsed<&'a str> {
        match self.peek() {
            Kind::Word(text) | Kind::Quoted(text) => {
                self.advance();
                Ok(text)
            }
            _ => Err(self.unexpected(what)),
        }
    }

    /// A bare word.
    pub(super) fn word(&mut self, what: &str) -> Parsed<&'a str> {
        match self.peek() {
            Kind::Word(word) => {
                self.advance();
                Ok(word)
            }
            _ => Err(self.unexpected(what)),
        }
    }

    /// An address or a host name.
    pub(super) fn host(&mut self) -> Parsed<Host> {
        let (Kind::Word(word) | Kind::Quoted(word)) = self.peek() else {
            return Err(self.unexpected("an address or a host name"));
        };
        if let Ok(address) = word.parse::<IpAddr>() {
            if self.peek_second() == Kind::Slash {
                return Err(self.slip_net_as_host(word));
            }
            self.advance();
            return Ok(Host::Address(address.to_canonical()));
        }
        if !is_host_name(word) {
            return Err(self.slip_at_address(self.unexpected("an address or a host name")));
        }
        self.advance();
        Ok(Host::Name(word.to_owned()))
    }

    /// `A/N`, `A MASK`, or the short form `10.1/16`.
    pub(super) fn net(&mut self) -> Parsed<IpNet> {
        let (start, address) = (self.span(), self.net_address()?);
        match self.peek() {
            Kind::Slash => self.prefix(start, address),
            Kind::Word(word) => match word.parse::<Ipv4Addr>() {
                Ok(mask) => self.masked(address, mask),
                Err(_) => Err(self.unexpected("`/` and a prefix length, or a net mask")),
            },
            _ => Err(self.unexpected("`/` and a prefix length, or a net mask")),
        }
    }

    fn net_address(&mut self) -> Parsed<IpAddr> {
        let Kind::Word(word) = self.peek() else {
            return Err(self.unexpected("a network such as `192.0.2.0/24`"));
        };
        let short = self.peek_second() == Kind::Slash;
        let address = word.parse().ok().or_else(|| if short { short_address(word) } else { None });
        match address {
            Some(address) => {
                self.advance();
                Ok(address)
            }
            None => Err(self.unexpected("a network such as `192.0.2.0/24`")),
        }
    }

    /// The prefix length behind an address; `start` is where the address stood.
    fn prefix(&mut self, start: Span, address: IpAddr) -> Parsed<IpNet> {
        self.advance();
        let max = if address.is_ipv4() { 32 } else { 128 };
        let bits = self.number("the prefix length", max)?;
        let bits = u8::try_from(bits).unwrap_or(u8::MAX);
        IpNet::new(address, bits)
            .map(|net| canonical_net(net.trunc()))
            .map_err(|_| FilterError::at(self.text, start.to(self.previous_span()), "this is not a network"))
    }

    fn masked(&mut self, address: IpAddr, mask: Ipv4Addr) -> Parsed<IpNet> {
        let IpAddr::V4(address) = address else {
            return Err(self.error("a net mask goes with an IPv4 address").hinting("write `/N`"));
        };
        match Ipv4Net::with_netmask(address, mask) {
            Ok(net) => {
                self.advance();
                Ok(IpNet::V4(net.trunc()))
            }
            Err(_) => Err(self.error("this net mask has holes").hinting("write `/N`")),
        }
    }

    /// The addresses and networks between brackets.
    pub(super) fn net_list(&mut self) -> Parsed<Vec<IpNet>> {
        self.list("an address or a network", |parser| {
            if parser.peek_second() == Kind::Slash {
                return parser.net();
            }
            match parser.peek() {
                Kind::Word(word) => match word.parse::<IpAddr>() {
                    Ok(address) => {
                        parser.advance();
                        Ok(IpNet::from(address.to_canonical()))
                    }
                    Err(_) => Err(parser.unexpected("an address, a network or `]`")),
                },
                _ => Err(parser.unexpected("an address, a network or `]`")),
            }
        })
    }

    /// The numbers between brackets.
    pub(super) fn number_list(&mut self, field: NumberField) -> Parsed<Vec<u64>> {
        self.list("a number", |parser| parser.number_for(field))
    }

    fn list<T>(&mut self, what: &str, item: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        if !self.take(Kind::ListOpen) {
            return Err(self.unexpected("`[`"));
        }
        let mut items = Vec::new();
        while self.peek() != Kind::ListClose || items.is_empty() {
            if self.peek() == Kind::ListClose || self.peek() == Kind::End {
                let expected = if items.is_empty() { what.to_owned() } else { format!("{what} or `]`") };
                return Err(self.unexpected(expected));
            }
            self.count_item()?;
            items.push(item(self)?);
            if self.take(Kind::Comma) && self.peek() == Kind::ListClose {
                return Err(self.unexpected(what));
            }
        }
        self.advance();
        Ok(items)
    }

    /// A MAC address, in the low 48 bits.
    pub(super) fn mac(&mut self) -> Parsed<u64> {
        let parsed = match self.peek() {
            Kind::Word(word) | Kind::Quoted(word) => parse_mac(word),
            _ => None,
        };
        let Some(mac) = parsed else {
            return Err(self.unexpected("a MAC address such as `00:00:5e:00:53:01`"));
        };
        self.advance();
        Ok(mac)
    }

    /// An ISO 8601 time, in Unix milliseconds; without a zone it is UTC.
    pub(super) fn time(&mut self) -> Parsed<u64> {
        let parsed = match self.peek() {
            Kind::Word(word) | Kind::Quoted(word) => parse_time(word),
            _ => None,
        };
        let Some(time) = parsed else {
            return Err(self.unexpected("a time since 1970 such as `2026-01-31T08:00:00Z`"));
        };
        self.advance();
        Ok(time)
    }
}

enum NumberError {
    NotANumber,
    TooLarge,
}

/// Decimal, `0x` hexadecimal, or decimal with one suffix.
fn parse_number(word: &str) -> Result<u64, NumberError> {
    let (digits, radix, factor) = match word.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&word[2..], 16, 1),
        [.., last] => {
            let factor = match last.to_ascii_lowercase() {
                b'k' => 1_000,
                b'm' => 1_000_000,
                b'g' => 1_000_000_000,
                b't' => 1_000_000_000_000,
                _ => 1,
            };
            (if factor == 1 { word } else { &word[..word.len() - 1] }, 10, factor)
        }
        [] => return Err(NumberError::NotANumber),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(NumberError::NotANumber);
    }
    let value = u64::from_str_radix(digits, radix).map_err(|_| NumberError::TooLarge)?;
    value.checked_mul(factor).ok_or(NumberError::TooLarge)
}

/// Whether a word reads as a number.
pub(super) fn is_number(word: &str) -> bool {
    !matches!(parse_number(word), Err(NumberError::NotANumber))
}

/// A host name has a letter and no colon; anything else was meant as an address.
fn is_host_name(word: &str) -> bool {
    word.len() <= 253
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

/// `10.1` stands for `10.1.0.0`.
fn short_address(word: &str) -> Option<IpAddr> {
    let mut octets = [0_u8; 4];
    let mut parts = word.split('.');
    for (octet, part) in octets.iter_mut().zip(&mut parts) {
        *octet = part.parse().ok()?;
    }
    parts.next().is_none().then(|| IpAddr::from(octets))
}

/// A network of IPv4-mapped addresses is the IPv4 network.
fn canonical_net(net: IpNet) -> IpNet {
    match net {
        IpNet::V6(v6) => mapped_net(v6).map_or(net, IpNet::V4),
        IpNet::V4(_) => net,
    }
}

fn mapped_net(net: Ipv6Net) -> Option<Ipv4Net> {
    let bits = net.prefix_len().checked_sub(96)?;
    Ipv4Net::new(net.addr().to_ipv4_mapped()?, bits).ok()
}

fn parse_mac(word: &str) -> Option<u64> {
    let mut mac = 0;
    let mut groups = 0;
    for group in word.split([':', '-']) {
        if group.is_empty() || group.len() > 2 {
            return None;
        }
        mac = mac << 8 | u64::from(u8::from_str_radix(group, 16).ok()?);
        groups += 1;
        if groups > 6 {
            return None;
        }
    }
    (groups == 6).then_some(mac)
}

fn parse_time(word: &str) -> Option<u64> {
    let timestamp = word.parse::<Timestamp>().ok().or_else(|| {
        let civil = word.parse::<civil::DateTime>().ok()?;
        TimeZone::UTC.to_timestamp(civil).ok()
    })?;
    u64::try_from(timestamp.as_millisecond()).ok()
}
