//! CEL values: `Copy` views on documents and on what an evaluation puts in its arena.

use std::cmp::Ordering;

use crate::json::{self, Arena, Object};

use super::opaque::Opaque;

/// A CEL value. Lists and maps of a document are viewed, not converted.
// The tag takes a word: with a boolean beside it, copies go in pieces that the processor has to wait for.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// A boolean.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// An unsigned 64-bit integer.
    Uint(u64),
    /// A double.
    Double(f64),
    /// A string.
    String(&'a str),
    /// A byte sequence.
    Bytes(&'a [u8]),
    /// A duration in nanoseconds, as Go's `time.Duration`.
    Duration(i64),
    /// A point in time.
    Timestamp(Timestamp),
    /// A list.
    List(List<'a>),
    /// A map.
    Map(Map<'a>),
    /// A message with a type of its own: `Object{…}`, `JSONPatch{…}`, a namespace, a request.
    Struct(&'a Struct<'a>),
    /// A type, by its CEL name.
    Type(&'a str),
    /// `optional.none()` or `optional.of(value)`.
    Optional(Option<&'a Value<'a>>),
    /// A value of one of Kubernetes' own types: quantity, URL, IP…
    Opaque(&'a Opaque<'a>),
}

/// A point in time: seconds since 1970-01-01T00:00:00Z and nanoseconds within the second.
#[derive(Clone, Copy, Debug)]
pub struct Timestamp {
    /// Whole seconds, negative before 1970.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanos: u32,
    /// Seconds east of UTC, as the text had it that the timestamp was read from: `string()` writes it so again.
    /// Two timestamps are equal whatever theirs are.
    pub offset: i32,
}

impl Timestamp {
    /// A point in time, in UTC.
    pub const fn utc(seconds: i64, nanos: u32) -> Self {
        Self { seconds, nanos, offset: 0 }
    }
}

impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Timestamp {}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.seconds, self.nanos).cmp(&(other.seconds, other.nanos))
    }
}

/// A list: an array of a document, or values that the evaluation made.
#[derive(Clone, Copy, Debug)]
pub enum List<'a> {
    /// An array of a document.
    Json(&'a [json::Value<'a>]),
    /// Computed elements.
    Values(&'a [Value<'a>]),
    /// Computed elements of a sum of lists, which upstream takes apart in another way; see `native`.
    Sum(&'a [Value<'a>]),
}

/// A map: an object of a document, or entries that the evaluation made.
#[derive(Clone, Copy, Debug)]
pub enum Map<'a> {
    /// An object of a document.
    Json(Object<'a>),
    /// Computed entries; see [`Entries::new`].
    Entries(Entries<'a>),
}

/// A message: its type's name and the fields that are set, in the order written.
#[derive(Clone, Copy, Debug)]
pub struct Struct<'a> {
    /// For example `Object.spec` or `JSONPatch`.
    pub type_name: &'a str,
    /// Set fields; names unique.
    pub fields: &'a [(&'a str, Value<'a>)],
}

impl<'a> From<json::Value<'a>> for Value<'a> {
    fn from(value: json::Value<'a>) -> Self {
        match value {
            json::Value::Null => Value::Null,
            json::Value::Bool(b) => Value::Bool(b),
            json::Value::Int(i) => Value::Int(i),
            json::Value::Float(f) => Value::Double(f),
            json::Value::String(s) => Value::String(s),
            json::Value::Array(elements) => Value::List(List::Json(elements)),
            json::Value::Object(object) => Value::Map(Map::Json(object)),
        }
    }
}

impl<'a> List<'a> {
    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            List::Json(elements) => elements.len(),
            List::Values(elements) | List::Sum(elements) => elements.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at `index`.
    pub fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            List::Json(elements) => elements.get(index).map(|v| Value::from(*v)),
            List::Values(elements) | List::Sum(elements) => elements.get(index).copied(),
        }
    }

    /// The elements in order.
    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        (0..self.len()).filter_map(move |index| self.get(index))
    }
}

impl<'a> Map<'a> {
    /// The number of entries.
    pub fn len(&self) -> usize {
        match self {
            Map::Json(object) => object.len(),
            Map::Entries(entries) => entries.all().len(),
        }
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at `key`; numbers of different types are one key when they are equal.
    pub fn get(&self, key: &Value<'_>) -> Option<Value<'a>> {
        match (self, key) {
            (Map::Json(object), Value::String(key)) => object.get(key).map(Value::from),
            (Map::Json(_), _) => None,
            (Map::Entries(entries), key) => entries.get(key),
        }
    }

    /// The entry at position `index`, in the map's own order.
    pub fn entry(&self, index: usize) -> Option<(Value<'a>, Value<'a>)> {
        match self {
            Map::Json(object) => object.members().get(index).map(|(k, v)| (Value::String(k), Value::from(*v))),
            Map::Entries(entries) => entries.all().get(index).copied(),
        }
    }

    /// The entries in the map's own order.
    pub fn iter(self) -> impl Iterator<Item = (Value<'a>, Value<'a>)> {
        (0..self.len()).filter_map(move |index| self.entry(index))
    }
}

/// Computed map entries, in insertion order up to [`json::INDEXED_FROM`] and sorted by key beyond.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entries<'a> {
    // INVARIANT: keys are bool, int, uint or string; no key twice; sorted by `Key` when longer than `INDEXED_FROM`.
    entries: &'a [(Value<'a>, Value<'a>)],
}

/// Why a map could not be built.
#[derive(Clone, Copy, Debug)]
pub enum KeyError<'a> {
    /// The key's type cannot be a key.
    Unsupported(Value<'a>),
    /// The key occurs twice.
    Repeated(Value<'a>),
}

/// What two keys compare by: equal numbers of different types are one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'k> {
    Bool(bool),
    Number(i128),
    String(&'k str),
}

impl<'k> Key<'k> {
    fn of(value: &Value<'k>) -> Option<Self> {
        Some(match value {
            Value::Bool(b) => Key::Bool(*b),
            Value::Int(i) => Key::Number(i128::from(*i)),
            Value::Uint(u) => Key::Number(i128::from(*u)),
            // A double finds the integer that it equals; it can't be stored as a key.
            Value::Double(d) if d.fract() == 0.0 && d.abs() < 2e19 => Key::Number(*d as i128),
            Value::String(s) => Key::String(s),
            _ => return None,
        })
    }
}

impl<'a> Entries<'a> {
    /// Builds a map from entries in any order; of two entries with one key the last wins.
    ///
    /// # Errors
    /// A key of a type that can't be one.
    pub fn new(arena: &'a Arena, entries: &[(Value<'a>, Value<'a>)]) -> Result<Self, KeyError<'a>> {
        let mut unique: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(entries.len());
        for (key, _) in entries {
            if matches!(key, Value::Double(_)) || Key::of(key).is_none() {
                return Err(KeyError::Unsupported(*key));
            }
        }
        if entries.len() <= json::INDEXED_FROM {
            for (key, value) in entries {
                match unique.iter_mut().find(|(other, _)| Key::of(other) == Key::of(key)) {
                    Some(entry) => entry.1 = *value,
                    None => unique.push((*key, *value)),
                }
            }
        } else {
            unique.extend_from_slice(entries);
            // Stable sorts keep the order of equal keys; reversed, the last of them comes first and is kept.
            unique.reverse();
            unique.sort_by(|(a, _), (b, _)| Key::of(a).cmp(&Key::of(b)));
            unique.dedup_by(|(a, _), (b, _)| Key::of(a) == Key::of(b));
        }
        Ok(Self { entries: arena.alloc_slice_copy(&unique) })
    }

    /// Builds a map in which no key may be given twice.
    ///
    /// # Errors
    /// A key of a type that can't be one, or the first key, in the order of keys, that is given twice.
    pub fn distinct(arena: &'a Arena, entries: &[(Value<'a>, Value<'a>)]) -> Result<Self, KeyError<'a>> {
        let map = Self::new(arena, entries)?;
        if map.entries.len() == entries.len() {
            return Ok(map);
        }
        let mut keys: Vec<_> = entries.iter().map(|(key, _)| *key).collect();
        keys.sort_by(|a, b| Key::of(a).cmp(&Key::of(b)));
        let repeated = keys.windows(2).find_map(|pair| match pair {
            [a, b] if Key::of(a) == Key::of(b) => Some(*b),
            _ => None,
        });
        repeated.map_or(Ok(map), |key| Err(KeyError::Repeated(key)))
    }

    /// All entries.
    pub fn all(&self) -> &'a [(Value<'a>, Value<'a>)] {
        self.entries
    }

    fn get(&self, key: &Value<'_>) -> Option<Value<'a>> {
        let key = Key::of(key)?;
        if self.entries.len() <= json::INDEXED_FROM {
            return self.entries.iter().find(|(k, _)| Key::of(k) == Some(key)).map(|(_, v)| *v);
        }
        let at = self.entries.binary_search_by(|(k, _)| Key::of(k).cmp(&Some(key))).ok()?;
        self.entries.get(at).map(|(_, v)| *v)
    }
}

impl<'a> Value<'a> {
    /// The name of the value's type, as CEL's `type()` and its error messages spell it.
    pub fn type_name(&self) -> &'a str {
        match self {
            Value::Null => "null_type",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Uint(_) => "uint",
            Value::Double(_) => "double",
            Value::String(_) => "string",
            Value::Bytes(_) => "bytes",
            Value::Duration(_) => "google.protobuf.Duration",
            Value::Timestamp(_) => "google.protobuf.Timestamp",
            Value::List(_) => "list",
            Value::Map(_) => "map",
            Value::Struct(message) => message.type_name,
            Value::Type(_) => "type",
            Value::Optional(_) => "optional_type",
            Value::Opaque(opaque) => opaque.type_name(),
        }
    }
}
