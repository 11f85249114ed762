//! Kustomizations, built by `kustomize` or by the `kubectl` that has it inside.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::json::{Arena, yaml};
use crate::manifests::kustomize::{relative, shown};

use super::origin::{Origin, Provenance, key};
use super::tool::{Failure, Workshop};

/// Where kustomize writes what an object was built of, when asked to.
const ANNOTATION: &str = "config.kubernetes.io/origin";

/// What the kustomization in `directory` makes, at most `limit` bytes.
///
/// # Errors
/// What the operator should read.
pub fn build(workshop: &Workshop, directory: &Path, limit: u64) -> Result<String, String> {
    let tools: [(&str, &[&Path]); 2] =
        [("kustomize", &[Path::new("build"), directory]), ("kubectl", &[Path::new("kustomize"), directory])];
    for (tool, arguments) in tools {
        match workshop.run(tool, arguments, limit) {
            Err(Failure::Absent) => {}
            Err(failure) => return Err(format!("not built: {tool}: {failure}")),
            Ok(text) => return Ok(text),
        }
    }
    Err("not built: neither kustomize nor kubectl is on PATH; install one of them".to_owned())
}

/// Finds what the objects were built of, by a second build: of an overlay in the workshop that asks for annotations.
/// The first one is what would be deployed; an old kustomize knows no such annotations, and nothing is found.
///
/// `index` says which text a file is, by its real path and the one that the operator would use.
pub fn origins(
    workshop: &Workshop,
    directory: &Path,
    name: &Path,
    mut index: impl FnMut(&Path, &Path) -> Option<usize>,
) -> Provenance {
    let mut origins = HashMap::new();
    let name = name.parent().unwrap_or(Path::new(""));
    let text = annotated(workshop, directory).unwrap_or_default();
    let arena = Arena::new();
    for document in yaml::documents(&arena, &text).into_iter().flatten() {
        let annotation = document.value.at(&["metadata", "annotations", ANNOTATION]);
        let annotation = annotation.and_then(|text| text.as_str()).unwrap_or_default();
        let Some(Ok(origin)) = yaml::documents(&arena, annotation).into_iter().next() else { continue };
        let field = |path: &[&str]| origin.value.at(path).and_then(|text| text.as_str());
        let Some(path) = field(&["path"]).or_else(|| field(&["configuredIn"])) else { continue };
        let path = workshop.root().join("overlay").join(path);
        let Ok(path) = path.canonicalize() else { continue };
        let Some(file) = index(&path, &shown(name, directory, &path)) else { continue };
        let generator = match field(&["configuredBy", "kind"]) {
            Some("ConfigMapGenerator") => Some("configMapGenerator"),
            Some("SecretGenerator") => Some("secretGenerator"),
            _ => None,
        };
        let is_whole = field(&["path"]).is_some();
        origins.insert(key(document.value), Origin { file, generator, is_whole });
    }
    Provenance::Objects(origins)
}

/// The same build with an annotation on each object that says where it comes from.
fn annotated(workshop: &Workshop, directory: &Path) -> Option<String> {
    let overlay: PathBuf = workshop.root().join("overlay");
    fs::create_dir_all(&overlay).ok()?;
    let resource = relative(&overlay, directory);
    let kustomization = serde_json::json!({"resources": [resource.to_str()?], "buildMetadata": ["originAnnotations"]});
    fs::write(overlay.join("kustomization.yaml"), kustomization.to_string()).ok()?;
    build(workshop, &overlay, u64::MAX).ok()
}
