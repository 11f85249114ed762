//! Which overload takes which values, and upstream's words where none does.
//!
//! Upstream: `cel-go/interpreter/interpretable.go` (traits of operands), `common/decls/decls.go` (guards of overloads),
//! `common/types/types.go` (`IsAssignableRuntimeType`).

use crate::cel::check::signature::Signature;
use crate::cel::check::types::Type;
use crate::cel::function::{Error, Function, Overload};
use crate::cel::value::opaque::Opaque;
use crate::cel::value::{List, Value};

const UNNAMED: &str = "no such overload";

/// Names the function in the error of a call that no overload takes, as upstream does.
#[cold]
pub(in crate::cel) fn named(error: Error, function: &Function, args: &[Value<'_>]) -> Error {
    match &error {
        Error::Evaluation(text) if **text == *UNNAMED => {}
        _ => return error,
    }
    let name = function.name;
    match (traits_of(name), args.first()) {
        // The overload takes the values, and then makes nothing of them.
        (None, _) if function.overloads.iter().any(|overload| takes(overload, args)) => error,
        (None, _) => no_overload(name, args),
        (Some(has_trait), Some(first)) if has_trait(first) || is_receiver(first) => error,
        (Some(_), _) => Error::new(format!("{UNNAMED}: {name}")),
    }
}

fn takes(overload: &Overload, args: &[Value<'_>]) -> bool {
    Signature::parse(overload.signature).is_some_and(|signature| fits(&signature.args, args))
}

/// The error of values that don't fit the overload that the checker has chosen.
#[cold]
pub(in crate::cel) fn no_overload(function: &str, args: &[Value<'_>]) -> Error {
    let types: Vec<_> = args.iter().map(Value::type_name).collect();
    Error::new(format!("{UNNAMED}: {function}({})", types.join(", ")))
}

/// Functions that are one piece of code for all overloads ask their first operand for a trait; only an operand that
/// lacks it makes the error name the function.
fn traits_of(function: &str) -> Option<fn(&Value<'_>) -> bool> {
    Some(match function {
        "_+_" => |value| {
            matches!(value, Value::Bytes(_) | Value::Double(_) | Value::Duration(_) | Value::Int(_) | Value::List(_))
                || matches!(value, Value::String(_) | Value::Timestamp(_) | Value::Uint(_))
        },
        "_-_" => |value| {
            matches!(
                value,
                Value::Double(_) | Value::Duration(_) | Value::Int(_) | Value::Timestamp(_) | Value::Uint(_)
            )
        },
        "_*_" | "_/_" => |value| matches!(value, Value::Double(_) | Value::Int(_) | Value::Uint(_)),
        "_%_" => |value| matches!(value, Value::Int(_) | Value::Uint(_)),
        "-_" => |value| matches!(value, Value::Bool(_) | Value::Double(_) | Value::Int(_) | Value::Duration(_)),
        "_<_" | "_<=_" | "_>_" | "_>=_" => |value| {
            matches!(value, Value::Bool(_) | Value::Bytes(_) | Value::Double(_) | Value::Duration(_) | Value::Int(_))
                || matches!(value, Value::String(_) | Value::Timestamp(_) | Value::Uint(_))
        },
        "size" => |value| matches!(value, Value::String(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_)),
        "sort" | "@sortByAssociatedKeys" => |value| matches!(value, Value::List(_)),
        "matches" => |value| matches!(value, Value::String(_)),
        "@in" | "!_" | "contains" | "startsWith" | "endsWith" => |_| true,
        _ => return None,
    })
}

/// Types that answer calls by themselves do so without naming the function.
fn is_receiver(value: &Value<'_>) -> bool {
    matches!(value, Value::String(_) | Value::Duration(_) | Value::Timestamp(_))
}

/// The text that upstream's Go value of a value is: also a type's name, and what an optional holds.
pub(in crate::cel) fn text_within<'a>(value: &Value<'a>) -> Option<&'a str> {
    match value {
        Value::String(text) | Value::Type(text) => Some(text),
        Value::Optional(Some(inner)) => text_within(inner),
        _ => None,
    }
}

/// Whether values fit the parameters of an overload, as far as upstream looks: of a list at its first element, of a
/// map at its first entry.
pub(in crate::cel) fn fits(params: &[Type], args: &[Value<'_>]) -> bool {
    params.len() == args.len() && params.iter().zip(args).all(|(of, value)| is_assignable(of, value))
}

fn is_assignable(of: &Type, value: &Value<'_>) -> bool {
    match (of, value) {
        (Type::Dyn | Type::Letter(_) | Type::Variable(_) | Type::Error, _) => true,
        (Type::List(of), Value::List(list)) => list.get(0).is_none_or(|first| is_assignable(of, &first)),
        (Type::Map(pair), Value::Map(map)) => {
            map.entry(0).is_none_or(|(key, value)| is_assignable(&pair.0, &key) && is_assignable(&pair.1, &value))
        }
        (Type::Null, Value::Null)
        | (Type::Bool, Value::Bool(_))
        | (Type::Int, Value::Int(_))
        | (Type::Uint, Value::Uint(_))
        | (Type::Double, Value::Double(_))
        | (Type::String, Value::String(_))
        | (Type::Bytes, Value::Bytes(_))
        | (Type::Duration, Value::Duration(_))
        | (Type::Timestamp, Value::Timestamp(_))
        | (Type::Optional(_), Value::Optional(_))
        | (Type::Type(_), Value::Type(_)) => true,
        (Type::Struct(name), Value::Struct(_) | Value::Opaque(_)) => **name == *value.type_name(),
        _ => false,
    }
}

/// The name of the Go type that upstream has for a value, which some errors quote.
pub(in crate::cel) fn go_type(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "types.Null",
        Value::Bool(_) => "types.Bool",
        Value::Int(_) => "types.Int",
        Value::Uint(_) => "types.Uint",
        Value::Double(_) => "types.Double",
        Value::String(_) => "types.String",
        Value::Bytes(_) => "types.Bytes",
        Value::Duration(_) => "types.Duration",
        Value::Timestamp(_) => "types.Timestamp",
        Value::List(List::Json(_) | List::Values(_) | List::Strings(_)) => "*types.baseList",
        Value::List(List::Sum(_)) => "*types.concatList",
        Value::Map(_) => "*types.baseMap",
        Value::Struct(message) if message.type_name == "JSONPatch" => "*mutation.JSONPatchVal",
        Value::Struct(_) => "*dynamic.ObjectVal",
        Value::Type(_) => "*types.Type",
        Value::Optional(_) => "*types.Optional",
        Value::Opaque(opaque) => match opaque {
            Opaque::Quantity(_) => "cel.Quantity",
            Opaque::Ip(_) => "cel.IP",
            Opaque::Cidr(_) => "cel.CIDR",
            Opaque::Semver(_) => "cel.Semver",
            Opaque::Url(_) => "cel.URL",
            Opaque::Format(_) => "cel.Format",
            Opaque::Authorization(authorization) => match authorization.type_name() {
                "kubernetes.authorization.Authorizer" => "library.authorizerVal",
                "kubernetes.authorization.PathCheck" => "library.pathCheckVal",
                "kubernetes.authorization.GroupCheck" => "library.groupCheckVal",
                "kubernetes.authorization.ResourceCheck" => "library.resourceCheckVal",
                _ => "library.decisionVal",
            },
            Opaque::Failed(_) => "*types.Err",
        },
    }
}

/// The panic of upstream's cost tracking where it takes for a list what is none; `None` stands for an error.
#[cold]
pub(in crate::cel) fn not_a_list(value: Option<&Value<'_>>) -> Error {
    let found = value.map_or("*types.Err", go_type);
    let adds = matches!(
        value,
        Some(
            Value::String(_)
                | Value::Bytes(_)
                | Value::Int(_)
                | Value::Uint(_)
                | Value::Double(_)
                | Value::Duration(_)
                | Value::Timestamp(_)
        )
    );
    let missing = if adds { "Contains" } else { "Add" };
    Error::internal(format!("interface conversion: {found} is not traits.Lister: missing method {missing}"))
}

/// As [`not_a_list`], for an integer.
#[cold]
pub(in crate::cel) fn not_an_integer(value: Option<&Value<'_>>) -> Error {
    let found = value.map_or("*types.Err", go_type);
    Error::internal(format!("interface conversion: ref.Val is {found}, not types.Int"))
}
