//! Values of an apply configuration that upstream's merge knows as neither map, list nor scalar: bytes, durations,
//! timestamps, the strings of `split` and `findAll`, and lists and maps within a list or map that the expression made.
//! CEL leaves them there as values of its own or of Go's.
//!
//! Upstream: `convertField` in `cel/mutation/dynamic/objects.go`, which converts one level only.

use std::collections::HashMap;

use super::go_time::{duration, time, time_syntax};
use super::item::go;
use crate::cel::value::Timestamp;
use crate::json::{Arena, Value};

/// An apply configuration.
#[derive(Clone, Debug)]
pub struct Configuration<'a> {
    /// The partial object. Where it has a foreign value, a list stands for it.
    pub value: Value<'a>,
    /// The foreign values.
    pub foreign: Vec<Foreign<'a>>,
}

/// A foreign value.
#[derive(Clone, Debug)]
pub struct Foreign<'a> {
    /// What stands for it, told from all other lists by its address.
    stand_in: &'a [Value<'a>],
    content: Content<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Content<'a> {
    Bytes(&'a [u8]),
    Duration(i64),
    Timestamp(Timestamp),
    Strings(&'a [Value<'a>]),
    List(&'a [Value<'a>]),
    Map(Value<'a>),
}

/// As many bytes are shown in a message.
const MAX_SHOWN: usize = 1024;

impl<'a> Foreign<'a> {
    /// Bytes.
    pub fn bytes(arena: &'a Arena, bytes: &'a [u8]) -> Self {
        Self { stand_in: stand_in(arena), content: Content::Bytes(bytes) }
    }

    /// A duration in nanoseconds.
    pub fn duration(arena: &'a Arena, nanoseconds: i64) -> Self {
        Self { stand_in: stand_in(arena), content: Content::Duration(nanoseconds) }
    }

    /// A timestamp.
    pub fn timestamp(arena: &'a Arena, timestamp: Timestamp) -> Self {
        Self { stand_in: stand_in(arena), content: Content::Timestamp(timestamp) }
    }

    /// A list of Go's strings.
    pub fn strings(arena: &'a Arena, elements: &'a [Value<'a>]) -> Self {
        Self { stand_in: stand_in(arena), content: Content::Strings(elements) }
    }

    /// A list.
    pub fn list(arena: &'a Arena, elements: &'a [Value<'a>]) -> Self {
        Self { stand_in: stand_in(arena), content: Content::List(elements) }
    }

    /// A map, as an object.
    pub fn map(arena: &'a Arena, map: Value<'a>) -> Self {
        Self { stand_in: stand_in(arena), content: Content::Map(map) }
    }

    /// The value as Go's `%v` shows it.
    pub(super) fn shown(&self) -> String {
        match self.content {
            Content::Bytes(bytes) => format!("[{}]", parts(bytes, u8::to_string, " ")),
            Content::Duration(nanoseconds) => duration(nanoseconds),
            Content::Timestamp(timestamp) => time(timestamp),
            Content::Strings(elements) | Content::List(elements) => go(Value::Array(elements)),
            Content::Map(map) => go(map),
        }
    }

    /// The value as Go's `%#v` shows it.
    pub(super) fn syntax(&self) -> String {
        match self.content {
            Content::Bytes(bytes) => format!("[]uint8{{{}}}", parts(bytes, |byte| format!("0x{byte:x}"), ", ")),
            Content::Duration(nanoseconds) => nanoseconds.to_string(),
            Content::Timestamp(timestamp) => time_syntax(timestamp),
            Content::Strings(elements) | Content::List(elements) => {
                let parts: Vec<String> = elements.iter().map(|element| syntax(*element)).collect();
                format!("{}{{{}}}", self.type_name(), parts.join(", "))
            }
            Content::Map(map) => {
                let members = map.as_object().unwrap_or_default();
                let mut parts: Vec<String> =
                    members.members().iter().map(|(key, value)| format!("{key:?}:{}", syntax(*value))).collect();
                parts.sort();
                format!("map[ref.Val]ref.Val{{{}}}", parts.join(", "))
            }
        }
    }

    /// The value's type as Go's `%T` shows it.
    pub(super) fn type_name(&self) -> &'static str {
        match self.content {
            Content::Bytes(_) => "[]uint8",
            Content::Duration(_) => "time.Duration",
            Content::Timestamp(_) => "time.Time",
            Content::Strings(_) => "[]string",
            Content::List(_) => "[]ref.Val",
            Content::Map(_) => "map[ref.Val]ref.Val",
        }
    }

    /// What stands for it in the configuration.
    pub fn stand_in(&self) -> Value<'a> {
        Value::Array(self.stand_in)
    }
}

/// Foreign values by what stands for them.
#[derive(Debug, Default)]
pub(super) struct ByStandIn<'f>(HashMap<usize, &'f Foreign<'f>>);

impl<'f> ByStandIn<'f> {
    pub(super) fn new(foreign: &'f [Foreign<'f>]) -> Self {
        Self(foreign.iter().map(|foreign| (foreign.stand_in.as_ptr().addr(), foreign)).collect())
    }

    /// The foreign value that `value` stands for, if it does.
    pub(super) fn get(&self, value: Value<'_>) -> Option<&'f Foreign<'f>> {
        match value {
            Value::Array(elements) => self.0.get(&elements.as_ptr().addr()).copied(),
            _ => None,
        }
    }
}

/// A list of one, for those of none share an address.
fn stand_in<'a>(arena: &'a Arena) -> &'a [Value<'a>] {
    arena.alloc_slice_copy(&[Value::Null])
}

fn parts(bytes: &[u8], show: impl Fn(&u8) -> String, separator: &str) -> String {
    let mut parts: Vec<String> = bytes.iter().take(MAX_SHOWN).map(show).collect();
    if bytes.len() > MAX_SHOWN {
        parts.push("...".to_owned());
    }
    parts.join(separator)
}

fn syntax(value: Value<'_>) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        other => go(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_start_of_many_bytes() {
        let arena = Arena::new();
        let text = Foreign::bytes(&arena, &[7; MAX_SHOWN + 1]).shown();
        assert_eq!(text, format!("[{}...]", "7 ".repeat(MAX_SHOWN)));
    }
}
