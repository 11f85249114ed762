//! Random documents for the property tests of this module.

use proptest::prelude::*;

use super::{Arena, Object, Value};

/// A document that owns itself; proptest can shrink it.
#[derive(Clone, Debug)]
pub(crate) enum Sample {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(String),
    Array(Vec<Sample>),
    Object(Vec<(String, Sample)>),
}

impl Sample {
    /// The document in `arena`.
    pub(crate) fn to_value<'a>(&self, arena: &'a Arena) -> Value<'a> {
        match self {
            Sample::Null => Value::Null,
            Sample::Bool(value) => Value::Bool(*value),
            Sample::Int(value) => Value::Int(*value),
            Sample::Float(value) => Value::Float(*value),
            Sample::String(value) => Value::String(arena.alloc_str(value)),
            Sample::Array(elements) => {
                let elements: Vec<_> = elements.iter().map(|element| element.to_value(arena)).collect();
                Value::Array(arena.alloc_slice_copy(&elements))
            }
            Sample::Object(members) => {
                let members: Vec<_> =
                    members.iter().map(|(key, member)| (&*arena.alloc_str(key), member.to_value(arena))).collect();
                Value::Object(Object::new(arena, &members))
            }
        }
    }
}

/// Strings, among them those that YAML would read as something else.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-c]{0,3}",
        1 => any::<String>(),
        1 => "[ \t\na-b:#\\-'\"|>{}\\[\\],&*!%@`~?=<.0-9+_exoEyn/]{0,8}",
        1 => proptest::sample::select(AWKWARD).prop_map(str::to_owned),
    ]
}

/// What a careless YAML writer would leave without quotes.
pub(crate) const AWKWARD: &[&str] = &[
    "",
    " ",
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "N",
    "true",
    "null",
    "Null",
    "~",
    "0123",
    "0o17",
    "0x1f",
    "1e3",
    "1_000",
    ".5",
    "5.",
    "+1",
    "-",
    "- a",
    "--- a",
    "---",
    "...",
    "2024-01-01",
    "a: b",
    "a:",
    ":a",
    "a #b",
    "#a",
    "<<",
    "=",
    ".inf",
    ".nan",
    "1:30",
    "{a}",
    "[a]",
    "*a",
    "&a",
    "!a",
    "%a",
    "@a",
    "`a",
    "|",
    ">",
    "'a'",
    "\"a\"",
    "a\nb",
    "a\n",
    "\na",
    "a\n\n",
    "a\n\nb\n",
    " a\nb",
    "a \nb",
    "a\n b\n",
    "\ta\nb",
    "a\tb",
    "a\r\nb",
    "\u{feff}a",
    "\u{85}",
    "\u{2028}",
    "0b11",
    "?",
    "? a",
    "é",
    "🌊",
    "a,b",
    "a]",
    "\u{1}",
    "a\n\tb\n",
    "a\n   \nb",
    "1e400",
    "08",
];

/// A random document, whose keys repeat often enough for two documents to have something in common.
pub(crate) fn sample() -> impl Strategy<Value = Sample> {
    let leaf = prop_oneof![
        Just(Sample::Null),
        any::<bool>().prop_map(Sample::Bool),
        (-3i64..4).prop_map(Sample::Int),
        any::<i64>().prop_map(Sample::Int),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Sample::Float),
        text().prop_map(Sample::String),
    ];
    leaf.prop_recursive(4, 48, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Sample::Array),
            proptest::collection::vec((text(), inner), 0..20).prop_map(Sample::Object),
        ]
    })
}
