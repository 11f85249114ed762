//! Where places within a policy's expressions stand in its file.

use crate::json::Arena;

use super::manifest::{Document, Manifest};
use super::model::Policy;
use super::problem::FieldPath;

/// Line and column, both from 1; a column of 0 is not known.
type At = (usize, usize);

/// The line and column in the file for each of the `wanted` places, which are given as the field that holds an
/// expression, and line and column within that. `manifests` are those that the policy was loaded from.
pub fn places(manifests: &[Manifest], policy: &Policy, wanted: &[(FieldPath, At)]) -> Vec<At> {
    let (arena, mut errors) = (Arena::new(), Vec::new());
    for manifest in manifests.iter().filter(|manifest| manifest.file == policy.source.file) {
        let documents = manifest.objects(&arena, &mut errors);
        if let Some(document) = document_of(&documents, policy) {
            return wanted.iter().map(|(field, at)| document.place_within(&document.path.below(field), *at)).collect();
        }
    }
    vec![(policy.source.line, 0); wanted.len()]
}

/// The document that a policy was read from, among those of its manifest.
pub fn document_of<'d, 'a>(documents: &'d [Document<'a>], policy: &Policy) -> Option<&'d Document<'a>> {
    documents.iter().find(|document| {
        document.text(&["kind"]) == policy.policy_type().kind() && document.text(&["metadata", "name"]) == policy.name
    })
}
