//! A flow record as one line of JSON.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::Row;
use super::row::{Field, Value};

/// Appends the record as one line of JSON (NDJSON). A field that it does not have is left out.
///
/// # Errors
/// Only when serde_json fails, which writing to memory gives no cause for.
pub fn write_json(row: Row<'_>, out: &mut Vec<u8>) -> serde_json::Result<()> {
    serde_json::to_writer(&mut *out, &row)?;
    out.push(b'\n');
    Ok(())
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for field in Field::all() {
            if let Some(value) = self.value(field) {
                map.serialize_entry(field.name(), &value)?;
            }
        }
        let extra = self.extra();
        if !extra.is_empty() {
            map.serialize_entry("extra", &Extra(&extra))?;
        }
        map.end()
    }
}

/// The elements without a column, as a map in their own order.
pub(super) struct Extra<'a>(pub(super) &'a [(std::borrow::Cow<'a, str>, Value<'a>)]);

impl Serialize for Extra<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Number(number) => serializer.serialize_u64(*number),
            Value::Signed(number) => serializer.serialize_i64(*number),
            Value::Float(number) => serializer.serialize_f64(*number),
            Value::Boolean(truth) => serializer.serialize_bool(*truth),
            Value::Address(_) | Value::Mac(_) => serializer.collect_str(self),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                values.iter().try_for_each(|value| list.serialize_element(value))?;
                list.end()
            }
        }
    }
}
