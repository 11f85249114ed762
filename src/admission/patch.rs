//! The difference between two documents as RFC 6902 operations.

use crate::json::{Value, write_json, write_json_string};

/// Writes the operations that turn `before` into `after`, as a JSON array; `None` if they are equal.
pub(super) fn between(before: Value<'_>, after: Value<'_>) -> Option<String> {
    let mut writer = Writer { text: String::from("["), path: String::new() };
    writer.value(before, after);
    if writer.text.len() == 1 {
        return None;
    }
    writer.text.push(']');
    Some(writer.text)
}

struct Writer {
    text: String,
    /// The pointer to what is being compared.
    path: String,
}

impl Writer {
    /// Recursion is as deep as the documents, which their parser limits.
    fn value(&mut self, before: Value<'_>, after: Value<'_>) {
        match (before, after) {
            (Value::Object(old), Value::Object(new)) => {
                for (key, value) in old.members() {
                    match new.get(key) {
                        Some(other) => self.below(key, |writer| writer.value(*value, other)),
                        None => self.below(key, |writer| writer.operation("remove", None)),
                    }
                }
                for (key, value) in new.members().iter().filter(|(key, _)| old.get(key).is_none()) {
                    self.below(key, |writer| writer.operation("add", Some(*value)));
                }
            }
            (Value::Array(old), Value::Array(new)) => {
                for (index, (old, new)) in old.iter().zip(new).enumerate() {
                    self.below(&index.to_string(), |writer| writer.value(*old, *new));
                }
                // From the end, so that no removal moves what a later one names.
                for index in (new.len()..old.len()).rev() {
                    self.below(&index.to_string(), |writer| writer.operation("remove", None));
                }
                for value in new.iter().skip(old.len()) {
                    self.below("-", |writer| writer.operation("add", Some(*value)));
                }
            }
            _ if before != after => self.operation("replace", Some(after)),
            _ => {}
        }
    }

    fn below(&mut self, step: &str, inner: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(&step.replace('~', "~0").replace('/', "~1"));
        inner(self);
        self.path.truncate(length);
    }

    fn operation(&mut self, op: &str, value: Option<Value<'_>>) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        self.text.push_str(r#"{"op":""#);
        self.text.push_str(op);
        self.text.push_str(r#"","path":"#);
        write_json_string(&mut self.text, &self.path);
        if let Some(value) = value {
            self.text.push_str(r#","value":"#);
            write_json(&mut self.text, value);
        }
        self.text.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Arena, Limits, parse};

    #[test]
    fn applied_to_the_first_document_the_patch_gives_the_second() {
        for (before, after) in [
            (r#"{"a":1}"#, r#"{"a":2}"#),
            (r#"{"a":1}"#, r#"{"b":1}"#),
            (r#"{"a":{"b":[1,2,3]}}"#, r#"{"a":{"b":[1]}}"#),
            (r#"{"a":[1]}"#, r#"{"a":[2,{"x":null},3]}"#),
            (r#"{"a/b":{"~":1}}"#, r#"{"a/b":{"~":[]}}"#),
            (r#"{"a":[]}"#, r#"{"a":{}}"#),
            (r#"{"a":null}"#, r#"{}"#),
            (r#"{"":"\n"}"#, r#"{"":"\u0001\""}"#),
            (r#"[1]"#, r#"{"a":1.5}"#),
        ] {
            let arena = Arena::new();
            let value = |text: &'static str| parse(&arena, text.as_bytes(), &Limits::default()).expect(text);
            let text = between(value(before), value(after)).expect("a difference");
            let patch: json_patch::Patch = serde_json::from_str(&text).expect("operations of RFC 6902");
            let mut patched: serde_json::Value = serde_json::from_str(before).expect(before);
            json_patch::patch(&mut patched, &patch).expect("an applicable patch");
            assert_eq!(patched, serde_json::from_str::<serde_json::Value>(after).expect(after), "{text}");
        }
    }

    #[test]
    fn equal_documents_need_no_patch() {
        let arena = Arena::new();
        let value = |text: &'static str| parse(&arena, text.as_bytes(), &Limits::default()).expect(text);
        assert_eq!(between(value(r#"{"a":1,"b":[2]}"#), value(r#"{"b":[2],"a":1}"#)), None);
    }
}
