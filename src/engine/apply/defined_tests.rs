//! Merges of custom resources by the schemas of their definitions: each row is what upstream's code answers.

use super::*;
use crate::policy::{Manifest, defined_kinds};

const DEFINITION: &str = r#"
kind: CustomResourceDefinition
spec:
  group: example.com
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1
    served: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              size: {type: integer}
              name: {type: string}
              when: {type: string, format: date-time}
              "on": {type: boolean}
              tags: {type: array, items: {type: string}}
              set: {type: array, x-kubernetes-list-type: set, items: {type: string}}
              parts:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name, color]
                items:
                  type: object
                  properties: {name: {type: string}, color: {type: string, default: grey}, size: {type: integer}}
              labels: {type: object, additionalProperties: {type: string}}
              sealed: {type: object, x-kubernetes-map-type: atomic, properties: {a: {type: string}}}
              free: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {a: {type: string}}}
              empty: {type: object}
              port: {x-kubernetes-int-or-string: true}
              template: {type: object, x-kubernetes-embedded-resource: true, properties: {spec: {type: object}}}
  - name: v2
    served: false
    schema: {openAPIV3Schema: {type: object}}
"#;

/// Merges into `spec` of a widget of a version.
fn merged(version: &'static str, object: &str, patch: &str) -> Result<String, String> {
    let (arena, definition) = (Arena::new(), Manifest::new("crds.yaml", DEFINITION));
    let definitions = defined_kinds([&definition].into_iter());
    let read = |text: &str| {
        let text = arena.alloc_str(&format!("{{\"spec\":{text}}}"));
        crate::json::parse(&arena, text.as_bytes(), &crate::json::Limits::default()).unwrap()
    };
    let kind = GroupVersionKind { group: "example.com", version, kind: "Widget" };
    let result = merge(&arena, &definitions, kind, read(object), &super::tests::plain(read(patch)))
        .map_err(|error| error.to_string())?;
    Ok(crate::json::to_json(result.get("spec").unwrap()))
}

#[test]
fn merges_custom_resources_by_the_schema_of_their_definition() {
    for (object, patch, result) in [
        (r#"{"size":1,"name":"a"}"#, r#"{"size":2}"#, r#"{"size":2,"name":"a"}"#),
        (r#"{"set":["a","b"]}"#, r#"{"set":["b","c"]}"#, r#"{"set":["a","b","c"]}"#),
        (
            r#"{"parts":[{"name":"x","size":1},{"name":"y","size":1}]}"#,
            r#"{"parts":[{"name":"x","color":"grey","size":2},{"name":"y","color":"red"}]}"#,
            r#"{"parts":[{"name":"x","size":2,"color":"grey"},{"name":"y","size":1},{"name":"y","color":"red"}]}"#,
        ),
        (r#"{"labels":{"a":"1"}}"#, r#"{"labels":{"b":"2"}}"#, r#"{"labels":{"a":"1","b":"2"}}"#),
        (
            r#"{"free":{"x":{"y":[1]}}}"#,
            r#"{"free":{"a":"b","x":{"z":[2]}}}"#,
            r#"{"free":{"x":{"y":[1],"z":[2]},"a":"b"}}"#,
        ),
        (r#"{"empty":{"x":1}}"#, r#"{"empty":{"y":2}}"#, r#"{"empty":{"x":1,"y":2}}"#),
        (r#"{"port":1}"#, r#"{"port":"http"}"#, r#"{"port":"http"}"#),
        (r#"{"when":null}"#, r#"{"when":"2026-01-01T00:00:00Z"}"#, r#"{"when":"2026-01-01T00:00:00Z"}"#),
        (
            r#"{"template":{"spec":{"a":1}}}"#,
            r#"{"template":{"metadata":{"labels":{"a":"b"}}}}"#,
            r#"{"template":{"spec":{"a":1},"metadata":{"labels":{"a":"b"}}}}"#,
        ),
        // What the schema doesn't know in the object is pruned before it is stored, and no fault here.
        (r#"{"unknown":[1]}"#, r#"{"on":true}"#, r#"{"unknown":[1],"on":true}"#),
        // The object may have duplicates.
        (r#"{"set":["a","a"]}"#, r#"{"on":true}"#, r#"{"set":["a","a"],"on":true}"#),
    ] {
        assert_eq!(merged("v1", object, patch).as_deref(), Ok(result), "{object} {patch}");
    }
}

#[test]
fn refuses_what_does_not_fit_the_schema() {
    let atomic = "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ";
    let patch = "failed to convert patch object to typed object: ";
    let object = "failed to convert original object to typed object: ";
    for (live, change, says) in [
        ("{}", r#"{"tags":["a"]}"#, format!("{atomic}.spec.tags")),
        ("{}", r#"{"sealed":{"a":"b"}}"#, format!("{atomic}.spec.sealed")),
        ("{}", r#"{"nope":1}"#, format!("{patch}.spec.nope: field not declared in schema")),
        ("{}", r#"{"size":"a"}"#, format!("{patch}.spec.size: expected numeric (int or float), got string")),
        ("{}", r#"{"set":["a","a"]}"#, format!("{patch}.spec.set: duplicate entries for key [=\"a\"]")),
        ("{}", r#"{"template":{"nope":1}}"#, format!("{patch}.spec.template.nope: field not declared in schema")),
        (
            r#"{"size":"a"}"#,
            r#"{"on":true}"#,
            format!("{object}.spec.size: expected numeric (int or float), got string"),
        ),
    ] {
        assert_eq!(merged("v1", live, change), Err(says), "{live} {change}");
    }
}

#[test]
fn knows_nothing_of_a_version_that_is_not_served() {
    assert_eq!(merged("v2", "{}", r#"{"nope":1}"#).as_deref(), Ok(r#"{"nope":1}"#));
    let error = merged("v2", "{}", r#"{"set":["a"]}"#).unwrap_err();
    assert!(error.ends_with("atomic arrays, maps or structs: .spec.set"), "{error}");
}
