//! Values as text, for error messages.

use super::standard::double_text;
use super::value::Value;

/// The longest text that a message quotes, in characters.
const MAX_QUOTED: usize = 256;

/// A value as cel-go prints it in an error message: scalars in full, anything else by its type.
pub(super) fn display(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Uint(u) => u.to_string(),
        Value::Double(d) => double_text(*d),
        Value::String(s) => s.chars().take(MAX_QUOTED).collect(),
        other => other.type_name().to_owned(),
    }
}

/// A value as Go prints it, which knows null as a number.
pub(super) fn printed(value: &Value<'_>) -> String {
    match value {
        Value::Null => "0".to_owned(),
        other => display(other),
    }
}
