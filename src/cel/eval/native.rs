//! What is left of a value that upstream takes apart into Go's own types and puts together again.
//!
//! It does so with the optionals that names and the branches of a conditional hold (`applyQualifiers` in
//! `cel-go/interpreter/attributes.go`), and with the fields that are read from an `Object{…}`
//! (`pkg/cel/mutation/dynamic/objects.go`): types become their names, nested optionals one, and Kubernetes' own types
//! become errors that whoever reads the value meets.

use crate::cel::value::opaque::Opaque;
use crate::cel::value::{Entries, List, Map, Struct, Value};
use crate::json::Arena;

/// An optional after a look at what it holds; any other value as it is.
pub(in crate::cel) fn looked_into<'a>(arena: &'a Arena, value: Value<'a>) -> Value<'a> {
    match value {
        Value::Optional(Some(inner)) if changes(inner) => Value::Optional(Some(arena.alloc(converted(arena, *inner)))),
        other => other,
    }
}

/// A value after the way there and back. Elements of lists and maps stay as they are, except those of a sum of lists.
pub(in crate::cel) fn converted<'a>(arena: &'a Arena, value: Value<'a>) -> Value<'a> {
    match value {
        Value::Type(name) => Value::String(name),
        Value::Optional(None) => Value::Null,
        Value::Optional(Some(inner)) => converted(arena, *inner),
        Value::Opaque(Opaque::Authorization(_)) => failed(arena, "no such overload"),
        Value::Opaque(opaque) => match go_value(opaque) {
            Some(text) => failed(arena, &format!("unsupported conversion to ref.Val: {text}")),
            None => value,
        },
        Value::List(List::Sum(elements)) => {
            let elements: Vec<_> = elements.iter().map(|element| converted(arena, *element)).collect();
            Value::List(List::Values(arena.alloc_slice_copy(&elements)))
        }
        Value::Struct(message) if message.type_name != "JSONPatch" => match fields(arena, message.fields) {
            Some(fields) => fields,
            None => failed(arena, "fail to convert field: a map's key is no string"),
        },
        other => other,
    }
}

fn failed<'a>(arena: &'a Arena, message: &str) -> Value<'a> {
    Value::Opaque(arena.alloc(Opaque::Failed(arena.alloc_str(message))))
}

/// Whether [`converted`] changes anything.
fn changes(value: &Value<'_>) -> bool {
    matches!(
        value,
        Value::Type(_) | Value::Optional(_) | Value::Opaque(_) | Value::Struct(_) | Value::List(List::Sum(_))
    )
}

impl<'a> Struct<'a> {
    /// The fields of an `Object{…}` as upstream's Go values: what is nested in it becomes maps. `None` for other
    /// types, and where that can't be.
    pub fn as_plain(&self, arena: &'a Arena) -> Option<Vec<(&'a str, Value<'a>)>> {
        if self.type_name == "JSONPatch" {
            return None;
        }
        self.fields.iter().map(|(name, value)| Some((*name, field(arena, *value)?))).collect()
    }
}

/// The fields of an `Object{…}` as a map of Go values; `None` if one can't be converted, as a map whose keys are no
/// strings.
pub(in crate::cel) fn fields<'a>(arena: &'a Arena, fields: &[(&'a str, Value<'a>)]) -> Option<Value<'a>> {
    let mut entries = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        entries.push((Value::String(name), field(arena, *value)?));
    }
    map(arena, &entries)
}

/// A field's value: of a list or a map that the expression made, the elements are converted too.
fn field<'a>(arena: &'a Arena, value: Value<'a>) -> Option<Value<'a>> {
    // What holds one value many times over is copied as often; the evaluation ends when this is seen.
    if !arena.fits(0) {
        return None;
    }
    match value {
        Value::Optional(Some(inner)) => field(arena, *inner),
        Value::List(List::Values(elements)) => {
            let elements: Vec<_> = elements.iter().map(|element| converted(arena, *element)).collect();
            Some(Value::List(List::Values(arena.alloc_slice_copy(&elements))))
        }
        Value::Map(Map::Entries(entries)) => {
            let mut converted_entries = Vec::with_capacity(entries.all().len());
            for (key, value) in entries.all() {
                let Value::String(_) = key else { return None };
                converted_entries.push((*key, converted(arena, *value)));
            }
            map(arena, &converted_entries)
        }
        Value::Struct(message) if message.type_name != "JSONPatch" => fields(arena, message.fields),
        other => Some(converted(arena, other)),
    }
}

fn map<'a>(arena: &'a Arena, entries: &[(Value<'a>, Value<'a>)]) -> Option<Value<'a>> {
    Entries::new(arena, entries).ok().map(|entries| Value::Map(Map::Entries(entries.into_plain())))
}

/// A value of Kubernetes' own as Go prints it; `None` for what stays a CEL value.
fn go_value(opaque: &Opaque<'_>) -> Option<String> {
    let of = match opaque {
        Opaque::Quantity(_) => "*resource.Quantity",
        Opaque::Ip(_) => "netip.Addr",
        Opaque::Cidr(_) => "netip.Prefix",
        Opaque::Semver(_) => "semver.Version",
        Opaque::Url(_) => "*url.URL",
        Opaque::Format(_) | Opaque::Authorization(_) | Opaque::Failed(_) => return None,
    };
    Some(format!("({of}){opaque}"))
}
