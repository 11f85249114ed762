//! What a JSON text will take as a document, counted before it is parsed: how much memory to set aside for it, and which
//! of its containers are so large that they are filled in place.

use std::mem::size_of;

use super::parse::Limits;
use super::scan;
use super::value::{Member, Value};

/// A container with more children than this is filled in place: waiting on a scratch stack until it closes, its children
/// would be in memory twice, and three times while the stack grows.
const LARGE_FROM: usize = 256;
/// Whatever rounds a piece of memory up: an alignment, at most.
const ROUNDING: usize = size_of::<u64>();

/// A count of a text's parts. Of a text that is no JSON it counts something or other; the parser will say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    bytes: usize,
    large: Vec<Large>,
}

/// A container that is filled in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Large {
    /// Where it begins.
    pub offset: usize,
    /// How many children it has.
    pub children: usize,
}

/// A container that isn't closed yet.
struct Open {
    offset: usize,
    commas: usize,
    is_object: bool,
    is_empty: bool,
}

impl Outline {
    /// Looks through `text`, down to where it is nested too deeply to be parsed.
    pub fn of(text: &[u8], limits: &Limits) -> Self {
        let mut outline = Self::default();
        let mut open: Vec<Open> = Vec::new();
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            at += 1;
            if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                continue;
            }
            if let Some(container) = open.last_mut()
                && !matches!(byte, b'}' | b']')
            {
                container.is_empty = false;
            }
            match byte {
                b'"' => at = outline.string(text, at),
                b',' => {
                    if let Some(container) = open.last_mut() {
                        container.commas += 1;
                    }
                }
                b'{' | b'[' if open.len() >= limits.max_depth => break,
                b'{' | b'[' => {
                    open.push(Open { offset: at - 1, commas: 0, is_object: *byte == b'{', is_empty: true });
                }
                b'}' | b']' => {
                    if let Some(container) = open.pop() {
                        outline.close(&container);
                    }
                }
                _ => {}
            }
        }
        outline.large.sort_unstable_by_key(|large| large.offset);
        outline
    }

    /// The memory that the parsed document takes in an arena, in bytes, beside the text itself; never less than that. Per
    /// byte of text that is 12 at most (`[0,0,0]`), 8 for a list of empty strings, and about 4 for a usual object.
    pub fn document_bytes(&self) -> usize {
        self.bytes
    }

    /// Containers that are filled in place, in the text's order.
    pub(super) fn large(&self) -> &[Large] {
        &self.large
    }

    fn close(&mut self, container: &Open) {
        if container.is_empty {
            return;
        }
        let children = container.commas + 1;
        let child = if container.is_object { size_of::<Member<'_>>() } else { size_of::<Value<'_>>() };
        self.bytes = self.bytes.saturating_add(children.saturating_mul(child));
        if children > LARGE_FROM {
            self.large.push(Large { offset: container.offset, children });
        }
    }

    /// Passes the string whose text begins at `start`; one with escapes is copied.
    fn string(&mut self, text: &[u8], start: usize) -> usize {
        let mut at = start;
        loop {
            at = scan::string_end(text, at);
            match text.get(at) {
                Some(b'\\') => at += 2,
                Some(b'"') => break,
                Some(_) => at += 1,
                None => return text.len(),
            }
        }
        if memchr::memchr(b'\\', text.get(start..at).unwrap_or_default()).is_some() {
            self.bytes = self.bytes.saturating_add(at - start + ROUNDING);
        }
        at + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Arena, parse};

    fn outline(text: &str) -> Outline {
        Outline::of(text.as_bytes(), &Limits::default())
    }

    #[test]
    fn counts_what_the_document_takes() {
        let (member, value) = (size_of::<Member<'_>>(), size_of::<Value<'_>>());
        for (text, bytes) in [
            ("0", 0),
            ("{}", 0),
            ("[ ]", 0),
            ("[0]", value),
            ("[[],{},\"a,b\"]", 3 * value),
            (r#"{"a": [1, 2], "b,": {"c": "[,"}}"#, 3 * member + 2 * value),
            (r#"["a\n"]"#, value + 3 + ROUNDING),
            (r#"["\"","x"]"#, 2 * value + 2 + ROUNDING),
        ] {
            assert_eq!(outline(text).document_bytes(), bytes, "{text}");
        }
    }

    #[test]
    fn a_document_fits_the_memory_that_its_outline_names() {
        let many = |part: &str| format!("[{}]", vec![part; 20_000].join(","));
        for text in [
            many("0"),
            many("[0]"),
            many("[]"),
            many(r#"{"":0}"#),
            many(r#""""#),
            many(r#""\n""#),
            many(r#""\u00e9""#),
            many(r#"{"name":"A","value":"b\"c"}"#),
            format!("{{{}}}", (0..20_000).map(|i| format!("\"{i}\\n\":{i}")).collect::<Vec<_>>().join(",")),
        ] {
            let bytes = outline(&text).document_bytes();
            let arena = Arena::with_capacity(bytes);
            let before = arena.allocated_bytes();
            parse(&arena, text.as_bytes(), &Limits::default()).expect("JSON");
            assert_eq!(arena.allocated_bytes(), before, "{}", &text[..20]);
            assert!(bytes <= 12 * text.len(), "{} for {}: {}", bytes, text.len(), &text[..20]);
        }
    }

    #[test]
    fn finds_large_containers_in_the_texts_order() {
        let large = vec!["0"; LARGE_FROM + 1].join(",");
        let text = format!("[[{large}],[{}],{{\"a\":[{large}]}}]", vec!["0"; LARGE_FROM].join(","));
        let outline = outline(&text);
        let offsets: Vec<_> = outline.large().iter().map(|large| large.offset).collect();
        assert_eq!(offsets, [1, text.rfind('[').expect("the last list")]);
        assert!(outline.large().iter().all(|large| large.children == LARGE_FROM + 1));
    }

    #[test]
    fn looks_at_anything() {
        for text in ["", "]", "}}", "[", "\"", "\"\\", "[\"\\", ",", "{]", &"[".repeat(100_000), "[\"\u{1}", "\u{feff}"]
        {
            outline(text);
        }
    }
}
