//! From a kind to the resource that the API server serves it under: plural name and scope.
//!
//! An audit has no discovery to ask, so it knows Kubernetes' own kinds, learns from the CustomResourceDefinitions in
//! its input, and guesses the rest as `kubectl` once did.

use std::collections::HashMap;

use crate::json::Value;
use crate::schema;

/// How the API server serves a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The plural, lower-case name: `pods`.
    pub name: String,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
}

/// What is known of kinds beyond the built-in ones.
#[derive(Debug, Default)]
pub struct Resources {
    custom: HashMap<(String, String), Resource>,
}

impl Resources {
    /// The resource of a kind: built in, learned, or guessed.
    pub fn of(&self, group: &str, kind: &str) -> Resource {
        if let Some(resource) = built_in(group, kind) {
            return resource;
        }
        if let Some(resource) = self.custom.get(&(group.to_owned(), kind.to_owned())) {
            return resource.clone();
        }
        Resource { name: plural(kind), namespaced: !is_cluster_scoped_by_convention(group, kind) }
    }

    /// Learns from `object` if it is a CustomResourceDefinition.
    pub fn learn(&mut self, object: Value<'_>) {
        if object.get("kind").and_then(|kind| kind.as_str()) != Some("CustomResourceDefinition") {
            return;
        }
        let text = |path: &[&str]| object.at(path).and_then(|value| value.as_str());
        let (Some(group), Some(kind), Some(name)) =
            (text(&["spec", "group"]), text(&["spec", "names", "kind"]), text(&["spec", "names", "plural"]))
        else {
            return;
        };
        let namespaced = text(&["spec", "scope"]) != Some("Cluster");
        self.custom.insert((group.to_owned(), kind.to_owned()), Resource { name: name.to_owned(), namespaced });
    }
}

/// The resource of one of Kubernetes' own kinds.
pub fn built_in(group: &str, kind: &str) -> Option<Resource> {
    let kind = schema::kinds().find(|known| known.group == group && known.kind == kind && known.resource.is_some())?;
    Some(Resource { name: kind.resource?.to_owned(), namespaced: kind.namespaced })
}

/// Splits `apps/v1` into group and version; the core group is empty.
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// English as far as resource names speak it.
fn plural(kind: &str) -> String {
    let name = kind.to_ascii_lowercase();
    if name.ends_with('s') || name.ends_with('x') || name.ends_with("ch") || name.ends_with("sh") {
        return format!("{name}es");
    }
    match name.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{name}s"),
    }
}

/// Whether a custom kind is cluster-scoped, by the names that such kinds carry.
fn is_cluster_scoped_by_convention(group: &str, kind: &str) -> bool {
    const CLUSTER_SCOPED: &[(&str, &str)] = &[
        ("gateway.networking.k8s.io", "GatewayClass"),
        ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
        ("snapshot.storage.k8s.io", "VolumeSnapshotContent"),
        ("kyverno.io", "GlobalContextEntry"),
        ("kubevirt.io", "KubeVirt"),
        ("nvidia.com", "NVIDIADriver"),
        ("operator.tigera.io", "Installation"),
        ("templates.gatekeeper.sh", "ConstraintTemplate"),
    ];
    // `ClusterIssuer`, `ClusterSecretStore`, `ClusterPolicy`; but `Cluster` alone is a database or a machine group.
    let prefixed = kind.strip_prefix("Cluster").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()));
    prefixed || CLUSTER_SCOPED.contains(&(group, kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Arena, Object};

    #[test]
    fn knows_kubernetes_own_kinds() {
        let known = Resources::default();
        for (group, kind, name, namespaced) in [
            ("", "Pod", "pods", true),
            ("", "Endpoints", "endpoints", true),
            ("", "Namespace", "namespaces", false),
            ("networking.k8s.io", "NetworkPolicy", "networkpolicies", true),
            ("networking.k8s.io", "IngressClass", "ingressclasses", false),
            ("rbac.authorization.k8s.io", "ClusterRole", "clusterroles", false),
        ] {
            assert_eq!(known.of(group, kind), Resource { name: name.to_owned(), namespaced }, "{group} {kind}");
        }
    }

    #[test]
    fn guesses_kinds_that_nobody_described() {
        let known = Resources::default();
        for (group, kind, name, namespaced) in [
            ("argoproj.io", "Application", "applications", true),
            ("cert-manager.io", "ClusterIssuer", "clusterissuers", false),
            ("cert-manager.io", "Certificate", "certificates", true),
            ("gateway.networking.k8s.io", "GatewayClass", "gatewayclasses", false),
            ("gateway.networking.k8s.io", "Gateway", "gateways", true),
            ("kyverno.io", "Policy", "policies", true),
            ("k8s.nginx.org", "Mesh", "meshes", true),
            ("postgresql.cnpg.io", "Cluster", "clusters", true),
            ("example.com", "Box", "boxes", true),
            ("example.com", "Key", "keys", true),
        ] {
            assert_eq!(known.of(group, kind), Resource { name: name.to_owned(), namespaced }, "{group} {kind}");
        }
    }

    #[test]
    fn learns_plural_and_scope_from_a_custom_resource_definition() {
        let arena = Arena::new();
        let object =
            |members: &[(&'static str, Value<'static>)]| -> Value<'_> { Value::Object(Object::new(&arena, members)) };
        let names = [("kind", Value::String("Mouse")), ("plural", Value::String("mice"))];
        let names = Value::Object(Object::new(&arena, &names));
        let spec = Value::Object(Object::new(
            &arena,
            &[("group", Value::String("pets.io")), ("scope", Value::String("Cluster")), ("names", names)],
        ));
        let kind = Value::String("CustomResourceDefinition");
        let mut known = Resources::default();
        known.learn(Value::Object(Object::new(&arena, &[("kind", kind), ("spec", spec)])));
        known.learn(object(&[("kind", kind)]));
        assert_eq!(known.of("pets.io", "Mouse"), Resource { name: "mice".to_owned(), namespaced: false });
        assert_eq!(known.of("other.io", "Mouse"), Resource { name: "mouses".to_owned(), namespaced: true });
    }

    #[test]
    fn splits_api_versions() {
        assert_eq!(split_api_version("v1"), ("", "v1"));
        assert_eq!(split_api_version("apps/v1"), ("apps", "v1"));
    }
}
