//! `size` and the tests on text.

use memchr::{memchr_iter, memmem};

use crate::cel::cost::characters;
use crate::cel::function::{Error, Function, overload};
use crate::cel::library::re2;
use crate::cel::value::Value;
use crate::json::Arena;

type Outcome<'a> = Result<Value<'a>, Error>;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "size",
        overloads: &[
            overload("size_bytes", "(bytes) -> int"),
            overload("bytes_size", "bytes.() -> int"),
            overload("size_list", "(list<A>) -> int"),
            overload("list_size", "list<A>.() -> int"),
            overload("size_map", "(map<A, B>) -> int"),
            overload("map_size", "map<A, B>.() -> int"),
            overload("size_string", "(string) -> int"),
            overload("string_size", "string.() -> int"),
        ],
        eval: size,
    },
    Function { name: "contains", overloads: &[overload("contains_string", "string.(string) -> bool")], eval: contains },
    Function {
        name: "endsWith",
        overloads: &[overload("ends_with_string", "string.(string) -> bool")],
        eval: ends_with,
    },
    Function {
        name: "startsWith",
        overloads: &[overload("starts_with_string", "string.(string) -> bool")],
        eval: starts_with,
    },
    Function {
        name: "matches",
        overloads: &[
            overload("matches", "(string, string) -> bool"),
            overload("matches_string", "string.(string) -> bool"),
        ],
        eval: matches,
    },
];

fn size<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    let size = match args {
        [Value::String(text)] => characters(text) as usize,
        [Value::Bytes(bytes)] => bytes.len(),
        [Value::List(list)] => list.len(),
        [Value::Map(map)] => map.len(),
        _ => return Err(Error::no_such_overload()),
    };
    Ok(Value::Int(size as i64))
}

fn test<'a>(args: &[Value<'a>], holds: fn(&str, &str) -> bool) -> Outcome<'a> {
    match args {
        [Value::String(text), Value::String(part)] => Ok(Value::Bool(holds(text, part))),
        _ => Err(Error::no_such_overload()),
    }
}

/// Up to these lengths, in bytes, a text is searched by the first byte of what is sought.
const SHORT: usize = 64;
const SHORT_TEXT: usize = 1024;

fn contains<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    test(args, |text, part| match part.as_bytes() {
        // Preparing a search costs more than most of them take.
        [first, ..] if part.len() <= SHORT && text.len() <= SHORT_TEXT => {
            let text = text.as_bytes();
            memchr_iter(*first, text).any(|at| text.get(at..).is_some_and(|rest| rest.starts_with(part.as_bytes())))
        }
        part => memmem::find(text.as_bytes(), part).is_some(),
    })
}

fn ends_with<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    test(args, |text, part| text.ends_with(part))
}

fn starts_with<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    test(args, |text, part| text.starts_with(part))
}

fn matches<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::String(text), Value::String(pattern)] => {
            let regex = re2::compile_cached(pattern).map_err(Error::new)?;
            Ok(Value::Bool(regex.is_match(text)))
        }
        _ => Err(Error::no_such_overload()),
    }
}
