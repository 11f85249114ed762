//! From characters to tokens, as libyaml's scanner cuts them, of which upstream's is a port.
//!
//! What makes YAML hard is here: indentation becomes tokens of its own, and a key is only known by the colon behind it,
//! so tokens wait in a queue until it is known whether a key begins with them.

use std::collections::VecDeque;

use super::cursor::{Cursor, Located, MAX_SIMPLE_KEY, Mark};
use super::fault::Fault;
use crate::json::Arena;

/// What the text is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'a str),
    Anchor(&'a str),
    /// With what its handle stands for.
    Tag(&'a str),
    /// With a handle that stands for nothing.
    UndefinedTag(&'a str),
    Scalar {
        text: &'a str,
        /// Neither in quotes nor a block.
        plain: bool,
    },
}

/// A token in the queue.
#[derive(Clone, Copy, Debug)]
struct Queued<'a> {
    token: Token<'a>,
    mark: Mark,
    /// The flow level whose possible key begins with it.
    key: Option<usize>,
}

/// What may turn out to be a key once a colon follows.
#[derive(Clone, Copy, Debug, Default)]
struct SimpleKey {
    possible: bool,
    /// Nothing else can stand there.
    required: bool,
    /// The number of its first token.
    token: usize,
    /// The tokens wait for the colon no longer. Upstream forgets so when a flow list or mapping without keys of its own
    /// closes, which then can't be a key either.
    released: bool,
    offset: usize,
    row: u32,
    mark: Mark,
}

/// Cuts a text into tokens.
pub(super) struct Scanner<'a> {
    pub(super) arena: &'a Arena,
    pub(super) cursor: Cursor<'a>,
    /// Where scalars are put together.
    pub(super) scratch: String,
    queue: VecDeque<Queued<'a>>,
    /// How many tokens have left the queue.
    taken: usize,
    ended: bool,
    /// The column of the current block; -1 outside of all.
    pub(super) indent: i64,
    indents: Vec<i64>,
    pub(super) key_allowed: bool,
    /// The possible key of each flow level, the block's first.
    keys: Vec<SimpleKey>,
}

impl<'a> Scanner<'a> {
    pub fn new(arena: &'a Arena, text: &'a str, line: u32) -> Self {
        Self {
            arena,
            cursor: Cursor::new(text, line),
            scratch: String::new(),
            queue: VecDeque::with_capacity(16),
            taken: 0,
            ended: false,
            indent: -1,
            indents: Vec::new(),
            key_allowed: true,
            keys: vec![SimpleKey::default()],
        }
    }

    /// The next token, which stays.
    pub fn peek(&mut self) -> Result<(Token<'a>, Mark), Located> {
        loop {
            if let Some(first) = self.queue.front().copied()
                && !self.may_begin_key(first)?
            {
                return Ok((first.token, first.mark));
            }
            if self.ended {
                return Ok((Token::StreamEnd, self.cursor.mark()));
            }
            self.fetch()?;
        }
    }

    /// Drops the token that [`Scanner::peek`] returned.
    pub fn skip(&mut self) {
        self.queue.pop_front();
        self.taken += 1;
    }

    pub(super) fn in_flow(&self) -> bool {
        self.keys.len() > 1
    }

    /// Whether it is still open if the first token of the queue begins a key.
    fn may_begin_key(&mut self, first: Queued<'a>) -> Result<bool, Located> {
        match first.key {
            Some(level) if self.keys.get(level).is_some_and(|key| key.token == self.taken && !key.released) => {
                self.is_possible(level)
            }
            _ => Ok(false),
        }
    }

    /// Whether the possible key of a flow level still is one: keys end in their line.
    fn is_possible(&mut self, level: usize) -> Result<bool, Located> {
        let Some(key) = self.keys.get_mut(level).filter(|key| key.possible) else { return Ok(false) };
        // The text's end is a line's end.
        if !self.ended && key.row == self.cursor.row() && self.cursor.characters_since(key.offset) <= MAX_SIMPLE_KEY {
            return Ok(true);
        }
        if key.required {
            return Err((Fault::NoColon, key.mark));
        }
        key.possible = false;
        Ok(false)
    }

    fn fetch(&mut self) -> Result<(), Located> {
        self.skip_to_token()?;
        self.unroll_indent(self.cursor.column());
        let cursor = &self.cursor;
        let (byte, flow) = (cursor.peek(0), self.in_flow());
        let spaced = cursor.is_blank_break_or_end(1);
        match byte {
            0 if cursor.at_end() => {
                self.unroll_indent(-1);
                self.forget_key()?;
                self.key_allowed = false;
                self.ended = true;
            }
            b'%' if cursor.mark().column == 0 => return Err((Fault::Directive, cursor.mark())),
            b'-' if cursor.is_document_indicator("---") => self.document_indicator(Token::DocumentStart)?,
            b'.' if cursor.is_document_indicator("...") => self.document_indicator(Token::DocumentEnd)?,
            b'[' => self.flow_start(Token::FlowSequenceStart)?,
            b'{' => self.flow_start(Token::FlowMappingStart)?,
            b']' => self.flow_end(Token::FlowSequenceEnd)?,
            b'}' => self.flow_end(Token::FlowMappingEnd)?,
            b',' => {
                self.forget_key()?;
                self.key_allowed = true;
                self.indicator(Token::FlowEntry);
            }
            b'-' if spaced => self.block_entry()?,
            b'?' if flow || spaced => self.explicit_key()?,
            b':' if flow || spaced => self.value()?,
            b'*' | b'&' => {
                let level = self.save_key()?;
                self.key_allowed = false;
                let mark = self.cursor.mark();
                let name = self.anchor()?;
                self.push(if byte == b'*' { Token::Alias(name) } else { Token::Anchor(name) }, mark, level);
            }
            b'!' => {
                let level = self.save_key()?;
                self.key_allowed = false;
                let mark = self.cursor.mark();
                let tag = self.tag()?;
                self.push(tag, mark, level);
            }
            b'|' | b'>' if !flow => {
                self.forget_key()?;
                self.key_allowed = true;
                let mark = self.cursor.mark();
                let text = self.block_scalar(byte == b'|')?;
                self.push(Token::Scalar { text, plain: false }, mark, None);
            }
            b'\'' | b'"' => {
                let level = self.save_key()?;
                self.key_allowed = false;
                let mark = self.cursor.mark();
                let text = self.quoted_scalar(byte)?;
                self.push(Token::Scalar { text, plain: false }, mark, level);
            }
            b'\t' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => {
                return Err((Fault::NoToken(byte.into()), cursor.mark()));
            }
            _ => self.plain()?,
        }
        Ok(())
    }

    fn plain(&mut self) -> Result<(), Located> {
        let level = self.save_key()?;
        self.key_allowed = false;
        let mark = self.cursor.mark();
        let text = self.plain_scalar()?;
        self.push(Token::Scalar { text, plain: true }, mark, level);
        Ok(())
    }

    /// Passes blanks, comments and line breaks. A tab is no indentation: it may stand only where no key can begin.
    fn skip_to_token(&mut self) -> Result<(), Located> {
        const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];
        loop {
            let cursor = &mut self.cursor;
            if cursor.mark().column == 0 && [cursor.peek(0), cursor.peek(1), cursor.peek(2)] == BOM {
                return Err((Fault::ByteOrderMark, cursor.mark()));
            }
            let tabs = self.keys.len() > 1 || !self.key_allowed;
            while cursor.peek(0) == b' ' || (tabs && cursor.peek(0) == b'\t') {
                cursor.skip(1);
            }
            cursor.skip_comment();
            if cursor.take_break().is_none() {
                return Ok(());
            }
            if self.keys.len() == 1 {
                self.key_allowed = true;
            }
        }
    }

    fn push(&mut self, token: Token<'a>, mark: Mark, key: Option<usize>) {
        self.queue.push_back(Queued { token, mark, key });
    }

    /// Pushes the token of an indicator of one character.
    fn indicator(&mut self, token: Token<'a>) {
        let mark = self.cursor.mark();
        self.cursor.skip(1);
        self.push(token, mark, None);
    }

    /// Remembers that a key may begin with the next token, and returns its flow level.
    fn save_key(&mut self) -> Result<Option<usize>, Located> {
        if !self.key_allowed {
            return Ok(None);
        }
        self.forget_key()?;
        let key = SimpleKey {
            possible: true,
            released: false,
            required: !self.in_flow() && self.indent == self.cursor.column(),
            token: self.taken + self.queue.len(),
            offset: self.cursor.offset(),
            row: self.cursor.row(),
            mark: self.cursor.mark(),
        };
        if let Some(last) = self.keys.last_mut() {
            *last = key;
        }
        Ok(Some(self.keys.len() - 1))
    }

    /// No key begins at the possible one of this flow level.
    fn forget_key(&mut self) -> Result<(), Located> {
        match self.keys.last_mut() {
            Some(key) if key.possible && key.required => Err((Fault::NoColon, key.mark)),
            Some(key) => {
                key.possible = false;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Opens a block at `column`, if it is deeper than the current one; its token goes before the token numbered `before`.
    fn roll_indent(&mut self, column: i64, token: Token<'a>, mark: Mark, before: Option<usize>) {
        if self.in_flow() || self.indent >= column {
            return;
        }
        self.indents.push(self.indent);
        self.indent = column;
        self.insert(token, mark, before);
    }

    fn insert(&mut self, token: Token<'a>, mark: Mark, before: Option<usize>) {
        let place = before.map_or(self.queue.len(), |number| {
            number.checked_sub(self.taken).unwrap_or(usize::MAX).min(self.queue.len())
        });
        self.queue.insert(place, Queued { token, mark, key: None });
    }

    /// Closes the blocks that are deeper than `column`.
    fn unroll_indent(&mut self, column: i64) {
        if self.in_flow() {
            return;
        }
        while self.indent > column {
            self.push(Token::BlockEnd, self.cursor.mark(), None);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn document_indicator(&mut self, token: Token<'a>) -> Result<(), Located> {
        self.unroll_indent(-1);
        self.forget_key()?;
        self.key_allowed = false;
        let mark = self.cursor.mark();
        self.cursor.skip(3);
        self.push(token, mark, None);
        Ok(())
    }

    fn flow_start(&mut self, token: Token<'a>) -> Result<(), Located> {
        let level = self.save_key()?;
        self.keys.push(SimpleKey { token: self.taken + self.queue.len(), ..SimpleKey::default() });
        self.key_allowed = true;
        let mark = self.cursor.mark();
        self.cursor.skip(1);
        self.push(token, mark, level);
        Ok(())
    }

    fn flow_end(&mut self, token: Token<'a>) -> Result<(), Located> {
        self.forget_key()?;
        if self.in_flow()
            && let (Some(closed), Some(outer)) = (self.keys.pop(), self.keys.last_mut())
        {
            outer.released |= closed.token == outer.token;
        }
        self.key_allowed = false;
        self.indicator(token);
        Ok(())
    }

    fn block_entry(&mut self) -> Result<(), Located> {
        if !self.in_flow() {
            if !self.key_allowed {
                return Err((Fault::NotHere("a list's '-'"), self.cursor.mark()));
            }
            self.roll_indent(self.cursor.column(), Token::BlockSequenceStart, self.cursor.mark(), None);
        }
        self.forget_key()?;
        self.key_allowed = true;
        self.indicator(Token::BlockEntry);
        Ok(())
    }

    fn explicit_key(&mut self) -> Result<(), Located> {
        if !self.in_flow() {
            if !self.key_allowed {
                return Err((Fault::NotHere("a key's '?'"), self.cursor.mark()));
            }
            self.roll_indent(self.cursor.column(), Token::BlockMappingStart, self.cursor.mark(), None);
        }
        self.forget_key()?;
        self.key_allowed = !self.in_flow();
        self.indicator(Token::Key);
        Ok(())
    }

    fn value(&mut self) -> Result<(), Located> {
        let level = self.keys.len() - 1;
        if self.is_possible(level)? {
            let Some(key) = self.keys.get_mut(level) else { return Ok(()) };
            key.possible = false;
            let key = *key;
            self.insert(Token::Key, key.mark, Some(key.token));
            self.roll_indent(i64::from(key.mark.column), Token::BlockMappingStart, key.mark, Some(key.token));
            self.key_allowed = false;
        } else {
            if !self.in_flow() {
                if !self.key_allowed {
                    return Err((Fault::NotHere("a ':' and a value"), self.cursor.mark()));
                }
                self.roll_indent(self.cursor.column(), Token::BlockMappingStart, self.cursor.mark(), None);
            }
            self.key_allowed = !self.in_flow();
        }
        self.indicator(Token::Value);
        Ok(())
    }
}
