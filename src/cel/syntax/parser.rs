//! Tokens to a syntax tree: the CEL grammar by precedence climbing, with the limits that keep every later stage safe.
//!
//! Upstream: `cel-go/parser`, with its default limits and without identifier escapes, as Kubernetes configures it.

use super::ast::{Element, Entry, Expr, Field, Kind, Literal};
use super::builder::{Builder, SyntaxError, too_deep};
use super::lexer::{Token, TokenKind, tokenize};
use super::macros;
use super::names::is_kept;

/// The longest source text, in characters.
pub const MAX_SOURCE_CHARACTERS: usize = 100_000;
/// How deep the rules of the grammar may nest, each counted by itself; a chain such as `1+1+1` nests once a link.
pub const MAX_RULE_DEPTH: u16 = 250;

/// A parsed tree and the next unused node id.
#[derive(Debug)]
pub(in crate::cel) struct Parsed {
    pub expr: Expr,
    pub next_id: u32,
}

/// Parses a whole expression. `minor` selects the macros that Kubernetes 1.`minor` has.
pub(in crate::cel) fn parse(source: &str, minor: u32) -> Result<Parsed, SyntaxError> {
    let characters = source.chars().count();
    if characters > MAX_SOURCE_CHARACTERS {
        let message =
            format!("expression code point size exceeds limit: size: {characters}, limit {MAX_SOURCE_CHARACTERS}");
        return Err(SyntaxError { message, offset: 0 });
    }
    let mut parser = Parser { tokens: tokenize(source)?, at: 0, depth: Depth::default(), builder: Builder::new(minor) };
    let expr = parser.expr()?;
    match parser.peek() {
        TokenKind::End => Ok(Parsed { expr, next_id: parser.builder.next_id }),
        _ => Err(parser.unexpected("<EOF>")),
    }
}

/// What upstream says of long chains.
fn too_long(offset: u32) -> SyntaxError {
    SyntaxError { message: "max recursion depth exceeded".to_owned(), offset }
}

/// How often each rule of the grammar is open.
#[derive(Clone, Copy, Debug, Default)]
struct Depth {
    expr: u16,
    relation: u16,
    calc: u16,
    member: u16,
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: Depth,
    builder: Builder,
}

impl Parser {
    fn peek(&self) -> &TokenKind {
        self.tokens.get(self.at).map_or(&TokenKind::End, |token| &token.kind)
    }

    fn peek_second(&self) -> &TokenKind {
        self.tokens.get(self.at + 1).map_or(&TokenKind::End, |token| &token.kind)
    }

    fn offset(&self) -> u32 {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(0, |token| token.offset)
    }

    fn advance(&mut self) -> TokenKind {
        let kind = self.peek().clone();
        self.at += 1;
        kind
    }

    fn sees(&self, symbol: &str) -> bool {
        matches!(self.peek(), TokenKind::Symbol(s) if *s == symbol)
    }

    fn takes(&mut self, symbol: &str) -> bool {
        let sees = self.sees(symbol);
        self.at += usize::from(sees);
        sees
    }

    fn expects(&mut self, symbol: &'static str) -> Result<(), SyntaxError> {
        if self.takes(symbol) { Ok(()) } else { Err(self.unexpected(&format!("'{symbol}'"))) }
    }

    fn unexpected(&self, wanted: &str) -> SyntaxError {
        let found = match self.peek() {
            TokenKind::End => "<EOF>".to_owned(),
            TokenKind::Symbol(symbol) => (*symbol).to_owned(),
            TokenKind::In => "in".to_owned(),
            TokenKind::Ident(name) => name.clone(),
            TokenKind::BigInt(value) => value.to_string(),
            TokenKind::Literal(literal) => format!("{literal:?}"),
        };
        SyntaxError {
            message: format!("Syntax error: found '{found}' where {wanted} is expected"),
            offset: self.offset(),
        }
    }

    fn call(&mut self, offset: u32, function: &str, args: Vec<Expr>) -> Result<Expr, SyntaxError> {
        self.builder.node(offset, Kind::Call { function: function.to_owned(), target: None, args })
    }

    fn expr(&mut self) -> Result<Expr, SyntaxError> {
        let saved = self.depth;
        self.depth.expr += 1;
        if self.depth.expr > MAX_RULE_DEPTH {
            return Err(too_deep(self.offset(), MAX_RULE_DEPTH));
        }
        let condition = self.logical("||", "_||_")?;
        let offset = self.offset();
        let expr = if self.takes("?") {
            let yes = self.logical("||", "_||_")?;
            self.expects(":")?;
            let no = self.expr()?;
            self.call(offset, "_?_:_", vec![condition, yes, no])?
        } else {
            condition
        };
        self.depth = saved;
        Ok(expr)
    }

    /// A chain of `||` or of `&&`, kept as one call with all its terms.
    fn logical(&mut self, symbol: &'static str, function: &'static str) -> Result<Expr, SyntaxError> {
        let term = |parser: &mut Self| match symbol {
            "||" => parser.logical("&&", "_&&_"),
            _ => parser.relation(),
        };
        let first = term(self)?;
        let offset = self.offset();
        if !self.sees(symbol) {
            return Ok(first);
        }
        let mut terms = vec![first];
        while self.takes(symbol) {
            terms.push(term(self)?);
        }
        self.call(offset, function, terms)
    }

    fn relation(&mut self) -> Result<Expr, SyntaxError> {
        let saved = self.depth;
        self.depth.relation += 1;
        let mut left = self.calc(0)?;
        loop {
            let function = match self.peek() {
                TokenKind::In => "@in",
                TokenKind::Symbol("==") => "_==_",
                TokenKind::Symbol("!=") => "_!=_",
                TokenKind::Symbol("<") => "_<_",
                TokenKind::Symbol("<=") => "_<=_",
                TokenKind::Symbol(">") => "_>_",
                TokenKind::Symbol(">=") => "_>=_",
                _ => break,
            };
            self.depth.relation += 1;
            let offset = self.offset();
            if self.depth.relation >= MAX_RULE_DEPTH {
                return Err(too_long(offset));
            }
            self.advance();
            let right = self.calc(0)?;
            left = self.call(offset, function, vec![left, right])?;
        }
        self.depth = saved;
        Ok(left)
    }

    /// `+` and `-` at level 0, `*`, `/` and `%` at level 1.
    fn calc(&mut self, level: u8) -> Result<Expr, SyntaxError> {
        let saved = self.depth;
        self.depth.calc += u16::from(level == 0);
        let mut left = if level == 0 { self.calc(1)? } else { self.unary()? };
        loop {
            let function = match (level, self.peek()) {
                (0, TokenKind::Symbol("+")) => "_+_",
                (0, TokenKind::Symbol("-")) => "_-_",
                (1, TokenKind::Symbol("*")) => "_*_",
                (1, TokenKind::Symbol("/")) => "_/_",
                (1, TokenKind::Symbol("%")) => "_%_",
                _ => break,
            };
            self.depth.calc += 1;
            let offset = self.offset();
            if self.depth.calc >= MAX_RULE_DEPTH {
                return Err(too_long(offset));
            }
            self.advance();
            let right = if level == 0 { self.calc(1)? } else { self.unary()? };
            left = self.call(offset, function, vec![left, right])?;
        }
        self.depth = saved;
        Ok(left)
    }

    /// Runs of `!` or of `-` cancel out in pairs, as in cel-go.
    fn unary(&mut self) -> Result<Expr, SyntaxError> {
        let offset = self.offset();
        for (symbol, function) in [("!", "!_"), ("-", "-_")] {
            if !self.sees(symbol) {
                continue;
            }
            let mut count = 0;
            while self.takes(symbol) {
                count += 1;
            }
            if symbol == "-" && count == 1 && self.negate_literal(offset) {
                return self.member();
            }
            let operand = self.member()?;
            return if count % 2 == 0 { Ok(operand) } else { self.call(offset, function, vec![operand]) };
        }
        self.member()
    }

    /// Makes a number literal after a minus sign negative in place.
    fn negate_literal(&mut self, sign: u32) -> bool {
        let Some(token) = self.tokens.get_mut(self.at) else { return false };
        let negative = match &token.kind {
            TokenKind::Literal(Literal::Int(value)) => Literal::Int(-*value),
            TokenKind::Literal(Literal::Double(value)) => Literal::Double(-*value),
            TokenKind::BigInt(value) if *value == i64::MIN.unsigned_abs() => Literal::Int(i64::MIN),
            TokenKind::BigInt(_) => {
                token.offset = sign;
                return false;
            }
            _ => return false,
        };
        token.kind = TokenKind::Literal(negative);
        token.offset = sign;
        true
    }

    fn member(&mut self) -> Result<Expr, SyntaxError> {
        let saved = self.depth;
        let mut operand = self.primary()?;
        loop {
            let offset = self.offset();
            if !self.sees(".") && !self.sees("[") {
                break;
            }
            self.depth.member += 1;
            if self.depth.member >= MAX_RULE_DEPTH {
                return Err(too_long(offset));
            }
            operand = if self.takes(".") { self.selection(operand, offset)? } else { self.index(operand, offset)? };
        }
        self.depth = saved;
        Ok(operand)
    }

    fn selection(&mut self, operand: Expr, offset: u32) -> Result<Expr, SyntaxError> {
        let optional = self.optional_mark()?;
        let name_offset = self.offset();
        let TokenKind::Ident(name) = self.peek().clone() else { return Err(self.unexpected("a field name")) };
        self.advance();
        if optional {
            let field = self.builder.node(name_offset, Kind::Literal(Literal::String(name)))?;
            return self.call(offset, "_?._", vec![operand, field]);
        }
        // Errors in calls stand at their opening parenthesis, as upstream.
        let opening = self.offset();
        if self.takes("(") {
            let args = self.arguments(")")?;
            return macros::member_call(&mut self.builder, opening, name, operand, args);
        }
        self.builder.node(offset, Kind::Select { operand: Box::new(operand), field: name, test: false })
    }

    fn index(&mut self, operand: Expr, offset: u32) -> Result<Expr, SyntaxError> {
        self.expects("[")?;
        let optional = self.optional_mark()?;
        let index = self.expr()?;
        self.expects("]")?;
        self.call(offset, if optional { "_[?_]" } else { "_[_]" }, vec![operand, index])
    }

    /// A `?` that makes a selection, an index or an entry optional.
    fn optional_mark(&mut self) -> Result<bool, SyntaxError> {
        if !self.sees("?") {
            return Ok(false);
        }
        if self.builder.minor < 28 {
            return Err(SyntaxError { message: "unsupported syntax '?'".to_owned(), offset: self.offset() });
        }
        self.advance();
        Ok(true)
    }

    fn arguments(&mut self, close: &'static str) -> Result<Vec<Expr>, SyntaxError> {
        let mut args = Vec::new();
        if self.takes(close) {
            return Ok(args);
        }
        loop {
            args.push(self.expr()?);
            if !self.takes(",") {
                self.expects(close)?;
                return Ok(args);
            }
        }
    }

    fn primary(&mut self) -> Result<Expr, SyntaxError> {
        let offset = self.offset();
        match self.peek().clone() {
            TokenKind::Literal(literal) => {
                self.advance();
                self.builder.node(offset, Kind::Literal(literal))
            }
            TokenKind::BigInt(_) => Err(SyntaxError { message: "invalid int literal".to_owned(), offset }),
            TokenKind::Symbol("(") => {
                self.advance();
                let expr = self.expr()?;
                self.expects(")")?;
                Ok(expr)
            }
            TokenKind::Symbol("[") => self.list(),
            TokenKind::Symbol("{") => self.map(),
            TokenKind::Symbol(".") | TokenKind::Ident(_) => self.name(),
            _ => Err(self.unexpected("an expression")),
        }
    }

    /// An identifier, a global call, or a struct literal.
    fn name(&mut self) -> Result<Expr, SyntaxError> {
        let offset = self.offset();
        let dot = if self.takes(".") { "." } else { "" };
        let TokenKind::Ident(word) = self.peek().clone() else { return Err(self.unexpected("a name")) };
        if let Some((type_name, opening)) = self.struct_type_name() {
            return self.struct_literal(opening, format!("{dot}{type_name}"));
        }
        if is_kept(&word) {
            return Err(SyntaxError { message: format!("reserved identifier: {word}"), offset });
        }
        self.advance();
        let opening = self.offset();
        if self.takes("(") {
            let args = self.arguments(")")?;
            return macros::global_call(&mut self.builder, opening, format!("{dot}{word}"), args);
        }
        self.builder.node(offset, Kind::Ident(format!("{dot}{word}")))
    }

    /// The dotted name before a `{` and the brace's offset, both consumed, if that is what follows.
    fn struct_type_name(&mut self) -> Option<(String, u32)> {
        let start = self.at;
        let mut name = String::new();
        while let TokenKind::Ident(word) = self.peek().clone() {
            name.push_str(&word);
            self.advance();
            let opening = self.offset();
            if self.takes("{") {
                return Some((name, opening));
            }
            if !self.sees(".") || !matches!(self.peek_second(), TokenKind::Ident(_)) {
                break;
            }
            self.advance();
            name.push('.');
        }
        self.at = start;
        None
    }

    fn struct_literal(&mut self, offset: u32, type_name: String) -> Result<Expr, SyntaxError> {
        let mut fields = Vec::new();
        while !self.takes("}") {
            let optional = self.optional_mark()?;
            let TokenKind::Ident(name) = self.peek().clone() else { return Err(self.unexpected("a field name")) };
            self.advance();
            let offset = self.offset();
            self.expects(":")?;
            fields.push(Field { name, value: self.expr()?, optional, offset });
            self.separator("}")?;
        }
        self.builder.node(offset, Kind::Struct { type_name, fields })
    }

    fn list(&mut self) -> Result<Expr, SyntaxError> {
        let offset = self.offset();
        self.expects("[")?;
        let mut elements = Vec::new();
        self.lone_comma("]");
        while !self.takes("]") {
            let optional = self.optional_mark()?;
            elements.push(Element { value: self.expr()?, optional });
            self.separator("]")?;
        }
        self.builder.node(offset, Kind::List(elements))
    }

    fn map(&mut self) -> Result<Expr, SyntaxError> {
        let offset = self.offset();
        self.expects("{")?;
        let mut entries = Vec::new();
        self.lone_comma("}");
        while !self.takes("}") {
            let optional = self.optional_mark()?;
            let key = self.expr()?;
            self.expects(":")?;
            entries.push(Entry { key, value: self.expr()?, optional });
            self.separator("}")?;
        }
        self.builder.node(offset, Kind::Map(entries))
    }

    /// Upstream's grammar has an optional comma at the end even of no elements.
    fn lone_comma(&mut self, close: &'static str) {
        if self.sees(",") && matches!(self.peek_second(), TokenKind::Symbol(next) if *next == close) {
            self.advance();
        }
    }

    /// A comma, or the closing bracket still ahead; a comma may stand before it.
    fn separator(&mut self, close: &'static str) -> Result<(), SyntaxError> {
        if self.takes(",") || self.sees(close) { Ok(()) } else { Err(self.unexpected(&format!("',' or '{close}'"))) }
    }
}
