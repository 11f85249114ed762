//! Operators that compare or look up. The logical operators, selection and equality are compiled directly; they are
//! declared here for the type checker.

use std::cmp::Ordering;

use crate::cel::function::{Error, Function, overload, overload_since};
use crate::cel::value::Value;
use crate::cel::value::compare::{compare, equals};
use crate::json::Arena;

type Outcome<'a> = Result<Value<'a>, Error>;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "_[?_]",
        overloads: &[
            overload_since(28, "list_optindex_optional_int", "(list<A>, int) -> optional<A>"),
            overload_since(28, "optional_list_optindex_optional_int", "(optional<list<A>>, int) -> optional<A>"),
            overload_since(28, "map_optindex_optional_value", "(map<A, B>, A) -> optional<B>"),
            overload_since(28, "optional_map_optindex_optional_value", "(optional<map<A, B>>, A) -> optional<B>"),
        ],
        eval: control,
    },
    Function {
        name: "cel.@mapInsert",
        overloads: &[
            overload_since(32, "@mapInsert_map_key_value", "(map<A, B>, A, B) -> map<A, B>"),
            overload_since(32, "@mapInsert_map_map", "(map<A, B>, map<A, B>) -> map<A, B>"),
        ],
        eval: control,
    },
    Function { name: "!_", overloads: &[overload("logical_not", "(bool) -> bool")], eval: not },
    Function { name: "_==_", overloads: &[overload("equals", "(A, A) -> bool")], eval: equal },
    Function { name: "_!=_", overloads: &[overload("not_equals", "(A, A) -> bool")], eval: not_equal },
    Function {
        name: "_<_",
        overloads: &[
            overload("less_bool", "(bool, bool) -> bool"),
            overload("less_int64", "(int, int) -> bool"),
            overload_since(28, "less_int64_double", "(int, double) -> bool"),
            overload_since(28, "less_int64_uint64", "(int, uint) -> bool"),
            overload("less_uint64", "(uint, uint) -> bool"),
            overload_since(28, "less_uint64_double", "(uint, double) -> bool"),
            overload_since(28, "less_uint64_int64", "(uint, int) -> bool"),
            overload("less_double", "(double, double) -> bool"),
            overload_since(28, "less_double_int64", "(double, int) -> bool"),
            overload_since(28, "less_double_uint64", "(double, uint) -> bool"),
            overload("less_string", "(string, string) -> bool"),
            overload("less_bytes", "(bytes, bytes) -> bool"),
            overload("less_timestamp", "(timestamp, timestamp) -> bool"),
            overload("less_duration", "(duration, duration) -> bool"),
        ],
        eval: less,
    },
    Function {
        name: "_<=_",
        overloads: &[
            overload("less_equals_bool", "(bool, bool) -> bool"),
            overload("less_equals_int64", "(int, int) -> bool"),
            overload_since(28, "less_equals_int64_double", "(int, double) -> bool"),
            overload_since(28, "less_equals_int64_uint64", "(int, uint) -> bool"),
            overload("less_equals_uint64", "(uint, uint) -> bool"),
            overload_since(28, "less_equals_uint64_double", "(uint, double) -> bool"),
            overload_since(28, "less_equals_uint64_int64", "(uint, int) -> bool"),
            overload("less_equals_double", "(double, double) -> bool"),
            overload_since(28, "less_equals_double_int64", "(double, int) -> bool"),
            overload_since(28, "less_equals_double_uint64", "(double, uint) -> bool"),
            overload("less_equals_string", "(string, string) -> bool"),
            overload("less_equals_bytes", "(bytes, bytes) -> bool"),
            overload("less_equals_timestamp", "(timestamp, timestamp) -> bool"),
            overload("less_equals_duration", "(duration, duration) -> bool"),
        ],
        eval: less_equal,
    },
    Function {
        name: "_>_",
        overloads: &[
            overload("greater_bool", "(bool, bool) -> bool"),
            overload("greater_int64", "(int, int) -> bool"),
            overload_since(28, "greater_int64_double", "(int, double) -> bool"),
            overload_since(28, "greater_int64_uint64", "(int, uint) -> bool"),
            overload("greater_uint64", "(uint, uint) -> bool"),
            overload_since(28, "greater_uint64_double", "(uint, double) -> bool"),
            overload_since(28, "greater_uint64_int64", "(uint, int) -> bool"),
            overload("greater_double", "(double, double) -> bool"),
            overload_since(28, "greater_double_int64", "(double, int) -> bool"),
            overload_since(28, "greater_double_uint64", "(double, uint) -> bool"),
            overload("greater_string", "(string, string) -> bool"),
            overload("greater_bytes", "(bytes, bytes) -> bool"),
            overload("greater_timestamp", "(timestamp, timestamp) -> bool"),
            overload("greater_duration", "(duration, duration) -> bool"),
        ],
        eval: greater,
    },
    Function {
        name: "_>=_",
        overloads: &[
            overload("greater_equals_bool", "(bool, bool) -> bool"),
            overload("greater_equals_int64", "(int, int) -> bool"),
            overload_since(28, "greater_equals_int64_double", "(int, double) -> bool"),
            overload_since(28, "greater_equals_int64_uint64", "(int, uint) -> bool"),
            overload("greater_equals_uint64", "(uint, uint) -> bool"),
            overload_since(28, "greater_equals_uint64_double", "(uint, double) -> bool"),
            overload_since(28, "greater_equals_uint64_int64", "(uint, int) -> bool"),
            overload("greater_equals_double", "(double, double) -> bool"),
            overload_since(28, "greater_equals_double_int64", "(double, int) -> bool"),
            overload_since(28, "greater_equals_double_uint64", "(double, uint) -> bool"),
            overload("greater_equals_string", "(string, string) -> bool"),
            overload("greater_equals_bytes", "(bytes, bytes) -> bool"),
            overload("greater_equals_timestamp", "(timestamp, timestamp) -> bool"),
            overload("greater_equals_duration", "(duration, duration) -> bool"),
        ],
        eval: greater_equal,
    },
    Function { name: "_?_:_", overloads: &[overload("conditional", "(bool, A, A) -> A")], eval: control },
    Function { name: "_&&_", overloads: &[overload("logical_and", "(bool, bool) -> bool")], eval: control },
    Function { name: "_||_", overloads: &[overload("logical_or", "(bool, bool) -> bool")], eval: control },
    Function {
        name: "@not_strictly_false",
        overloads: &[overload("not_strictly_false", "(bool) -> bool")],
        eval: control,
    },
    Function {
        name: "_[_]",
        overloads: &[
            overload("index_list", "(list<A>, int) -> A"),
            overload("index_map", "(map<A, B>, A) -> B"),
            overload_since(28, "optional_list_index_int", "(optional<list<A>>, int) -> optional<A>"),
            overload_since(28, "optional_map_index_value", "(optional<map<A, B>>, A) -> optional<B>"),
        ],
        eval: index,
    },
    Function {
        name: "@in",
        overloads: &[overload("in_list", "(A, list<A>) -> bool"), overload("in_map", "(A, map<A, B>) -> bool")],
        eval: contains_element,
    },
];

/// Stands for operators that the compiler has forms of its own for.
fn control<'a>(_: &'a Arena, _: &[Value<'a>]) -> Outcome<'a> {
    Err(Error::no_such_overload())
}

fn not<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Bool(b)] => Ok(Value::Bool(!b)),
        _ => Err(Error::no_such_overload()),
    }
}

fn equal<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [a, b] => Ok(Value::Bool(equals(a, b))),
        _ => Err(Error::no_such_overload()),
    }
}

fn not_equal<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [a, b] => Ok(Value::Bool(!equals(a, b))),
        _ => Err(Error::no_such_overload()),
    }
}

fn ordered<'a>(args: &[Value<'a>], holds: fn(Ordering) -> bool) -> Outcome<'a> {
    let number = |value: &Value<'_>| matches!(value, Value::Int(_) | Value::Uint(_) | Value::Double(_));
    match args {
        [a, b] => match compare(a, b) {
            Some(order) => Ok(Value::Bool(holds(order))),
            None if number(a) && number(b) => Err(Error::new("NaN values cannot be ordered")),
            None => Err(Error::no_such_overload()),
        },
        _ => Err(Error::no_such_overload()),
    }
}

fn less<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    ordered(args, Ordering::is_lt)
}

fn less_equal<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    ordered(args, Ordering::is_le)
}

fn greater<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    ordered(args, Ordering::is_gt)
}

fn greater_equal<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    ordered(args, Ordering::is_ge)
}

fn index<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [of, key] => crate::cel::eval::lookup::element_of(*of, key, false)?.ok_or_else(Error::no_such_overload),
        _ => Err(Error::no_such_overload()),
    }
}

fn contains_element<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::String(text), Value::List(list)] => Ok(Value::Bool(list.contains_text(text))),
        [element, Value::List(list)] => Ok(Value::Bool(list.iter().any(|other| equals(element, &other)))),
        [key, Value::Map(map)] => Ok(Value::Bool(map.get(key).is_some())),
        _ => Err(Error::no_such_overload()),
    }
}
