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
//!   object of type N, `:q` a quantity, or `:s` strings, `:n` numbers, `:b` booleans, of which a null is a zero.
//!
//! A field that isn't listed isn't written if it is null; a field that upstream doesn't know stays, for it may be of a
//! later version.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::json::{Arena, Member, Object, Value};
use crate::schema::GroupVersionKind;

use super::quantity::Amount;
use super::rule::is_zero;

/// The object with its fields written as the API server does, if its kind is in the table. What it shares with
/// `before`, which is written so, is not looked at.
pub(super) fn normalise<'a>(
    arena: &'a Arena,
    kind: GroupVersionKind<'_>,
    before: Value<'a>,
    object: Value<'a>,
) -> Value<'a> {
    let name = format!("{}/{}/{}", kind.group, kind.version, kind.kind);
    let Some(id) = TABLE.kinds.get(name.as_str()) else { return object };
    Content::Object(*id).rewritten("", arena, before, object).unwrap_or(object)
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
    /// Plain values in a list or a map, where a null is this zero.
    Elements(Value<'static>),
    Quantity,
    Object(usize),
}

/// How a value is written.
enum Written<'a> {
    AsItIs,
    As(Value<'a>),
    Not,
}

/// The object if it isn't written as it is. One pass, since an object may have very many members.
fn rewritten<'a>(arena: &'a Arena, id: usize, before: Object<'a>, object: Object<'a>) -> Option<Object<'a>> {
    let known = TABLE.types.get(id).map(Vec::as_slice).unwrap_or_default();
    // The members up to the first that changes are copied only then.
    let mut members: Option<Vec<Member<'a>>> = None;
    for (index, (key, value)) in object.members().iter().enumerate() {
        let before = before.get_near(key, index).unwrap_or(Value::Null);
        let field = || known.binary_search_by(|field| field.name.cmp(key)).ok().and_then(|at| known.get(at));
        let written = if before.is_shared_with(value) && !is_empty(*value) {
            Written::AsItIs
        } else {
            match field() {
                Some(field) => field.written(arena, before, *value),
                None if value.is_null() => Written::Not,
                None => Written::AsItIs,
            }
        };
        match (written, &mut members) {
            (Written::AsItIs, None) => {}
            (Written::AsItIs, Some(members)) => members.push((key, *value)),
            (written, members) => {
                let earlier = || object.members().get(..index).unwrap_or_default().to_vec();
                let members = members.get_or_insert_with(earlier);
                if let Written::As(value) = written {
                    members.push((key, value));
                }
            }
        }
    }
    for field in known {
        let Presence::Always(zero) = field.presence else { continue };
        if object.get(field.name).is_none() {
            let value = match field.written(arena, Value::Null, zero) {
                Written::As(value) => value,
                _ => zero,
            };
            members.get_or_insert_with(|| object.members().to_vec()).push((field.name, value));
        }
    }
    members.map(|members| Object::new(arena, &members))
}

impl Field {
    /// How a value of the field is written.
    fn written<'a>(&self, arena: &'a Arena, before: Value<'a>, value: Value<'a>) -> Written<'a> {
        let present = match (value, self.presence) {
            (Value::Null, Presence::Always(zero)) => zero,
            _ => value,
        };
        let rewritten = self.content.rewritten(self.containers, arena, before, present);
        let written = rewritten.unwrap_or(present);
        let is_left_out = match self.presence {
            Presence::UnlessZero => is_empty(written),
            Presence::UnlessNull => written.is_null(),
            Presence::Always(_) => false,
        };
        match is_left_out {
            true => Written::Not,
            false if rewritten.is_none() && !value.is_null() => Written::AsItIs,
            false => Written::As(written),
        }
    }
}

/// Whether a value says nothing where a field may be left out.
fn is_empty(value: Value<'_>) -> bool {
    is_zero(value) || value.as_object().is_some_and(|object| object.is_empty())
}

impl Content {
    /// The value if it isn't written as it is.
    fn rewritten<'a>(
        self,
        containers: &str,
        arena: &'a Arena,
        before: Value<'a>,
        value: Value<'a>,
    ) -> Option<Value<'a>> {
        // What isn't there before is null, too.
        if !value.is_null() && before.is_shared_with(&value) {
            return None;
        }
        match (containers.split_at_checked(1), self) {
            (_, Content::Plain) => None,
            (Some(("[", inner)), _) => {
                let (elements, before) = (value.as_array()?, before.as_array().unwrap_or_default());
                let mut copy: Option<&'a mut [Value<'a>]> = None;
                for (index, element) in elements.iter().enumerate() {
                    let before = before.get(index).copied().unwrap_or(Value::Null);
                    let Some(new) = self.rewritten(inner, arena, before, *element) else { continue };
                    let copy = copy.get_or_insert_with(|| arena.alloc_slice_copy(elements));
                    if let Some(slot) = copy.get_mut(index) {
                        *slot = new;
                    }
                }
                copy.map(|copy| Value::Array(copy))
            }
            (Some((_, inner)), _) => {
                let (map, before) = (value.as_object()?, before.as_object().unwrap_or_default());
                let mut copy: Option<Vec<Member<'a>>> = None;
                for (index, (key, member)) in map.members().iter().enumerate() {
                    let before = before.get(key).unwrap_or(Value::Null);
                    let Some(new) = self.rewritten(inner, arena, before, *member) else { continue };
                    let copy = copy.get_or_insert_with(|| map.members().to_vec());
                    if let Some(slot) = copy.get_mut(index) {
                        slot.1 = new;
                    }
                }
                copy.map(|copy| Value::Object(Object::new(arena, &copy)))
            }
            (None, Content::Elements(zero)) => value.is_null().then_some(zero),
            (None, Content::Quantity) => {
                let written = Amount::parse(arena, value).and_then(|amount| amount.write(arena))?;
                (written != value).then_some(written)
            }
            (None, Content::Object(id)) => {
                let before = before.as_object().unwrap_or_default();
                rewritten(arena, id, before, value.as_object()?).map(Value::Object)
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
                Presence::Always(zero_of(zero))
            }
        };
        let (containers, content) = rest.split_once(':').unwrap_or_default();
        let content = match content {
            "" => Content::Plain,
            "q" => Content::Quantity,
            "s" | "n" | "b" => Content::Elements(zero_of(content)),
            id => Content::Object(id.parse().ok()?),
        };
        Some(Self { name, presence, containers, content })
    }
}

fn zero_of(kind: &str) -> Value<'static> {
    match kind {
        "s" => Value::String(""),
        "n" => Value::Int(0),
        "b" => Value::Bool(false),
        "q" => Value::String("0"),
        "o" => Value::Object(Object::default()),
        _ => Value::Null,
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
