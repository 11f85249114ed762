//! A place in a YAML text that only moves forward, and what counts as blank and as a line break there.

use super::fault::Fault;

/// A place in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// From 1, as editors count: lines end in `\n`.
    pub line: u32,
    /// In characters from 0.
    pub column: u32,
}

/// A fault and where it is.
pub(super) type Located = (Fault, Mark);

/// The text and how far it has been read.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    /// The offset of the next byte.
    at: usize,
    mark: Mark,
    /// How many line breaks of any kind were passed.
    row: u32,
}

impl<'a> Cursor<'a> {
    /// The beginning of `text`, whose first line is called `line`.
    pub fn new(text: &'a str, line: u32) -> Self {
        Self { text, at: 0, mark: Mark { line, column: 0 }, row: 0 }
    }

    pub fn offset(&self) -> usize {
        self.at
    }

    pub fn mark(&self) -> Mark {
        self.mark
    }

    pub fn column(&self) -> i64 {
        i64::from(self.mark.column)
    }

    pub fn row(&self) -> u32 {
        self.row
    }

    /// The text from the offset `start` up to `end`.
    pub fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The byte `ahead` of the next one; 0, which no text holds, behind the end.
    #[inline]
    pub fn peek(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    #[inline]
    pub fn at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Whether the whole text ends in a line break as editors make it.
    pub fn ends_in_line_break(&self) -> bool {
        self.text.ends_with(['\n', '\r'])
    }

    /// How many bytes the line break `ahead` takes; 0 if there is none.
    ///
    /// A carriage return before the line feed belongs to it twice: once to kubectl's lines and once to YAML's.
    #[inline]
    pub fn break_len(&self, ahead: usize) -> usize {
        match self.peek(ahead) {
            b'\n' => 1,
            b'\r' => match (self.peek(ahead + 1), self.peek(ahead + 2)) {
                (b'\n', _) => 2,
                (b'\r', b'\n') => 3,
                _ => 1,
            },
            0xC2 if self.peek(ahead + 1) == 0x85 => 2,
            0xE2 if self.peek(ahead + 1) == 0x80 && matches!(self.peek(ahead + 2), 0xA8 | 0xA9) => 3,
            _ => 0,
        }
    }

    #[inline]
    pub fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.peek(ahead), b' ' | b'\t')
    }

    #[inline]
    pub fn is_break_or_end(&self, ahead: usize) -> bool {
        self.peek(ahead) == 0 || self.break_len(ahead) > 0
    }

    #[inline]
    pub fn is_blank_break_or_end(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_break_or_end(ahead)
    }

    /// Whether the line begins here with `---` or `...` alone or before a blank.
    pub fn is_document_indicator(&self, indicator: &str) -> bool {
        self.mark.column == 0
            && self.text.get(self.at..).is_some_and(|rest| rest.starts_with(indicator))
            && self.is_blank_break_or_end(indicator.len())
    }

    /// Passes `count` characters of one byte each.
    #[inline]
    pub fn skip(&mut self, count: u32) {
        self.at += count as usize;
        self.mark.column += count;
    }

    /// Passes the next character, which is no line break.
    #[inline]
    pub fn skip_char(&mut self) {
        self.at += 1;
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
        self.mark.column += 1;
    }

    pub fn skip_blanks(&mut self) {
        while self.is_blank(0) {
            self.skip(1);
        }
    }

    /// Passes a comment, if there is one, up to the line break.
    pub fn skip_comment(&mut self) {
        if self.peek(0) == b'#' {
            self.skip_line();
        }
    }

    /// Passes everything up to the line break, and returns it.
    pub fn skip_line(&mut self) -> &'a str {
        let start = self.at;
        while !self.is_break_or_end(0) {
            self.skip_char();
        }
        self.slice(start, self.at)
    }

    /// Passes a line break, if there is one, and returns what it means within a scalar.
    pub fn take_break(&mut self) -> Option<char> {
        let length = self.break_len(0);
        if length == 0 {
            return None;
        }
        let meaning = match self.slice(self.at + length - 1, self.at + length) {
            "\n" | "\r" => '\n',
            _ => self.slice(self.at, self.at + length).chars().next().filter(|c| *c != '\u{85}').unwrap_or('\n'),
        };
        let ends_line = self.peek(length - 1) == b'\n';
        self.at += length;
        self.row += 1;
        self.mark = Mark { line: self.mark.line + u32::from(ends_line), column: 0 };
        Some(meaning)
    }

    /// How many characters lie between the offset `start` and here.
    pub fn characters_since(&self, start: usize) -> usize {
        let bytes = self.at - start;
        if bytes <= MAX_SIMPLE_KEY { bytes } else { self.slice(start, self.at).chars().count() }
    }
}

/// How many characters a key without `?` may have up to its colon.
pub(super) const MAX_SIMPLE_KEY: usize = 1024;
