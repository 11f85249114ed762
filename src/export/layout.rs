//! Expressions in lines of a length that can be read.

use crate::cel::Env;
use crate::cel::rewrite::normalize;

/// The most characters of a line, where a break can keep to them.
const WIDTH: usize = 110;

/// What stands between two operands, and begins a line with the second one.
const OPERATORS: [&str; 16] = ["&&", "||", "?", ":", "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in"];

/// The expression in lines; one that needs no quotes in YAML stays on its own.
///
/// # Errors
/// The expression doesn't compile.
pub fn laid_out(expression: &str, env: &Env) -> Result<String, String> {
    let text = normalize(expression, env).map_err(|error| error.message)?;
    let lines = broken(&text);
    // As a block, quotes in it need no escapes.
    let is_plain =
        lines.len() == 1 && text.starts_with(|first: char| first.is_ascii_alphabetic()) && !text.contains(": ");
    Ok(if is_plain { text } else { lines.join("\n  ") + "\n" })
}

/// The text broken between words where lines become too long.
fn broken(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut operator = String::new();
    for word in words(text) {
        if OPERATORS.contains(&word) && !lines.is_empty() {
            operator = format!("{word} ");
            continue;
        }
        let word = format!("{}{word}", std::mem::take(&mut operator));
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// The parts between blanks, of which those in strings are none.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut quote, mut escaped) = (0, None, false);
    for (at, char) in text.char_indices() {
        match (char, quote) {
            (_, Some(_)) if escaped => escaped = false,
            ('\\', Some(_)) => escaped = true,
            (char, Some(open)) if char == open => quote = None,
            ('"' | '\'', None) => quote = Some(char),
            (' ', None) => {
                words.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    words.extend(text.get(start..));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env() -> Env {
        Env { minor: 36, ..Env::default() }
    }

    #[test]
    fn breaks_between_operands_and_never_in_strings() {
        let long = format!("object.{} == \"{}\" && object.b in [1, 2]", "a".repeat(60), "b c ".repeat(20));
        let laid = laid_out(&long, &env()).expect("compiles");
        let lines: Vec<&str> = laid.lines().collect();
        assert_eq!(lines.len(), 2, "{laid}");
        assert!(lines[1].starts_with("  == \"b c b c") && lines[1].ends_with(" && object.b in [1, 2]"), "{laid}");
        assert_eq!(normalize(&laid, &env()), normalize(&long, &env()));
    }

    #[test]
    fn leaves_a_short_expression_on_its_line() {
        for (text, laid) in [
            ("object.a  ==  'x'", "object.a == \"x\""),
            ("!has(object.a)", "!has(object.a)\n"),
            ("object.a ? \"b: c\" : \"d\"", "object.a ? \"b: c\" : \"d\"\n"),
            ("\"a\\\" b\" + 'c d'", "'a\" b' + \"c d\"\n"),
        ] {
            assert_eq!(laid_out(text, &env()).as_deref(), Ok(laid), "{text}");
        }
    }
}
