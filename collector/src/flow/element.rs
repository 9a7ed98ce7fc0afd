//! Names and values of information elements that have no column, from `netflow_parser`'s table of the registry.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::LazyLock;

use netflow_parser::FieldDataType as Type;
use netflow_parser::variable_versions::ipfix::lookup::{IANAIPFixField, ReverseInformationElement};

use super::row::Value;

/// RFC 5103: the same elements, of the other direction.
const REVERSE: u32 = 29_305;

/// The registry's end in the table.
const REGISTERED: u16 = 512;

/// The registered name; `<enterprise>.<id>` where there is none.
pub(super) fn name(enterprise: u32, element: u16) -> Cow<'static, str> {
    let names: Option<&'static Names> = match enterprise {
        0 => Some(&PLAIN),
        REVERSE => Some(&REVERSED),
        _ => None,
    };
    let name = names.and_then(|names| names.get(usize::from(element))).and_then(Option::as_deref);
    name.map_or_else(|| format!("{enterprise}.{element}").into(), Cow::Borrowed)
}

/// The bytes as what the registry says they are; as hexadecimal text where it says nothing. An empty value is
/// none.
pub(super) fn value(enterprise: u32, element: u16, bytes: &[u8]) -> Option<Value<'static>> {
    let kind = match enterprise {
        0 => Type::from(IANAIPFixField::from(element)),
        REVERSE => Type::from(ReverseInformationElement::from(element)),
        _ => Type::Unknown,
    };
    let value = typed(&kind, bytes).unwrap_or_else(|| Value::Text(hexadecimal(bytes).into()));
    let empty = bytes.is_empty() || matches!(&value, Value::Text(text) if text.is_empty());
    (!empty).then_some(value)
}

fn typed(kind: &Type, bytes: &[u8]) -> Option<Value<'static>> {
    Some(match kind {
        Type::Unknown | Type::Vec => return None,
        Type::String => Value::Text(text(bytes)?.into()),
        Type::Ip4Addr => Value::Address(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        Type::Ip6Addr => Value::Address(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        Type::MacAddr if bytes.len() == 6 => Value::Mac(unsigned(bytes)?),
        Type::MacAddr => return None,
        Type::SignedDataNumber => Value::Signed(signed(bytes)?),
        Type::Float64 => Value::Float(float(bytes)?),
        Type::ApplicationId => {
            let (engine, selector) = bytes.split_first()?;
            Value::Text(format!("{engine}:{}", unsigned(selector)?).into())
        }
        // All others are numbers: counters, enumerations, flags, times.
        _ => Value::Number(unsigned(bytes)?),
    })
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

/// Names by number.
type Names = Vec<Option<String>>;

static PLAIN: LazyLock<Names> =
    LazyLock::new(|| (0..REGISTERED).map(|number| registered(number, reverse(number).as_deref())).collect());

static REVERSED: LazyLock<Names> =
    LazyLock::new(|| (0..REGISTERED).map(|number| reverse(number).map(|name| lower_first(&name))).collect());

fn reverse(number: u16) -> Option<String> {
    match ReverseInformationElement::from(number) {
        ReverseInformationElement::Unknown(_) => None,
        element => Some(format!("{element:?}")),
    }
}

/// The table spells its plain names without inner capitals ("SourceIpv4address"), and those of the reverse
/// direction as they are registered; so the latter are taken where an element has a reverse.
fn registered(number: u16, reverse: Option<&str>) -> Option<String> {
    if let Some(name) = reverse.and_then(|name| name.strip_prefix("Reverse")) {
        return Some(lower_first(name));
    }
    if let Ok(at) = SPELLED.binary_search_by_key(&number, |(number, _)| *number) {
        return Some(SPELLED[at].1.to_owned());
    }
    match IANAIPFixField::from(number) {
        IANAIPFixField::Unknown(_) => None,
        element => Some(format!("{element:?}")),
    }
    .filter(|name| !name.starts_with("Assigned") && name != "Reserved")
    .map(|name| lower_first(&name))
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

/// Elements without a reverse whose names have capitals that the table lost (IANA's IPFIX registry).
const SPELLED: [(u16, &str); 22] = [
    (130, "exporterIPv4Address"),
    (131, "exporterIPv6Address"),
    (211, "collectorIPv4Address"),
    (212, "collectorIPv6Address"),
    (436, "mibObjectValueOID"),
    (438, "mibObjectValueIPAddress"),
    (449, "mibContextEngineID"),
    (455, "mobileIMSI"),
    (456, "mobileMSISDN"),
    (464, "internalAddressRealm"),
    (465, "externalAddressRealm"),
    (472, "maxBIBEntries"),
    (481, "globalAddressMappingHighThreshold"),
    (492, "srhFlagsIPv6"),
    (493, "srhTagIPv6"),
    (494, "srhSegmentIPv6"),
    (495, "srhActiveSegmentIPv6"),
    (496, "srhSegmentIPv6BasicList"),
    (497, "srhSegmentIPv6ListSection"),
    (498, "srhSegmentsIPv6Left"),
    (501, "srhSegmentIPv6LocatorLength"),
    (502, "srhSegmentIPv6EndpointBehavior"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_their_registered_names() {
        let named = [
            (8, "sourceIPv4Address"),
            (82, "interfaceName"),
            (130, "exporterIPv4Address"),
            (137, "commonPropertiesId"),
            (207, "ipv4IHL"),
            (225, "postNATSourceIPv4Address"),
            (436, "mibObjectValueOID"),
            (459, "httpRequestMethod"),
            (502, "srhSegmentIPv6EndpointBehavior"),
        ];
        for (number, expected) in named {
            assert_eq!(name(0, number), expected);
        }
        assert_eq!(name(REVERSE, 1), "reverseOctetDeltaCount");
        assert_eq!(
            (name(0, 105), name(0, 40_000), name(35_632, 80)),
            ("0.105".into(), "0.40000".into(), "35632.80".into())
        );
    }

    #[test]
    fn values_are_read_as_the_registry_types_them_and_else_shown_as_bytes() {
        let text = |text: &str| Some(Value::Text(text.to_owned().into()));
        assert_eq!(value(0, 82, b"eth0\0\0"), text("eth0"));
        assert_eq!((value(0, 82, b"\0\0"), value(35_632, 80, b"")), (None, None));
        assert_eq!(value(0, 82, &[0xff, 0xfe]), text("0xfffe"));
        assert_eq!(value(0, 33, &[0, 0, 17]), Some(Value::Number(17)));
        assert_eq!(value(0, 33, &[0; 9]), text("0x000000000000000000"));
        assert_eq!(value(0, 130, &[192, 0, 2, 1]), Some(Value::Address([192, 0, 2, 1].into())));
        assert_eq!(value(0, 434, &[0xff, 0xff]), Some(Value::Signed(-1)));
        assert_eq!(value(0, 320, &0.5_f64.to_be_bytes()), Some(Value::Float(0.5)));
        assert_eq!(value(35_632, 80, &[1, 2]), text("0x0102"));
    }
}
