//! Values and strings as Go writes them.

use std::borrow::Cow;

use crate::cel::library::standard::{duration_text, zoned_text};
use crate::cel::value::Value;
use crate::cel::value::text::double_text;

/// The text of a scalar as `string(value)` gives it; `None` for bytes that are no UTF-8 and for all other values.
pub fn scalar_text<'a>(value: &Value<'a>) -> Option<Cow<'a, str>> {
    Some(match value {
        Value::Bool(b) => Cow::Borrowed(if *b { "true" } else { "false" }),
        Value::Int(i) => Cow::Owned(i.to_string()),
        Value::Uint(u) => Cow::Owned(u.to_string()),
        Value::Double(d) => Cow::Owned(double_text(*d)),
        Value::String(s) => Cow::Borrowed(s),
        Value::Bytes(b) => Cow::Borrowed(std::str::from_utf8(b).ok()?),
        Value::Duration(d) => Cow::Owned(duration_text(*d)),
        Value::Timestamp(t) => Cow::Owned(zoned_text(*t)),
        Value::Type(name) => Cow::Borrowed(name),
        _ => return None,
    })
}
