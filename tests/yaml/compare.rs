//! One text, two readings.

use portcullis::json::yaml::{self, Error};
use portcullis::json::{Arena, Value, to_json};
use serde_json::Value as Json;

pub enum Verdict {
    /// Every document is read alike.
    Same,
    /// Up to a document that both refuse, every one is read alike.
    BothRefuse,
    /// We refuse more, by a written rule.
    Explained(&'static str),
    Different(String),
}

const UTF16: &str = "UTF-16: kubectl reads the beginning of some";

/// What of a message tells the rule by which we refuse what kubectl reads.
const RULES: [(&str, &str); 19] = [
    ("appears twice in one", "duplicate keys: kubectl keeps the last, silently"),
    ("from this merge, other readers", "a merge after a key that it brings: kubectl and others differ"),
    ("'<<' appears twice", "two merge keys: kubectl and others differ"),
    ("kubectl drops what follows", "text behind the document's end: kubectl drops it, silently"),
    ("nested in each other", "nesting beyond the limit"),
    ("aliases and merge keys repeat more than", "aliases beyond the limit"),
    ("a byte order mark within", "a byte order mark within the text: kubectl reads it as a letter"),
    ("kubectl reads !!timestamp", "!!timestamp"),
    ("!!binary holds bytes", "!!binary that is not UTF-8: kubectl replaces bytes"),
    ("not UTF-8", "JSON that is not UTF-8: kubectl replaces bytes"),
    ("little-endian UTF-16", UTF16),
    ("UTF-16 that is not well-formed", UTF16),
    ("is out of range", "numbers out of range"),
    ("has no place in JSON", "infinite numbers that a duplicate key replaces"),
    ("a key must be a string", "keys that JSON has not, in what a duplicate key replaces"),
    ("takes no directives", "directives"),
    ("no digit after a leading 0", "JSON numbers that run together"),
    ("the control character U+", "control characters in text that kubectl drops"),
    ("text is longer than", "the limit of a text's length"),
];

fn rule(message: &str) -> Option<&'static str> {
    RULES.iter().find(|(part, _)| message.contains(part)).map(|(_, rule)| *rule)
}

pub fn compare(text: &[u8], answer: &Json) -> Verdict {
    match compared(text, answer) {
        // Where kubectl takes one, its documents begin elsewhere.
        Verdict::Different(_) if has_directive(text) => Verdict::Explained("directives"),
        verdict => verdict,
    }
}

fn compared(text: &[u8], answer: &Json) -> Verdict {
    let arena = Arena::new();
    let theirs = answer["stream"].as_array().expect("an answer has a stream");
    let utf16 = text.starts_with(&[0xFE, 0xFF]);
    let text = match yaml::decode(text.to_vec()) {
        Ok(text) => text,
        // The file is refused as a whole.
        Err(error) if theirs.first().is_some_and(|outcome| outcome.get("value").is_some()) => {
            return rule(&error.to_string()).map_or(Verdict::Different(error.to_string()), Verdict::Explained);
        }
        Err(_) => return Verdict::BothRefuse,
    };
    let ours: Vec<Result<Value<'_>, Error>> =
        yaml::documents(&arena, &text).into_iter().map(|document| document.map(|document| document.value)).collect();
    let mut ours = ours.into_iter().filter(|document| !matches!(document, Ok(Value::Null))).peekable();
    let mut explained = None;
    for (index, outcome) in theirs.iter().enumerate() {
        let expected = outcome.get("value");
        // What follows a document, an empty one too, without a separator.
        while let Some(error) = ours.next_if(|outcome| outcome.as_ref().is_err_and(is_dropped)).and_then(Result::err) {
            explained = rule(&error.message);
        }
        match (ours.next(), expected) {
            (Some(Ok(value)), Some(expected)) if same(value, expected) => {}
            (Some(Ok(value)), Some(expected)) => {
                return Verdict::Different(format!("{index}: {}, not {expected}", to_json(value)));
            }
            (Some(Err(error)), Some(expected)) => match rule(&error.message) {
                Some(rule) => explained = Some(rule),
                None if utf16 => return Verdict::Explained(UTF16),
                None => return Verdict::Different(format!("{index}: {error}, not {expected}")),
            },
            (Some(Err(_)), None) => return explained.map_or(Verdict::BothRefuse, Verdict::Explained),
            // The line that should separate costs kubectl what stands before it.
            (Some(Ok(_)), None)
                if ours.find(|next| !next.as_ref().is_err_and(is_dropped)).is_some_and(is_separator) =>
            {
                return Verdict::BothRefuse;
            }
            (Some(Ok(_)), None) if utf16 => return Verdict::Explained(UTF16),
            (Some(Ok(value)), None) => {
                return Verdict::Different(format!("{index}: {}, not the error {}", to_json(value), outcome["error"]));
            }
            // What we refuse cuts a text into documents otherwise.
            (None, _) if explained.is_some() => return Verdict::Explained(explained.unwrap_or_default()),
            (None, Some(expected)) => return Verdict::Different(format!("{index}: nothing, not {expected}")),
            (None, None) => return Verdict::Different(format!("{index}: nothing, not {}", outcome["error"])),
        }
    }
    match ours.next() {
        None if explained.is_none() => Verdict::Same,
        None => Verdict::Explained(explained.unwrap_or_default()),
        Some(_) if utf16 => Verdict::Explained(UTF16),
        // What we refuse cuts a text into documents otherwise.
        Some(_) if explained.is_some() => Verdict::Explained(explained.unwrap_or_default()),
        Some(Err(error)) => match rule(&error.message) {
            Some(rule) => Verdict::Explained(rule),
            None => Verdict::Different(format!("{error} after what kubectl reads")),
        },
        Some(Ok(value)) => Verdict::Different(format!("{} after what kubectl reads", to_json(value))),
    }
}

/// Whether a line begins with `%`.
fn has_directive(text: &[u8]) -> bool {
    String::from_utf8_lossy(text).lines().any(|line| line.starts_with('%'))
}

fn is_dropped(error: &Error) -> bool {
    error.message.contains("kubectl drops what follows")
}

fn is_separator(outcome: Result<Value<'_>, Error>) -> bool {
    outcome.is_err_and(|error| error.message.contains("only a comment may follow '---'"))
}

/// Whether a value is what the reader's answer says.
fn same(value: Value<'_>, expected: &Json) -> bool {
    match (value, expected) {
        (Value::Null, Json::Null) => true,
        (Value::Bool(value), Json::Bool(expected)) => value == *expected,
        (Value::Int(value), Json::Number(expected)) => expected.as_i64() == Some(value),
        (Value::String(value), Json::String(expected)) => value == expected,
        (Value::Array(elements), Json::Array(expected)) => {
            elements.len() == expected.len() && elements.iter().zip(expected).all(|(value, e)| same(*value, e))
        }
        (Value::Float(value), Json::Object(expected)) => {
            let text = expected.get("float").and_then(Json::as_str);
            text.and_then(|text| text.parse::<f64>().ok()).is_some_and(|float| float.to_bits() == value.to_bits())
        }
        (Value::Object(object), Json::Object(expected)) => {
            let Some(expected) = expected.get("object").and_then(Json::as_object) else { return false };
            let known = |(key, value): &(&str, Value<'_>)| expected.get(*key).is_some_and(|e| same(*value, e));
            object.len() == expected.len() && object.members().iter().all(known)
        }
        _ => false,
    }
}
