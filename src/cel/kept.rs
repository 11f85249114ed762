//! `params` as they are kept between requests, with what expressions have found out about them alone.
//!
//! Policies read their settings from text, a list of words or of paths: that is the same for every request, and would
//! often take longer than all that a request itself needs.

use std::cell::OnceCell;
use std::sync::OnceLock;

use super::program::Program;
use super::value::{Entries, List, Map, Value};
use crate::json::{self, Arena, Tree};

/// An object that is kept between requests.
#[derive(Debug)]
pub struct Kept {
    tree: Tree,
    known: OnceLock<Box<Known>>,
}

/// An object keeps no more values than this: each is of another expression, and a policy has a handful of them.
const MAX_KNOWN: usize = 64;
/// A value of more parts than this isn't kept.
const MAX_PARTS: usize = 4096;

/// What one expression gives for the object. They form a chain that only grows, so that a request can borrow from it.
#[derive(Debug)]
struct Known {
    minor: u32,
    source: String,
    value: Owned,
    cost: u64,
    next: OnceLock<Box<Known>>,
}

impl Kept {
    /// Keeps an object of which nothing is known yet.
    pub fn new(tree: Tree) -> Self {
        Self { tree, known: OnceLock::new() }
    }

    /// The object.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The value of a program that reads nothing but this object, and its cost, if it is known.
    pub(super) fn known<'a>(&'a self, program: &Program, arena: &'a Arena) -> Option<(Value<'a>, u64)> {
        let mut next = &self.known;
        while let Some(known) = next.get() {
            if known.minor == program.minor() && known.source == program.source() {
                return Some((known.value.view(arena), known.cost));
            }
            next = &known.next;
        }
        None
    }

    /// Keeps the value of a program that reads nothing but this object, if there is room and the value is of a kind that
    /// can be kept.
    pub(super) fn keep(&self, program: &Program, value: &Value<'_>, cost: u64) {
        let Some(value) = Owned::new(value, &mut { MAX_PARTS }) else { return };
        let (minor, source) = (program.minor(), program.source().to_owned());
        let mut known = Box::new(Known { minor, source, value, cost, next: OnceLock::new() });
        let mut next = &self.known;
        for _ in 0..MAX_KNOWN {
            // Another request may have been faster, also with the same expression: that is kept twice, then.
            known = match next.set(known) {
                Ok(()) => return,
                Err(known) => known,
            };
            let Some(last) = next.get() else { return };
            next = &last.next;
        }
    }
}

/// What `params` stands for in one request. An object that is kept is laid out for the request when an expression first
/// looks into it.
#[derive(Clone, Copy, Debug)]
pub enum Params<'a> {
    /// A document of the request's own; null for none.
    Document(json::Value<'a>),
    /// An object that is kept.
    Kept(&'a Viewed<'a>),
}

/// An object that is kept, and how a request sees it.
#[derive(Debug)]
pub struct Viewed<'a> {
    kept: &'a Kept,
    arena: &'a Arena,
    view: OnceCell<json::Value<'a>>,
}

impl<'a> Params<'a> {
    /// An object that is kept, for a request.
    pub fn of(kept: &'a Kept, arena: &'a Arena) -> Self {
        Self::Kept(arena.alloc(Viewed { kept, arena, view: OnceCell::new() }))
    }

    /// The object as a document; null for none.
    pub fn value(&self) -> json::Value<'a> {
        match self {
            Self::Document(value) => *value,
            Self::Kept(viewed) => *viewed.view.get_or_init(|| viewed.kept.tree.view(viewed.arena)),
        }
    }

    /// Whether both are one object, or equal.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Kept(a), Self::Kept(b)) if std::ptr::eq(a.kept, b.kept) => true,
            _ => self.value() == other.value(),
        }
    }

    pub(super) fn kept(&self) -> Option<&'a Kept> {
        match self {
            Self::Document(_) => None,
            Self::Kept(viewed) => Some(viewed.kept),
        }
    }
}

impl<'a> From<json::Value<'a>> for Params<'a> {
    fn from(value: json::Value<'a>) -> Self {
        Self::Document(value)
    }
}

/// A value that owns itself.
#[derive(Debug)]
enum Owned {
    Null,
    Bool(bool),
    Int(i64),
    String(Box<str>),
    Values(Box<[Owned]>),
    Strings(Box<[Owned]>),
    Map(Box<[(Owned, Owned)]>),
}

impl Owned {
    /// A copy of the value, of at most `parts` parts; `None` for values of other kinds.
    fn new(value: &Value<'_>, parts: &mut usize) -> Option<Self> {
        *parts = parts.checked_sub(1)?;
        let mut all = |values: &[Value<'_>]| -> Option<Box<[Self]>> {
            values.iter().map(|value| Self::new(value, parts)).collect()
        };
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::String(text) => Self::String((*text).into()),
            Value::List(List::Values(values)) => Self::Values(all(values)?),
            Value::List(List::Strings(values)) => Self::Strings(all(values)?),
            Value::Map(Map::Entries(entries)) if !entries.is_plain() => {
                let mut pair =
                    |(key, value): &(Value<'_>, Value<'_>)| Some((Self::new(key, parts)?, Self::new(value, parts)?));
                Self::Map(entries.all().iter().map(&mut pair).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    fn view<'a>(&'a self, arena: &'a Arena) -> Value<'a> {
        let all = |values: &'a [Owned]| &*arena.alloc_slice_fill_iter(values.iter().map(|value| value.view(arena)));
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::String(text) => Value::String(text),
            Self::Values(values) => Value::List(List::Values(all(values))),
            Self::Strings(values) => Value::List(List::Strings(all(values))),
            Self::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| (key.view(arena), value.view(arena)));
                Value::Map(Map::Entries(Entries::in_order(arena.alloc_slice_fill_iter(entries))))
            }
        }
    }
}
