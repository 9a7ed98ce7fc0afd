//! Terms without a direction that are no simple numbers.

use crate::filter::ast::{AddressField, Compare, Dir, Family, NamedField, NumberField, PayloadTest, Term};
use crate::filter::error::FilterError;
use crate::filter::lexer::Kind;
use crate::filter::names;
use crate::filter::parser::{Parsed, Parser, value};

impl Parser<'_> {
    /// Terms without a direction, beside the simple numbers.
    pub(super) fn plain_term(&mut self, word: &str) -> Parsed<Option<Term>> {
        let term = match word {
            "any" => Term::Any,
            "ident" => Term::Ident(self.text("the name of a source")?.to_owned()),
            "ipv4" | "inet" => Term::Family(Family::V4),
            "ipv6" | "inet6" => Term::Family(Family::V6),
            "proto" => Term::Proto(self.protocol()?),
            "tun" => {
                self.expect_word("proto")?;
                Term::TunnelProto(self.protocol()?)
            }
            "flowdir" | "dir" => self.flow_direction()?,
            "first" | "last" => {
                self.expect_word("seen")?;
                let compare = self.compare();
                Term::Seen { last: word == "last", compare, at_ms: self.time()? }
            }
            "bgpnext" => self.routed_address(AddressField::BgpNextHop)?,
            "bgp" => {
                self.expect_word("next")?;
                self.routed_address(AddressField::BgpNextHop)?
            }
            "router" => self.routed_address(AddressField::Exporter)?,
            "exporter" if self.is_word("ip") => self.routed_address(AddressField::Exporter)?,
            "asa" => self.asa()?,
            "mpls" => self.mpls()?,
            "payload" => self.payload()?,
            "pblock" => self.port_block()?,
            "node" => self.plain_name(NamedField::Node)?,
            "network" => self.plain_name(NamedField::Network)?,
            "tag" => self.tag()?,
            "threat" => self.threat(),
            "community" => self.community()?,
            _ => return self.two_word_number(word),
        };
        Ok(Some(term))
    }

    pub(super) fn protocol(&mut self) -> Parsed<u8> {
        let compare_at = self.span();
        if self.compare() != Compare::Eq {
            return Err(FilterError::at(self.text, compare_at, "a protocol can only be compared with `=`")
                .hinting("write `not proto X`"));
        }
        match self.peek() {
            Kind::Word(word) | Kind::Quoted(word) => {
                if let Some(number) = names::protocol(word) {
                    self.advance();
                    return Ok(number);
                }
                if !value::is_number(word) {
                    return Err(self.unexpected("a protocol's number or name, such as `tcp`"));
                }
                let number = self.number("`proto`", 255)?;
                Ok(u8::try_from(number).unwrap_or(u8::MAX))
            }
            _ => Err(self.unexpected("a protocol's number or name, such as `tcp`")),
        }
    }

    pub(super) fn flow_direction(&mut self) -> Parsed<Term> {
        let egress = match self.peek() {
            Kind::Word(word) => match word.to_ascii_lowercase().as_str() {
                "ingress" | "0" => false,
                "egress" | "1" => true,
                _ => return Err(self.unexpected("`ingress`, `egress`, `0` or `1`")),
            },
            _ => return Err(self.unexpected("`ingress`, `egress`, `0` or `1`")),
        };
        self.advance();
        Ok(Term::Direction { egress })
    }

    pub(super) fn routed_address(&mut self, field: AddressField) -> Parsed<Term> {
        self.expect_word("ip")?;
        self.address(Dir::Either, field)
    }

    pub(super) fn asa(&mut self) -> Parsed<Term> {
        if self.take_word("xevent") {
            let compare = self.compare();
            return self.named_number(NumberField::AsaXevent, compare, None);
        }
        if !self.take_word("event") {
            return Err(self.unexpected("`event` or `xevent`"));
        }
        if self.take_word("denied") {
            let Kind::Word(word) = self.peek() else {
                return Err(self.unexpected("`ingress`, `egress`, `interface` or `nosyn`"));
            };
            let Some((_, code)) = names::ASA_DENIED.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))
            else {
                return Err(self.unexpected("`ingress`, `egress`, `interface` or `nosyn`"));
            };
            return self.named_number(NumberField::AsaXevent, Compare::Eq, Some(u64::from(*code)));
        }
        let compare = self.compare();
        let named = match self.peek() {
            Kind::Word(word) => names::ASA_EVENTS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)),
            _ => None,
        };
        self.named_number(NumberField::AsaEvent, compare, named.map(|(_, number)| u64::from(*number)))
    }

    pub(super) fn payload(&mut self) -> Parsed<Term> {
        let test = match () {
            () if self.take_word("content") => PayloadTest::Content,
            () if self.take_word("regex") => PayloadTest::Regex,
            () => return Err(self.unexpected("`content` or `regex`")),
        };
        Ok(Term::Payload { test, text: self.text("the text to look for")?.to_owned() })
    }

    pub(super) fn plain_name(&mut self, field: NamedField) -> Parsed<Term> {
        Ok(Term::Named { field, dir: Dir::Either, name: self.text("a name")?.to_owned() })
    }

    pub(super) fn tag(&mut self) -> Parsed<Term> {
        let key = self.text("a tag as `KEY=VALUE`")?.to_owned();
        if self.peek() != Kind::Compare(Compare::Eq) {
            return Err(self.unexpected("`=` and the tag's value"));
        }
        self.advance();
        Ok(Term::Tag { key, value: self.text("the tag's value")?.to_owned() })
    }

    pub(super) fn threat(&mut self) -> Term {
        let list = match self.peek() {
            Kind::Quoted(list) => Some(list),
            Kind::Word(word) if !["and", "or", "not"].iter().any(|op| word.eq_ignore_ascii_case(op)) => {
                Some(word)
            }
            _ => None,
        };
        if list.is_some() {
            self.advance();
        }
        Term::Threat(list.map(str::to_owned))
    }

    pub(super) fn community(&mut self) -> Parsed<Term> {
        let parsed = match self.peek() {
            Kind::Word(word) => {
                word.split_once(':').and_then(|(high, low)| Some((high.parse().ok()?, low.parse().ok()?)))
            }
            _ => None,
        };
        let Some((high, low)) = parsed else {
            return Err(self.unexpected("a community such as `64496:100`"));
        };
        self.advance();
        Ok(Term::Community(high, low))
    }
}
