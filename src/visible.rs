//! Names and messages of others on a terminal: what would move its cursor, colour it, or show text in another order
//! than it stands in is written as an escape, `\u{9b}`.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a terminal or an eye would take `c` for something else than a character: control characters (U+009B begins
/// escape sequences), marks that turn the direction of writing, and separators of lines and paragraphs.
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text that stands on one line, line breaks escaped.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_deceptive(c).then(|| c.escape_default().to_string()))
}

/// A text of several lines, which keeps its line breaks and tabs.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| (is_deceptive(c) && !matches!(c, '\n' | '\t')).then(|| c.escape_default().to_string()))
}

/// A JSON text, which means the same afterwards: what is escaped stands in strings only.
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(text, |c| (is_deceptive(c) && !matches!(c, '\n' | '\r' | '\t')).then(|| format!("\\u{:04x}", u32::from(c))))
}

fn escaped(text: &str, escape: impl Fn(char) -> Option<String>) -> Cow<'_, str> {
    if !text.chars().any(|c| is_deceptive(c) && escape(c).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match escape(c) {
            // Writing to a string cannot fail.
            Some(escape) => drop(escaped.write_str(&escape)),
            None => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_would_act_on_a_terminal() {
        for (text, expected) in [
            ("plain é 漢 \u{a0}", "plain é 漢 \u{a0}"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("\u{9b}31m\u{7f}\u{0}", "\\u{9b}31m\\u{7f}\\u{0}"),
            ("a\u{202e}b\u{2066}c\u{200f}\u{61c}", "a\\u{202e}b\\u{2066}c\\u{200f}\\u{61c}"),
            ("a\u{2028}b\u{2029}c\u{85}d", "a\\u{2028}b\\u{2029}c\\u{85}d"),
            ("a\rb", "a\\rb"),
        ] {
            assert_eq!(line(text), expected);
            assert_eq!(lines(text), expected);
        }
        assert_eq!(line("a\n\tb"), "a\\n\\tb");
        assert_eq!(lines("a\n\tb"), "a\n\tb");
    }

    #[test]
    fn json_means_the_same_afterwards() {
        let text = "{\n\t\"a\": \"\u{9b}31m\u{202e}\u{2028}\u{7f}é\"\n}";
        let escaped = json(text);
        assert_eq!(escaped, "{\n\t\"a\": \"\\u009b31m\\u202e\\u2028\\u007fé\"\n}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(read(&escaped), read(text));
    }
}
