//! From a field path to a line of the file that the user wrote.

use crate::json::pointer::{Path, Segment};
use crate::json::yaml::{self, Step};
use crate::manifests::Manifest;

/// How many bytes of text are searched for lines in one audit. Beyond, findings carry their document's line: on a
/// file of tens of megabytes with a finding in every object, looking for each would take hours.
const BUDGET: u64 = 2 << 30;

/// Finds lines, within a budget.
#[derive(Debug)]
pub struct Locator {
    remaining: u64,
}

impl Default for Locator {
    fn default() -> Self {
        Self { remaining: BUDGET }
    }
}

impl Locator {
    /// The line of `field` in the manifest, or of the nearest thing around it that is there.
    pub fn line(&mut self, manifest: &Manifest<'_>, field: &str) -> usize {
        let path = Path::parse(field).unwrap_or_default();
        let mut steps: Vec<Step<'_>> = Vec::new();
        for item in &manifest.items {
            steps.extend([Step::Key("items"), Step::Index(*item)]);
        }
        steps.extend(path.0.iter().map(|segment| match segment {
            Segment::Key(key) => Step::Key(key),
            Segment::Index(index) => Step::Index(*index),
        }));
        // What isn't there has no line; one look-up finds how far the path leads.
        steps.truncate(existing(manifest, &path));
        if steps.is_empty() {
            return manifest.source.line;
        }
        let size = manifest.text.len() as u64;
        if size > self.remaining {
            return manifest.source.line;
        }
        self.remaining -= size;
        yaml::locate(manifest.text, manifest.source.document, &steps).unwrap_or(manifest.source.line)
    }
}

/// How many steps lead to the deepest value on the way that the manifest has.
fn existing(manifest: &Manifest<'_>, path: &Path<'_>) -> usize {
    let mut value = manifest.written;
    let mut steps = manifest.items.len() * 2;
    for segment in &path.0 {
        let child = match segment {
            Segment::Key(key) => value.get(key),
            Segment::Index(index) => value.as_array().and_then(|elements| elements.get(*index).copied()),
        };
        let Some(child) = child else { break };
        value = child;
        steps += 1;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
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
            let found = manifest.map(|manifest| Locator::default().line(manifest, field));
            assert_eq!(found, Some(line), "{object} {field}");
        }
    }

    #[test]
    fn falls_back_on_the_document_when_the_budget_is_spent() {
        let files = [TextFile { name: "test.yaml".to_owned(), path: None, text: TEXT.to_owned() }];
        let arena = Arena::new();
        let collection = collect(&arena, &files, "default");
        let mut locator = Locator { remaining: TEXT.len() as u64 };
        let mut lines = collection.manifests.iter().map(|manifest| locator.line(manifest, "metadata.name"));
        assert_eq!((lines.next(), lines.next()), (Some(3), Some(5)));
    }
}
