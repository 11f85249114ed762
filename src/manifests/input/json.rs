//! Where the values of a JSON text begin and end, told by brackets and quotes alone; what they mean is for the parser.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::Arc;

use crate::json::Arena;
use crate::json::yaml::{json_document, may_be_json};
use crate::manifests::list::list_items;

use super::PIECE;
use super::window::Window;

/// How much of a list may stand outside of its items, in bytes.
const MAX_HEAD: usize = 1 << 20;

/// Where `kubectl` stops to look for the first `{`.
const JSON_GUESS: usize = 4096;

/// How much of a text is looked at to tell whether it is JSON, in bytes.
const BEGINNING: usize = 64 << 10;

/// How a large file is read.
#[derive(Debug)]
pub enum Shape {
    /// As a whole: it has to be decoded.
    Whole,
    /// Cut at separators.
    Yaml,
    /// Value by value; of lists too large for a piece, item by item.
    Json(Vec<LargeList>),
}

/// A list whose items are read one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeList {
    /// Where it begins, in bytes from the beginning of the file.
    pub begin: u64,
    /// The place behind it, and its line.
    pub end: (u64, u64),
    /// The place of the first item, behind the bracket, and its line.
    pub items: (u64, u64),
    /// What it says of its items.
    pub head: Arc<ListHead>,
}

/// What a list says of its items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListHead {
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its `kind` without `List`.
    pub item_kind: String,
    /// The line that it begins in.
    pub line: usize,
}

/// A walk to the end of a value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Brackets {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

impl Brackets {
    /// Walks on through `bytes`; returns how many of them belong to the value if it ends there. A value that is neither an
    /// array, an object nor a string ends before what can't be in a number or a word.
    pub fn walk(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if self.is_escaped {
                self.is_escaped = false;
                at += 1;
                continue;
            }
            if self.in_string {
                let found = memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
                at += found + 1;
                match bytes.get(at - 1) {
                    Some(b'\\') => self.is_escaped = true,
                    _ => self.in_string = false,
                }
                if self.depth == 0 && !self.in_string {
                    return Some(at);
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth <= 1 => {
                    // Without an opening bracket it ends something else.
                    return Some(if self.depth == 1 { at + 1 } else { at });
                }
                b'}' | b']' => self.depth -= 1,
                b',' | b' ' | b'\t' | b'\r' | b'\n' | b':' if self.depth == 0 => return Some(at),
                _ => {}
            }
            at += 1;
        }
        None
    }
}

impl Shape {
    /// Finds out how a file is to be read; one with lists is read to its end.
    ///
    /// # Errors
    /// It can't be read.
    pub fn of(file: &mut File) -> io::Result<Self> {
        let mut window = Window::new(file);
        while window.rest().len() < BEGINNING && !window.at_end {
            window.fill()?;
        }
        let beginning = window.rest();
        if beginning.starts_with(&[0xFE, 0xFF]) || beginning.starts_with(&[0xFF, 0xFE]) {
            return Ok(Shape::Whole);
        }
        let beginning = beginning.get(..BEGINNING).unwrap_or(beginning);
        let text = match std::str::from_utf8(beginning) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(beginning.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or(""),
        };
        let trimmed = text.trim_start();
        if !trimmed.starts_with('{') || text.len() - trimmed.len() >= JSON_GUESS || !may_be_json(trimmed) {
            return Ok(Shape::Yaml);
        }
        Ok(Shape::Json(large_lists(&mut window)?))
    }
}

/// The lists among the JSON values of a text that are larger than a piece.
fn large_lists<R: Read + Seek>(window: &mut Window<R>) -> io::Result<Vec<LargeList>> {
    let mut lists = Vec::new();
    loop {
        let space = window.skip_space(0)?;
        window.pass(space);
        if window.peek(0)? != Some(b'{') {
            return Ok(lists);
        }
        let (begin, line) = (window.offset, window.line);
        let mut outline = Outline::default();
        outline.read(window)?;
        let head = outline.head(line as usize);
        if window.offset - begin > PIECE as u64
            && let (Some(head), Some(items)) = (head, outline.items)
        {
            lists.push(LargeList { begin, end: (window.offset, window.line), items, head: Arc::new(head) });
        }
    }
}

/// An object without the elements of its array `items`.
#[derive(Debug, Default)]
struct Outline {
    text: Vec<u8>,
    /// The place of the first element, and its line.
    items: Option<(u64, u64)>,
    /// Whether `text` would be too long.
    is_large: bool,
}

impl Outline {
    /// Reads the object that the window stands at, up to its end or that of the file.
    fn read<R: Read + Seek>(&mut self, window: &mut Window<R>) -> io::Result<()> {
        self.take(window, 1);
        loop {
            let space = window.skip_space(0)?;
            self.take(window, space);
            match window.peek(0)? {
                None => return Ok(()),
                Some(b'}') => {
                    self.take(window, 1);
                    return Ok(());
                }
                Some(b',' | b':' | b']') => self.take(window, 1),
                Some(b'"') => {
                    let is_items = self.is_items(window)?;
                    self.value(window)?;
                    if is_items {
                        self.elements(window)?;
                    }
                }
                Some(_) => self.value(window)?,
            }
        }
    }

    /// Whether the window stands at the key of an array `items`.
    fn is_items<R: Read + Seek>(&mut self, window: &mut Window<R>) -> io::Result<bool> {
        const KEY: &[u8] = b"\"items\"";
        window.peek(KEY.len())?;
        if !window.rest().starts_with(KEY) {
            return Ok(false);
        }
        let colon = window.skip_space(KEY.len())?;
        if window.peek(colon)? != Some(b':') {
            return Ok(false);
        }
        let value = window.skip_space(colon + 1)?;
        Ok(window.peek(value)? == Some(b'['))
    }

    /// Passes the array that comes next; of two the text will tell.
    fn elements<R: Read + Seek>(&mut self, window: &mut Window<R>) -> io::Result<()> {
        while window.peek(0)?.is_some_and(|byte| byte != b'[') {
            self.take(window, 1);
        }
        self.text.extend_from_slice(b"[]");
        self.items = Some((window.offset + 1, window.line));
        pass_value(window, |_| {})
    }

    fn value<R: Read + Seek>(&mut self, window: &mut Window<R>) -> io::Result<()> {
        pass_value(window, |passed| self.push(passed))
    }

    fn take<R: Read + Seek>(&mut self, window: &mut Window<R>, count: usize) {
        self.push(window.rest().get(..count).unwrap_or_default());
        window.pass(count);
    }

    fn push(&mut self, passed: &[u8]) {
        self.is_large |= self.text.len() + passed.len() > MAX_HEAD;
        if !self.is_large {
            self.text.extend_from_slice(passed);
        }
    }

    /// What the object, which begins in `line`, says of its items, if it is a list.
    fn head(&self, line: usize) -> Option<ListHead> {
        let text = std::str::from_utf8(&self.text).ok().filter(|_| !self.is_large)?;
        let arena = Arena::new();
        let list = list_items(json_document(&arena, text, 1).ok()?.value)?;
        Some(ListHead { api_version: list.api_version.to_owned(), item_kind: list.item_kind.to_owned(), line })
    }
}

/// Passes the value that the window stands at, or a byte that begins none, and shows what is passed.
pub fn pass_value<R: Read + Seek>(window: &mut Window<R>, mut passed: impl FnMut(&[u8])) -> io::Result<()> {
    let mut brackets = Brackets::default();
    let mut is_first = true;
    while window.peek(0)?.is_some() {
        let end = brackets.walk(window.rest()).map(|end| if is_first { end.max(1) } else { end });
        let count = end.unwrap_or(window.rest().len());
        passed(window.rest().get(..count).unwrap_or_default());
        window.pass(count);
        if end.is_some() {
            break;
        }
        is_first = false;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn lists(text: &str) -> Vec<LargeList> {
        large_lists(&mut Window::new(Cursor::new(text))).expect("readable")
    }

    #[test]
    fn finds_the_end_of_a_value() {
        for (text, end) in [
            ("{\"a\": [1, {\"}\": \"]\\\"}\"}]} x", Some(25)),
            ("[]", Some(2)),
            ("\"a,\\\\\",", Some(6)),
            ("12.5e3]", Some(6)),
            ("true, ", Some(4)),
            ("]", Some(0)),
            ("{\"a", None),
            ("12", None),
        ] {
            assert_eq!(Brackets::default().walk(text.as_bytes()), end, "{text}");
            // The same byte by byte.
            let mut brackets = Brackets::default();
            let found = (0..text.len()).find_map(|at| Some(at + brackets.walk(&text.as_bytes()[at..=at])?));
            assert_eq!(found, end, "{text}");
        }
    }

    #[test]
    fn finds_large_lists_wherever_they_say_what_they_are() {
        let items = "{\"metadata\": {\"name\": \"]}\"}},\n".repeat(PIECE / 20);
        let items = items.trim_end_matches(",\n");
        let small = "{\"kind\": \"List\", \"apiVersion\": \"v1\", \"items\": []}";
        for (before, behind, head) in [
            ("\"apiVersion\": \"v1\", ", ", \"kind\": \"List\"", Some(("v1", ""))),
            ("\"apiVersion\": \"apps/v1\", \"kind\": \"DeploymentList\",", "", Some(("apps/v1", "Deployment"))),
            ("\"apiVersion\": \"v1\", ", ", \"kind\": \"Pod\"", None),
            ("\"apiVersion\": \"v1\", \"items\": [], ", ", \"kind\": \"List\"", None),
            ("\"apiVersion\": \"v1\", \"x\": {\"items\": [1]}, ", ", \"kind\": \"List\"", Some(("v1", ""))),
        ] {
            let text = format!("{small}\n{{{before}\"items\"\n : [{items}]{behind}}}\n{small}");
            let found = lists(&text);
            assert_eq!(found.len(), usize::from(head.is_some()), "{before}");
            for list in found {
                let (items, line) = list.items;
                assert!(text[items as usize..].starts_with("{\"metadata\"") && line == 3, "{before}");
                assert_eq!(text[list.end.0 as usize..].trim_start(), small);
                assert_eq!(list.begin as usize, small.len() + 1);
                assert_eq!(list.end.1, text[..list.end.0 as usize].matches('\n').count() as u64 + 1);
                assert_eq!(Some((&*list.head.api_version, &*list.head.item_kind)), head);
            }
        }
    }

    #[test]
    fn a_list_with_too_much_besides_its_items_is_none() {
        let note = "x".repeat(MAX_HEAD);
        let text = format!("{{\"kind\": \"List\", \"apiVersion\": \"v1\", \"note\": \"{note}\", \"items\": []}}");
        assert_eq!(lists(&text), []);
    }
}
