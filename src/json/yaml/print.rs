//! The YAML writer: block style as `kubectl` prints, with quotes only where a value would read back differently.

use super::scalar::is_plain_string;
use crate::json::print::{write_json_string, write_scalar};
use crate::json::value::Value;
use crate::visible::is_deceptive;

/// `value` as one YAML document that ends in a line break.
pub fn to_yaml(value: Value<'_>) -> String {
    let mut out = String::with_capacity(512);
    match value {
        Value::Array(elements) if !elements.is_empty() => sequence(&mut out, elements, 0),
        Value::Object(object) if !object.is_empty() => mapping(&mut out, value, 0),
        scalar => {
            inline(&mut out, scalar, 1);
            out.push('\n');
        }
    }
    out
}

/// A longer key needs the explicit form: YAML's implicit keys end within 1024 characters.
const MAX_IMPLICIT_KEY: usize = 512;

/// The members of an object, each on its line; the first one continues the current line.
fn mapping(out: &mut String, value: Value<'_>, indent: usize) {
    let members = value.as_object().unwrap_or_default();
    for (i, (key, member)) in members.members().iter().enumerate() {
        if i > 0 {
            pad(out, indent);
        }
        if key.len() > MAX_IMPLICIT_KEY {
            out.push_str("? ");
            flow_string(out, key);
            out.push('\n');
            pad(out, indent);
        } else {
            flow_string(out, key);
        }
        out.push(':');
        match member {
            Value::Array(elements) if !elements.is_empty() => {
                out.push('\n');
                pad(out, indent);
                sequence(out, elements, indent);
            }
            Value::Object(object) if !object.is_empty() => {
                out.push('\n');
                pad(out, indent + 1);
                mapping(out, *member, indent + 1);
            }
            scalar => {
                out.push(' ');
                inline(out, *scalar, indent + 1);
                out.push('\n');
            }
        }
    }
}

/// The elements of an array, each behind a dash; the first one continues the current line.
fn sequence(out: &mut String, elements: &[Value<'_>], indent: usize) {
    for (i, element) in elements.iter().enumerate() {
        if i > 0 {
            pad(out, indent);
        }
        out.push_str("- ");
        match element {
            Value::Array(inner) if !inner.is_empty() => sequence(out, inner, indent + 1),
            Value::Object(object) if !object.is_empty() => mapping(out, *element, indent + 1),
            scalar => {
                inline(out, *scalar, indent + 1);
                out.push('\n');
            }
        }
    }
}

/// A scalar or an empty container, without the line break behind it.
fn inline(out: &mut String, value: Value<'_>, indent: usize) {
    match value {
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
        Value::String(text) if is_literal(text) => literal(out, text, indent),
        Value::String(text) => flow_string(out, text),
        scalar => write_scalar(out, scalar),
    }
}

/// A string on one line.
fn flow_string(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    let mut quoted = String::new();
    write_json_string(&mut quoted, text);
    for char in quoted.chars() {
        match char {
            // JSON may leave these as they are; YAML reads some of them as line breaks and drops others.
            '\u{feff}' | '\u{fffe}' | '\u{ffff}' => escape(out, char),
            deceptive if is_deceptive(deceptive) => escape(out, deceptive),
            other => out.push(other),
        }
    }
}

fn escape(out: &mut String, char: char) {
    use std::fmt::Write as _;
    // Writing to a string cannot fail.
    let _ = write!(out, "\\u{:04x}", u32::from(char));
}

/// Whether `text` can stand without quotes, anywhere in block style.
fn is_plain(text: &str) -> bool {
    let safe_inside = |char: char| {
        matches!(char, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{fefe}')
            || ('\u{ff00}'..='\u{fffd}').contains(&char)
            || char >= '\u{10000}'
    };
    let first_safe = text.starts_with(|char: char| {
        char.is_alphanumeric() || matches!(char, '/' | '.' | '_' | '(' | '+' | '$' | '^' | ';' | '\\' | '<' | '=')
    }) || text
        .strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_alphanumeric() || char == '-'));
    first_safe
        && !text.starts_with("---")
        && !text.starts_with("...")
        && text != "="
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && text.chars().all(safe_inside)
        && !text.chars().any(is_deceptive)
        && is_plain_string(text)
}

/// Whether a text of several lines can be written as a literal block: what is left out needs escapes or an
/// indentation indicator.
fn is_literal(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with(['\n', ' ', '\t'])
        && !text.chars().any(|char| is_deceptive(char) && !matches!(char, '\n' | '\t'))
        && text
            .chars()
            .all(|char| matches!(char, '\n' | '\t' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{fefe}'))
        && text.lines().all(|line| !line.starts_with('\t') && (line.is_empty() || !line.trim().is_empty()))
}

fn literal(out: &mut String, text: &str, indent: usize) {
    let body = text.trim_end_matches('\n');
    let breaks = text.len() - body.len();
    out.push_str(match breaks {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
    }
    // The writer of the line ends the last one.
    out.extend(std::iter::repeat_n('\n', breaks.saturating_sub(1)));
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n("  ", indent));
}
