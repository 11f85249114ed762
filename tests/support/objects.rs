//! Kubernetes objects as plain JSON: out of manifests, and where the API server has them.

use portcullis::admission::resources::Resources;
use portcullis::json::{self, Arena, yaml};
use serde_json::Value;

/// The documents of a manifest; empty ones are left out, and templates, which are no YAML.
pub fn objects(text: &str) -> Vec<Value> {
    let arena = Arena::new();
    let documents = yaml::documents(&arena, text).into_iter().flatten();
    let values = documents.map(|document| serde_json::from_str(&json::to_json(document.value)).unwrap());
    values.filter(|value: &Value| !value.is_null()).collect()
}

/// The group of an object's apiVersion.
pub fn group(object: &Value) -> &str {
    object["apiVersion"].as_str().unwrap().split_once('/').map_or("", |(group, _)| group)
}

/// Where an object's collection is.
pub fn path_of(object: &Value) -> String {
    let api_version = object["apiVersion"].as_str().unwrap();
    let root = if api_version.contains('/') { "apis" } else { "api" };
    let resource = Resources::default().of(group(object), object["kind"].as_str().unwrap());
    match object["metadata"]["namespace"].as_str().filter(|_| resource.namespaced) {
        Some(namespace) => format!("/{root}/{api_version}/namespaces/{namespace}/{}", resource.name),
        None => format!("/{root}/{api_version}/{}", resource.name),
    }
}
