//! What the kustomizations around files say about them: the namespaces that their objects get, which are patches, and
//! what else a build would change.
//!
//! This is no build: names of files and namespaces are followed, nothing else. `render` has the real one done.

mod file;
mod namespace;
mod paths;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

pub use file::{Change, Kustomization};
pub use namespace::{MAX_NAMESPACES, transform};
use paths::Places;
pub use paths::{ancestors, real, relative, shown};

/// The kustomizations around some files.
#[derive(Debug, Default)]
pub struct Kustomizations {
    by_directory: BTreeMap<PathBuf, Kustomization>,
    namespaces: HashMap<PathBuf, BTreeSet<Option<String>>>,
    resources: HashSet<PathBuf>,
    patches: HashSet<PathBuf>,
    /// What the operator calls the kustomizations that are given.
    names: HashMap<PathBuf, String>,
    /// Kustomizations that can't be followed, and why.
    pub problems: Vec<(PathBuf, String)>,
}

impl Kustomizations {
    /// Those in the directories of files and above, up to the root of the checkout, and those that they refer to. Files are
    /// given with what the operator calls them.
    pub fn around<P: AsRef<Path>, N: Into<String>>(files: impl IntoIterator<Item = (P, N)>) -> Self {
        let mut found = Self::default();
        let mut asked = HashSet::new();
        let mut waiting = Vec::new();
        let mut places = Places::default();
        for (path, name) in files {
            let path = path.as_ref();
            let Some(directory) = places.directory(path) else { continue };
            if !asked.contains(&directory) {
                // What a file in it is called doesn't matter.
                let within = directory.join("file");
                waiting.extend(ancestors(&within).take_while(|at| asked.insert((*at).to_owned())).map(PathBuf::from));
            }
            if path.file_name().is_some_and(file::is_name)
                && let Some(path) = real(path)
            {
                found.names.entry(path).or_insert_with(|| name.into());
            }
        }
        while let Some(directory) = waiting.pop() {
            match file::read(&directory) {
                Ok(Some(kustomization)) => {
                    waiting.extend(kustomization.directories().filter(|next| asked.insert((*next).clone())).cloned());
                    found.by_directory.insert(directory, kustomization);
                }
                Ok(None) => {}
                Err(problem) => found.problems.push(problem),
            }
        }
        for kustomization in found.by_directory.values() {
            found.resources.extend(kustomization.resources.iter().cloned());
            found.patches.extend(kustomization.patches.iter().cloned());
        }
        let effects = namespace::effects(&found.by_directory, &found.roots(), namespace::MAX_ENTRIES);
        found.namespaces = effects.namespaces;
        found.problems.extend(effects.problems);
        found
    }

    /// The namespaces that the outermost kustomizations put the objects of `file` into, `None` for one that leaves them
    /// where they are. Empty for a file that no kustomization takes.
    pub fn namespaces_of(&self, file: &Path) -> Vec<Option<&str>> {
        // To follow links takes longer than anything else here.
        if self.namespaces.is_empty() {
            return Vec::new();
        }
        let namespaces = real(file).and_then(|file| self.namespaces.get(&file));
        namespaces.into_iter().flatten().map(|namespace| namespace.as_deref()).collect()
    }

    /// Whether a kustomization uses `file` as a patch, and none takes its objects.
    pub fn is_patch(&self, file: &Path) -> bool {
        !self.patches.is_empty()
            && real(file).is_some_and(|file| self.patches.contains(&file) && !self.resources.contains(&file))
    }

    /// Whether there is a kustomization in `directory`.
    pub fn has(&self, directory: &Path) -> bool {
        self.by_directory.contains_key(directory)
    }

    /// Whether the kustomization in `directory` is `file`, or takes its objects, itself or through other kustomizations.
    pub fn takes(&self, directory: &Path, file: &Path) -> bool {
        self.by_directory.get(directory).is_some_and(|kustomization| {
            kustomization.path == file
                || self.closure(kustomization).iter().any(|found| found.resources.iter().any(|taken| taken == file))
        })
    }

    /// The files that the kustomization in `directory` takes objects from, itself or through others.
    pub fn files(&self, directory: &Path) -> Vec<&PathBuf> {
        let outermost = self.by_directory.get(directory).into_iter();
        outermost.flat_map(|kustomization| self.closure(kustomization)).flat_map(|found| &found.resources).collect()
    }

    /// What the operator calls a kustomization, if it is a given one; else its whole path.
    pub fn name(&self, path: &Path) -> String {
        self.names.get(path).cloned().unwrap_or_else(|| path.display().to_string())
    }

    /// The kustomizations among the given files, in order of their paths.
    pub fn given(&self) -> impl Iterator<Item = &Kustomization> {
        self.by_directory.values().filter(|kustomization| self.names.contains_key(&kustomization.path))
    }

    /// Those of the given ones that no other one refers to; components are never built by themselves.
    pub fn outermost(&self) -> Vec<&Kustomization> {
        let referred = self.referred(self.given());
        let is_build = |found: &&Kustomization| !found.is_component && !referred.contains(found.directory());
        self.given().filter(is_build).collect()
    }

    /// A kustomization and all that it refers to, by directory.
    pub fn closure<'k>(&'k self, outermost: &'k Kustomization) -> Vec<&'k Kustomization> {
        let mut seen = BTreeSet::from([outermost.directory()]);
        let mut waiting = vec![outermost.directory()];
        let mut closure = Vec::new();
        while let Some(kustomization) = waiting.pop().and_then(|directory| self.by_directory.get(directory)) {
            closure.push(kustomization);
            let next = kustomization.directories().map(PathBuf::as_path);
            waiting.extend(next.filter(|next| self.by_directory.contains_key(*next) && seen.insert(next)));
        }
        closure
    }

    /// Those of the given ones that nothing leads to from outside: they refer to each other in a circle.
    pub fn circular(&self) -> Vec<&Kustomization> {
        let referred = self.referred(self.given());
        let mut reached = BTreeSet::new();
        for outermost in self.given().filter(|found| !referred.contains(found.directory())) {
            reached.extend(self.closure(outermost).into_iter().map(|kustomization| &kustomization.path));
        }
        self.given().filter(|kustomization| !reached.contains(&kustomization.path)).collect()
    }

    fn roots(&self) -> Vec<&Path> {
        let referred = self.referred(self.by_directory.values());
        self.by_directory.keys().map(PathBuf::as_path).filter(|directory| !referred.contains(directory)).collect()
    }

    fn referred<'k>(&self, by: impl Iterator<Item = &'k Kustomization>) -> HashSet<&'k Path> {
        by.flat_map(Kustomization::directories).map(PathBuf::as_path).collect()
    }
}

impl Kustomization {
    /// The directory that it stands in.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// The directories (and files) that it takes objects or transformations from.
    fn directories(&self) -> impl Iterator<Item = &PathBuf> {
        self.resources.iter().chain(&self.components)
    }
}

#[cfg(test)]
mod tests;
