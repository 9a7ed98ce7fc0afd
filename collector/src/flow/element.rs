//! Names and values of information elements that have no column: IANA's by its registry, their reverses by RFC
//! 5103, a vendor's by what the exporter itself told of it (RFC 5610).

mod registry;

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;

use super::row::Value;
use registry::ELEMENTS;

/// RFC 5103: the same elements, of the other direction.
const REVERSE: u32 = 29_305;
/// applicationId, an octetArray by type, has a form of its own (RFC 6759).
const APPLICATION: u16 = 95;

/// An abstract data type (RFC 7012, 3.1), as far as it decides how a value is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abstract {
    Octets,
    Unsigned,
    Signed,
    Float,
    Boolean,
    Mac,
    Text,
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
    V4,
    V6,
    List,
}

impl Abstract {
    /// By its number in IANA's registry of data types (RFC 5610, 3.1).
    pub(super) const fn numbered(number: u8) -> Self {
        match number {
            1..=4 => Self::Unsigned,
            5..=8 => Self::Signed,
            9 | 10 => Self::Float,
            11 => Self::Boolean,
            12 => Self::Mac,
            13 => Self::Text,
            14 => Self::Seconds,
            15 => Self::Milliseconds,
            16 => Self::Microseconds,
            17 => Self::Nanoseconds,
            18 => Self::V4,
            19 => Self::V6,
            20..=22 => Self::List,
            _ => Self::Octets,
        }
    }
}

/// Whether the element is structured data (RFC 6313): a list, which may hold lists.
pub fn is_structured(enterprise: u32, element: u16) -> bool {
    enterprise == 0 && registered(element).is_some_and(|(_, kind)| kind == Abstract::List)
}

/// The registered name; `<enterprise>.<id>` where there is none.
pub(super) fn name(enterprise: u32, element: u16) -> Cow<'static, str> {
    match (enterprise, registered(element)) {
        (0, Some((name, _))) => name.into(),
        (REVERSE, Some((name, _))) => reversed(name).into(),
        _ => format!("{enterprise}.{element}").into(),
    }
}

/// The bytes as what the registry says they are; as hexadecimal text where it says nothing. An empty value is
/// none.
pub(super) fn value(enterprise: u32, element: u16, bytes: &[u8]) -> Option<Value<'static>> {
    if (enterprise, element) == (0, APPLICATION) {
        return application(bytes).or_else(|| typed(Abstract::Octets, bytes));
    }
    let known = registered(element).filter(|_| matches!(enterprise, 0 | REVERSE));
    typed(known.map_or(Abstract::Octets, |(_, kind)| kind), bytes)
}

/// The bytes as what a type says they are; as hexadecimal text where they cannot be that.
pub(super) fn typed(kind: Abstract, bytes: &[u8]) -> Option<Value<'static>> {
    let value = read(kind, bytes).unwrap_or_else(|| Value::Text(hexadecimal(bytes).into()));
    let empty = bytes.is_empty() || matches!(&value, Value::Text(text) if text.is_empty());
    (!empty).then_some(value)
}

fn registered(element: u16) -> Option<(&'static str, Abstract)> {
    let at = ELEMENTS.binary_search_by_key(&element, |(number, ..)| *number).ok()?;
    ELEMENTS.get(at).map(|(_, name, kind)| (*name, *kind))
}

/// RFC 5103, 6.1: `reverse` and the name with a capital first.
fn reversed(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    "reverse".chars().chain(first).chain(letters).collect()
}

fn read(kind: Abstract, bytes: &[u8]) -> Option<Value<'static>> {
    Some(match kind {
        Abstract::Octets | Abstract::List => return None,
        Abstract::Unsigned => Value::Number(unsigned(bytes)?),
        Abstract::Signed => Value::Signed(signed(bytes)?),
        Abstract::Float => Value::Float(float(bytes)?),
        Abstract::Boolean => Value::Boolean(boolean(bytes)?),
        Abstract::Mac => Value::Mac(unsigned(<&[u8; 6]>::try_from(bytes).ok()?)?),
        Abstract::Text => Value::Text(text(bytes)?.into()),
        Abstract::V4 => Value::Address(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        Abstract::V6 => Value::Address(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        Abstract::Seconds | Abstract::Milliseconds | Abstract::Microseconds | Abstract::Nanoseconds => {
            Value::Text(time(kind, bytes)?.into())
        }
    })
}

fn application(bytes: &[u8]) -> Option<Value<'static>> {
    let (engine, selector) = bytes.split_first()?;
    Some(Value::Text(format!("{engine}:{}", unsigned(selector)?).into()))
}

/// Reduced-size encoding (RFC 7011, 6.2): any length up to 8.
fn unsigned(bytes: &[u8]) -> Option<u64> {
    let fits = (1..=8).contains(&bytes.len());
    fits.then(|| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn signed(bytes: &[u8]) -> Option<i64> {
    let unused = 64 - 8 * u32::try_from(bytes.len()).ok()?.min(8);
    Some((unsigned(bytes)? << unused).cast_signed() >> unused)
}

fn float(bytes: &[u8]) -> Option<f64> {
    let number = match bytes.len() {
        4 => f64::from(f32::from_be_bytes(bytes.try_into().ok()?)),
        8 => f64::from_be_bytes(bytes.try_into().ok()?),
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// 1 is true, 2 is false (RFC 7011, 6.1.5).
fn boolean(bytes: &[u8]) -> Option<bool> {
    match unsigned(bytes)? {
        1 => Some(true),
        2 => Some(false),
        _ => None,
    }
}

/// Seconds from NTP's epoch, 1900, to Unix'.
const NTP: i64 = 2_208_988_800;

/// RFC 3339, in UTC, as precise as the type (RFC 7011, 6.1.7 to 6.1.10).
fn time(kind: Abstract, bytes: &[u8]) -> Option<String> {
    let number = unsigned(bytes)?;
    match (kind, bytes.len()) {
        (Abstract::Seconds, 4) => Timestamp::from_second(number.cast_signed()).ok().map(|at| at.to_string()),
        (Abstract::Milliseconds, 8) => {
            Timestamp::from_millisecond(number.cast_signed()).ok().map(|at| format!("{at:.3}"))
        }
        (Abstract::Microseconds | Abstract::Nanoseconds, 8) => {
            let (seconds, fraction) = ((number >> 32).cast_signed(), number & 0xffff_ffff);
            // Seconds below 2^31 belong to the era that begins in 2036 (RFC 4330, 3).
            let era = if seconds < 1 << 31 { 1 << 32 } else { 0 };
            let nanoseconds = i32::try_from((fraction * 1_000_000_000) >> 32).ok()?;
            let at = Timestamp::new(seconds + era - NTP, nanoseconds).ok()?;
            Some(if kind == Abstract::Microseconds { format!("{at:.6}") } else { format!("{at:.9}") })
        }
        _ => Some(number.to_string()),
    }
}

/// Text, without the zeros that fixed-length fields are filled with; `None` when it is none.
fn text(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    let text = std::str::from_utf8(bytes.get(..end)?).ok()?;
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("0x");
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests;
