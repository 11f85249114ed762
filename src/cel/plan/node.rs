//! The compiled form: names resolved to slots, constants folded, regular expressions built, one shape per fold.

use std::collections::HashSet;
use std::sync::Arc;

use regex::Regex;

use crate::cel::check::env::Global;
use crate::cel::check::types::Type;
use crate::cel::cost::CallCost;
use crate::cel::function::{Error, Eval, Function};
use crate::cel::value::{Entries, List, Map, Timestamp, Value};
use crate::json::Arena;

/// A compiled expression.
#[derive(Debug)]
pub(in crate::cel) enum Node {
    Constant(Constant),
    Attribute(Box<Attribute>),
    Not(Box<Node>),
    And(Box<[Node]>),
    Or(Box<[Node]>),
    Equal {
        operands: Box<(Node, Node)>,
        negated: bool,
    },
    /// Membership in a list of constants.
    InSet(Box<(Node, ConstantSet)>),
    /// A match against a constant pattern.
    Matches(Box<Matches>),
    /// `a.or(b)`, or with `unwrap` `a.orValue(b)`: `b` is evaluated only where `a` has no value, and the call is free.
    OptionalOr {
        operands: Box<(Node, Node)>,
        unwrap: bool,
    },
    Call(Box<Call>),
    List(Box<[Item]>),
    Map(Box<[MapItem]>),
    Struct(Box<StructItems>),
    Fold(Box<Fold>),
    /// A name for a value that is computed when first used.
    Bind(Box<Bind>),
    /// A part of an instrumented program; plain ones have none.
    Probe(Box<Probe>),
}

/// A chain of selections and look-ups on a base; cel-go's attribute, which it costs as a unit.
#[derive(Debug)]
pub(in crate::cel) struct Attribute {
    pub base: Base,
    pub qualifiers: Box<[Qualifier]>,
    /// Whether the presence of the last qualifier is asked for (`has`).
    pub test: bool,
}

#[derive(Debug)]
pub(in crate::cel) enum Base {
    Global(Global),
    /// `variables.<name>`, by position.
    Variable(usize),
    /// A name bound by a fold.
    Local(usize),
    Conditional(Box<(Node, Node, Node)>),
    Node(Box<Node>),
}

#[derive(Debug)]
pub(in crate::cel) struct Qualifier {
    pub key: Key,
    pub optional: bool,
}

#[derive(Debug)]
pub(in crate::cel) enum Key {
    Field(Box<str>),
    /// A field of what the checker knows to be an `Object{…}`.
    Member(Box<str>),
    Constant(Constant),
    Node(Node),
}

#[derive(Debug)]
pub(in crate::cel) struct Matches {
    pub text: Node,
    pub regex: Arc<Regex>,
    /// In characters.
    pub pattern_length: u64,
    pub cost: CallCost,
}

#[derive(Debug)]
pub(in crate::cel) struct Call {
    pub function: &'static Function,
    /// The implementation: the function's, or one for what is known of the call.
    pub eval: Eval,
    /// The parameters of the overload that the checker has chosen among several; empty where it need not be asked.
    pub guard: Box<[Type]>,
    /// Whether upstream looks at the arguments one by one, up to the first that fails.
    pub sequential: bool,
    /// Whether upstream replaces the call ahead, as it does where a regular expression is constant.
    pub prepared: bool,
    pub cost: CallCost,
    pub args: Box<[Node]>,
}

#[derive(Debug)]
pub(in crate::cel) struct Item {
    pub value: Node,
    pub optional: bool,
}

#[derive(Debug)]
pub(in crate::cel) struct MapItem {
    pub key: Node,
    pub value: Node,
    pub optional: bool,
}

#[derive(Debug)]
pub(in crate::cel) struct StructItems {
    pub type_name: Arc<str>,
    pub fields: Box<[StructItem]>,
}

#[derive(Debug)]
pub(in crate::cel) struct StructItem {
    pub name: Box<str>,
    /// The position of the first field with this name.
    pub slot: usize,
    pub value: Node,
    pub optional: bool,
}

/// A loop over a list or a map.
#[derive(Debug)]
pub(in crate::cel) struct Fold {
    pub range: Node,
    /// The slot of the first variable; the second's is the next.
    pub slot: usize,
    pub two: bool,
    pub body: Body,
}

/// What a loop does with each element.
#[derive(Debug)]
pub(in crate::cel) enum Body {
    All(Node),
    Exists(Node),
    ExistsOne(Node),
    Collect { filter: Option<Node>, value: Node },
    Insert { filter: Option<Node>, insert: Insert },
}

/// What `transformMap` and `transformMapEntry` insert.
#[derive(Debug)]
pub(in crate::cel) enum Insert {
    Pair { key: Node, value: Node },
    Entries(Node),
}

#[derive(Debug)]
pub(in crate::cel) struct Bind {
    pub slot: usize,
    pub value: Node,
    pub body: Node,
}

/// A node whose value is reported.
#[derive(Debug)]
pub(in crate::cel) struct Probe {
    /// The number of its [`Site`](crate::cel::probe::Site).
    pub site: usize,
    /// The slots of the loop that evaluates it for each element.
    pub element: Option<Slots>,
    pub inner: Node,
}

/// Where a loop keeps what it is at.
#[derive(Clone, Copy, Debug)]
pub(in crate::cel) struct Slots {
    pub first: usize,
    /// Whether the next slot holds a second variable.
    pub two: bool,
}

/// A value known before evaluation.
#[derive(Clone, Debug)]
pub(in crate::cel) enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Box<str>),
    Bytes(Box<[u8]>),
    Duration(i64),
    Timestamp(Timestamp),
    Type(Arc<str>),
    List(Box<[Constant]>),
    Map(Box<[(Constant, Constant)]>),
}

impl Constant {
    /// How many values a list or a map puts into the arena; 0 for all others.
    pub fn elements(&self) -> usize {
        match self {
            Constant::List(elements) => elements.iter().map(|element| 1 + element.elements()).sum(),
            Constant::Map(entries) => entries.iter().map(|(key, value)| 2 + key.elements() + value.elements()).sum(),
            _ => 0,
        }
    }

    /// The constant as a value: scalars and texts are borrowed, lists and maps are put into the arena.
    pub fn value<'a>(&'a self, arena: &'a Arena) -> Result<Value<'a>, Error> {
        Ok(match self {
            Constant::Null => Value::Null,
            Constant::Bool(b) => Value::Bool(*b),
            Constant::Int(i) => Value::Int(*i),
            Constant::Uint(u) => Value::Uint(*u),
            Constant::Double(d) => Value::Double(*d),
            Constant::String(s) => Value::String(s),
            Constant::Bytes(b) => Value::Bytes(b),
            Constant::Duration(d) => Value::Duration(*d),
            Constant::Timestamp(t) => Value::Timestamp(*t),
            Constant::Type(name) => Value::Type(name),
            Constant::List(elements) => {
                let values: Vec<_> = elements.iter().map(|e| e.value(arena)).collect::<Result<_, _>>()?;
                Value::List(List::Values(arena.alloc_slice_copy(&values)))
            }
            Constant::Map(entries) => {
                let mut values = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    values.push((key.value(arena)?, value.value(arena)?));
                }
                Value::Map(Map::Entries(Entries::new(arena, &values).map_err(|e| crate::cel::eval::key_error(&e))?))
            }
        })
    }

    /// The constant that a value is; `None` for optionals, structs and Kubernetes' own types.
    pub fn from_value(value: &Value<'_>) -> Option<Self> {
        Some(match value {
            Value::Null => Constant::Null,
            Value::Bool(b) => Constant::Bool(*b),
            Value::Int(i) => Constant::Int(*i),
            Value::Uint(u) => Constant::Uint(*u),
            Value::Double(d) => Constant::Double(*d),
            Value::String(s) => Constant::String((*s).into()),
            Value::Bytes(b) => Constant::Bytes((*b).into()),
            Value::Duration(d) => Constant::Duration(*d),
            Value::Timestamp(t) => Constant::Timestamp(*t),
            Value::Type(name) => Constant::Type((*name).into()),
            Value::List(list) => Constant::List(list.iter().map(|e| Self::from_value(&e)).collect::<Option<_>>()?),
            Value::Map(map) => Constant::Map(
                map.iter()
                    .map(|(key, value)| Some((Self::from_value(&key)?, Self::from_value(&value)?)))
                    .collect::<Option<_>>()?,
            ),
            Value::Struct(_) | Value::Optional(_) | Value::Opaque(_) => return None,
        })
    }
}

/// A set of scalar constants in which equal numbers of different types are one.
#[derive(Debug)]
pub(in crate::cel) struct ConstantSet {
    strings: HashSet<Box<str>>,
    others: Vec<Constant>,
}

/// Beyond this many constants other than strings a list is searched as a list.
const MAX_OTHERS: usize = 16;

impl ConstantSet {
    /// The set of the list's elements, if they are scalars that upstream makes a set of too.
    pub fn of(elements: &[Constant]) -> Option<Self> {
        let mut set = Self { strings: HashSet::new(), others: Vec::new() };
        for element in elements {
            match element {
                Constant::String(text) => {
                    set.strings.insert(text.clone());
                }
                Constant::Bool(_) | Constant::Int(_) | Constant::Uint(_) | Constant::Double(_) => {
                    set.others.push(element.clone());
                }
                _ => return None,
            }
        }
        (set.others.len() <= MAX_OTHERS).then_some(set)
    }

    /// Whether an element equals the value.
    pub fn contains(&self, value: &Value<'_>) -> bool {
        if let Value::String(text) = value {
            // A handful of short strings is compared faster than hashed.
            return if self.strings.len() <= 8 {
                self.strings.iter().any(|element| **element == **text)
            } else {
                self.strings.contains(*text)
            };
        }
        self.others.iter().any(|element| match element {
            Constant::Bool(b) => matches!(value, Value::Bool(v) if v == b),
            Constant::Int(i) => crate::cel::value::compare::equals(&Value::Int(*i), value),
            Constant::Uint(u) => crate::cel::value::compare::equals(&Value::Uint(*u), value),
            Constant::Double(d) => crate::cel::value::compare::equals(&Value::Double(*d), value),
            _ => false,
        })
    }
}
