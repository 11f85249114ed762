//! Values in few words.

use crate::cel::value::text::{display, double_text};
use crate::cel::value::{List, Value};
use crate::cel::{duration_text, zoned_text};
use crate::json::write_json_string;

/// The longest text of a value, in characters.
pub(super) const MAX_VALUE: usize = 120;

/// A value as it would be written, on one line, cut off where it gets long.
pub(super) fn short(value: &Value<'_>) -> String {
    let mut out = Short { text: String::new(), left: MAX_VALUE };
    out.value(value);
    if out.left == 0 {
        out.text.push('…');
    }
    out.text
}

struct Short {
    text: String,
    /// How many characters more there is room for.
    left: usize,
}

impl Short {
    fn push(&mut self, text: &str) {
        for c in text.chars() {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
            self.text.push(c);
        }
    }

    fn quoted(&mut self, text: &str) {
        // No more of it than there is room for is looked at.
        let end = text.char_indices().nth(self.left).map_or(text.len(), |(end, _)| end);
        let mut quoted = String::new();
        write_json_string(&mut quoted, text.get(..end).unwrap_or_default());
        self.push(&quoted);
    }

    fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::String(text) => self.quoted(text),
            Value::Double(number) => self.push(&double_text(*number)),
            Value::List(list) => self.list(list),
            Value::Map(map) => self.entries(map.iter()),
            Value::Struct(message) => {
                self.push(message.type_name);
                let fields = message.fields.iter().map(|(name, value)| (Value::Type(name), *value));
                self.entries(fields);
            }
            Value::Type(name) => self.push(name),
            Value::Optional(None) => self.push("optional.none()"),
            Value::Optional(Some(inner)) => {
                self.push("optional.of(");
                self.value(inner);
                self.push(")");
            }
            Value::Bytes(bytes) => self.push(&format!("{} bytes", bytes.len())),
            Value::Duration(nanoseconds) => self.push(&duration_text(*nanoseconds)),
            Value::Timestamp(time) => self.push(&zoned_text(*time)),
            Value::Opaque(opaque) => self.push(&opaque.to_string()),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Uint(_) => self.push(&display(value)),
        }
    }

    fn list(&mut self, list: &List<'_>) {
        self.push("[");
        for (at, element) in list.iter().enumerate() {
            if self.left == 0 {
                return;
            }
            self.push(if at > 0 { ", " } else { "" });
            self.value(&element);
        }
        self.push("]");
    }

    fn entries<'a>(&mut self, entries: impl Iterator<Item = (Value<'a>, Value<'a>)>) {
        self.push("{");
        for (at, (key, value)) in entries.enumerate() {
            if self.left == 0 {
                return;
            }
            self.push(if at > 0 { ", " } else { "" });
            self.value(&key);
            self.push(": ");
            self.value(&value);
        }
        self.push("}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, Arena, Limits};

    #[test]
    fn writes_values_on_one_line() {
        for (json, text) in
            [("null", "null"), ("{\"a\": [1, true, \"b\\nc\"]}", "{\"a\": [1, true, \"b\\nc\"]}"), ("[]", "[]")]
        {
            let arena = Arena::new();
            let value = json::parse(&arena, json.as_bytes(), &Limits::default()).expect("JSON");
            assert_eq!(short(&value.into()), text);
        }
        assert_eq!(short(&Value::Optional(Some(&Value::Int(1)))), "optional.of(1)");
        assert_eq!(short(&Value::Optional(None)), "optional.none()");
        assert_eq!(short(&Value::Duration(1_500_000_000)), "1.5s");
        assert_eq!(short(&Value::Bytes(b"abc")), "3 bytes");
    }

    #[test]
    fn cuts_off_what_is_long() {
        let long = "é".repeat(10_000_000);
        let text = short(&Value::String(&long));
        assert_eq!(text.chars().count(), MAX_VALUE + 1);
        assert!(text.ends_with('…'));
    }
}
