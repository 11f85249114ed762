//! cel-go's optional values, version 2. The evaluator takes `or` and `orValue` itself, to leave the right side
//! unevaluated; here they are declared.

use crate::cel::function::{Error, Function, overload_since};
use crate::cel::value::Value;
use crate::cel::value::text::display;
use crate::json::Arena;

use crate::cel::value::build;

/// The functions of this library; `optMap` and `optFlatMap` are macros, `?.` and `[?]` are operators.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "first",
        overloads: &[overload_since(33, "list_first", "list<V>.() -> optional<V>")],
        eval: |arena, args| match args {
            [Value::List(list)] => optional(arena, list.get(0)),
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "hasValue",
        overloads: &[overload_since(28, "optional_hasValue", "optional<V>.() -> bool")],
        eval: |_, args| match args {
            [Value::Optional(optional)] => Ok(Value::Bool(optional.is_some())),
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "last",
        overloads: &[overload_since(33, "list_last", "list<V>.() -> optional<V>")],
        eval: |arena, args| match args {
            [Value::List(list)] => optional(arena, list.len().checked_sub(1).and_then(|last| list.get(last))),
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "optional.none",
        overloads: &[overload_since(28, "optional_none", "() -> optional<V>")],
        eval: |_, args| match args {
            [] => Ok(Value::Optional(None)),
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "optional.of",
        overloads: &[overload_since(28, "optional_of", "(V) -> optional<V>")],
        eval: |arena, args| match args {
            [value] => build::some(arena, *value),
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "optional.ofNonZeroValue",
        overloads: &[overload_since(28, "optional_ofNonZeroValue", "(V) -> optional<V>")],
        eval: |arena, args| match args {
            [value] if is_zero(value) => Ok(Value::Optional(None)),
            [value] => build::some(arena, *value),
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "optional.unwrap",
        overloads: &[overload_since(33, "optional_unwrap", "(list<optional<V>>) -> list<V>")],
        eval: unwrap,
    },
    Function {
        name: "or",
        overloads: &[overload_since(28, "optional_or_optional", "optional<V>.(optional<V>) -> optional<V>")],
        eval: |_, _| Err(Error::no_such_overload()),
    },
    Function {
        name: "orValue",
        overloads: &[overload_since(28, "optional_orValue_value", "optional<V>.(V) -> V")],
        eval: |_, _| Err(Error::no_such_overload()),
    },
    Function {
        name: "unwrapOpt",
        overloads: &[overload_since(33, "optional_unwrapOpt", "list<optional<V>>.() -> list<V>")],
        eval: unwrap,
    },
    Function {
        name: "value",
        overloads: &[overload_since(28, "optional_value", "optional<V>.() -> V")],
        eval: |_, args| match args {
            [Value::Optional(Some(value))] => Ok(**value),
            [Value::Optional(None)] => Err(Error::new("optional.none() dereference")),
            _ => Err(Error::no_such_overload()),
        },
    },
];

fn optional<'a>(arena: &'a Arena, value: Option<Value<'a>>) -> Result<Value<'a>, Error> {
    value.map_or(Ok(Value::Optional(None)), |value| build::some(arena, value))
}

fn unwrap<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let [Value::List(list)] = args else { return Err(Error::no_such_overload()) };
    if !matches!(list.get(0), None | Some(Value::Optional(_))) {
        return Err(Error::no_such_overload());
    }
    let mut values = Vec::new();
    for element in list.iter() {
        match element {
            Value::Optional(Some(value)) => values.push(*value),
            Value::Optional(None) => {}
            other => return Err(Error::new(format!("value {} is not optional", display(&other)))),
        }
    }
    build::list(arena, &values)
}

/// Whether a value is its type's zero value. Timestamps have one (the year 1), types and Kubernetes' own have none.
fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Int(i) => *i == 0,
        Value::Uint(u) => *u == 0,
        Value::Double(d) => *d == 0.0,
        Value::String(s) => s.is_empty(),
        Value::Bytes(b) => b.is_empty(),
        Value::Duration(d) => *d == 0,
        Value::Timestamp(t) => t.seconds == -62_135_596_800 && t.nanos == 0,
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty(),
        Value::Struct(message) => message.fields.is_empty(),
        Value::Type(_) | Value::Optional(_) | Value::Opaque(_) => false,
    }
}
