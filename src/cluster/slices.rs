//! The members of a JSON object and the elements of an array as slices of the text, without looking into them: so that
//! one object that can't be read doesn't keep the others of a list from being read.

use std::collections::HashMap;

use serde_json::value::RawValue;

/// The members of the object that `text` is; `None` if it isn't one. Of two members with one key the last counts.
pub fn members(text: &[u8]) -> Option<HashMap<String, &[u8]>> {
    let members: HashMap<String, &RawValue> = serde_json::from_slice(text).ok()?;
    Some(members.into_iter().map(|(key, value)| (key, value.get().as_bytes())).collect())
}

/// The elements of the array that `text` is; `None` if it isn't one.
pub fn elements(text: &[u8]) -> Option<Vec<&[u8]>> {
    let elements: Vec<&RawValue> = serde_json::from_slice(text).ok()?;
    Some(elements.into_iter().map(|element| element.get().as_bytes()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_members_and_elements_whatever_is_in_them() {
        let text = br#" {"kind": "List", "n":-1.5e3,"items" : [ {"a":"]}\"\\"}, [[], {}] ,true, "x"], "e": {}} "#;
        let found = members(text).expect("an object");
        let text = |slice: &[u8]| String::from_utf8_lossy(slice).into_owned();
        assert_eq!(found.len(), 4);
        assert_eq!(text(found["n"]), "-1.5e3");
        let items: Vec<_> = elements(found["items"]).expect("an array").into_iter().map(text).collect();
        assert_eq!(items, [r#"{"a":"]}\"\\"}"#, "[[], {}]", "true", r#""x""#]);
        assert_eq!(elements(b"[]"), Some(Vec::new()));
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("[{}{},1]", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(elements(deep.as_bytes()).map(|found| found.len()), Some(2));
    }

    #[test]
    fn what_our_own_parser_refuses_keeps_no_other_from_being_found() {
        let list = br#"[{"a": 1, "a": 2}, 1e999, "\ud800", 1]"#;
        assert_eq!(elements(list).map(|found| found.len()), Some(4));
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_none() {
        for text in ["", "[", "[1", "[1,", "{\"a\":1}", "[1]]", "[\"a]", "[\"\\", "1"] {
            assert_eq!(elements(text.as_bytes()), None, "{text}");
        }
        for text in ["", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "[]", "{\"a\" 1}", "{1}"] {
            assert_eq!(members(text.as_bytes()), None, "{text}");
        }
    }
}
