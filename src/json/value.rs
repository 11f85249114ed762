//! The document tree: a `Copy` value whose strings and children live in an arena or in the parsed text.

use super::arena::Arena;

/// A JSON value. Copying it copies a reference, never a subtree.
// The tag takes a word: with a boolean beside it, copies go in pieces that the processor has to wait for.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer that fits `i64`, as Kubernetes decodes numbers without fraction or exponent.
    Int(i64),
    /// Every other number.
    Float(f64),
    /// A string, unescaped.
    String(&'a str),
    /// An array.
    Array(&'a [Value<'a>]),
    /// An object.
    Object(Object<'a>),
}

/// One key and its value.
pub type Member<'a> = (&'a str, Value<'a>);

/// Objects with more members than this are kept sorted by key, so that a look-up is never worse than logarithmic.
pub const INDEXED_FROM: usize = 16;

/// The members of a JSON object, in source order up to [`INDEXED_FROM`] of them and sorted by key beyond.
#[derive(Clone, Copy, Debug, Default)]
pub struct Object<'a> {
    // INVARIANT: no key twice; sorted by key when longer than `INDEXED_FROM`.
    members: &'a [Member<'a>],
}

impl<'a> Object<'a> {
    /// Builds an object from members in any order; of two members with one key the last wins.
    pub fn new(arena: &'a Arena, members: &[Member<'a>]) -> Self {
        let mut unique: Vec<Member<'a>> = Vec::with_capacity(members.len());
        if members.len() <= INDEXED_FROM {
            for member in members {
                match unique.iter_mut().find(|(key, _)| *key == member.0) {
                    Some(slot) => slot.1 = member.1,
                    None => unique.push(*member),
                }
            }
        } else {
            unique.extend_from_slice(members);
            // A stable sort keeps the source order of equal keys, so the last of a run is the one that wins.
            unique.sort_by_key(|(key, _)| *key);
            unique.reverse();
            unique.dedup_by_key(|(key, _)| *key);
            unique.reverse();
        }
        Self { members: arena.alloc_slice_copy(&unique) }
    }

    /// Builds an object from a slice that already satisfies the invariant, or returns the first key found twice.
    ///
    /// # Errors
    /// The repeated key.
    pub fn from_unique(arena: &'a Arena, members: &mut [Member<'a>]) -> Result<Self, &'a str> {
        if members.len() <= INDEXED_FROM {
            for (i, (key, _)) in members.iter().enumerate() {
                if members[..i].iter().any(|(earlier, _)| earlier == key) {
                    return Err(key);
                }
            }
        } else {
            members.sort_by_key(|(key, _)| *key);
            if let Some(pair) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                return Err(pair[0].0);
            }
        }
        Ok(Self { members: arena.alloc_slice_copy(members) })
    }

    /// Builds an object of a few members whose keys the caller knows to differ; more than [`INDEXED_FROM`] are looked at
    /// all the same, and of two with one key the last wins.
    pub fn of_distinct(arena: &'a Arena, members: &[Member<'a>]) -> Self {
        if members.len() > INDEXED_FROM {
            return Self::new(arena, members);
        }
        debug_assert!(members.iter().enumerate().all(|(i, (key, _))| members[..i].iter().all(|(k, _)| k != key)));
        Self { members: arena.alloc_slice_copy(members) }
    }

    /// As [`Self::of_distinct`], of members that are made one after the other.
    pub fn of_distinct_iter(arena: &'a Arena, members: impl ExactSizeIterator<Item = Member<'a>>) -> Self {
        if members.len() > INDEXED_FROM {
            return Self::new(arena, &members.collect::<Vec<_>>());
        }
        Self { members: arena.alloc_slice_fill_iter(members) }
    }

    /// Wraps members whose invariant the caller has just established.
    pub(super) fn from_checked(members: &'a [Member<'a>]) -> Self {
        Self { members }
    }

    /// The value at `key`.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        if self.members.len() <= INDEXED_FROM {
            return self.members.iter().find(|(k, _)| is_same_key(k, key)).map(|(_, v)| *v);
        }
        let at = self.members.binary_search_by(|(k, _)| (*k).cmp(key)).ok()?;
        self.members.get(at).map(|(_, v)| *v)
    }

    /// The value at `key`, which is expected to be the member at `index`: so it is in a changed copy of an object.
    pub fn get_near(&self, key: &str, index: usize) -> Option<Value<'a>> {
        match self.members.get(index) {
            Some((found, value)) if is_same_key(found, key) => Some(*value),
            _ => self.get(key),
        }
    }

    /// The members, in their kept order.
    pub fn members(&self) -> &'a [Member<'a>] {
        self.members
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// Whether two keys are equal. Most are so short that two loads, which may overlap, see all of them: that costs less
/// than a call that compares any length.
fn is_same_key(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        8..=16 => a.first_chunk::<8>() == b.first_chunk::<8>() && a.last_chunk::<8>() == b.last_chunk::<8>(),
        4..=7 => a.first_chunk::<4>() == b.first_chunk::<4>() && a.last_chunk::<4>() == b.last_chunk::<4>(),
        _ => a == b,
    }
}

// What two values share is equal without a look: a changed object is often compared with what it was.
impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::String(a), Value::String(b)) => a == b,
            (Value::Array(a), Value::Array(b)) => std::ptr::eq(*a, *b) || a == b,
            (Value::Object(a), Value::Object(b)) => a == b,
            _ => false,
        }
    }
}

impl PartialEq for Object<'_> {
    fn eq(&self, other: &Self) -> bool {
        if std::ptr::eq(self.members, other.members) {
            return true;
        }
        let mut members = self.members.iter().enumerate();
        self.len() == other.len()
            && members.all(|(index, (key, value))| other.get_near(key, index).is_some_and(|other| other == *value))
    }
}

impl<'a> Value<'a> {
    /// The name of its type, with the article, for people.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        }
    }

    /// The member `key` of an object; `None` for every other value.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        match self {
            Value::Object(object) => object.get(key),
            _ => None,
        }
    }

    /// The value below the object members `path`, in order.
    pub fn at(&self, path: &[&str]) -> Option<Value<'a>> {
        path.iter().try_fold(*self, |value, key| value.get(key))
    }

    /// Whether both are one value in memory, or equal numbers and the like. Changing a document copies the way to the
    /// change and shares the rest.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::String(a), Value::String(b)) => std::ptr::eq(*a, *b),
            (Value::Array(a), Value::Array(b)) => std::ptr::eq(*a, *b),
            (Value::Object(a), Value::Object(b)) => std::ptr::eq(a.members, b.members),
            (a, b) => a == b,
        }
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The elements, if it is an array.
    pub fn as_array(&self) -> Option<&'a [Value<'a>]> {
        match self {
            Value::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The object, if it is one.
    pub fn as_object(&self) -> Option<Object<'a>> {
        match self {
            Value::Object(object) => Some(*object),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}
