//! The terms of the language, one function for each family of forms.

mod number;
mod plain;

use super::{Parsed, Parser};
use crate::filter::ast::{AddressField, Dir, NamedField, NumberField, SIDES, Term, WAYS};
use crate::filter::error::{FilterError, Span};
use crate::filter::lexer::Kind;
use crate::filter::names;

/// A direction and where it stood; `Either` stands nowhere.
#[derive(Clone, Copy)]
struct Sided {
    dir: Dir,
    span: Span,
}

impl Parser<'_> {
    pub(super) fn term(&mut self) -> Parsed<Term> {
        let sided = self.direction();
        let Kind::Word(word) = self.peek() else {
            return Err(if sided.dir == Dir::Either {
                self.no_term()
            } else {
                self.no_field(sided.dir.word())
            });
        };
        let word = word.to_ascii_lowercase();
        let start = self.at;
        self.advance();
        if let Some(field) = number::simple_number(&word) {
            return self.number_term(sided, field);
        }
        if let Some(term) = self.sided_term(&word, sided)? {
            return Ok(term);
        }
        if sided.dir != Dir::Either {
            self.at = start;
            return Err(self.no_field(sided.dir.word()));
        }
        match self.plain_term(&word)? {
            Some(term) => Ok(term),
            None => {
                self.at = start;
                Err(self.no_term())
            }
        }
    }

    fn direction(&mut self) -> Sided {
        let start = self.span();
        let dir = self.direction_word();
        Sided { dir, span: if dir == Dir::Either { start } else { start.to(self.previous_span()) } }
    }

    fn direction_word(&mut self) -> Dir {
        if self.take_word("src") {
            return self.src_and_dst();
        }
        for (word, dir, with_src, with_dst) in
            [("in", Dir::In, Dir::InSrc, Dir::InDst), ("out", Dir::Out, Dir::OutSrc, Dir::OutDst)]
        {
            if self.take_word(word) {
                return match () {
                    () if self.take_word("src") => with_src,
                    () if self.take_word("dst") => with_dst,
                    () => dir,
                };
            }
        }
        const WORDS: [(&str, Dir); 6] = [
            ("dst", Dir::Dst),
            ("prev", Dir::Prev),
            ("previous", Dir::Prev),
            ("next", Dir::Next),
            ("ingress", Dir::Ingress),
            ("egress", Dir::Egress),
        ];
        WORDS.iter().find(|(word, _)| self.take_word(word)).map_or(Dir::Either, |(_, dir)| *dir)
    }

    /// `src`, `src or dst`, `src and dst`.
    fn src_and_dst(&mut self) -> Dir {
        let joined = match self.peek_second() {
            Kind::Word(word) if word.eq_ignore_ascii_case("dst") => match self.peek() {
                Kind::Or => Some(Dir::Either),
                Kind::And => Some(Dir::SrcAndDst),
                _ if self.is_word("or") => Some(Dir::Either),
                _ if self.is_word("and") => Some(Dir::SrcAndDst),
                _ => None,
            },
            _ => None,
        };
        if joined.is_some() {
            self.advance();
            self.advance();
        }
        joined.unwrap_or(Dir::Src)
    }

    /// The direction, if it is one of those allowed.
    fn only(&self, sided: Sided, allowed: &[Dir], what: &str) -> Parsed<Dir> {
        if allowed.contains(&sided.dir) {
            return Ok(sided.dir);
        }
        let words: Vec<_> = allowed
            .iter()
            .filter(|dir| **dir != Dir::Either)
            .map(|dir| format!("`{}`", dir.word()))
            .collect();
        let accepted = match (words.is_empty(), allowed.contains(&Dir::Either)) {
            (true, _) => "no direction".to_owned(),
            (false, true) => format!("{} or no direction", words.join(", ")),
            (false, false) => words.join(" or "),
        };
        let problem = match sided.dir {
            Dir::Either => format!("`{what}` needs a direction"),
            dir => format!("`{what}` does not take `{}`", dir.word()),
        };
        Err(FilterError::at(self.text, sided.span, problem).expecting(accepted))
    }

    /// Terms that may have a direction, beside the simple numbers.
    fn sided_term(&mut self, word: &str, sided: Sided) -> Parsed<Option<Term>> {
        let term = match word {
            "ip" | "host" if sided.dir == Dir::Next => self.address(Dir::Either, AddressField::NextHop)?,
            "ip" | "host" => self.address(self.only(sided, SIDES, "ip")?, AddressField::Ip)?,
            "net" => self.network(self.only(sided, SIDES, "net")?, AddressField::Ip)?,
            "tunip" => self.address(self.only(sided, SIDES, "tun ip")?, AddressField::Tunnel)?,
            "xip" | "nip" => self.address(self.only(sided, SIDES, "nat ip")?, AddressField::Nat)?,
            "xnet" => self.network(self.only(sided, SIDES, "xnet")?, AddressField::Nat)?,
            "tun" if !self.is_word("proto") => {
                let dir = self.only(sided, SIDES, "tun ip")?;
                self.expect_word("ip")?;
                self.address(dir, AddressField::Tunnel)?
            }
            "nat" => self.nat(sided)?,
            "mac" => self.mac_term(sided)?,
            "geo" | "country" => self.country(sided)?,
            "boundary" => self.boundary(sided)?,
            "namespace" => self.sided_name(sided, NamedField::Namespace)?,
            "pod" => self.sided_name(sided, NamedField::Pod)?,
            "workload" => self.sided_name(sided, NamedField::Workload)?,
            "service" => self.sided_name(sided, NamedField::Service)?,
            _ => return Ok(None),
        };
        Ok(Some(term))
    }

    fn sided_name(&mut self, sided: Sided, field: NamedField) -> Parsed<Term> {
        let dir = self.only(sided, SIDES, field.word())?;
        Ok(Term::Named { field, dir, name: self.text("a name")?.to_owned() })
    }

    fn address(&mut self, dir: Dir, field: AddressField) -> Parsed<Term> {
        if self.is_word("not") {
            return Err(self.unexpected("an address").hinting("write `not ip ...`"));
        }
        if self.is_word("in") && self.peek_second() == Kind::ListOpen {
            self.advance();
            return Ok(Term::AddressIn { field, dir, nets: self.net_list()? });
        }
        Ok(Term::Address { field, dir, host: self.host()? })
    }

    fn network(&mut self, dir: Dir, field: AddressField) -> Parsed<Term> {
        Ok(Term::Net { field, dir, net: self.net()? })
    }

    fn nat(&mut self, sided: Sided) -> Parsed<Term> {
        if self.take_word("ip") {
            let dir = self.only(sided, SIDES, "nat ip")?;
            return self.address(dir, AddressField::Nat);
        }
        if self.take_word("net") {
            let dir = self.only(sided, SIDES, "nat net")?;
            return Ok(Term::Net { field: AddressField::Nat, dir, net: self.net()? });
        }
        if self.take_word("port") {
            return self.number_term(sided, NumberField::NatPort);
        }
        self.only(sided, &[Dir::Either], "nat")?;
        if self.take_word("pblock") {
            return self.port_block();
        }
        if !self.take_word("event") {
            return Err(self.unexpected("`ip`, `net`, `port`, `event` or `pblock`"));
        }
        let compare = self.compare();
        let number = match self.peek() {
            Kind::Word(word) => names::NAT_EVENTS.iter().position(|name| name.eq_ignore_ascii_case(word)),
            _ => None,
        };
        self.named_number(NumberField::NatEvent, compare, number.map(|number| number as u64))
    }

    fn mac_term(&mut self, sided: Sided) -> Parsed<Term> {
        const ALLOWED: &[Dir] = &[
            Dir::Either,
            Dir::Src,
            Dir::Dst,
            Dir::In,
            Dir::Out,
            Dir::InSrc,
            Dir::InDst,
            Dir::OutSrc,
            Dir::OutDst,
        ];
        let dir = self.only(sided, ALLOWED, "mac")?;
        Ok(Term::Mac { dir, mac: self.mac()? })
    }

    fn country(&mut self, sided: Sided) -> Parsed<Term> {
        let dir = self.only(sided, SIDES, "geo")?;
        match self.peek() {
            Kind::Word(code) | Kind::Quoted(code)
                if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
            {
                self.advance();
                Ok(Term::Country { dir, code: code.to_ascii_uppercase() })
            }
            _ => Err(self.unexpected("a country's two letters")),
        }
    }

    fn boundary(&mut self, sided: Sided) -> Parsed<Term> {
        let dir = self.only(sided, &WAYS[1..], "boundary")?;
        let external = self.is_word("external");
        if !external && !self.is_word("internal") {
            return Err(self.unexpected("`external` or `internal`"));
        }
        self.advance();
        Ok(Term::Boundary { dir, external })
    }
}
