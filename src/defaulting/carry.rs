//! What policies changed on an object with defaults, done to the same object without them: so that what a user is
//! shown, and what is sent back to the API server, holds their changes and no defaults.

use crate::json::{Arena, Member, Object, Value};

/// `onto` with the changes that lead from `before` to `after`, where `before` is `onto` with its defaults.
///
/// Members and elements that are equal before and after stay as they are in `onto`. An element of a list is found
/// again by its value or, if it is changed, by the key that such elements are told apart by; one that isn't found is
/// new, and comes as it is.
pub fn carry_over<'a>(arena: &'a Arena, before: Value<'a>, after: Value<'a>, onto: Value<'a>) -> Value<'a> {
    if before == onto {
        return after;
    }
    if before == after {
        return onto;
    }
    match (before, after, onto) {
        (Value::Object(before), Value::Object(after), Value::Object(onto)) => {
            Value::Object(object(arena, before, after, onto))
        }
        // The whole object was made by defaulting, or stands for one that is written as null.
        (Value::Object(before), Value::Object(after), Value::Null) => {
            Value::Object(object(arena, before, after, Object::default()))
        }
        (Value::Array(before), Value::Array(after), Value::Array(onto)) if before.len() == onto.len() => {
            list(arena, before, after, onto)
        }
        _ => after,
    }
}

fn object<'a>(arena: &'a Arena, before: Object<'a>, after: Object<'a>, onto: Object<'a>) -> Object<'a> {
    let carried = |index, key: &str, written| match (before.get_near(key, index), after.get_near(key, index)) {
        (Some(_), None) => None,
        (Some(old), Some(new)) => Some(carry_over(arena, old, new, written)),
        (None, Some(new)) => Some(new),
        (None, None) => Some(written),
    };
    // Written members keep their places; new ones follow.
    let members = |of: Object<'a>| of.members().iter().enumerate();
    let written = members(onto).filter_map(|(index, (key, value))| Some((*key, carried(index, key, *value)?)));
    let is_new = |(index, (key, new)): &(usize, &Member<'a>)| {
        onto.get_near(key, *index).is_none() && before.get_near(key, *index) != Some(*new)
    };
    let new = members(after).filter(is_new);
    let new = new.filter_map(|(index, (key, _))| Some((*key, carried(index, key, Value::Null)?)));
    Object::new(arena, &written.chain(new).collect::<Vec<Member<'a>>>())
}

/// How many pairs of elements are compared to find the elements of one list again. Those that a list begins and ends
/// with in common are found without; lists that differ in more than a thousand places come as they are.
const MAX_PAIRS: usize = 1_000_000;

fn list<'a>(arena: &'a Arena, before: &[Value<'a>], after: &[Value<'a>], onto: &[Value<'a>]) -> Value<'a> {
    let same = |(a, b): &(&Value<'a>, &Value<'a>)| a == b;
    let start = before.iter().zip(after).take_while(same).count();
    let rest = |elements: &[Value<'a>]| elements.len() - start;
    let end = before.iter().rev().zip(after.iter().rev()).take_while(same).count();
    let end = end.min(rest(before)).min(rest(after));
    let between = start..before.len() - end;
    let comparable = between.len().saturating_mul(rest(after) - end) <= MAX_PAIRS;
    let find = |element: &Value<'a>| {
        let old = before.get(between.clone()).filter(|_| comparable).unwrap_or_default();
        let unchanged = old.iter().position(|other| other == element);
        let is_object = element.as_object().is_some();
        let found = unchanged.or_else(|| old.iter().position(|other| is_object && is_same_element(*other, *element)));
        found.map(|at| start + at)
    };
    let elements = after.iter().enumerate().map(|(index, element)| {
        let found = if index < start {
            Some(index)
        } else if index >= after.len() - end {
            Some(index + before.len() - after.len())
        } else {
            find(element)
        };
        match found.and_then(|at| Some((before.get(at)?, onto.get(at)?))) {
            Some((old, written)) => carry_over(arena, *old, *element, *written),
            None => *element,
        }
    });
    let elements: Vec<_> = elements.collect();
    Value::Array(arena.alloc_slice_copy(&elements))
}

/// The keys by which elements of a pod's lists are told apart.
const ELEMENT_KEYS: [&str; 6] = ["name", "mountPath", "devicePath", "containerPort", "ip", "key"];

/// Whether two elements of a list stand for the same thing, by the keys that such elements have.
pub fn is_same_element(a: Value<'_>, b: Value<'_>) -> bool {
    match ELEMENT_KEYS.iter().find(|key| a.get(key).is_some() || b.get(key).is_some()) {
        Some(key) => a.get(key) == b.get(key),
        None => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, parse, to_json};

    #[track_caller]
    fn carries(onto: &str, before: &str, after: &str, expected: &str) {
        let arena = Arena::new();
        let [onto, before, after] =
            [onto, before, after].map(|text| parse(&arena, text.as_bytes(), &Limits::default()).expect(text));
        assert_eq!(to_json(carry_over(&arena, before, after, onto)), expected);
    }

    #[test]
    fn leaves_defaults_out() {
        carries(
            r#"{"a":{"x":1}}"#,
            r#"{"a":{"x":1,"d":2},"e":{"f":3}}"#,
            r#"{"a":{"x":1,"d":2,"n":4},"e":{"f":3}}"#,
            r#"{"a":{"x":1,"n":4}}"#,
        );
        carries(r#"{"x":1}"#, r#"{"x":1,"d":2}"#, r#"{"d":2}"#, "{}");
        carries(r#"{"x":1}"#, r#"{"x":1,"d":2}"#, r#"{"x":1}"#, r#"{"x":1}"#);
    }

    #[test]
    fn keeps_changes_to_defaults() {
        carries(r#"{"x":1}"#, r#"{"x":1,"d":2}"#, r#"{"x":1,"d":3}"#, r#"{"x":1,"d":3}"#);
        carries(r#"{}"#, r#"{"e":{"f":3}}"#, r#"{"e":{"f":3,"g":4}}"#, r#"{"e":{"g":4}}"#);
        carries(r#"{"e":null}"#, r#"{"e":{"f":3}}"#, r#"{"e":{"f":3,"g":4}}"#, r#"{"e":{"g":4}}"#);
        carries(r#"{}"#, r#"{"e":[1]}"#, r#"{"e":[1,2]}"#, r#"{"e":[1,2]}"#);
    }

    #[test]
    fn finds_elements_again() {
        let onto = r#"[{"name":"a"},{"name":"b"},{"z":1}]"#;
        let before = r#"[{"name":"a","d":1},{"name":"b","d":1},{"z":1,"d":1}]"#;
        let cases = [
            (r#"[{"name":"b","d":1},{"name":"a","d":1}]"#, r#"[{"name":"b"},{"name":"a"}]"#),
            (
                r#"[{"name":"new","d":1},{"name":"a","d":1,"n":2},{"z":1,"d":1}]"#,
                r#"[{"name":"new","d":1},{"name":"a","n":2},{"z":1}]"#,
            ),
            // Nothing tells which element this was.
            (r#"[{"z":1,"d":1,"n":2}]"#, r#"[{"z":1,"d":1,"n":2}]"#),
        ];
        for (after, expected) in cases {
            carries(onto, before, after, expected);
        }
    }

    #[test]
    fn compares_no_more_elements_than_the_limit() {
        let list = |count: usize, member: &str| {
            let elements: Vec<_> = (0..count).map(|i| format!(r#"{{"name":"{i}"{member}}}"#)).collect();
            format!("[{}]", elements.join(","))
        };
        let (few, many) = (1_000, 1_001);
        carries(&list(few, ""), &list(few, r#","d":1"#), &list(few, r#","d":1,"n":2"#), &list(few, r#","n":2"#));
        let after = list(many, r#","d":1,"n":2"#);
        carries(&list(many, ""), &list(many, r#","d":1"#), &after, &after);
    }
}
