//! Kubernetes' semantic version library, version 1. Comparisons are in `shared`.

use crate::cel::function::{Error, Function, overload_since};
use crate::cel::value::Value;
use crate::cel::value::opaque::Opaque;
use crate::cel::value::semver::Version;
use crate::json::Arena;

use crate::cel::value::build;

/// The functions of this library.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "isSemver",
        overloads: &[
            overload_since(33, "is_semver_string", "(string) -> bool"),
            overload_since(33, "is_semver_string_bool", "(string, bool) -> bool"),
        ],
        eval: |_, args| match args {
            [Value::String(text)] | [Value::String(text), Value::Bool(false)] => {
                Ok(Value::Bool(Version::parse(text).is_ok()))
            }
            [Value::String(text), Value::Bool(true)] => {
                Ok(Value::Bool(normalize(text).is_ok_and(|text| Version::parse(&text).is_ok())))
            }
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "major",
        overloads: &[overload_since(33, "semver_major", "kubernetes.Semver.() -> int")],
        eval: |_, args| Ok(number(version(args)?.major)),
    },
    Function {
        name: "minor",
        overloads: &[overload_since(33, "semver_minor", "kubernetes.Semver.() -> int")],
        eval: |_, args| Ok(number(version(args)?.minor)),
    },
    Function {
        name: "patch",
        overloads: &[overload_since(33, "semver_patch", "kubernetes.Semver.() -> int")],
        eval: |_, args| Ok(number(version(args)?.patch)),
    },
    Function {
        name: "semver",
        overloads: &[
            overload_since(33, "string_to_semver", "(string) -> kubernetes.Semver"),
            overload_since(33, "string_bool_to_semver", "(string, bool) -> kubernetes.Semver"),
        ],
        eval: semver,
    },
];

fn semver<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let text = match args {
        [Value::String(text)] | [Value::String(text), Value::Bool(false)] => *text,
        [Value::String(text), Value::Bool(true)] => {
            let normalized = normalize(text).map_err(Error::new)?;
            build::reserve(arena, normalized.len())?;
            arena.alloc_str(&normalized)
        }
        _ => return Err(Error::no_such_overload()),
    };
    build::opaque(arena, Opaque::Semver(Version::parse(text).map_err(Error::new)?))
}

fn version<'a>(args: &[Value<'a>]) -> Result<Version<'a>, Error> {
    match args {
        [Value::Opaque(Opaque::Semver(version))] => Ok(*version),
        _ => Err(Error::no_such_overload()),
    }
}

/// Upstream converts to `int` without a check.
fn number<'a>(value: u64) -> Value<'a> {
    Value::Int(value.cast_signed())
}

/// Takes a leading `v` and leading zeros away and completes short versions.
fn normalize(text: &str) -> Result<String, String> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut parts: Vec<String> = text.splitn(3, '.').map(without_leading_zeros).collect();
    if parts.len() < 3 {
        if parts.last().is_some_and(|last| last.contains(['+', '-'])) {
            return Err("short version cannot contain PreRelease/Build meta data".to_owned());
        }
        parts.resize(3, "0".to_owned());
    }
    Ok(parts.join("."))
}

fn without_leading_zeros(part: &str) -> String {
    if part.len() <= 1 {
        return part.to_owned();
    }
    let trimmed = part.trim_start_matches('0');
    if trimmed.starts_with(|c: char| c.is_ascii_digit()) { trimmed.to_owned() } else { format!("0{trimmed}") }
}
