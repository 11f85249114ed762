//! Namespace objects from files, for selectors and `namespaceObject` where no cluster can be asked.

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::admission::offline::KnownNamespaces;
use crate::json::{Arena, Value, yaml};

/// Reads the Namespace objects in `files`; a `List` of them, as kubectl prints, counts too.
///
/// # Errors
/// A file can't be read, isn't YAML, or holds something else.
pub fn read(files: &[PathBuf]) -> anyhow::Result<KnownNamespaces> {
    let mut namespaces = KnownNamespaces::default();
    for file in files {
        let text = std::fs::read_to_string(file).with_context(|| format!("{}: can't read", file.display()))?;
        learn(&mut namespaces, &text).with_context(|| file.display().to_string())?;
    }
    Ok(namespaces)
}

fn learn(namespaces: &mut KnownNamespaces, text: &str) -> anyhow::Result<()> {
    let arena = Arena::new();
    for document in yaml::documents(&arena, text) {
        let document = document?;
        let objects = match document.value.get("items") {
            Some(Value::Array(items)) => items,
            _ if document.value.is_null() => &[],
            _ => std::slice::from_ref(&document.value),
        };
        for object in objects {
            let text = |path: &[&str]| object.at(path).and_then(|value| value.as_str()).unwrap_or_default();
            let (api_version, kind) = (text(&["apiVersion"]), text(&["kind"]));
            if (api_version, kind) != ("v1", "Namespace") {
                bail!(
                    "line {}: expected apiVersion v1 and kind Namespace, found {api_version:?} and {kind:?}",
                    document.line
                );
            }
            if text(&["metadata", "name"]).is_empty() {
                bail!("line {}: a Namespace without metadata.name", document.line);
            }
            namespaces.learn(*object);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Namespaces;

    const TEXT: &str = "\
apiVersion: v1
kind: Namespace
metadata:
  name: media
  labels: {team: home}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
";

    #[test]
    fn finds_namespaces_by_name() {
        let mut namespaces = KnownNamespaces::default();
        learn(&mut namespaces, TEXT).expect("good namespaces");
        let arena = Arena::new();
        let media = namespaces.namespace(&arena, "media").expect("no cluster").expect("media");
        assert_eq!(media.at(&["metadata", "labels", "team"]), Some(Value::String("home")));
        assert_ne!(namespaces.namespace(&arena, "shop"), Ok(None));
        assert_eq!(namespaces.namespace(&arena, "other"), Ok(None));
    }

    #[test]
    fn rejects_what_is_no_namespace() {
        for (text, says) in [
            ("apiVersion: v1\nkind: Pod\nmetadata: {name: x}", "line 1: expected apiVersion v1 and kind Namespace"),
            ("apiVersion: v1\nkind: Namespace", "line 1: a Namespace without metadata.name"),
            ("a: [", "line"),
        ] {
            let error = learn(&mut KnownNamespaces::default(), text).expect_err(text);
            assert!(error.to_string().contains(says), "{error:#}");
        }
    }
}
