//! Cutting a text into documents before they are parsed, as `kubectl` does, so that a broken one costs only itself.
//!
//! A text that begins with `{` is a stream of JSON values, until one of its first two turns out to be none. Everything
//! else is YAML, cut at the lines that begin with `---`.

use super::fault::Fault;
use super::lines::{Lines, json_string_end};
use super::{Document, Error};
use crate::json::parse::{Limits, ParseErrorKind, parse_first, syntax_end};
use crate::json::{Arena, Value};

/// Where `kubectl` stops to look for the first `{`.
const JSON_GUESS: usize = 4096;
/// What is shorter than this, from the first character that is no blank, is not read as YAML again.
const MIN_YAML_REST: usize = 4;

/// A piece of the text between separators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The piece, without the separator's line.
    pub text: &'a str,
    /// Its first line in the whole text, from 1.
    pub line: u32,
    /// Whether a separator comes before it.
    pub separated: bool,
}

/// A piece of the text, or a line that should separate but holds something else.
pub(super) type Cut<'a> = Result<Part<'a>, Error>;

/// Cuts YAML, whose first line is called `line`, at each line that begins with `---`; `separated` is whether one comes before
/// it.
///
/// No scalar can hold such a line: YAML ends every scalar there. A separator that nothing stands before goes to the
/// parser, as `kubectl` does it; there, only at the very beginning, a byte order mark is one.
pub(super) fn split(text: &str, line: u32, separated: bool) -> impl Iterator<Item = Cut<'_>> {
    let mut rest = Some(text);
    let (mut line, mut separated) = (line, separated);
    let mut fault = None;
    std::iter::from_fn(move || {
        if let Some(error) = fault.take() {
            return Some(Err(error));
        }
        let text = rest?;
        let own = separator_len(text);
        let begins = if alone(text.get(..own).unwrap_or_default()) { own } else { 0 };
        let end = begins + separator(text.get(begins..).unwrap_or_default());
        let (part, tail) = text.split_at_checked(end).unwrap_or((text, ""));
        let unmarked = part.strip_prefix('\u{feff}').unwrap_or(part);
        let part = Part { text: unmarked, line, separated };
        line += newlines(part.text);
        rest = (!tail.is_empty()).then(|| {
            let (separator, next) = tail.split_at_checked(separator_len(tail)).unwrap_or((tail, ""));
            if !alone(separator) {
                fault = Some(Fault::Separator.at(line, 0));
            }
            line += newlines(separator);
            next
        });
        separated = true;
        Some(Ok(part))
    })
}

/// The length of the separator's line that `text` begins with; 0 if there is none.
fn separator_len(text: &str) -> usize {
    if !text.starts_with("---") {
        return 0;
    }
    memchr::memchr(b'\n', text.as_bytes()).map_or(text.len(), |at| at + 1)
}

/// Whether a separator has at most a comment behind it.
pub(super) fn alone(separator: &str) -> bool {
    let behind = separator.strip_prefix("---").unwrap_or(separator).trim();
    behind.is_empty() || behind.starts_with('#')
}

/// The offset of the first line that begins with `---`, or the length of the text.
fn separator(text: &str) -> usize {
    if text.starts_with("---") {
        return 0;
    }
    memchr::memmem::find(text.as_bytes(), b"\n---").map_or(text.len(), |at| at + 1)
}

pub(super) fn newlines(text: &str) -> u32 {
    memchr::memchr_iter(b'\n', text.as_bytes()).count() as u32
}

/// The JSON values that `text` begins with.
pub(super) struct JsonStream<'a> {
    pub documents: Vec<Result<Document<'a>, Error>>,
    /// The offset where YAML begins.
    pub end: usize,
    /// Why there is no more JSON, if YAML doesn't read it either.
    pub fault: Option<Error>,
}

/// Reads JSON values up to the end or to what is YAML; `None` if the text doesn't look like JSON.
pub(super) fn json_stream<'a>(arena: &'a Arena, text: &'a str, limits: &Limits) -> Option<JsonStream<'a>> {
    let begin = text.trim_start();
    if !begin.starts_with('{') || text.len() - begin.len() >= JSON_GUESS {
        return None;
    }
    let mut stream = JsonStream { documents: Vec::new(), end: 0, fault: None };
    let mut line = 1;
    loop {
        let behind = text.get(stream.end..).unwrap_or_default();
        let rest = behind.trim_start_matches([' ', '\t', '\n', '\r']);
        let begin = text.len() - rest.len();
        if rest.is_empty() {
            stream.end = text.len();
            return Some(stream);
        }
        line += newlines(text.get(stream.end..begin).unwrap_or_default());
        let error = match parse_first(arena, rest, limits) {
            Ok((value, length)) => {
                let lines = Lines::of_json(arena, rest, line);
                stream.documents.push(Ok(Document { value, line: line as usize, lines }));
                line += newlines(rest.get(..length).unwrap_or_default());
                stream.end = begin + length;
                continue;
            }
            Err(error) => error,
        };
        let fault = Error {
            message: Fault::Json(error.kind.to_string()).to_string(),
            line: line as usize + error.line - 1,
            column: error.column,
        };
        // JSON, but not one of ours: the next value goes on behind it.
        let own_length = match syntax_end(rest, limits) {
            Ok(length) => Some(length),
            Err(error) => matches!(error.kind, ParseErrorKind::TooDeep(_)).then(|| json_end(rest)),
        };
        if let Some(length) = own_length {
            stream.documents.push(Err(fault));
            line += newlines(rest.get(..length).unwrap_or_default());
            stream.end = begin + length;
            continue;
        }
        let (blanks, looked_at) = blanks_of_a_line(behind);
        if stream.documents.len() > 1 || behind.len() - looked_at < MIN_YAML_REST {
            // Certainly JSON. What stands behind the next separator is judged all the same.
            stream.documents.push(Err(fault));
            stream.end = begin + separator(rest);
        } else {
            stream.end += blanks;
            stream.fault = Some(fault);
        }
        return Some(stream);
    }
}

/// The length of the JSON array or object that `text` begins with, by its brackets.
fn json_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = json_string_end(bytes, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 && matches!(byte, b'}' | b']') {
            return at;
        }
    }
    text.len()
}

/// The length of the white space that `text` begins with, up to the end of a line, and the offset of the character by
/// which that is known.
fn blanks_of_a_line(text: &str) -> (usize, usize) {
    let blank = text.len() - text.trim_start().len();
    match memchr::memchr(b'\n', text.as_bytes()) {
        Some(at) if at < blank => (at + 1, at),
        _ => (blank, blank),
    }
}

/// An empty document.
pub(super) fn nothing(line: u32) -> Document<'static> {
    Document { value: Value::Null, line: line as usize, lines: Lines { line, ..Lines::default() } }
}

#[cfg(test)]
mod tests {
    use super::{Part, split};

    #[test]
    fn cuts_at_separators_only() {
        for (text, parts) in [
            ("", vec![("", 1, false)]),
            ("a", vec![("a", 1, false)]),
            ("---\na\n---\nb\n", vec![("---\na\n", 1, false), ("b\n", 4, true)]),
            ("a\r\n---\r\nb", vec![("a\r\n", 1, false), ("b", 3, true)]),
            ("# c\n--- # d\nb", vec![("# c\n", 1, false), ("b", 3, true)]),
            ("a: |\n  x\n ---\n", vec![("a: |\n  x\n ---\n", 1, false)]),
            ("---", vec![("---", 1, false)]),
            ("a\n---", vec![("a\n", 1, false), ("", 2, true)]),
            ("\u{feff}---\na", vec![("---\na", 1, false)]),
            ("a\n---\n\u{feff}b", vec![("a\n", 1, false), ("b", 3, true)]),
            ("---\n\u{feff}b", vec![("---\n\u{feff}b", 1, false)]),
            ("---\n---\n\u{feff}b", vec![("---\n", 1, false), ("b", 3, true)]),
        ] {
            let found: Vec<_> = split(text, 1, false)
                .map(|cut| cut.map(|Part { text, line, separated }| (text, line, separated)))
                .collect::<Result<_, _>>()
                .expect("separators are alone");
            assert_eq!(found, parts, "{text:?}");
        }
    }

    #[test]
    fn names_separators_that_are_not_alone() {
        for (text, line) in [("--- a\nb", 1), ("a\n----\nb", 2), ("a\n---b", 2), ("---\na\n--- |\n x\n", 3)] {
            let faults: Vec<_> = split(text, 1, false).filter_map(Result::err).map(|error| error.line).collect();
            assert_eq!(faults, [line], "{text:?}");
        }
    }
}
