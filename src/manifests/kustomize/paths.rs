//! Paths under one name each, and the way from one to another.

use std::path::{Component, Path, PathBuf};

/// The absolute path without links; where nothing is, without `.` and `..`.
pub fn real(path: &Path) -> Option<PathBuf> {
    path.canonicalize().or_else(|_| std::path::absolute(path).map(|path| normalized(&path))).ok()
}

/// Where files are, asked about those of one directory after each other.
#[derive(Debug, Default)]
pub struct Places {
    last: Option<(PathBuf, PathBuf)>,
}

impl Places {
    /// The absolute path without links of the directory that `file` is in.
    pub fn directory(&mut self, file: &Path) -> Option<PathBuf> {
        let is_link = file.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
        let Some(parent) = file.parent().filter(|_| !is_link && file.file_name().is_some()) else {
            return Some(real(file)?.parent()?.to_owned());
        };
        match &self.last {
            Some((last, directory)) if last == parent => Some(directory.clone()),
            _ => {
                let shown = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
                let directory = real(shown)?;
                self.last = Some((parent.to_owned(), directory.clone()));
                Some(directory)
            }
        }
    }
}

/// The directories that can hold a kustomization for `file`, a real path, nearest first, up to the root of the checkout.
pub fn ancestors(file: &Path) -> impl Iterator<Item = &Path> {
    let mut is_below_root = true;
    file.ancestors().skip(1).take_while(move |directory| {
        let is_wanted = is_below_root;
        is_below_root = is_wanted && !directory.join(".git").exists();
        is_wanted
    })
}

/// The path with `.` and `..` resolved by name.
fn normalized(path: &Path) -> PathBuf {
    let mut normalized = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normalized.pop();
            }
            Component::CurDir => {}
            other => normalized.push(other),
        }
    }
    normalized
}

/// The way from the directory `from` to `to`, both real paths.
pub fn relative(from: &Path, to: &Path) -> PathBuf {
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.components().skip(shared)).collect();
    if way.as_os_str().is_empty() { PathBuf::from(".") } else { way }
}

/// What the operator would call `to`, who calls the directory `from` by the name `shown`.
pub fn shown(shown: &Path, from: &Path, to: &Path) -> PathBuf {
    let mut path = shown.to_owned();
    for component in relative(from, to).components() {
        match component {
            Component::CurDir => {}
            // Nothing is above a name that leads up already, or nowhere.
            Component::ParentDir if matches!(path.components().next_back(), Some(Component::Normal(_))) => {
                path.pop();
            }
            other => path.push(other),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_way_from_a_directory_to_another() {
        for (from, to, way) in [
            ("/a/b", "/a/c/d", "../c/d"),
            ("/a/b", "/a/b/c", "c"),
            ("/a/b", "/a", ".."),
            ("/a", "/a", "."),
            ("/", "/a", "a"),
        ] {
            assert_eq!(relative(Path::new(from), Path::new(to)), Path::new(way), "{from} {to}");
        }
    }

    #[test]
    fn calls_things_as_the_operator_does() {
        for (name, from, to, expected) in [
            ("overlays/prod", "/r/overlays/prod", "/r/base/a.yaml", "base/a.yaml"),
            ("prod", "/r/overlays/prod", "/r/base/a.yaml", "../base/a.yaml"),
            ("", "/r", "/r/a.yaml", "a.yaml"),
            ("..", "/r", "/q/a.yaml", "../../q/a.yaml"),
            ("/r/prod", "/r/prod", "/r/a.yaml", "/r/a.yaml"),
        ] {
            let found = shown(Path::new(name), Path::new(from), Path::new(to));
            assert_eq!(found, Path::new(expected), "{name}");
        }
    }
}
