//! Kubernetes' lists library. Lists of `dyn` may mix types: what can't be compared is passed over, as upstream does.

use std::cmp::Ordering;

use crate::cel::function::{Error, Eval, Function, overload, overload_since};
use crate::cel::value::compare::{compare, equals};
use crate::cel::value::{List, Value};
use crate::json::Arena;

/// The functions of this library. `indexOf` and `lastIndexOf` are in `shared`.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "includes",
        overloads: &[overload_since(37, "list_includes_dyn_dyn", "dyn.(dyn) -> bool")],
        eval: includes,
    },
    Function {
        name: "isSorted",
        overloads: &[
            overload("list_int_is_sorted_bool", "list<int>.() -> bool"),
            overload("list_uint_is_sorted_bool", "list<uint>.() -> bool"),
            overload("list_double_is_sorted_bool", "list<double>.() -> bool"),
            overload("list_bool_is_sorted_bool", "list<bool>.() -> bool"),
            overload("list_duration_is_sorted_bool", "list<duration>.() -> bool"),
            overload("list_timestamp_is_sorted_bool", "list<timestamp>.() -> bool"),
            overload("list_string_is_sorted_bool", "list<string>.() -> bool"),
            overload("list_bytes_is_sorted_bool", "list<bytes>.() -> bool"),
        ],
        eval: is_sorted,
    },
    Function {
        name: "max",
        overloads: &[
            overload("list_int_max_int", "list<int>.() -> int"),
            overload("list_uint_max_uint", "list<uint>.() -> uint"),
            overload("list_double_max_double", "list<double>.() -> double"),
            overload("list_bool_max_bool", "list<bool>.() -> bool"),
            overload("list_duration_max_duration", "list<duration>.() -> duration"),
            overload("list_timestamp_max_timestamp", "list<timestamp>.() -> timestamp"),
            overload("list_string_max_string", "list<string>.() -> string"),
            overload("list_bytes_max_bytes", "list<bytes>.() -> bytes"),
        ],
        eval: |_, args| select(args, "max", Ordering::Less),
    },
    Function {
        name: "min",
        overloads: &[
            overload("list_int_min_int", "list<int>.() -> int"),
            overload("list_uint_min_uint", "list<uint>.() -> uint"),
            overload("list_double_min_double", "list<double>.() -> double"),
            overload("list_bool_min_bool", "list<bool>.() -> bool"),
            overload("list_duration_min_duration", "list<duration>.() -> duration"),
            overload("list_timestamp_min_timestamp", "list<timestamp>.() -> timestamp"),
            overload("list_string_min_string", "list<string>.() -> string"),
            overload("list_bytes_min_bytes", "list<bytes>.() -> bytes"),
        ],
        eval: |_, args| select(args, "min", Ordering::Greater),
    },
    Function {
        name: "sum",
        overloads: &[
            overload("list_int_sum_int", "list<int>.() -> int"),
            overload("list_uint_sum_uint", "list<uint>.() -> uint"),
            overload("list_double_sum_double", "list<double>.() -> double"),
            overload("list_duration_sum_duration", "list<duration>.() -> duration"),
        ],
        eval: sum,
    },
];

/// `indexOf` of a list: the first position of an equal element, or -1.
pub fn index_of(list: List<'_>, item: &Value<'_>) -> i64 {
    position(list.iter().position(|element| equals(&element, item)))
}

/// `lastIndexOf` of a list.
pub fn last_index_of(list: List<'_>, item: &Value<'_>) -> i64 {
    position((0..list.len()).rev().find(|index| list.get(*index).is_some_and(|element| equals(&element, item))))
}

/// The elements of a list whose first element is of a type that has an order, as its overloads demand.
pub fn comparable<'a>(args: &[Value<'a>]) -> Result<List<'a>, Error> {
    match args {
        [Value::List(list)] if list.get(0).is_none_or(|first| is_comparable(&first)) => Ok(*list),
        _ => Err(Error::no_such_overload()),
    }
}

/// Whether values of this type have an order.
pub fn is_comparable(value: &Value<'_>) -> bool {
    matches!(
        value,
        Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Double(_)
            | Value::String(_)
            | Value::Bytes(_)
            | Value::Duration(_)
            | Value::Timestamp(_)
    )
}

fn position(index: Option<usize>) -> i64 {
    index.and_then(|index| i64::try_from(index).ok()).unwrap_or(-1)
}

fn includes<'a>(_arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    match args {
        [Value::List(list), item] => Ok(Value::Bool(list.iter().any(|element| equals(&element, item)))),
        [target, item] => Ok(Value::Bool(equals(target, item))),
        _ => Err(Error::no_such_overload()),
    }
}

fn is_sorted<'a>(_arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let list = comparable(args)?;
    let mut previous: Option<Value<'_>> = None;
    for next in list.iter() {
        if !is_comparable(&next) {
            return Err(Error::no_such_overload());
        }
        if previous.is_some_and(|previous| compare(&previous, &next) == Some(Ordering::Greater)) {
            return Ok(Value::Bool(false));
        }
        previous = Some(next);
    }
    Ok(Value::Bool(true))
}

/// The first element that no later one replaces; a later one does when the selected one is `worse` than it.
fn select<'a>(args: &[Value<'a>], name: &str, worse: Ordering) -> Result<Value<'a>, Error> {
    let list = comparable(args)?;
    let mut selected: Option<Value<'a>> = None;
    for next in list.iter() {
        if !is_comparable(&next) {
            return Err(Error::no_such_overload());
        }
        if selected.is_none_or(|selected| compare(&selected, &next) == Some(worse)) {
            selected = Some(next);
        }
    }
    selected.ok_or_else(|| Error::new(format!("{name} called on empty list")))
}

/// The sum of lists of the type of one overload: it decides which zero the sum of an empty list is.
pub fn sum_of(overload: &str) -> Option<Eval> {
    Some(match overload {
        "list_uint_sum_uint" => |_, args| sum_from(args, Value::Uint(0)),
        "list_double_sum_double" => |_, args| sum_from(args, Value::Double(0.0)),
        "list_duration_sum_duration" => |_, args| sum_from(args, Value::Duration(0)),
        _ => return None,
    })
}

/// The sum of a list of a type found out only now; an empty list is one of the first overload's.
fn sum<'a>(_arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    sum_from(args, Value::Int(0))
}

fn sum_from<'a>(args: &[Value<'a>], empty: Value<'a>) -> Result<Value<'a>, Error> {
    let [Value::List(list)] = args else { return Err(Error::no_such_overload()) };
    // The first element decides the overload.
    let mut sum = match list.get(0) {
        None => empty,
        Some(Value::Int(_)) => Value::Int(0),
        Some(Value::Uint(_)) => Value::Uint(0),
        Some(Value::Double(_)) => Value::Double(0.0),
        Some(Value::Duration(_)) => Value::Duration(0),
        Some(_) => return Err(Error::no_such_overload()),
    };
    for element in list.iter() {
        sum = match (sum, element) {
            (Value::Int(a), Value::Int(b)) => {
                Value::Int(a.checked_add(b).ok_or_else(|| Error::new("integer overflow"))?)
            }
            (Value::Uint(a), Value::Uint(b)) => {
                Value::Uint(a.checked_add(b).ok_or_else(|| Error::new("unsigned integer overflow"))?)
            }
            (Value::Double(a), Value::Double(b)) => Value::Double(a + b),
            (Value::Duration(a), Value::Duration(b)) => {
                Value::Duration(a.checked_add(b).ok_or_else(|| Error::new("integer overflow"))?)
            }
            _ => return Err(Error::no_such_overload()),
        };
    }
    Ok(sum)
}
