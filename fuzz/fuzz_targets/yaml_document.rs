//! Text of YAML: what is read and written again reads back as the same document, and has a line of the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::json::yaml::{documents, to_yaml};
use portcullis::json::{Arena, Value, to_json};

fuzz_target!(|text: &str| {
    let arena = Arena::new();
    let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
    for document in documents(&arena, text) {
        let document = match document {
            Ok(document) => document,
            Err(error) => {
                assert!((1..=lines + 1).contains(&error.line), "{error:?}");
                continue;
            }
        };
        assert!((1..=lines).contains(&document.line));
        let printed = to_yaml(document.value);
        let (once, twice) = (Arena::new(), Arena::new());
        let read = only(&once, &printed);
        assert!(same(read, document.value), "{printed}\n{}\n{}", to_json(read), to_json(document.value));
        let printed = to_yaml(read);
        assert_eq!(to_json(only(&twice, &printed)), to_json(read), "{printed}");
    }
});

/// The one document of what was written.
fn only<'a>(arena: &'a Arena, text: &'a str) -> Value<'a> {
    let mut read = documents(arena, text);
    let document = read.pop().filter(|_| read.is_empty()).expect("one document");
    document.expect("what is written reads back").value
}

/// Whether two values are equal. A number without a fraction is whole in YAML as kubectl reads it, however JSON wrote it.
fn same(one: Value<'_>, other: Value<'_>) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(*one, *other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let (one, other) = (one.members(), other.members());
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| one.0 == other.0 && same(one.1, other.1))
        }
        _ => {
            let number = |value| to_json(value).parse::<f64>().ok();
            to_json(one) == to_json(other) || number(one).is_some_and(|one| number(other) == Some(one))
        }
    }
}
