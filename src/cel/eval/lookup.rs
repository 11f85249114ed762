//! Fields, elements and keys: what `a.b`, `a[b]` and `has(a.b)` find.
//!
//! Upstream: `refQualify` in `cel-go/interpreter/attributes.go`.

use super::dispatch::go_type;
use super::native;
use crate::cel::function::Error;
use crate::cel::value::opaque::Opaque;
use crate::cel::value::text::display;
use crate::cel::value::{List, Map, Value};
use crate::json::Arena;

type Found<'a> = Result<Option<Value<'a>>, Error>;

/// The field of a map or struct; with `presence`, absence is no error.
pub(in crate::cel) fn field_of<'a>(of: Value<'a>, field: &str, presence: bool) -> Found<'a> {
    let found = match of {
        Value::Map(Map::Json(object)) => object.get(field).map(Value::from),
        Value::Map(map) => map.get(&Value::String(field)),
        // Upstream finds the fields of an `Object{…}` by its type only.
        Value::Struct(message) if message.type_name != "JSONPatch" => None,
        Value::Struct(_) if !matches!(field, "op" | "path" | "from" | "value") => {
            return Err(Error::new(format!("unsupported field: {field}")));
        }
        Value::Struct(message) => {
            let set = message.fields.iter().find(|(name, _)| *name == field).map(|(_, value)| *value);
            // A field that isn't set is there all the same.
            let unset = if field == "value" { Value::Null } else { Value::String("") };
            if presence { set } else { Some(set.unwrap_or(unset)) }
        }
        Value::List(_) => return Err(unsupported_index(&Value::String(field))),
        Value::Opaque(Opaque::Failed(message)) => return Err(Error::new(*message)),
        _ => None,
    };
    match found {
        None if !presence => Err(Error::new(format!("no such key: {field}"))),
        found => Ok(found),
    }
}

/// The field of an `Object{…}`, or of the map that it has become; one that is not set is null.
pub(in crate::cel) fn member_of<'a>(arena: &'a Arena, of: Value<'a>, field: &str, presence: bool) -> Found<'a> {
    let fields = match of {
        Value::Struct(message) if message.type_name != "JSONPatch" => native::fields(arena, message.fields),
        map @ Value::Map(_) => Some(map),
        _ => None,
    };
    match fields {
        Some(Value::Map(fields)) => match fields.get(&Value::String(field)) {
            None if !presence => Ok(Some(Value::Null)),
            found => Ok(found),
        },
        _ if presence => Ok(None),
        _ => Err(Error::new(format!("cannot get field \"{field}\""))),
    }
}

/// The element of a list or the value at a map's key; with `presence`, absence is no error.
pub(in crate::cel) fn element_of<'a>(of: Value<'a>, key: &Value<'a>, presence: bool) -> Found<'a> {
    if !is_qualifier(key) {
        return Err(Error::new(format!("invalid qualifier type: {}", go_type(key))));
    }
    match (of, key) {
        (Value::Map(map), key) => match map.get(key) {
            None if !presence => Err(Error::new(format!("no such key: {}", display(key)))),
            found => Ok(found),
        },
        (Value::List(list), key) => {
            let index = index(key)?;
            let found = usize::try_from(index).ok().and_then(|index| list.get(index));
            match found {
                None if !presence => Err(Error::new(format!("index out of bounds: {}", display(key)))),
                found => Ok(found),
            }
        }
        (Value::Opaque(Opaque::Failed(message)), _) => Err(Error::new(*message)),
        (of, Value::String(field)) => field_of(of, field, presence),
        (_, key) if !presence => Err(Error::new(format!("no such key: {}", display(key)))),
        _ => Ok(None),
    }
}

/// The error of a key that can't look anything up and that a chain of names has led to: upstream has it as Go's own
/// value there. `None` for all other keys.
pub(in crate::cel) fn not_a_qualifier(key: &Value<'_>) -> Option<Error> {
    let of = match key {
        Value::Null => "<nil>",
        Value::List(List::Json(_)) => "[]interface {}",
        Value::Map(Map::Json(_)) => "map[string]interface {}",
        _ => return None,
    };
    Some(Error::new(format!("invalid qualifier type: {of}")))
}

/// Whether a value can look something up at all.
fn is_qualifier(key: &Value<'_>) -> bool {
    matches!(key, Value::String(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Bool(_))
}

/// The index that a key is: an integer of any number type.
fn index(key: &Value<'_>) -> Result<i64, Error> {
    match key {
        Value::Int(index) => Ok(*index),
        Value::Uint(index) => i64::try_from(*index).map_err(|_| unsupported_index(key)),
        // The doubles of which 64 bits take the integer.
        Value::Double(index) if index.fract() == 0.0 && index.abs() < 2f64.powi(63) => Ok(*index as i64),
        _ => Err(unsupported_index(key)),
    }
}

fn unsupported_index(key: &Value<'_>) -> Error {
    match key {
        Value::Uint(_) | Value::Double(_) => Error::new(format!("unsupported index value {} in list", display(key))),
        _ => Error::new(format!("unsupported index type '{}' in list", key.type_name())),
    }
}

/// Whether a struct takes this value for a field: `JSONPatch` wants strings for all but `value`.
pub(in crate::cel) fn check_field(type_name: &str, field: &str, value: &Value<'_>) -> Result<(), Error> {
    if type_name == "JSONPatch" && field != "value" && !matches!(value, Value::String(_)) {
        let found = match value {
            Value::Int(_) => "int64",
            Value::Uint(_) => "uint64",
            Value::Double(_) => "float64",
            Value::Bytes(_) => "[]uint8",
            Value::Null => "structpb.NullValue",
            Value::Duration(_) => "time.Duration",
            Value::Timestamp(_) => "time.Time",
            Value::List(List::Values(_)) => "[]ref.Val",
            Value::List(List::Strings(_)) => "[]string",
            Value::List(List::Json(_)) => "[]interface {}",
            Value::Map(Map::Entries(_)) => "map[ref.Val]ref.Val",
            Value::Map(Map::Json(_)) => "map[string]interface {}",
            Value::Optional(None) => "<nil>",
            other => other.type_name(),
        };
        return Err(Error::new(format!("unexpected type {found} for JSONPatchType '{field}' field")));
    }
    Ok(())
}
