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
/// A value of more parts than this isn't kept; long text counts as several.
const MAX_PARTS: usize = 4096;
/// How much text is one part more, in bytes.
const TEXT_OF_A_PART: usize = 64;

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
            Value::String(text) => {
                *parts = parts.checked_sub(text.len() / TEXT_OF_A_PART)?;
                Self::String((*text).into())
            }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cel::{Env, Evaluator, Expect, Inputs, Sharing};

    fn kept(text: &str) -> Kept {
        let arena = Arena::new();
        Kept::new(json::parse(&arena, text.as_bytes(), &json::Limits::default()).expect("parses").into())
    }

    fn program(text: &str) -> Arc<Program> {
        let env = Env { minor: 36, params: true, ..Env::default() };
        Arc::new(Program::compile(text, &env, Expect::Any).expect("compiles"))
    }

    /// The text of what a program gives, and its cost.
    fn evaluate(kept: &Kept, program: &Program, sharing: Sharing) -> (String, u64) {
        let arena = Arena::new();
        let inputs = Inputs { params: Params::of(kept, &arena), ..Inputs::default() };
        let mut evaluator = Evaluator::new(&arena, inputs, &[], u64::MAX, None);
        let value = evaluator.evaluate_shared(program, sharing);
        (format!("{value:?}"), evaluator.cost())
    }

    fn known(kept: &Kept) -> usize {
        std::iter::successors(kept.known.get(), |known| known.next.get()).count()
    }

    #[test]
    fn gives_what_evaluating_anew_gives_at_the_same_cost() {
        let params = r#"{"data": {"words": "a b # c\nd", "n": 3, "no": null, "list": [1], "f": 0.5}}"#;
        // Each with whether its value is kept: what is a view of the object is found as fast as it would be.
        let table = [
            (r##"params.data.words.split("\n").map(line, line.split("#")[0]).join(" ").findAll("\\S+")"##, true),
            (r#"params.data.words.split("\n")"#, true),
            ("params.data.n + 1", true),
            ("params.data.no", true),
            (r#"params.data.?other.orValue("x") == "x""#, true),
            (r#"{"a": params.data.n}"#, true),
            ("params.data.list", false),
            ("params.data.f", false),
            ("params.data.?n", false),
            ("params.data.missing", false),
        ];
        for (text, is_kept) in table {
            let (kept, program) = (kept(params), program(text));
            let anew = evaluate(&kept, &program, Sharing::Own);
            assert_eq!(known(&kept), 0);
            for _ in 0..3 {
                assert_eq!(evaluate(&kept, &program, Sharing::Params), anew, "{text}");
                assert_eq!(known(&kept), usize::from(is_kept), "{text}");
            }
        }
    }

    #[test]
    fn keeps_no_more_values_than_it_may() {
        let kept = kept(r#"{"n": 1}"#);
        for at in 0..MAX_KNOWN + 10 {
            let program = program(&format!("params.n + {at}"));
            assert_eq!(evaluate(&kept, &program, Sharing::Params).0, format!("Ok(Int({}))", at + 1));
        }
        assert_eq!(known(&kept), MAX_KNOWN);
    }

    #[test]
    fn keeps_no_value_of_more_parts_than_it_may() {
        for (words, is_kept) in [(MAX_PARTS - 1, 1), (MAX_PARTS, 0)] {
            let kept = kept(&format!(r#"{{"words": "{}"}}"#, vec!["w"; words].join(" ")));
            evaluate(&kept, &program(r#"params.words.split(" ")"#), Sharing::Params);
            assert_eq!(known(&kept), is_kept, "{words} words");
        }
        for (bytes, is_kept) in [(MAX_PARTS * TEXT_OF_A_PART - 1, 1), (MAX_PARTS * TEXT_OF_A_PART, 0)] {
            let kept = kept(&format!(r#"{{"text": "{}"}}"#, "x".repeat(bytes)));
            evaluate(&kept, &program("params.text"), Sharing::Params);
            assert_eq!(known(&kept), is_kept, "{bytes} bytes");
        }
    }

    #[test]
    fn an_object_is_laid_out_once_for_a_request() {
        let (kept, arena) = (kept(r#"{"data": {"a": "b"}}"#), Arena::new());
        let params = Params::of(&kept, &arena);
        assert!(params.value().is_shared_with(&params.value()));
        assert!(params.is_same(&Params::of(&kept, &arena)) && params.is_same(&params.value().into()));
        assert!(!params.is_same(&json::Value::Null.into()));
    }
}
