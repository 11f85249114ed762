//! Patches: upstream's semantics and messages, and limits.

use super::*;
use crate::json::{Limits, parse};

fn read<'a>(arena: &'a Arena, text: &str) -> Value<'a> {
    parse(arena, arena.alloc_str(text).as_bytes(), &Limits::default()).unwrap()
}

fn patched(document: &str, patch: &str) -> Result<String, String> {
    let arena = Arena::new();
    let patch = Patch::from_value(read(&arena, patch)).map_err(|error| error.to_string())?;
    let result = patch.apply(&arena, read(&arena, document), &PatchLimits::default());
    result.map(to_json).map_err(|error| error.to_string())
}

#[test]
fn applies_operations_as_the_api_server_does() {
    for (document, patch, expected) in [
        ("{}", r#"{"op":"add","path":"/a","value":{"b":1}}"#, r#"{"a":{"b":1}}"#),
        (r#"{"a":1}"#, r#"{"op":"add","path":"/a","value":2}"#, r#"{"a":2}"#),
        (r#"{"a":1}"#, r#"{"op":"add","path":"/b"}"#, r#"{"a":1,"b":null}"#),
        (r#"{"a":{"~/":1}}"#, r#"{"op":"remove","path":"/a/~0~1"}"#, r#"{"a":{}}"#),
        (r#"{"a":[1,2]}"#, r#"{"op":"add","path":"/a/0","value":0}"#, r#"{"a":[0,1,2]}"#),
        (r#"{"a":[1,2]}"#, r#"{"op":"add","path":"/a/2","value":0}"#, r#"{"a":[1,2,0]}"#),
        (r#"{"a":[1,2]}"#, r#"{"op":"add","path":"/a/-","value":0}"#, r#"{"a":[1,2,0]}"#),
        (r#"{"a":[1,2]}"#, r#"{"op":"add","path":"/a/-1","value":0}"#, r#"{"a":[1,2,0]}"#),
        (r#"{"a":[1,2]}"#, r#"{"op":"add","path":"/a/-3","value":0}"#, r#"{"a":[0,1,2]}"#),
        (r#"{"a":[1,2]}"#, r#"{"op":"remove","path":"/a/-1"}"#, r#"{"a":[1]}"#),
        (r#"{"a":[1,2]}"#, r#"{"op":"replace","path":"/a/01","value":9}"#, r#"{"a":[1,9]}"#),
        (r#"{"a":[{"b":1}]}"#, r#"{"op":"replace","path":"/a/+0/b","value":9}"#, r#"{"a":[{"b":9}]}"#),
        // Against the RFC, and upstream's behaviour all the same.
        (r#"{"a":1}"#, r#"{"op":"replace","path":"/b","value":2}"#, r#"{"a":1,"b":2}"#),
        (r#"{"a":1}"#, r#"{"op":"copy","from":"/x","path":"/b"}"#, r#"{"a":1,"b":null}"#),
        (r#"{"a":1}"#, r#"{"op":"add","path":"ignored/b","value":2}"#, r#"{"a":1,"b":2}"#),
        (r#"{"a":1}"#, r#"{"op":"replace","path":"","value":[1]}"#, "[1]"),
        (r#"{"a":{"b":1},"c":{}}"#, r#"{"op":"move","from":"/a/b","path":"/c/d"}"#, r#"{"a":{},"c":{"d":1}}"#),
        (r#"{"a":[1,2,3]}"#, r#"{"op":"move","from":"/a/0","path":"/a/2"}"#, r#"{"a":[2,3,1]}"#),
        (r#"{"a":[1],"b":{}}"#, r#"{"op":"copy","from":"/a","path":"/b/a"}"#, r#"{"a":[1],"b":{"a":[1]}}"#),
        (r#"{"a":[1]}"#, r#"{"op":"copy","from":"/a/0","path":"/a/-"}"#, r#"{"a":[1,1]}"#),
        (r#"{"a":[1.0,{"b":2}]}"#, r#"{"op":"test","path":"/a","value":[1,{"b":2.0}]}"#, r#"{"a":[1.0,{"b":2}]}"#),
        (r#"{"a":null}"#, r#"{"op":"test","path":"/a","value":null}"#, r#"{"a":null}"#),
        (r#"{"a":1}"#, r#"{"op":"test","path":"/b"}"#, r#"{"a":1}"#),
        (r#"{"a":1}"#, r#"{"op":"test","path":"","value":{"a":1}}"#, r#"{"a":1}"#),
    ] {
        assert_eq!(patched(document, &format!("[{patch}]")), Ok(expected.to_owned()), "{document} {patch}");
    }
}

#[test]
fn refuses_operations_in_upstreams_words() {
    let document = r#"{"a":1,"l":[1,2],"n":null}"#;
    for (patch, message) in [
        (
            r#"{"op":"add","path":"/x/y","value":1}"#,
            "add operation does not apply: doc is missing path: \"/x/y\": missing value",
        ),
        (
            r#"{"op":"add","path":"/n/y","value":1}"#,
            "add operation does not apply: doc is missing path: \"/n/y\": missing value",
        ),
        (
            r#"{"op":"add","path":"/a/y","value":1}"#,
            "add operation does not apply: doc is missing path: \"/a/y\": missing value",
        ),
        (
            r#"{"op":"add","path":"","value":{}}"#,
            "add operation does not apply: doc is missing path: \"\": missing value",
        ),
        (
            r#"{"op":"add","path":"/l/3","value":1}"#,
            "error in add for path: '/l/3': Unable to access invalid index: 3: invalid index referenced",
        ),
        (
            r#"{"op":"add","path":"/l/-4","value":1}"#,
            "error in add for path: '/l/-4': Unable to access invalid index: -4: invalid index referenced",
        ),
        (
            r#"{"op":"add","path":"/l/x","value":1}"#,
            "error in add for path: '/l/x': value was not a proper array index: 'x': strconv.Atoi: parsing \"x\": invalid syntax",
        ),
        (
            r#"{"op":"remove","path":"/x"}"#,
            "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value",
        ),
        (
            r#"{"op":"remove","path":"/l/2"}"#,
            "error in remove for path: '/l/2': Unable to access invalid index: 2: invalid index referenced",
        ),
        (
            r#"{"op":"remove","path":"/l/99999999999999999999"}"#,
            "error in remove for path: '/l/99999999999999999999': strconv.Atoi: parsing \"99999999999999999999\": value out of range",
        ),
        (
            r#"{"op":"remove","path":"/x/y"}"#,
            "remove operation does not apply: doc is missing path: \"/x/y\": missing value",
        ),
        (
            r#"{"op":"replace","path":"/x/y","value":1}"#,
            "replace operation does not apply: doc is missing path: /x/y: missing value",
        ),
        (
            r#"{"op":"replace","path":"/l/2","value":1}"#,
            "replace operation does not apply: doc is missing key: /l/2: missing value",
        ),
        (r#"{"op":"replace","path":"","value":1}"#, "replace operation value must be object or array"),
        (
            r#"{"op":"move","from":"/x","path":"/y"}"#,
            "error in move for path: 'x': Unable to remove nonexistent key: x: missing value",
        ),
        (
            r#"{"op":"move","from":"/x/y","path":"/y"}"#,
            "move operation does not apply: doc is missing from path: /x/y: missing value",
        ),
        (
            r#"{"op":"move","from":"/l","path":"/l/0"}"#,
            "move operation does not apply: doc is missing destination path: /l/0: missing value",
        ),
        (
            r#"{"op":"move","path":"/l/0"}"#,
            "move operation failed to decode from: operation, missing from field: missing value",
        ),
        (
            r#"{"op":"copy","from":"/l/5","path":"/y"}"#,
            "error in copy for from: '/l/5': Unable to access invalid index: 5: invalid index referenced",
        ),
        (
            r#"{"op":"copy","from":"/a","path":"/l/5"}"#,
            "error while adding value during copy: Unable to access invalid index: 5: invalid index referenced",
        ),
        (r#"{"op":"test","path":"/a","value":2}"#, "testing value /a failed: test failed"),
        (r#"{"op":"test","path":"/a","value":null}"#, "testing value /a failed: test failed"),
        (r#"{"op":"test","path":"/x","value":1}"#, "testing value /x failed: test failed"),
        (
            r#"{"op":"test","path":"/x/y","value":1}"#,
            "test operation does not apply: is missing path: /x/y: missing value",
        ),
        (r#"{"op":"test","path":"","value":{}}"#, "testing value  failed: test failed"),
        (r#"{"op":"spin","path":"/a"}"#, "Unexpected kind: spin"),
    ] {
        assert_eq!(patched(document, &format!("[{patch}]")), Err(message.to_owned()), "{patch}");
    }
}

#[test]
fn tells_a_null_operand_from_none() {
    let arena = Arena::new();
    let document = read(&arena, r#"{"n":null}"#);
    let limits = PatchLimits::default();
    let test = Operation::new("test", "/n");
    assert!(Patch::from(vec![test.clone()]).apply(&arena, document, &limits).is_ok());
    let with_null = Patch::from(vec![test.with_value(Value::Null)]);
    assert_eq!(with_null.apply(&arena, document, &limits), Err(PatchError::TestFailed("/n".to_owned())));
}

#[test]
fn applies_all_operations_or_none() {
    let document = r#"{"a":1}"#;
    let patch = r#"[{"op":"add","path":"/b","value":2},{"op":"test","path":"/b","value":3}]"#;
    assert_eq!(patched(document, patch), Err("testing value /b failed: test failed".to_owned()));
}

#[test]
fn shares_what_it_leaves_alone() {
    let arena = Arena::new();
    let document = read(&arena, r#"{"kept":[1,2],"changed":{}}"#);
    let patch = Patch::from(vec![Operation::new("add", "/changed/x").with_value(Value::Int(1))]);
    let after = patch.apply(&arena, document, &PatchLimits::default()).unwrap();
    let kept = |value: Value<'_>| value.get("kept").and_then(|v| v.as_array()).map(|a| a.as_ptr().addr());
    assert_eq!(kept(after), kept(document));
    assert_eq!(to_json(document), r#"{"kept":[1,2],"changed":{}}"#);
}

#[test]
fn keeps_large_objects_searchable() {
    let arena = Arena::new();
    let mut document = read(&arena, "{}");
    for i in (0..40).rev() {
        let patch = Patch::from(vec![Operation::new("add", format!("/k{i}")).with_value(Value::Int(i))]);
        document = patch.apply(&arena, document, &PatchLimits::default()).unwrap();
    }
    for i in 0..40 {
        assert_eq!(document.get(&format!("k{i}")), Some(Value::Int(i)));
        let patch = Patch::from(vec![Operation::new("remove", format!("/k{i}"))]);
        document = patch.apply(&arena, document, &PatchLimits::default()).unwrap();
        assert_eq!(document.get(&format!("k{i}")), None);
    }
}

#[test]
fn rejects_what_is_no_patch() {
    for patch in ["{}", "[1]", r#"[{"path":"/a"}]"#, r#"[{"op":"add"}]"#, r#"[{"op":1,"path":"/a"}]"#] {
        let error = patched("{}", patch).unwrap_err();
        assert!(error.contains("must be an array of operations"), "{patch}: {error}");
    }
}

#[test]
fn limits_operations_copies_work_and_depth() {
    let arena = Arena::new();
    let document = read(&arena, r#"{"a":["0123456789"],"b":{"c":{}}}"#);
    let apply = |operations: Vec<Operation<'static>>, limits: PatchLimits| {
        let arena = Arena::new();
        let document = read(&arena, &to_json(document));
        let patch: Patch<'_> = operations.into();
        patch.apply(&arena, document, &limits).map(|_| ()).map_err(|error| error.to_string())
    };
    let limits = PatchLimits::default();
    let copy = || Operation::new("copy", "/a/-").with_from("/a");

    let few = PatchLimits { operations: 2, ..limits };
    assert_eq!(apply(vec![copy(); 2], few), Ok(()));
    assert_eq!(apply(vec![copy(); 3], few), Err("a patch may have at most 2 operations".to_owned()));

    // Each copy doubles the array.
    let error = apply(vec![copy(); 40], limits).unwrap_err();
    assert!(error.starts_with("Unable to complete the copy, the accumulated size increase of copy is"), "{error}");

    let little = PatchLimits { rebuilt_bytes: 10_000, ..limits };
    let add = || Operation::new("add", "/a/-").with_value(Value::Null);
    assert_eq!(apply(vec![add(); 10], little), Ok(()));
    assert!(apply(vec![add(); 100], little).is_err_and(|error| error.contains("more than 10000 bytes")));

    let shallow = PatchLimits { max_depth: 4, ..limits };
    let deepen = |path| Operation::new("add", path).with_value(Value::Array(&[Value::Array(&[])]));
    assert_eq!(apply(vec![deepen("/b/d")], shallow), Ok(()));
    assert_eq!(
        apply(vec![deepen("/b/c/d")], shallow),
        Err("the patch nests more than 4 arrays and objects in each other".to_owned())
    );
    assert!(apply(vec![Operation::new("add", "/x".repeat(100_000)).with_value(Value::Null)], limits).is_err());
}
