//! Template and options template records as they stand on the wire (RFC 7011, 3.4; RFC 3954, 5.2 and 6.1).
//!
//! The walk that checks counts and lengths also yields the fields, and takes what exporters really send:
//! variable lengths in NetFlow v9, field type 0, empty scopes.

use super::reader::Reader;
use crate::flow::Protocol;

/// A field length that says "variable" (RFC 7011, 7).
pub(super) const VARIABLE: u16 = u16::MAX;
/// The enterprise number under which v9's scope types stand: no IANA number is that high.
pub(super) const V9_SCOPE: u32 = u32::MAX;
/// Templates of more fields than this are refused.
pub(super) const MOST_FIELDS: usize = 1024;
/// The enterprise bit of an IPFIX field specifier.
const ENTERPRISE: u16 = 0x8000;

/// One field specifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Private enterprise number; 0 for IANA's, [`V9_SCOPE`] for v9's scope types.
    pub(super) enterprise: u32,
    /// Information element, field type or scope type.
    pub(super) element: u16,
    /// Bytes, or [`VARIABLE`].
    pub(super) length: u16,
}

/// What a template set may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Templates of flow records.
    Data,
    /// Templates of options records, whose first fields are the scope.
    Options,
}

/// One record of a template set; the fields themselves stand in the reader's scratch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Definition {
    /// A template of this number, whose first `scope` fields are its scope.
    Template { id: u16, scope: u16 },
    /// IPFIX: this template is no more; an id of 2 or 3 means all of that kind.
    Withdrawal { id: u16 },
    /// More fields than [`MOST_FIELDS`], or records longer than a datagram.
    TooLarge { id: u16 },
}

/// What cannot be read as a template: the rest of the set is lost with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Reads the next record of a template set into `fields`; `None` at the end, where only padding is left.
pub(super) fn next(
    reader: &mut Reader<'_>,
    protocol: Protocol,
    kind: Kind,
    fields: &mut Vec<Field>,
) -> Result<Option<Definition>, Malformed> {
    if reader.len() < 4 || padding(reader.rest()) {
        return Ok(None);
    }
    fields.clear();
    let id = reader.u16().ok_or(Malformed)?;
    let definition = match (protocol, kind) {
        (Protocol::NetFlow9, Kind::Options) => v9_options(reader, id, fields),
        (Protocol::NetFlow9, Kind::Data) => counted(reader, id, false, fields),
        (_, kind) => ipfix(reader, id, kind, fields),
    };
    let definition = definition.ok_or(Malformed)?;
    check(definition, fields).map(Some)
}

fn padding(rest: &[u8]) -> bool {
    rest.iter().all(|byte| *byte == 0)
}

fn ipfix(reader: &mut Reader<'_>, id: u16, kind: Kind, fields: &mut Vec<Field>) -> Option<Definition> {
    let mut ahead = *reader;
    if ahead.u16()? == 0 {
        reader.u16()?;
        return Some(Definition::Withdrawal { id });
    }
    match kind {
        Kind::Data => counted(reader, id, true, fields),
        Kind::Options => {
            let count = reader.u16()?;
            let scope = reader.u16()?;
            specifiers(reader, usize::from(count), true, fields)?;
            (scope <= count).then_some(options_template(id, scope))
        }
    }
}

fn counted(
    reader: &mut Reader<'_>,
    id: u16,
    enterprises: bool,
    fields: &mut Vec<Field>,
) -> Option<Definition> {
    let count = usize::from(reader.u16()?);
    specifiers(reader, count, enterprises, fields)?;
    Some(Definition::Template { id, scope: 0 })
}

fn v9_options(reader: &mut Reader<'_>, id: u16, fields: &mut Vec<Field>) -> Option<Definition> {
    let scope = usize::from(reader.u16()?) / 4;
    let options = usize::from(reader.u16()?) / 4;
    specifiers(reader, scope, false, fields)?;
    for field in fields.iter_mut() {
        field.enterprise = V9_SCOPE;
    }
    specifiers(reader, options, false, fields)?;
    Some(options_template(id, u16::try_from(scope).ok()?))
}

/// Exporters send options templates without any scope, which RFC 7011, 3.4.2.1, forbids. Nothing but a scope
/// tells options from flows later, so that the first field counts as one.
fn options_template(id: u16, scope: u16) -> Definition {
    Definition::Template { id, scope: scope.max(1) }
}

/// Reads `count` field specifiers; past [`MOST_FIELDS`] they are passed over.
fn specifiers(
    reader: &mut Reader<'_>,
    count: usize,
    enterprises: bool,
    fields: &mut Vec<Field>,
) -> Option<()> {
    for _ in 0..count {
        let mut element = reader.u16()?;
        let length = reader.u16()?;
        let mut enterprise = 0;
        if enterprises && element & ENTERPRISE != 0 {
            element &= !ENTERPRISE;
            enterprise = reader.u32()?;
        }
        if fields.len() <= MOST_FIELDS {
            fields.push(Field { enterprise, element, length });
        }
    }
    Some(())
}

/// Whether fields that were written down once may be compiled.
pub(super) fn is_sound(id: u16, scope: u16, fields: &[Field]) -> bool {
    let checked = check(Definition::Template { id, scope }, fields);
    usize::from(scope) <= fields.len() && matches!(checked, Ok(Definition::Template { .. }))
}

fn check(definition: Definition, fields: &[Field]) -> Result<Definition, Malformed> {
    let Definition::Template { id, .. } = definition else { return Ok(definition) };
    let shortest: usize = fields.iter().map(|field| shortest(*field)).sum();
    if id < 256 || shortest == 0 {
        return Err(Malformed);
    }
    let large = fields.len() > MOST_FIELDS || shortest > usize::from(u16::MAX);
    Ok(if large { Definition::TooLarge { id } } else { definition })
}

/// The fewest bytes that a field takes: a variable one has at least its length byte.
fn shortest(field: Field) -> usize {
    if field.length == VARIABLE { 1 } else { usize::from(field.length) }
}
