//! The chart's README: its values as a table, made from the comments in `values.yaml`.

use std::fmt::Write;

use serde_json::Value;

/// One documented value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documented {
    /// `image.registry`.
    pub path: String,
    /// The comment above it.
    pub text: String,
}

/// The text of the README: `frame` with the table in place of the line `VALUES`.
#[must_use]
pub fn render(frame: &str, values: &str, parsed: &Value) -> String {
    let mut table = String::from("| value | default | |\n|---|---|---|\n");
    for Documented { path, text } in documented(values) {
        let default = at(parsed, &path).to_string();
        _ = writeln!(table, "| `{path}` | `{default}` | {} |", text.replace('|', "\\|"));
    }
    frame.replace("VALUES\n", &table)
}

/// Every key with a comment right above it. The comment at the top belongs to the file.
#[must_use]
pub fn documented(values: &str) -> Vec<Documented> {
    let (mut found, mut parents, mut comment) = (Vec::new(), Vec::<(usize, String)>::new(), Vec::new());
    for line in values.lines() {
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        if let Some(text) = bare.strip_prefix('#') {
            comment.push(text.trim().to_owned());
        } else if let Some((key, _)) = bare.split_once(':') {
            parents.retain(|(depth, _)| *depth < indent);
            parents.push((indent, key.trim_matches('"').to_owned()));
            if !comment.is_empty() {
                let path: Vec<&str> = parents.iter().map(|(_, key)| key.as_str()).collect();
                found.push(Documented { path: path.join("."), text: comment.join(" ") });
            }
            comment.clear();
        } else {
            comment.clear();
        }
    }
    found
}

/// The value at a path of keys.
#[must_use]
pub fn at<'a>(values: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(values, |value, key| &value[key])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_row_for_each_commented_key_with_its_path_and_default() {
        let values = "# The file.\n\na:\n  # First\n  # and on.\n  b: 1\n  c:\n    # Second.\n    d: []\n# Third.\ne: {x: y}\n";
        let parsed = serde_json::json!({"a": {"b": 1, "c": {"d": []}}, "e": {"x": "y"}});
        let expected = "T\n| value | default | |\n|---|---|---|\n| `a.b` | `1` | First and on. |\n\
                        | `a.c.d` | `[]` | Second. |\n| `e` | `{\"x\":\"y\"}` | Third. |\n";
        assert_eq!(render("T\nVALUES\n", values, &parsed), expected);
    }
}
