//! Where places within a policy's expressions stand in its file.

use crate::json::Arena;

use super::manifest::Manifest;
use super::model::{Policy, Rules};
use super::problem::FieldPath;
use super::spec::PolicyType;

/// Line and column, both from 1; a column of 0 is not known.
type At = (usize, usize);

/// The line and column in the file for each of the `wanted` places, which are given as the field that holds an
/// expression, and line and column within that. `manifests` are those that the policy was loaded from.
pub fn places(manifests: &[Manifest], policy: &Policy, wanted: &[(FieldPath, At)]) -> Vec<At> {
    let kind = match policy.rules {
        Rules::Validate { .. } => PolicyType::Validating.kind(),
        Rules::Mutate { .. } => PolicyType::Mutating.kind(),
    };
    let (arena, mut errors) = (Arena::new(), Vec::new());
    for manifest in manifests.iter().filter(|manifest| manifest.file == policy.source.file) {
        let documents = manifest.objects(&arena, &mut errors);
        let found = documents
            .iter()
            .find(|document| document.text(&["kind"]) == kind && document.text(&["metadata", "name"]) == policy.name);
        if let Some(document) = found {
            return wanted.iter().map(|(path, at)| document.place_within(&below(&document.path, path), *at)).collect();
        }
    }
    vec![(policy.source.line, 0); wanted.len()]
}

/// The path of a field of an object that stands at `object` in its document.
fn below(object: &FieldPath, field: &FieldPath) -> FieldPath {
    let mut path = object.clone();
    path.0.extend(field.0.iter().cloned());
    path
}
