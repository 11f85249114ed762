//! The scanner's scalars: plain, in quotes, and blocks; and the names and tags of nodes.

use super::cursor::Located;
use super::fault::Fault;
use super::scanner::{Scanner, Token};

/// Line breaks within a scalar, before it is known what they fold to.
#[derive(Default)]
struct Breaks {
    first: Option<char>,
    others: String,
}

impl Breaks {
    fn push(&mut self, char: char) {
        match self.first {
            None => self.first = Some(char),
            Some(_) => self.others.push(char),
        }
    }

    /// A single line break is a space, of more the first is dropped; breaks of Unicode stay.
    fn fold_into(&mut self, out: &mut String) {
        match self.first.take() {
            Some('\n') if self.others.is_empty() => out.push(' '),
            Some('\n') | None => out.push_str(&self.others),
            Some(first) => {
                out.push(first);
                out.push_str(&self.others);
            }
        }
        self.others.clear();
    }
}

impl<'a> Scanner<'a> {
    /// A scalar that was put together in the scratch.
    fn finish(&self, text: &str) -> &'a str {
        self.arena.alloc_str(text)
    }

    pub(super) fn plain_scalar(&mut self) -> Result<&'a str, Located> {
        let (start, flow, indent) = (self.cursor.mark(), self.in_flow(), self.indent + 1);
        let mut first: Option<&'a str> = None;
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        let mut breaks = Breaks::default();
        let mut broken = false;
        loop {
            let cursor = &mut self.cursor;
            if cursor.is_document_indicator("---") || cursor.is_document_indicator("...") || cursor.peek(0) == b'#' {
                break;
            }
            // The rest of the line, blanks at its end left out.
            let begin = cursor.offset();
            let mut end = begin;
            loop {
                while !cursor.is_blank_break_or_end(0) {
                    let stops = match cursor.peek(0) {
                        b':' => cursor.is_blank_break_or_end(1),
                        b',' | b'?' | b'[' | b']' | b'{' | b'}' => flow,
                        _ => false,
                    };
                    if stops {
                        break;
                    }
                    cursor.skip_char();
                    end = cursor.offset();
                }
                if !cursor.is_blank(0) {
                    break;
                }
                cursor.skip_blanks();
                if cursor.peek(0) == b'#' {
                    break;
                }
            }
            if end > begin {
                let run = cursor.slice(begin, end);
                match first {
                    None => first = Some(run),
                    Some(first) => {
                        if text.is_empty() {
                            text.push_str(first);
                        }
                        breaks.fold_into(&mut text);
                        text.push_str(run);
                    }
                }
                broken = false;
            }
            if cursor.break_len(0) == 0 {
                break;
            }
            while let Some(char) = cursor.take_break() {
                breaks.push(char);
                broken = true;
                while cursor.is_blank(0) {
                    if cursor.peek(0) == b'\t' && cursor.column() < indent {
                        self.scratch = text;
                        return Err((Fault::TabIndent, start));
                    }
                    cursor.skip(1);
                }
            }
            if !flow && cursor.column() < indent {
                break;
            }
        }
        if broken {
            self.key_allowed = true;
        }
        let whole = if text.is_empty() { first.unwrap_or_default() } else { self.finish(&text) };
        self.scratch = text;
        Ok(whole)
    }

    pub(super) fn quoted_scalar(&mut self, quote: u8) -> Result<&'a str, Located> {
        let start = self.cursor.mark();
        self.cursor.skip(1);
        // Most end in their line, without an escape.
        let begin = self.cursor.offset();
        while !self.cursor.is_break_or_end(0) && !matches!(self.cursor.peek(0), b'\'' | b'"' | b'\\') {
            self.cursor.skip_char();
        }
        let end = self.cursor.offset();
        if self.cursor.peek(0) == quote && !(quote == b'\'' && self.cursor.peek(1) == b'\'') {
            self.cursor.skip(1);
            return Ok(self.cursor.slice(begin, end));
        }
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        text.push_str(self.cursor.slice(begin, end));
        // Blanks before a line break don't count.
        if self.cursor.break_len(0) > 0 {
            text.truncate(text.trim_end_matches([' ', '\t']).len());
        }
        let result = self.quoted_rest(quote, &mut text);
        let whole = self.finish(&text);
        self.scratch = text;
        result.map(|()| whole).map_err(|fault| (fault, start))
    }

    /// The rest of a scalar in quotes that doesn't end in its first line, or holds an escape.
    fn quoted_rest(&mut self, quote: u8, text: &mut String) -> Result<(), Fault> {
        let mut breaks = Breaks::default();
        loop {
            if self.cursor.is_document_indicator("---") || self.cursor.is_document_indicator("...") {
                return Err(Fault::Quote("document"));
            }
            if self.cursor.at_end() {
                return Err(Fault::Quote("text"));
            }
            let escaped_break = self.quoted_word(quote, text)?;
            let cursor = &mut self.cursor;
            if cursor.peek(0) == quote {
                cursor.skip(1);
                return Ok(());
            }
            let begin = cursor.offset();
            cursor.skip_blanks();
            if !escaped_break && cursor.break_len(0) == 0 {
                text.push_str(cursor.slice(begin, cursor.offset()));
                continue;
            }
            // What follows an escaped line break are empty lines.
            while let Some(char) = cursor.take_break() {
                if escaped_break {
                    breaks.others.push(char)
                } else {
                    breaks.push(char)
                }
                cursor.skip_blanks();
            }
            breaks.fold_into(text);
        }
    }

    /// Reads up to a blank, a line break or the closing quote; returns whether it ended with an escaped line break.
    fn quoted_word(&mut self, quote: u8, text: &mut String) -> Result<bool, Fault> {
        while !self.cursor.is_blank_break_or_end(0) {
            let byte = self.cursor.peek(0);
            if byte == quote && quote == b'\'' && self.cursor.peek(1) == quote {
                text.push('\'');
                self.cursor.skip(2);
            } else if byte == quote {
                break;
            } else if byte == b'\\' && quote == b'"' {
                self.cursor.skip(1);
                if self.cursor.take_break().is_some() {
                    return Ok(true);
                }
                text.push(self.escape()?);
            } else {
                let begin = self.cursor.offset();
                self.cursor.skip_char();
                text.push_str(self.cursor.slice(begin, self.cursor.offset()));
            }
        }
        Ok(false)
    }

    /// The character that the escape behind a backslash stands for.
    fn escape(&mut self) -> Result<char, Fault> {
        let digits = match self.cursor.peek(0) {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            other => {
                let char = match other {
                    b'0' => '\0',
                    b'a' => '\u{7}',
                    b'b' => '\u{8}',
                    b't' | b'\t' => '\t',
                    b'n' => '\n',
                    b'v' => '\u{b}',
                    b'f' => '\u{c}',
                    b'r' => '\r',
                    b'e' => '\u{1b}',
                    b' ' | b'"' | b'\'' | b'\\' => char::from(other),
                    b'N' => '\u{85}',
                    b'_' => '\u{a0}',
                    b'L' => '\u{2028}',
                    b'P' => '\u{2029}',
                    _ => return Err(Fault::Escape),
                };
                self.cursor.skip(1);
                return Ok(char);
            }
        };
        self.cursor.skip(1);
        let start = self.cursor.offset();
        for _ in 0..digits {
            if !self.cursor.peek(0).is_ascii_hexdigit() {
                return Err(Fault::Hex(digits));
            }
            self.cursor.skip(1);
        }
        let code = self.cursor.slice(start, self.cursor.offset());
        u32::from_str_radix(code, 16).ok().and_then(char::from_u32).ok_or_else(|| Fault::Surrogate(code.to_owned()))
    }

    pub(super) fn block_scalar(&mut self, literal: bool) -> Result<&'a str, Located> {
        let start = self.cursor.mark();
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        let result = self.block_scalar_into(literal, &mut text);
        let whole = self.finish(&text);
        self.scratch = text;
        result.map(|()| whole).map_err(|fault| (fault, start))
    }

    fn block_scalar_into(&mut self, literal: bool, text: &mut String) -> Result<(), Fault> {
        let cursor = &mut self.cursor;
        cursor.skip(1);
        // One of each, in either order.
        let (mut keep, mut indent) = (None, 0);
        for _ in 0..2 {
            match cursor.peek(0) {
                sign @ (b'+' | b'-') if keep.is_none() => keep = Some(sign == b'+'),
                b'0' if indent == 0 => return Err(Fault::BlockIndent),
                digit @ b'1'..=b'9' if indent == 0 => indent = i64::from(digit - b'0') + self.indent.max(0),
                _ => break,
            }
            cursor.skip(1);
        }
        cursor.skip_blanks();
        cursor.skip_comment();
        if !cursor.is_break_or_end(0) {
            return Err(Fault::BlockHeader);
        }
        cursor.take_break();
        let mut lines = String::new();
        self.block_indent(&mut indent, &mut lines)?;
        let mut line_break: Option<char> = None;
        // Lines that begin with a blank are not folded.
        let mut blank_before = false;
        while self.cursor.column() == indent && !self.cursor.at_end() {
            let blank = self.cursor.is_blank(0);
            match line_break.take() {
                Some('\n') if !literal && !blank_before && !blank => {
                    if lines.is_empty() {
                        text.push(' ');
                    }
                }
                char => text.extend(char),
            }
            text.push_str(&lines);
            lines.clear();
            blank_before = blank;
            text.push_str(self.cursor.skip_line());
            // kubectl ends the last line if the text doesn't.
            line_break = self.cursor.take_break().or(Some('\n'));
            self.block_indent(&mut indent, &mut lines)?;
        }
        if keep != Some(false) {
            text.extend(line_break);
        }
        if keep == Some(true) {
            text.push_str(&lines);
        }
        Ok(())
    }

    /// Passes empty lines and the indentation of the next one, which tells the block's own if that is still 0.
    fn block_indent(&mut self, indent: &mut i64, lines: &mut String) -> Result<(), Fault> {
        let cursor = &mut self.cursor;
        let mut deepest = 0;
        loop {
            let begins_line = cursor.column() == 0;
            while (*indent == 0 || cursor.column() < *indent) && cursor.peek(0) == b' ' {
                cursor.skip(1);
            }
            deepest = deepest.max(cursor.column());
            if (*indent == 0 || cursor.column() < *indent) && cursor.peek(0) == b'\t' {
                return Err(Fault::TabIndent);
            }
            match cursor.take_break() {
                Some(char) => lines.push(char),
                None => {
                    // kubectl ends the last line if the text doesn't.
                    if cursor.at_end() && begins_line && !cursor.ends_in_line_break() {
                        lines.push('\n');
                    }
                    break;
                }
            }
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(())
    }

    /// The name behind `&` or `*`.
    pub(super) fn anchor(&mut self) -> Result<&'a str, Located> {
        let start = self.cursor.mark();
        self.cursor.skip(1);
        let name = self.word();
        let ends = self.cursor.is_blank_break_or_end(0)
            || matches!(self.cursor.peek(0), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !ends { Err((Fault::Anchor, start)) } else { Ok(name) }
    }

    /// ASCII letters, digits, `_` and `-`.
    fn word(&mut self) -> &'a str {
        let start = self.cursor.offset();
        while self.cursor.peek(0).is_ascii_alphanumeric() || matches!(self.cursor.peek(0), b'_' | b'-') {
            self.cursor.skip(1);
        }
        self.cursor.slice(start, self.cursor.offset())
    }

    /// A tag, with what its handle stands for. There are no other handles than `!` and `!!`, for want of directives.
    pub(super) fn tag(&mut self) -> Result<Token<'a>, Located> {
        let start = self.cursor.mark();
        let mut tag = String::new();
        let defined = self.tag_into(&mut tag).map_err(|fault| (fault, start))?;
        let tag = self.finish(&tag);
        Ok(if defined { Token::Tag(tag) } else { Token::UndefinedTag(tag) })
    }

    /// Reads a tag; returns whether its handle is defined.
    fn tag_into(&mut self, tag: &mut String) -> Result<bool, Fault> {
        let mut defined = true;
        self.cursor.skip(1);
        if self.cursor.peek(0) == b'<' {
            self.cursor.skip(1);
            self.tag_uri(tag)?;
            if tag.is_empty() || self.cursor.peek(0) != b'>' {
                return Err(Fault::TagSyntax);
            }
            self.cursor.skip(1);
        } else {
            let head = self.word();
            if self.cursor.peek(0) == b'!' {
                self.cursor.skip(1);
                self.tag_uri(tag)?;
                if tag.is_empty() {
                    return Err(Fault::TagSyntax);
                }
                defined = head.is_empty();
                if defined {
                    tag.insert_str(0, CORE_TAGS);
                } else {
                    *tag = format!("!{head}!");
                }
            } else {
                tag.push('!');
                tag.push_str(head);
                self.tag_uri(tag)?;
            }
        }
        if self.cursor.is_blank_break_or_end(0) { Ok(defined) } else { Err(Fault::TagSyntax) }
    }

    fn tag_uri(&mut self, tag: &mut String) -> Result<(), Fault> {
        loop {
            match self.cursor.peek(0) {
                b'%' => tag.push(self.uri_escape()?),
                byte if byte.is_ascii_alphanumeric() || b"_-;/?:@&=+$,.!~*'()[]".contains(&byte) => {
                    tag.push(char::from(byte));
                    self.cursor.skip(1);
                }
                _ => return Ok(()),
            }
        }
    }

    /// One character, whose bytes are written `%xx`.
    fn uri_escape(&mut self) -> Result<char, Fault> {
        let mut bytes = Vec::with_capacity(4);
        while bytes.len() < 4 && self.cursor.peek(0) == b'%' {
            let start = self.cursor.offset() + 1;
            let octet = self.cursor.slice(start, start + 2);
            if octet.len() != 2 || !octet.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(Fault::TagSyntax);
            }
            bytes.extend(u8::from_str_radix(octet, 16).ok());
            self.cursor.skip(3);
            if let Ok(text) = std::str::from_utf8(&bytes) {
                return text.chars().next().ok_or(Fault::TagSyntax);
            }
        }
        Err(Fault::TagSyntax)
    }
}

/// What `!!` stands for.
pub(super) const CORE_TAGS: &str = "tag:yaml.org,2002:";
