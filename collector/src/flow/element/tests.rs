//! The table beside another one of the same registry, and values in each abstract type.

use netflow_parser::FieldDataType as Type;
use netflow_parser::variable_versions::ipfix::lookup::{IANAIPFixField, ReverseInformationElement};

use super::*;

fn shown(text: &str) -> Option<Value<'static>> {
    Some(Value::Text(text.to_owned().into()))
}

#[test]
fn elements_have_their_registered_names() {
    let named = [
        (8, "sourceIPv4Address"),
        (82, "interfaceName"),
        (236, "VRFname"),
        (295, "IPSecSPI"),
        (436, "mibObjectValueOID"),
        (533, "pathDelaySumDeltaMicroseconds"),
    ];
    for (number, expected) in named {
        assert_eq!(name(0, number), expected);
    }
    assert_eq!(name(REVERSE, 1), "reverseOctetDeltaCount");
    for (enterprise, element) in [(0, 0), (0, 105), (0, 40_000), (35_632, 80), (REVERSE, 105)] {
        assert_eq!(name(enterprise, element), format!("{enterprise}.{element}"));
    }
}

#[test]
fn the_table_is_sorted_and_names_what_netflow_parser_names() {
    assert!(ELEMENTS.is_sorted_by(|(before, ..), (after, ..)| before < after));
    for number in 1..=512 {
        let theirs = format!("{:?}", IANAIPFixField::from(number));
        if theirs.starts_with("Assigned") || theirs.starts_with("Unknown") || theirs == "Reserved" {
            continue;
        }
        assert_eq!(name(0, number).to_ascii_lowercase(), theirs.to_ascii_lowercase(), "{number}");
    }
}

#[test]
fn reverse_elements_are_named_as_netflow_parser_names_them() {
    let named = (1..=512).filter(|number| {
        let theirs = ReverseInformationElement::from(*number);
        let is_known = !matches!(theirs, ReverseInformationElement::Unknown(_));
        if is_known {
            let theirs = format!("{theirs:?}").to_ascii_lowercase();
            assert_eq!(name(REVERSE, *number).to_ascii_lowercase(), theirs, "{number}");
        }
        is_known
    });
    assert!(named.count() > 200);
}

#[test]
fn addresses_texts_and_floats_have_the_type_that_netflow_parser_gives_them() {
    for (number, name, kind) in ELEMENTS {
        let theirs = match Type::from(IANAIPFixField::from(number)) {
            Type::Ip4Addr => Abstract::V4,
            Type::Ip6Addr => Abstract::V6,
            Type::MacAddr => Abstract::Mac,
            Type::SignedDataNumber => Abstract::Signed,
            Type::Float64 => Abstract::Float,
            _ => continue,
        };
        assert_eq!(kind, theirs, "{number} {name}");
    }
}

#[test]
fn values_are_shown_by_their_abstract_type() {
    assert_eq!(value(0, 33, &[0, 0, 17]), Some(Value::Number(17)));
    assert_eq!(value(0, 434, &[0xff, 0xff]), Some(Value::Signed(-1)));
    assert_eq!(value(0, 320, &0.5_f64.to_be_bytes()), Some(Value::Float(0.5)));
    assert_eq!(value(0, 320, &0.5_f32.to_be_bytes()), Some(Value::Float(0.5)));
    assert_eq!(value(0, 276, &[1]), Some(Value::Boolean(true)));
    assert_eq!(value(0, 276, &[2]), Some(Value::Boolean(false)));
    assert_eq!(value(0, 365, &[2, 0, 0, 0, 0, 1]), Some(Value::Mac(0x0200_0000_0001)));
    assert_eq!(value(0, 82, b"eth0\0\0"), shown("eth0"));
    assert_eq!(value(0, 130, &[192, 0, 2, 1]), Some(Value::Address([192, 0, 2, 1].into())));
    assert_eq!(value(0, 131, &[0; 16]), Some(Value::Address([0_u16; 8].into())));
    assert_eq!(value(0, 313, &[0x45, 0]), shown("0x4500"));
    assert_eq!(value(0, 95, &[13, 0, 1, 2]), shown("13:258"));
    assert_eq!(value(REVERSE, 1, &[1, 0]), Some(Value::Number(256)));
}

#[test]
fn times_are_shown_as_precise_as_their_type() {
    let ntp = (1_700_000_000_u64 + 2_208_988_800) << 32 | 1 << 31;
    assert_eq!(value(0, 322, &1_700_000_000_u32.to_be_bytes()), shown("2023-11-14T22:13:20Z"));
    assert_eq!(value(0, 258, &1_700_000_000_500_u64.to_be_bytes()), shown("2023-11-14T22:13:20.500Z"));
    assert_eq!(value(0, 324, &ntp.to_be_bytes()), shown("2023-11-14T22:13:20.500000Z"));
    assert_eq!(value(0, 325, &ntp.to_be_bytes()), shown("2023-11-14T22:13:20.500000000Z"));
    let era = (1_u64 << 31).to_be_bytes();
    assert_eq!(value(0, 324, &era), shown("2036-02-07T06:28:16.500000Z"));
    assert_eq!(value(0, 322, &[0, 0, 0, 0, 0, 7]), shown("7"));
}

#[test]
fn what_does_not_fit_its_type_is_shown_as_bytes_and_what_is_empty_not_at_all() {
    assert_eq!((value(0, 82, b"\0\0"), value(35_632, 80, b""), value(0, 95, b"")), (None, None, None));
    assert_eq!(value(0, 82, &[0xff, 0xfe]), shown("0xfffe"));
    assert_eq!(value(0, 33, &[0; 9]), shown("0x000000000000000000"));
    assert_eq!(value(0, 276, &[7]), shown("0x07"));
    assert_eq!(value(0, 365, &[1, 2]), shown("0x0102"));
    assert_eq!(value(0, 320, &f64::NAN.to_be_bytes()), shown("0x7ff8000000000000"));
    assert_eq!(value(35_632, 80, &[1, 2]), shown("0x0102"));
}
