//! CEL values: `Copy` views on documents and on what an evaluation puts in its arena.

pub(in crate::cel) mod build;
pub mod compare;
pub(in crate::cel) mod format_rules;
pub(in crate::cel) mod go_url;
pub(in crate::cel) mod netip;
pub mod opaque;
pub(in crate::cel) mod quantity;
pub(in crate::cel) mod quote;
pub(in crate::cel) mod semver;
pub(in crate::cel) mod text;
pub(in crate::cel) mod url;

use std::cmp::Ordering;
use std::net::IpAddr;

use crate::json::{self, Arena, Object};

use self::opaque::Opaque;

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
    /// What `split` and `findAll` give, which upstream keeps as a list of Go's strings.
    Strings(&'a [Value<'a>]),
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
            List::Values(elements) | List::Strings(elements) | List::Sum(elements) => elements.len(),
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
            List::Values(elements) | List::Strings(elements) | List::Sum(elements) => elements.get(index).copied(),
        }
    }

    /// The elements in order.
    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        (0..self.len()).filter_map(move |index| self.get(index))
    }

    /// Whether an element is this text, which equals nothing but texts. Lists of words are often long.
    pub fn contains_text(&self, text: &str) -> bool {
        match self {
            List::Json(elements) => elements.iter().any(|other| matches!(other, json::Value::String(o) if *o == text)),
            List::Values(elements) | List::Strings(elements) | List::Sum(elements) => {
                elements.iter().any(|other| matches!(other, Value::String(other) if *other == text))
            }
        }
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
    // INVARIANT: no key twice; sorted by `Key` when longer than `INDEXED_FROM`.
    entries: &'a [(Value<'a>, Value<'a>)],
    /// Whether upstream has taken it apart into Go's own types, with all that is in it; see `native`.
    is_plain: bool,
}

/// Why a map could not be built.
#[derive(Clone, Copy, Debug)]
pub enum KeyError<'a> {
    /// The key is of a type that Go's maps don't take.
    Unhashable(Value<'a>),
    /// The key occurs twice.
    Repeated(Value<'a>),
}

/// What two keys compare by: upstream's maps are Go's, in which values of any type that Go can hash are keys. Lists,
/// maps and whatever else Go has behind a pointer equal no other key; for them there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'k> {
    Null,
    Nothing,
    Bool(bool),
    Number(i128, Integer),
    /// The bits of the number.
    Double(u64),
    String(&'k str),
    Type(&'k str),
    Duration(i64),
    Timestamp(i64, u32),
    Ip(IpAddr),
    Prefix(IpAddr, u8),
}

/// Equal integers of different types are two keys, and each of them finds the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Integer {
    Signed,
    Unsigned,
}

impl<'k> Key<'k> {
    fn of(value: &Value<'k>) -> Option<Self> {
        Some(match value {
            Value::Null => Key::Null,
            Value::Optional(None) => Key::Nothing,
            Value::Bool(b) => Key::Bool(*b),
            Value::Int(i) => Key::Number(i128::from(*i), Integer::Signed),
            Value::Uint(u) => Key::Number(i128::from(*u), Integer::Unsigned),
            Value::Double(d) if d.is_nan() => return None,
            Value::Double(d) => Key::Double(if *d == 0.0 { 0 } else { d.to_bits() }),
            Value::String(s) => Key::String(s),
            Value::Type(name) => Key::Type(name),
            Value::Duration(d) => Key::Duration(*d),
            Value::Timestamp(t) => Key::Timestamp(t.seconds, t.nanos),
            Value::Opaque(Opaque::Ip(ip)) => Key::Ip(*ip),
            Value::Opaque(Opaque::Cidr(prefix)) => Key::Prefix(prefix.ip, prefix.bits),
            _ => return None,
        })
    }

    /// The keys that this one finds when it isn't there itself.
    fn alternatives(self) -> [Option<Self>; 2] {
        match self {
            Key::Number(n, Integer::Signed) => [Some(Key::Number(n, Integer::Unsigned)), None],
            Key::Number(n, Integer::Unsigned) => [Some(Key::Number(n, Integer::Signed)), None],
            Key::Double(bits) => {
                let double = f64::from_bits(bits);
                let whole = (double.fract() == 0.0 && double.abs() < 2e19).then_some(double as i128);
                [Integer::Signed, Integer::Unsigned].map(|integer| Some(Key::Number(whole?, integer)))
            }
            _ => [None, None],
        }
    }
}

impl<'a> Entries<'a> {
    /// The same entries, as Go's own.
    pub(in crate::cel) fn into_plain(self) -> Self {
        Self { is_plain: true, ..self }
    }

    /// Whether they are Go's own.
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Builds a map from entries in any order; of two entries with one key the last wins.
    ///
    /// # Errors
    /// A key of a type that can't be one.
    pub fn new(arena: &'a Arena, entries: &[(Value<'a>, Value<'a>)]) -> Result<Self, KeyError<'a>> {
        let mut unique: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(entries.len());
        if let Some((key, _)) = entries.iter().find(|(key, _)| is_unhashable(key)) {
            return Err(KeyError::Unhashable(*key));
        }
        if entries.len() <= json::INDEXED_FROM {
            for (key, value) in entries {
                match unique.iter_mut().find(|(other, _)| is_one_key(other, key)) {
                    Some(entry) => entry.1 = *value,
                    None => unique.push((*key, *value)),
                }
            }
        } else {
            unique.extend_from_slice(entries);
            // Stable sorts keep the order of equal keys; reversed, the last of them comes first and is kept.
            unique.reverse();
            unique.sort_by(|(a, _), (b, _)| Key::of(a).cmp(&Key::of(b)));
            unique.dedup_by(|(a, _), (b, _)| is_one_key(a, b));
        }
        Ok(Self { entries: arena.alloc_slice_copy(&unique), is_plain: false })
    }

    /// Wraps entries that were another map's, in its order.
    pub(in crate::cel) fn in_order(entries: &'a [(Value<'a>, Value<'a>)]) -> Self {
        Self { entries, is_plain: false }
    }

    /// Builds a map in which no key may be given twice, nor one that finds another.
    ///
    /// # Errors
    /// A key of a type that can't be one, or the first key, in the order of keys, that is given twice.
    pub fn distinct(arena: &'a Arena, entries: &[(Value<'a>, Value<'a>)]) -> Result<Self, KeyError<'a>> {
        let map = Self::new(arena, entries)?;
        let mut keys: Vec<_> = entries.iter().map(|(key, _)| *key).collect();
        keys.sort_by(|a, b| Key::of(a).cmp(&Key::of(b)));
        let repeated = keys.windows(2).find_map(|pair| match pair {
            [a, b] if is_one_key(a, b) => Some(*b),
            [a, b] => match (Key::of(a), Key::of(b)) {
                (Some(Key::Number(m, _)), Some(Key::Number(n, _))) if m == n => Some(*b),
                _ => None,
            },
            _ => None,
        });
        repeated.map_or(Ok(map), |key| Err(KeyError::Repeated(key)))
    }

    /// All entries.
    pub fn all(&self) -> &'a [(Value<'a>, Value<'a>)] {
        self.entries
    }

    /// The value at `key`; numbers of different types are one key when they are equal.
    pub(in crate::cel) fn get(&self, key: &Value<'_>) -> Option<Value<'a>> {
        let key = Key::of(key)?;
        let found = self.find(key);
        found.or_else(|| key.alternatives().into_iter().flatten().find_map(|other| self.find(other)))
    }

    fn find(&self, key: Key<'_>) -> Option<Value<'a>> {
        if self.entries.len() <= json::INDEXED_FROM {
            let found = match key {
                Key::String(text) => self.entries.iter().find(|(k, _)| matches!(k, Value::String(k) if *k == text)),
                key => self.entries.iter().find(|(k, _)| Key::of(k) == Some(key)),
            };
            return found.map(|(_, v)| *v);
        }
        let at = self.entries.binary_search_by(|(k, _)| Key::of(k).cmp(&Some(key))).ok()?;
        self.entries.get(at).map(|(_, v)| *v)
    }
}

/// Whether Go's maps would take two values for one key.
pub(in crate::cel) fn is_one_key(a: &Value<'_>, b: &Value<'_>) -> bool {
    Key::of(a).is_some_and(|key| Key::of(b) == Some(key))
}

/// Whether Go can't hash a value, and panics.
fn is_unhashable(key: &Value<'_>) -> bool {
    matches!(key, Value::Bytes(_) | Value::Opaque(Opaque::Semver(_)))
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
