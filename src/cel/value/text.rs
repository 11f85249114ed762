//! Values as text, for error messages.

use super::Value;

/// The longest text that a message quotes, in characters.
const MAX_QUOTED: usize = 256;

/// A value as cel-go prints it in an error message: scalars in full, anything else by its type.
pub(in crate::cel) fn display(value: &Value<'_>) -> String {
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
pub(in crate::cel) fn printed(value: &Value<'_>) -> String {
    match value {
        Value::Null => "0".to_owned(),
        other => display(other),
    }
}

/// The shortest text that reads back as the same number, as Go prints it with `%g`.
pub(in crate::cel) fn double_text(d: f64) -> String {
    if d.is_nan() {
        return "NaN".to_owned();
    }
    if d.is_infinite() {
        return if d > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{d:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{d}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}
