//! From a field path to a line of the file that the user wrote.

use crate::json::pointer::{Path, Segment};
use crate::json::yaml::Step;
use crate::manifests::Manifest;

/// The line of `field` in the manifest, or of the nearest thing around it that is there.
pub fn line(manifest: &Manifest<'_>, field: &str) -> usize {
    let path = manifest.written_path(Path::parse(field).unwrap_or_default());
    let steps = path.0.iter().map(|segment| match segment {
        Segment::Key(key) => Step::Key(key),
        Segment::Index(index) => Step::Index(*index),
    });
    manifest.lines.line(&steps.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::line as line_of;
    use crate::json::Arena;
    use crate::manifests::{TextFile, collect};

    const TEXT: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: first}
---
apiVersion: v1
kind: Pod
metadata:
  name: second
  annotations:
    example.com/a: b
spec:
  containers:
  - name: a
    image: nginx:1
  - name: b
    image: nginx:latest
---
kind: List
apiVersion: v1
items:
- {apiVersion: v1, kind: Pod, metadata: {name: third}}
- apiVersion: v1
  kind: Pod
  metadata:
    name: fourth
";

    #[test]
    fn finds_the_line_of_a_field_or_of_what_is_around_it() {
        let files = [TextFile { name: "test.yaml".to_owned(), path: None, text: TEXT.to_owned() }];
        let arena = Arena::new();
        let collection = collect(&arena, &files, "default");
        for (object, field, line) in [
            ("first", "metadata.name", 3),
            ("second", "spec.containers[1].image", 16),
            ("second", "spec.containers[1].securityContext.privileged", 15),
            ("second", "spec.containers[7].image", 12),
            ("second", "metadata.annotations[example.com/a]", 10),
            ("second", "spec.hostNetwork", 11),
            ("second", "", 5),
            ("second", "not a path[", 5),
            ("second", "status.phase", 5),
            ("third", "metadata.name", 21),
            ("fourth", "metadata.name", 25),
            ("fourth", "spec.containers", 22),
        ] {
            let manifest = collection.manifests.iter().find(|manifest| manifest.id.name == object);
            let found = manifest.map(|manifest| line_of(manifest, field));
            assert_eq!(found, Some(line), "{object} {field}");
        }
    }
}
