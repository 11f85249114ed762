//! Kubernetes' regular expression library: `find` and `findAll`.

use crate::cel::function::{Error, Function, overload};
use crate::cel::value::Value;
use crate::json::Arena;

use super::{build, re2};

/// The functions of this library; `matches` is the standard library's.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "find",
        overloads: &[overload("string_find_string", "string.(string) -> string")],
        eval: |_, args| match args {
            [Value::String(text), Value::String(pattern)] => {
                let found = compile(pattern)?.find(text).map_or("", |found| found.as_str());
                Ok(Value::String(found))
            }
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

fn find_all<'a>(arena: &'a Arena, text: &'a str, pattern: &str, limit: usize) -> Result<Value<'a>, Error> {
    let regex = compile(pattern)?;
    let mut found = Vec::new();
    for part in regex.find_iter(text).take(limit) {
        found.push(Value::String(part.as_str()));
        build::reserve_list(arena, found.len())?;
    }
    build::list(arena, &found)
}

fn compile(pattern: &str) -> Result<std::rc::Rc<::regex::Regex>, Error> {
    re2::compile_cached(pattern).map_err(|error| Error::new(format!("Illegal regex: {error}")))
}
