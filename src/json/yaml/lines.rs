//! Where the values of a document stand, remembered while it is read.

use crate::json::parse::{Limits, parse};
use crate::json::value::INDEXED_FROM;
use crate::json::{Arena, ArenaVec};

/// A step into a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'s> {
    /// To the value of a key.
    Key(&'s str),
    /// To an element.
    Index(usize),
}

/// The line of a value, and of everything in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lines<'a> {
    pub(super) line: u32,
    pub(super) below: Below<'a>,
}

/// What a value holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Below<'a> {
    Elements(&'a [Lines<'a>]),
    /// Sorted by key when longer than [`INDEXED_FROM`].
    Members(&'a [(&'a str, Lines<'a>)]),
}

impl Default for Below<'_> {
    fn default() -> Self {
        Self::Elements(&[])
    }
}

impl<'a> Lines<'a> {
    /// Those of a value of which nothing but its line is known.
    pub fn of_line(line: usize) -> Self {
        Self { line: u32::try_from(line).unwrap_or(u32::MAX), below: Below::default() }
    }

    /// The line, from 1, of the key or element that `path` leads to, or of the nearest one above it that the text has.
    ///
    /// What an alias or a merge key brings stands where its anchor is.
    pub fn line(&self, path: &[Step<'_>]) -> usize {
        self.at(path).line as usize
    }

    /// The lines of what `path` leads to, or of the nearest value above it.
    pub fn at(&self, path: &[Step<'_>]) -> Lines<'a> {
        let mut current = *self;
        for step in path {
            let Some(next) = current.child(step) else { break };
            current = next;
        }
        current
    }

    fn child(&self, step: &Step<'_>) -> Option<Lines<'a>> {
        match (self.below, step) {
            (Below::Elements(elements), Step::Index(index)) => elements.get(*index).copied(),
            (Below::Members(members), Step::Key(key)) if members.len() > INDEXED_FROM => {
                let place = members.binary_search_by(|(name, _)| (*name).cmp(key)).ok()?;
                members.get(place).map(|(_, lines)| *lines)
            }
            (Below::Members(members), Step::Key(key)) => {
                members.iter().find(|(name, _)| name == key).map(|(_, lines)| *lines)
            }
            _ => None,
        }
    }

    /// Those of an object at `line`, whose members have lines of their own.
    pub fn of_members(arena: &'a Arena, line: usize, members: &mut [(&'a str, Lines<'a>)]) -> Self {
        Self::mapping(arena, u32::try_from(line).unwrap_or(u32::MAX), members)
    }

    /// Those of an array at `line`, whose elements have lines of their own.
    pub fn of_elements(arena: &'a Arena, line: usize, elements: &[Lines<'a>]) -> Self {
        Self::sequence(arena, u32::try_from(line).unwrap_or(u32::MAX), elements)
    }

    /// The lines of a mapping whose keys differ.
    pub(super) fn mapping(arena: &'a Arena, line: u32, members: &mut [(&'a str, Lines<'a>)]) -> Self {
        if members.len() > INDEXED_FROM {
            members.sort_by_key(|(name, _)| *name);
        }
        Self { line, below: Below::Members(arena.alloc_slice_copy(members)) }
    }

    pub(super) fn sequence(arena: &'a Arena, line: u32, elements: &[Lines<'a>]) -> Self {
        Self { line, below: Below::Elements(arena.alloc_slice_copy(elements)) }
    }

    /// The lines of the JSON value that `text` begins with, which has been parsed; its first line is called `line`.
    pub(super) fn of_json(arena: &'a Arena, text: &'a str, line: u32) -> Self {
        JsonWalk { arena, text, at: 0, line }.value()
    }
}

/// A walk over JSON that is known to be good.
struct JsonWalk<'a> {
    arena: &'a Arena,
    text: &'a str,
    at: usize,
    line: u32,
}

impl<'a> JsonWalk<'a> {
    /// Passes white space, commas and colons; returns what comes next.
    fn peek(&mut self) -> u8 {
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' | b',' | b':' => {}
                other => return *other,
            }
            self.at += 1;
        }
        0
    }

    fn value(&mut self) -> Lines<'a> {
        let first = self.peek();
        let line = self.line;
        match first {
            b'{' => {
                self.at += 1;
                let mut members = ArenaVec::new_in(self.arena);
                while self.peek() == b'"' {
                    let line = self.line;
                    let key = self.string();
                    members.push((key, Lines { line, ..self.value() }));
                }
                self.at += 1;
                Lines::mapping(self.arena, line, &mut members)
            }
            b'[' => {
                self.at += 1;
                let mut elements = ArenaVec::new_in(self.arena);
                while !matches!(self.peek(), b']' | 0) {
                    elements.push(self.value());
                }
                self.at += 1;
                Lines::sequence(self.arena, line, &elements)
            }
            b'"' => {
                self.string();
                Lines { line, ..Lines::default() }
            }
            _ => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.'));
                self.at += end.unwrap_or(rest.len()).max(1);
                Lines { line, ..Lines::default() }
            }
        }
    }

    fn string(&mut self) -> &'a str {
        let start = self.at;
        self.at = json_string_end(self.text.as_bytes(), start);
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        if quoted.contains('\\') {
            let value = parse(self.arena, quoted.as_bytes(), &Limits::default()).ok();
            return value.and_then(|value| value.as_str()).unwrap_or_default();
        }
        quoted.trim_matches('"')
    }
}

/// The offset behind the JSON string that begins at `start`.
pub(super) fn json_string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        match text.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
            None => return text.len(),
        }
    }
}
