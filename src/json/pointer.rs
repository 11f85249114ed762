//! Ways to a place in a document: RFC 6901 pointers, as patches write them, and field paths, as people read them.
//!
//! A field path follows upstream's `field.Path`: `spec.containers[0].image`, `metadata.annotations[example.com/a]`.
//! A key is put in brackets if it could not stand behind a dot, and in quotes too if brackets alone would be misread.

use std::borrow::Cow;
use std::fmt;

use super::arena::Arena;
use super::print::write_json_string;
use super::value::Value;

/// One step from a value to a child of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment<'a> {
    /// The member of an object.
    Key(Cow<'a, str>),
    /// The element of an array, from 0.
    Index(usize),
}

impl<'a> Segment<'a> {
    /// The member `key`.
    pub fn key(key: &'a str) -> Self {
        Segment::Key(Cow::Borrowed(key))
    }

    /// The same step, owning its key.
    pub fn into_owned(self) -> Segment<'static> {
        match self {
            Segment::Key(key) => Segment::Key(Cow::Owned(key.into_owned())),
            Segment::Index(index) => Segment::Index(index),
        }
    }
}

/// A way from the root of a document to a place in it. Displayed as a field path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path<'a>(pub Vec<Segment<'a>>);

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A pointer is empty or starts with a slash.
    #[error("the JSON pointer {0:?} must be empty or start with '/'")]
    NoSlash(String),
    /// In pointers, `~` is written `~0` and `/` is written `~1`.
    #[error("the JSON pointer {0:?} has a '~' that is not followed by 0 or 1")]
    Tilde(String),
    /// A field path with an empty name, an open bracket or something behind a closing one.
    #[error("the field path {path:?} is malformed at byte {offset}: expected {expected}")]
    Field {
        /// The whole path.
        path: String,
        /// Where, in bytes from 0.
        offset: usize,
        /// What was due there.
        expected: &'static str,
    },
}

impl<'a> Path<'a> {
    /// Reads a field path.
    ///
    /// # Errors
    /// [`PathError::Field`].
    pub fn parse(text: &'a str) -> Result<Self, PathError> {
        FieldPath { text, at: 0 }.parse()
    }

    /// Reads a pointer. A token is an index where `document` has an array, and a key everywhere else.
    ///
    /// # Errors
    /// [`PathError::NoSlash`], [`PathError::Tilde`].
    pub fn from_pointer(pointer: &'a str, document: Value<'_>) -> Result<Self, PathError> {
        let mut here = Some(document);
        let mut segments = Vec::new();
        for token in tokens(pointer)? {
            let index = match here {
                Some(Value::Array(_)) => index(&token),
                _ => None,
            };
            here = here.and_then(|value| match index {
                Some(index) => value.as_array()?.get(index).copied(),
                None => value.get(&token),
            });
            segments.push(index.map_or(Segment::Key(token), Segment::Index));
        }
        Ok(Path(segments))
    }

    /// The pointer to the same place.
    pub fn to_pointer(&self) -> String {
        let mut out = String::new();
        for segment in &self.0 {
            match segment {
                Segment::Key(key) => push_token(&mut out, key),
                Segment::Index(index) => push_index(&mut out, *index),
            }
        }
        out
    }

    /// The value at this place of `document`.
    pub fn find<'v>(&self, document: Value<'v>) -> Option<Value<'v>> {
        self.0.iter().try_fold(document, |value, segment| match segment {
            Segment::Key(key) => value.get(key),
            Segment::Index(index) => value.as_array()?.get(*index).copied(),
        })
    }

    /// The same path, owning its keys.
    pub fn into_owned(self) -> Path<'static> {
        Path(self.0.into_iter().map(Segment::into_owned).collect())
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if is_name(key) => {
                    if i > 0 {
                        f.write_str(".")?;
                    }
                    f.write_str(key)?;
                }
                Segment::Key(key) if is_plain_in_brackets(key) => write!(f, "[{key}]")?,
                Segment::Key(key) => {
                    let mut quoted = String::new();
                    write_json_string(&mut quoted, key);
                    write!(f, "[{quoted}]")?;
                }
            }
        }
        Ok(())
    }
}

/// The unescaped tokens of a pointer.
///
/// # Errors
/// [`PathError::NoSlash`], [`PathError::Tilde`].
pub fn tokens(pointer: &str) -> Result<Vec<Cow<'_, str>>, PathError> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let Some(rest) = pointer.strip_prefix('/') else {
        return Err(PathError::NoSlash(pointer.to_owned()));
    };
    let strict = |token| {
        let bad = memchr::memchr_iter(b'~', str::as_bytes(token))
            .any(|at| !matches!(token.as_bytes().get(at + 1), Some(b'0' | b'1')));
        if bad { Err(PathError::Tilde(pointer.to_owned())) } else { Ok(unescape(token)) }
    };
    rest.split('/').map(strict).collect()
}

/// Appends `/key` to a pointer, escaped.
pub fn push_token(pointer: &mut String, key: &str) {
    pointer.push('/');
    for char in key.chars() {
        match char {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// Appends `/index` to a pointer.
pub fn push_index(pointer: &mut String, index: usize) {
    use fmt::Write as _;
    // Writing to a string cannot fail.
    let _ = write!(pointer, "/{index}");
}

/// The value that `pointer` refers to.
///
/// # Errors
/// [`PathError::NoSlash`], [`PathError::Tilde`]. A place that the document lacks is `Ok(None)`.
pub fn find<'v>(document: Value<'v>, pointer: &str) -> Result<Option<Value<'v>>, PathError> {
    Ok(tokens(pointer)?.iter().try_fold(document, |value, token| match value {
        Value::Array(elements) => elements.get(index(token)?).copied(),
        _ => value.get(token),
    }))
}

/// Decodes `~1` and `~0`, and leaves any other `~` as it is, as the API server does.
pub(super) fn unescape(token: &str) -> Cow<'_, str> {
    if !token.contains('~') {
        return Cow::Borrowed(token);
    }
    let mut out = String::with_capacity(token.len());
    let mut rest = token;
    while let Some(at) = rest.find('~') {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        let (char, used) = match tail.as_bytes().get(1) {
            Some(b'0') => ('~', 2),
            Some(b'1') => ('/', 2),
            _ => ('~', 1),
        };
        out.push(char);
        rest = tail.get(used..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// An array index as RFC 6901 writes it: no sign, no leading zero.
fn index(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with('0');
    (canonical && token.bytes().all(|byte| byte.is_ascii_digit())).then(|| token.parse().ok()).flatten()
}

/// Whether a key may stand behind a dot.
fn is_name(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || matches!(first, b'_' | b'$'))
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$'))
}

/// Whether a key in brackets cannot be mistaken for an index or for a quoted key, nor ends the brackets early.
fn is_plain_in_brackets(key: &str) -> bool {
    !key.is_empty()
        && index(key).is_none()
        && !key.starts_with('"')
        && !key.chars().any(|char| char == ']' || char.is_control())
}

struct FieldPath<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> FieldPath<'a> {
    fn parse(mut self) -> Result<Path<'a>, PathError> {
        let mut segments = Vec::new();
        while let Some(next) = self.text.as_bytes().get(self.at) {
            if *next == b'[' {
                self.at += 1;
                segments.push(self.brackets()?);
                continue;
            }
            if *next == b'.' && !segments.is_empty() {
                self.at += 1;
            }
            segments.push(self.name()?);
        }
        Ok(Path(segments))
    }

    fn name(&mut self) -> Result<Segment<'a>, PathError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.find(['.', '[', ']']).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.error("a field name"));
        }
        self.at += end;
        Ok(Segment::key(rest.get(..end).unwrap_or_default()))
    }

    fn brackets(&mut self) -> Result<Segment<'a>, PathError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let (segment, end) = if rest.starts_with('"') {
            let Some((key, end)) = quoted(rest) else { return Err(self.error("a quoted key")) };
            (Segment::Key(Cow::Owned(key)), end)
        } else {
            let Some(end) = rest.find(']') else { return Err(self.error("a closing ']'")) };
            let key = rest.get(..end).unwrap_or_default();
            if key.is_empty() {
                return Err(self.error("an index or a key"));
            }
            (index(key).map_or(Segment::key(key), Segment::Index), end)
        };
        self.at += end;
        if self.text.as_bytes().get(self.at) != Some(&b']') {
            return Err(self.error("a closing ']'"));
        }
        self.at += 1;
        match self.text.as_bytes().get(self.at) {
            None | Some(b'.' | b'[') => Ok(segment),
            Some(_) => Err(self.error("'.' or '[' after ']'")),
        }
    }

    fn error(&self, expected: &'static str) -> PathError {
        PathError::Field { path: self.text.to_owned(), offset: self.at, expected }
    }
}

/// The key of a JSON string at the start of `text`, and the length of that string.
fn quoted(text: &str) -> Option<(String, usize)> {
    let mut escaped = false;
    let close = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    let end = close + 2;
    let arena = Arena::new();
    let string = super::parse(&arena, text.get(..end)?.as_bytes(), &super::Limits::default()).ok()?;
    Some((string.as_str()?.to_owned(), end))
}

#[cfg(test)]
#[path = "pointer_tests.rs"]
mod tests;
