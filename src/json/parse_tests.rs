//! What the JSON parser accepts, rejects and says.

use super::{Arena, Limits, ParseErrorKind, Value, parse};
use proptest::prelude::*;

fn accepted<'a>(arena: &'a Arena, text: &'a str) -> Value<'a> {
    parse(arena, text.as_bytes(), &Limits::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn rejection(text: impl AsRef<[u8]>) -> String {
    let arena = Arena::new();
    match parse(&arena, text.as_ref(), &Limits::default()) {
        Ok(value) => panic!("{:?} was accepted as {value:?}", String::from_utf8_lossy(text.as_ref())),
        Err(error) => error.to_string(),
    }
}

#[test]
fn accepts_every_kind_of_value() {
    let arena = Arena::new();
    for (text, expected) in [
        ("null", Value::Null),
        (" true\n", Value::Bool(true)),
        ("\tfalse\r", Value::Bool(false)),
        ("\"\"", Value::String("")),
        ("\"grüße 🌊\"", Value::String("grüße 🌊")),
        ("[]", Value::Array(&[])),
        ("[ ]", Value::Array(&[])),
        ("[1,[2],[]]", Value::Array(&[Value::Int(1), Value::Array(&[Value::Int(2)]), Value::Array(&[])])),
    ] {
        assert_eq!(accepted(&arena, text), expected, "{text}");
    }
    let object = accepted(&arena, r#" { "a" : 1 , "b" : { "c" : [ { } ] } , "" : null } "#);
    assert_eq!(object.get("a"), Some(Value::Int(1)));
    assert_eq!(object.at(&["b", "c"]).and_then(|c| c.as_array()).map(<[_]>::len), Some(1));
    assert_eq!(object.get(""), Some(Value::Null));
}

#[test]
fn decodes_numbers_as_kubernetes_does() {
    let arena = Arena::new();
    for (text, expected) in [
        ("0", Value::Int(0)),
        ("-0", Value::Int(0)),
        ("-17", Value::Int(-17)),
        ("999999999999999999", Value::Int(999_999_999_999_999_999)),
        ("9223372036854775807", Value::Int(i64::MAX)),
        ("-9223372036854775808", Value::Int(i64::MIN)),
        ("9223372036854775808", Value::Float(9_223_372_036_854_775_808.0)),
        ("1.0", Value::Float(1.0)),
        ("-2.5e-3", Value::Float(-0.0025)),
        ("1E2", Value::Float(100.0)),
        ("1e-400", Value::Float(0.0)),
    ] {
        assert_eq!(accepted(&arena, text), expected, "{text}");
    }
}

#[test]
fn decodes_escapes() {
    let arena = Arena::new();
    for (text, expected) in [
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u0041\u00e9\u20AC""#, "Aé€"),
        (r#""\uD83C\uDF0A!""#, "🌊!"),
        (r#""\ud83c""#, "\u{fffd}"),
        (r#""\ud83cx""#, "\u{fffd}x"),
        (r#""\udf0a\ud83c\u0041""#, "\u{fffd}\u{fffd}A"),
        (r#""plain text before\nand after it""#, "plain text before\nand after it"),
    ] {
        assert_eq!(accepted(&arena, text), Value::String(expected), "{text}");
    }
}

#[test]
fn borrows_strings_without_escapes() {
    let arena = Arena::new();
    let text = r#""borrowed""#;
    let Value::String(string) = accepted(&arena, text) else { panic!("not a string") };
    assert_eq!(string.as_ptr(), text[1..].as_ptr());
}

#[test]
fn keeps_small_objects_in_order_and_sorts_large_ones() {
    let arena = Arena::new();
    let small = accepted(&arena, r#"{"z":1,"a":2}"#);
    assert_eq!(small.as_object().map(|o| o.members()[0].0), Some("z"));
    let text = format!("{{{}}}", (0..100).rev().map(|i| format!("\"k{i:03}\":{i}")).collect::<Vec<_>>().join(","));
    let large = accepted(&arena, &text);
    assert_eq!(large.as_object().map(|o| o.members()[0].0), Some("k000"));
    for i in 0..100 {
        assert_eq!(large.get(&format!("k{i:03}")), Some(Value::Int(i)));
    }
}

#[test]
fn rejects_what_rfc_8259_forbids() {
    for (text, message) in [
        ("", "the document is empty"),
        (" \n ", "the document is empty"),
        ("nul", "expected a value, found 'n'"),
        ("nulL", "expected a value"),
        ("True", "expected a value, found 'T'"),
        ("NaN", "expected a value"),
        ("+1", "expected a value"),
        (".5", "expected a value"),
        ("01", "expected no digit after a leading 0, found '1'"),
        ("-", "expected a digit, found the end of the text"),
        ("1.", "expected a digit"),
        ("1e", "expected a digit"),
        ("1e+", "expected a digit"),
        ("1 2", "expected the end of the document, found '2'"),
        ("{}}", "expected the end of the document, found '}'"),
        ("\0", "expected a value, found '\\0'"),
        ("1\0", "expected the end of the document"),
        ("[1", "expected ',' or ']', found the end of the text"),
        ("[1,]", "expected a value, found ']'"),
        ("[1 2]", "expected ',' or ']', found '2'"),
        ("[}", "expected a value, found '}'"),
        ("{", "expected a key in double quotes or '}'"),
        ("{a:1}", "expected a key in double quotes or '}', found 'a'"),
        ("{\"a\"}", "expected ':' after the key, found '}'"),
        ("{\"a\":}", "expected a value, found '}'"),
        ("{\"a\":1,}", "expected a key in double quotes, found '}'"),
        ("{\"a\":1]", "expected ',' or '}', found ']'"),
        ("\"abc", "expected the closing quote of a string, found the end"),
        ("\"a\\", "expected one of"),
        ("\"\\x\"", "expected one of"),
        ("\"\\u12g4\"", "expected four hexadecimal digits"),
        ("\"\\u12", "expected four hexadecimal digits"),
        ("\"a\tb\"", "control character U+0009 in a string must be written as an escape"),
        ("\"a\nb\"", "control character U+000A"),
        ("\u{feff}{}", "expected a value"),
        ("1e400", "the number 1e400 is out of range"),
        ("'a'", "expected a value, found '\\''"),
        ("// x\n1", "expected a value, found '/'"),
    ] {
        let error = rejection(text);
        assert!(error.contains(message), "{text:?}: {error}");
    }
}

#[test]
fn rejects_invalid_utf8_and_says_where() {
    assert_eq!(
        rejection(b"{\n\"a\": \"\xff\"}"),
        "invalid JSON at line 2, column 7 (byte 8): the text is not valid UTF-8"
    );
}

#[test]
fn rejects_duplicate_keys_and_says_which_and_where() {
    assert_eq!(
        rejection("{\"image\": 1,\n  \"image\": 2}"),
        "invalid JSON at line 2, column 3 (byte 15): the key \"image\" appears twice in one object"
    );
    assert!(rejection(r#"{"a":1,"\u0061":2}"#).contains("the key \"a\" appears twice"));
    let mut keys: Vec<String> = (0..40).map(|i| format!("\"k{i}\":0")).collect();
    keys.push("\n\"k3\":1".to_owned());
    let error = rejection(format!("{{{}}}", keys.join(",")));
    assert!(error.contains("line 2, column 1") && error.contains("\"k3\""), "{error}");
}

#[test]
fn accepts_one_key_in_different_objects() {
    let arena = Arena::new();
    accepted(&arena, r#"[{"a":{"a":{"a":1}}},{"a":1}]"#);
}

#[test]
fn limits_depth() {
    let arena = Arena::new();
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let limits = Limits { max_depth: 5 };
    assert!(parse(&arena, nested(5).as_bytes(), &limits).is_ok());
    let error = parse(&arena, nested(6).as_bytes(), &limits).map(|_| ()).unwrap_err();
    assert_eq!((error.kind, error.offset), (ParseErrorKind::TooDeep(5), 5));
    assert!(rejection("[".repeat(10_000)).contains("more than 512 arrays and objects are nested"));
    assert!(rejection("{\"a\":".repeat(10_000)).contains("more than 512 arrays and objects are nested"));
}

fn json_text() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 64, 20, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..20).prop_map(Into::into),
            proptest::collection::hash_map(any::<String>(), inner, 0..20)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn agrees(ours: Value<'_>, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Bool(a), serde_json::Value::Bool(b)) => a == *b,
        (Value::Int(a), serde_json::Value::Number(b)) => b.as_i64() == Some(a),
        // serde_json's own float parsing may be off by one in the last place.
        (Value::Float(a), serde_json::Value::Number(b)) => b.as_f64().is_some_and(|b| (a - b).abs() <= a.abs() * 1e-15),
        (Value::String(a), serde_json::Value::String(b)) => a == b,
        (Value::Array(a), serde_json::Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| agrees(*a, b))
        }
        (Value::Object(a), serde_json::Value::Object(b)) => {
            a.len() == b.len() && b.iter().all(|(key, b)| a.get(key).is_some_and(|a| agrees(a, b)))
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn reads_what_another_writer_wrote(value in json_text(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let arena = Arena::new();
        let ours = parse(&arena, text.as_bytes(), &Limits::default());
        prop_assert!(ours.as_ref().is_ok_and(|ours| agrees(*ours, &value)), "{text}: {ours:?}");
    }

    #[test]
    fn accepts_exactly_what_another_parser_accepts(text in r#"[\[\]{}",:\\0-9eEtruefalsn\-+. \n]{0,24}"#) {
        let arena = Arena::new();
        let ours = parse(&arena, text.as_bytes(), &Limits::default());
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        let duplicate = matches!(&ours, Err(error) if matches!(error.kind, ParseErrorKind::DuplicateKey(_)));
        prop_assert!(duplicate || ours.is_ok() == theirs.is_ok(), "{text}: {ours:?} {theirs:?}");
    }
}

/// A list that is long enough to be filled in place, with `last` at its end.
fn long_list(last: &str) -> String {
    format!("[{}{last}]", "{\"a\":[1,\"\\n\"]} , ".repeat(10_000))
}

/// An object that is long enough to be filled in place, with `last` at its end.
fn long_object(last: &str) -> String {
    let members: String = (0..10_000).map(|i| format!("\"k{i}\" : [{i}], ")).collect();
    format!("{{{members}{last}}}")
}

#[test]
fn reads_what_is_filled_in_place_like_everything_else() {
    for text in
        [long_list("null"), long_object(r#""z":{}"#), format!("[{},{}]", long_object(r#""a":0"#), long_list("1"))]
    {
        let arena = Arena::new();
        let value = parse(&arena, text.as_bytes(), &Limits::default()).expect("JSON");
        let expected: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let found: serde_json::Value = serde_json::from_str(&crate::json::to_json(value)).expect("JSON");
        assert_eq!(found, expected);
    }
}

#[test]
fn rejects_faults_in_what_is_filled_in_place() {
    for (text, says) in [
        (long_list("1 2"), "expected ',' or ']', found '2'"),
        (long_list("1}").replace("}]", "}"), "expected ',' or ']', found '}'"),
        (long_list("1,"), "expected a value, found ']'"),
        (long_list("tru"), "expected a value, found 't'"),
        (long_object("\"a\" 1"), "expected ':' after the key, found '1'"),
        (long_object("a"), "expected a key in double quotes, found 'a'"),
        (long_object(""), "expected a key in double quotes, found '}'"),
        (long_object("\"a\": 1 2"), "expected ',' or '}', found '2'"),
        (long_object("\"k77\": 1"), "the key \"k77\" appears twice"),
        (long_list("1") + "]", "expected the end of the document"),
        (long_list("1").replace(']', ""), "expected ',' or ']'"),
    ] {
        let error = parse(&Arena::new(), text.as_bytes(), &Limits::default()).expect_err(says);
        assert!(error.to_string().contains(says), "{says}: {error}");
    }
    let twice = long_object("\"k77\": 1");
    let error = parse(&Arena::new(), twice.as_bytes(), &Limits::default()).expect_err("a key twice");
    assert_eq!(Some(error.offset), twice.rfind("\"k77\""));
}
