//! YAML documents as values, the way `kubectl` reads them: through the rules of YAML 1.1 into JSON.
//!
//! A text is cut into documents ([`stream`]), each into tokens ([`scanner`]), events ([`parser`]) and a tree ([`tree`])
//! whose scalars get their types in [`scalar`]. An aliased node is shared, not copied, so what is limited is the size
//! that readers would see.
//!
//! No parser that there is reads what `kubectl` reads: YAML 1.2 refuses much of it, and the safe port of libyaml that
//! there is panics on `[!a, b]` and takes time quadratic in open brackets. So the reader follows the same algorithm as
//! upstream's; `tests/yaml` compares the two.

mod cursor;
mod encoding;
mod fault;
mod lines;
mod parser;
mod piece;
mod print;
mod scalar;
mod scan_scalar;
mod scanner;
mod stream;
mod tree;

use super::arena::Arena;
use super::parse::Limits;
use super::value::Value;
use cursor::{Located, Mark};
use fault::Fault;
use parser::{Event, Parser};
use stream::Part;
use tree::Builder;

pub use encoding::{EncodingError, decode};
pub use lines::{Lines, Step};
pub use piece::{Boundary, document_end, documents_behind, json_document, may_be_json};
pub use print::to_yaml;

/// How much aliases and merge keys may add to a document: the nodes and bytes that they repeat, roughly in bytes.
pub const MAX_ALIAS_WEIGHT: u64 = 16 << 20;

/// How long a text may be, in bytes; lines are counted in 32 bits.
pub const MAX_TEXT: usize = 2 << 30;

/// One document of a YAML or JSON text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Document<'a> {
    /// The document; null if it is empty.
    pub value: Value<'a>,
    /// The line of its first node, from 1.
    pub line: usize,
    /// The lines of its fields.
    pub lines: Lines<'a>,
}

/// Why a document is no YAML that Kubernetes takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Error {
    /// What is wrong, in one line.
    pub message: String,
    /// Where, from 1.
    pub line: usize,
    /// Where in the line, in characters from 1.
    pub column: usize,
}

/// The documents of `text`, in order; a bad one doesn't keep the others from being read.
///
/// As with `kubectl`, a text that begins with `{` is a stream of JSON values, and any other is cut at the lines that
/// begin with `---`. What `kubectl` reads is read alike or is an error: duplicate keys, merge keys that readers
/// understand differently, text that it drops, directives, and what exceeds a limit.
pub fn documents<'a>(arena: &'a Arena, text: &'a str) -> Vec<Result<Document<'a>, Error>> {
    documents_within(arena, text, &Limits::default(), MAX_TEXT)
}

fn documents_within<'a>(
    arena: &'a Arena,
    text: &'a str,
    limits: &Limits,
    max_text: usize,
) -> Vec<Result<Document<'a>, Error>> {
    if text.len() > max_text {
        return vec![Err(Fault::TooLong(max_text).at(1, 0))];
    }
    let mut documents = Vec::new();
    let (mut begin, mut json_fault) = (0, None);
    if let Some(stream) = stream::json_stream(arena, text, limits) {
        documents = stream.documents;
        begin = stream.end;
        json_fault = stream.fault;
    }
    let (json, yaml) = text.split_at_checked(begin).unwrap_or((text, ""));
    if begin > 0 && yaml.is_empty() {
        return documents;
    }
    let first = documents.len();
    for cut in stream::split(yaml, stream::newlines(json) + 1, false) {
        match cut {
            Ok(part) => read_part(arena, part, limits, &mut documents),
            Err(error) => documents.push(Err(error)),
        }
    }
    // Neither JSON nor YAML: the reader that came further knows better what was meant.
    if let (Some(json), Some(Err(yaml))) = (json_fault, documents.get_mut(first))
        && json.line > yaml.line
    {
        *yaml = json;
    }
    documents
}

/// Reads the document of one part, if there is one, and what is wrong with the rest of the part.
fn read_part<'a>(arena: &'a Arena, part: Part<'a>, limits: &Limits, documents: &mut Vec<Result<Document<'a>, Error>>) {
    if let Some(control) = control_character(part) {
        documents.push(Err(control));
        return;
    }
    let mut parser = Parser::new(arena, part.text, part.line);
    match document(arena, &mut parser, limits) {
        Ok(None) if part.separated => documents.push(Ok(stream::nothing(part.line))),
        Ok(None) => {}
        Ok(document) => {
            documents.extend(document.map(Ok));
            match parser.next() {
                Ok((Event::StreamEnd, _)) => {}
                Ok((_, at)) | Err((_, at)) => documents.push(Err(Fault::SecondDocument.at_mark(at))),
            }
        }
        Err((fault, at)) => documents.push(Err(fault.at_mark(at))),
    }
}

fn document<'a>(arena: &'a Arena, parser: &mut Parser<'a>, limits: &Limits) -> Result<Option<Document<'a>>, Located> {
    let mut builder = Builder::new(arena, limits.max_depth);
    loop {
        let (event, at) = parser.next()?;
        if matches!(event, Event::DocumentEnd | Event::StreamEnd) {
            return Ok(builder.finish());
        }
        builder.event(event, at)?;
    }
}

/// The first character that YAML takes only as an escape.
fn control_character(part: Part<'_>) -> Option<Error> {
    let bad = |c: char| match c {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        '\u{fffe}' | '\u{ffff}' => true,
        other => other.is_control(),
    };
    // Few texts hold any candidate at all.
    let candidate = |byte: &u8| matches!(byte, 0..=8 | 11 | 12 | 14..=31 | 0x7F | 0xC2 | 0xEF);
    if !part.text.bytes().any(|byte| candidate(&byte)) {
        return None;
    }
    let (at, char) = part.text.char_indices().find(|(_, c)| bad(*c))?;
    let before = part.text.get(..at).unwrap_or_default();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    Some(Fault::Control(char.into()).at(part.line + stream::newlines(before), column))
}

impl Fault {
    /// The error at a line from 1 and a column from 0.
    fn at(&self, line: u32, column: usize) -> Error {
        Error { message: self.to_string(), line: line as usize, column: column + 1 }
    }

    fn at_mark(&self, at: Mark) -> Error {
        self.at(at.line, at.column as usize)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
