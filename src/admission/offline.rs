//! The request that an object alone amounts to: what an audit and a test suite ask about, with no API server to ask.

use std::collections::HashMap;

use crate::defaulting::default;
use crate::engine::{GroupVersionKind, GroupVersionResource, Namespaces, Operation, Request};
use crate::json::{Arena, Object, Value};
use crate::policy::Tree;

use super::resources::split_api_version;

/// What is known of a request besides its object.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    /// The plural name that the object's kind is served under.
    pub resource: &'a str,
    /// Empty for none.
    pub subresource: &'a str,
    /// Empty for cluster-scoped objects.
    pub namespace: &'a str,
    /// What is done.
    pub operation: Operation,
    /// Who does it, or null.
    pub user_info: Value<'a>,
    /// Whether nothing will be stored.
    pub dry_run: bool,
    /// Whether the objects get the API server's defaults, as they have when they reach admission.
    pub defaulting: bool,
}

/// The request that creating, updating or deleting these objects would be.
pub fn request<'a>(
    arena: &'a Arena,
    object: Value<'a>,
    old_object: Value<'a>,
    attributes: Attributes<'a>,
) -> Request<'a> {
    let subject = if object.is_null() { old_object } else { object };
    let text = |path: &[&str]| subject.at(path).and_then(|value| value.as_str()).unwrap_or_default();
    let (group, version) = split_api_version(text(&["apiVersion"]));
    let kind = GroupVersionKind { group, version, kind: text(&["kind"]) };
    let completed = |object| if attributes.defaulting { default(arena, kind, object) } else { object };
    let resource = GroupVersionResource { group, version, resource: attributes.resource };
    let options = match attributes.operation {
        Operation::Create => "CreateOptions",
        Operation::Update => "UpdateOptions",
        Operation::Delete => "DeleteOptions",
        Operation::Connect => "",
    };
    let options = match options {
        "" => Value::Null,
        kind => {
            let members = [("apiVersion", Value::String("meta.k8s.io/v1")), ("kind", Value::String(kind))];
            Value::Object(Object::new(arena, &members))
        }
    };
    Request {
        uid: "00000000-0000-0000-0000-000000000000",
        kind,
        resource,
        sub_resource: attributes.subresource,
        request_kind: kind,
        request_resource: resource,
        request_sub_resource: attributes.subresource,
        name: text(&["metadata", "name"]),
        namespace: attributes.namespace,
        operation: attributes.operation,
        user_info: attributes.user_info,
        object: completed(object),
        old_object: completed(old_object),
        options,
        dry_run: attributes.dry_run,
    }
}

/// The object with `metadata.namespace` as the API server fills it in; unchanged if it has one, or `namespace` is empty.
pub fn with_namespace<'a>(arena: &'a Arena, object: Value<'a>, namespace: &str) -> Value<'a> {
    let Some(fields) = object.as_object() else { return object };
    let written = object.at(&["metadata", "namespace"]).and_then(|value| value.as_str()).unwrap_or_default();
    if namespace.is_empty() || !written.is_empty() {
        return object;
    }
    let metadata = object.get("metadata").and_then(|metadata| metadata.as_object()).unwrap_or_default();
    let namespace = Value::String(arena.alloc_str(namespace));
    let metadata = Value::Object(with_member(arena, metadata, "namespace", namespace));
    Value::Object(with_member(arena, fields, "metadata", metadata))
}

/// The object without `metadata.namespace`.
pub fn without_namespace<'a>(arena: &'a Arena, object: Value<'a>) -> Value<'a> {
    let metadata = object.get("metadata").and_then(|metadata| metadata.as_object());
    let (Some(fields), Some(metadata)) = (object.as_object(), metadata) else { return object };
    let kept: Vec<_> = metadata.members().iter().copied().filter(|(key, _)| *key != "namespace").collect();
    Value::Object(with_member(arena, fields, "metadata", Value::Object(Object::new(arena, &kept))))
}

/// The object with the member `key`, in place of one that it has.
pub fn with_member<'a>(arena: &'a Arena, object: Object<'a>, key: &'a str, value: Value<'a>) -> Object<'a> {
    let members: Vec<_> = object.members().iter().copied().chain([(key, value)]).collect();
    // Of two members with one key the last wins.
    Object::new(arena, &members)
}

/// The label that the API server gives every namespace.
const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Namespace objects by name, as the API server would return them.
#[derive(Debug, Default)]
pub struct KnownNamespaces {
    by_name: HashMap<String, Tree>,
}

impl KnownNamespaces {
    /// Keeps `object` if it is a Namespace.
    pub fn learn(&mut self, object: Value<'_>) {
        let text = |path: &[&str]| object.at(path).and_then(|value| value.as_str()).unwrap_or_default();
        let name = text(&["metadata", "name"]);
        if text(&["apiVersion"]) == "v1" && text(&["kind"]) == "Namespace" && !name.is_empty() {
            self.insert(name, object);
        }
    }

    /// Keeps `object` as the Namespace called `name`, with the label of its name.
    pub fn insert(&mut self, name: &str, object: Value<'_>) {
        let arena = Arena::new();
        let part = |path: &[&str]| object.at(path).and_then(|value| value.as_object()).unwrap_or_default();
        let labels = with_member(&arena, part(&["metadata", "labels"]), NAMESPACE_NAME_LABEL, Value::String(name));
        let metadata = with_member(&arena, part(&["metadata"]), "labels", Value::Object(labels));
        let metadata = with_member(&arena, metadata, "name", Value::String(name));
        let namespace = with_member(&arena, part(&[]), "metadata", Value::Object(metadata));
        self.by_name.insert(name.to_owned(), Tree::from(Value::Object(namespace)));
    }
}

impl Namespaces for KnownNamespaces {
    fn namespace<'a>(&'a self, arena: &'a Arena, name: &str) -> Result<Option<Value<'a>>, String> {
        Ok(self.by_name.get(name).map(|namespace| namespace.view(arena)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_carry_the_label_of_their_name() {
        let arena = Arena::new();
        let mut known = KnownNamespaces::default();
        known.insert("media", Value::Object(Object::default()));
        let media = known.namespace(&arena, "media").expect("no cluster");
        let label = media.and_then(|namespace| namespace.at(&["metadata", "labels", NAMESPACE_NAME_LABEL]));
        assert_eq!(label, Some(Value::String("media")));
        assert_eq!(known.namespace(&arena, "other"), Ok(None));
    }

    fn pod<'a>(arena: &'a Arena, metadata: &[(&'a str, Value<'a>)]) -> Value<'a> {
        let metadata = Value::Object(Object::new(arena, metadata));
        let members = [("apiVersion", Value::String("v1")), ("kind", Value::String("Pod")), ("metadata", metadata)];
        Value::Object(Object::new(arena, &members))
    }

    #[test]
    fn fills_in_a_namespace_that_is_not_written() {
        let arena = Arena::new();
        let namespace = |object: Value<'_>, name| {
            with_namespace(&arena, object, name)
                .at(&["metadata", "namespace"])
                .and_then(|n| n.as_str().map(str::to_owned))
        };
        let named = pod(&arena, &[("namespace", Value::String("home"))]);
        assert_eq!(namespace(pod(&arena, &[]), "media").as_deref(), Some("media"));
        assert_eq!(namespace(pod(&arena, &[]), ""), None);
        assert_eq!(namespace(named, "media").as_deref(), Some("home"));
        assert_eq!(namespace(Value::Object(Object::default()), "media").as_deref(), Some("media"));
        assert_eq!(namespace(Value::Null, "media"), None);
        let filled = with_namespace(&arena, pod(&arena, &[]), "media");
        assert_eq!(without_namespace(&arena, filled), pod(&arena, &[]));
    }

    #[test]
    fn a_deletion_is_about_the_old_object() {
        let arena = Arena::new();
        let old = pod(&arena, &[("name", Value::String("web"))]);
        let attributes = Attributes {
            resource: "pods",
            subresource: "",
            namespace: "media",
            operation: Operation::Delete,
            user_info: Value::Null,
            dry_run: false,
            defaulting: true,
        };
        let request = request(&arena, Value::Null, old, attributes);
        assert_eq!((request.kind.kind, request.name, request.resource.resource), ("Pod", "web", "pods"));
        assert_eq!(request.options.get("kind"), Some(Value::String("DeleteOptions")));
    }
}
