//! cel-go's strings library, version 2 (version 0 before Kubernetes 1.29). Positions count characters.

use memchr::memmem;

use crate::cel::function::{Error, Function, overload, overload_since};
use crate::cel::value::text::display;
use crate::cel::value::{List, Value};
use crate::json::Arena;

use super::strings_format;
use crate::cel::value::build;
use crate::cel::value::quote::escape;

/// The functions of this library. `indexOf` and `lastIndexOf` are in `shared`.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "charAt", overloads: &[overload("string_char_at_int", "string.(int) -> string")], eval: char_at },
    Function {
        name: "format",
        overloads: &[overload_since(29, "string_format", "string.(list<dyn>) -> string")],
        eval: strings_format::format,
    },
    Function {
        name: "join",
        overloads: &[
            overload("list_join", "list<string>.() -> string"),
            overload("list_join_string", "list<string>.(string) -> string"),
        ],
        eval: join,
    },
    Function { name: "lowerAscii", overloads: &[overload("string_lower_ascii", "string.() -> string")], eval: lower },
    Function {
        name: "replace",
        overloads: &[
            overload("string_replace_string_string", "string.(string, string) -> string"),
            overload("string_replace_string_string_int", "string.(string, string, int) -> string"),
        ],
        eval: replace,
    },
    Function {
        name: "split",
        overloads: &[
            overload("string_split_string", "string.(string) -> list<string>"),
            overload("string_split_string_int", "string.(string, int) -> list<string>"),
        ],
        eval: split,
    },
    Function {
        name: "strings.quote",
        overloads: &[overload_since(29, "strings_quote", "(string) -> string")],
        eval: quote,
    },
    Function {
        name: "substring",
        overloads: &[
            overload("string_substring_int", "string.(int) -> string"),
            overload("string_substring_int_int", "string.(int, int) -> string"),
        ],
        eval: substring,
    },
    Function { name: "trim", overloads: &[overload("string_trim", "string.() -> string")], eval: trim },
    Function { name: "upperAscii", overloads: &[overload("string_upper_ascii", "string.() -> string")], eval: upper },
];

/// `indexOf` of a string: the first position at or after `offset`. An empty part is found at any offset, even outside.
pub fn index_of(text: &str, part: &str, offset: i64) -> Result<i64, Error> {
    if part.is_empty() {
        return Ok(offset);
    }
    let Ok(start) = usize::try_from(offset) else { return Err(out_of_range(offset)) };
    let Some(start) = byte_at(text, start) else { return Ok(-1) };
    let (before, rest) = text.split_at(start);
    Ok(match memmem::find(rest.as_bytes(), part.as_bytes()) {
        Some(at) => characters(before) + characters(rest.get(..at).unwrap_or_default()),
        None => -1,
    })
}

/// `lastIndexOf` of a string without an offset.
pub fn last_index_of(text: &str, part: &str) -> i64 {
    text.rfind(part).map_or(-1, |at| characters(text.get(..at).unwrap_or_default()))
}

/// `lastIndexOf` of a string: the last position at or before `offset`; -1 if the offset is at the end or beyond.
pub fn last_index_of_before(text: &str, part: &str, offset: i64) -> Result<i64, Error> {
    if part.is_empty() {
        return Ok(offset);
    }
    let Ok(before) = usize::try_from(offset) else { return Err(out_of_range(offset)) };
    let Some(start) = byte_at(text, before).filter(|start| *start < text.len()) else { return Ok(-1) };
    let end = start.saturating_add(part.len()).min(text.len());
    // Matches of valid UTF-8 in valid UTF-8 begin at character boundaries, wherever the searched bytes end.
    match memmem::rfind(text.as_bytes().get(..end).unwrap_or_default(), part.as_bytes()) {
        Some(at) => Ok(characters(text.get(..at).unwrap_or_default())),
        None => Ok(-1),
    }
}

fn char_at<'a>(_arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let [Value::String(text), Value::Int(index)] = args else { return Err(Error::no_such_overload()) };
    let start = position(text, *index)?;
    let rest = text.get(start..).unwrap_or_default();
    let width = rest.chars().next().map_or(0, char::len_utf8);
    Ok(Value::String(rest.get(..width).unwrap_or_default()))
}

fn substring<'a>(_arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    match args {
        [Value::String(text), Value::Int(start)] => {
            let start = position(text, *start)?;
            Ok(Value::String(text.get(start..).unwrap_or_default()))
        }
        [Value::String(_), Value::Int(start), Value::Int(end)] if start > end => {
            Err(Error::new(format!("invalid substring range. start: {start}, end: {end}")))
        }
        [Value::String(text), Value::Int(start), Value::Int(end)] => {
            let (start, end) = (position(text, *start)?, position(text, *end)?);
            Ok(Value::String(text.get(start..end).unwrap_or_default()))
        }
        _ => Err(Error::no_such_overload()),
    }
}

fn lower<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    match args {
        [Value::String(text)] if !text.bytes().any(|b| b.is_ascii_uppercase()) => Ok(Value::String(text)),
        [Value::String(text)] => build::string(arena, &text.to_ascii_lowercase()),
        _ => Err(Error::no_such_overload()),
    }
}

fn upper<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    match args {
        [Value::String(text)] if !text.bytes().any(|b| b.is_ascii_lowercase()) => Ok(Value::String(text)),
        [Value::String(text)] => build::string(arena, &text.to_ascii_uppercase()),
        _ => Err(Error::no_such_overload()),
    }
}

fn trim<'a>(_arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    match args {
        [Value::String(text)] => Ok(Value::String(text.trim())),
        _ => Err(Error::no_such_overload()),
    }
}

fn replace<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let (text, old, new, limit) = match args {
        [Value::String(text), Value::String(old), Value::String(new)] => (*text, *old, *new, usize::MAX),
        [Value::String(text), Value::String(old), Value::String(new), Value::Int(limit)] => {
            // A negative limit is none.
            (*text, *old, *new, usize::try_from(*limit).unwrap_or(usize::MAX))
        }
        _ => return Err(Error::no_such_overload()),
    };
    let count = match old {
        // Before each character and behind the last.
        "" => text.matches(old).take(limit).count(),
        _ => memmem::find_iter(text.as_bytes(), old.as_bytes()).take(limit).count(),
    };
    if count == 0 {
        return Ok(Value::String(text));
    }
    build::reserve(arena, count.saturating_mul(new.len()).saturating_add(text.len()))?;
    build::string(arena, &text.replacen(old, new, count))
}

fn split<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let (text, separator, limit) = match args {
        [Value::String(text), Value::String(separator)] => (*text, *separator, usize::MAX),
        [Value::String(text), Value::String(separator), Value::Int(limit)] => {
            (*text, *separator, usize::try_from(*limit).unwrap_or(usize::MAX))
        }
        _ => return Err(Error::no_such_overload()),
    };
    if separator.is_empty() {
        build::reserve_list(arena, text.chars().take(limit).count())?;
        return build::strings(arena, &explode(text, limit));
    }
    let Some(cuts) = limit.checked_sub(1) else { return build::strings(arena, &[]) };
    let cuts = || memmem::find_iter(text.as_bytes(), separator.as_bytes()).take(cuts);
    build::reserve_list(arena, cuts().count() + 1)?;
    let mut start = 0;
    let mut parts: Vec<Value<'a>> = Vec::with_capacity(16);
    for cut in cuts() {
        parts.push(Value::String(text.get(start..cut).unwrap_or_default()));
        start = cut + separator.len();
    }
    parts.push(Value::String(text.get(start..).unwrap_or_default()));
    build::strings(arena, &parts)
}

/// One string for each character, and the rest in the last of `limit`.
fn explode(text: &str, limit: usize) -> Vec<Value<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next()
        && parts.len() < limit
    {
        let width = if parts.len() + 1 == limit { rest.len() } else { first.len_utf8() };
        let (part, after) = rest.split_at(width);
        parts.push(Value::String(part));
        rest = after;
    }
    parts
}

fn join<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let (list, separator) = match args {
        [Value::List(list)] => (*list, ""),
        [Value::List(list), Value::String(separator)] => (*list, *separator),
        _ => return Err(Error::no_such_overload()),
    };
    if !matches!(list.get(0), None | Some(Value::String(_))) {
        return Err(Error::no_such_overload());
    }
    build::reserve(arena, joined_len(list, separator)?)?;
    let mut joined = String::new();
    for (i, element) in list.iter().enumerate() {
        if i > 0 {
            joined.push_str(separator);
        }
        if let Value::String(text) = element {
            joined.push_str(text);
        }
    }
    build::string(arena, &joined)
}

fn joined_len(list: List<'_>, separator: &str) -> Result<usize, Error> {
    list.iter().try_fold(0usize, |sum, element| match element {
        Value::String(text) => Ok(sum.saturating_add(text.len()).saturating_add(separator.len())),
        other => Err(Error::new(format!("join: invalid input: {}", display(&other)))),
    })
}

fn quote<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let [Value::String(text)] = args else { return Err(Error::no_such_overload()) };
    build::reserve(arena, text.len().saturating_mul(2))?;
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match escape(c) {
            Some(escape) => quoted.push_str(escape),
            None => quoted.push(c),
        }
    }
    quoted.push('"');
    build::string(arena, &quoted)
}

/// The byte offset of the character at `index`, which may be the end.
fn position(text: &str, index: i64) -> Result<usize, Error> {
    usize::try_from(index).ok().and_then(|index| byte_at(text, index)).ok_or_else(|| out_of_range(index))
}

fn byte_at(text: &str, index: usize) -> Option<usize> {
    if text.is_ascii() {
        return (index <= text.len()).then_some(index);
    }
    text.char_indices().map(|(at, _)| at).chain(std::iter::once(text.len())).nth(index)
}

fn characters(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

fn out_of_range(index: i64) -> Error {
    Error::new(format!("index out of range: {index}"))
}
