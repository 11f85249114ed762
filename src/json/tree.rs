//! A JSON value that owns itself: how objects are kept between requests.
//!
//! A request sees it through [`Tree::view`], which lays out the nodes in the request's arena and borrows every string:
//! some 20 ns per node, no text copied. That is simpler than a document and its arena kept alive together, which a set
//! of policies shared between threads can't hold in safe code, and far cheaper than parsing the text again.

use super::arena::Arena;
use super::value::{Object, Value};

/// An owned JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// `null`, a boolean or a number: they borrow nothing.
    Scalar(Value<'static>),
    /// A string.
    String(Box<str>),
    /// An array.
    Array(Box<[Tree]>),
    /// An object, no key twice.
    Object(Box<[(Box<str>, Tree)]>),
}

impl Tree {
    /// The value as a document's value, laid out in `arena`.
    pub fn view<'a>(&'a self, arena: &'a Arena) -> Value<'a> {
        match self {
            Tree::Scalar(value) => *value,
            Tree::String(text) => Value::String(text),
            Tree::Array(elements) => {
                Value::Array(arena.alloc_slice_fill_iter(elements.iter().map(|element| element.view(arena))))
            }
            Tree::Object(members) => {
                let members = members.iter().map(|(key, value)| (&**key, value.view(arena)));
                Value::Object(Object::of_distinct_iter(arena, members))
            }
        }
    }
}

impl From<Value<'_>> for Tree {
    /// Recursion is as deep as the document, which its parser limits.
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Null => Tree::Scalar(Value::Null),
            Value::Bool(value) => Tree::Scalar(Value::Bool(value)),
            Value::Int(value) => Tree::Scalar(Value::Int(value)),
            Value::Float(value) => Tree::Scalar(Value::Float(value)),
            Value::String(text) => Tree::String(text.into()),
            Value::Array(elements) => Tree::Array(elements.iter().map(|element| (*element).into()).collect()),
            Value::Object(object) => {
                Tree::Object(object.members().iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_equals_the_value_that_was_kept() {
        let arena = Arena::new();
        let keys: Vec<String> = (0..40).map(|i| format!("k{i}")).collect();
        let many: Vec<_> = keys.iter().map(|key| (key.as_str(), Value::String(key))).collect();
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Int(i64::MIN),
            Value::Float(0.5),
            Value::String("é\n"),
            Value::Array(&[]),
            Value::Array(&[Value::Int(1), Value::Null]),
            Value::Object(Object::default()),
            Value::Object(Object::new(&arena, &many)),
        ];
        let all = Value::Array(&values);
        let kept = Tree::from(all);
        assert_eq!(kept.view(&Arena::new()), all);
        let indexed = Tree::from(Value::Object(Object::new(&arena, &many)));
        assert_eq!(indexed.view(&arena).get("k39"), Some(Value::String("k39")));
    }
}
