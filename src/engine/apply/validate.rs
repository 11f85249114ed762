//! Whether an apply configuration fits its type: upstream's `typed` validation and its search for atomic types.

use std::collections::HashSet;

use super::ApplyError;
use super::foreign::{ByStandIn, Foreign};
use super::item::{go, identity};
use crate::json::{DEFAULT_MAX_DEPTH, Value};
use crate::schema::{Form, Known, List, ListKind, Map, Scalar, Type, TypeId, Types};

/// Checks the patch against its type.
///
/// # Errors
/// All faults in one text, as upstream writes them.
pub(super) fn validate(
    types: &Types,
    root: TypeId,
    patch: Value<'_>,
    foreign: &[Foreign<'_>],
) -> Result<(), ApplyError> {
    faults(types, Side::Patch, root, patch, foreign).map_err(ApplyError::Patch)
}

/// Checks a custom resource that is to be patched against its type: admission is asked before the API server judges it
/// by the schema. Fields that the schema doesn't know are gone by then, so they are no fault here.
///
/// # Errors
/// All faults in one text, as upstream writes them.
pub(super) fn validate_object(types: &Types, root: TypeId, object: Value<'_>) -> Result<(), ApplyError> {
    faults(types, Side::Object, root, object, &[]).map_err(ApplyError::Object)
}

fn faults(types: &Types, side: Side, root: TypeId, value: Value<'_>, foreign: &[Foreign<'_>]) -> Result<(), String> {
    let foreign = ByStandIn::new(foreign);
    let mut validation = Validation { types, side, foreign, path: String::new(), depth: 0, faults: Vec::new() };
    validation.value(root, value);
    match validation.faults.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        many => Err(format!("errors:\n  {}", many.join("\n  "))),
    }
}

/// Checks that the patch sets nothing inside an atomic list, map or struct, where it would drop what it does not name.
///
/// Upstream looks at named fields alone. For a kind whose schema is not known ([`Known::Not`]) every list counts
/// as atomic, which is what lists in custom resources are unless their schema says otherwise.
///
/// # Errors
/// The paths of what is atomic.
pub(super) fn reject_atomics(types: &Types, root: TypeId, known: Known, patch: Value<'_>) -> Result<(), ApplyError> {
    let mut search = Atomics { types, all_members: known == Known::Not, path: String::new(), found: Vec::new() };
    search.value(root, patch);
    if search.found.is_empty() { Ok(()) } else { Err(ApplyError::Atomic(search.found.join(", "))) }
}

/// Whose value is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Patch,
    /// Upstream allows its duplicates (`typed.AllowDuplicates`).
    Object,
}

struct Validation<'k> {
    types: &'k Types,
    side: Side,
    foreign: ByStandIn<'k>,
    path: String,
    depth: usize,
    faults: Vec<String>,
}

impl Validation<'_> {
    fn value(&mut self, id: TypeId, value: Value<'_>) {
        if self.depth > DEFAULT_MAX_DEPTH {
            return self.fault(&format!("more than {DEFAULT_MAX_DEPTH} arrays and objects are nested in each other"));
        }
        // A null of the patch comes from an expression, where it is a value of its own.
        if self.side == Side::Object && value.is_null() {
            return;
        }
        let types = self.types;
        if let Some(foreign) = self.foreign.get(value) {
            return self.foreign(types.resolve(id), foreign);
        }
        match types.resolve(id).form(value) {
            Some(Form::Map(map)) => self.map(map, value),
            Some(Form::List(list)) => self.list(list, value),
            Some(Form::Scalar(scalar)) => self.scalar(scalar, value),
            None => self.fault("schema error: invalid atom: inlined"),
        }
    }

    /// A foreign value fits no type. As any other value of a wrong form, it is taken for the first that the type has.
    fn foreign(&mut self, of: &Type, value: &Foreign<'_>) {
        let message = match (&of.map, of.scalar) {
            (Some(_), _) => format!("expected map, got &{{{}}}", value.shown()),
            (None, Some(Scalar::Numeric)) => format!("expected numeric (int or float), got {}", value.type_name()),
            (None, Some(Scalar::String)) => {
                format!("expected string, got &value.valueUnstructured{{Value:{}}}", value.syntax())
            }
            (None, Some(Scalar::Boolean)) => format!("expected boolean, got &{{{}}}", value.shown()),
            (None, Some(Scalar::Untyped)) => format!("expected any scalar, got &{{{}}}", value.shown()),
            (None, None) => format!("expected list, got &{{{}}}", value.shown()),
        };
        self.fault(&message);
    }

    fn map(&mut self, map: &Map, value: Value<'_>) {
        let object = match value {
            Value::Object(object) => object,
            other => return self.fault(&format!("expected map, got &{{{}}}", go(other))),
        };
        for (key, member) in object.members() {
            let name = format!(".{key}");
            match map.member(key) {
                Some(id) => self.below(&name, |validation| validation.value(id, *member)),
                None if self.side == Side::Object => {}
                // Upstream stops at the first.
                None => return self.below(&name, |validation| validation.fault("field not declared in schema")),
            }
        }
    }

    fn list(&mut self, list: &List, value: Value<'_>) {
        let elements = match value {
            Value::Array(elements) => elements,
            other => return self.fault(&format!("expected list, got &{{{}}}", go(other))),
        };
        let mut seen = HashSet::new();
        for (i, element) in elements.iter().enumerate() {
            let mut name = format!("[{i}]");
            if list.kind == ListKind::Set && self.foreign.get(*element).is_some() {
                name = "[={{undefined}}]".to_owned();
            } else if list.kind != ListKind::Atomic {
                name = match identity(self.types, list, *element) {
                    Ok(name) => name,
                    Err(why) => return self.fault(&format!("element {i}: {why}")),
                };
                if !seen.insert(name.clone()) && self.side == Side::Patch {
                    self.fault(&format!("duplicate entries for key {name}"));
                }
            }
            self.below(&name, |validation| validation.value(list.element, *element));
        }
    }

    fn scalar(&mut self, scalar: Scalar, value: Value<'_>) {
        let fits = match (scalar, value) {
            (Scalar::String, Value::String(_))
            | (Scalar::Numeric, Value::Int(_) | Value::Float(_))
            | (Scalar::Boolean, Value::Bool(_)) => true,
            (Scalar::Untyped, value) => !matches!(value, Value::Null | Value::Array(_) | Value::Object(_)),
            _ => false,
        };
        if fits {
            return;
        }
        let message = match scalar {
            Scalar::Numeric => format!("expected numeric (int or float), got {}", go_type(value)),
            Scalar::String => match value {
                Value::Array(_) | Value::Object(_) => format!("expected string, got {}", go_type(value)),
                Value::Null => "expected string, got &value.valueUnstructured{Value:0}".to_owned(),
                scalar => format!("expected string, got &value.valueUnstructured{{Value:{}}}", go(scalar)),
            },
            Scalar::Boolean => format!("expected boolean, got &{{{}}}", go(value)),
            Scalar::Untyped => format!("expected any scalar, got &{{{}}}", go(value)),
        };
        self.fault(&message);
    }

    fn below(&mut self, name: &str, work: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(name);
        self.depth += 1;
        work(self);
        self.depth -= 1;
        self.path.truncate(length);
    }

    fn fault(&mut self, message: &str) {
        self.faults.push(if self.path.is_empty() { message.to_owned() } else { format!("{}: {message}", self.path) });
    }
}

struct Atomics<'k> {
    types: &'k Types,
    all_members: bool,
    path: String,
    found: Vec<String>,
}

impl Atomics<'_> {
    fn value(&mut self, id: TypeId, value: Value<'_>) {
        let types = self.types;
        match (types.resolve(id).form(value), value) {
            (Some(Form::Map(map)), Value::Object(object)) => {
                if map.atomic {
                    self.found.push(self.path.clone());
                }
                for (key, member) in object.members() {
                    let field = map.field(key).map(|field| field.type_id);
                    if let Some(id) = field.or(map.element.filter(|_| self.all_members)) {
                        self.below(&format!(".{key}"), |search| search.value(id, *member));
                    }
                }
            }
            (Some(Form::List(list)), Value::Array(elements)) => {
                if list.kind == ListKind::Atomic {
                    self.found.push(self.path.clone());
                    if self.all_members {
                        return;
                    }
                }
                for (i, element) in elements.iter().enumerate() {
                    self.below(&format!("[{i}]"), |search| search.value(list.element, *element));
                }
            }
            _ => {}
        }
    }

    fn below(&mut self, name: &str, work: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(name);
        work(self);
        self.path.truncate(length);
    }
}

fn go_type(value: Value<'_>) -> &'static str {
    match value {
        Value::Null => "structpb.NullValue",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
