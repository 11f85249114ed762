//! The patch from one document to another: small for the changes that mutations make.
//!
//! Objects are compared member by member. Arrays of one length are compared element by element; of different lengths,
//! what they begin and end with in common is left alone, and elements that were only added or only removed between
//! are. Shared subtrees cost nothing.

use super::patch::{Operation, Patch};
use super::pointer::{push_index, push_token};
use super::value::{Object, Value};

/// The patch that turns `before` into `after`.
///
/// [`Patch::apply`] gives exactly `after` if both are objects or arrays; a whole document that is neither cannot be
/// patched.
pub fn diff<'a>(before: Value<'_>, after: Value<'a>) -> Patch<'a> {
    let mut differ = Differ { path: String::new(), operations: Vec::new() };
    differ.value(before, after);
    differ.operations.into()
}

struct Differ<'a> {
    /// The pointer to what is being compared.
    path: String,
    operations: Vec<Operation<'a>>,
}

impl<'a> Differ<'a> {
    fn value(&mut self, before: Value<'_>, after: Value<'a>) {
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => self.object(before, after),
            (Value::Array(before), Value::Array(after)) => self.array(before, after),
            (before, after) if before == after => {}
            (_, after) => self.push("replace", Some(after)),
        }
    }

    fn object(&mut self, before: Object<'_>, after: Object<'a>) {
        if std::ptr::eq::<[_]>(before.members(), after.members()) {
            return;
        }
        for (key, _) in before.members().iter().filter(|(key, _)| after.get(key).is_none()) {
            self.below(|path| push_token(path, key), |differ| differ.push("remove", None));
        }
        for (key, value) in after.members() {
            let old = before.get(key);
            self.below(
                |path| push_token(path, key),
                |differ| match old {
                    Some(old) => differ.value(old, *value),
                    None => differ.push("add", Some(*value)),
                },
            );
        }
    }

    fn array(&mut self, before: &[Value<'_>], after: &'a [Value<'a>]) {
        if std::ptr::eq::<[_]>(before, after) {
            return;
        }
        if before.len() == after.len() {
            return self.pairs(0, before, after);
        }
        let same = |(a, b): &(&Value<'_>, &Value<'a>)| equal(**a, **b);
        let start = before.iter().zip(after).take_while(same).count();
        let (before, after) = (before.get(start..).unwrap_or_default(), after.get(start..).unwrap_or_default());
        let end = before.iter().rev().zip(after.iter().rev()).take_while(same).count();
        let before = before.get(..before.len() - end).unwrap_or_default();
        let after = after.get(..after.len() - end).unwrap_or_default();
        if let Some(gaps) = gaps(before, after) {
            for (offset, gap) in gaps.iter().enumerate().rev() {
                // From the last on, so that the earlier ones keep their index.
                self.element(start + offset, *gap, |differ| differ.push("remove", None));
            }
        } else if let Some(gaps) = gaps(after, before) {
            for (offset, gap) in gaps.iter().enumerate() {
                let added = after.get(offset).copied();
                self.element(start + offset, *gap, |differ| differ.push("add", added));
            }
        } else {
            self.pairs(start, before, after);
            for index in (after.len()..before.len()).rev() {
                self.element(start + index, true, |differ| differ.push("remove", None));
            }
            for (index, value) in after.iter().enumerate().skip(before.len()) {
                self.element(start + index, true, |differ| differ.push("add", Some(*value)));
            }
        }
    }

    fn pairs(&mut self, start: usize, before: &[Value<'_>], after: &'a [Value<'a>]) {
        for (offset, (before, after)) in before.iter().zip(after).enumerate() {
            self.element(start + offset, true, |differ| differ.value(*before, *after));
        }
    }

    fn element(&mut self, index: usize, wanted: bool, work: impl FnOnce(&mut Self)) {
        if wanted {
            self.below(|path| push_index(path, index), work);
        }
    }

    fn below(&mut self, extend: impl FnOnce(&mut String), work: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        extend(&mut self.path);
        work(self);
        self.path.truncate(length);
    }

    fn push(&mut self, op: &'static str, value: Option<Value<'a>>) {
        let operation = Operation::new(op, self.path.clone());
        self.operations.push(Operation { value, ..operation });
    }
}

/// Which elements of `longer` to leave out to get `shorter`; `None` if it takes more than leaving out.
fn gaps(longer: &[Value<'_>], shorter: &[Value<'_>]) -> Option<Vec<bool>> {
    if longer.len() < shorter.len() {
        return None;
    }
    let mut rest = shorter.iter().peekable();
    let gaps = longer.iter().map(|element| rest.next_if(|next| equal(*element, **next)).is_none()).collect();
    rest.peek().is_none().then_some(gaps)
}

/// Equality that knows shared subtrees at sight.
fn equal(a: Value<'_>, b: Value<'_>) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            std::ptr::eq::<[_]>(a, b) || (a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(*a, *b)))
        }
        (Value::Object(a), Value::Object(b)) => {
            std::ptr::eq::<[_]>(a.members(), b.members())
                || (a.len() == b.len() && a.members().iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(*a, b))))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Arena, Limits, PatchLimits, parse, testing, to_json};
    use proptest::prelude::*;

    fn read<'a>(arena: &'a Arena, text: &'a str) -> Value<'a> {
        parse(arena, text.as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn writes_small_patches() {
        for (before, after, patch) in [
            ("{}", "{}", "[]"),
            ("{\"a\":1}", "{\"a\":1}", "[]"),
            ("{\"a\":1}", "{\"b\":1}", r#"[{"op":"remove","path":"/a"},{"op":"add","path":"/b","value":1}]"#),
            ("{\"a\":1}", "{\"a\":1.0}", r#"[{"op":"replace","path":"/a","value":1.0}]"#),
            ("{\"a\":{\"x/y\":1}}", "{\"a\":{\"x/y\":null}}", r#"[{"op":"replace","path":"/a/x~1y","value":null}]"#),
            ("{\"a\":[1,2,3]}", "{\"a\":[1,5,3]}", r#"[{"op":"replace","path":"/a/1","value":5}]"#),
            ("[1,2]", "[0,1,2]", r#"[{"op":"add","path":"/0","value":0}]"#),
            ("[1,2]", "[1,2,3]", r#"[{"op":"add","path":"/2","value":3}]"#),
            ("[1,2,3,4]", "[2,4]", r#"[{"op":"remove","path":"/2"},{"op":"remove","path":"/0"}]"#),
            ("[2,4]", "[1,2,3,4]", r#"[{"op":"add","path":"/0","value":1},{"op":"add","path":"/2","value":3}]"#),
            (
                "[{\"a\":1},{\"b\":1}]",
                "[{\"a\":2},{\"b\":1},{\"c\":1}]",
                r#"[{"op":"replace","path":"/0/a","value":2},{"op":"add","path":"/2","value":{"c":1}}]"#,
            ),
            (
                "[1,2,3]",
                "[9]",
                r#"[{"op":"replace","path":"/0","value":9},{"op":"remove","path":"/2"},{"op":"remove","path":"/1"}]"#,
            ),
            ("{}", "[]", r#"[{"op":"replace","path":"","value":[]}]"#),
        ] {
            let arena = Arena::new();
            assert_eq!(diff(read(&arena, before), read(&arena, after)).to_string(), patch, "{before} to {after}");
        }
    }

    fn container() -> impl Strategy<Value = testing::Sample> {
        testing::sample().prop_map(|sample| match sample {
            testing::Sample::Object(_) | testing::Sample::Array(_) => sample,
            scalar => testing::Sample::Array(vec![scalar]),
        })
    }

    proptest! {
        #[test]
        fn turns_one_document_into_the_other(before in container(), after in container()) {
            let arena = Arena::new();
            let (before, after) = (before.to_value(&arena), after.to_value(&arena));
            let patch = diff(before, after);
            prop_assert_eq!(patch.apply(&arena, before, &PatchLimits::default()), Ok(after), "{}", patch);
        }

        #[test]
        fn agrees_with_another_implementation_of_patches(before in container(), after in container()) {
            let arena = Arena::new();
            let (before, after) = (before.to_value(&arena), after.to_value(&arena));
            let mut theirs: serde_json::Value = serde_json::from_str(&to_json(before)).unwrap();
            let patch: json_patch::Patch = serde_json::from_str(&diff(before, after).to_string()).unwrap();
            json_patch::patch(&mut theirs, &patch).unwrap();
            let expected: serde_json::Value = serde_json::from_str(&to_json(after)).unwrap();
            prop_assert_eq!(theirs, expected);
        }
    }
}
