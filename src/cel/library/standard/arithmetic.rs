//! `+ - * / %` and negation, every overflow an error.

use crate::cel::function::{Error, Function, overload};
use crate::cel::value::{List, Timestamp, Value};
use crate::json::{Arena, ArenaString, ArenaVec};

use super::time;

type Outcome<'a> = Result<Value<'a>, Error>;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "_+_",
        overloads: &[
            overload("add_bytes", "(bytes, bytes) -> bytes"),
            overload("add_double", "(double, double) -> double"),
            overload("add_duration_duration", "(duration, duration) -> duration"),
            overload("add_duration_timestamp", "(duration, timestamp) -> timestamp"),
            overload("add_timestamp_duration", "(timestamp, duration) -> timestamp"),
            overload("add_int64", "(int, int) -> int"),
            overload("add_list", "(list<A>, list<A>) -> list<A>"),
            overload("add_string", "(string, string) -> string"),
            overload("add_uint64", "(uint, uint) -> uint"),
        ],
        eval: add,
    },
    Function {
        name: "_-_",
        overloads: &[
            overload("subtract_double", "(double, double) -> double"),
            overload("subtract_duration_duration", "(duration, duration) -> duration"),
            overload("subtract_int64", "(int, int) -> int"),
            overload("subtract_timestamp_duration", "(timestamp, duration) -> timestamp"),
            overload("subtract_timestamp_timestamp", "(timestamp, timestamp) -> duration"),
            overload("subtract_uint64", "(uint, uint) -> uint"),
        ],
        eval: subtract,
    },
    Function {
        name: "_*_",
        overloads: &[
            overload("multiply_double", "(double, double) -> double"),
            overload("multiply_int64", "(int, int) -> int"),
            overload("multiply_uint64", "(uint, uint) -> uint"),
        ],
        eval: multiply,
    },
    Function {
        name: "_/_",
        overloads: &[
            overload("divide_double", "(double, double) -> double"),
            overload("divide_int64", "(int, int) -> int"),
            overload("divide_uint64", "(uint, uint) -> uint"),
        ],
        eval: divide,
    },
    Function {
        name: "_%_",
        overloads: &[overload("modulo_int64", "(int, int) -> int"), overload("modulo_uint64", "(uint, uint) -> uint")],
        eval: modulo,
    },
    Function {
        name: "-_",
        overloads: &[overload("negate_double", "(double) -> double"), overload("negate_int64", "(int) -> int")],
        eval: negate,
    },
];

const INTEGER_OVERFLOW: &str = "integer overflow";
const UNSIGNED_OVERFLOW: &str = "unsigned integer overflow";
// Upstream has a text of its own for this, and doesn't use it.
const DURATION_OVERFLOW: &str = INTEGER_OVERFLOW;
const TIMESTAMP_OVERFLOW: &str = "timestamp overflow";

fn int<'a>(value: Option<i64>) -> Outcome<'a> {
    value.map(Value::Int).ok_or_else(|| Error::new(INTEGER_OVERFLOW))
}

fn uint<'a>(value: Option<u64>) -> Outcome<'a> {
    value.map(Value::Uint).ok_or_else(|| Error::new(UNSIGNED_OVERFLOW))
}

fn duration<'a>(value: Option<i64>) -> Outcome<'a> {
    value.map(Value::Duration).ok_or_else(|| Error::new(DURATION_OVERFLOW))
}

fn timestamp<'a>(value: Option<Timestamp>) -> Outcome<'a> {
    value.map(Value::Timestamp).ok_or_else(|| Error::new(TIMESTAMP_OVERFLOW))
}

fn add<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Int(a), Value::Int(b)] => int(a.checked_add(*b)),
        [Value::Uint(a), Value::Uint(b)] => uint(a.checked_add(*b)),
        [Value::Double(a), Value::Double(b)] => Ok(Value::Double(a + b)),
        [Value::String(a), Value::String(b)] => Ok(Value::String(concatenate(arena, a, b))),
        [Value::Bytes(a), Value::Bytes(b)] => {
            let both = arena.alloc_slice_fill_iter(a.iter().chain(b.iter()).copied().collect::<Vec<_>>());
            Ok(Value::Bytes(both))
        }
        [Value::List(a), Value::List(b)] if a.is_empty() => Ok(Value::List(*b)),
        [Value::List(a), Value::List(b)] if b.is_empty() => Ok(Value::List(*a)),
        [Value::List(a), Value::List(b)] => {
            let mut both = ArenaVec::with_capacity_in(a.len() + b.len(), arena);
            both.extend(a.iter().chain(b.iter()));
            Ok(Value::List(List::Sum(both.into_bump_slice())))
        }
        [Value::Duration(a), Value::Duration(b)] => duration(a.checked_add(*b)),
        [Value::Timestamp(t), Value::Duration(d)] | [Value::Duration(d), Value::Timestamp(t)] => {
            timestamp(time::shifted(*t, i128::from(*d)))
        }
        _ => Err(Error::no_such_overload()),
    }
}

fn concatenate<'a>(arena: &'a Arena, a: &'a str, b: &'a str) -> &'a str {
    match (a, b) {
        ("", other) | (other, "") => other,
        _ => {
            let mut both = ArenaString::with_capacity_in(a.len() + b.len(), arena);
            both.push_str(a);
            both.push_str(b);
            both.into_bump_str()
        }
    }
}

fn subtract<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Int(a), Value::Int(b)] => int(a.checked_sub(*b)),
        [Value::Uint(a), Value::Uint(b)] => uint(a.checked_sub(*b)),
        [Value::Double(a), Value::Double(b)] => Ok(Value::Double(a - b)),
        [Value::Duration(a), Value::Duration(b)] => duration(a.checked_sub(*b)),
        // Upstream negates the duration first.
        [Value::Timestamp(_), Value::Duration(i64::MIN)] => Err(Error::new(INTEGER_OVERFLOW)),
        [Value::Timestamp(t), Value::Duration(d)] => timestamp(time::shifted(*t, -i128::from(*d))),
        [Value::Timestamp(a), Value::Timestamp(b)] => {
            let difference = i64::try_from(time::nanoseconds(*a) - time::nanoseconds(*b));
            difference.map(Value::Duration).map_err(|_| Error::new(INTEGER_OVERFLOW))
        }
        _ => Err(Error::no_such_overload()),
    }
}

fn multiply<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Int(a), Value::Int(b)] => int(a.checked_mul(*b)),
        [Value::Uint(a), Value::Uint(b)] => uint(a.checked_mul(*b)),
        [Value::Double(a), Value::Double(b)] => Ok(Value::Double(a * b)),
        _ => Err(Error::no_such_overload()),
    }
}

fn divide<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Int(_), Value::Int(0)] | [Value::Uint(_), Value::Uint(0)] => Err(Error::new("division by zero")),
        [Value::Int(a), Value::Int(b)] => int(a.checked_div(*b)),
        [Value::Uint(a), Value::Uint(b)] => uint(a.checked_div(*b)),
        [Value::Double(a), Value::Double(b)] => Ok(Value::Double(a / b)),
        _ => Err(Error::no_such_overload()),
    }
}

fn modulo<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Int(_), Value::Int(0)] | [Value::Uint(_), Value::Uint(0)] => Err(Error::new("modulus by zero")),
        [Value::Int(a), Value::Int(b)] => int(a.checked_rem(*b)),
        [Value::Uint(a), Value::Uint(b)] => uint(a.checked_rem(*b)),
        _ => Err(Error::no_such_overload()),
    }
}

fn negate<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Int(a)] => int(a.checked_neg()),
        [Value::Double(a)] => Ok(Value::Double(-a)),
        _ => Err(Error::no_such_overload()),
    }
}
