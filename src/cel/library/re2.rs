//! Regular expressions in the syntax of Go's `regexp` (RE2), on the `regex` crate.
//!
//! The two agree on matching; on syntax they differ in both directions. A pattern is therefore parsed by Go's rules,
//! refused with Go's messages, and written anew in forms that leave the crate nothing to interpret: no flags, no
//! shorthand classes, every special character escaped. Groups capture nothing, since no CEL function asks for them.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use regex::{Regex, RegexBuilder};

use super::re2_class::{self, Cursor};

/// The longest pattern in bytes.
pub const MAX_PATTERN_BYTES: usize = 64 << 10;

/// The largest compiled pattern in bytes, about.
pub const MAX_COMPILED_BYTES: usize = 8 << 20;

/// The most that `{n,m}` may repeat, nested repetitions multiplied.
const MAX_REPEAT: u32 = 1000;

/// How many patterns that came from data a thread keeps.
const CACHED_PATTERNS: usize = 16;

/// How many patterns that nobody may use any more are kept: what is checked first is compiled soon after.
const RECENT_PATTERNS: usize = 8;

/// Compiles a pattern; one that is in use already is shared, for policies have many in common.
///
/// # Errors
/// Go's message, which begins with `error parsing regexp`.
pub fn compile(pattern: &str) -> Result<Arc<Regex>, String> {
    static SHARED: LazyLock<Mutex<Shared>> = LazyLock::new(Mutex::default);
    // A panic leaves nothing half-done in it.
    let shared = || SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = shared().known.get(pattern).and_then(Weak::upgrade);
    match known {
        Some(known) => Ok(known),
        None => {
            let regex = Arc::new(build(pattern)?);
            shared().keep(pattern, &regex);
            Ok(regex)
        }
    }
}

/// The patterns in use.
#[derive(Default)]
struct Shared {
    known: HashMap<Box<str>, Weak<Regex>>,
    /// How many there may be before those out of use are dropped.
    limit: usize,
    recent: VecDeque<Arc<Regex>>,
}

impl Shared {
    fn keep(&mut self, pattern: &str, regex: &Arc<Regex>) {
        if self.recent.len() >= RECENT_PATTERNS {
            self.recent.pop_front();
        }
        self.recent.push_back(Arc::clone(regex));
        if self.known.len() >= self.limit {
            self.known.retain(|_, regex| regex.strong_count() > 0);
            self.limit = 2 * self.known.len() + RECENT_PATTERNS;
        }
        self.known.insert(pattern.into(), Arc::downgrade(regex));
    }
}

fn build(pattern: &str) -> Result<Regex, String> {
    let too_large = || error("expression too large", pattern);
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(too_large());
    }
    let translated = translate(pattern)?;
    RegexBuilder::new(&translated).size_limit(MAX_COMPILED_BYTES).build().map_err(|cause| match cause {
        regex::Error::CompiledTooBig(_) => too_large(),
        _ => error("expression nests too deeply", pattern),
    })
}

/// Compiles a pattern that may have been seen before: patterns from data repeat, and so do literal ones that nobody
/// compiled ahead.
///
/// # Errors
/// As [`compile`].
pub fn compile_cached(pattern: &str) -> Result<Rc<Regex>, String> {
    /// A pattern as threads share it, and a copy that takes turns with no other thread.
    type Known = (Box<str>, Arc<Regex>, Rc<Regex>);
    thread_local! {
        // The most recently used stands last.
        static CACHE: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
    }
    CACHE.with_borrow_mut(|cache| {
        if let Some(at) = cache.iter().position(|(known, ..)| **known == *pattern) {
            let found = cache.remove(at);
            let regex = Rc::clone(&found.2);
            cache.push(found);
            return Ok(regex);
        }
        let shared = compile(pattern)?;
        let regex = Rc::new(Regex::clone(&shared));
        if cache.len() >= CACHED_PATTERNS {
            cache.remove(0);
        }
        cache.push((pattern.into(), shared, Rc::clone(&regex)));
        Ok(regex)
    })
}

/// Go's text of a syntax error.
pub fn error(what: &str, expression: &str) -> String {
    format!("error parsing regexp: {what}: `{expression}`")
}

/// The flags that Go has.
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    fold_case: bool,
    multi_line: bool,
    dot_newline: bool,
    swap_greed: bool,
}

/// A group that is still open, the whole pattern being the outermost.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    /// The flags to return to behind it.
    outer: Flags,
    /// The largest product of nested `{n,m}` within, so far.
    repeats: u32,
    /// Where its text begins.
    begins: usize,
}

struct Translator<'p> {
    pattern: &'p str,
    cursor: Cursor<'p>,
    out: String,
    flags: Flags,
    groups: Vec<Group>,
    current: Group,
    /// The product of nested `{n,m}` in what a repetition would repeat, if there is something to repeat.
    operand: Option<u32>,
    /// Where the operand's text begins.
    operand_begins: usize,
    /// Whether the operand is a repetition: flags may stand between it and a further operator, as in `a+(?i)*`.
    operand_repeated: bool,
}

/// Writes a Go pattern in the crate's syntax.
fn translate(pattern: &str) -> Result<String, String> {
    let mut translator = Translator {
        pattern,
        cursor: Cursor::new(pattern),
        out: String::with_capacity(pattern.len() * 2),
        flags: Flags::default(),
        groups: Vec::new(),
        current: Group::default(),
        operand: None,
        operand_begins: 0,
        operand_repeated: false,
    };
    translator.run()?;
    Ok(translator.out)
}

impl<'p> Translator<'p> {
    fn run(&mut self) -> Result<(), String> {
        // Where a repetition began that has just been written.
        let mut repetition: Option<&'p str> = None;
        while let Some(c) = self.cursor.peek() {
            let start = self.cursor.rest();
            let mut repeated = false;
            match c {
                '(' if start.starts_with("(?") => self.perl_group(start)?,
                '(' => {
                    self.cursor.next();
                    self.open(self.flags);
                }
                '|' => {
                    self.cursor.next();
                    self.out.push('|');
                    self.finish_operand();
                }
                ')' => {
                    self.cursor.next();
                    self.close()?;
                }
                '^' => self.single(if self.flags.multi_line { "(?m:^)" } else { r"\A" }),
                '$' => self.single(if self.flags.multi_line { "(?m:$)" } else { r"\z" }),
                '.' => self.single(if self.flags.dot_newline { "(?s:.)" } else { r"[^\n]" }),
                '[' => {
                    let class = re2_class::bracketed(&mut self.cursor)?;
                    self.atom_folded(&class);
                }
                '*' | '+' | '?' => {
                    self.cursor.next();
                    self.repeat(start, repetition, c.to_string(), 0, Some(0))?;
                    repeated = true;
                }
                '{' => match counts(start) {
                    None => {
                        self.cursor.next();
                        self.literal('{');
                    }
                    Some((min, max, rest)) => {
                        self.cursor.skip_to(rest);
                        self.counted(start, repetition, min, max)?;
                        repeated = true;
                    }
                },
                '\\' => self.escape(start)?,
                _ => {
                    self.cursor.next();
                    self.literal(c);
                }
            }
            repetition = repeated.then_some(start);
        }
        if self.groups.is_empty() { Ok(()) } else { Err(error("missing closing )", self.pattern)) }
    }

    /// Writes an operator of one character.
    fn single(&mut self, text: &str) {
        self.cursor.next();
        self.atom(text);
    }

    fn atom(&mut self, text: &str) {
        self.finish_operand();
        self.operand_begins = self.out.len();
        self.out.push_str(text);
        (self.operand, self.operand_repeated) = (Some(1), false);
    }

    fn atom_folded(&mut self, text: &str) {
        if self.flags.fold_case {
            self.atom(&format!("(?i:{text})"));
        } else {
            self.atom(text);
        }
    }

    fn literal(&mut self, c: char) {
        if c.is_ascii_alphanumeric() || !c.is_ascii() {
            let mut buffer = [0; 4];
            self.atom_folded(c.encode_utf8(&mut buffer));
        } else {
            self.atom(&format!("\\x{:02X}", u32::from(c)));
        }
    }

    /// What came last can't be repeated any more.
    fn finish_operand(&mut self) {
        let repeats = self.operand.take().unwrap_or(1);
        self.current.repeats = self.current.repeats.max(repeats);
    }

    fn open(&mut self, flags: Flags) {
        self.finish_operand();
        self.groups.push(self.current);
        self.current = Group { outer: self.flags, repeats: 1, begins: self.out.len() };
        self.out.push_str("(?:");
        self.flags = flags;
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(outer) = self.groups.pop() else { return Err(error("unexpected )", self.pattern)) };
        self.finish_operand();
        self.out.push(')');
        (self.operand, self.operand_repeated) = (Some(self.current.repeats), false);
        self.operand_begins = self.current.begins;
        self.flags = self.current.outer;
        self.current = outer;
        Ok(())
    }

    /// `(?…`: a named group, a group without a number, or flags.
    fn perl_group(&mut self, start: &'p str) -> Result<(), String> {
        if let Some(name) = start.strip_prefix("(?P<").or_else(|| start.strip_prefix("(?<")).filter(|_| start.len() > 3)
        {
            let Some((name, rest)) = name.split_once('>') else {
                return Err(error("invalid named capture", start));
            };
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Err(error("invalid named capture", before(start, rest)));
            }
            self.cursor.skip_to(rest);
            self.open(self.flags);
            return Ok(());
        }
        self.cursor.skip_to(start.get(2..).unwrap_or_default());
        let mut flags = self.flags;
        let (mut on, mut saw_flag) = (true, false);
        while let Some(c) = self.cursor.next() {
            match c {
                'i' => flags.fold_case = on,
                'm' => flags.multi_line = on,
                's' => flags.dot_newline = on,
                'U' => flags.swap_greed = on,
                '-' if on => {
                    (on, saw_flag) = (false, false);
                    continue;
                }
                ':' if on || saw_flag => {
                    self.open(flags);
                    return Ok(());
                }
                ')' if on || saw_flag => {
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            }
            saw_flag = true;
        }
        Err(error("invalid or unsupported Perl syntax", before(start, self.cursor.rest())))
    }

    /// `{min,max}`; -1 for a number that is too large to be one.
    fn counted(&mut self, start: &'p str, previous: Option<&'p str>, min: i64, max: Option<i64>) -> Result<(), String> {
        let invalid = |rest: &str| Err(error("invalid repeat count", before(start, rest)));
        let limit = i64::from(MAX_REPEAT);
        let (Ok(least), Ok(most)) = (u32::try_from(min), max.map(u32::try_from).transpose()) else {
            return invalid(self.cursor.rest());
        };
        if min > limit || max.is_some_and(|max| max > limit || min > max) {
            return invalid(self.cursor.rest());
        }
        let operator = match most {
            Some(most) => format!("{{{least},{most}}}"),
            None => format!("{{{least},}}"),
        };
        self.repeat(start, previous, operator, least, most)?;
        if (least >= 2 || most.is_some_and(|most| most >= 2))
            && self.operand.is_some_and(|repeats| repeats > MAX_REPEAT)
        {
            return invalid(self.cursor.rest());
        }
        Ok(())
    }

    /// Repeats the operand; the counts are for the limit only, zero for `*`, `+` and `?`.
    fn repeat(
        &mut self,
        start: &'p str,
        previous: Option<&'p str>,
        operator: String,
        min: u32,
        max: Option<u32>,
    ) -> Result<(), String> {
        let lazy = self.cursor.peek() == Some('?');
        if lazy {
            self.cursor.next();
        }
        if let Some(previous) = previous {
            return Err(error("invalid nested repetition operator", before(previous, self.cursor.rest())));
        }
        let Some(repeats) = self.operand else {
            return Err(error("missing argument to repetition operator", before(start, self.cursor.rest())));
        };
        let is_counted = operator.starts_with('{');
        self.operand = Some(match max {
            Some(0) if is_counted => 1,
            max => repeats.saturating_mul(max.unwrap_or(min).max(1)),
        });
        if self.operand_repeated {
            self.out.insert_str(self.operand_begins, "(?:");
            self.out.push(')');
        }
        self.operand_repeated = true;
        self.out.push_str(&operator);
        if lazy != self.flags.swap_greed {
            self.out.push('?');
        }
        Ok(())
    }

    fn escape(&mut self, start: &'p str) -> Result<(), String> {
        let mut after = start.get(1..).unwrap_or_default().chars();
        let assertion = match after.next() {
            Some('A') => r"\A",
            Some('z') => r"\z",
            Some('b') => r"(?-u:\b)",
            Some('B') => r"(?-u:\B)",
            Some('C') => return Err(error("invalid escape sequence", r"\C")),
            Some('Q') => {
                let quoted = start.get(2..).unwrap_or_default();
                let (quoted, rest) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
                quoted.chars().for_each(|c| self.literal(c));
                self.cursor.skip_to(rest);
                return Ok(());
            }
            _ => {
                if let Some(class) = re2_class::escaped(&mut self.cursor)? {
                    self.atom_folded(&format!("[{class}]"));
                } else {
                    match re2_class::character(&mut self.cursor)?.into_char() {
                        Some(c) => self.literal(c),
                        None => self.atom(re2_class::NOTHING),
                    }
                }
                return Ok(());
            }
        };
        self.cursor.skip_to(after.as_str());
        self.atom(assertion);
        Ok(())
    }
}

/// What `whole` has before its suffix `rest`.
fn before<'t>(whole: &'t str, rest: &str) -> &'t str {
    whole.get(..whole.len().saturating_sub(rest.len())).unwrap_or(whole)
}

/// `{n}`, `{n,}` or `{n,m}` and what follows; everything else is no repetition but text.
fn counts(text: &str) -> Option<(i64, Option<i64>, &str)> {
    let (min, rest) = count(text.strip_prefix('{')?)?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, Some(min), rest));
    }
    let rest = rest.strip_prefix(',')?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, None, rest));
    }
    let (max, rest) = count(rest)?;
    // A number that is too large spoils both.
    Some((if max < 0 { -1 } else { min }, Some(max), rest.strip_prefix('}')?))
}

/// A number without leading zeros; -1 if it is too large to be one.
fn count(text: &str) -> Option<(i64, &str)> {
    let (digits, rest) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().ok().filter(|n| *n < 1_000_000_000).unwrap_or(-1), rest))
}
