//! CEL values as tagged JSON: what `eval --batch` reads as bindings and writes as results.
//!
//! `{"t":"int","v":"1"}`; lists and maps nest; Kubernetes' own types are `opaque` with a type and a text.

use anyhow::{Context, Result, anyhow, bail};

use crate::cel::value::{Entries, List, Map, Timestamp};
use crate::cel::{Type, Value};
use crate::json::{self, Arena};

/// Reads a tagged value and the type to declare it with: `dyn` for null and for what mixed or empty collections hold.
///
/// # Errors
/// A tag or a value that the schema doesn't have.
pub fn read<'a>(arena: &'a Arena, tagged: json::Value<'a>) -> Result<(Value<'a>, Type)> {
    let tag = tagged.get("t").and_then(|t| t.as_str()).context("a tagged value needs a string member \"t\"")?;
    let value = tagged.get("v");
    let text = || value.and_then(|v| v.as_str()).with_context(|| format!("a tagged {tag} needs a string member \"v\""));
    Ok(match tag {
        "null" => (Value::Null, Type::Dyn),
        "bool" => {
            (Value::Bool(value.and_then(|v| v.as_bool()).context("a tagged bool needs true or false")?), Type::Bool)
        }
        "int" => (Value::Int(text()?.parse()?), Type::Int),
        "uint" => (Value::Uint(text()?.parse()?), Type::Uint),
        "double" => (Value::Double(text()?.parse()?), Type::Double),
        "string" => (Value::String(text()?), Type::String),
        "bytes" => (Value::Bytes(arena.alloc_slice_copy(&from_hex(text()?)?)), Type::Bytes),
        "type" => (Value::Type(text()?), Type::Type(None)),
        "duration" => (Value::Duration(text()?.parse()?), Type::Duration),
        "timestamp" => (Value::Timestamp(timestamp(tagged)?), Type::Timestamp),
        "list" => {
            let elements = value.and_then(|v| v.as_array()).context("a tagged list needs an array")?;
            let read: Vec<_> = elements.iter().map(|element| read(arena, *element)).collect::<Result<_>>()?;
            let values: Vec<_> = read.iter().map(|(value, _)| *value).collect();
            let of = common(read.iter().map(|(_, of)| of));
            (Value::List(List::Values(arena.alloc_slice_copy(&values))), Type::list(of))
        }
        "map" => read_map(arena, value)?,
        "optional" => match value {
            None | Some(json::Value::Null) => (Value::Optional(None), Type::optional(Type::Dyn)),
            Some(inner) => {
                let (value, of) = read(arena, inner)?;
                (Value::Optional(Some(arena.alloc(value))), Type::optional(of))
            }
        },
        other => bail!("{other:?} values cannot be bound"),
    })
}

fn read_map<'a>(arena: &'a Arena, value: Option<json::Value<'a>>) -> Result<(Value<'a>, Type)> {
    let pairs = value.and_then(|v| v.as_array()).context("a tagged map needs an array of pairs")?;
    let mut entries = Vec::with_capacity(pairs.len());
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for pair in pairs {
        let Some([key, value]) = pair.as_array() else { bail!("a tagged map needs an array of pairs") };
        let ((key, key_type), (value, value_type)) = (read(arena, *key)?, read(arena, *value)?);
        entries.push((key, value));
        keys.push(key_type);
        values.push(value_type);
    }
    let map = Entries::new(arena, &entries).map_err(|error| anyhow!("a tagged map: {error:?}"))?;
    Ok((Value::Map(Map::Entries(map)), Type::map(common(keys.iter()), common(values.iter()))))
}

/// The type that all have, or `dyn`.
fn common<'t>(mut types: impl Iterator<Item = &'t Type>) -> Type {
    match types.next() {
        Some(first) if types.all(|other| other == first) => first.clone(),
        _ => Type::Dyn,
    }
}

fn timestamp(tagged: json::Value<'_>) -> Result<Timestamp> {
    let number = |name| match tagged.get(name) {
        Some(json::Value::Int(i)) => Ok(i),
        Some(json::Value::String(text)) => Ok(text.parse()?),
        _ => bail!("a tagged timestamp needs a number {name:?}"),
    };
    Ok(Timestamp::utc(number("s")?, u32::try_from(number("n")?)?))
}

/// Writes a value in tagged form. Map entries are sorted by their text, so that equal maps print alike.
pub fn write<'a>(arena: &'a Arena, value: &Value<'a>) -> json::Value<'a> {
    let text = |tag, text: String| object(arena, &[("t", string(tag)), ("v", string(arena.alloc_str(&text)))]);
    match value {
        Value::Null => object(arena, &[("t", string("null"))]),
        Value::Bool(b) => object(arena, &[("t", string("bool")), ("v", json::Value::Bool(*b))]),
        Value::Int(i) => text("int", i.to_string()),
        Value::Uint(u) => text("uint", u.to_string()),
        Value::Double(d) => text("double", double(*d)),
        Value::String(s) => object(arena, &[("t", string("string")), ("v", string(s))]),
        Value::Bytes(bytes) => text("bytes", to_hex(bytes)),
        Value::Duration(d) => text("duration", d.to_string()),
        Value::Timestamp(t) => object(
            arena,
            &[
                ("t", string("timestamp")),
                ("s", json::Value::Int(t.seconds)),
                ("n", json::Value::Int(i64::from(t.nanos))),
            ],
        ),
        Value::List(list) => tagged(arena, "list", list.iter().map(|element| write(arena, &element)).collect()),
        Value::Map(map) => {
            let mut pairs: Vec<_> =
                map.iter().map(|(key, value)| array(arena, &[write(arena, &key), write(arena, &value)])).collect();
            pairs.sort_by_cached_key(|pair| json::to_json(*pair));
            tagged(arena, "map", pairs)
        }
        Value::Struct(message) => {
            // An object is shown as the patch made of it has it: what is nested is maps.
            let plain = message.as_plain(arena);
            let field = |(name, value): &(&'a str, Value<'a>)| array(arena, &[string(name), write(arena, value)]);
            let mut fields: Vec<_> = plain.as_deref().unwrap_or(message.fields).iter().map(field).collect();
            fields.sort_by_cached_key(|field| json::to_json(*field));
            object(arena, &[("t", string("object")), ("type", string(message.type_name)), ("v", array(arena, &fields))])
        }
        Value::Type(name) => object(arena, &[("t", string("type")), ("v", string(name))]),
        Value::Optional(inner) => {
            let inner = inner.map_or(json::Value::Null, |inner| write(arena, inner));
            object(arena, &[("t", string("optional")), ("v", inner)])
        }
        Value::Opaque(opaque) => object(
            arena,
            &[
                ("t", string("opaque")),
                ("type", string(opaque.type_name())),
                ("v", string(arena.alloc_str(&opaque.to_string()))),
            ],
        ),
    }
}

fn double(d: f64) -> String {
    match d {
        d if d.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        d => format!("{d:?}"),
    }
}

fn string(text: &str) -> json::Value<'_> {
    json::Value::String(text)
}

fn object<'a>(arena: &'a Arena, members: &[json::Member<'a>]) -> json::Value<'a> {
    json::Value::Object(json::Object::new(arena, members))
}

fn array<'a>(arena: &'a Arena, elements: &[json::Value<'a>]) -> json::Value<'a> {
    json::Value::Array(arena.alloc_slice_copy(elements))
}

fn tagged<'a>(arena: &'a Arena, tag: &'static str, elements: Vec<json::Value<'a>>) -> json::Value<'a> {
    object(arena, &[("t", string(tag)), ("v", array(arena, &elements))])
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16).context("a hex digit")).collect::<Result<_>>()?;
    digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Ok(u8::try_from(high * 16 + low)?),
            _ => bail!("an even number of hex digits"),
        })
        .collect()
}
