//! What YAML means: types, keys, merges, limits, positions, and the writer's round trip.

use super::*;
use crate::json::pointer::{Path, Segment};
use crate::json::{Object, testing, to_json};
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

/// The line of the field at `path`.
fn line_of(text: &str, document: usize, path: &str) -> usize {
    let arena = Arena::new();
    read(&arena, text)[document].lines.line(&steps(&Path::parse(path).unwrap()))
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
    let expected = [("{\"a\":1}", 2), ("null", 6), ("{\"b\":2}", 8), ("[3]", 11)];
    assert_eq!(found, expected.map(|(json, line)| (json.to_owned(), line)));
    assert_eq!(read(&arena, ""), []);
    assert_eq!(read(&arena, "# nothing\n"), []);
    assert_eq!(as_json("\u{feff}a: 1"), "{\"a\":1}");
    assert_eq!(as_json("a: 1\r\nb: x\r\n"), "{\"a\":1,\"b\":\"x\"}");
    assert_eq!(as_json("a: 1\n...\n# comment\n---\nb: 2\n"), "{\"a\":1}\n{\"b\":2}");
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
        ("a: {<<: {q: 1}, q: 3}", r#"{"a":{"q":3}}"#),
        ("a: {<<: [{p: 1}, {p: 2, q: 2}]}", r#"{"a":{"p":1,"q":2}}"#),
        (
            "a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc: {<<: [*x, *y], q: 3}",
            r#"{"a":{"p":1},"b":{"p":2,"q":2},"c":{"q":3,"p":1}}"#,
        ),
        ("a: &x {p: 1}\nb: {r: 0, <<: *x, q: 3}", r#"{"a":{"p":1},"b":{"r":0,"q":3,"p":1}}"#),
        ("a: &x {p: 1}\nb: {<<: {<<: *x, p: 2}}", r#"{"a":{"p":1},"b":{"p":2}}"#),
        ("a: {<<: []}", r#"{"a":{}}"#),
        ("a: {<<: {}}", r#"{"a":{}}"#),
        ("a: {!!merge <<: {q: 1}}", r#"{"a":{"q":1}}"#),
        ("a: {!!merge '<<': {q: 1}}", r#"{"a":{"q":1}}"#),
        ("a: {!!str <<: {q: 1}}", r#"{"a":{"<<":{"q":1}}}"#),
        ("? <<\n: {q: 1}\nr: 2", r#"{"r":2,"q":1}"#),
        ("a: {'<<': 1, '<<x': 2}", r#"{"a":{"<<":1,"<<x":2}}"#),
        ("a: <<", r#"{"a":"<<"}"#),
        ("&k a: *k", r#"{"a":"a"}"#),
        ("a: &x 017\n*x : 1", r#"{"a":15,"15":1}"#),
        ("a: &x k\n*x : 1", r#"{"a":"k","k":1}"#),
        ("a: &x 1\nb: &x 2\nc: *x", r#"{"a":1,"b":2,"c":2}"#),
    ] {
        assert_eq!(as_json(text), json, "{text}");
    }
}

/// Where kubectl and others differ, no reading is right: the line and what to write instead.
#[test]
fn rejects_merge_keys_that_readers_understand_differently() {
    for (text, message) in [
        (
            "a: &x {p: 1}\nb: {p: 2, <<: *x}",
            "line 2, column 11: kubectl takes the key \"p\" from this merge, other readers keep the one written before \
             it; put '<<' first, where all keep what is written, or remove the key",
        ),
        ("a: {q: 3, <<: {q: 1}}", "line 1, column 11: kubectl takes the key \"q\" from this merge"),
        ("a: {q: 3, <<: [{p: 1}, {q: 1}]}", "kubectl takes the key \"q\""),
        ("a: {<<: {q: 3, <<: {q: 1}}}", "kubectl takes the key \"q\""),
        ("a: {q: 3, !!merge <<: {q: 1}}", "kubectl takes the key \"q\""),
        (
            "a:\n  <<: {p: 1}\n  <<: {q: 1}\n",
            "line 3, column 3: the merge key '<<' appears twice in one mapping; write one: '<<: [*first, *second]'",
        ),
        ("a: {<<: [], <<: []}", "line 1, column 13: the merge key '<<' appears twice"),
    ] {
        let error = rejection(text);
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn reads_what_yaml_1_2_refuses_and_kubectl_does_not() {
    for (text, json) in [
        // Tabs where no indentation can be.
        ("a:\tb", r#"{"a":"b"}"#),
        ("a: \tb\t# c", r#"{"a":"b"}"#),
        ("a:\t[b,\tc]", r#"{"a":["b","c"]}"#),
        ("a:\t'b'", r#"{"a":"b"}"#),
        ("a:\t&x b\nc:\t*x", r#"{"a":"b","c":"b"}"#),
        ("a: |\t\n  b\n", r#"{"a":"b\n"}"#),
        ("a: {\n\tb:\tc\n}", r#"{"a":{"b":"c"}}"#),
        // Flow lists and quotes that end at their key's column.
        ("a: [\n  b,\n]", r#"{"a":["b"]}"#),
        ("a:\n  b: {\n  c: 1,\n  }\n", r#"{"a":{"b":{"c":1}}}"#),
        ("a: \"b\nc\"", r#"{"a":"b c"}"#),
        ("a:\n  b: 'c\n  d'\n", r#"{"a":{"b":"c d"}}"#),
        // Colons and dashes within words.
        ("a: [--bind, fd00::]", r#"{"a":["--bind","fd00::"]}"#),
        ("a: [fd00::1, b:c, -d]", r#"{"a":["fd00::1","b:c","-d"]}"#),
        ("{a:b, c: d}", r#"{"a:b":null,"c":"d"}"#),
        ("a: [\"d\":e, f: g]", r#"{"a":[{"d":"e"},{"f":"g"}]}"#),
        // Lines that end in other ways, or not at all.
        ("a: |\r\n  b\r\n  c\r\n", r#"{"a":"b\nc\n"}"#),
        ("a: |\n  b", r#"{"a":"b\n"}"#),
        ("a: b\u{85}c: d", r#"{"a":"b","c":"d"}"#),
        // A byte order mark before any document.
        ("\u{feff}a: b\n---\n\u{feff}c: d", "{\"a\":\"b\"}\n{\"c\":\"d\"}"),
        ("a: !!binary aGk=", r#"{"a":"hi"}"#),
        ("a: 0b+1", r#"{"a":1}"#),
        ("a: .1_5", r#"{"a":0.15}"#),
        ("a: ._5", r#"{"a":"._5"}"#),
        ("a: =", r#"{"a":"="}"#),
        ("? a\n? b", r#"{"a":null,"b":null}"#),
    ] {
        assert_eq!(as_json(text), json, "{text:?}");
    }
}

#[test]
fn reads_json_as_json() {
    for (text, json) in [
        (r#"{"a": "\ud83d\ude80 \/ \ud83d"}"#, "{\"a\":\"🚀 / \u{fffd}\"}"),
        (
            r#"{"a": 1.0, "b": 1e3, "c": -0, "d": "<<", "<<": {"x": 1}}"#,
            r#"{"a":1.0,"b":1000.0,"c":0,"d":"<<","<<":{"x":1}}"#,
        ),
        ("{\"a\": 1}{\"b\": 2}", "{\"a\":1}\n{\"b\":2}"),
        ("{\"a\": 1}\n{\"b\": 2}\n{\"c\": 3}\n", "{\"a\":1}\n{\"b\":2}\n{\"c\":3}"),
        ("{\n\t\"a\": 1\n}\n{\n\t\"b\": 2\n}\n", "{\"a\":1}\n{\"b\":2}"),
        ("{\"a\": 1}\n---\n{\"b\": 2}\n", "{\"a\":1}\n{\"b\":2}"),
        // YAML that begins like JSON.
        ("{a: b}", r#"{"a":"b"}"#),
        ("{\"a\": 1,}", r#"{"a":1}"#),
        ("{\"a\": 1}\n# comment\n---\nb: 2\n", "{\"a\":1}\n{\"b\":2}"),
    ] {
        assert_eq!(as_json(text), json, "{text:?}");
    }
    for (text, message) in [
        (r#"{"a": 1, "a": 2}"#, "line 1, column 10: not valid JSON: the key \"a\" appears twice"),
        ("{\"a\": 1}\n{\"b\": 1e400}", "line 2, column 7: not valid JSON: the number 1e400 is out of range"),
        ("{\"a\": 1}\n{\"b\": 1}\n{\"c\": }\n", "line 3, column 7: not valid JSON: expected a value"),
        ("{\n\"a\": [1,\n\"2\" 3]}", "line 3"),
    ] {
        let error = rejection(text);
        assert!(error.contains(message), "{text}: {error}");
    }
}

/// What each document comes to: its JSON, or the line of its error.
fn outcomes(text: &str) -> Vec<Result<String, usize>> {
    let arena = Arena::new();
    let outcome = |d: Result<Document<'_>, Error>| d.map(|d| to_json(d.value)).map_err(|error| error.line);
    documents(&arena, text).into_iter().map(outcome).collect()
}

#[test]
fn judges_each_document_by_itself_whatever_is_wrong_with_another() {
    let good = |json: &str| Ok(json.to_owned());
    for (text, expected) in [
        ("a: \u{7}\n---\nb: 1\n", vec![Err(1), good("{\"b\":1}")]),
        ("a: 1\n--- x\nb: 1\n", vec![good("{\"a\":1}"), Err(2), good("{\"b\":1}")]),
        ("a: 1\n...\nb: [\n---\nc: 1\n", vec![good("{\"a\":1}"), Err(3), good("{\"c\":1}")]),
        ("a: 'x\n---\nb: 1\n", vec![Err(1), good("{\"b\":1}")]),
        ("{\"a\": 1, \"a\": 2}\n{\"b\": 1}\n", vec![Err(1), good("{\"b\":1}")]),
        ("{}\n{}\n{\"a\" 1}\n---\nb: 1\n", vec![good("{}"), good("{}"), Err(3), good("{\"b\":1}")]),
        ("{\"a\": [1}\n---\nb: 1\n", vec![Err(1), good("{\"b\":1}")]),
        ("%YAML 1.1\n---\nb: 1\n", vec![Err(1), good("{\"b\":1}")]),
    ] {
        assert_eq!(outcomes(text), expected, "{text:?}");
    }
    let deep = format!("{}{}\n{{\"b\": 1}}", "{\"a\":".repeat(600), "1".to_owned() + &"}".repeat(600));
    assert_eq!(outcomes(&deep), [Err(1), good("{\"b\":1}")]);
}

#[test]
fn limits_the_length_of_a_text() {
    let arena = Arena::new();
    let limits = Limits::default();
    assert!(documents_within(&arena, "a: 1", &limits, 4).iter().all(Result::is_ok));
    let error = documents_within(&arena, "a: 12", &limits, 4).remove(0).unwrap_err();
    assert_eq!(error.to_string(), "line 1, column 1: the text is longer than 4 bytes; split it");
}

#[test]
fn finds_lines_through_aliases_merges_and_json() {
    let text = "x: &x\n  p:\n    q: 1\nb: *x\nc:\n  <<: *x\n  r: 2\n---\n- {a: 1}\n";
    for (document, path, line) in
        [(0, "b", 4), (0, "b.p", 2), (0, "b.p.q", 3), (0, "c", 5), (0, "c.p.q", 3), (0, "c.r", 7), (1, "[0].a", 9)]
    {
        assert_eq!(line_of(text, document, path), line, "{document}: {path}");
    }
    let json = "{\"a\": 1}\n\n{\n  \"b\": [\n    1, \"\\\"\",\n    {\"c\\u0064\":\n 2}\n  ]\n}\n";
    for (document, path, line) in
        [(0, "a", 1), (1, "", 3), (1, "b", 4), (1, "b[1]", 5), (1, "b[2]", 6), (1, "b[2].cd", 6)]
    {
        assert_eq!(line_of(json, document, path), line, "{document}: {path}");
    }
}

#[test]
fn decodes_files_as_kubectl_does() {
    let utf16 = |text: &str, unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    let decoded = |bytes: Vec<u8>| decode(bytes).map_err(|error| error.to_string());
    assert_eq!(decoded("é: 🚀".into()), Ok("é: 🚀".to_owned()));
    assert_eq!(decoded(utf16("\u{feff}é: 🚀\n", u16::to_be_bytes)), Ok("\u{feff}é: 🚀\n".to_owned()));
    let mut odd = utf16("\u{feff}a\n", u16::to_be_bytes);
    odd.push(0);
    for (bytes, message) in [
        (b"a\xFF".to_vec(), "not UTF-8 (byte 1); save the file as UTF-8"),
        (utf16("\u{feff}a\n", u16::to_le_bytes), "little-endian UTF-16, which kubectl can't read"),
        (utf16("\u{feff}a", u16::to_be_bytes), "doesn't end in a line break"),
        (odd, "not well-formed"),
        (vec![0xFE, 0xFF, 0xD8, 0x00, 0x00, 0x0A], "not well-formed"),
    ] {
        let error = decoded(bytes.clone()).expect_err("kubectl refuses it");
        assert!(error.contains(message), "{bytes:?}: {error}");
    }
}

#[test]
fn rejects_what_has_no_meaning_and_says_where() {
    for (text, message) in [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "line 4, column 3: the key \"c\" appears twice in one mapping"),
        ("{1: a, 0x1: b}", "line 1, column 8: the key \"1\" appears twice"),
        ("a:\n\t- b", "line 2"),
        ("a:\n-\tb", "line 2, column 2: no value can begin with '\\t'"),
        ("a: [1, 2", "expected ',' or ']'"),
        ("a: 'x", "line 1"),
        ("a: b: c", "line 1"),
        ("a: *nowhere", "line 1, column 4"),
        ("a: &x 1\n---\nb: *x", "line 3, column 4"),
        ("a: &x [*x]", "line 1, column 8: the alias refers to a node that is not complete"),
        ("~: 1", "line 1, column 1: a key must be a string, a number or a boolean, not null"),
        ("? [a]\n: 1", "not a list or mapping"),
        ("a: &x [1]\n*x : 1", "line 2, column 1: a key must be a string, a number or a boolean, not a list or mapping"),
        ("a: &x 1\nb: &x [*x]", "line 2, column 8: the alias refers to a node that is not complete"),
        ("18446744073709551615: 1", "not an integer above"),
        ("a: {<<: 1}", "line 1, column 5: the merge key '<<' needs a mapping, an alias of one, or a list of these"),
        ("a: {<<: [1]}", "the merge key"),
        ("a: {<<: null}", "the merge key"),
        ("a: {<<: [[{}]]}", "the merge key"),
        ("a: &x [{b: 1}]\nc: {<<: *x}", "line 2, column 5: the merge key"),
        ("a: .inf", "line 1, column 4: .inf has no place in JSON"),
        ("a: .NaN", ".NaN has no place in JSON"),
        ("a: !!int x", "cannot read \"x\" as !!int"),
        ("a: !!bool 1", "cannot read \"1\" as !!bool"),
        ("a: !!binary a", "!!binary must be valid base64"),
        ("a: !!binary /w==", "!!binary holds bytes that are not UTF-8"),
        ("a: !!timestamp 2001-01-01", "write a string in quotes"),
        ("a: !e!x 1", "line 1, column 4: the tag handle !e! is not defined"),
        ("a: \u{7}", "line 1, column 4: the control character U+0007 must be written as an escape"),
        ("a: \"\\ud83d\\ude80\"", "line 1, column 4: the escape d83d is no character"),
        ("a: \"\\/\"", "line 1, column 4: unknown escape"),
        ("a:\n- b\n\u{feff}c: 1", "line 3, column 1: a byte order mark within the text"),
        ("%YAML 1.1\n---\na: 1", "line 1, column 1: kubectl takes no directives"),
        ("a: 1\n--- b: 1\n", "line 2, column 1: only a comment may follow '---'"),
        ("a: 1\n...\nb: 2\n", "line 3, column 1: the document ended before this, and kubectl drops what follows"),
        ("---\n{}\n{}\n", "line 3, column 1: the document ended before this"),
        ("a: @b", "no value can begin with '@'; put it in quotes"),
        ("a: b\n\tc: d\n", "line 1, column 4: a tab is no indentation"),
    ] {
        let error = rejection(text);
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn limits_depth() {
    let arena = Arena::new();
    let message = |text: &'static str| match documents_within(&arena, text, &Limits { max_depth: 4 }, MAX_TEXT).pop() {
        Some(Err(error)) => error.to_string(),
        other => format!("{other:?}"),
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
    assert!(rejection(&laughs).contains("nearly all of the document is repeated by aliases, which kubectl refuses"));
    let long = format!("a: &a {}\nb: [{}]", "x".repeat(100_000), vec!["*a"; 200].join(", "));
    assert!(rejection(&long).contains("aliases and merge keys repeat more than"));
}

#[test]
fn limits_what_merges_within_merges_repeat() {
    let nested = |members: usize| {
        let members: String = (0..members).map(|i| format!("k{i}: 1,")).collect();
        format!("{}{{{members}}}{}", "{<<: ".repeat(200), "}".repeat(200))
    };
    assert!(as_json(&nested(10)).starts_with("{\"k0\":1,"));
    assert!(rejection(&nested(5000)).contains("aliases and merge keys repeat more than"));
}

#[test]
fn finds_the_line_of_a_field() {
    let text = "kind: A\n---\n# a Pod\nkind: Pod\nmetadata:\n  annotations:\n    example.com/a: x\n    yes: z\nspec:\n  \
                containers:\n  - name: a\n    image: x\n\n  - name: b\n    securityContext: {\n      privileged: true}\n";
    for (document, path, line) in [
        (1, "", 4),
        (1, "kind", 4),
        (1, "metadata.annotations[example.com/a]", 7),
        (1, "metadata.annotations.true", 8),
        (1, "spec.containers", 10),
        (1, "spec.containers[0].image", 12),
        (1, "spec.containers[1]", 14),
        (1, "spec.containers[1].securityContext.privileged", 16),
        // Absent fields: the nearest that is there.
        (1, "spec.containers[0].securityContext.privileged", 11),
        (1, "spec.containers[7].image", 10),
        (1, "spec.containers.image", 10),
        (1, "metadata[0]", 5),
        (1, "status.phase", 4),
        (0, "kind", 1),
    ] {
        assert_eq!(line_of(text, document, path), line, "{document}: {path}");
    }
    assert_eq!(line_of("{\n\"a\": {\n\"b\": 1}}", 0, "a.b"), 3);
    // Many keys, not sorted in the text.
    let many: String = (0..100).rev().map(|i| format!("k{i}: {i}\n")).collect();
    assert_eq!((line_of(&many, 0, "k99"), line_of(&many, 0, "k0"), line_of(&many, 0, "k42")), (1, 100, 58));
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
        for document in documents(&arena, &text).iter().flatten() {
            document.lines.line(&[Step::Key("a"), Step::Index(0)]);
        }
    }
}
