//! What the kustomizations around a file say about it: the namespace its objects get, and whether it is a patch.
//!
//! This is no build: an operator who audits a checkout expects a file to be judged in the namespace that the
//! kustomization beside it sets, no more. Where that isn't enough, `kubectl kustomize DIR | portcullis audit -` is.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use crate::json::{Arena, Value, yaml};

/// The largest kustomization that is read, in bytes.
const MAX_SIZE: u64 = 1 << 20;

/// The kustomizations seen so far, by directory.
#[derive(Debug, Default)]
pub struct Kustomizations {
    by_directory: HashMap<PathBuf, Option<Kustomization>>,
}

/// What a kustomization says about files.
#[derive(Clone, Debug, Default)]
struct Kustomization {
    namespace: Option<String>,
    /// Files and directories.
    resources: Vec<PathBuf>,
    /// Files.
    patches: Vec<PathBuf>,
}

impl Kustomizations {
    /// The namespace that the nearest kustomization sets which lists `file`, itself or through other kustomizations.
    pub fn namespace_of(&mut self, file: &Path) -> Option<String> {
        let file = normalized(file)?;
        let directories = ancestors(&file);
        directories.into_iter().find_map(|directory| {
            let namespace = self.get(&directory)?.namespace.clone()?;
            self.lists(&directory, &file).then_some(namespace)
        })
    }

    /// Whether a kustomization in the file's directory or above it uses `file` as a patch, and none as a resource.
    pub fn is_patch(&mut self, file: &Path) -> bool {
        let Some(file) = normalized(file) else { return false };
        let (mut is_patch, mut is_resource) = (false, false);
        for directory in ancestors(&file) {
            if let Some(kustomization) = self.get(&directory) {
                is_patch |= kustomization.patches.contains(&file);
                is_resource |= kustomization.resources.contains(&file);
            }
        }
        is_patch && !is_resource
    }

    /// Whether there is a kustomization in `directory`.
    pub fn has(&mut self, directory: &Path) -> bool {
        self.get(directory).is_some()
    }

    /// Whether the kustomization in `directory` lists `file`, itself or through other kustomizations.
    pub fn lists(&mut self, directory: &Path, file: &Path) -> bool {
        let mut visited = vec![directory.to_owned()];
        // Kustomizations may list each other: each is followed once.
        for at in 0.. {
            let Some(directory) = visited.get(at).cloned() else { break };
            let Some(kustomization) = self.get(&directory) else { continue };
            for resource in &kustomization.resources {
                if resource == file {
                    return true;
                }
                if !visited.contains(resource) {
                    visited.push(resource.clone());
                }
            }
        }
        false
    }

    fn get(&mut self, directory: &Path) -> Option<&Kustomization> {
        self.by_directory.entry(directory.to_owned()).or_insert_with(|| read(directory)).as_ref()
    }
}

/// The directories that can hold a kustomization for `file`, nearest first, up to the root of the checkout.
pub fn ancestors(file: &Path) -> Vec<PathBuf> {
    let mut directories = Vec::new();
    for directory in file.ancestors().skip(1) {
        directories.push(directory.to_owned());
        if directory.join(".git").exists() {
            break;
        }
    }
    directories
}

/// The absolute path with `.` and `..` resolved by name.
pub fn normalized(path: &Path) -> Option<PathBuf> {
    let mut normalized = PathBuf::new();
    for component in std::path::absolute(path).ok()?.components() {
        match component {
            Component::ParentDir => {
                normalized.pop();
            }
            Component::CurDir => {}
            other => normalized.push(other),
        }
    }
    Some(normalized)
}

/// The kustomization in `directory`. One that can't be read says nothing: it is reported where it is left out.
fn read(directory: &Path) -> Option<Kustomization> {
    let names = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
    let path = names.iter().map(|name| directory.join(name)).find(|path| path.is_file())?;
    let mut text = String::new();
    let size = File::open(path).ok()?.take(MAX_SIZE + 1).read_to_string(&mut text).ok()?;
    if size as u64 > MAX_SIZE {
        return None;
    }
    let arena = Arena::new();
    let document = yaml::documents(&arena, &text).into_iter().next()?.ok()?;
    Some(Kustomization::of(document.value, directory))
}

impl Kustomization {
    fn of(value: Value<'_>, directory: &Path) -> Self {
        let list = |key| value.get(key).and_then(|list| list.as_array()).unwrap_or_default().iter();
        let paths = |keys: &[&'static str]| -> Vec<PathBuf> {
            keys.iter()
                .flat_map(|key| list(key))
                .filter_map(|entry| entry.as_str().or_else(|| entry.get("path")?.as_str()))
                .filter_map(|path| normalized(&directory.join(path)))
                .collect()
        };
        Self {
            namespace: value.get("namespace").and_then(|name| name.as_str()).map(str::to_owned),
            resources: paths(&["resources", "bases", "components"]),
            patches: paths(&["patches", "patchesStrategicMerge", "patchesJson6902"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io;

    use super::*;

    /// A checkout with these files.
    fn checkout(files: &[(&str, &str)]) -> io::Result<tempfile::TempDir> {
        let dir = tempfile::tempdir()?;
        fs::create_dir(dir.path().join(".git"))?;
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            fs::write(path, text)?;
        }
        Ok(dir)
    }

    #[test]
    fn a_listed_file_gets_the_namespace_of_its_kustomization() -> io::Result<()> {
        let dir = checkout(&[
            ("media/kustomization.yaml", "namespace: media\nresources: [jellyfin.yaml, ./sub/sonarr.yaml]"),
            ("media/jellyfin.yaml", ""),
            ("media/sub/sonarr.yaml", ""),
            ("media/unlisted.yaml", ""),
        ])?;
        let mut seen = Kustomizations::default();
        let mut namespace = |file: &str| seen.namespace_of(&dir.path().join(file));
        assert_eq!(namespace("media/jellyfin.yaml").as_deref(), Some("media"));
        assert_eq!(namespace("media/sub/sonarr.yaml").as_deref(), Some("media"));
        assert_eq!(namespace("media/unlisted.yaml"), None);
        Ok(())
    }

    #[test]
    fn a_kustomization_above_speaks_for_those_that_it_lists() -> io::Result<()> {
        let dir = checkout(&[
            ("kustomization.yaml", "namespace: outer\nresources: [apps/, other]"),
            ("apps/kustomization.yml", "resources:\n- a.yaml\n- b/"),
            ("apps/a.yaml", ""),
            ("apps/b/Kustomization", "namespace: inner\nresources: [b.yaml]"),
            ("apps/b/b.yaml", ""),
            ("elsewhere/c.yaml", ""),
        ])?;
        let mut seen = Kustomizations::default();
        let mut namespace = |file: &str| seen.namespace_of(&dir.path().join(file));
        assert_eq!(namespace("apps/a.yaml").as_deref(), Some("outer"));
        assert_eq!(namespace("apps/b/b.yaml").as_deref(), Some("inner"), "the nearest one");
        assert_eq!(namespace("elsewhere/c.yaml"), None);
        Ok(())
    }

    #[test]
    fn patches_are_told_from_objects() -> io::Result<()> {
        let dir = checkout(&[(
            "kustomization.yaml",
            "resources: [a.yaml, both.yaml]\npatchesStrategicMerge: [old.yaml, both.yaml]\npatches:\n- path: patches/new.yaml\n- patch: inline",
        )])?;
        let mut seen = Kustomizations::default();
        let mut is_patch = |file: &str| seen.is_patch(&dir.path().join(file));
        assert!(is_patch("old.yaml"));
        assert!(is_patch("patches/new.yaml"));
        assert!(!is_patch("a.yaml"));
        assert!(!is_patch("both.yaml"), "what is a resource too is an object");
        Ok(())
    }

    #[test]
    fn kustomizations_that_list_each_other_end() -> io::Result<()> {
        let dir = checkout(&[
            ("a/kustomization.yaml", "namespace: a\nresources: [../b, ../a, .]"),
            ("b/kustomization.yaml", "resources: [../a]"),
            ("a/file.yaml", ""),
        ])?;
        assert_eq!(Kustomizations::default().namespace_of(&dir.path().join("a/file.yaml")), None);
        Ok(())
    }

    #[test]
    fn a_kustomization_beyond_the_size_limit_says_nothing() -> io::Result<()> {
        let text = "namespace: media\nresources: [a.yaml]\n#";
        let limit = usize::try_from(MAX_SIZE).unwrap_or(usize::MAX);
        let padding = "x".repeat(limit - text.len());
        for (text, namespace) in [(format!("{text}{padding}"), Some("media")), (format!("{text}{padding}x"), None)] {
            let dir = checkout(&[("kustomization.yaml", &text), ("a.yaml", "")])?;
            let found = Kustomizations::default().namespace_of(&dir.path().join("a.yaml"));
            assert_eq!(found.as_deref(), namespace);
        }
        Ok(())
    }

    #[test]
    fn a_broken_kustomization_says_nothing() -> io::Result<()> {
        let dir = checkout(&[("kustomization.yaml", "namespace: [unclosed"), ("a.yaml", "")])?;
        assert_eq!(Kustomizations::default().namespace_of(&dir.path().join("a.yaml")), None);
        Ok(())
    }

    #[test]
    fn nothing_above_the_checkout_is_asked() -> io::Result<()> {
        let dir = checkout(&[
            ("kustomization.yaml", "namespace: outside\nresources: [inner/a.yaml]"),
            ("inner/.git/config", ""),
            ("inner/a.yaml", ""),
        ])?;
        assert_eq!(Kustomizations::default().namespace_of(&dir.path().join("inner/a.yaml")), None);
        Ok(())
    }
}
