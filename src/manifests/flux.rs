//! What Flux does to a checkout's objects: a Kustomization of kustomize.toolkit.fluxcd.io puts those of its path into
//! its target namespace.

use std::path::{Path, PathBuf};

use crate::admission::resources::split_api_version;
use crate::json::Value;

use super::kustomize::{Kustomizations, ancestors, real};

/// The target namespaces among the input, by the directory whose objects they are for.
#[derive(Debug, Default)]
pub struct TargetNamespaces {
    by_directory: Vec<(PathBuf, String)>,
}

impl TargetNamespaces {
    /// Learns from `object`, read from `file`, if it is Flux's Kustomization with a target namespace.
    pub fn learn(&mut self, object: Value<'_>, file: &Path) {
        let text = |path: &[&str]| object.at(path).and_then(|value| value.as_str()).filter(|text| !text.is_empty());
        let Some(namespace) = text(&["spec", "targetNamespace"]).filter(|_| is_kustomization(object)) else { return };
        if let Some(directory) = directory_of(text(&["spec", "path"]).unwrap_or_default(), file) {
            self.by_directory.push((directory, namespace.to_owned()));
        }
    }

    /// The namespace that the nearest target directory of `file` names.
    pub fn of(&self, file: &Path, kustomizations: &Kustomizations) -> Option<String> {
        if self.by_directory.is_empty() {
            return None;
        }
        let file = real(file)?;
        let applies = |directory: &Path| {
            // Without a kustomization in the directory Flux makes one of every file below it.
            if kustomizations.has(directory) {
                kustomizations.takes(directory, &file)
            } else {
                file.starts_with(directory)
            }
        };
        let targets = self.by_directory.iter().filter(|(directory, _)| applies(directory));
        targets.max_by_key(|(directory, _)| directory.components().count()).map(|(_, namespace)| namespace.clone())
    }
}

/// Whether `object` is Flux's Kustomization.
pub fn is_kustomization(object: Value<'_>) -> bool {
    let text = |key| object.get(key).and_then(|value| value.as_str()).unwrap_or_default();
    split_api_version(text("apiVersion")).0 == "kustomize.toolkit.fluxcd.io" && text("kind") == "Kustomization"
}

/// The directory that a Kustomization's path names, which begins at the root of the checkout; without a repository
/// around it, at the nearest directory above the file that has such a path.
pub fn directory_of(path: &str, file: &Path) -> Option<PathBuf> {
    let file = real(file)?;
    let below = |root: &Path| real(&root.join(path.trim_start_matches('/')));
    match ancestors(&file).last().filter(|root| root.join(".git").exists()) {
        Some(root) => below(root),
        None => ancestors(&file).filter_map(below).find(|directory| directory.is_dir()),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::json::{Arena, yaml};
    use crate::manifests::{TextFile, read};

    /// The target namespaces of files, given Kustomizations as (file, path, namespace).
    fn namespaces(
        files: &[(&str, &str)],
        kustomizations: &[(&str, &str, &str)],
        wanted: &[&str],
    ) -> io::Result<Vec<Option<String>>> {
        let dir = tempfile::tempdir()?;
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
            std::fs::write(path, text)?;
        }
        let mut targets = TargetNamespaces::default();
        for (file, path, namespace) in kustomizations {
            let text = format!(
                "{{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, spec: {{path: {path:?}, targetNamespace: {namespace:?}}}}}"
            );
            let arena = Arena::new();
            for document in yaml::documents(&arena, &text).into_iter().flatten() {
                targets.learn(document.value, &dir.path().join(file));
            }
        }
        let (found, _) = read(&[dir.path().to_owned()], &mut io::empty());
        let seen = Kustomizations::around(found.iter().filter_map(TextFile::called));
        Ok(wanted.iter().map(|file| targets.of(&dir.path().join(file), &seen)).collect())
    }

    fn named(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    #[test]
    fn a_path_begins_at_the_root_of_the_repository() -> io::Result<()> {
        let files = [(".git/config", ""), ("apps/media/a.yaml", ""), ("clusters/apps/media/b.yaml", "")];
        let found = namespaces(
            &files,
            &[("clusters/flux.yaml", "./apps", "outer"), ("clusters/flux.yaml", "./apps/media", "media")],
            &["apps/media/a.yaml", "apps/c.yaml", "clusters/apps/media/b.yaml"],
        )?;
        assert_eq!(found, [named("media"), named("outer"), None]);
        Ok(())
    }

    #[test]
    fn without_a_repository_a_path_begins_where_it_leads_somewhere() -> io::Result<()> {
        let found = namespaces(
            &[("app/pod.yaml", ""), ("flux/ks.yaml", "")],
            &[("flux/ks.yaml", "./app", "x")],
            &["app/pod.yaml", "flux/ks.yaml"],
        )?;
        assert_eq!(found, [named("x"), None]);
        Ok(())
    }

    #[test]
    fn a_kustomization_in_the_path_says_which_files_are_meant() -> io::Result<()> {
        let files = [
            (".git/config", ""),
            ("prod/kustomization.yaml", "resources: [../base, a.yaml]"),
            ("prod/a.yaml", ""),
            ("prod/unlisted.yaml", ""),
            ("base/kustomization.yaml", "resources: [b.yaml]"),
            ("base/b.yaml", ""),
        ];
        let found =
            namespaces(&files, &[("flux.yaml", "prod", "x")], &["prod/a.yaml", "base/b.yaml", "prod/unlisted.yaml"])?;
        assert_eq!(found, [named("x"), named("x"), None]);
        Ok(())
    }

    #[test]
    fn a_kustomization_without_a_target_changes_nothing() -> io::Result<()> {
        let found = namespaces(&[(".git/config", ""), ("a.yaml", "")], &[("flux.yaml", "", "")], &["a.yaml"])?;
        assert_eq!(found, [None]);
        Ok(())
    }
}
