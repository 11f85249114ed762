//! The escapes of string and bytes literals.

use super::ast::Literal;

/// What upstream's lexer says of an escape that its grammar doesn't have.
const NO_TOKEN: &str = "Syntax error: token recognition error: no such escape";

/// The value of a literal's text between its delimiters.
///
/// # Errors
/// What is wrong with the first bad escape.
pub(in crate::cel) fn unescape(text: &str, raw: bool, bytes: bool) -> Result<Literal, String> {
    // Line ends in the source are one character, whatever the editor wrote.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if raw || !text.contains('\\') {
        return Ok(if bytes { Literal::Bytes(text.into_bytes()) } else { Literal::String(text) });
    }
    let mut out = Out { bytes: Vec::with_capacity(text.len()), is_bytes: bytes };
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push_char(c);
            continue;
        }
        let escape = chars.next().ok_or("unable to unescape string, found '\\' as last character")?;
        match escape {
            'a' => out.push_char('\x07'),
            'b' => out.push_char('\x08'),
            'f' => out.push_char('\x0c'),
            'n' => out.push_char('\n'),
            'r' => out.push_char('\r'),
            't' => out.push_char('\t'),
            'v' => out.push_char('\x0b'),
            '\\' | '\'' | '"' | '`' | '?' => out.push_char(escape),
            'x' | 'X' => out.push_code(digits(&mut chars, 2, 16)?)?,
            'u' if !bytes => out.push_code(digits(&mut chars, 4, 16)?)?,
            'U' if !bytes => out.push_code(digits(&mut chars, 8, 16)?)?,
            'u' | 'U' => return Err("unable to unescape string".to_owned()),
            '0'..='3' => {
                let high = escape.to_digit(8).unwrap_or(0) * 64;
                out.push_code(high + digits(&mut chars, 2, 8)?)?;
            }
            _ => return Err(NO_TOKEN.to_owned()),
        }
    }
    if bytes {
        return Ok(Literal::Bytes(out.bytes));
    }
    String::from_utf8(out.bytes).map(Literal::String).map_err(|_| "invalid UTF-8 in string literal".to_owned())
}

struct Out {
    bytes: Vec<u8>,
    is_bytes: bool,
}

impl Out {
    fn push_char(&mut self, c: char) {
        self.bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// In a bytes literal `\xff` is one byte; in a string it is a code point.
    fn push_code(&mut self, code: u32) -> Result<(), String> {
        if self.is_bytes {
            self.bytes.push(u8::try_from(code).map_err(|_| "unable to unescape string")?);
            return Ok(());
        }
        let c = char::from_u32(code).ok_or("invalid unicode code point")?;
        self.push_char(c);
        Ok(())
    }
}

fn digits(chars: &mut std::str::Chars<'_>, count: usize, radix: u32) -> Result<u32, String> {
    let mut value = 0u32;
    for _ in 0..count {
        let digit = chars.next().and_then(|c| c.to_digit(radix)).ok_or(NO_TOKEN)?;
        value = value.wrapping_mul(radix).wrapping_add(digit);
    }
    Ok(value)
}
