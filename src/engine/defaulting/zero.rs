//! How fields are written whose value is zero: what decoding an object into upstream's types and writing it again does
//! to it. A `hostPID: false` or an `args: []` is gone, a container's `resources` are there even if nothing is in them,
//! quantities have their canonical form. Read from `zero.txt`.
//!
//! That file is written by `tests/schemagen` from upstream's types. A line `=group/version/Kind N` says that a kind is
//! type N; the other lines are the types, in order from 0, each a list of fields, which are
//!
//! - their name,
//! - `?` for a field that isn't written if it is zero, `*` for one that isn't if it is null, `!` for one that always
//!   is, as `!s` an empty string, `!n` a zero, `!b` a false, `!l` a null, `!q` a quantity of zero, `!o` an object,
//! - and what it holds if that is no plain value: any number of `[` for a list and `{` for a map of, at last, `:N` an
//!   object of type N or `:q` a quantity.
//!
//! A field that isn't listed isn't written if it is null; a field that upstream doesn't know stays, for it may be of a
//! later version.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::engine::request::GroupVersionKind;
use crate::json::{Arena, Member, Object, Value};

use super::quantity::Amount;
use super::rule::is_zero;

/// The object with its fields written as the API server does, if its kind is in the table.
pub(super) fn normalise<'a>(arena: &'a Arena, kind: GroupVersionKind<'_>, object: Object<'a>) -> Object<'a> {
    let name = format!("{}/{}/{}", kind.group, kind.version, kind.kind);
    TABLE.kinds.get(name.as_str()).and_then(|id| changed(arena, *id, object)).unwrap_or(object)
}

#[derive(Debug)]
struct Field {
    name: &'static str,
    presence: Presence,
    /// The lists and maps around what the field holds in the end, outermost first.
    containers: &'static str,
    content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Presence {
    UnlessZero,
    UnlessNull,
    Always(Value<'static>),
}

#[derive(Clone, Copy, Debug)]
enum Content {
    Plain,
    Quantity,
    Object(usize),
}

/// The object if it isn't what it was. One pass, since an object may have very many members.
fn changed<'a>(arena: &'a Arena, id: usize, object: Object<'a>) -> Option<Object<'a>> {
    let known = TABLE.types.get(id).map(Vec::as_slice).unwrap_or_default();
    let mut is_changed = false;
    let mut members: Vec<Member<'a>> = Vec::with_capacity(object.len());
    for (key, value) in object.members() {
        let field = known.binary_search_by(|field| field.name.cmp(key)).ok().and_then(|at| known.get(at));
        let written = match field {
            Some(field) => field.written(arena, *value),
            None => Some(*value).filter(|value| !value.is_null()),
        };
        is_changed |= written != Some(*value);
        members.extend(written.map(|written| (*key, written)));
    }
    let absent = known.iter().filter(|field| object.get(field.name).is_none());
    let absent = absent.filter_map(|field| match field.presence {
        Presence::Always(zero) => Some((field.name, field.written(arena, zero)?)),
        _ => None,
    });
    let kept = members.len();
    members.extend(absent);
    (is_changed || members.len() > kept).then(|| Object::new(arena, &members))
}

impl Field {
    /// How a value of the field is written; `None` if it isn't.
    fn written<'a>(&self, arena: &'a Arena, value: Value<'a>) -> Option<Value<'a>> {
        let value = match (value, self.presence) {
            (Value::Null, Presence::Always(zero)) => zero,
            _ => value,
        };
        let written = self.content.written(self.containers, arena, value);
        let is_left_out = match self.presence {
            Presence::UnlessZero => is_zero(written) || written == Value::Object(Object::default()),
            Presence::UnlessNull => written.is_null(),
            Presence::Always(_) => false,
        };
        (!is_left_out).then_some(written)
    }
}

impl Content {
    fn written<'a>(self, containers: &str, arena: &'a Arena, value: Value<'a>) -> Value<'a> {
        match (containers.split_at_checked(1), self) {
            (_, Content::Plain) => value,
            (Some(("[", inner)), _) => {
                let Value::Array(elements) = value else { return value };
                let new: Vec<_> = elements.iter().map(|element| self.written(inner, arena, *element)).collect();
                if new == elements { value } else { Value::Array(arena.alloc_slice_copy(&new)) }
            }
            (Some((_, inner)), _) => {
                let Value::Object(map) = value else { return value };
                let new = map.members().iter().map(|(key, member)| (*key, self.written(inner, arena, *member)));
                let new: Vec<_> = new.collect();
                if new == map.members() { value } else { Value::Object(Object::new(arena, &new)) }
            }
            (None, Content::Quantity) => {
                Amount::parse(arena, value).and_then(|amount| amount.write(arena)).unwrap_or(value)
            }
            (None, Content::Object(id)) => {
                let Value::Object(object) = value else { return value };
                changed(arena, id, object).map_or(value, Value::Object)
            }
        }
    }
}

struct Table {
    kinds: HashMap<&'static str, usize>,
    /// Fields sorted by name.
    types: Vec<Vec<Field>>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("zero.txt")));

impl Table {
    fn read(text: &'static str) -> Self {
        let mut table = Table { kinds: HashMap::new(), types: Vec::new() };
        for line in text.lines() {
            if let Some(kind) = line.strip_prefix('=') {
                let Some((name, id)) = kind.split_once(' ') else { continue };
                table.kinds.extend(id.parse().ok().map(|id| (name, id)));
            } else {
                let mut fields: Vec<Field> = line.split_whitespace().filter_map(Field::read).collect();
                fields.sort_by_key(|field| field.name);
                table.types.push(fields);
            }
        }
        table
    }
}

impl Field {
    fn read(text: &'static str) -> Option<Self> {
        let (name, rest) = text.split_at_checked(text.find(['?', '*', '!'])?)?;
        let (mark, mut rest) = rest.split_at_checked(1)?;
        let presence = match mark {
            "?" => Presence::UnlessZero,
            "*" => Presence::UnlessNull,
            _ => {
                let (zero, after) = rest.split_at_checked(1)?;
                rest = after;
                Presence::Always(match zero {
                    "s" => Value::String(""),
                    "n" => Value::Int(0),
                    "b" => Value::Bool(false),
                    "q" => Value::String("0"),
                    "o" => Value::Object(Object::default()),
                    _ => Value::Null,
                })
            }
        };
        let (containers, content) = rest.split_once(':').unwrap_or_default();
        let content = match content {
            "" => Content::Plain,
            "q" => Content::Quantity,
            id => Content::Object(id.parse().ok()?),
        };
        Some(Self { name, presence, containers, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_in_the_table_can_be_read() {
        let fields: usize = TABLE.types.iter().map(Vec::len).sum();
        assert_eq!(
            fields,
            include_str!("zero.txt")
                .lines()
                .filter(|line| !line.starts_with('='))
                .flat_map(str::split_whitespace)
                .count()
        );
        let ids = TABLE.types.iter().flatten().filter_map(|field| match field.content {
            Content::Object(id) => Some(id),
            _ => None,
        });
        assert!(ids.chain(TABLE.kinds.values().copied()).all(|id| id < TABLE.types.len()));
        assert!(TABLE.kinds.contains_key("/v1/Pod") && fields > 500);
    }
}
