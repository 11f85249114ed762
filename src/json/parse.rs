//! The JSON parser: strict RFC 8259, one pass, strings borrowed from the input.
//!
//! Children wait on two scratch stacks until their array or object closes and are then copied into the arena at once,
//! so a node costs no allocation of its own; those of a large container in a large text are filled in where they stay. A level of nesting is a level of recursion, which takes less than 512
//! bytes of stack even in a debug build; [`Limits`] bounds it. Numbers follow Kubernetes' decoder: without fraction or exponent and
//! within 64 bits an integer, otherwise a float. As in Go, an unpaired surrogate escape reads as U+FFFD.

use super::arena::Arena;
use super::outline::{Large, Outline};
use super::scan;
use super::value::{INDEXED_FROM, Member, Object, Value};

/// What a document may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many arrays and objects may be nested in each other.
    pub max_depth: usize,
}

/// The nesting that every part of the program is tested to handle; no Kubernetes type comes near it.
pub const DEFAULT_MAX_DEPTH: usize = 512;

/// From this size, in bytes, a text is looked through for large containers before it is parsed.
const OUTLINED_FROM: usize = 64 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Self { max_depth: DEFAULT_MAX_DEPTH }
    }
}

/// Why a text is not an acceptable JSON document, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid JSON at line {line}, column {column} (byte {offset}): {kind}")]
pub struct ParseError {
    /// Byte offset, from 0.
    pub offset: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub kind: ParseErrorKind,
}

/// The kinds of [`ParseError`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    /// There is nothing but white space.
    #[error("the document is empty")]
    Empty,
    /// The text is not UTF-8.
    #[error("the text is not valid UTF-8")]
    Utf8,
    /// Something else was due.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What the grammar allows here.
        expected: &'static str,
        /// What is there, for people.
        found: String,
    },
    /// A string holds a control character that must be escaped.
    #[error("control character U+{0:04X} in a string must be written as an escape")]
    Control(u8),
    /// One object names a member twice.
    #[error("the key {0:?} appears twice in one object")]
    DuplicateKey(String),
    /// A number that no 64-bit float can hold.
    #[error("the number {0} is out of range")]
    NumberRange(String),
    /// More nesting than [`Limits::max_depth`].
    #[error("more than {0} arrays and objects are nested in each other")]
    TooDeep(usize),
}

/// Parses a JSON document; strings without escapes are borrowed from `bytes`.
///
/// # Errors
/// The first fault, with its position. Duplicate keys, excessive nesting and bytes after the document are faults.
pub fn parse<'a>(arena: &'a Arena, bytes: &'a [u8], limits: &Limits) -> Result<Value<'a>, ParseError> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(locate(bytes, Fault { offset: error.valid_up_to(), kind: ParseErrorKind::Utf8 })),
    };
    let outline = if text.len() < OUTLINED_FROM { Outline::default() } else { Outline::of(bytes, limits) };
    let mut parser = Parser { large: outline.large(), ..Parser::new(arena, text, limits) };
    parser.document().map_err(|fault| locate(bytes, *fault))
}

/// Parses the JSON value that `text` begins with; returns how many bytes it takes with the white space before it.
pub(super) fn parse_first<'a>(
    arena: &'a Arena,
    text: &'a str,
    limits: &Limits,
) -> Result<(Value<'a>, usize), ParseError> {
    let mut parser = Parser::new(arena, text, limits);
    match parser.value(0) {
        Ok(value) => Ok((value, parser.at)),
        Err(fault) => Err(locate(text.as_bytes(), *fault)),
    }
}

/// How many bytes the JSON value that `text` begins with takes, whatever it means.
pub(super) fn syntax_end(text: &str, limits: &Limits) -> Result<usize, ParseError> {
    let arena = Arena::new();
    let mut parser = Parser { syntax_only: true, ..Parser::new(&arena, text, limits) };
    match parser.value(0) {
        Ok(_) => Ok(parser.at),
        Err(fault) => Err(locate(text.as_bytes(), *fault)),
    }
}

/// An error before its line and column are counted.
struct Fault {
    offset: usize,
    kind: ParseErrorKind,
}

type Step<T> = Result<T, Box<Fault>>;

struct Parser<'a, 'o> {
    arena: &'a Arena,
    /// The containers to come that are filled in place.
    large: &'o [Large],
    text: &'a str,
    at: usize,
    max_depth: usize,
    /// Looks for the value's end only: what it means may be wrong.
    syntax_only: bool,
    elements: Vec<Value<'a>>,
    members: Vec<Member<'a>>,
}

impl<'a> Parser<'a, '_> {
    fn new(arena: &'a Arena, text: &'a str, limits: &Limits) -> Self {
        let (elements, members) = (Vec::with_capacity(32), Vec::with_capacity(128));
        Self { arena, large: &[], text, at: 0, max_depth: limits.max_depth, syntax_only: false, elements, members }
    }

    fn document(&mut self) -> Step<Value<'a>> {
        if self.peek() == END && self.at >= self.bytes().len() {
            return Err(self.fault(ParseErrorKind::Empty));
        }
        let value = self.value(0)?;
        if self.peek() == END && self.at >= self.bytes().len() {
            Ok(value)
        } else {
            Err(self.expected("the end of the document"))
        }
    }

    /// Parses the value that comes next, `depth` arrays and objects deep.
    // Inlined into the two loops, so that each learns what usually follows in it.
    #[inline(always)]
    fn value(&mut self, depth: usize) -> Step<Value<'a>> {
        match self.peek() {
            b'"' => Ok(Value::String(self.string()?)),
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal("true", Value::Bool(true)),
            b'f' => self.literal("false", Value::Bool(false)),
            b'n' => self.literal("null", Value::Null),
            _ => Err(self.expected("a value")),
        }
    }

    fn object(&mut self, depth: usize) -> Step<Value<'a>> {
        if depth >= self.max_depth {
            return Err(self.fault(ParseErrorKind::TooDeep(self.max_depth)));
        }
        if let Some(children) = self.large() {
            return self.large_object(depth, children);
        }
        self.at += 1;
        let start = self.members.len();
        // One bit per fingerprint of the keys so far: a clear bit proves that a key is new.
        let mut seen = 0u64;
        match self.peek() {
            b'"' => {}
            b'}' => {
                self.at += 1;
                return Ok(Value::Object(Object::default()));
            }
            _ => return Err(self.expected("a key in double quotes or '}'")),
        }
        loop {
            let offset = self.at;
            let key = self.string()?;
            if self.peek() != b':' {
                return Err(self.expected("':' after the key"));
            }
            self.at += 1;
            let fingerprint = 1 << (fingerprint(key) & 63);
            if seen & fingerprint != 0 {
                let earlier = self.members.get(start..).unwrap_or_default();
                // Longer objects are sorted when they close, which finds their duplicates in less time.
                if !self.syntax_only && earlier.len() <= INDEXED_FROM && earlier.iter().any(|(k, _)| *k == key) {
                    return Err(Box::new(Fault { offset, kind: ParseErrorKind::DuplicateKey(key.to_owned()) }));
                }
            }
            seen |= fingerprint;
            let value = self.value(depth + 1)?;
            self.members.push((key, value));
            match self.peek() {
                b',' => {
                    self.at += 1;
                    if self.peek() != b'"' {
                        return Err(self.expected("a key in double quotes"));
                    }
                }
                b'}' => {
                    self.at += 1;
                    return self.close_object(start);
                }
                _ => return Err(self.expected("',' or '}'")),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Step<Value<'a>> {
        if depth >= self.max_depth {
            return Err(self.fault(ParseErrorKind::TooDeep(self.max_depth)));
        }
        if let Some(children) = self.large() {
            return self.large_array(depth, children);
        }
        self.at += 1;
        let start = self.elements.len();
        if self.peek() == b']' {
            self.at += 1;
            return Ok(Value::Array(&[]));
        }
        loop {
            let value = self.value(depth + 1)?;
            self.elements.push(value);
            match self.peek() {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    let elements = self.arena.alloc_slice_copy(self.elements.get(start..).unwrap_or_default());
                    self.elements.truncate(start);
                    return Ok(Value::Array(elements));
                }
                _ => return Err(self.expected("',' or ']'")),
            }
        }
    }

    fn close_object(&mut self, start: usize) -> Step<Value<'a>> {
        let members = self.members.get_mut(start..).unwrap_or_default();
        if let Some(key) = index(members).filter(|_| !self.syntax_only) {
            return Err(self.duplicate(key));
        }
        let object = Object::from_checked(self.arena.alloc_slice_copy(members));
        self.members.truncate(start);
        Ok(Value::Object(object))
    }

    #[inline(always)]
    fn string(&mut self) -> Step<&'a str> {
        let start = self.at + 1;
        let end = scan::string_end(self.bytes(), start);
        match self.bytes().get(end) {
            Some(b'"') => {
                self.at = end + 1;
                match self.text.get(start..end) {
                    Some(text) => Ok(text),
                    // Quotes are never inside a character.
                    None => Err(self.expected("a string")),
                }
            }
            _ => self.escaped_string(start, end),
        }
    }

    /// The rest of a string whose plain part ends at `end` with something other than its closing quote.
    #[cold]
    fn escaped_string(&mut self, start: usize, mut end: usize) -> Step<&'a str> {
        let mut unescaped = String::with_capacity(64);
        let mut plain = start;
        loop {
            unescaped.push_str(self.text.get(plain..end).unwrap_or_default());
            self.at = end;
            match self.bytes().get(end) {
                Some(b'"') => {
                    self.at = end + 1;
                    return Ok(self.arena.alloc_str(&unescaped));
                }
                Some(b'\\') => unescaped.push(self.escape()?),
                Some(control) => return Err(self.fault(ParseErrorKind::Control(*control))),
                None => return Err(self.expected("the closing quote of a string")),
            }
            plain = self.at;
            end = scan::string_end(self.bytes(), plain);
        }
    }

    fn escape(&mut self) -> Step<char> {
        let char = match self.bytes().get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => {
                self.at += 1;
                return Err(self.expected("one of \" \\ / b f n r t u after '\\'"));
            }
        };
        self.at += 2;
        Ok(char)
    }

    fn unicode_escape(&mut self) -> Step<char> {
        let Some(first) = self.hex4(self.at) else {
            self.at += 2;
            return Err(self.expected("four hexadecimal digits after '\\u'"));
        };
        self.at += 6;
        if let Some(char) = char::from_u32(first) {
            return Ok(char);
        }
        if (0xD800..0xDC00).contains(&first)
            && let Some(second) = self.hex4(self.at)
            && (0xDC00..0xE000).contains(&second)
        {
            self.at += 6;
            let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    /// The code of the `\uXXXX` that starts at `at`.
    fn hex4(&self, at: usize) -> Option<u32> {
        let escape = self.bytes().get(at..at + 6)?.strip_prefix(b"\\u")?;
        escape.iter().try_fold(0, |code, byte| Some(code << 4 | char::from(*byte).to_digit(16)?))
    }

    #[inline]
    fn number(&mut self) -> Step<Value<'a>> {
        let start = self.at;
        let negative = self.bytes().get(start) == Some(&b'-');
        let first = start + usize::from(negative);
        let mut magnitude: u64 = 0;
        let mut at = first;
        while let Some(byte) = self.bytes().get(at)
            && byte.is_ascii_digit()
        {
            magnitude = magnitude.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
            at += 1;
        }
        self.at = at;
        let leading_zero = self.bytes().get(first) == Some(&b'0') && at > first + 1;
        if at == first || leading_zero {
            self.at = if leading_zero { first + 1 } else { first };
            return Err(self.expected(if leading_zero { "no digit after a leading 0" } else { "a digit" }));
        }
        // Eighteen digits cannot overflow.
        if at - first <= 18 && !matches!(self.bytes().get(at), Some(b'.' | b'e' | b'E')) {
            let magnitude = magnitude.cast_signed();
            return Ok(Value::Int(if negative { -magnitude } else { magnitude }));
        }
        self.long_number(start)
    }

    /// A number with a fraction, an exponent or many digits; `self.at` is behind its integer digits.
    #[cold]
    fn long_number(&mut self, start: usize) -> Step<Value<'a>> {
        let mut integral = true;
        if self.bytes().get(self.at) == Some(&b'.') {
            integral = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes().get(self.at), Some(b'e' | b'E')) {
            integral = false;
            self.at += 1;
            if matches!(self.bytes().get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if integral && let Ok(int) = text.parse::<i64>() {
            return Ok(Value::Int(int));
        }
        match text.parse::<f64>() {
            Ok(float) if float.is_finite() || self.syntax_only => Ok(Value::Float(float)),
            _ => {
                let kind = ParseErrorKind::NumberRange(shorten(text));
                Err(Box::new(Fault { offset: start, kind }))
            }
        }
    }

    fn digits(&mut self) -> Step<()> {
        let start = self.at;
        while self.bytes().get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start { Err(self.expected("a digit")) } else { Ok(()) }
    }

    #[inline]
    fn literal(&mut self, word: &'static str, value: Value<'a>) -> Step<Value<'a>> {
        let end = self.at + word.len();
        if self.bytes().get(self.at..end) != Some(word.as_bytes()) {
            return Err(self.expected("a value"));
        }
        self.at = end;
        Ok(value)
    }

    /// The text's bytes. Not kept beside it: the compiler would not know that both are one, and check twice what was
    /// read once.
    #[inline(always)]
    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The next byte that is not white space; [`END`] at the end.
    #[inline]
    fn peek(&mut self) -> u8 {
        let byte = self.bytes().get(self.at).copied().unwrap_or(END);
        if byte > b' ' { byte } else { self.skip_space() }
    }

    fn skip_space(&mut self) -> u8 {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes().get(self.at) {
            self.at += 1;
        }
        self.bytes().get(self.at).copied().unwrap_or(END)
    }

    #[cold]
    fn duplicate(&self, key: &str) -> Box<Fault> {
        // A key without escapes is a part of the text, which tells where it stands.
        let distance = key.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr());
        let offset = if distance < self.text.len() { distance.saturating_sub(1) } else { self.at.saturating_sub(1) };
        Box::new(Fault { offset, kind: ParseErrorKind::DuplicateKey(key.to_owned()) })
    }

    #[cold]
    fn expected(&self, expected: &'static str) -> Box<Fault> {
        let found = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            None => "the end of the text".to_owned(),
            Some(char) => format!("{char:?}"),
        };
        self.fault(ParseErrorKind::Expected { expected, found })
    }

    #[cold]
    fn fault(&self, kind: ParseErrorKind) -> Box<Fault> {
        Box::new(Fault { offset: self.at, kind })
    }
}

/// Sorts the members of a long object; returns a key that is there twice.
#[inline]
fn index<'a>(members: &mut [Member<'a>]) -> Option<&'a str> {
    if members.len() <= INDEXED_FROM {
        return None;
    }
    // In place, so that it takes no memory. Of two equal keys the later one in the text stays behind the earlier.
    members.sort_unstable_by_key(|(key, _)| (*key, key.as_ptr().addr()));
    members.array_windows().find(|[a, b]| a.0 == b.0).map(|[_, b]| b.0)
}

/// What [`Parser::peek`] answers at the end; a NUL in the text is no token either.
const END: u8 = 0;

/// A cheap hash that tells the field names of one Kubernetes object apart.
#[inline]
fn fingerprint(key: &str) -> u8 {
    let bytes = key.as_bytes();
    let middle = bytes.get(bytes.len() / 2).copied().unwrap_or_default();
    (bytes.len() as u8).wrapping_mul(8) ^ middle
}

fn shorten(number: &str) -> String {
    if number.len() <= 40 {
        return number.to_owned();
    }
    format!("{}…", number.get(..40).unwrap_or_default())
}

#[cold]
fn locate(bytes: &[u8], fault: Fault) -> ParseError {
    let offset = fault.offset.min(bytes.len());
    let before = bytes.get(..offset).unwrap_or_default();
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column = String::from_utf8_lossy(before.get(line_start..).unwrap_or_default()).chars().count() + 1;
    ParseError { offset, line, column, kind: fault.kind }
}

#[path = "parse_large.rs"]
mod large;
#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
