//! Pointers and field paths: reading, writing, converting.

use super::*;
use crate::json::{Limits, parse, testing};
use proptest::prelude::*;

fn document(arena: &Arena) -> Value<'_> {
    let text = br#"{"spec":{"containers":[{"name":"a"},{"name":"b"}]},
        "metadata":{"annotations":{"example.com/a":"x","0":"zero","~":"tilde"}},"":1}"#;
    parse(arena, text, &Limits::default()).unwrap()
}

#[test]
fn finds_what_a_pointer_refers_to() {
    let arena = Arena::new();
    let document = document(&arena);
    for (pointer, expected) in [
        ("/spec/containers/1/name", Some(Value::String("b"))),
        ("/metadata/annotations/example.com~1a", Some(Value::String("x"))),
        ("/metadata/annotations/~0", Some(Value::String("tilde"))),
        ("/metadata/annotations/0", Some(Value::String("zero"))),
        ("/", Some(Value::Int(1))),
        ("", Some(document)),
        ("/spec/containers/2", None),
        ("/spec/containers/01", None),
        ("/spec/containers/+1", None),
        ("/spec/containers/-", None),
        ("/spec/containers/99999999999999999999", None),
        ("/absent/x", None),
    ] {
        assert_eq!(find(document, pointer), Ok(expected), "{pointer}");
    }
}

#[test]
fn rejects_malformed_pointers() {
    assert_eq!(tokens("spec"), Err(PathError::NoSlash("spec".to_owned())));
    for pointer in ["/a~", "/~2", "/a~b/c"] {
        assert_eq!(tokens(pointer), Err(PathError::Tilde(pointer.to_owned())));
    }
}

#[test]
fn converts_between_pointers_and_field_paths() {
    let arena = Arena::new();
    let document = document(&arena);
    for (pointer, field) in [
        ("/spec/containers/0/securityContext/privileged", "spec.containers[0].securityContext.privileged"),
        ("/metadata/annotations/example.com~1a", "metadata.annotations[example.com/a]"),
        ("/metadata/annotations/0", "metadata.annotations[\"0\"]"),
        ("/metadata/annotations/~0", "metadata.annotations[~]"),
        ("/spec/containers/7", "spec.containers[7]"),
        ("/", "[\"\"]"),
        ("", ""),
    ] {
        let path = Path::from_pointer(pointer, document).unwrap();
        assert_eq!(path.to_string(), field);
        assert_eq!(Path::parse(field).unwrap(), path, "{field}");
        assert_eq!(path.to_pointer(), pointer);
    }
}

#[test]
fn rejects_malformed_field_paths() {
    for (path, offset, expected) in [
        ("a..b", 2, "a field name"),
        (".a", 0, "a field name"),
        ("a.", 2, "a field name"),
        ("a[0", 2, "a closing ']'"),
        ("a[]", 2, "an index or a key"),
        ("a[0]b", 4, "'.' or '[' after ']'"),
        ("a]", 1, "a field name"),
        ("a[\"b]", 2, "a quoted key"),
        ("a[\"b\"x]", 5, "a closing ']'"),
    ] {
        assert_eq!(Path::parse(path), Err(PathError::Field { path: path.to_owned(), offset, expected }));
    }
}

fn segments() -> impl Strategy<Value = Vec<Segment<'static>>> {
    let segment = prop_oneof![
        testing::text().prop_map(|key| Segment::Key(Cow::Owned(key))),
        (0..1000usize).prop_map(Segment::Index),
        Just(Segment::key("spec")),
    ];
    proptest::collection::vec(segment, 0..6)
}

proptest! {
    #[test]
    fn reads_back_every_field_path(segments in segments()) {
        let path = Path(segments);
        let text = path.to_string();
        prop_assert_eq!(Path::parse(&text), Ok(path.clone()), "{}", text);
    }

    #[test]
    fn reads_back_every_pointer(keys in proptest::collection::vec(testing::text(), 0..6)) {
        let path = Path(keys.iter().map(|key| Segment::key(key)).collect());
        let pointer = path.to_pointer();
        let read: Vec<_> = tokens(&pointer).unwrap().into_iter().map(Cow::into_owned).collect();
        prop_assert_eq!(read, keys);
    }
}
