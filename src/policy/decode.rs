//! Strict decoding: a cursor over the fields of a value that hands out what is asked for and complains about the rest.
//!
//! A decoder asks for every field it knows and returns what it could build; what is wrong goes into [`Problems`], so
//! that one look at a file names every mistake in it. `null` counts as absent, as it does upstream.

use crate::json::{Object, Value};

use super::problem::{Fault, FieldPath, Problems, closest};

/// A value, where it stands, and where to complain about it.
#[derive(Clone, Debug)]
pub struct Node<'a, 'p> {
    value: Value<'a>,
    path: FieldPath,
    problems: &'p Problems,
}

impl<'a, 'p> Node<'a, 'p> {
    /// The root of a document, or a value at `path` in it.
    pub fn new(value: Value<'a>, path: FieldPath, problems: &'p Problems) -> Self {
        Self { value, path, problems }
    }

    /// Reads the fields of an object: `read` asks for those it knows, and any other is reported as unknown.
    pub fn fields<T>(&self, read: impl FnOnce(&mut Fields<'a, 'p>) -> Option<T>) -> Option<T> {
        let mut fields =
            Fields { object: self.object()?, path: self.path.clone(), problems: self.problems, known: Vec::new() };
        let decoded = read(&mut fields);
        fields.finish();
        decoded
    }

    /// The value as a string.
    pub fn string(&self) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            let quote = match self.value {
                Value::Bool(value) => format!("write \"{value}\", with the quotes"),
                Value::Int(value) => format!("write \"{value}\", with the quotes"),
                Value::Float(value) => format!("write \"{value}\", with the quotes"),
                _ => String::new(),
            };
            self.wrong_type("a string", quote);
        }
        text
    }

    /// The value as one of `words`, with what the word stands for.
    pub fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.string()?;
        let meaning = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if meaning.is_none() {
            let supported: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let advice = closest(text, &supported).map(|word| format!("write {word}")).unwrap_or_default();
            self.report(Fault::Unsupported { value: text.to_owned(), supported }, advice);
        }
        meaning
    }

    /// The elements of a list.
    pub fn elements(&self) -> Vec<Node<'a, 'p>> {
        let Some(elements) = self.value.as_array() else {
            self.wrong_type("a list", "begin each entry with a dash".to_owned());
            return Vec::new();
        };
        let node = |(at, value): (usize, &Value<'a>)| Node::new(*value, self.path.index(at), self.problems);
        elements.iter().enumerate().map(node).collect()
    }

    /// The elements of a list, as `decode` reads them; those that it can't read are left out, having been reported.
    pub fn list<T>(&self, decode: impl FnMut(Node<'a, 'p>) -> Option<T>) -> Vec<T> {
        self.elements().into_iter().filter_map(decode).collect()
    }

    /// The elements of a list of strings.
    pub fn strings(&self) -> Vec<String> {
        self.list(|element| element.string().map(str::to_owned))
    }

    /// The entries of a map, sorted by key.
    pub fn entries(&self) -> Vec<(&'a str, Node<'a, 'p>)> {
        let mut entries = self.members();
        entries.sort_by_key(|(key, _)| *key);
        entries
    }

    /// The entries of a map, in the order of the source up to [`INDEXED_FROM`](crate::json::INDEXED_FROM) of them.
    pub fn members(&self) -> Vec<(&'a str, Node<'a, 'p>)> {
        let node = |(key, value): &(&'a str, Value<'a>)| (*key, Node::new(*value, self.path.field(key), self.problems));
        self.object().unwrap_or_default().members().iter().map(node).collect()
    }

    /// The value itself.
    pub fn value(&self) -> Value<'a> {
        self.value
    }

    /// Where the value stands.
    pub fn path(&self) -> &FieldPath {
        &self.path
    }

    /// Where complaints about the document go.
    pub fn problems(&self) -> &'p Problems {
        self.problems
    }

    /// Complains about the value.
    pub fn report(&self, fault: Fault, advice: impl Into<String>) {
        self.problems.add(self.path.clone(), fault, advice);
    }

    /// Complains that a string breaks a rule.
    pub fn invalid(&self, value: &str, detail: impl Into<String>, advice: impl Into<String>) {
        self.report(Fault::Invalid { value: value.to_owned(), detail: detail.into() }, advice);
    }

    fn object(&self) -> Option<Object<'a>> {
        let object = self.value.as_object();
        if object.is_none() {
            self.wrong_type("an object", String::new());
        }
        object
    }

    fn wrong_type(&self, expected: &'static str, advice: String) {
        self.report(Fault::Type { expected, found: self.value.type_name() }, advice);
    }
}

/// The fields of an object that is being read.
#[derive(Debug)]
pub struct Fields<'a, 'p> {
    object: Object<'a>,
    path: FieldPath,
    problems: &'p Problems,
    known: Vec<&'static str>,
}

impl<'a, 'p> Fields<'a, 'p> {
    /// The field `name`, if it is given.
    pub fn get(&mut self, name: &'static str) -> Option<Node<'a, 'p>> {
        self.known.push(name);
        let value = self.object.get(name).filter(|value| !value.is_null())?;
        Some(Node::new(value, self.path.field(name), self.problems))
    }

    /// The field `name`, whose absence is reported.
    pub fn require(&mut self, name: &'static str, advice: &str) -> Option<Node<'a, 'p>> {
        let field = self.get(name);
        if field.is_none() {
            self.missing(name, "", advice);
        }
        field
    }

    /// The string `name` and its place; absent, empty and blank ones are reported as missing.
    pub fn text(&mut self, name: &'static str, detail: &str, advice: &str) -> Option<(&'a str, Node<'a, 'p>)> {
        let Some(field) = self.get(name) else {
            self.missing(name, detail, advice);
            return None;
        };
        let text = field.string()?;
        if text.trim().is_empty() {
            self.missing(name, detail, advice);
            return None;
        }
        Some((text, field))
    }

    /// Complains that the field `name` is missing.
    pub fn missing(&self, name: &str, detail: &str, advice: &str) {
        self.problems.add(self.path.field(name), Fault::Required(detail.to_owned()), advice);
    }

    /// Complains that the field `name` may not be given.
    pub fn forbid(&self, name: &str, detail: &str, advice: &str) {
        self.problems.add(self.path.field(name), Fault::Forbidden(detail.to_owned()), advice);
    }

    /// Accepts fields without reading them.
    pub fn ignore(&mut self, names: &[&'static str]) {
        self.known.extend_from_slice(names);
    }

    fn finish(self) {
        for (name, _) in self.object.members() {
            if !self.known.contains(name) {
                let advice = match closest(name, &self.known) {
                    Some(meant) => format!("write {meant}"),
                    None if self.known.is_empty() => String::new(),
                    None => format!("known fields: {}", self.known.join(", ")),
                };
                self.problems.add(self.path.field(name), Fault::Unknown, advice);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Arena;

    /// The problems that `decode` finds in an object with these members.
    fn problems(members: &[(&str, Value<'_>)], decode: impl FnOnce(&Node<'_, '_>)) -> Vec<String> {
        let arena = Arena::new();
        let problems = Problems::default();
        let object = Value::Object(Object::new(&arena, members));
        decode(&Node::new(object, FieldPath::default().field("spec"), &problems));
        problems.into_inner().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn accepts_the_fields_that_were_asked_for() {
        let found = problems(&[("name", Value::String("a")), ("absent", Value::Null)], |node| {
            let name = node.fields(|fields| {
                assert!(fields.get("absent").is_none());
                fields.text("name", "", "").map(|(text, _)| text.to_owned())
            });
            assert_eq!(name.as_deref(), Some("a"));
        });
        assert_eq!(found, [] as [&str; 0]);
    }

    #[test]
    fn rejects_the_fields_that_nobody_asked_for() {
        let found = problems(&[("mesage", Value::Null), ("severity", Value::Int(3))], |node| {
            node.fields(|fields| fields.get("message").map(|_| ()));
        });
        assert_eq!(
            found,
            ["spec.mesage: unknown field; write message", "spec.severity: unknown field; known fields: message"]
        );
    }

    #[test]
    fn rejects_missing_and_blank_texts_alike() {
        for value in [Value::Null, Value::String(""), Value::String(" \n")] {
            let found = problems(&[("name", value)], |node| {
                node.fields(|fields| fields.text("name", "name is not specified", "write name: …").map(|_| ()));
            });
            assert_eq!(found, ["spec.name: Required value: name is not specified; write name: …"], "{value:?}");
        }
    }

    #[test]
    fn rejects_values_of_another_type() {
        type Read = fn(&Node<'_, '_>);
        let cases: [(Value<'_>, Read, &str); 6] = [
            (
                Value::Int(5),
                |n| {
                    n.string();
                },
                "spec.x: must be a string, but is a number; write \"5\", with the quotes",
            ),
            (
                Value::Array(&[]),
                |n| {
                    n.string();
                },
                "spec.x: must be a string, but is a list",
            ),
            (
                Value::Bool(true),
                |n| {
                    n.entries();
                },
                "spec.x: must be an object, but is a boolean",
            ),
            (
                Value::Float(0.5),
                |n| {
                    n.fields(|_| Some(()));
                },
                "spec.x: must be an object, but is a number",
            ),
            (
                Value::String("a"),
                |n| {
                    n.strings();
                },
                "spec.x: must be a list, but is a string; begin each entry with a dash",
            ),
            (
                Value::Array(&[Value::Null]),
                |n| {
                    n.strings();
                },
                "spec.x[0]: must be a string, but is null",
            ),
        ];
        for (value, read, message) in cases {
            let found = problems(&[("x", value)], |node| {
                node.fields(|fields| fields.get("x").map(|field| read(&field)));
            });
            assert_eq!(found, [message]);
        }
    }

    #[test]
    fn rejects_words_that_are_not_in_the_list() {
        let found = problems(&[("action", Value::String("Dney"))], |node| {
            node.fields(|fields| fields.get("action")?.word(&[("Audit", 0), ("Deny", 1)]));
        });
        assert_eq!(
            found,
            ["spec.action: Unsupported value: \"Dney\": supported values: \"Audit\", \"Deny\"; write Deny"]
        );
    }

    #[test]
    fn hands_out_map_entries_sorted_by_key() {
        problems(&[("b", Value::Int(1)), ("a", Value::Int(2))], |node| {
            let keys: Vec<_> = node.entries().into_iter().map(|(key, at)| (key, at.path().to_string())).collect();
            assert_eq!(keys, [("a", "spec.a".to_owned()), ("b", "spec.b".to_owned())]);
        });
    }
}
