//! What would be right.

use serde_json::Value;

/// Patterns in the schemas, in words.
const FORMS: &[(&str, &str)] = &[
    ("^[0-9]+(s|m|h|d|w|y)$", "a number and s, m, h, d, w or y, such as 10s, 48h or 3y"),
    ("^#[0-9A-Fa-f]{6}$", "# and six hexadecimal digits in quotes, such as \"#3B82C4\""),
    (
        "^[a-z]([-a-z0-9]*[a-z0-9])?$",
        "lower case letters, digits and dashes, a letter first and no dash last, such as zone1-any",
    ),
    (
        "^[A-Za-z]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        "letters, digits, dashes, underscores and dots, a letter first and no sign last, such as core1.example",
    ),
    (
        "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        "letters, digits, dashes, underscores and dots, no sign first or last, such as http-alt",
    ),
    (r"^/[^\n]*$", "an absolute path, such as /var/lib/weir"),
    ("^[0-9]+(k|M|G|Ki|Mi|Gi)?$", "a whole number of bytes and k, M, G, Ki, Mi, Gi or nothing, such as 16Mi"),
    (
        "^[0-9]+(k|M|G|T|Ki|Mi|Gi|Ti)?$",
        "a whole number of bytes and k, M, G, T, Ki, Mi, Gi, Ti or nothing, such as 20Gi",
    ),
    (r"^[0-9]+(\.[0-9]{1,3})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$", "a quantity, such as 2, \"1.5\", 500m or 256Mi"),
    (
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "lower case letters, digits and dashes, no dash first or last, such as team-a",
    ),
    (
        "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "lower case letters, digits, dashes and dots, no sign first or last, such as fast-ssd",
    ),
    (
        "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$",
        "lower case letters, digits, dashes and dots, no sign first or last, such as fast-ssd",
    ),
    (
        "^(sha256:[0-9a-f]{64}|[A-Za-z0-9_][-A-Za-z0-9_.]*)$",
        "a tag such as 0.4.0, or a digest: sha256: and 64 hexadecimal digits",
    ),
];

pub(super) fn unknown_field(schema: &Value, key: &str) -> String {
    let known: Vec<&str> =
        schema["properties"].as_object().into_iter().flatten().map(|(k, _)| k.as_str()).collect();
    match nearest(key, &known) {
        Some(near) => format!("unknown field; did you mean {near}?"),
        None => format!("unknown field; there are {}", known.join(", ")),
    }
}

pub(super) fn unknown_choice(text: &str, choices: &[&str]) -> String {
    let quoted =
        |choice: &&str| if matches!(*choice, "+" | "-") { format!("\"{choice}\"") } else { (*choice).into() };
    match nearest(text, choices) {
        Some(near) => format!("{} is not possible; did you mean {near}?", short(text)),
        None => {
            let choices: Vec<String> = choices.iter().map(quoted).collect();
            format!("{} is not possible; write {}", short(text), choices.join(", "))
        }
    }
}

pub(super) fn off_pattern(text: &str, schema: &Value) -> String {
    format!("{} has the wrong form; {}", short(text), form(schema))
}

/// The form of a text that has a pattern.
pub(super) fn form(schema: &Value) -> String {
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    match FORMS.iter().find(|(known, _)| *known == pattern) {
        Some((_, form)) => format!("write {form}"),
        None => format!("write text that matches {pattern}"),
    }
}

/// What may be behind a field that is left empty: `color: #48C6FF` is an empty field and a comment.
pub(super) fn empty(schema: &Value) -> Option<String> {
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    pattern
        .starts_with("^#")
        .then(|| format!("nothing is written here, and # begins a comment; {}", form(schema)))
}

/// What a field takes, from its schema.
pub(super) fn wanted(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    let sentence: Vec<&str> = text.split(". ").next().unwrap_or_default().split_whitespace().collect();
    match sentence.is_empty() {
        true => format!("write {}", noun(schema["type"].as_str().unwrap_or("object"))),
        false => format!(
            "write {}: {}",
            noun(schema["type"].as_str().unwrap_or("object")),
            sentence.join(" ").trim_end_matches('.')
        ),
    }
}

/// A type in words.
pub(super) fn noun(kind: &str) -> &'static str {
    match kind {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        _ => "an object",
    }
}

/// Text in quotes, cut where it would fill the screen.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The known word that is meant, if one is near enough.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let folded = word.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&folded, &candidate.to_lowercase());
    let best = known.iter().min_by_key(|candidate| distance(candidate))?;
    // Between short words nearly every two are near.
    let near = if best.len() > 3 { 1 + best.len() / 5 } else { 0 };
    (word.len() <= 64 && distance(best) <= near).then_some(*best)
}
