//! `format` of the strings library: the clauses `%s %d %f %e %b %x %X %o`, in the locale en_US.

use std::fmt::Write;

use crate::cel::function::Error;
use crate::cel::library::standard::{duration_text, zoned_text};
use crate::cel::value::{List, Map, Value};
use crate::json::Arena;

use super::text::scalar_text;
use crate::cel::value::build;
use crate::cel::value::quote::quoted;

/// The fraction digits of `%f` without a precision.
const DEFAULT_PRECISION: usize = 6;

/// Upstream keeps a precision in 16 bits; beyond, its results are accidents.
const MAX_PRECISION: usize = i16::MAX as usize;

/// Values nested more deeply than this can't be printed; documents are limited to less.
const MAX_DEPTH: usize = 1_000;

/// `template.format([…])`.
pub fn format<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let [Value::String(template), Value::List(values)] = args else { return Err(Error::no_such_overload()) };
    let mut out = Output { arena, text: String::new() };
    let mut rest = *template;
    let mut index = 0;
    while let Some((before, clause)) = rest.split_once('%') {
        out.push(before)?;
        if let Some(after) = clause.strip_prefix('%') {
            out.push("%")?;
            rest = after;
            continue;
        }
        let value = values.get(index).ok_or_else(|| Error::new(format!("index {index} out of range")))?;
        if clause.is_empty() {
            return Err(Error::new("unexpected end of string"));
        }
        let (clause, after) = Clause::parse(clause)
            .map_err(|message| Error::new(format!("could not parse formatting clause: {message}")))?;
        clause.print(&mut out, &value)?;
        rest = after;
        index += 1;
    }
    out.push(rest)?;
    build::string(arena, &out.text)
}

/// The letter of a clause (what follows its `%`), and what follows the clause.
///
/// # Errors
/// Why it is no clause.
pub fn format_clause(text: &str) -> Result<(char, &str), String> {
    let (clause, rest) = Clause::parse(text)?;
    Ok((clause.letter, rest))
}

/// The text so far; it grows within the memory limit.
struct Output<'a> {
    arena: &'a Arena,
    text: String,
}

impl Output<'_> {
    fn push(&mut self, text: &str) -> Result<(), Error> {
        build::reserve(self.arena, self.text.len().saturating_add(text.len()))?;
        self.text.push_str(text);
        Ok(())
    }
}

/// One `%` clause: its letter and its precision.
struct Clause {
    letter: char,
    precision: Option<usize>,
}

impl Clause {
    /// Parses what follows the `%`, and returns what follows the clause.
    fn parse(text: &str) -> Result<(Self, &str), String> {
        let (precision, rest) = match text.strip_prefix('.') {
            Some(rest) => parse_precision(rest).map_err(|e| format!("error while parsing precision: {e}"))?,
            None => (None, text),
        };
        let letter = rest.chars().next().unwrap_or_default();
        if !matches!(letter, 's' | 'd' | 'f' | 'e' | 'b' | 'x' | 'X' | 'o') {
            // Upstream prints the first byte as a character.
            let byte = rest.bytes().next().map(char::from).unwrap_or_default();
            return Err(format!("unrecognized formatting clause \"{byte}\""));
        }
        Ok((Self { letter, precision }, rest.get(1..).unwrap_or_default()))
    }

    fn print(&self, out: &mut Output<'_>, value: &Value<'_>) -> Result<(), Error> {
        match self.letter {
            's' => return print_string(out, value, MAX_DEPTH),
            'd' => match value {
                Value::Int(_) | Value::Uint(_) => return out.push(&scalar_text(value).unwrap_or_default()),
                _ => Err("decimal clause can only be used on integers"),
            },
            'f' => match double(value) {
                Some(number) => return out.push(&fixed(number, self.precision.unwrap_or(DEFAULT_PRECISION))),
                None => Err("fixed-point clause can only be used on doubles"),
            },
            'e' => match double(value) {
                Some(number) => return out.push(&scientific(number, self.precision.unwrap_or(DEFAULT_PRECISION))),
                None => Err("scientific clause can only be used on doubles"),
            },
            'b' => match value {
                Value::Bool(b) => return out.push(if *b { "1" } else { "0" }),
                _ => radix(value, |n| format!("{n:b}")).ok_or("only integers and bools can be formatted as binary"),
            },
            'o' => radix(value, |n| format!("{n:o}")).ok_or("octal clause can only be used on integers"),
            letter => {
                hex(value, letter == 'X').ok_or("only integers, byte buffers, and strings can be formatted as hex")
            }
        }
        .map_err(|message| during(message, value))
        .and_then(|text: String| out.push(&text))
    }
}

fn parse_precision(text: &str) -> Result<(Option<usize>, &str), String> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(end);
    if rest.is_empty() {
        return Err("could not find end of precision specifier".to_owned());
    }
    let convert =
        |reason| format!("error while converting precision to integer: strconv.Atoi: parsing {digits:?}: {reason}");
    if digits.is_empty() {
        return Err(convert("invalid syntax"));
    }
    let precision: i64 = digits.parse().map_err(|_| convert("value out of range"))?;
    match usize::try_from(precision) {
        Ok(precision) if precision <= MAX_PRECISION => Ok((Some(precision), rest)),
        _ => Err(format!("precision {precision} exceeds maximum allowed precision {MAX_PRECISION}")),
    }
}

fn during(message: &str, value: &Value<'_>) -> Error {
    Error::new(format!("error during formatting: {message}, was given {}", value.type_name()))
}

fn print_string(out: &mut Output<'_>, value: &Value<'_>, depth: usize) -> Result<(), Error> {
    match value {
        Value::Null => out.push("null"),
        Value::List(list) => print_list(out, *list, depth),
        Value::Map(map) => print_map(out, *map, depth),
        Value::Bytes(bytes) if std::str::from_utf8(bytes).is_err() => Err(Error::new(
            "error during formatting: could not convert argument \"invalid UTF-8 in bytes, cannot convert to string\" to string",
        )),
        _ => match scalar_text(value) {
            Some(text) => out.push(&text),
            None => Err(during(
                "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps",
                value,
            )),
        },
    }
}

fn print_list(out: &mut Output<'_>, list: List<'_>, depth: usize) -> Result<(), Error> {
    out.push("[")?;
    for (i, element) in list.iter().enumerate() {
        if i > 0 {
            out.push(", ")?;
        }
        print_literal(out, &element, depth)?;
    }
    out.push("]")
}

/// Entries are sorted by the text of their keys.
fn print_map(out: &mut Output<'_>, map: Map<'_>, depth: usize) -> Result<(), Error> {
    let mut keys = Vec::with_capacity(map.len());
    for (key, value) in map.iter() {
        let text = scalar_text(&key).unwrap_or_default();
        keys.push((if matches!(key, Value::String(_)) { quoted(&text) } else { text.into_owned() }, value));
    }
    keys.sort_by(|(a, _), (b, _)| a.cmp(b));
    out.push("{")?;
    for (i, (key, value)) in keys.iter().enumerate() {
        if i > 0 {
            out.push(", ")?;
        }
        out.push(key)?;
        out.push(":")?;
        print_literal(out, value, depth)?;
    }
    out.push("}")
}

/// An element of a list or a map: as a CEL literal.
fn print_literal(out: &mut Output<'_>, value: &Value<'_>, depth: usize) -> Result<(), Error> {
    let Some(deeper) = depth.checked_sub(1) else {
        return Err(Error::new("error during formatting: the value is nested too deeply"));
    };
    match value {
        Value::String(text) => out.push(&quoted(text)),
        Value::Bytes(bytes) if let Ok(text) = std::str::from_utf8(bytes) => {
            out.push("b")?;
            out.push(&quoted(text))
        }
        Value::Double(d) if d.is_nan() => out.push("\"NaN\""),
        Value::Double(d) if d.is_infinite() => out.push(if *d > 0.0 { "\"+Inf\"" } else { "\"-Inf\"" }),
        Value::Double(d) => out.push(&format!("{d:.DEFAULT_PRECISION$}")),
        Value::Duration(d) => out.push(&format!("duration(\"{}\")", duration_text(*d))),
        Value::Timestamp(t) => out.push(&format!("timestamp(\"{}\")", zoned_text(*t))),
        Value::Struct(_) | Value::Optional(_) | Value::Opaque(_) => {
            Err(Error::new(format!("error during formatting: no formatting function for {}", value.type_name())))
        }
        _ => print_string(out, value, deeper),
    }
}

/// The doubles of `%f` and `%e`; three strings stand for what has no literal.
fn double(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Double(number) => Some(*number),
        Value::String("NaN") => Some(f64::NAN),
        Value::String("Infinity") => Some(f64::INFINITY),
        Value::String("-Infinity") => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// `%f`: grouped by thousands. Upstream keeps the minimum of fraction digits in 8 bits, which shows from 256 on.
fn fixed(number: f64, precision: usize) -> String {
    if let Some(special) = special(number) {
        return special.to_owned();
    }
    let digits = format!("{:.precision$}", number.abs());
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 2);
    if number < 0.0 {
        text.push('-');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    let significant = fraction.trim_end_matches('0').len();
    let kept = fraction.get(..significant.max(precision % 256)).unwrap_or(fraction);
    if !kept.is_empty() {
        text.push('.');
        text.push_str(kept);
    }
    text
}

/// `%e`: upstream takes the precision as the width, and always prints six fraction digits.
fn scientific(number: f64, width: usize) -> String {
    let text = match special(number) {
        Some(special) => special.to_owned(),
        None => {
            let digits = format!("{number:.DEFAULT_PRECISION$e}");
            let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
            // Zero has no sign in this form.
            let mantissa = if number == 0.0 { mantissa.trim_start_matches('-') } else { mantissa };
            let (minus, exponent) = exponent.strip_prefix('-').map_or(("", exponent), |rest| ("\u{207b}", rest));
            format!("{mantissa}\u{d7}10{minus}{}", superscript(&format!("{exponent:0>2}")))
        }
    };
    format!("{text:>width$}")
}

fn superscript(digits: &str) -> String {
    let raised = [
        '\u{2070}', '\u{b9}', '\u{b2}', '\u{b3}', '\u{2074}', '\u{2075}', '\u{2076}', '\u{2077}', '\u{2078}',
        '\u{2079}',
    ];
    digits.chars().filter_map(|digit| raised.get(digit.to_digit(10)? as usize)).collect()
}

fn special(number: f64) -> Option<&'static str> {
    if number.is_nan() {
        Some("NaN")
    } else if number.is_infinite() {
        Some(if number > 0.0 { "\u{221e}" } else { "-\u{221e}" })
    } else {
        None
    }
}

fn radix(value: &Value<'_>, print: impl Fn(u64) -> String) -> Option<String> {
    match value {
        Value::Int(i) if *i < 0 => Some(format!("-{}", print(i.unsigned_abs()))),
        Value::Int(i) => Some(print(i.unsigned_abs())),
        Value::Uint(u) => Some(print(*u)),
        _ => None,
    }
}

fn hex(value: &Value<'_>, upper: bool) -> Option<String> {
    let bytes = match value {
        Value::String(text) => text.as_bytes(),
        Value::Bytes(bytes) => bytes,
        _ => return radix(value, |n| if upper { format!("{n:X}") } else { format!("{n:x}") }),
    };
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string can't fail.
        let _ = if upper { write!(text, "{byte:02X}") } else { write!(text, "{byte:02x}") };
    }
    Some(text)
}
