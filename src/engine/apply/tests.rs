//! Merges by example: each row is what upstream's code answers.

use super::*;
use crate::json::{Limits, parse, to_json};

const POD: GroupVersionKind<'_> = GroupVersionKind { group: "", version: "v1", kind: "Pod" };
const DEPLOYMENT: GroupVersionKind<'_> = GroupVersionKind { group: "apps", version: "v1", kind: "Deployment" };
const SERVICE_ACCOUNT: GroupVersionKind<'_> = GroupVersionKind { group: "", version: "v1", kind: "ServiceAccount" };
const CUSTOM: GroupVersionKind<'_> = GroupVersionKind { group: "example.com", version: "v1", kind: "Widget" };

fn merged(kind: GroupVersionKind<'static>, object: &str, patch: &str) -> Result<String, String> {
    let arena = Arena::new();
    let read = |text: &str| parse(&arena, arena.alloc_str(text).as_bytes(), &Limits::default()).unwrap();
    let result = merge(&arena, &Definitions::default(), kind, read(object), &plain(read(patch)))
        .map_err(|error| error.to_string())?;
    assert_eq!(result.get("kind"), Some(Value::String(kind.kind)));
    let without = |(key, _): &&Member<'_>| !matches!(*key, "apiVersion" | "kind");
    let members: Vec<_> = result.as_object().unwrap().members().iter().filter(without).copied().collect();
    Ok(to_json(Value::Object(Object::new(&arena, &members))))
}

/// A configuration without foreign values.
pub(super) fn plain(value: Value<'_>) -> Configuration<'_> {
    Configuration { value, foreign: Vec::new() }
}

/// Merges into `spec` of a Pod.
fn spec(object: &str, patch: &str) -> String {
    let wrapped = |spec: &str| format!("{{\"spec\":{spec}}}");
    let result = merged(POD, &wrapped(object), &wrapped(patch)).unwrap_or_else(|error| panic!("{patch}: {error}"));
    result.strip_prefix("{\"spec\":").and_then(|rest| rest.strip_suffix('}')).unwrap().to_owned()
}

#[test]
fn merges_structs_and_maps_field_by_field() {
    for (object, patch, result) in [
        (r#"{"a":{}}"#, "{}", r#"{"a":{}}"#),
        ("{}", r#"{"metadata":{"labels":{"a":"b"}}}"#, r#"{"metadata":{"labels":{"a":"b"}}}"#),
        (
            r#"{"metadata":{"name":"p","labels":{"a":"1","b":"2"}}}"#,
            r#"{"metadata":{"labels":{"b":"3","c":"4"}}}"#,
            r#"{"metadata":{"name":"p","labels":{"a":"1","b":"3","c":"4"}}}"#,
        ),
        (
            r#"{"metadata":{"labels":{"a":"1"}}}"#,
            r#"{"metadata":{"labels":{}}}"#,
            r#"{"metadata":{"labels":{"a":"1"}}}"#,
        ),
        (r#"{"metadata":{"labels":null}}"#, r#"{"metadata":{"labels":{}}}"#, r#"{"metadata":{"labels":{}}}"#),
    ] {
        assert_eq!(merged(POD, object, patch).as_deref(), Ok(result), "{object} {patch}");
    }
    for (object, patch, result) in [
        (r#"{"hostNetwork":true}"#, r#"{"hostNetwork":false}"#, r#"{"hostNetwork":false}"#),
        (
            r#"{"securityContext":{"runAsUser":1}}"#,
            r#"{"securityContext":{"seccompProfile":{"type":"RuntimeDefault"}}}"#,
            r#"{"securityContext":{"runAsUser":1,"seccompProfile":{"type":"RuntimeDefault"}}}"#,
        ),
    ] {
        assert_eq!(spec(object, patch), result, "{object} {patch}");
    }
}

#[test]
fn merges_list_maps_by_key() {
    for (object, patch, result) in [
        (
            r#"{"containers":[{"name":"a","image":"x"},{"name":"b"}]}"#,
            r#"{"containers":[{"name":"b","image":"y"}]}"#,
            r#"{"containers":[{"name":"a","image":"x"},{"name":"b","image":"y"}]}"#,
        ),
        (
            r#"{"containers":[{"name":"a"}]}"#,
            r#"{"containers":[{"name":"b"}],"initContainers":[{"name":"i"}]}"#,
            r#"{"containers":[{"name":"a"},{"name":"b"}],"initContainers":[{"name":"i"}]}"#,
        ),
        // The patch's order wins where it says one.
        (
            r#"{"containers":[{"name":"a"},{"name":"b"},{"name":"c"}]}"#,
            r#"{"containers":[{"name":"c"},{"name":"a"}]}"#,
            r#"{"containers":[{"name":"b"},{"name":"c"},{"name":"a"}]}"#,
        ),
        (
            r#"{"containers":[{"name":"a"},{"name":"b"}]}"#,
            r#"{"containers":[{"name":"x"},{"name":"a"}]}"#,
            r#"{"containers":[{"name":"x"},{"name":"a"},{"name":"b"}]}"#,
        ),
        // Two keys, one of them with a default.
        (
            r#"{"containers":[{"name":"a","ports":[{"containerPort":80},{"containerPort":53,"protocol":"UDP"}]}]}"#,
            r#"{"containers":[{"name":"a","ports":[{"containerPort":80,"protocol":"TCP","name":"http"},{"containerPort":53}]}]}"#,
            r#"{"containers":[{"name":"a","ports":[{"containerPort":80,"protocol":"TCP","name":"http"},{"containerPort":53,"protocol":"UDP"},{"containerPort":53}]}]}"#,
        ),
        // A name that the object has twice takes the patch's element as it is.
        (
            r#"{"containers":[{"name":"a","env":[{"name":"E","value":"1"},{"name":"E","value":"2"},{"name":"F"}]}]}"#,
            r#"{"containers":[{"name":"a","env":[{"name":"E","value":"3"}]}]}"#,
            r#"{"containers":[{"name":"a","env":[{"name":"E","value":"3"},{"name":"F"}]}]}"#,
        ),
        (r#"{"containers":[{"name":"a"}]}"#, r#"{"containers":[]}"#, r#"{"containers":[{"name":"a"}]}"#),
    ] {
        assert_eq!(spec(object, patch), result, "{object} {patch}");
    }
}

#[test]
fn merges_sets_by_value() {
    for (object, patch, result) in [
        (r#"["a","b"]"#, r#"["c"]"#, r#"["a","b","c"]"#),
        (r#"["a","b"]"#, r#"["b","a"]"#, r#"["b","a"]"#),
        (r#"["a","a"]"#, r#"["a"]"#, r#"["a"]"#),
    ] {
        let wrap = |list: &str| format!("{{\"metadata\":{{\"finalizers\":{list}}}}}");
        assert_eq!(merged(POD, &wrap(object), &wrap(patch)), Ok(wrap(result)), "{object} {patch}");
    }
}

#[test]
fn keeps_fields_that_it_does_not_know_in_the_object() {
    assert_eq!(
        merged(DEPLOYMENT, r#"{"spec":{"fromTheFuture":[1]}}"#, r#"{"spec":{"replicas":2}}"#).as_deref(),
        Ok(r#"{"spec":{"fromTheFuture":[1],"replicas":2}}"#)
    );
}

#[test]
fn refuses_to_touch_what_is_atomic() {
    for (patch, paths) in [
        (r#"{"spec":{"containers":[{"name":"a","args":["x"]}]}}"#, ".spec.containers[0].args"),
        (r#"{"spec":{"nodeSelector":{"a":"b"}}}"#, ".spec.nodeSelector"),
        (r#"{"spec":{"tolerations":[]}}"#, ".spec.tolerations"),
        (
            r#"{"spec":{"containers":[{"name":"a","command":["x"]},{"name":"b","args":["x"]}]}}"#,
            ".spec.containers[0].command, .spec.containers[1].args",
        ),
        (
            r#"{"spec":{"containers":[{"name":"a","env":[{"name":"E","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}]}]}}"#,
            ".spec.containers[0].env[0].valueFrom.secretKeyRef",
        ),
    ] {
        let message = format!("invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {paths}");
        assert_eq!(merged(POD, "{}", patch), Err(message), "{patch}");
    }
}

#[test]
fn refuses_what_does_not_fit_the_schema() {
    for (patch, message) in [
        (r#"{"spec":{"nope":1}}"#, ".spec.nope: field not declared in schema"),
        (r#"{"nope":1}"#, ".nope: field not declared in schema"),
        (r#"{"spec":{"hostNetwork":"yes"}}"#, ".spec.hostNetwork: expected boolean, got &{yes}"),
        (r#"{"spec":{"priority":"1"}}"#, ".spec.priority: expected numeric (int or float), got string"),
        (r#"{"spec":[]}"#, ".spec: expected map, got &{[]}"),
        (r#"{"spec":null}"#, ".spec: expected map, got &{NULL_VALUE}"),
        (r#"{"spec":{"containers":null}}"#, ".spec.containers: expected list, got &{NULL_VALUE}"),
        (
            r#"{"spec":{"schedulerName":null}}"#,
            ".spec.schedulerName: expected string, got &value.valueUnstructured{Value:0}",
        ),
        (r#"{"spec":{"hostNetwork":null}}"#, ".spec.hostNetwork: expected boolean, got &{NULL_VALUE}"),
        (r#"{"spec":{"containers":{"a":1}}}"#, ".spec.containers: expected list, got &{map[a:1]}"),
        (
            r#"{"spec":{"containers":[{"name":"a"},{"name":"a"}]}}"#,
            ".spec.containers: duplicate entries for key [name=\"a\"]",
        ),
        (
            r#"{"spec":{"containers":[{"name":"a","image":1}]}}"#,
            ".spec.containers[name=\"a\"].image: expected string, got &value.valueUnstructured{Value:1}",
        ),
        (
            r#"{"spec":{"containers":["a"]}}"#,
            ".spec.containers: element 0: associative list with keys may not have non-map elements",
        ),
        (
            r#"{"spec":{"volumes":[null]}}"#,
            ".spec.volumes: element 0: associative list with keys may not have a null element",
        ),
    ] {
        let message = format!("failed to convert patch object to typed object: {message}");
        assert_eq!(merged(POD, "{}", patch), Err(message), "{patch}");
    }
}

#[test]
fn reports_all_that_does_not_fit() {
    assert_eq!(
        merged(SERVICE_ACCOUNT, "{}", r#"{"metadata":{"finalizers":["a","a"]},"secrets":[{}]}"#),
        Err("failed to convert patch object to typed object: errors:\n  .metadata.finalizers: duplicate entries for \
             key [=\"a\"]\n  .secrets: element 0: associative list with keys has an element that omits all key fields \
             [\"name\"] (and doesn't have default values for any key fields)"
            .to_owned())
    );
}

#[test]
fn reports_lists_of_the_object_that_it_cannot_merge() {
    assert_eq!(
        merged(POD, r#"{"spec":{"volumes":[1]}}"#, r#"{"spec":{"volumes":[{"name":"v"}]}}"#),
        Err("failed to convert original object to typed object: .spec.volumes: element 0: associative list with keys \
             may not have non-map elements"
            .to_owned())
    );
}

#[test]
fn merges_custom_resources_without_their_lists() {
    assert_eq!(
        merged(
            CUSTOM,
            r#"{"metadata":{"finalizers":["a"]},"spec":{"a":{"b":1},"list":[1]}}"#,
            r#"{"metadata":{"finalizers":["b"]},"spec":{"a":{"c":"x"},"d":1.5}}"#
        )
        .as_deref(),
        Ok(r#"{"metadata":{"finalizers":["a","b"]},"spec":{"a":{"b":1,"c":"x"},"list":[1],"d":1.5}}"#)
    );
    assert_eq!(
        merged(CUSTOM, "{}", r#"{"spec":{"a":[1],"b":{"c":[{"d":[]}]}}}"#),
        Err("invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.a, .spec.b.c".to_owned())
    );
}

#[test]
fn takes_kind_and_version_from_the_request() {
    let patch = r#"{"apiVersion":"v2","kind":"Other","spec":{"replicas":1}}"#;
    assert_eq!(merged(DEPLOYMENT, "{}", patch).as_deref(), Ok(r#"{"spec":{"replicas":1}}"#));
}

#[test]
fn limits_the_depth_of_a_patch() {
    let arena = Arena::new();
    let mut deep = Value::Int(1);
    for _ in 0..5_000 {
        deep = Value::Object(Object::new(&arena, &[("a", deep)]));
    }
    let error =
        merge(&arena, &Definitions::default(), CUSTOM, Value::Object(Object::default()), &plain(deep)).unwrap_err();
    assert!(error.to_string().contains("more than 512 arrays and objects are nested"), "{error}");
}

#[test]
fn refuses_values_of_the_expression_that_are_of_no_type() {
    let arena = Arena::new();
    let map = Value::Object(Object::new(&arena, &[("k", Value::String("v"))]));
    let bytes = || Foreign::bytes(&arena, b"hi");
    let elements = [Value::Int(1), Value::String("b")];
    let list = || Foreign::list(&arena, arena.alloc_slice_copy(&elements));
    for (field, foreign, says) in [
        ("spec", bytes(), "expected map, got &{[104 105]}"),
        ("spec", list(), "expected map, got &{[1 b]}"),
        ("spec", Foreign::list(&arena, &[]), "expected map, got &{[]}"),
        ("spec", Foreign::map(&arena, map), "expected map, got &{map[k:v]}"),
        ("schedulerName", bytes(), "expected string, got &value.valueUnstructured{Value:[]uint8{0x68, 0x69}}"),
        ("schedulerName", list(), "expected string, got &value.valueUnstructured{Value:[]ref.Val{1, \"b\"}}"),
        (
            "schedulerName",
            Foreign::map(&arena, map),
            "expected string, got &value.valueUnstructured{Value:map[ref.Val]ref.Val{\"k\":\"v\"}}",
        ),
        ("priority", bytes(), "expected numeric (int or float), got []uint8"),
        ("hostNetwork", list(), "expected boolean, got &{[1 b]}"),
        ("containers", Foreign::map(&arena, map), "expected list, got &{map[k:v]}"),
    ] {
        let mut value = Value::Object(Object::new(&arena, &[(field, foreign.stand_in())]));
        let mut path = ".spec".to_owned();
        if field != "spec" {
            value = Value::Object(Object::new(&arena, &[("spec", value)]));
            path = format!(".spec.{field}");
        }
        let patch = Configuration { value, foreign: vec![foreign] };
        let error = merge(&arena, &Definitions::default(), POD, Value::Object(Object::default()), &patch).unwrap_err();
        assert_eq!(error.to_string(), format!("failed to convert patch object to typed object: {path}: {says}"));
    }
}
