//! Conversions between types, by the functions named after them.

use crate::cel::function::{Error, Function, overload, overload_since};
use crate::cel::value::Value;
use crate::cel::value::opaque::Opaque;
use crate::cel::value::text::double_text;
use crate::json::Arena;

use super::{float, time};

type Outcome<'a> = Result<Value<'a>, Error>;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "bool",
        overloads: &[overload("bool_to_bool", "(bool) -> bool"), overload("string_to_bool", "(string) -> bool")],
        eval: to_bool,
    },
    Function {
        name: "bytes",
        overloads: &[overload("bytes_to_bytes", "(bytes) -> bytes"), overload("string_to_bytes", "(string) -> bytes")],
        eval: to_bytes,
    },
    Function {
        name: "double",
        overloads: &[
            overload("double_to_double", "(double) -> double"),
            overload("int64_to_double", "(int) -> double"),
            overload("string_to_double", "(string) -> double"),
            overload("uint64_to_double", "(uint) -> double"),
        ],
        eval: to_double,
    },
    Function {
        name: "duration",
        overloads: &[
            overload("duration_to_duration", "(duration) -> duration"),
            overload("int64_to_duration", "(int) -> duration"),
            overload("string_to_duration", "(string) -> duration"),
        ],
        eval: to_duration,
    },
    Function { name: "dyn", overloads: &[overload("to_dyn", "(A) -> dyn")], eval: to_dyn },
    Function {
        name: "int",
        overloads: &[
            overload("int64_to_int64", "(int) -> int"),
            overload("double_to_int64", "(double) -> int"),
            overload("duration_to_int64", "(duration) -> int"),
            overload("string_to_int64", "(string) -> int"),
            overload("timestamp_to_int64", "(timestamp) -> int"),
            overload("uint64_to_int64", "(uint) -> int"),
        ],
        eval: to_int,
    },
    Function {
        name: "string",
        overloads: &[
            overload("string_to_string", "(string) -> string"),
            overload("bool_to_string", "(bool) -> string"),
            overload("bytes_to_string", "(bytes) -> string"),
            overload("double_to_string", "(double) -> string"),
            overload("duration_to_string", "(duration) -> string"),
            overload("int64_to_string", "(int) -> string"),
            overload("timestamp_to_string", "(timestamp) -> string"),
            overload("uint64_to_string", "(uint) -> string"),
            overload_since(30, "ip_to_string", "(net.IP) -> string"),
            overload_since(30, "cidr_to_string", "(net.CIDR) -> string"),
        ],
        eval: to_string,
    },
    Function {
        name: "timestamp",
        overloads: &[
            overload("timestamp_to_timestamp", "(timestamp) -> timestamp"),
            overload("int64_to_timestamp", "(int) -> timestamp"),
            overload("string_to_timestamp", "(string) -> timestamp"),
        ],
        eval: to_timestamp,
    },
    Function {
        name: "uint",
        overloads: &[
            overload("uint64_to_uint64", "(uint) -> uint"),
            overload("double_to_uint64", "(double) -> uint"),
            overload("int64_to_uint64", "(int) -> uint"),
            overload("string_to_uint64", "(string) -> uint"),
        ],
        eval: to_uint,
    },
    Function { name: "type", overloads: &[overload("type", "(A) -> type<A>")], eval: type_of },
];

fn conversion_error<'a>(from: &Value<'_>, to: &str) -> Outcome<'a> {
    Err(Error::new(format!("type conversion error from '{}' to '{to}'", from.type_name())))
}

fn to_bool<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Bool(b)] => Ok(Value::Bool(*b)),
        [Value::String("1" | "t" | "T" | "TRUE" | "true" | "True")] => Ok(Value::Bool(true)),
        [Value::String("0" | "f" | "F" | "FALSE" | "false" | "False")] => Ok(Value::Bool(false)),
        [from @ Value::String(_)] => conversion_error(from, "bool"),
        _ => Err(Error::no_such_overload()),
    }
}

fn to_bytes<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Bytes(bytes)] => Ok(Value::Bytes(bytes)),
        [Value::String(text)] => Ok(Value::Bytes(text.as_bytes())),
        _ => Err(Error::no_such_overload()),
    }
}

fn to_double<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Double(d)] => Ok(Value::Double(*d)),
        [Value::Int(i)] => Ok(Value::Double(*i as f64)),
        [Value::Uint(u)] => Ok(Value::Double(*u as f64)),
        [from @ Value::String(text)] => match float::parse(text) {
            Some(d) => Ok(Value::Double(d)),
            None => conversion_error(from, "double"),
        },
        _ => Err(Error::no_such_overload()),
    }
}

/// `duration(…)`
pub(in crate::cel) fn to_duration<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Duration(d)] => Ok(Value::Duration(*d)),
        [from @ Value::String(text)] => match time::parse_duration(text) {
            Some(nanoseconds) => Ok(Value::Duration(nanoseconds)),
            None => conversion_error(from, "google.protobuf.Duration"),
        },
        // Declared, but no integer is a duration.
        [from @ Value::Int(_)] => conversion_error(from, "google.protobuf.Duration"),
        _ => Err(Error::no_such_overload()),
    }
}

fn to_dyn<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    args.first().copied().ok_or_else(Error::no_such_overload)
}

fn to_int<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Int(i)] => Ok(Value::Int(*i)),
        [Value::Uint(u)] => i64::try_from(*u).map(Value::Int).map_err(|_| Error::new("integer overflow")),
        // The bounds are exclusive: at 2^63 a double no longer tells neighbouring integers apart.
        [Value::Double(d)] if *d > -9_223_372_036_854_775_808.0 && *d < 9_223_372_036_854_775_808.0 => {
            Ok(Value::Int(*d as i64))
        }
        [Value::Double(_)] => Err(Error::new("integer overflow")),
        [Value::Duration(nanoseconds)] => Ok(Value::Int(*nanoseconds)),
        [Value::Timestamp(t)] => Ok(Value::Int(t.seconds)),
        [from @ Value::String(text)] => text.parse().map(Value::Int).or_else(|_| conversion_error(from, "int")),
        _ => Err(Error::no_such_overload()),
    }
}

fn to_string<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    let text = match args {
        [Value::String(text)] => return Ok(Value::String(text)),
        [Value::Bytes(bytes)] => {
            return match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Value::String(text)),
                Err(_) => Err(Error::new("invalid UTF-8 in bytes, cannot convert to string")),
            };
        }
        [Value::Bool(b)] => return Ok(Value::String(if *b { "true" } else { "false" })),
        [Value::Int(i)] => i.to_string(),
        [Value::Uint(u)] => u.to_string(),
        [Value::Double(d)] => double_text(*d),
        [Value::Duration(nanoseconds)] => time::duration_text(*nanoseconds),
        [Value::Timestamp(t)] => time::zoned_text(*t),
        [Value::Opaque(opaque @ (Opaque::Ip(_) | Opaque::Cidr(_)))] => opaque.to_string(),
        _ => return Err(Error::no_such_overload()),
    };
    Ok(Value::String(arena.alloc_str(&text)))
}

/// `timestamp(…)`
pub(in crate::cel) fn to_timestamp<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Timestamp(t)] => Ok(Value::Timestamp(*t)),
        [Value::Int(seconds)] => match time::timestamp(*seconds, 0) {
            Some(t) => Ok(Value::Timestamp(t)),
            None => Err(Error::new("timestamp overflow")),
        },
        [from @ Value::String(text)] => match time::parse_timestamp(text) {
            Some(t) => Ok(Value::Timestamp(t)),
            None => conversion_error(from, "google.protobuf.Timestamp"),
        },
        _ => Err(Error::no_such_overload()),
    }
}

fn to_uint<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Uint(u)] => Ok(Value::Uint(*u)),
        [Value::Int(i)] => u64::try_from(*i).map(Value::Uint).map_err(|_| Error::new("unsigned integer overflow")),
        [Value::Double(d)] if *d >= 0.0 && *d < 18_446_744_073_709_551_616.0 => Ok(Value::Uint(*d as u64)),
        [Value::Double(_)] => Err(Error::new("unsigned integer overflow")),
        [from @ Value::String(text)] => match text.parse() {
            Ok(u) if !text.starts_with('+') => Ok(Value::Uint(u)),
            _ => conversion_error(from, "uint"),
        },
        _ => Err(Error::no_such_overload()),
    }
}

fn type_of<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        // To upstream the type of an `Object{…}` or a `JSONPatch{…}` is a type of types.
        [Value::Struct(_)] => Ok(Value::Type("type")),
        [value] => Ok(Value::Type(value.type_name())),
        _ => Err(Error::no_such_overload()),
    }
}
