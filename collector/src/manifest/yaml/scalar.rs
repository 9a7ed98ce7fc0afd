//! What a scalar means.
//!
//! kubectl reads plain `yes`, `no`, `on`, `off` as booleans (YAML 1.1), so they are booleans here too: a file is
//! then right or wrong in both places.

use saphyr_parser::{ScalarStyle, Tag};
use serde_json::Number;

use super::Data;

/// The value of a scalar.
pub(super) fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Data, String> {
    match tag {
        None if style == ScalarStyle::Plain => Ok(plain(text)),
        None => Ok(Data::String(text.to_owned())),
        Some(tag) if tag.handle == "!" && tag.suffix.is_empty() => Ok(Data::String(text.to_owned())),
        Some(tag) if tag.is_yaml_core_schema() => tagged(text, &tag.suffix),
        Some(tag) => Err(format!("tag {tag} is not known; leave it out")),
    }
}

fn tagged(text: &str, suffix: &str) -> Result<Data, String> {
    let value = if suffix == "str" { Data::String(text.to_owned()) } else { plain(text) };
    let fits = match (&value, suffix) {
        (Data::String(_), "str") | (Data::Bool(_), "bool") | (Data::Null, "null") => true,
        (Data::Number(number), "int") => !number.is_f64(),
        (Data::Number(_), "float") => true,
        _ => false,
    };
    if fits { Ok(value) } else { Err(format!("{text:?} is no !!{suffix}; leave the tag out")) }
}

fn plain(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
            return Data::Bool(true);
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
            return Data::Bool(false);
        }
        _ => {}
    }
    number(text).map_or_else(|| Data::String(text.to_owned()), Data::Number)
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    if let Some(hex) = unsigned.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().filter(|_| unsigned == text).map(Number::from);
    }
    if let Some(octal) = unsigned.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().filter(|_| unsigned == text).map(Number::from);
    }
    let whole = text.strip_prefix('+').unwrap_or(text);
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        // Octal to some readers, decimal to others: text, and the schema then asks for the right form.
        if unsigned.len() > 1 && unsigned.starts_with('0') {
            return None;
        }
        if let Ok(value) = whole.parse::<u64>() {
            return Some(value.into());
        }
        return whole.parse::<i64>().ok().map(Number::from);
    }
    let float = unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !float || unsigned == "." {
        return None;
    }
    whole.parse::<f64>().ok().and_then(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_they_mean_to_kubectl() {
        for (text, expected) in [("on", Data::Bool(true)), ("No", Data::Bool(false)), ("~", Data::Null)] {
            assert_eq!(plain(text), expected, "{text}");
        }
        for text in ["80", "-7", "+7", "0x1f", "0o17", "1.5", "1e3", ".5"] {
            assert!(matches!(plain(text), Data::Number(_)), "{text}");
        }
        for text in
            ["port 80", "192.0.2.1", "#fff", "10s", "1.2.3", "+", "-", ".", "0777", "2001:db8::1", "1_000"]
        {
            assert_eq!(plain(text), Data::String(text.to_owned()));
        }
    }

    #[test]
    fn a_number_beyond_64_bits_is_no_integer_and_harms_nothing() {
        assert_eq!(plain("99999999999999999999"), Data::String("99999999999999999999".to_owned()));
        assert_eq!(plain("1e999"), Data::String("1e999".to_owned()));
    }
}
