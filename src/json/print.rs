//! JSON writers. Every value reads back as itself, integers and floats kept apart.

use std::fmt::Write as _;

use super::value::Value;

/// `value` on one line without spaces.
pub fn to_json(value: Value<'_>) -> String {
    let mut out = String::with_capacity(256);
    write_json(&mut out, value);
    out
}

/// `value` over several lines, indented by two spaces.
pub fn to_json_pretty(value: Value<'_>) -> String {
    let mut out = String::with_capacity(512);
    pretty(&mut out, value, 0);
    out
}

/// Appends `value` to `out` on one line without spaces.
pub fn write_json(out: &mut String, value: Value<'_>) {
    match value {
        Value::Array(elements) => {
            out.push('[');
            for (i, element) in elements.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json(out, *element);
            }
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            for (i, (key, member)) in object.members().iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json_string(out, key);
                out.push(':');
                write_json(out, *member);
            }
            out.push('}');
        }
        scalar => write_scalar(out, scalar),
    }
}

/// Appends `text` in double quotes, with escapes where JSON needs them.
pub fn write_json_string(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 | 0x7f => "",
            _ => continue,
        };
        out.push_str(text.get(plain..at).unwrap_or_default());
        plain = at + 1;
        if escape.is_empty() {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(text.get(plain..).unwrap_or_default());
    out.push('"');
}

/// Appends a value that is neither array nor object; nothing for those two.
pub(super) fn write_scalar(out: &mut String, value: Value<'_>) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Int(int) => {
            let _ = write!(out, "{int}");
        }
        // No document holds these; computed values may, and JSON has no word for them.
        Value::Float(float) if !float.is_finite() => out.push_str("null"),
        // The debug form is the shortest that reads back as the same float, and always shows that it is one.
        Value::Float(float) => {
            let _ = write!(out, "{float:?}");
        }
        Value::String(text) => write_json_string(out, text),
        Value::Array(_) | Value::Object(_) => {}
    }
}

fn pretty(out: &mut String, value: Value<'_>, depth: usize) {
    let new_line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    match value {
        Value::Array(elements) if !elements.is_empty() => {
            out.push('[');
            for (i, element) in elements.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                new_line(out, depth + 1);
                pretty(out, *element, depth + 1);
            }
            new_line(out, depth);
            out.push(']');
        }
        Value::Object(object) if !object.is_empty() => {
            out.push('{');
            for (i, (key, member)) in object.members().iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                new_line(out, depth + 1);
                write_json_string(out, key);
                out.push_str(": ");
                pretty(out, *member, depth + 1);
            }
            new_line(out, depth);
            out.push('}');
        }
        small => write_json(out, small),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Arena, Limits, Object, parse, testing};
    use proptest::prelude::*;

    #[test]
    fn writes_compact_and_pretty() {
        let arena = Arena::new();
        let members = [
            ("a", Value::Array(arena.alloc_slice_copy(&[Value::Int(1), Value::Float(1.0), Value::Null]))),
            ("b\n", Value::Object(Object::default())),
            ("c", Value::Array(&[])),
        ];
        let value = Value::Object(Object::new(&arena, &members));
        assert_eq!(to_json(value), r#"{"a":[1,1.0,null],"b\n":{},"c":[]}"#);
        assert_eq!(
            to_json_pretty(value),
            "{\n  \"a\": [\n    1,\n    1.0,\n    null\n  ],\n  \"b\\n\": {},\n  \"c\": []\n}"
        );
    }

    #[test]
    fn escapes_what_json_requires() {
        assert_eq!(to_json(Value::String("\"\\\n\r\t\u{0}\u{1f}\u{7f}é🌊/")), r#""\"\\\n\r\t\u0000\u001f\u007fé🌊/""#);
    }

    #[test]
    fn writes_null_for_floats_that_json_lacks() {
        assert_eq!(to_json(Value::Float(f64::NAN)), "null");
        assert_eq!(to_json(Value::Float(f64::NEG_INFINITY)), "null");
    }

    proptest! {
        #[test]
        fn reads_back_as_the_same_value(sample in testing::sample(), pretty: bool) {
            let arena = Arena::new();
            let value = sample.to_value(&arena);
            let text = if pretty { to_json_pretty(value) } else { to_json(value) };
            let again = parse(&arena, arena.alloc_str(&text).as_bytes(), &Limits::default());
            prop_assert_eq!(again, Ok(value));
        }
    }
}
