//! Kubernetes' regular expression library: `find` and `findAll`.

use crate::cel::eval::dispatch::text_within;
use crate::cel::function::{Error, Eval, Function, overload};
use crate::cel::value::Value;
use crate::json::Arena;

use super::re2;
use crate::cel::value::build;

/// The functions of this library; `matches` is the standard library's.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "find",
        overloads: &[overload("string_find_string", "string.(string) -> string")],
        eval: |_, args| match args {
            [Value::String(text), Value::String(pattern)] => find(text, pattern),
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "findAll",
        overloads: &[
            overload("string_find_all_string", "string.(string) -> list<string>"),
            overload("string_find_all_string_int", "string.(string, int) -> list<string>"),
        ],
        eval: |arena, args| match args {
            [Value::String(text), Value::String(pattern)] => find_all(arena, text, pattern, usize::MAX),
            // A negative limit is none.
            [Value::String(text), Value::String(pattern), Value::Int(limit)] => {
                find_all(arena, text, pattern, usize::try_from(*limit).unwrap_or(usize::MAX))
            }
            _ => Err(Error::no_such_overload()),
        },
    },
];

/// `find` and `findAll` for a constant pattern: upstream is less particular about the text then.
pub fn prepared(function: &str) -> Option<Eval> {
    Some(match function {
        "find" => |_, args| match (args.first().and_then(text_within), args) {
            (Some(text), [_, Value::String(pattern)]) => find(text, pattern),
            _ => Err(Error::no_such_overload()),
        },
        "findAll" => |arena, args| match (args.first().and_then(text_within), args) {
            (Some(text), [_, Value::String(pattern)]) => find_all(arena, text, pattern, usize::MAX),
            (Some(text), [_, Value::String(pattern), limit]) => match integer_within(limit) {
                Some(limit) => find_all(arena, text, pattern, usize::try_from(limit).unwrap_or(usize::MAX)),
                None => Err(Error::no_such_overload()),
            },
            _ => Err(Error::no_such_overload()),
        },
        _ => return None,
    })
}

fn integer_within(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(i) => Some(*i),
        Value::Optional(Some(inner)) => integer_within(inner),
        _ => None,
    }
}

fn find<'a>(text: &'a str, pattern: &str) -> Result<Value<'a>, Error> {
    Ok(Value::String(compile(pattern)?.find(text).map_or("", |found| found.as_str())))
}

fn find_all<'a>(arena: &'a Arena, text: &'a str, pattern: &str, limit: usize) -> Result<Value<'a>, Error> {
    let regex = compile(pattern)?;
    let mut found = Vec::new();
    for part in regex.find_iter(text).take(limit) {
        found.push(Value::String(part.as_str()));
        build::reserve_list(arena, found.len())?;
    }
    build::strings(arena, &found)
}

fn compile(pattern: &str) -> Result<std::rc::Rc<::regex::Regex>, Error> {
    re2::compile_cached(pattern).map_err(|error| Error::new(format!("Illegal regex: {error}")))
}
