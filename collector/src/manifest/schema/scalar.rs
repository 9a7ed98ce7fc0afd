//! Text, numbers and booleans against their schema.

use serde_json::{Number, Value};

use super::super::yaml::Data;
use super::hint;

/// Everything that is wrong with a value that the schema wants to be of type `wanted`.
pub(super) fn wrong(schema: &Value, wanted: &str, data: &Data) -> Vec<String> {
    match (wanted, data) {
        ("string", Data::String(text)) => text_wrong(schema, text),
        ("integer", Data::Number(number)) if !number.is_f64() => number_wrong(schema, number),
        ("number", Data::Number(number)) => number_wrong(schema, number),
        ("boolean", Data::Bool(_)) => Vec::new(),
        _ => vec![mismatch(schema, wanted, data)],
    }
}

fn text_wrong(schema: &Value, text: &str) -> Vec<String> {
    if let Some(choices) = schema["enum"].as_array() {
        let choices: Vec<&str> = choices.iter().filter_map(Value::as_str).collect();
        let known = choices.contains(&text);
        return if known { Vec::new() } else { vec![hint::unknown_choice(text, &choices)] };
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && !regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
    {
        // The right form says more than a length would.
        return vec![hint::off_pattern(text, schema)];
    }
    let length = text.chars().count() as u64;
    if schema["minLength"].as_u64().is_some_and(|least| length < least) {
        return vec![format!("{length} characters; at least {} are needed", schema["minLength"])];
    }
    if schema["maxLength"].as_u64().is_some_and(|most| length > most) {
        return vec![format!("{length} characters; at most {} are possible", schema["maxLength"])];
    }
    Vec::new()
}

fn number_wrong(schema: &Value, number: &Number) -> Vec<String> {
    let value = number.as_f64().unwrap_or(f64::NAN);
    let limit = |key: &str| schema[key].as_f64();
    let outside = limit("minimum").is_some_and(|least| value < least)
        || limit("maximum").is_some_and(|most| value > most);
    if !outside {
        return Vec::new();
    }
    let message = match (limit("minimum"), limit("maximum")) {
        (Some(least), Some(most)) => format!("{number} is out of range; write {least} to {most}"),
        (Some(least), None) => format!("{number} is too small; write at least {least}"),
        (_, most) => format!("{number} is too large; write at most {}", most.unwrap_or_default()),
    };
    vec![message]
}

fn mismatch(schema: &Value, wanted: &str, data: &Data) -> String {
    let found = match data {
        Data::Null => "nothing".to_owned(),
        Data::Bool(value) => format!("the boolean {value}"),
        Data::Number(number) => format!("the number {number}"),
        Data::String(text) => format!("the text {}", hint::short(text)),
        Data::List(_) => "a list".to_owned(),
        Data::Map(_) => "an object".to_owned(),
    };
    let right = match (wanted, data) {
        ("string", Data::Bool(_)) => "put what is written there in quotes".to_owned(),
        ("string", _) if schema["pattern"].is_string() => hint::form(schema),
        ("string", Data::Number(number)) => format!("write it in quotes: \"{number}\""),
        ("array", Data::Null) => "begin each entry with - or leave the field out".to_owned(),
        ("array", _) => "begin each entry with -".to_owned(),
        _ => hint::wanted(schema),
    };
    format!("{found} where {} is needed; {right}", hint::noun(wanted))
}
