//! What YAML means: types, keys, merges, limits, positions, and the writer's round trip.

use super::*;
use crate::json::pointer::{Path, Segment};
use crate::json::{testing, to_json};
use proptest::prelude::*;

fn read<'a>(arena: &'a Arena, text: &'a str) -> Vec<Document<'a>> {
    documents(arena, text).into_iter().map(|d| d.unwrap_or_else(|error| panic!("{text}: {error}"))).collect()
}

fn as_json(text: &str) -> String {
    let arena = Arena::new();
    read(&arena, text).iter().map(|document| to_json(document.value)).collect::<Vec<_>>().join("\n")
}

fn rejection(text: &str) -> String {
    let arena = Arena::new();
    match documents(&arena, text).into_iter().find_map(Result::err) {
        None => panic!("{text} was accepted"),
        Some(error) => error.to_string(),
    }
}

fn steps<'p>(path: &'p Path<'_>) -> Vec<Step<'p>> {
    let step = |segment: &'p Segment<'_>| match segment {
        Segment::Key(key) => Step::Key(key),
        Segment::Index(index) => Step::Index(*index),
    };
    path.0.iter().map(step).collect()
}

#[test]
fn gives_scalars_the_types_that_kubernetes_gives_them() {
    for (scalar, json) in [
        ("yes", "true"),
        ("On", "true"),
        ("y", "true"),
        ("TRUE", "true"),
        ("no", "false"),
        ("off", "false"),
        ("N", "false"),
        ("False", "false"),
        ("yEs", "\"yEs\""),
        ("~", "null"),
        ("Null", "null"),
        ("nil", "\"nil\""),
        ("17", "17"),
        ("+17", "17"),
        ("-17", "-17"),
        ("0", "0"),
        ("-0", "0"),
        ("0644", "420"),
        ("0o17", "15"),
        ("-0x1F", "-31"),
        ("0b101", "5"),
        ("1_000", "1000"),
        ("08", "8"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775808", "9.223372036854776e18"),
        ("-9223372036854775809", "-9.223372036854776e18"),
        ("4611686018427387904.0", "4611686018427388000"),
        ("0x", "\"0x\""),
        ("+-1", "\"+-1\""),
        ("1.5", "1.5"),
        ("1.0", "1"),
        ("1e3", "1000"),
        ("1.5e-3", "0.0015"),
        (".5", "0.5"),
        ("+.5", "0.5"),
        ("5.", "5"),
        ("-.5e1", "-5"),
        ("1e400", "\"1e400\""),
        ("1e", "\"1e\""),
        ("1.2.3", "\"1.2.3\""),
        (".", "\".\""),
        ("1:30", "\"1:30\""),
        ("2024-01-31", "\"2024-01-31\""),
        ("2024-01-31T10:00:00Z", "\"2024-01-31T10:00:00Z\""),
        ("500m", "\"500m\""),
        ("_1", "\"_1\""),
        ("'yes'", "\"yes\""),
        ("\"017\"", "\"017\""),
        ("!!str 017", "\"017\""),
        ("!!int '17'", "17"),
        ("!!float 17", "17"),
        ("!!float 1.5", "1.5"),
        ("!!bool yes", "true"),
        ("!!null ''", "null"),
        ("!custom 17", "\"17\""),
        ("|\n  17\n", "\"17\\n\""),
        (">-\n  a\n  b\n", "\"a b\""),
    ] {
        assert_eq!(as_json(&format!("v: {scalar}")), format!("{{\"v\":{json}}}"), "{scalar}");
    }
    assert_eq!(as_json("v:"), "{\"v\":null}");
}

#[test]
fn writes_keys_that_are_no_strings_as_kubernetes_does() {
    for (key, name) in [
        ("yes", "true"),
        ("off", "false"),
        ("017", "15"),
        ("1.50", "1.5"),
        ("1.0", "1"),
        ("1234567.5", "1.2345675e+06"),
        ("0.00001", "1e-05"),
        ("1e5", "100000"),
        ("1e40", ".inf"),
        (".nan", ".nan"),
        ("'017'", "017"),
        ("2024-01-31", "2024-01-31"),
    ] {
        assert_eq!(as_json(&format!("{key}: 0")), format!("{{\"{name}\":0}}"), "{key}");
    }
}

#[test]
fn reads_streams_of_documents_with_their_lines() {
    let arena = Arena::new();
    let text = "# comment\na: 1\n---\n---\n# only a comment\n---\n\nb: 2\n...\n---\n- 3\n";
    let found: Vec<_> = read(&arena, text).iter().map(|d| (to_json(d.value), d.line)).collect();
    let expected = [("{\"a\":1}", 2), ("null", 4), ("null", 6), ("{\"b\":2}", 8), ("[3]", 11)];
    assert_eq!(found.iter().map(|(json, _)| json.as_str()).collect::<Vec<_>>(), expected.map(|(json, _)| json));
    assert_eq!((found[0].1, found[3].1, found[4].1), (2, 8, 11));
    assert_eq!(read(&arena, ""), []);
    assert_eq!(read(&arena, "# nothing\n"), []);
    assert_eq!(as_json("\u{feff}a: 1"), "{\"a\":1}");
    assert_eq!(as_json("a: 1\r\nb: x\r\n"), "{\"a\":1,\"b\":\"x\"}");
    assert_eq!(as_json("a: 1\n...\nb: 2\n"), "{\"a\":1}\n{\"b\":2}");
}

#[test]
fn reads_the_documents_around_a_broken_one() {
    let arena = Arena::new();
    let found: Vec<_> = documents(&arena, "a: 1\n---\nb: [\n---\nc: 3\n---\nd: {{ x }}\n---\n- e\n");
    let found: Vec<_> = found
        .into_iter()
        .map(|document| document.map(|d| (to_json(d.value), d.line)).map_err(|error| error.line))
        .collect();
    assert_eq!(found.len(), 5);
    assert_eq!(found[0], Ok(("{\"a\":1}".to_owned(), 1)));
    assert!(found[1].as_ref().is_err_and(|line| (3..=4).contains(line)), "{found:?}");
    assert_eq!(found[2], Ok(("{\"c\":3}".to_owned(), 5)));
    assert_eq!(found[3], Err(7));
    assert_eq!(found[4], Ok(("[\"e\"]".to_owned(), 9)));
    assert_eq!(locate("a: [\n---\nb: 1\n", 1, &[Step::Key("b")]), Some(3));
}

#[test]
fn reads_json() {
    let text = r#"{"a": [1, 2.5, "x\/y\u00e9", null, true], "b": {}}"#;
    assert_eq!(as_json(text), r#"{"a":[1,2.5,"x/yé",null,true],"b":{}}"#);
}

#[test]
fn follows_aliases_and_merge_keys() {
    for (text, json) in [
        ("a: &x [1, 2]\nb: *x", r#"{"a":[1,2],"b":[1,2]}"#),
        ("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3, r: 4}", r#"{"a":{"p":1,"q":2},"b":{"q":3,"r":4,"p":1}}"#),
        ("a: {q: 3, <<: {q: 1}}", r#"{"a":{"q":3}}"#),
        ("a: {<<: [{p: 1}, {p: 2, q: 2}]}", r#"{"a":{"p":1,"q":2}}"#),
        ("a: {'<<': 1}", r#"{"a":{"<<":1}}"#),
        ("a: &x k\n*x : 1", r#"{"a":"k","k":1}"#),
        ("a: &x 1\nb: &x 2\nc: *x", r#"{"a":1,"b":2,"c":2}"#),
    ] {
        assert_eq!(as_json(text), json, "{text}");
    }
}

#[test]
fn rejects_what_has_no_meaning_and_says_where() {
    for (text, message) in [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "line 4, column 3: the key \"c\" appears twice in one mapping"),
        ("{1: a, 0x1: b}", "line 1, column 8: the key \"1\" appears twice"),
        ("a:\n\t- b", "line 2"),
        ("a: [1, 2", "expected ',' or ']'"),
        ("a: 'x", "line 1"),
        ("a: b: c", "line 1"),
        ("a: *nowhere", "line 1, column 4"),
        ("a: &x 1\n---\nb: *x", "line 3, column 4"),
        ("a: &x [*x]", "line 1, column 8: the alias refers to a node that is not complete"),
        ("~: 1", "line 1, column 1: a key must be a string, a number or a boolean, not null"),
        ("? [a]\n: 1", "not a list or mapping"),
        ("a: &x [1]\n*x : 1", "not an alias to something else"),
        ("18446744073709551615: 1", "not an integer above"),
        ("a: {<<: 1}", "line 1, column 9: the merge key '<<' needs a mapping or a list of mappings"),
        ("a: {<<: [1]}", "the merge key"),
        ("a: .inf", "line 1, column 4: .inf has no place in JSON"),
        ("a: .NaN", ".NaN has no place in JSON"),
        ("a: !!int x", "cannot read \"x\" as !!int"),
        ("a: !!bool 1", "cannot read \"1\" as !!bool"),
        ("a: !!binary aGk=", "cannot read \"aGk=\" as !!binary"),
    ] {
        let error = rejection(text);
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn limits_depth() {
    let arena = Arena::new();
    let message = |text: &'static str| {
        let part = Part { text, line: 1 };
        match part_documents(&arena, part, &Limits { max_depth: 4 }).pop() {
            Some(Err(error)) => error.to_string(),
            other => format!("{other:?}"),
        }
    };
    assert!(message("[[[[]]]]").starts_with("Some(Ok("));
    assert_eq!(message("[[[[[]]]]]"), "line 1, column 5: more than 4 lists and mappings are nested in each other");
    assert!(message("a: &x [[[]]]\nb: {c: [*x]}").starts_with("line 2, column 9: more than 4"));
    assert!(rejection(&"- ".repeat(10_000)).contains("more than 512 lists"));
    assert!(rejection(&"[".repeat(10_000)).starts_with("line 1"));
    assert!(rejection(&"{a: ".repeat(10_000)).starts_with("line 1"));
}

#[test]
fn limits_what_aliases_repeat() {
    let mut laughs = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for i in 1..10 {
        let row = vec![format!("*a{}", i - 1); 10].join(", ");
        laughs.push_str(&format!("a{i}: &a{i} [{row}]\n"));
    }
    assert!(rejection(&laughs).contains("aliases repeat more than 16777216 bytes"));
    let long = format!("a: &a {}\nb: [{}]", "x".repeat(100_000), vec!["*a"; 200].join(", "));
    assert!(rejection(&long).contains("aliases repeat more than"));
}

#[test]
fn finds_the_line_of_a_field() {
    let text = "kind: A\n---\n# a Pod\nkind: Pod\nmetadata:\n  annotations:\n    example.com/a: x\n    yes: z\nspec:\n  \
                containers:\n  - name: a\n    image: x\n\n  - name: b\n    securityContext: {\n      privileged: true}\n";
    for (document, path, line) in [
        (1, "", Some(4)),
        (1, "kind", Some(4)),
        (1, "metadata.annotations[example.com/a]", Some(7)),
        (1, "metadata.annotations.true", Some(8)),
        (1, "spec.containers", Some(10)),
        (1, "spec.containers[0].image", Some(12)),
        (1, "spec.containers[1]", Some(14)),
        (1, "spec.containers[1].securityContext.privileged", Some(16)),
        // Absent fields: the nearest that is there.
        (1, "spec.containers[0].securityContext.privileged", Some(11)),
        (1, "spec.containers[7].image", Some(10)),
        (1, "status.phase", Some(4)),
        (0, "kind", Some(1)),
        (2, "kind", None),
    ] {
        assert_eq!(locate(text, document, &steps(&Path::parse(path).unwrap())), line, "{document}: {path}");
    }
    assert_eq!(locate("{\n\"a\": {\n\"b\": 1}}", 0, &[Step::Key("a"), Step::Key("b")]), Some(3));
}

#[test]
fn writes_block_style_with_few_quotes() {
    let arena = Arena::new();
    let text = "apiVersion: v1\nspec:\n  args:\n  - --listen=:8080\n  - \"yes\"\n  - \"0123\"\n  containers:\n  - env: []\n    \
                image: registry.example.com/a:v1@sha256:0\n    resources: {}\n    script: |\n      set -e\n\n      true\n  \
                nested:\n  - - 1\n    - 2.5\n  - null\n  \"no\": a b\n";
    assert_eq!(to_yaml(read(&arena, text)[0].value), text);
}

/// Whether two values are one to Kubernetes: YAML has no float that is whole.
fn same(a: Value<'_>, b: Value<'_>) -> bool {
    match (a, b) {
        (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => a as f64 == b,
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(*a, *b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.members().iter().all(|(key, a)| b.get(key).is_some_and(|b| same(*a, b)))
        }
        (a, b) => a == b,
    }
}

fn round_trip(value: Value<'_>) -> Result<(), TestCaseError> {
    let arena = Arena::new();
    let text = to_yaml(value);
    let again = documents(&arena, &text);
    let ok = matches!(again.as_slice(), [Ok(document)] if same(document.value, value));
    prop_assert!(ok, "{}\n{text}\n{again:?}", to_json(value));
    Ok(())
}

#[test]
fn reads_back_awkward_strings() {
    let arena = Arena::new();
    let long = "k".repeat(3000);
    for text in testing::AWKWARD.iter().copied().chain([long.as_str()]) {
        let string = Value::String(text);
        let list = Value::Array(arena.alloc_slice_copy(&[string, string]));
        let object = Value::Object(Object::new(&arena, &[(text, string), ("list", list), ("z", string)]));
        for value in [string, list, object, Value::Array(arena.alloc_slice_copy(&[object, list]))] {
            round_trip(value).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        }
    }
}

proptest! {
    #[test]
    fn reads_back_what_it_writes(sample in testing::sample()) {
        let arena = Arena::new();
        round_trip(sample.to_value(&arena))?;
    }

    #[test]
    fn never_panics(text in "[ \t\n\r\\-:?,\\[\\]{}#&*!|>'\"%@`a-c0-9<~.\u{feff}é]{0,60}") {
        let arena = Arena::new();
        for (document, _) in documents(&arena, &text).iter().enumerate() {
            locate(&text, document, &[Step::Key("a"), Step::Index(0)]);
        }
    }
}
