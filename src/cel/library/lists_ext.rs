//! cel-go's lists library, version 3. `sortBy` is a macro that ends in `@sortByAssociatedKeys`.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::mem::discriminant;

use crate::cel::function::{Error, Function, overload_since};
use crate::cel::value::compare::{compare, equals, hash};
use crate::cel::value::{List, Value};
use crate::json::Arena;

use super::{go_sort, lists};
use crate::cel::value::build;

/// The functions of this library.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "@sortByAssociatedKeys",
        overloads: &[
            overload_since(34, "list_int_sortByAssociatedKeys", "list<T>.(list<int>) -> list<T>"),
            overload_since(34, "list_uint_sortByAssociatedKeys", "list<T>.(list<uint>) -> list<T>"),
            overload_since(34, "list_double_sortByAssociatedKeys", "list<T>.(list<double>) -> list<T>"),
            overload_since(34, "list_bool_sortByAssociatedKeys", "list<T>.(list<bool>) -> list<T>"),
            overload_since(
                34,
                "list_google.protobuf.Duration_sortByAssociatedKeys",
                "list<T>.(list<duration>) -> list<T>",
            ),
            overload_since(
                34,
                "list_google.protobuf.Timestamp_sortByAssociatedKeys",
                "list<T>.(list<timestamp>) -> list<T>",
            ),
            overload_since(34, "list_string_sortByAssociatedKeys", "list<T>.(list<string>) -> list<T>"),
            overload_since(34, "list_bytes_sortByAssociatedKeys", "list<T>.(list<bytes>) -> list<T>"),
        ],
        eval: |arena, args| match args {
            [Value::List(list), Value::List(keys)] => sort(arena, *list, *keys),
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "distinct",
        overloads: &[overload_since(34, "list_distinct", "list<T>.() -> list<T>")],
        eval: distinct,
    },
    Function {
        name: "flatten",
        overloads: &[
            overload_since(34, "list_flatten", "list<list<T>>.() -> list<T>"),
            overload_since(34, "list_flatten_int", "list<dyn>.(int) -> list<dyn>"),
        ],
        eval: flatten,
    },
    Function {
        name: "lists.range",
        overloads: &[overload_since(34, "lists_range", "(int) -> list<int>")],
        eval: range,
    },
    Function {
        name: "reverse",
        overloads: &[overload_since(34, "list_reverse", "list<T>.() -> list<T>")],
        eval: reverse,
    },
    Function {
        name: "slice",
        overloads: &[overload_since(34, "list_slice", "list<T>.(int, int) -> list<T>")],
        eval: slice,
    },
    Function {
        name: "sort",
        overloads: &[
            overload_since(34, "list_int_sort", "list<int>.() -> list<int>"),
            overload_since(34, "list_uint_sort", "list<uint>.() -> list<uint>"),
            overload_since(34, "list_double_sort", "list<double>.() -> list<double>"),
            overload_since(34, "list_bool_sort", "list<bool>.() -> list<bool>"),
            overload_since(34, "list_google.protobuf.Duration_sort", "list<duration>.() -> list<duration>"),
            overload_since(34, "list_google.protobuf.Timestamp_sort", "list<timestamp>.() -> list<timestamp>"),
            overload_since(34, "list_string_sort", "list<string>.() -> list<string>"),
            overload_since(34, "list_bytes_sort", "list<bytes>.() -> list<bytes>"),
        ],
        eval: |arena, args| match args {
            [Value::List(list)] => sort(arena, *list, *list),
            _ => Err(Error::no_such_overload()),
        },
    },
];

fn sort<'a>(arena: &'a Arena, list: List<'a>, keys: List<'a>) -> Result<Value<'a>, Error> {
    if list.len() != keys.len() {
        return Err(Error::new(format!(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, \
             but got {} and {} elements respectively",
            list.len(),
            keys.len()
        )));
    }
    let Some(first) = keys.get(0) else { return Ok(Value::List(list)) };
    if !lists::is_comparable(&first) {
        return Err(Error::new("list elements must be comparable"));
    }
    if keys.len() > 1 && keys.iter().any(|key| discriminant(&key) != discriminant(&first)) {
        return Err(Error::new("list elements must have the same type"));
    }
    let mut pairs: Vec<(Value<'a>, Value<'a>)> = keys.iter().zip(list.iter()).collect();
    go_sort::sort(&mut pairs, |(a, _), (b, _)| compare(a, b) == Some(Ordering::Less));
    let sorted: Vec<Value<'a>> = pairs.into_iter().map(|(_, element)| element).collect();
    build::list(arena, &sorted)
}

fn distinct<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let [Value::List(list)] = args else { return Err(Error::no_such_overload()) };
    self_compare_within_cost(list.len())?;
    let mut unique: Vec<Value<'a>> = Vec::with_capacity(list.len());
    let mut seen: HashMap<u64, Vec<usize>> = HashMap::with_capacity(list.len());
    for element in list.iter() {
        let alike = seen.entry(hash(&element)).or_default();
        if alike.iter().filter_map(|index| unique.get(*index)).any(|other| equals(&element, other)) {
            continue;
        }
        alike.push(unique.len());
        unique.push(element);
    }
    build::list(arena, &unique)
}

/// Upstream charges for comparing every element with every other one, at least twice their number.
fn self_compare_within_cost(len: usize) -> Result<(), Error> {
    build::within_cost(len.saturating_mul(len).saturating_mul(2))
}

fn flatten<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let (list, depth) = match args {
        [Value::List(list)] => (*list, 1),
        [Value::List(list), Value::Int(depth)] => (*list, *depth),
        [target] => return Err(Error::new(format!("no such overload: {}.flatten()", target.type_name()))),
        [target, depth] => {
            return Err(Error::new(format!("no such overload: {}.flatten({})", target.type_name(), depth.type_name())));
        }
        _ => return Err(Error::no_such_overload()),
    };
    let Ok(depth) = usize::try_from(depth) else { return Err(Error::new("level must be non-negative")) };
    let mut flat = Vec::new();
    // The lists being read, outermost first, each with the position of its next element.
    let mut open = vec![(list, 0usize)];
    while let Some((list, next)) = open.last_mut() {
        match list.get(*next) {
            None => {
                open.pop();
            }
            Some(element) => {
                *next += 1;
                match element {
                    Value::List(inner) if open.len() <= depth => open.push((inner, 0)),
                    other => {
                        flat.push(other);
                        build::reserve_list(arena, flat.len())?;
                    }
                }
            }
        }
    }
    build::list(arena, &flat)
}

fn range<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let [Value::Int(end)] = args else { return Err(Error::no_such_overload()) };
    // The cost is one for each element; a negative end gives none.
    build::within_cost(usize::try_from(*end).unwrap_or(0))?;
    let elements: Vec<Value<'a>> = (0..*end).map(Value::Int).collect();
    build::list(arena, &elements)
}

fn reverse<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let [Value::List(list)] = args else { return Err(Error::no_such_overload()) };
    let mut elements: Vec<Value<'a>> = list.iter().collect();
    elements.reverse();
    build::list(arena, &elements)
}

fn slice<'a>(_arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let [Value::List(list), Value::Int(start), Value::Int(end)] = args else { return Err(Error::no_such_overload()) };
    let refuse = |reason: String| Err(Error::new(format!("cannot slice({start}, {end}), {reason}")));
    if *start < 0 || *end < 0 {
        return refuse("negative indexes not supported".to_owned());
    }
    if start > end {
        return refuse("start index must be less than or equal to end index".to_owned());
    }
    let range = usize::try_from(*start).unwrap_or(usize::MAX)..usize::try_from(*end).unwrap_or(usize::MAX);
    let part = match list {
        List::Json(elements) => elements.get(range).map(List::Json),
        List::Values(elements) | List::Strings(elements) | List::Sum(elements) => elements.get(range).map(List::Values),
    };
    match part {
        Some(part) => Ok(Value::List(part)),
        None => refuse(format!("list is length {}", list.len())),
    }
}
