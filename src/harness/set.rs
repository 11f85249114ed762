//! `set` of a case: fields of an object, by their paths, and what they are to be.

use std::cell::Cell;
use std::mem::{size_of, take};

use thiserror::Error;

use crate::engine::field::{Step, join, steps};
use crate::json::Value;
use crate::policy::Tree;

/// The most steps that a path may have.
const MAX_STEPS: usize = 64;
/// The memory that copies of base objects may take in a file of suites.
const MAX_COPIED_BYTES: usize = 64 << 20;

/// Why a field can't be set.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum SetError {
    /// The text is no path.
    #[error("not a field path; write it like spec.containers[0].image or metadata.labels[\"a.b/c\"]")]
    Syntax,
    /// The path is too long.
    #[error("a path of more than {MAX_STEPS} steps; set an object that holds the rest")]
    TooLong,
    /// The way leads through something that has no fields.
    #[error("{at} is {found}, which has no fields; set {at} itself")]
    Through {
        /// Where the way ends.
        at: String,
        /// What is there, with its article.
        found: &'static str,
    },
    /// A list is asked for something that is no index.
    #[error("{at} is a list; write {at}[0] for its first element")]
    NotAnIndex {
        /// The list.
        at: String,
    },
    /// An object is asked for an element.
    #[error("{at} is an object, which has no elements; write a field's name")]
    NotAList {
        /// The object.
        at: String,
    },
    /// Elements between the last and the new one are missing.
    #[error("{at} has {length} elements; write {at}[{length}] to append one")]
    Beyond {
        /// The list.
        at: String,
        /// How many elements it has.
        length: usize,
    },
}

/// Sets the field of `object` that `path` leads to; `null` removes it. Objects and lists on the way are made.
///
/// # Errors
/// The path is none, or leads through something else than objects and lists, or past the end of a list.
pub fn set(object: &mut Tree, path: &str, value: Value<'_>) -> Result<(), SetError> {
    let steps = steps(path).ok_or(SetError::Syntax)?;
    if steps.len() > MAX_STEPS {
        return Err(SetError::TooLong);
    }
    let make = !value.is_null();
    let mut field = object;
    for (at, step) in steps.iter().enumerate() {
        let Some(position) = position(field, step, make, &steps[..at])? else { return Ok(()) };
        if !make && at + 1 == steps.len() {
            remove(field, position);
            return Ok(());
        }
        let Some(child) = child(field, position) else { return Ok(()) };
        field = child;
    }
    *field = value.into();
    Ok(())
}

/// Where the child that `step` leads to stands in `parent`, which `way` leads to. With `make`, one that is absent is
/// added.
fn position(parent: &mut Tree, step: &Step<'_>, make: bool, way: &[Step<'_>]) -> Result<Option<usize>, SetError> {
    if make && *parent == Tree::Scalar(Value::Null) {
        *parent = if index(step).is_some() { Tree::Array(Box::default()) } else { Tree::Object(Box::default()) };
    }
    let at = || join(way);
    match parent {
        Tree::Scalar(Value::Null) => Ok(None),
        Tree::Scalar(value) => Err(SetError::Through { at: at(), found: value.type_name() }),
        Tree::String(_) => Err(SetError::Through { at: at(), found: "a string" }),
        Tree::Array(elements) => {
            let index = index(step).ok_or_else(|| SetError::NotAnIndex { at: at() })?;
            let length = elements.len();
            if make && index > length {
                return Err(SetError::Beyond { at: at(), length });
            }
            if make && index == length {
                append(elements, Tree::Scalar(Value::Null));
            }
            Ok((index < elements.len()).then_some(index))
        }
        Tree::Object(members) => {
            let key = key(step).ok_or_else(|| SetError::NotAList { at: at() })?;
            let found = members.iter().position(|(name, _)| **name == *key);
            if found.is_none() && make {
                append(members, (key.into(), Tree::Scalar(Value::Null)));
                return Ok(members.len().checked_sub(1));
            }
            Ok(found)
        }
    }
}

fn child(parent: &mut Tree, position: usize) -> Option<&mut Tree> {
    match parent {
        Tree::Array(elements) => elements.get_mut(position),
        Tree::Object(members) => members.get_mut(position).map(|(_, value)| value),
        Tree::Scalar(_) | Tree::String(_) => None,
    }
}

fn remove(parent: &mut Tree, position: usize) {
    match parent {
        Tree::Array(elements) => change(elements, |elements| drop(elements.remove(position))),
        Tree::Object(members) => change(members, |members| drop(members.remove(position))),
        Tree::Scalar(_) | Tree::String(_) => {}
    }
}

fn append<T>(list: &mut Box<[T]>, item: T) {
    change(list, |list| list.push(item));
}

fn change<T>(list: &mut Box<[T]>, change: impl FnOnce(&mut Vec<T>)) {
    let mut items = take(list).into_vec();
    change(&mut items);
    *list = items.into_boxed_slice();
}

/// The step as an index; `containers.0` is one, too.
fn index(step: &Step<'_>) -> Option<usize> {
    match step {
        Step::Index(index) => Some(*index),
        // A number that is too large is past the end of any list.
        Step::Field(name) if name.bytes().all(|byte| byte.is_ascii_digit()) => Some(name.parse().unwrap_or(usize::MAX)),
        Step::Field(_) | Step::Key(_) => None,
    }
}

/// The step as a key, without its quotes.
fn key<'p>(step: &Step<'p>) -> Option<&'p str> {
    match step {
        Step::Field(name) => Some(name),
        Step::Key(quoted) => quoted.get(1..quoted.len() - 1),
        Step::Index(_) => None,
    }
}

/// The object that the cases of a suite begin with.
#[derive(Debug)]
pub struct Base<'c> {
    object: Tree,
    bytes: usize,
    /// What the copies in the file take.
    copied: &'c Cell<usize>,
}

impl<'c> Base<'c> {
    /// A base whose copies count in `copied`.
    pub fn new(object: Tree, copied: &'c Cell<usize>) -> Self {
        Self { bytes: bytes(&object), object, copied }
    }

    /// A copy, unless the copies take too much memory.
    pub fn copy(&self) -> Option<Tree> {
        self.copied.set(self.copied.get().saturating_add(self.bytes));
        (self.copied.get() <= MAX_COPIED_BYTES).then(|| self.object.clone())
    }
}

/// The memory that a tree takes.
fn bytes(tree: &Tree) -> usize {
    let below: usize = match tree {
        Tree::Scalar(_) => 0,
        Tree::String(text) => text.len(),
        Tree::Array(elements) => elements.iter().map(bytes).sum(),
        Tree::Object(members) => {
            members.iter().map(|(key, value)| size_of::<Box<str>>() + key.len() + bytes(value)).sum()
        }
    };
    size_of::<Tree>() + below
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Arena, to_json, yaml};

    const POD: &str = "{metadata: {name: a, labels: {app: x}}, spec: {containers: [{name: c, image: 'i:1'}, {name: d}], absent: null}}";

    fn tree(text: &str) -> Tree {
        let arena = Arena::new();
        let document = yaml::documents(&arena, text).remove(0).expect(text);
        Tree::from(document.value)
    }

    /// The field at `path`, with `value` set in [`POD`], as JSON.
    fn after(path: &str, value: &str) -> Result<String, SetError> {
        let (arena, mut pod) = (Arena::new(), tree(POD));
        set(&mut pod, path, tree(value).view(&arena))?;
        Ok(to_json(pod.view(&arena)))
    }

    #[test]
    fn sets_fields_and_makes_what_is_on_the_way() {
        for (path, value, expected) in [
            ("metadata.name", "b", r#""name":"b""#),
            ("metadata.labels.app", "1", r#""labels":{"app":1}"#),
            ("metadata.labels[\"a.b/c\"]", "v", r#""labels":{"app":"x","a.b/c":"v"}"#),
            ("metadata.annotations['a.b/c']", "v", r#""annotations":{"a.b/c":"v"}"#),
            ("metadata.labels.0", "v", r#""labels":{"app":"x","0":"v"}"#),
            ("metadata.annotations[\"0\"]", "v", r#""annotations":{"0":"v"}"#),
            ("spec.containers[0].image", "i:2", r#"{"name":"c","image":"i:2"}"#),
            ("spec.containers.1.image", "i:2", r#"[{"name":"c","image":"i:1"},{"name":"d","image":"i:2"}]"#),
            ("spec.containers[2]", "{name: e}", r#"{"name":"d"},{"name":"e"}]"#),
            ("spec.containers", "[]", r#""containers":[]"#),
            ("spec.volumes[0].hostPath.path", "/x", r#""volumes":[{"hostPath":{"path":"/x"}}]"#),
            ("spec.volumes.0.name", "v", r#""volumes":[{"name":"v"}]"#),
            ("spec.absent.x", "true", r#""absent":{"x":true}"#),
            ("status", "{a: [1, 0.5]}", r#""status":{"a":[1,0.5]}"#),
        ] {
            let found = after(path, value).expect(path);
            assert!(found.contains(expected), "{path}: {found}");
        }
    }

    #[test]
    fn removes_with_null_what_may_not_even_be_there() {
        for (path, expected) in [
            ("spec", r#"{"metadata":{"name":"a","labels":{"app":"x"}}}"#),
            (
                "spec.containers[0]",
                r#"{"metadata":{"name":"a","labels":{"app":"x"}},"spec":{"containers":[{"name":"d"}],"absent":null}}"#,
            ),
            (
                "metadata.labels.app",
                r#"{"metadata":{"name":"a","labels":{}},"spec":{"containers":[{"name":"c","image":"i:1"},{"name":"d"}],"absent":null}}"#,
            ),
        ] {
            assert_eq!(after(path, "null").expect(path), expected);
        }
        let unchanged = to_json(tree(POD).view(&Arena::new()));
        for path in [
            "status",
            "status.a[3].b",
            "spec.containers[7].image",
            "spec.containers[2]",
            "spec.absent.x",
            "metadata.labels['y']",
        ] {
            assert_eq!(after(path, "null").expect(path), unchanged, "{path}");
        }
    }

    #[test]
    fn rejects_paths_that_lead_nowhere() {
        for path in ["", "spec.", "spec..a", "spec[", "[0]", "metadata.labels.a/b", "spec['a]"] {
            assert_eq!(after(path, "x"), Err(SetError::Syntax), "{path}");
        }
        for (path, says) in [
            ("metadata.name.x", "metadata.name is a string, which has no fields; set metadata.name itself"),
            ("metadata.name[0]", "metadata.name is a string, which has no fields; set metadata.name itself"),
            ("spec.containers.name", "spec.containers is a list; write spec.containers[0] for its first element"),
            ("spec.containers['0']", "spec.containers is a list; write spec.containers[0] for its first element"),
            ("spec[0]", "spec is an object, which has no elements; write a field's name"),
            ("spec.containers[3]", "spec.containers has 2 elements; write spec.containers[2] to append one"),
            (
                "spec.containers.99999999999999999999",
                "spec.containers has 2 elements; write spec.containers[2] to append one",
            ),
            ("spec.volumes[1].name", "spec.volumes has 0 elements; write spec.volumes[0] to append one"),
        ] {
            assert_eq!(after(path, "x").expect_err(path).to_string(), says);
        }
        assert!(matches!(after("metadata.name.x", "null"), Err(SetError::Through { .. })), "removed from a string");
    }

    #[test]
    fn limits_the_length_of_a_path() {
        let path = |steps: usize| vec!["a"; steps].join(".");
        assert!(after(&path(MAX_STEPS), "x").is_ok());
        assert_eq!(after(&path(MAX_STEPS + 1), "x"), Err(SetError::TooLong));
    }

    #[test]
    fn limits_what_copies_take() {
        let copied = Cell::new(0);
        let base = Base::new(Tree::String("x".repeat(MAX_COPIED_BYTES / 2 - 100).into()), &copied);
        assert!(base.copy().is_some() && base.copy().is_some());
        assert_eq!(base.copy(), None);
    }
}
