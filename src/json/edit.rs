//! Changing one place of a document by copying the containers on the way to it, by the rules of `evanphx/json-patch`.

use std::borrow::Cow;
use std::mem::size_of;

use super::arena::Arena;
use super::pointer::unescape;
use super::value::{INDEXED_FROM, Member, Object, Value};

/// Why a container has no such place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Place {
    /// The object lacks the key.
    #[error("Unable to remove nonexistent key: {0}: missing value")]
    NoKey(String),
    /// The array is shorter.
    #[error("Unable to access invalid index: {0}: invalid index referenced")]
    NoIndex(i64),
    /// The array is asked for something that is no number.
    #[error("{prefix}strconv.Atoi: parsing {token:?}: {problem}")]
    NotAnIndex {
        /// Upstream's words for `add`.
        prefix: String,
        /// The token.
        token: String,
        /// What Go says about it.
        problem: &'static str,
    },
}

/// The container that a pointer's last token is about, and the way to it.
pub(super) struct Target<'a, 'p> {
    pub container: Value<'a>,
    pub key: Cow<'p, str>,
    /// From the root: each container and which of its children comes next.
    way: Vec<(Value<'a>, usize)>,
}

impl<'a> Target<'a, '_> {
    /// How many containers are around the one that was found.
    pub fn depth(&self) -> usize {
        self.way.len()
    }

    /// The document with `container` in the place of the one that was found; adds to `rebuilt` the bytes it takes.
    pub fn rebuild(&self, arena: &'a Arena, container: Value<'a>, rebuilt: &mut usize) -> Value<'a> {
        self.way.iter().rev().fold(container, |child, (parent, position)| {
            *rebuilt = rebuilt.saturating_add(size(*parent));
            with_child(arena, *parent, *position, child)
        })
    }
}

/// Finds the container for the last token of `pointer`; `None` if the way leads through something else.
pub(super) fn find<'a, 'p>(document: Value<'a>, pointer: &'p str) -> Option<Target<'a, 'p>> {
    // What stands before the first slash is ignored, as upstream does.
    let (_, tokens) = pointer.split_once('/')?;
    let (way_tokens, key) = match tokens.rsplit_once('/') {
        Some((way, key)) => (Some(way), key),
        None => (None, tokens),
    };
    let mut container = document;
    let mut way = Vec::new();
    for token in way_tokens.into_iter().flat_map(|tokens| tokens.split('/')) {
        let position = match container {
            Value::Object(object) => position(object, &unescape(token))?,
            Value::Array(elements) => index(elements, &unescape(token)).ok()?,
            _ => return None,
        };
        let child = match container {
            Value::Object(object) => object.members().get(position)?.1,
            Value::Array(elements) => *elements.get(position)?,
            _ => return None,
        };
        way.push((container, position));
        container = child;
    }
    matches!(container, Value::Object(_) | Value::Array(_)).then(|| Target { container, key: unescape(key), way })
}

/// The child at `key`; `None` if an object lacks it.
pub(super) fn get<'a>(container: Value<'a>, key: &str) -> Result<Option<Value<'a>>, Place> {
    match container {
        Value::Array(elements) => Ok(elements.get(index(elements, key)?).copied()),
        other => Ok(other.get(key)),
    }
}

/// A copy with `value` set at an object's key, or inserted before an array's index.
pub(super) fn added<'a>(
    arena: &'a Arena,
    container: Value<'a>,
    key: &str,
    value: Value<'a>,
) -> Result<Value<'a>, Place> {
    let elements = match container {
        Value::Array(elements) => elements,
        other => return Ok(with_member(arena, other, key, value)),
    };
    let at = if key == "-" {
        elements.len()
    } else {
        let number = atoi(key, || format!("value was not a proper array index: '{key}': "))?;
        // The array as it will be, of which -1 is the last place.
        resolve(number, elements.len() + 1)?
    };
    let mut changed = Vec::with_capacity(elements.len() + 1);
    changed.extend_from_slice(elements);
    changed.insert(at.min(elements.len()), value);
    Ok(Value::Array(arena.alloc_slice_copy(&changed)))
}

/// A copy with `value` set at a key, or at an index that the array has.
pub(super) fn replaced<'a>(
    arena: &'a Arena,
    container: Value<'a>,
    key: &str,
    value: Value<'a>,
) -> Result<Value<'a>, Place> {
    match container {
        Value::Array(elements) => Ok(with_child(arena, container, index(elements, key)?, value)),
        other => Ok(with_member(arena, other, key, value)),
    }
}

/// A copy without the child at `key`.
pub(super) fn removed<'a>(arena: &'a Arena, container: Value<'a>, key: &str) -> Result<Value<'a>, Place> {
    match container {
        Value::Array(elements) => {
            let at = index(elements, key)?;
            let rest = elements.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, element)| *element);
            Ok(Value::Array(arena.alloc_slice_copy(&rest.collect::<Vec<_>>())))
        }
        Value::Object(object) if object.get(key).is_some() => {
            let rest: Vec<Member<'a>> = object.members().iter().filter(|(name, _)| *name != key).copied().collect();
            // What was sorted stays sorted.
            Ok(Value::Object(Object::from_checked(arena.alloc_slice_copy(&rest))))
        }
        _ => Err(Place::NoKey(key.to_owned())),
    }
}

/// Whether `value` has at most `depth` levels of arrays and objects.
pub(super) fn fits(value: Value<'_>, depth: usize) -> bool {
    match value {
        Value::Array(elements) => depth > 0 && elements.iter().all(|element| fits(*element, depth - 1)),
        Value::Object(object) => depth > 0 && object.members().iter().all(|(_, member)| fits(*member, depth - 1)),
        _ => true,
    }
}

/// The memory that a copy of a container takes.
pub(super) fn size(container: Value<'_>) -> usize {
    match container {
        Value::Array(elements) => size_of::<Value<'_>>().saturating_mul(elements.len()),
        Value::Object(object) => size_of::<Member<'_>>().saturating_mul(object.len()),
        _ => 0,
    }
}

fn with_child<'a>(arena: &'a Arena, container: Value<'a>, position: usize, child: Value<'a>) -> Value<'a> {
    match container {
        Value::Array(elements) => {
            let copy = arena.alloc_slice_copy(elements);
            if let Some(slot) = copy.get_mut(position) {
                *slot = child;
            }
            Value::Array(copy)
        }
        Value::Object(object) => {
            let copy = arena.alloc_slice_copy(object.members());
            if let Some(slot) = copy.get_mut(position) {
                slot.1 = child;
            }
            Value::Object(Object::from_checked(copy))
        }
        scalar => scalar,
    }
}

fn with_member<'a>(arena: &'a Arena, container: Value<'a>, key: &str, value: Value<'a>) -> Value<'a> {
    let object = container.as_object().unwrap_or_default();
    if let Some(position) = position(object, key) {
        return with_child(arena, container, position, value);
    }
    let mut members = Vec::with_capacity(object.len() + 1);
    members.extend_from_slice(object.members());
    members.push((&*arena.alloc_str(key), value));
    if members.len() > INDEXED_FROM {
        members.sort_by_key(|(key, _)| *key);
    }
    Value::Object(Object::from_checked(arena.alloc_slice_copy(&members)))
}

fn position(object: Object<'_>, key: &str) -> Option<usize> {
    let members = object.members();
    if members.len() <= INDEXED_FROM {
        return members.iter().position(|(name, _)| *name == key);
    }
    members.binary_search_by(|(name, _)| (*name).cmp(key)).ok()
}

/// The place of an existing element.
fn index(elements: &[Value<'_>], token: &str) -> Result<usize, Place> {
    resolve(atoi(token, String::new)?, elements.len())
}

/// An index below `length`, or one that counts from the end.
fn resolve(number: i64, length: usize) -> Result<usize, Place> {
    let forward = if number < 0 { number.checked_add_unsigned(length as u64) } else { Some(number) };
    forward.and_then(|index| usize::try_from(index).ok()).filter(|index| *index < length).ok_or(Place::NoIndex(number))
}

/// Go's `strconv.Atoi`: an optional sign and decimal digits.
fn atoi(token: &str, prefix: impl Fn() -> String) -> Result<i64, Place> {
    let digits = token.strip_prefix(['+', '-']).unwrap_or(token);
    let well_formed = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let problem = if well_formed { "value out of range" } else { "invalid syntax" };
    let number = if well_formed { token.parse().ok() } else { None };
    number.ok_or_else(|| Place::NotAnIndex { prefix: prefix(), token: token.to_owned(), problem })
}
