//! The types of scalars, as `sigs.k8s.io/yaml` gives them: go-yaml v2's reading of YAML 1.1, then through JSON.
//!
//! Through JSON means that a float without fraction comes out as an integer (`1.0` and `1e3` too), that timestamps
//! stay strings, and that infinities and NaN are errors.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

use super::fault::Fault;
use super::scan_scalar::CORE_TAGS;
use crate::json::{Arena, Value};

/// A scalar before it goes through JSON; as a key it needs its float.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// An integer above `i64::MAX`.
    Unsigned(u64),
    /// With the text it was written as.
    Float(f64, &'a str),
    String(&'a str),
}

/// Gives a scalar its type. `plain` is false for quoted and block scalars.
pub(super) fn resolve<'a>(
    arena: &'a Arena,
    text: &'a str,
    plain: bool,
    tag: Option<&str>,
) -> Result<Scalar<'a>, Fault> {
    let Some(tag) = tag else {
        return Ok(if plain { implicit(text) } else { Scalar::String(text) });
    };
    let core = tag.strip_prefix(CORE_TAGS);
    let scalar = match core {
        Some("null" | "bool" | "int" | "float") => implicit(text),
        Some("binary") => return binary(arena, text),
        Some("timestamp") => return Err(Fault::Timestamp),
        // Strings and, as upstream, every tag that is not one of these.
        _ => return Ok(Scalar::String(text)),
    };
    match (core, scalar) {
        (Some("null"), Scalar::Null)
        | (Some("bool"), Scalar::Bool(_))
        | (Some("int"), Scalar::Int(_) | Scalar::Unsigned(_))
        | (Some("float"), Scalar::Float(..)) => Ok(scalar),
        (Some("float"), Scalar::Int(int)) => Ok(Scalar::Float(int as f64, text)),
        (core, _) => Err(Fault::Tag { tag: format!("!!{}", core.unwrap_or_default()), text: text.to_owned() }),
    }
}

/// The text that base64 stands for; line breaks in it don't count.
fn binary<'a>(arena: &'a Arena, text: &str) -> Result<Scalar<'a>, Fault> {
    let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let written: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let bytes = GeneralPurpose::new(&STANDARD, config).decode(written).map_err(|_| Fault::Base64)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Fault::BinaryText)?;
    Ok(Scalar::String(arena.alloc_str(text)))
}

/// Whether a key is the merge key, in quotes only by its tag.
pub(super) fn is_merge_key(text: &str, plain: bool, tag: Option<&str>) -> bool {
    let tagged = match tag {
        None => plain,
        Some(tag) => tag == "!" || tag.strip_prefix(CORE_TAGS) == Some("merge"),
    };
    text == "<<" && tagged
}

/// The key that a scalar makes.
pub(super) fn key<'a>(arena: &'a Arena, scalar: Scalar<'a>) -> Result<&'a str, Fault> {
    match scalar {
        Scalar::String(text) => Ok(text),
        Scalar::Bool(true) => Ok("true"),
        Scalar::Bool(false) => Ok("false"),
        Scalar::Int(int) => Ok(arena.alloc_str(&int.to_string())),
        Scalar::Float(float, _) => Ok(arena.alloc_str(&go_float32(float))),
        Scalar::Null => Err(Fault::Key("null")),
        Scalar::Unsigned(_) => Err(Fault::Key("an integer above 9223372036854775807")),
    }
}

/// Whether a plain scalar with this text is read as that very string.
pub(super) fn is_plain_string(text: &str) -> bool {
    text != "<<" && implicit(text) == Scalar::String(text)
}

impl<'a> Scalar<'a> {
    /// The value after the way through JSON.
    pub(super) fn into_value(self) -> Result<Value<'a>, Fault> {
        Ok(match self {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Int(value) => Value::Int(value),
            Scalar::Unsigned(value) => Value::Float(value as f64),
            Scalar::Float(value, text) if !value.is_finite() => {
                return Err(Fault::NotFinite(text.to_owned()));
            }
            Scalar::Float(value, _) => match integral(value) {
                Some(int) => Value::Int(int),
                None => Value::Float(value),
            },
            Scalar::String(text) => Value::String(text),
        })
    }
}

/// The integer that a float becomes on its way through JSON: Go writes the shortest digits that tell it from other
/// floats, then zeros, and reads what fits `i64` as an integer.
fn integral(value: f64) -> Option<i64> {
    if value.fract() == 0.0 { value.to_string().parse().ok() } else { None }
}

/// The type of a plain scalar without a tag.
fn implicit(text: &str) -> Scalar<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN, text),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY, text),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY, text),
        _ => {}
    }
    let number = match text.as_bytes().first() {
        // Here upstream takes underscores only between digits.
        Some(b'.') if text.contains('_') && !underscores_separate(text) => None,
        Some(b'.') => float(&text.replace('_', ""), text),
        Some(b'0'..=b'9' | b'+' | b'-') => {
            let digits = if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
            integer(&digits).or_else(|| float(&digits, text)).or_else(|| signed_binary(&digits))
        }
        _ => None,
    };
    number.unwrap_or(Scalar::String(text))
}

/// An integer with an optional sign and an optional prefix `0x`, `0o`, `0b` or `0` (octal).
fn integer(text: &str) -> Option<Scalar<'static>> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, unsigned.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, unsigned.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, unsigned.get(2..)?),
        [b'0', _, ..] => (8, unsigned.get(1..)?),
        _ => (10, unsigned),
    };
    // The standard parser would take a second sign.
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    match (negative, i64::try_from(magnitude)) {
        (false, Ok(int)) => Some(Scalar::Int(int)),
        // A sign before it makes it neither a signed nor an unsigned integer to Go.
        (false, Err(_)) => (!text.starts_with('+')).then_some(Scalar::Unsigned(magnitude)),
        (true, Ok(int)) => Some(Scalar::Int(-int)),
        (true, Err(_)) => (magnitude == i64::MIN.unsigned_abs()).then_some(Scalar::Int(i64::MIN)),
    }
}

fn underscores_separate(text: &str) -> bool {
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let bytes = text.as_bytes();
    bytes
        .iter()
        .enumerate()
        .all(|(at, byte)| *byte != b'_' || (at > 0 && digit(bytes.get(at - 1)) && digit(bytes.get(at + 1))))
}

/// What upstream takes besides: a sign behind `0b`.
fn signed_binary(text: &str) -> Option<Scalar<'static>> {
    text.strip_prefix("0b").and_then(|digits| i64::from_str_radix(digits, 2).ok()).map(Scalar::Int)
}

/// A decimal float; one that is out of range is a string, as in Go.
fn float<'a>(digits: &str, text: &'a str) -> Option<Scalar<'a>> {
    let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let well_formed = all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && all_digits(exponent));
    let value = if well_formed { digits.parse::<f64>().ok()? } else { return None };
    value.is_finite().then_some(Scalar::Float(value, text))
}

/// Go's `strconv.FormatFloat(f, 'g', -1, 32)`, in which upstream writes float keys.
fn go_float32(float: f64) -> String {
    if float.is_nan() {
        return ".nan".to_owned();
    }
    let narrow = float as f32;
    if narrow.is_infinite() {
        return if narrow > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{narrow:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..6).contains(&exponent) {
        let mut out = digits.to_owned();
        let sign = if exponent < 0 { '-' } else { '+' };
        // Writing to a string cannot fail.
        let _ = write!(out, "e{sign}{:02}", exponent.unsigned_abs());
        return out;
    }
    format!("{narrow}")
}
