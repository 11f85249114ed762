//! Texts too large to be held: where they can be cut, and what the pieces hold.

use super::fault::Fault;
use super::lines::Lines;
use super::stream::{alone, split};
use super::{Document, Error, read_part};
use crate::json::Arena;
use crate::json::parse::{Limits, ParseErrorKind, parse, syntax_end};

/// Where the document that a piece of YAML begins with ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// Where its separator's line begins.
    pub end: usize,
    /// Where the next document begins.
    pub next: usize,
    /// Whether the text may be read in two pieces, up to `end` and from `next` on. Where the separator's line holds
    /// something else than a comment, the error belongs to the document before it.
    pub is_clean: bool,
}

/// How far a JSON text cut off anywhere may be from its end where the parser gives up.
const LONGEST_TOKEN: usize = 16;

/// The end of the document that `text` begins with, which begins a text or stands behind a separator; `None` if it isn't in
/// `text`. It was not in the first `looked_at` bytes.
pub fn document_end(text: &[u8], looked_at: usize) -> Option<Boundary> {
    let own = match text.starts_with(b"---") {
        true => line_end(text, 0)?,
        false => 0,
    };
    let begins = if is_alone(text.get(..own)?) { own } else { 0 };
    let behind = text.get(begins..)?;
    let end = if behind.starts_with(b"---") {
        begins
    } else {
        // The last line that was looked at may be a separator that went on.
        let whole_lines = memchr::memrchr(b'\n', text.get(begins..looked_at).unwrap_or_default()).unwrap_or(0);
        let from = begins + whole_lines;
        from + memchr::memmem::find(text.get(from..)?, b"\n---")? + 1
    };
    let next = line_end(text, end)?;
    let separator = text.get(end..next)?;
    let is_clean = matches!(separator.get(3), Some(b' ' | b'\t' | b'\r' | b'\n')) && is_alone(separator);
    Some(Boundary { end, next, is_clean })
}

/// The documents of a piece of YAML whose first line is called `line`; `separated` is whether a separator comes before it.
pub fn documents_behind<'a>(
    arena: &'a Arena,
    text: &'a str,
    line: u32,
    separated: bool,
) -> Vec<Result<Document<'a>, Error>> {
    let mut documents = Vec::new();
    for cut in split(text, line, separated) {
        match cut {
            Ok(part) => read_part(arena, part, &Limits::default(), &mut documents),
            Err(error) => documents.push(Err(error)),
        }
    }
    documents
}

/// The document that `text` is as JSON; its first line is called `line`.
///
/// # Errors
/// It is none, or holds something else besides.
pub fn json_document<'a>(arena: &'a Arena, text: &'a str, line: u32) -> Result<Document<'a>, Error> {
    match parse(arena, text.as_bytes(), &Limits::default()) {
        Ok(value) => Ok(Document { value, line: line as usize, lines: Lines::of_json(arena, text, line) }),
        Err(error) => {
            let message = Fault::Json(error.kind.to_string()).to_string();
            Err(Error { message, line: line as usize + error.line - 1, column: error.column })
        }
    }
}

/// Whether a text that begins so may be JSON: nothing in it is wrong but that it ends.
pub fn may_be_json(beginning: &str) -> bool {
    match syntax_end(beginning, &Limits::default()) {
        Ok(_) => true,
        Err(error) => {
            matches!(error.kind, ParseErrorKind::TooDeep(_)) || error.offset + LONGEST_TOKEN >= beginning.len()
        }
    }
}

fn line_end(text: &[u8], from: usize) -> Option<usize> {
    memchr::memchr(b'\n', text.get(from..)?).map(|at| from + at + 1)
}

fn is_alone(separator: &[u8]) -> bool {
    std::str::from_utf8(separator).is_ok_and(alone)
}

#[cfg(test)]
mod tests {
    use super::super::documents;
    use super::*;

    /// The documents of `text` read in as many pieces as there can be, from a buffer that grows by `step` bytes.
    fn in_pieces<'a>(arena: &'a Arena, text: &'a str, step: usize) -> Vec<Result<Document<'a>, Error>> {
        let mut documents = Vec::new();
        let (mut begin, mut part, mut looked_at, mut filled) = (0, 0, 0, 0);
        let mut separated = false;
        loop {
            match document_end(&text.as_bytes()[part..filled], looked_at) {
                Some(Boundary { end, next, is_clean }) => {
                    if is_clean {
                        let line = text[..begin].matches('\n').count() as u32 + 1;
                        documents.extend(documents_behind(arena, &text[begin..part + end], line, separated));
                        (begin, separated) = (part + next, true);
                    }
                    (part, looked_at) = (part + next, 0);
                }
                None if filled == text.len() => break,
                None => {
                    looked_at = filled - part;
                    filled = (filled + step).min(text.len());
                }
            }
        }
        let line = text[..begin].matches('\n').count() as u32 + 1;
        documents.extend(documents_behind(arena, &text[begin..], line, separated));
        documents
    }

    #[test]
    fn pieces_hold_what_the_whole_holds() {
        let parts = [
            "a: 1\n",
            "---\n",
            "--- # comment\n",
            "---#\n",
            "--- |\n  text\n",
            "----\n",
            "---\r\n",
            "a: |\n  ---\n   ---\nb: 2\r\n",
            "a: [1\n",
            "# nothing\n",
            "\u{feff}c: 3\n",
            "'---'\n",
            "\n",
            "d: \"\n--- \"\n",
            "...\n",
            "é: \u{2028}\n",
            "---\u{a0}\n",
            "--",
        ];
        // Every text of three parts, and some of more.
        for number in 0..parts.len().pow(3) {
            let mut text = String::new();
            let mut rest = number;
            for _ in 0..3 {
                text.push_str(parts[rest % parts.len()]);
                rest /= parts.len();
            }
            let text = [text.clone(), format!("{text}---\n{text}")];
            for text in text.iter().filter(|text| !text.starts_with('{')) {
                let arena = Arena::new();
                let whole = documents(&arena, text);
                for step in [1, 7, text.len().max(1)] {
                    assert_eq!(in_pieces(&arena, text, step), whole, "{text:?} by {step}");
                }
            }
        }
    }

    #[test]
    fn tells_json_from_yaml_by_its_beginning() {
        let json = "{\"a\": [1.5e3, \"b\\u00e9\", {\"c\": null, \"d\": true}], \"e\": {}}";
        for end in (1..=json.len()).filter(|end| json.is_char_boundary(*end)) {
            assert!(may_be_json(&json[..end]), "{}", &json[..end]);
        }
        let pod = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: []}}";
        for yaml in [pod, "{{- if .Values.enabled }}\na: b\n{{ end }}\n", "{\"a\": b, \"c\": 0000000000000000000}"] {
            assert!(!may_be_json(yaml), "{yaml}");
        }
    }

    #[test]
    fn a_json_document_has_lines_and_mistakes_where_they_stand() {
        let arena = Arena::new();
        let document = json_document(&arena, "{\n\"a\":\n{\"b\": 1}}", 10).expect("JSON");
        let line = document.lines.line(&[super::super::Step::Key("a"), super::super::Step::Key("b")]);
        assert_eq!((document.line, line), (10, 12));
        let error = json_document(&arena, "{\n\"a\": x}", 10).expect_err("no JSON");
        assert_eq!((error.line, error.column), (11, 6));
        assert!(json_document(&arena, "{} {}", 1).is_err());
    }
}
