//! Elements of sets and list-maps by identity: upstream's `fieldpath.PathElement`, in the form that its messages show.

use crate::json::Value;
use crate::schema::{KeyDefault, List, ListKind, Types};

/// What tells an element of a set or list-map from the others, such as `[name="web"]`.
///
/// # Errors
/// Why it has no identity, in upstream's words.
pub(super) fn identity(types: &Types, list: &List, element: Value<'_>) -> Result<String, String> {
    match list.kind {
        ListKind::Map => keyed(types, list, element),
        ListKind::Set => match element {
            Value::Object(_) => Err("associative list without keys has an element that's a map type".to_owned()),
            Value::Array(_) => Err("not supported: associative list with lists as elements".to_owned()),
            Value::Null => Err("associative list without keys has an element that's an explicit null".to_owned()),
            scalar => Ok(format!("[={}]", shown(scalar))),
        },
        ListKind::Atomic => Err("invalid indexing of non-associative list".to_owned()),
    }
}

fn keyed(types: &Types, list: &List, element: Value<'_>) -> Result<String, String> {
    let object = match element {
        Value::Object(object) => object,
        Value::Null => return Err("associative list with keys may not have a null element".to_owned()),
        _ => return Err("associative list with keys may not have non-map elements".to_owned()),
    };
    let element = types.resolve(list.element).map.as_ref();
    let default = |key: &str| element?.field(key)?.default.as_ref().map(KeyDefault::value);
    let value = |key: &str| object.get(key).or_else(|| default(key));
    let mut keys: Vec<(&str, String)> = list.keys.iter().filter_map(|key| Some((&**key, shown(value(key)?)))).collect();
    if keys.is_empty() {
        let names: Vec<String> = list.keys.iter().map(|key| format!("{key:?}")).collect();
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values \
             for any key fields)",
            names.join(" ")
        ));
    }
    keys.sort();
    let keys: Vec<String> = keys.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    Ok(format!("[{}]", keys.join(",")))
}

/// A value in an identity. Equal numbers look alike, whether integer or float.
fn shown(value: Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => format!("{text:?}"),
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(|element| shown(*element)).collect();
            format!("[{}]", elements.join(","))
        }
        Value::Object(object) => {
            object.members().iter().map(|(key, value)| format!("{key}={}", shown(*value))).collect()
        }
        scalar => go(scalar),
    }
}

/// A value as Go's `%v` shows it, for messages.
pub(super) fn go(value: Value<'_>) -> String {
    match value {
        // A null that CEL gave is a number of protobuf's, with a name.
        Value::Null => "NULL_VALUE".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) if value.fract() == 0.0 && value.abs() < 1e21 => format!("{value:.0}"),
        Value::Float(value) => format!("{value:?}"),
        Value::String(value) => value.to_owned(),
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(|element| go(*element)).collect();
            format!("[{}]", elements.join(" "))
        }
        Value::Object(object) => {
            let mut members: Vec<String> =
                object.members().iter().map(|(key, value)| format!("{key}:{}", go(*value))).collect();
            members.sort();
            format!("map[{}]", members.join(" "))
        }
    }
}
