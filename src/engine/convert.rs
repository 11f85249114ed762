//! CEL values to JSON, by the rules that mutations use.
//!
//! Upstream: `policy/mutating/patch/json_patch.go` (through protobuf's JSON value) and
//! `cel/mutation/dynamic/objects.go`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::apply::{Configuration, Foreign};
use crate::cel::value::{List, Map, Struct};
use crate::cel::{Value as Cel, duration_text, zoned_text};
use crate::json::{Arena, Member, Object, Value};

/// The largest integer that JSON numbers carry exactly; beyond it upstream writes a string.
const JSON_SAFE: i64 = (1 << 53) - 1;

/// Why a CEL value has no JSON form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// A value of a type that JSON can't express.
    #[error("type conversion error from '{0}' to '*structpb.Value'")]
    Unsupported(String),
    /// A type.
    #[error("type conversion not supported for 'type'")]
    Type,
    /// A map with a key that is no string.
    #[error("unsupported type conversion from '{0}' to string")]
    Key(String),
    /// `optional.none()`.
    #[error("optional.none() dereference")]
    None,
    /// NaN or an infinity.
    #[error(
        "json: error calling MarshalJSON for type *structpb.Value: proto: google.protobuf.Value.number_value: invalid {0} value"
    )]
    NotANumber(&'static str),
    /// A value whose parts are one and the same many times over, each of which would be written.
    #[error("the value takes more memory than an evaluation may use")]
    TooLarge,
}

/// The parts of a value whose type names are looked at; one with more can't be converted.
const MAX_CHECKED: usize = 1 << 20;

/// What a value is converted for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The value of a JSON patch: integers beyond 2^53 become strings, bytes become base64.
    JsonPatch,
    /// A field of an apply configuration: integers are unchanged, and some values stay foreign.
    Apply,
}

struct Conversion<'a> {
    arena: &'a Arena,
    purpose: Purpose,
    foreign: Vec<Foreign<'a>>,
    /// Within a map of Go's own.
    is_plain: bool,
}

/// The value of a `JSONPatch`.
///
/// # Errors
/// The first part that JSON can't express.
pub fn patch_value<'a>(arena: &'a Arena, value: Cel<'a>) -> Result<Value<'a>, ConvertError> {
    Conversion { arena, purpose: Purpose::JsonPatch, foreign: Vec::new(), is_plain: false }.value(value, false)
}

/// The value of an `Object`, an apply configuration.
///
/// # Errors
/// The first part that JSON can't express.
pub fn apply_configuration<'a>(arena: &'a Arena, value: &Struct<'a>) -> Result<Configuration<'a>, ConvertError> {
    let mut conversion = Conversion { arena, purpose: Purpose::Apply, foreign: Vec::new(), is_plain: false };
    let value = conversion.fields(value)?;
    Ok(Configuration { value, foreign: conversion.foreign })
}

/// Checks that nested object types are named after the fields that hold them: `Object.spec{…}` in the field `spec`.
///
/// # Errors
/// Every mismatch, one a line, as upstream joins them.
pub fn check_type_names(value: &Struct<'_>) -> Result<(), String> {
    let mut mismatches = Vec::new();
    let mut left = MAX_CHECKED;
    check(&Cel::Struct(value), &mut value.type_name.to_owned(), &mut mismatches, &mut left);
    match mismatches.is_empty() {
        true => Ok(()),
        false => Err(mismatches.join("\n")),
    }
}

fn check(value: &Cel<'_>, expected: &mut String, mismatches: &mut Vec<String>, left: &mut usize) {
    *left = left.saturating_sub(1);
    match value {
        _ if *left == 0 => {}
        Cel::Struct(message) => {
            if message.type_name != expected.as_str() {
                mismatches.push(format!(
                    "unexpected type name {:?}, expected {expected:?}, which matches field name path from root Object type",
                    message.type_name
                ));
            }
            for (name, field) in message.fields {
                let length = expected.len();
                expected.push('.');
                expected.push_str(name);
                check(field, expected, mismatches, left);
                expected.truncate(length);
            }
        }
        // Lists and maps of a document hold no messages; those that were computed add no name to the path.
        Cel::List(list @ crate::cel::value::List::Values(_)) => {
            list.iter().for_each(|element| check(&element, expected, mismatches, left));
        }
        Cel::Map(map @ crate::cel::value::Map::Entries(_)) => {
            map.iter().for_each(|(_, entry)| check(&entry, expected, mismatches, left));
        }
        _ => {}
    }
}

impl<'a> Conversion<'a> {
    /// A value; `is_nested` within a list or map that the expression made.
    fn value(&mut self, value: Cel<'a>, is_nested: bool) -> Result<Value<'a>, ConvertError> {
        let (arena, purpose) = (self.arena, self.purpose);
        if !arena.fits(0) {
            return Err(ConvertError::TooLarge);
        }
        let applies = purpose == Purpose::Apply;
        let text = |text: String| Value::String(arena.alloc_str(&text));
        Ok(match value {
            Cel::Null => Value::Null,
            Cel::Bool(b) => Value::Bool(b),
            Cel::String(s) => Value::String(s),
            Cel::Int(i) => integer(i, purpose).unwrap_or_else(|| text(i.to_string())),
            Cel::Uint(u) => match i64::try_from(u) {
                Ok(i) => integer(i, purpose).unwrap_or_else(|| text(u.to_string())),
                Err(_) => text(u.to_string()),
            },
            Cel::Double(d) => double(d)?,
            Cel::Bytes(bytes) if applies => self.keep(Foreign::bytes(arena, bytes)),
            Cel::Bytes(bytes) => text(STANDARD.encode(bytes)),
            Cel::Duration(nanos) if applies => self.keep(Foreign::duration(arena, nanos)),
            Cel::Duration(nanos) => text(duration_text(nanos)),
            Cel::Timestamp(timestamp) if applies => self.keep(Foreign::timestamp(arena, timestamp)),
            Cel::Timestamp(timestamp) => text(zoned_text(timestamp)),
            Cel::List(List::Json(elements)) if applies => Value::Array(elements),
            Cel::List(list) => {
                let elements = list.iter().map(|element| self.value(element, true)).collect::<Result<Vec<_>, _>>()?;
                let elements = arena.alloc_slice_copy(&elements);
                match list {
                    List::Strings(_) if applies => self.keep(Foreign::strings(arena, elements)),
                    List::Values(_) if applies && is_nested && !self.is_plain => {
                        self.keep(Foreign::list(arena, elements))
                    }
                    _ => Value::Array(elements),
                }
            }
            Cel::Map(Map::Json(object)) if applies => Value::Object(object),
            Cel::Map(map) => {
                // What is Go's own already needs no conversion, however deep.
                let around = self.is_plain;
                self.is_plain |= is_plain(&map);
                let mut members: Vec<Member<'a>> = Vec::with_capacity(map.len());
                for (key, entry) in map.iter() {
                    let Cel::String(key) = key else { return Err(ConvertError::Key(key.type_name().to_owned())) };
                    members.push((key, self.value(entry, true)?));
                }
                let object = Value::Object(Object::new(arena, &members));
                let is_foreign = applies && is_nested && !self.is_plain;
                self.is_plain = around;
                if is_foreign { self.keep(Foreign::map(arena, object)) } else { object }
            }
            Cel::Struct(message) => self.fields(message)?,
            Cel::Optional(Some(inner)) => self.value(*inner, is_nested)?,
            Cel::Optional(None) => return Err(ConvertError::None),
            Cel::Type(_) => return Err(ConvertError::Type),
            Cel::Opaque(_) => return Err(unsupported(&value)),
        })
    }

    fn fields(&mut self, message: &Struct<'a>) -> Result<Value<'a>, ConvertError> {
        let mut members: Vec<Member<'a>> = Vec::with_capacity(message.fields.len());
        for (name, field) in message.fields {
            members.push((name, self.value(*field, false)?));
        }
        Ok(Value::Object(Object::new(self.arena, &members)))
    }

    fn keep(&mut self, foreign: Foreign<'a>) -> Value<'a> {
        let stand_in = foreign.stand_in();
        self.foreign.push(foreign);
        stand_in
    }
}

fn is_plain(map: &Map<'_>) -> bool {
    matches!(map, Map::Entries(entries) if entries.is_plain())
}

fn unsupported(value: &Cel<'_>) -> ConvertError {
    // Upstream names its own types without their package.
    let name = value.type_name();
    ConvertError::Unsupported(name.rsplit('.').next().unwrap_or(name).to_owned())
}

fn integer<'a>(i: i64, purpose: Purpose) -> Option<Value<'a>> {
    (purpose == Purpose::Apply || (-JSON_SAFE..=JSON_SAFE).contains(&i)).then_some(Value::Int(i))
}

/// Integral doubles are written without fraction, so they are read back as integers.
fn double<'a>(d: f64) -> Result<Value<'a>, ConvertError> {
    match d {
        d if d.is_nan() => return Err(ConvertError::NotANumber("NaN")),
        f64::INFINITY => return Err(ConvertError::NotANumber("+Inf")),
        f64::NEG_INFINITY => return Err(ConvertError::NotANumber("-Inf")),
        _ => {}
    }
    // The cast is exact: the bound keeps it within the integers that a double carries.
    let integral = d.fract() == 0.0 && d.abs() <= JSON_SAFE as f64;
    Ok(if integral { Value::Int(d as i64) } else { Value::Float(d) })
}

#[cfg(test)]
mod tests {
    use crate::cel::value::Timestamp;

    use super::*;

    #[test]
    fn values_become_the_json_that_upstream_writes() {
        let arena = Arena::new();
        for (value, expected) in [
            (Cel::Int(7), Value::Int(7)),
            (Cel::Int(1 << 53), Value::String("9007199254740992")),
            (Cel::Int(i64::MIN), Value::String("-9223372036854775808")),
            (Cel::Uint(u64::MAX), Value::String("18446744073709551615")),
            (Cel::Double(2.0), Value::Int(2)),
            (Cel::Double(2.5), Value::Float(2.5)),
            (Cel::Bytes(b"hi"), Value::String("aGk=")),
            (Cel::Duration(1_500_000_000), Value::String("1.5s")),
            // As `string()` gives them: a double of seconds, and the offset that the text had.
            (Cel::Duration(5_467_437_777_444_762_813), Value::String("5467437777.444763s")),
            (Cel::Duration(-1), Value::String("-0.000000001s")),
            (Cel::Timestamp(Timestamp::utc(0, 0)), Value::String("1970-01-01T00:00:00Z")),
            (
                Cel::Timestamp(Timestamp { seconds: 0, nanos: 250_000_000, offset: 5_400 }),
                Value::String("1970-01-01T01:30:00.25+01:30"),
            ),
            (Cel::Timestamp(Timestamp::utc(-62_135_596_800, 0)), Value::String("0001-01-01T00:00:00Z")),
            (Cel::Optional(Some(&Cel::Bool(true))), Value::Bool(true)),
            (Cel::List(List::Values(&[Cel::Int(1), Cel::Null])), Value::Array(&[Value::Int(1), Value::Null])),
        ] {
            assert_eq!(patch_value(&arena, value), Ok(expected), "{value:?}");
        }
    }

    #[test]
    fn rejects_what_json_cannot_express() {
        let arena = Arena::new();
        let entries = [(Cel::Int(1), Cel::Int(2))];
        let by_number = crate::cel::value::Entries::new(&arena, &entries).expect("one key");
        for (value, expected) in [
            (Cel::Double(f64::NAN), ConvertError::NotANumber("NaN")),
            (Cel::Double(f64::NEG_INFINITY), ConvertError::NotANumber("-Inf")),
            (Cel::Optional(None), ConvertError::None),
            (Cel::Type("int"), ConvertError::Type),
            (Cel::Map(Map::Entries(by_number)), ConvertError::Key("int".to_owned())),
        ] {
            assert_eq!(patch_value(&arena, value), Err(expected));
        }
    }

    #[test]
    fn rejects_a_value_that_is_small_only_until_it_is_written() {
        let arena = Arena::new();
        let mut value = Cel::Int(0);
        for _ in 0..40 {
            value = Cel::List(List::Values(arena.alloc_slice_copy(&[value, value])));
        }
        assert_eq!(patch_value(&arena, value), Err(ConvertError::TooLarge));
        let configuration = Struct { type_name: "Object", fields: arena.alloc_slice_copy(&[("spec", value)]) };
        assert_eq!(check_type_names(&configuration), Ok(()), "it ends");
    }

    #[test]
    fn apply_configurations_keep_large_integers() {
        let arena = Arena::new();
        let message = Struct { type_name: "Object", fields: &[("big", Cel::Int(i64::MAX))] };
        let json = apply_configuration(&arena, &message).expect("plain fields");
        assert_eq!(json.value.get("big"), Some(Value::Int(i64::MAX)));
    }

    #[test]
    fn what_upstream_converts_one_level_deep_stays_foreign_below() {
        let arena = Arena::new();
        let list = Cel::List(List::Values(&[Cel::Int(1)]));
        let sum = Cel::List(List::Sum(&[Cel::Int(1)]));
        let document = Cel::List(List::Json(&[Value::Int(1)]));
        let within = |value: Cel<'static>| Cel::List(List::Values(arena.alloc_slice_copy(&[value])));
        let entries = crate::cel::value::Entries::new(&arena, &[(Cel::String("k"), Cel::Int(1))]).expect("one key");
        for (field, foreign) in [
            (list, 0),
            (within(list), 1),
            (within(sum), 0),
            (within(document), 0),
            (Cel::Map(Map::Entries(entries)), 0),
            (Cel::List(List::Values(&[Cel::Map(Map::Entries(entries))])), 1),
            (Cel::Bytes(b"hi"), 1),
            (within(Cel::Bytes(b"hi")), 1),
        ] {
            let fields = [("field", field)];
            let message = Struct { type_name: "Object", fields: &fields };
            let configuration = apply_configuration(&arena, &message).expect("fields");
            assert_eq!(configuration.foreign.len(), foreign, "{field:?}");
        }
    }

    #[test]
    fn types_have_to_be_named_after_their_fields() {
        let selector = Struct { type_name: "Object.spec.wrong", fields: &[] };
        let inner = [("selector", Cel::Struct(&selector))];
        let spec = Struct { type_name: "Object.spec", fields: &inner };
        let outer = [("spec", Cel::Struct(&spec))];
        let wrong = Struct { type_name: "Object", fields: &outer };
        let error = check_type_names(&wrong).expect_err("a mismatch");
        assert_eq!(
            error,
            "unexpected type name \"Object.spec.wrong\", expected \"Object.spec.selector\", \
             which matches field name path from root Object type"
        );
        let right = Struct { type_name: "Object", fields: &[("spec", Cel::Int(1))] };
        assert_eq!(check_type_names(&right), Ok(()));
    }
}
