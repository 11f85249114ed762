//! Kinds of the API server, where they are served, and objects of them.

use serde_json::{Value, json};

use super::suite::{LABEL, NAME};

/// The group of the custom resources.
pub const CUSTOM_GROUP: &str = "differential.portcullis.dev";

/// Kind, plural, whether in a namespace.
const KINDS: &[(&str, &str, bool)] = &[
    ("ClusterRole", "clusterroles", false),
    ("ClusterWidget", "clusterwidgets", false),
    ("ConfigMap", "configmaps", true),
    ("CronJob", "cronjobs", true),
    ("DaemonSet", "daemonsets", true),
    ("Deployment", "deployments", true),
    ("Event", "events", true),
    ("HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
    ("Ingress", "ingresses", true),
    ("Job", "jobs", true),
    ("Namespace", "namespaces", false),
    ("NetworkPolicy", "networkpolicies", true),
    ("Node", "nodes", false),
    ("PersistentVolumeClaim", "persistentvolumeclaims", true),
    ("Pod", "pods", true),
    ("PodDisruptionBudget", "poddisruptionbudgets", true),
    ("PriorityClass", "priorityclasses", false),
    ("ReplicaSet", "replicasets", true),
    ("Role", "roles", true),
    ("RoleBinding", "rolebindings", true),
    ("Secret", "secrets", true),
    ("Service", "services", true),
    ("ServiceAccount", "serviceaccounts", true),
    ("StatefulSet", "statefulsets", true),
    ("StorageClass", "storageclasses", false),
    ("Widget", "widgets", true),
];

/// Where an object, or the collection that it is created in, is served.
pub fn path_of(object: &Value, with_name: bool) -> String {
    let api_version = object["apiVersion"].as_str().unwrap();
    let kind = object["kind"].as_str().unwrap();
    let (_, plural, namespaced) = KINDS.iter().find(|(known, ..)| *known == kind).unwrap_or_else(|| panic!("{kind}"));
    let root = if api_version.contains('/') { "apis" } else { "api" };
    let namespace = match object["metadata"]["namespace"].as_str() {
        Some(namespace) if *namespaced => format!("/namespaces/{namespace}"),
        _ => String::new(),
    };
    let name = match object["metadata"]["name"].as_str() {
        Some(name) if with_name => format!("/{name}"),
        _ => String::new(),
    };
    format!("/{root}/{api_version}{namespace}/{plural}{name}")
}

/// The group and version of an object.
pub fn group_version(object: &Value) -> (&str, &str) {
    let api_version = object["apiVersion"].as_str().unwrap();
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// The definitions of the custom resources: a namespaced one in two versions, and a cluster-scoped one.
pub fn definitions() -> Vec<Value> {
    let any = |extra: Value| {
        let mut properties = json!({
            "size": {"type": "integer"}, "name": {"type": "string"}, "on": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"],
                    "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "sealed": {"type": "object", "x-kubernetes-map-type": "atomic",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}}},
            "color": {"type": "string", "default": "grey"},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "port": {"x-kubernetes-int-or-string": true}
        });
        properties.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({"openAPIV3Schema": {"type": "object", "properties": {
            "spec": {"type": "object", "properties": properties}, "status": {"type": "object",
                "properties": {"ready": {"type": "boolean"}}}}}})
    };
    let version = |name: &str, storage: bool, extra: Value| {
        json!({"name": name, "served": true, "storage": storage, "schema": any(extra),
            "subresources": {"status": {}, "scale":
                {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}}})
    };
    let definition = |plural: &str, kind: &str, scope: &str, versions: Value| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{CUSTOM_GROUP}")},
            "spec": {"group": CUSTOM_GROUP, "scope": scope, "names": {"plural": plural, "kind": kind},
                "versions": versions}})
    };
    vec![
        definition(
            "widgets",
            "Widget",
            "Namespaced",
            json!([version("v1", true, json!({})), version("v2", false, json!({"extra": {"type": "string"}}))]),
        ),
        definition("clusterwidgets", "ClusterWidget", "Cluster", json!([version("v1", true, json!({}))])),
    ]
}

/// An object in the suite's namespace.
pub fn object(api_version: &str, kind: &str, name: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": NAME}});
    overlay(&mut object, &rest);
    object
}

/// A cluster-scoped object of the suite; its name is the suite's and `name`.
pub fn cluster_object(api_version: &str, kind: &str, name: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": format!("{NAME}-{name}"), "labels": {LABEL: NAME}}});
    overlay(&mut object, &rest);
    object
}

/// A pod of one container, changed by `rest`.
pub fn pod(name: &str, rest: Value) -> Value {
    let base = json!({"spec": {"containers": [{"name": "main", "image": "busybox:1.36"}]}});
    object("v1", "Pod", name, overlaid(base, rest))
}

/// A deployment, changed by `rest`.
pub fn deployment(name: &str, rest: Value) -> Value {
    let base = json!({"spec": {"replicas": 3, "selector": {"matchLabels": {"app": name}}, "template":
        {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main", "image": "busybox:1.36"}]}}}});
    object("apps/v1", "Deployment", name, overlaid(base, rest))
}

/// A ConfigMap, changed by `rest`.
pub fn config_map(name: &str, rest: Value) -> Value {
    object("v1", "ConfigMap", name, rest)
}

/// A headless service, changed by `rest`: the API server chooses no address for it.
pub fn service(name: &str, rest: Value) -> Value {
    let base = json!({"spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"port": 80}]}});
    object("v1", "Service", name, overlaid(base, rest))
}

/// A custom resource, changed by `rest`.
pub fn widget(name: &str, rest: Value) -> Value {
    object(&format!("{CUSTOM_GROUP}/v1"), "Widget", name, rest)
}

/// A cluster-scoped custom resource, changed by `rest`.
pub fn cluster_widget(name: &str, rest: Value) -> Value {
    cluster_object(&format!("{CUSTOM_GROUP}/v1"), "ClusterWidget", name, rest)
}

/// `base` with the members of `rest`, objects merged.
pub fn overlaid(mut base: Value, rest: Value) -> Value {
    overlay(&mut base, &rest);
    base
}

fn overlay(base: &mut Value, rest: &Value) {
    match (base, rest) {
        (Value::Object(base), Value::Object(rest)) => {
            for (key, value) in rest {
                overlay(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, rest) => *base = rest.clone(),
    }
}
