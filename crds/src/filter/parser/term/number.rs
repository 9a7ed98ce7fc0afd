//! Terms that compare a number.

use super::Sided;
use crate::filter::ast::{Compare, Dir, NamedField, NumberField, Term};
use crate::filter::lexer::Kind;
use crate::filter::names;
use crate::filter::parser::{Parsed, Parser, value};

impl Parser<'_> {
    pub(super) fn number_term(&mut self, sided: Sided, field: NumberField) -> Parsed<Term> {
        let dir = self.only(sided, field.dirs(), &field.name())?;
        match field {
            NumberField::Port if self.take_word("in") => return self.port_in(dir),
            NumberField::As if self.take_word("in") => {
                return Ok(Term::NumberIn { field, dir, values: self.number_list(field)? });
            }
            NumberField::As if self.is_word("path") => return self.as_path(sided),
            NumberField::Interface => {
                if let Kind::Quoted(name) = self.peek() {
                    self.advance();
                    return Ok(Term::Named { field: NamedField::Interface, dir, name: name.to_owned() });
                }
            }
            NumberField::Flags => return self.flags(),
            NumberField::ForwardingStatus => return self.forwarding_status(),
            _ => {}
        }
        let compare = self.compare();
        Ok(Term::Number { field, dir, compare, value: self.number_for(field)? })
    }

    pub(super) fn port_in(&mut self, dir: Dir) -> Parsed<Term> {
        let block = self.is_word("pblock") || self.is_word("nat");
        if block {
            self.take_word("nat");
            self.expect_word("pblock")?;
            return Ok(Term::PortInBlock { dir });
        }
        let field = NumberField::Port;
        Ok(Term::NumberIn { field, dir, values: self.number_list(field)? })
    }

    pub(super) fn as_path(&mut self, sided: Sided) -> Parsed<Term> {
        self.only(sided, &[Dir::Either], "as path")?;
        self.advance();
        self.expect_word("contains")?;
        let number = self.number("the AS number", u64::from(u32::MAX))?;
        Ok(Term::AsPath(u32::try_from(number).unwrap_or(u32::MAX)))
    }

    pub(super) fn flags(&mut self) -> Parsed<Term> {
        let start = self.at;
        let compare = self.compare();
        match self.peek() {
            Kind::Word(word) if value::is_number(word) => {
                let field = NumberField::Flags;
                Ok(Term::Number { field, dir: Dir::Either, compare, value: self.number_for(field)? })
            }
            Kind::Word(letters) => {
                let Some(bits) = flag_bits(letters) else {
                    let error = self.unexpected("flags by their letters, of A F P R S U X E C, or a number");
                    let upper = letters.to_ascii_uppercase();
                    return Err(match flag_bits(&upper) {
                        Some(_) => error.hinting(format!("flag letters are upper case: `{upper}`")),
                        None => error,
                    });
                };
                let exact = start != self.at;
                if exact && compare != Compare::Eq {
                    return Err(self.error("letters of flags can only be compared with `=`"));
                }
                self.advance();
                Ok(if exact { Term::FlagsExactly(bits) } else { Term::Flags(bits) })
            }
            _ => Err(self.unexpected("flags by their letters, of A F P R S U X E C, or a number")),
        }
    }

    pub(super) fn forwarding_status(&mut self) -> Parsed<Term> {
        let start = self.at;
        let compare = self.compare();
        if let Kind::Word(word) = self.peek()
            && let Some((name, ..)) = names::forwarding_status(word)
        {
            if start != self.at && compare != Compare::Eq {
                return Err(self.error("a name of the forwarding status can only be compared with `=`"));
            }
            self.advance();
            return Ok(Term::ForwardingStatus(name));
        }
        let field = NumberField::ForwardingStatus;
        match self.peek() {
            Kind::Word(word) if value::is_number(word) => {
                Ok(Term::Number { field, dir: Dir::Either, compare, value: self.number_for(field)? })
            }
            _ => {
                let known: Vec<_> = names::FORWARDING_STATUS.iter().map(|(name, ..)| *name).collect();
                Err(self.unexpected(format!("a number, or one of {}", known.join(" "))))
            }
        }
    }

    /// A number that was given by its name, or else is given as a number.
    pub(super) fn named_number(
        &mut self,
        field: NumberField,
        compare: Compare,
        named: Option<u64>,
    ) -> Parsed<Term> {
        let value = match named {
            Some(value) => {
                self.advance();
                value
            }
            None => self.number_for(field)?,
        };
        Ok(Term::Number { field, dir: Dir::Either, compare, value })
    }

    pub(super) fn port_block(&mut self) -> Parsed<Term> {
        let field = match self.word("`start`, `end`, `step` or `size`")?.to_ascii_lowercase().as_str() {
            "start" => NumberField::BlockStart,
            "end" => NumberField::BlockEnd,
            "step" => NumberField::BlockStep,
            "size" => NumberField::BlockSize,
            _ => {
                self.at -= 1;
                return Err(self.unexpected("`start`, `end`, `step` or `size`"));
            }
        };
        let compare = self.compare();
        Ok(Term::Number { field, dir: Dir::Either, compare, value: self.number_for(field)? })
    }

    pub(super) fn two_word_number(&mut self, word: &str) -> Parsed<Option<Term>> {
        let choices: &[(&str, NumberField)] = match word {
            "icmp" => &[("type", NumberField::IcmpType), ("code", NumberField::IcmpCode)],
            "engine" => &[("type", NumberField::EngineType), ("id", NumberField::EngineId)],
            "exporter" => &[("id", NumberField::ExporterId)],
            "min" => &[("ttl", NumberField::MinTtl)],
            "max" => &[("ttl", NumberField::MaxTtl)],
            "client" => &[("latency", NumberField::ClientLatency)],
            "server" => &[("latency", NumberField::ServerLatency)],
            "app" => &[("latency", NumberField::AppLatency)],
            "observation" => {
                &[("domain", NumberField::ObservationDomain), ("point", NumberField::ObservationPoint)]
            }
            _ => return Ok(None),
        };
        let Some((_, field)) = choices.iter().find(|(second, _)| self.take_word(second)) else {
            let words: Vec<_> = choices.iter().map(|(second, _)| format!("`{second}`")).collect();
            let error = self.unexpected(words.join(" or "));
            return Err(if word == "icmp" { error.hinting("the protocol is `proto icmp`") } else { error });
        };
        if word == "observation" {
            self.expect_word("id")?;
        }
        let compare = self.compare();
        let value = self.number_for(*field)?;
        Ok(Some(Term::Number { field: *field, dir: Dir::Either, compare, value }))
    }

    pub(super) fn mpls(&mut self) -> Parsed<Term> {
        let expected = "`label1` to `label10`, `exp1` to `exp10`, `eos` or `any`";
        let Kind::Word(word) = self.peek() else {
            return Err(self.unexpected(expected));
        };
        let Some(field) = mpls_field(&word.to_ascii_lowercase()) else {
            return Err(self.unexpected(expected));
        };
        self.advance();
        let compare = self.compare();
        Ok(Term::Number { field, dir: Dir::Either, compare, value: self.number_for(field)? })
    }
}

/// The numbers that one word names.
pub(super) fn simple_number(word: &str) -> Option<NumberField> {
    Some(match word {
        "packets" => NumberField::Packets,
        "bytes" => NumberField::Bytes,
        "flows" => NumberField::Flows,
        "pps" => NumberField::Pps,
        "bps" => NumberField::Bps,
        "bpp" => NumberField::Bpp,
        "duration" => NumberField::Duration,
        "count" => NumberField::Count,
        "port" => NumberField::Port,
        "as" => NumberField::As,
        "mask" => NumberField::Mask,
        "if" => NumberField::Interface,
        "vlan" => NumberField::Vlan,
        "tos" => NumberField::Tos,
        "flags" => NumberField::Flags,
        "icmp-type" => NumberField::IcmpType,
        "icmp-code" => NumberField::IcmpCode,
        "fwdstat" => NumberField::ForwardingStatus,
        "engine-type" => NumberField::EngineType,
        "engine-id" => NumberField::EngineId,
        "sysid" => NumberField::ExporterId,
        "ethertype" => NumberField::EtherType,
        "xport" | "nport" => NumberField::NatPort,
        "acl" => NumberField::Acl,
        "ace" => NumberField::Ace,
        "xace" => NumberField::Xace,
        "vrf" => NumberField::Vrf,
        _ => return None,
    })
}

fn mpls_field(word: &str) -> Option<NumberField> {
    let place = |digits: &str| {
        digits.parse().ok().filter(|place| (1..=10).contains(place) && !digits.starts_with(['0', '+']))
    };
    match word {
        "eos" => Some(NumberField::MplsEos),
        "any" => Some(NumberField::MplsAny),
        _ => match (word.strip_prefix("label"), word.strip_prefix("exp")) {
            (Some(digits), _) => place(digits).map(NumberField::MplsLabel),
            (_, Some(digits)) => place(digits).map(NumberField::MplsExp),
            _ => None,
        },
    }
}

/// The bits of flag letters, each at most once in effect.
fn flag_bits(letters: &str) -> Option<u8> {
    let bit = |letter| match letter {
        'X' => Some(0x3f),
        _ => names::TCP_FLAGS.iter().find(|(known, _)| *known == letter).map(|(_, bit)| *bit),
    };
    letters.chars().try_fold(0, |bits, letter| Some(bits | bit(letter)?))
}
