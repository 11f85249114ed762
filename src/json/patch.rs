//! RFC 6902 patches, applied as the API server applies them: with the rules and messages of `evanphx/json-patch` v4.
//!
//! Those rules differ from the RFC in places that policies can observe: negative indices count from the end, `replace`
//! adds a key that is absent, `copy` of an absent key adds null, `test` of an absent or null field succeeds only for an
//! operation without value, and what stands before a path's first slash is ignored.
//!
//! A patched document shares every subtree that the patch left alone with the original.

use std::borrow::Cow;
use std::fmt;

use super::arena::Arena;
use super::edit::{self, Place};
use super::parse::DEFAULT_MAX_DEPTH;
use super::print::{to_json, write_json, write_json_string};
use super::value::Value;

/// What applying a patch may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchLimits {
    /// Operations in one patch; the API server's own limit for patches by clients.
    pub operations: usize,
    /// Bytes that `copy` operations may add up to, as JSON; the API server's limit.
    pub copied_bytes: usize,
    /// Bytes of memory that the containers on the ways to the changed places may take, all operations together.
    pub rebuilt_bytes: usize,
    /// How many arrays and objects may be nested in the result.
    pub max_depth: usize,
}

impl Default for PatchLimits {
    fn default() -> Self {
        Self { operations: 10_000, copied_bytes: 3 << 20, rebuilt_bytes: 128 << 20, max_depth: DEFAULT_MAX_DEPTH }
    }
}

/// One step of a patch. Unknown operations are found when they are applied, as upstream does.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation<'a> {
    /// `add`, `remove`, `replace`, `move`, `copy` or `test`.
    pub op: Cow<'a, str>,
    /// The pointer to the place to change.
    pub path: Cow<'a, str>,
    /// The pointer to the source of `move` and `copy`.
    pub from: Option<Cow<'a, str>>,
    /// The operand of `add`, `replace` and `test`. For `add` and `replace`, none is null.
    pub value: Option<Value<'a>>,
}

impl<'a> Operation<'a> {
    /// An operation with a path alone, such as `remove`.
    pub fn new(op: &'static str, path: impl Into<Cow<'a, str>>) -> Self {
        Self { op: Cow::Borrowed(op), path: path.into(), from: None, value: None }
    }

    /// The same operation with a value.
    #[must_use]
    pub fn with_value(self, value: Value<'a>) -> Self {
        Self { value: Some(value), ..self }
    }

    /// The same operation with a source.
    #[must_use]
    pub fn with_from(self, from: impl Into<Cow<'a, str>>) -> Self {
        Self { from: Some(from.into()), ..self }
    }
}

/// Operations in order. Displayed as the JSON that `patchType: JSONPatch` stands for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch<'a> {
    /// The operations.
    pub operations: Vec<Operation<'a>>,
}

/// Why a patch cannot be read or applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// A `test` found something else: upstream leaves the object as it is and goes on.
    #[error("testing value {0} failed: test failed")]
    TestFailed(String),
    /// The document has no container at the path.
    #[error("{op} operation does not apply: {what}: {path}: missing value")]
    Missing {
        /// The operation.
        op: &'static str,
        /// What is missing, in upstream's words.
        what: &'static str,
        /// The path or source that leads nowhere.
        path: String,
    },
    /// The container is there and has no such place.
    #[error("{what}: '{path}': {place}")]
    At {
        /// What was attempted, in upstream's words.
        what: &'static str,
        /// The path, or for sources the last key.
        path: String,
        /// What is wrong with the place.
        place: Place,
    },
    /// A copy's destination has no such place.
    #[error("error while adding value during copy: {0}")]
    CopyTarget(Place),
    /// The whole document can only become an object or an array.
    #[error("replace operation value must be object or array")]
    Root,
    /// `move` or `copy` without `from`.
    #[error("{0} operation failed to decode from: operation, missing from field: missing value")]
    NoFrom(&'static str),
    /// No such operation.
    #[error("Unexpected kind: {0}")]
    UnknownOperation(String),
    /// A patch is an array of objects with the string members `op` and `path`.
    #[error("a JSON patch must be an array of operations, each with \"op\" and \"path\": operation {0} is not")]
    Shape(usize),
    /// More than [`PatchLimits::operations`].
    #[error("a patch may have at most {0} operations")]
    TooManyOperations(usize),
    /// More than [`PatchLimits::copied_bytes`].
    #[error(
        "Unable to complete the copy, the accumulated size increase of copy is {size}, exceeding the limit {limit}"
    )]
    CopySize {
        /// Bytes so far.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// More than [`PatchLimits::rebuilt_bytes`].
    #[error("the patch changes so many places in large arrays or objects that it needs more than {0} bytes")]
    TooMuchWork(usize),
    /// More than [`PatchLimits::max_depth`].
    #[error("the patch nests more than {0} arrays and objects in each other")]
    TooDeep(usize),
}

impl<'a> Patch<'a> {
    /// Reads a patch from its JSON form. As upstream, a `value` of null counts as none.
    ///
    /// # Errors
    /// [`PatchError::Shape`] if it is not an array of operations.
    pub fn from_value(value: Value<'a>) -> Result<Self, PatchError> {
        let elements = value.as_array().ok_or(PatchError::Shape(0))?;
        let operation = |(i, element): (usize, &Value<'a>)| {
            let text = |key| element.get(key).and_then(|value| value.as_str()).map(Cow::Borrowed);
            Ok(Operation {
                op: text("op").ok_or(PatchError::Shape(i))?,
                path: text("path").ok_or(PatchError::Shape(i))?,
                from: text("from"),
                value: element.get("value").filter(|value| !value.is_null()),
            })
        };
        elements.iter().enumerate().map(operation).collect::<Result<_, _>>().map(|operations| Self { operations })
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The document with the patch applied; all of it or nothing.
    ///
    /// # Errors
    /// The first operation that does not apply, or a limit.
    pub fn apply(&self, arena: &'a Arena, document: Value<'a>, limits: &PatchLimits) -> Result<Value<'a>, PatchError> {
        if self.operations.len() > limits.operations {
            return Err(PatchError::TooManyOperations(limits.operations));
        }
        let mut patching = Patching { arena, document, limits, copied: 0, rebuilt: 0 };
        for operation in &self.operations {
            patching.apply(operation)?;
        }
        Ok(patching.document)
    }
}

impl<'a> From<Vec<Operation<'a>>> for Patch<'a> {
    fn from(operations: Vec<Operation<'a>>) -> Self {
        Self { operations }
    }
}

impl fmt::Display for Patch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::from("[");
        for (i, operation) in self.operations.iter().enumerate() {
            out.push_str(if i > 0 { ",{\"op\":" } else { "{\"op\":" });
            write_json_string(&mut out, &operation.op);
            out.push_str(",\"path\":");
            write_json_string(&mut out, &operation.path);
            if let Some(from) = &operation.from {
                out.push_str(",\"from\":");
                write_json_string(&mut out, from);
            }
            if let Some(value) = operation.value {
                out.push_str(",\"value\":");
                write_json(&mut out, value);
            }
            out.push('}');
        }
        out.push(']');
        f.write_str(&out)
    }
}

struct Patching<'a, 'l> {
    arena: &'a Arena,
    document: Value<'a>,
    limits: &'l PatchLimits,
    copied: usize,
    rebuilt: usize,
}

impl<'a> Patching<'a, '_> {
    fn apply(&mut self, operation: &Operation<'a>) -> Result<(), PatchError> {
        let path = &*operation.path;
        let value = operation.value.unwrap_or(Value::Null);
        match &*operation.op {
            "add" => self.add(path, value),
            "remove" => self.remove(path),
            "replace" => self.replace(path, operation.value),
            "move" => self.relocate(from(operation, "move")?, path),
            "copy" => self.copy(from(operation, "copy")?, path),
            "test" => self.test(path, operation.value),
            unknown => Err(PatchError::UnknownOperation(unknown.to_owned())),
        }
    }

    fn add(&mut self, path: &str, value: Value<'a>) -> Result<(), PatchError> {
        let target = edit::find(self.document, path)
            .ok_or_else(|| missing("add", "doc is missing path", format!("\"{path}\"")))?;
        let container = edit::added(self.arena, target.container, &target.key, value)
            .map_err(|place| at("error in add for path", path, place))?;
        self.set(&target, container, value)
    }

    fn remove(&mut self, path: &str) -> Result<(), PatchError> {
        let target = edit::find(self.document, path)
            .ok_or_else(|| missing("remove", "doc is missing path", format!("\"{path}\"")))?;
        let container = edit::removed(self.arena, target.container, &target.key)
            .map_err(|place| at("error in remove for path", path, place))?;
        self.set(&target, container, Value::Null)
    }

    fn replace(&mut self, path: &str, value: Option<Value<'a>>) -> Result<(), PatchError> {
        if path.is_empty() {
            self.document =
                value.filter(|v| matches!(v, Value::Object(_) | Value::Array(_))).ok_or(PatchError::Root)?;
            return Ok(());
        }
        let target = edit::find(self.document, path)
            .ok_or_else(|| missing("replace", "doc is missing path", path.to_owned()))?;
        let value = value.unwrap_or(Value::Null);
        let container = edit::replaced(self.arena, target.container, &target.key, value)
            .map_err(|_| missing("replace", "doc is missing key", path.to_owned()))?;
        self.set(&target, container, value)
    }

    fn relocate(&mut self, from: &str, path: &str) -> Result<(), PatchError> {
        let source = edit::find(self.document, from)
            .ok_or_else(|| missing("move", "doc is missing from path", from.to_owned()))?;
        let in_move = |place| at("error in move for path", &source.key, place);
        let value = edit::get(source.container, &source.key).map_err(in_move)?.unwrap_or(Value::Null);
        let container = edit::removed(self.arena, source.container, &source.key).map_err(in_move)?;
        self.set(&source, container, Value::Null)?;
        let target = edit::find(self.document, path)
            .ok_or_else(|| missing("move", "doc is missing destination path", path.to_owned()))?;
        let container = edit::added(self.arena, target.container, &target.key, value)
            .map_err(|place| at("error in move for path", path, place))?;
        self.set(&target, container, value)
    }

    fn copy(&mut self, from: &str, path: &str) -> Result<(), PatchError> {
        let source = edit::find(self.document, from)
            .ok_or_else(|| missing("copy", "doc is missing from path", from.to_owned()))?;
        let value = edit::get(source.container, &source.key)
            .map_err(|place| at("error in copy for from", from, place))?
            .unwrap_or(Value::Null);
        let target = edit::find(self.document, path)
            .ok_or_else(|| missing("copy", "doc is missing destination path", path.to_owned()))?;
        self.copied = self.copied.saturating_add(if value.is_null() { 0 } else { to_json(value).len() });
        if self.copied > self.limits.copied_bytes {
            return Err(PatchError::CopySize { size: self.copied, limit: self.limits.copied_bytes });
        }
        let container =
            edit::added(self.arena, target.container, &target.key, value).map_err(PatchError::CopyTarget)?;
        self.set(&target, container, value)
    }

    fn test(&self, path: &str, expected: Option<Value<'a>>) -> Result<(), PatchError> {
        let found = if path.is_empty() {
            Some(self.document)
        } else {
            let target =
                edit::find(self.document, path).ok_or_else(|| missing("test", "is missing path", path.to_owned()))?;
            edit::get(target.container, &target.key).map_err(|place| at("error in test for path", path, place))?
        };
        let holds = match (found.filter(|found| !found.is_null()), expected) {
            (None, None) => true,
            (Some(found), Some(expected)) => equal_as_json(found, expected),
            _ => false,
        };
        if holds { Ok(()) } else { Err(PatchError::TestFailed(path.to_owned())) }
    }

    /// Puts a changed container, into which `value` came, in the place of the one that was found.
    fn set(&mut self, target: &edit::Target<'a, '_>, container: Value<'a>, value: Value<'a>) -> Result<(), PatchError> {
        if !edit::fits(value, self.limits.max_depth.saturating_sub(target.depth() + 1)) {
            return Err(PatchError::TooDeep(self.limits.max_depth));
        }
        self.rebuilt = self.rebuilt.saturating_add(edit::size(container));
        self.document = target.rebuild(self.arena, container, &mut self.rebuilt);
        if self.rebuilt > self.limits.rebuilt_bytes {
            return Err(PatchError::TooMuchWork(self.limits.rebuilt_bytes));
        }
        Ok(())
    }
}

fn from<'o>(operation: &'o Operation<'_>, op: &'static str) -> Result<&'o str, PatchError> {
    operation.from.as_deref().ok_or(PatchError::NoFrom(op))
}

fn missing(op: &'static str, what: &'static str, path: String) -> PatchError {
    PatchError::Missing { op, what, path }
}

fn at(what: &'static str, path: &str, place: Place) -> PatchError {
    PatchError::At { what, path: path.to_owned(), place }
}

/// Whether two values are written alike: Go writes a whole float as an integer.
fn equal_as_json(a: Value<'_>, b: Value<'_>) -> bool {
    match (a, b) {
        (Value::Int(int), Value::Float(float)) | (Value::Float(float), Value::Int(int)) => {
            int as f64 == float && float as i64 == int
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal_as_json(*a, *b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.members().iter().all(|(key, a)| b.get(key).is_some_and(|b| equal_as_json(*a, b)))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
#[path = "patch_tests.rs"]
mod tests;
