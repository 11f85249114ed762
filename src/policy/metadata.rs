//! Reads `metadata` of the kinds that Portcullis itself uses.
//!
//! Upstream: `ValidateObjectMeta`, for objects without namespace.

use super::decode::{Fields, Node};
use super::format;
use super::matching::check;

/// What is kept of `metadata`.
#[derive(Debug, Default)]
pub struct Metadata {
    /// `name`.
    pub name: String,
    /// `annotations`, sorted by key.
    pub annotations: Vec<(String, String)>,
}

/// Reads `metadata` of an object that has no namespace.
pub fn metadata(object: &mut Fields<'_, '_>) -> Option<Metadata> {
    object.require("metadata", "write metadata: {name: …}")?.fields(|fields| {
        let name = fields.text("name", "name is required", "write a name");
        if let Some((name, node)) = &name {
            check(node, name, format::dns_subdomain);
        }
        if fields.get("namespace").is_some() {
            fields.forbid("namespace", "not allowed on this type", "leave it out");
        }
        for (_, label) in entries(fields.get("labels"), str::to_owned) {
            if let Some(value) = label.string() {
                check(&label, value, format::label_value);
            }
        }
        // Upstream lets the prefix of an annotation's key have capital letters.
        let annotations = entries(fields.get("annotations"), str::to_lowercase);
        let annotations =
            annotations.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.string()?.to_owned())));
        let annotations = annotations.collect();
        fields.ignore(&[
            "creationTimestamp",
            "deletionGracePeriodSeconds",
            "deletionTimestamp",
            "finalizers",
            "generateName",
            "generation",
            "managedFields",
            "ownerReferences",
            "resourceVersion",
            "selfLink",
            "uid",
        ]);
        Some(Metadata { name: name?.0.to_owned(), annotations })
    })
}

/// The entries of a map of labels or annotations, whose keys have to be qualified names when spelt with `case`.
fn entries<'a, 'p>(map: Option<Node<'a, 'p>>, case: fn(&str) -> String) -> Vec<(&'a str, Node<'a, 'p>)> {
    let entries = map.map(|map| map.entries()).unwrap_or_default();
    for (key, node) in &entries {
        if let Some(wrong) = format::qualified_name(&case(key)) {
            node.invalid(key, wrong, "");
        }
    }
    entries
}
