//! Source text to tokens, by the lexical rules of the CEL specification.

use super::ast::Literal;
use super::unescape::unescape;

/// A token and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cel) struct Token {
    pub kind: TokenKind,
    pub offset: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(in crate::cel) enum TokenKind {
    Literal(Literal),
    /// An integer without sign, too large for `int` unless negated or an error.
    BigInt(u64),
    Ident(String),
    /// An operator or a bracket, by its spelling.
    Symbol(&'static str),
    In,
    End,
}

/// Why the text is not a sequence of tokens.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cel) struct LexError {
    pub message: String,
    pub offset: u32,
}

/// Longest first, so that the first match is the right one.
const SYMBOLS: &[&str] = &[
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "-", "+", "*", "/", "%", "?", ":", ".", ",", "(", ")", "[", "]",
    "{", "}",
];

/// All tokens of `source`, ending with [`TokenKind::End`].
pub(in crate::cel) fn tokenize(source: &str) -> Result<Vec<Token>, LexError> {
    let mut lexer = Lexer { source, at: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let done = token.kind == TokenKind::End;
        tokens.push(token);
        if done {
            return Ok(tokens);
        }
    }
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.source.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    fn error(&self, message: impl Into<String>) -> LexError {
        LexError { message: message.into(), offset: self.at as u32 }
    }

    fn next(&mut self) -> Result<Token, LexError> {
        self.skip_blanks();
        let offset = self.at as u32;
        let kind = self.kind()?;
        Ok(Token { kind, offset })
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.peek(0) {
                b' ' | b'\t' | b'\r' | b'\n' | 0x0c => self.at += 1,
                b'/' if self.peek(1) == b'/' => {
                    self.at += self.rest().find('\n').unwrap_or(self.rest().len());
                }
                _ => return,
            }
        }
    }

    fn kind(&mut self) -> Result<TokenKind, LexError> {
        let first = self.peek(0);
        if self.rest().is_empty() {
            return Ok(TokenKind::End);
        }
        if let Some(prefix) = self.string_prefix() {
            return self.string(prefix);
        }
        if first.is_ascii_digit() || (first == b'.' && self.peek(1).is_ascii_digit()) {
            return self.number();
        }
        if first.is_ascii_alphabetic() || first == b'_' {
            return Ok(self.word());
        }
        for symbol in SYMBOLS {
            if self.rest().starts_with(symbol) {
                self.at += symbol.len();
                return Ok(TokenKind::Symbol(symbol));
            }
        }
        let unknown = self.rest().chars().next().unwrap_or_default();
        if unknown == '`' && self.quoted_name() {
            return Err(self.error("unsupported syntax: '`'"));
        }
        Err(self.error(format!("Syntax error: token recognition error at: '{unknown}'")))
    }

    /// Whether a name in backquotes follows as upstream's grammar has it for fields.
    fn quoted_name(&self) -> bool {
        let inner = self.rest().strip_prefix('`').and_then(|rest| rest.split_once('`')).map_or("", |(name, _)| name);
        let part = |b: u8| b.is_ascii_alphanumeric() || b"_.-/ ".contains(&b);
        !inner.is_empty() && inner.bytes().all(part) && self.source.get(..self.at).is_some_and(|s| s.ends_with('.'))
    }

    fn word(&mut self) -> TokenKind {
        let rest = self.rest();
        let length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let text = rest.get(..length).unwrap_or("");
        self.at += length;
        match text {
            "true" => TokenKind::Literal(Literal::Bool(true)),
            "false" => TokenKind::Literal(Literal::Bool(false)),
            "null" => TokenKind::Literal(Literal::Null),
            "in" => TokenKind::In,
            _ => TokenKind::Ident(text.to_owned()),
        }
    }

    fn number(&mut self) -> Result<TokenKind, LexError> {
        let rest = self.rest();
        if let Some(hex) = rest.strip_prefix("0x") {
            let length = hex.bytes().take_while(u8::is_ascii_hexdigit).count();
            if length > 0 {
                let digits = hex.get(..length).unwrap_or("");
                return self.integer(digits, 16, 2 + length);
            }
        }
        let bytes = rest.as_bytes();
        let digits = |from: usize| bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
        let mut length = digits(0);
        let mut double = false;
        if bytes.get(length) == Some(&b'.') && digits(length + 1) > 0 {
            double = true;
            length += 1 + digits(length + 1);
        }
        if matches!(bytes.get(length), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
            let exponent = digits(length + 1 + sign);
            if exponent > 0 {
                double = true;
                length += 1 + sign + exponent;
            }
        }
        let text = rest.get(..length).unwrap_or("");
        if !double {
            return self.integer(text, 10, length);
        }
        let value: f64 = text.parse().map_err(|_| self.error("invalid double literal"))?;
        if value.is_infinite() {
            return Err(self.error("invalid double literal"));
        }
        self.at += length;
        Ok(TokenKind::Literal(Literal::Double(value)))
    }

    /// `length` is that of the whole literal without its suffix.
    fn integer(&mut self, digits: &str, radix: u32, length: usize) -> Result<TokenKind, LexError> {
        let unsigned = matches!(self.peek(length), b'u' | b'U');
        let what = if unsigned { "invalid uint literal" } else { "invalid int literal" };
        let value = u64::from_str_radix(digits, radix).map_err(|_| self.error(what))?;
        self.at += length;
        if unsigned {
            self.at += 1;
            return Ok(TokenKind::Literal(Literal::Uint(value)));
        }
        Ok(match i64::try_from(value) {
            Ok(value) => TokenKind::Literal(Literal::Int(value)),
            Err(_) => TokenKind::BigInt(value),
        })
    }

    /// The length of `r`, `b` or `br` (any case) before a quote.
    fn string_prefix(&self) -> Option<usize> {
        (0..=2).find(|length| {
            let prefix = &self.rest().as_bytes().get(..*length).unwrap_or(b"");
            let is_prefix = match prefix.to_ascii_lowercase().as_slice() {
                b"" => true,
                one if one.len() == 1 => one == b"r" || one == b"b",
                two => two == b"br",
            };
            is_prefix && matches!(self.peek(*length), b'"' | b'\'')
        })
    }

    fn string(&mut self, prefix: usize) -> Result<TokenKind, LexError> {
        let rest = self.rest();
        let flags = rest.get(..prefix).unwrap_or("").to_ascii_lowercase();
        let (raw, bytes) = (flags.contains('r'), flags.contains('b'));
        let body = rest.get(prefix..).unwrap_or("");
        let quote = body.get(..1).unwrap_or("'");
        let triple = if quote == "'" { "'''" } else { "\"\"\"" };
        let delimiter = if body.starts_with(triple) { triple } else { quote };
        let content = body.get(delimiter.len()..).unwrap_or("");
        let Some(length) = end_of_string(content, delimiter, raw) else {
            return Err(self.error(format!("Syntax error: token recognition error at: '{}'", clip(rest))));
        };
        let text = content.get(..length).unwrap_or("");
        let literal = unescape(text, raw, bytes).map_err(|message| self.error(message))?;
        self.at += prefix + 2 * delimiter.len() + length;
        Ok(TokenKind::Literal(literal))
    }
}

/// Where the closing delimiter begins; strings with single delimiters end at their line's end.
fn end_of_string(content: &str, delimiter: &str, raw: bool) -> Option<usize> {
    let bytes = content.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let rest = content.as_bytes().get(at..)?;
        if rest.starts_with(delimiter.as_bytes()) {
            return Some(at);
        }
        match rest.first()? {
            b'\n' | b'\r' if delimiter.len() == 1 => return None,
            b'\\' if !raw => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// The beginning of a text, for a message.
fn clip(text: &str) -> String {
    text.chars().take(20).collect()
}
